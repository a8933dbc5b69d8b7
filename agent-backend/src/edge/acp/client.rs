//! The other side of a connection, as one session sees it: what it is told,
//! and what it is asked.

use std::sync::Arc;

use agent_client_protocol::{
    Client as ClientRole,
    v1::{
        ConnectionTo,
        schema::{
            CreateElicitationRequest, ElicitationAction, ElicitationContentValue, ElicitationFormMode,
            ElicitationSchema, ElicitationScope, ElicitationSessionScope, InitializeRequest,
            PermissionOption, PermissionOptionKind, RequestPermissionOutcome, RequestPermissionRequest,
            SessionId, SessionNotification, SessionUpdate, ToolCallUpdate,
        },
    },
};
use shared::wire::{Envelope, SessionPosition};

use super::{
    settings::Switches,
    streaming::{self, Positions, StreamingUpdate, Wish},
    transport::flow::Flow,
};

const ACCEPT: &str = "accept";
const ALWAYS: &str = "accept_always";
const REJECT: &str = "reject";
const NEVER: &str = "reject_always";
const MODIFY: &str = "modify";

/// The field of a form that asks for words.
const WORDS: &str = "feedback";

/// What a client can do, as it said itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Abilities {
    /// What it wants of our extension.
    pub(super) wish: Wish,
    /// Whether it is told where updates come from.
    pub(super) positions: Positions,
    /// How it is told what is worth knowing.
    pub(super) notices: Notices,
    /// How it is asked for words.
    pub(super) forms: Forms,
    /// How it shows what is either on or off.
    pub(super) switches: Switches,
}

/// How a client is told what is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Notices {
    /// As thoughts.
    #[default]
    Thoughts,
    /// As notices.
    Notices,
}

/// How a client is asked for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Forms {
    /// By the end of the turn: the next prompt has them.
    #[default]
    None,
    /// By a form.
    Fills,
}

impl Abilities {
    /// What a client says of itself.
    pub(super) fn of(request: &InitializeRequest) -> Self {
        let capabilities = &request.client_capabilities;
        let session = capabilities.session.as_ref();
        let elicitation = capabilities.elicitation.as_ref();
        let options = session.and_then(|session| session.config_options.as_ref());
        Self {
            wish: streaming::wish(request),
            positions: streaming::positions(request),
            notices: match session.and_then(|session| session.notices.as_ref()) {
                Some(_) => Notices::Notices,
                None => Notices::Thoughts,
            },
            forms: match elicitation.and_then(|elicitation| elicitation.form.as_ref()) {
                Some(_) => Forms::Fills,
                None => Forms::None,
            },
            switches: match options.and_then(|options| options.boolean.as_ref()) {
                Some(_) => Switches::Boolean,
                None => Switches::Select,
            },
        }
    }
}

/// What can be answered to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// About a plan or a proposal: also for all that follow.
    Review,
    /// About a stage that failed: only this time.
    Help,
}

/// A client in one session. It may be gone: then nothing reaches it, and
/// whatever it was told about goes on.
#[derive(Clone)]
pub(super) struct Client {
    cx: ConnectionTo<ClientRole>,
    session: SessionId,
    abilities: Abilities,
    flow: Arc<Flow>,
}

/// What a person says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accept,
    /// And everything that follows in this session.
    Always,
    Reject,
    /// And everything that follows in this session.
    Never,
    Modify,
}

impl Client {
    pub(super) fn new(
        cx: ConnectionTo<ClientRole>,
        session: SessionId,
        abilities: Abilities,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            cx,
            session,
            abilities,
            flow,
        }
    }

    /// Waits until the client has taken most of what it was told.
    pub(super) async fn room(&self) {
        self.flow.room(&self.session.0).await;
    }

    pub(super) fn abilities(&self) -> Abilities {
        self.abilities
    }

    pub(super) fn tell(&self, update: SessionUpdate) {
        self.notify(SessionNotification::new(self.session.clone(), update));
    }

    /// The same, with where it comes from for a client that wants to know.
    pub(super) fn tell_from(&self, update: SessionUpdate, position: impl FnOnce() -> SessionPosition) {
        let notification = SessionNotification::new(self.session.clone(), update);
        self.notify(match self.abilities.positions {
            Positions::Told => notification.meta(streaming::told(&position())),
            Positions::Untold => notification,
        });
    }

    fn notify(&self, notification: SessionNotification) {
        self.flow.tell(&self.session.0);
        if let Err(error) = self.cx.send_notification(notification) {
            // The workflow goes on; the client finds it again when it is back.
            tracing::debug!(%error, "an update could not be sent");
        }
    }

    pub(super) fn stream(&self, event: Envelope) {
        self.flow.tell(&self.session.0);
        let session = self.session.clone();
        if let Err(error) = self.cx.send_notification(StreamingUpdate { session, event }) {
            tracing::debug!(%error, "a streaming update could not be sent");
        }
    }

    /// Asks for a decision; `None` when the client refuses to answer. Dropped
    /// before it is answered, the question is withdrawn.
    pub(super) async fn ask(&self, call: ToolCallUpdate, question: Question) -> Option<Answer> {
        let option = |id: &'static str, name: &str, kind| PermissionOption::new(id, name, kind);
        let options = match question {
            Question::Review => vec![
                option(ACCEPT, "Accept and commit", PermissionOptionKind::AllowOnce),
                option(
                    ALWAYS,
                    "Accept, and do not ask again in this session",
                    PermissionOptionKind::AllowAlways,
                ),
                option(REJECT, "Reject", PermissionOptionKind::RejectOnce),
                option(
                    NEVER,
                    "Reject, and do not ask again in this session",
                    PermissionOptionKind::RejectAlways,
                ),
                option(MODIFY, "Request changes", PermissionOptionKind::RejectOnce),
            ],
            Question::Help => vec![
                option(ACCEPT, "Try again", PermissionOptionKind::AllowOnce),
                option(REJECT, "Stop", PermissionOptionKind::RejectOnce),
                option(MODIFY, "Say what to change", PermissionOptionKind::RejectOnce),
            ],
        };
        let request = RequestPermissionRequest::new(self.session.clone(), call, options);
        let response = match self.cx.send_request(request).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a permission request was not answered");
                return None;
            }
        };
        let RequestPermissionOutcome::Selected(selected) = response.outcome else {
            return None;
        };
        match &*selected.option_id.0 {
            ACCEPT => Some(Answer::Accept),
            ALWAYS => Some(Answer::Always),
            NEVER => Some(Answer::Never),
            REJECT => Some(Answer::Reject),
            MODIFY => Some(Answer::Modify),
            _ => None,
        }
    }

    /// Asks for words by a form; `None` where the client fills none, or nothing
    /// in.
    pub(super) async fn words(&self, question: &str) -> Option<String> {
        if self.abilities.forms == Forms::None {
            return None;
        }
        let schema = ElicitationSchema::new().string(WORDS, true);
        let scope = ElicitationSessionScope::new(self.session.clone());
        let form = ElicitationFormMode::new(ElicitationScope::from(scope), schema);
        let request = CreateElicitationRequest::new(form, question);
        let response = match self.cx.send_request(request).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a form was not filled");
                return None;
            }
        };
        let ElicitationAction::Accept(accepted) = response.action else {
            return None;
        };
        let ElicitationContentValue::String(words) = accepted.content?.remove(WORDS)? else {
            return None;
        };
        (!words.trim().is_empty()).then_some(words)
    }
}
