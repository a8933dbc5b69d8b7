//! Which stream a message goes to: that of the session it is about, or that of
//! the connection.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent_client_protocol::{RawJsonRpcId, RawJsonRpcMessage, RawJsonRpcResponse};
use axum::http::StatusCode;
use serde_json::Value;

use super::{
    super::{
        Said,
        flow::session,
        mailbox::{Lease, Letter, Mailbox},
    },
    Connected, Refusal,
};

/// Streams that may be open for sessions of which nothing was said yet, as for
/// one that is about to be loaded.
const UNKNOWN_MAX: usize = 16;

/// The streams of one connection.
#[derive(Default)]
pub(super) struct Streams {
    connection: Arc<Mailbox>,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    streams: HashMap<String, OfSession>,
    /// Where the answers go. An id may be used twice, wrongly.
    routes: HashMap<RawJsonRpcId, VecDeque<Route>>,
}

struct OfSession {
    mailbox: Arc<Mailbox>,
    /// Whether the agent has named it.
    is_known: bool,
}

/// Where the answer to a request goes, and what it does.
pub(super) struct Route {
    session: Option<String>,
    effect: Effect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    /// The result names a new session.
    Begins,
    /// The session is over.
    Ends,
}

impl Route {
    pub(super) fn of(method: &str, session: Option<String>) -> Self {
        let effect = match method {
            "session/new" | "session/fork" => Effect::Begins,
            "session/close" | "session/delete" => Effect::Ends,
            _ => Effect::None,
        };
        Self { session, effect }
    }
}

impl Streams {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer to this request will come.
    pub(super) fn expect(&self, id: RawJsonRpcId, route: Route) {
        if id != RawJsonRpcId::Null {
            self.sessions().routes.entry(id).or_default().push_back(route);
        }
    }

    pub(super) fn deliver(&self, said: Said) {
        let mut sessions = self.sessions();
        let mailbox = match &said.message {
            RawJsonRpcMessage::Request(request) => {
                session(request.params.as_ref()).map(|session| sessions.know(session))
            }
            RawJsonRpcMessage::Notification(notification) => {
                let is_own = notification.method.starts_with("$/");
                let about = session(notification.params.as_ref()).filter(|_| !is_own);
                about.map(|session| sessions.know(session))
            }
            RawJsonRpcMessage::Response(response) => sessions.answered(response),
        };
        drop(sessions);
        mailbox.as_ref().unwrap_or(&self.connection).put(said.into());
    }

    /// Whether anybody listens to any of them.
    pub(super) fn are_heard(&self) -> bool {
        let sessions = self.sessions();
        let mut streams = sessions.streams.values();
        self.connection.is_leased() || streams.any(|stream| stream.mailbox.is_leased())
    }

    pub(super) fn of_connection(connected: &Arc<Connected>) -> Result<Held, Refusal> {
        let lease = connected.streams.connection.lease().ok_or(BUSY)?;
        Ok(Held::new(connected, lease, None))
    }

    pub(super) fn of_session(connected: &Arc<Connected>, session: &str) -> Result<Held, Refusal> {
        let mut sessions = connected.streams.sessions();
        let unknown = sessions
            .streams
            .values()
            .filter(|stream| !stream.is_known)
            .count();
        let mailbox = match sessions.streams.get(session) {
            Some(stream) => stream.mailbox.clone(),
            None if unknown >= UNKNOWN_MAX => {
                return Err((
                    StatusCode::NOT_FOUND,
                    "there is no such session on this connection",
                ));
            }
            None => sessions.stream(session).mailbox.clone(),
        };
        drop(sessions);
        let lease = mailbox.lease().ok_or(BUSY)?;
        Ok(Held::new(connected, lease, Some((session.to_owned(), mailbox))))
    }

    /// A stream was closed: what is there for its sake alone goes.
    fn closed(&self, session: &str, mailbox: &Arc<Mailbox>) {
        let mut sessions = self.sessions();
        let unknown = sessions
            .streams
            .get(session)
            .is_some_and(|stream| !stream.is_known && Arc::ptr_eq(&stream.mailbox, mailbox));
        if unknown {
            sessions.streams.remove(session);
        }
    }
}

const BUSY: Refusal = (StatusCode::CONFLICT, "somebody has this stream already");

impl Sessions {
    fn stream(&mut self, session: &str) -> &mut OfSession {
        let new = || OfSession {
            mailbox: Arc::default(),
            is_known: false,
        };
        self.streams.entry(session.to_owned()).or_insert_with(new)
    }

    /// The agent names a session.
    fn know(&mut self, session: &str) -> Arc<Mailbox> {
        let stream = self.stream(session);
        stream.is_known = true;
        stream.mailbox.clone()
    }

    fn answered(&mut self, response: &RawJsonRpcResponse) -> Option<Arc<Mailbox>> {
        let routes = self.routes.get_mut(response.id())?;
        let route = routes.pop_front();
        if routes.is_empty() {
            self.routes.remove(response.id());
        }
        let Route { session, effect } = route?;
        let result = match response {
            RawJsonRpcResponse::Result { result, .. } => Some(result),
            RawJsonRpcResponse::Error { .. } => None,
        };
        // Whoever reads the answer may open the stream at once.
        if effect == Effect::Begins
            && let Some(begun) = result
                .and_then(|result| result.get("sessionId"))
                .and_then(Value::as_str)
        {
            self.know(begun);
        }
        let session = session?;
        match (result, effect) {
            (Some(_), Effect::Ends) => {
                // One that nobody listens to goes with what is in it.
                let stream = self.streams.remove(&session);
                stream
                    .map(|stream| stream.mailbox)
                    .filter(|mailbox| mailbox.is_leased())
            }
            (Some(_), Effect::None | Effect::Begins) => {
                let known = self.streams.contains_key(&session);
                known.then(|| self.know(&session))
            }
            (None, _) => self.streams.get(&session).map(|stream| stream.mailbox.clone()),
        }
    }
}

/// A stream while a client listens to it.
pub(super) struct Held {
    connected: Arc<Connected>,
    lease: Option<Lease>,
    session: Option<(String, Arc<Mailbox>)>,
}

impl Held {
    fn new(connected: &Arc<Connected>, lease: Lease, session: Option<(String, Arc<Mailbox>)>) -> Self {
        Self {
            connected: connected.clone(),
            lease: Some(lease),
            session,
        }
    }

    pub(super) async fn next(&self) -> Letter {
        match &self.lease {
            Some(lease) => lease.next().await,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn ended(&self) {
        self.connected.ended.cancelled().await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.lease.take());
        if let Some((session, mailbox)) = &self.session {
            self.connected.streams.closed(session, mailbox);
        }
    }
}
