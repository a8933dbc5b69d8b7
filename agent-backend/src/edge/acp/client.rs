//! The other side of a connection, as one session sees it: what it is told,
//! and what it is asked.

use agent_client_protocol::{
    Client as ClientRole,
    v1::{
        ConnectionTo,
        schema::{
            PermissionOption, PermissionOptionKind, RequestPermissionOutcome, RequestPermissionRequest,
            SessionId, SessionNotification, SessionUpdate, ToolCallUpdate,
        },
    },
};
use shared::wire::Envelope;

use super::streaming::{StreamingUpdate, Wish};

const ACCEPT: &str = "accept";
const REJECT: &str = "reject";
const MODIFY: &str = "modify";

/// A client in one session. It may be gone: then nothing reaches it, and
/// whatever it was told about goes on.
#[derive(Clone)]
pub(super) struct Client {
    cx: ConnectionTo<ClientRole>,
    session: SessionId,
    wish: Wish,
}

/// What a person says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accept,
    Reject,
    Modify,
}

impl Client {
    pub(super) fn new(cx: ConnectionTo<ClientRole>, session: SessionId, wish: Wish) -> Self {
        Self { cx, session, wish }
    }

    /// What it wants of our extension.
    pub(super) fn wish(&self) -> Wish {
        self.wish
    }

    pub(super) fn tell(&self, update: SessionUpdate) {
        let notification = SessionNotification::new(self.session.clone(), update);
        if let Err(error) = self.cx.send_notification(notification) {
            // The workflow goes on; the client finds it again when it is back.
            tracing::debug!(%error, "an update could not be sent");
        }
    }

    pub(super) fn stream(&self, event: Envelope) {
        let session = self.session.clone();
        if let Err(error) = self.cx.send_notification(StreamingUpdate { session, event }) {
            tracing::debug!(%error, "a streaming update could not be sent");
        }
    }

    /// Asks for a decision; `None` when the client refuses to answer. Dropped
    /// before it is answered, the question is withdrawn.
    pub(super) async fn ask(&self, call: ToolCallUpdate) -> Option<Answer> {
        let option = |id: &'static str, name: &str, kind| PermissionOption::new(id, name, kind);
        let options = vec![
            option(ACCEPT, "Accept and commit", PermissionOptionKind::AllowOnce),
            option(REJECT, "Reject", PermissionOptionKind::RejectOnce),
            option(MODIFY, "Request changes", PermissionOptionKind::RejectOnce),
        ];
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
            REJECT => Some(Answer::Reject),
            MODIFY => Some(Answer::Modify),
            _ => None,
        }
    }
}
