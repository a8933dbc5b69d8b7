//! The other side of a connection of version 2, as one session sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_client_protocol::{
    Client as ClientRole,
    v1::schema as one,
    v2::{ConnectionTo, schema as two},
};
use shared::wire::SessionPosition;

use super::{
    super::{
        client::{Choice, State, Stop, WORDS},
        streaming,
    },
    updates::{self, Messages},
};

/// The protocol's code for what went wrong here.
const INTERNAL_ERROR: i32 = -32603;

/// A client in one session. Cheap to clone.
#[derive(Clone)]
pub(in crate::edge::acp) struct Client {
    cx: ConnectionTo<ClientRole>,
    session: two::SessionId,
    messages: Arc<Mutex<Messages>>,
    states: Arc<Mutex<States>>,
}

/// What the client knows of the session's state.
#[derive(Debug, Default)]
struct States {
    /// Whether it was told one, or needs not be.
    begun: bool,
    last: Option<State>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    pub(in crate::edge::acp) fn new(cx: ConnectionTo<ClientRole>, session: &one::SessionId) -> Self {
        Self {
            cx,
            session: two::SessionId::new(&*session.0),
            messages: Arc::default(),
            states: Arc::default(),
        }
    }

    pub(in crate::edge::acp) fn cx(&self) -> &ConnectionTo<ClientRole> {
        &self.cx
    }

    /// The message for an update; none where this version has nothing for it.
    pub(in crate::edge::acp) fn notification(
        &self,
        update: one::SessionUpdate,
        from: Option<&SessionPosition>,
        says_where: bool,
    ) -> Option<two::UpdateSessionNotification> {
        let update = lock(&self.messages).update(update, from)?;
        let notification = two::UpdateSessionNotification::new(self.session.clone(), update);
        Some(match from {
            Some(from) if says_where => notification.meta(streaming::told(from)),
            Some(_) | None => notification,
        })
    }

    /// Words of the person that the journal has nowhere, and the message they are.
    pub(in crate::edge::acp) fn echo(&self, words: &str) -> (two::MessageId, two::UpdateSessionNotification) {
        let id = updates::own_message();
        let text = two::ContentBlock::Text(two::TextContent::new(words));
        let message = two::UserMessage::new(id.clone()).content(vec![text]);
        let update = two::SessionUpdate::UserMessage(message);
        (
            id,
            two::UpdateSessionNotification::new(self.session.clone(), update),
        )
    }

    /// From now on the client is told each state; this one at once, unless what is
    /// told has come to its end meanwhile. None where it knows.
    pub(in crate::edge::acp) fn begin_states(
        &self,
        now: Option<State>,
    ) -> Option<two::UpdateSessionNotification> {
        let mut states = lock(&self.states);
        states.begun = true;
        let now = now?;
        let state = match states.last.take() {
            Some(last @ State::Idle(_)) => last,
            Some(State::Running | State::Asks) | None => now,
        };
        let notification = self.state_update(&state);
        states.last = Some(state);
        Some(notification)
    }

    /// The message for another state; none where the client knows it.
    pub(in crate::edge::acp) fn state(&self, state: State) -> Option<two::UpdateSessionNotification> {
        let mut states = lock(&self.states);
        let is_news = states.last.as_ref() != Some(&state);
        let notification = (states.begun && is_news).then(|| self.state_update(&state));
        states.last = Some(state);
        notification
    }

    fn state_update(&self, state: &State) -> two::UpdateSessionNotification {
        let update = two::SessionUpdate::StateUpdate(state_of(state));
        two::UpdateSessionNotification::new(self.session.clone(), update)
    }

    /// The id of the option that is chosen.
    pub(in crate::edge::acp) async fn ask(
        &self,
        call: one::ToolCallUpdate,
        choices: &[Choice],
    ) -> Option<String> {
        let title = call.fields.title.clone().unwrap_or_default();
        let options = choices.iter().map(|(id, name, kind)| {
            let kind = updates::permission_kind(*kind);
            two::PermissionOption::new(*id, *name, kind)
        });
        let subject = two::ToolCallPermissionSubject::new(updates::tool_call_update(call));
        let request = two::RequestPermissionRequest::new(self.session.clone(), title, options.collect())
            .subject(two::RequestPermissionSubject::ToolCall(Box::new(subject)));
        let response = match self.cx.send_request(request).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a permission request was not answered");
                return None;
            }
        };
        let two::RequestPermissionOutcome::Selected(selected) = response.outcome else {
            return None;
        };
        Some(selected.option_id.0.as_ref().to_owned())
    }

    /// What is filled into a form.
    pub(in crate::edge::acp) async fn words(&self, question: &str) -> Option<String> {
        let schema = two::ElicitationSchema::new().string(WORDS, true);
        let scope = two::ElicitationSessionScope::new(self.session.clone());
        let form = two::ElicitationFormMode::new(two::ElicitationScope::from(scope), schema);
        let request = two::CreateElicitationRequest::new(form, question);
        let response = match self.cx.send_request(request).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a form was not filled");
                return None;
            }
        };
        let two::ElicitationAction::Accept(accepted) = response.action else {
            return None;
        };
        let two::ElicitationContentValue::String(words) = accepted.content?.remove(WORDS)? else {
            return None;
        };
        Some(words)
    }
}

/// As the protocol has it.
pub(in crate::edge::acp) fn state_of(state: &State) -> two::StateUpdate {
    match state {
        State::Running => two::StateUpdate::Running(two::RunningStateUpdate::new()),
        State::Asks => two::StateUpdate::RequiresAction(two::RequiresActionStateUpdate::new()),
        State::Idle(stop) => {
            let reason = match stop {
                Stop::Before => None,
                Stop::Ended => Some(two::StopReason::EndTurn),
                Stop::Cancelled => Some(two::StopReason::Cancelled),
                Stop::Failed { code, message } => {
                    let data = serde_json::json!({ "code": code, "message": message });
                    let error = two::Error::new(INTERNAL_ERROR, message.as_str()).data(data);
                    Some(two::StopReason::Error(two::ErrorStopReason::new().error(error)))
                }
            };
            two::StateUpdate::Idle(two::IdleStateUpdate::new().stop_reason(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_state_says_why_it_ended() {
        let check = |state: State, expect: Value| {
            assert_eq!(
                serde_json::to_value(state_of(&state)).unwrap(),
                expect,
                "{state:?}"
            );
        };
        check(State::Running, json!({ "state": "running" }));
        check(State::Asks, json!({ "state": "requires_action" }));
        check(State::Idle(Stop::Before), json!({ "state": "idle" }));
        check(
            State::Idle(Stop::Ended),
            json!({ "state": "idle", "stopReason": "end_turn" }),
        );
        check(
            State::Idle(Stop::Cancelled),
            json!({ "state": "idle", "stopReason": "cancelled" }),
        );
        let failed = Stop::Failed {
            code: "E1301",
            message: "no code".to_owned(),
        };
        let error = json!({
            "code": -32603, "message": "no code", "data": { "code": "E1301", "message": "no code" },
        });
        check(
            State::Idle(failed),
            json!({ "state": "idle", "stopReason": "error", "error": error }),
        );
    }
}
