//! What a client was told and has not taken yet. Whoever tells it waits until
//! there is room, and reads what comes then from the journal: so a client that
//! does not read costs the memory of a few messages, and slows nobody else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent_client_protocol::{RawJsonRpcMessage, RawJsonRpcParams};
use tokio::sync::Notify;

/// Messages of one session that may be on their way to a client.
const UNDERWAY_MAX: usize = 64;

/// Requests of one client that may be unanswered.
const OPEN_MAX: usize = 1_024;

/// The messages of one connection that are on their way to the client.
#[derive(Debug, Default)]
pub(in crate::edge::acp) struct Flow {
    counts: Mutex<Counts>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    /// By session.
    told: HashMap<String, usize>,
    /// Requests of the client.
    open: usize,
}

impl Flow {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client is told something about a session.
    pub(in crate::edge::acp) fn tell(&self, session: &str) {
        let mut counts = self.counts();
        match counts.told.get_mut(session) {
            Some(told) => *told += 1,
            None => {
                counts.told.insert(session.to_owned(), 1);
            }
        }
    }

    /// Waits until there is room for more about a session.
    pub(in crate::edge::acp) async fn room(&self, session: &str) {
        loop {
            let left = self.left.notified();
            let mut left = std::pin::pin!(left);
            left.as_mut().enable();
            if self
                .counts()
                .told
                .get(session)
                .is_none_or(|told| *told < UNDERWAY_MAX)
            {
                return;
            }
            left.await;
        }
    }

    /// The client asks something; whether it may.
    pub(super) fn ask(&self) -> bool {
        let mut counts = self.counts();
        let may = counts.open < OPEN_MAX;
        counts.open += usize::from(may);
        may
    }

    /// Waits until every request of the client was answered.
    pub(super) async fn answered(&self) {
        loop {
            let left = self.left.notified();
            let mut left = std::pin::pin!(left);
            left.as_mut().enable();
            if self.counts().open == 0 {
                return;
            }
            left.await;
        }
    }

    /// A message to the client, and what it counts as until the receipt is
    /// dropped.
    pub(super) fn receipt(self: &Arc<Self>, message: &RawJsonRpcMessage) -> Receipt {
        let of = match message {
            RawJsonRpcMessage::Notification(notification) => session(notification.params.as_ref())
                .map_or(Of::Nothing, |session| Of::Session(session.to_owned())),
            RawJsonRpcMessage::Response(_) => Of::Answers,
            RawJsonRpcMessage::Request(_) => Of::Nothing,
        };
        Receipt {
            flow: self.clone(),
            of,
        }
    }
}

/// The session that a message is about.
pub(super) fn session(params: Option<&RawJsonRpcParams>) -> Option<&str> {
    match params? {
        RawJsonRpcParams::Object(params) => params.get("sessionId")?.as_str(),
        RawJsonRpcParams::Array(_) => None,
    }
}

/// Dropped when a message has left.
#[derive(Debug)]
pub(in crate::edge::acp) struct Receipt {
    flow: Arc<Flow>,
    of: Of,
}

#[derive(Debug)]
enum Of {
    Session(String),
    Answers,
    Nothing,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let mut counts = self.flow.counts();
        match &self.of {
            Of::Session(session) => {
                let Some(told) = counts.told.get_mut(session) else {
                    return;
                };
                *told = told.saturating_sub(1);
                let told = *told;
                if told == 0 {
                    counts.told.remove(session);
                }
                drop(counts);
                // Not for each one: who waits has half of the room then.
                if told <= UNDERWAY_MAX / 2 {
                    self.flow.left.notify_waiters();
                }
            }
            Of::Answers => {
                counts.open = counts.open.saturating_sub(1);
                if counts.open == 0 {
                    self.flow.left.notify_waiters();
                }
            }
            Of::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn message(value: serde_json::Value) -> RawJsonRpcMessage {
        serde_json::from_value(value).unwrap()
    }

    #[tokio::test]
    async fn there_is_room_again_when_messages_have_left() {
        let flow = Arc::<Flow>::default();
        let update =
            message(json!({ "jsonrpc": "2.0", "method": "session/update", "params": { "sessionId": "a" } }));
        let receipts: Vec<Receipt> = (0..UNDERWAY_MAX)
            .map(|_| {
                flow.tell("a");
                flow.receipt(&update)
            })
            .collect();
        assert_eq!(flow.room("a").now_or_never(), None);
        assert_eq!(flow.room("b").now_or_never(), Some(()), "of another session");
        let waiting = tokio::spawn({
            let flow = flow.clone();
            async move { flow.room("a").await }
        });
        tokio::task::yield_now().await;
        drop(receipts);
        waiting.await.unwrap();
        assert!(flow.counts().told.is_empty());
    }

    #[test]
    fn requests_are_counted_until_their_answers_have_left() {
        let flow = Arc::<Flow>::default();
        assert!((0..OPEN_MAX).all(|_| flow.ask()));
        assert!(!flow.ask());
        drop(flow.receipt(&message(json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))));
        assert!(flow.ask());
        assert!(!flow.ask());
    }
}
