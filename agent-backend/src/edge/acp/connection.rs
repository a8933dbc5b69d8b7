//! One connection: what its client can do, and which sessions it follows. It
//! goes with the connection; sessions and workflows do not.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use agent_client_protocol::{Error as AcpError, v1::schema::SessionId as WireId};
use shared::id::SessionId;

use super::{
    client::{Abilities, Client, Peer},
    follower::{self, Follower},
    gone,
    hub::Hub,
    invalid,
    session::{ConnectionId, Mark, Session},
    transport::flow::Flow,
};

/// Sessions that one connection follows at once.
const FOLLOWED_MAX: usize = 200;

/// The sessions that are followed, each kept alive by that.
type Follows = HashMap<SessionId, (Arc<Session>, Arc<Follower>)>;

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// Where the backend is: it can run our program, and sees our files.
    Ours,
    /// Somewhere else, or nobody knows.
    Other,
}

/// One connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    hub: Hub,
    id: ConnectionId,
    machine: Machine,
    /// Capabilities belong to the connection, and the first answer stands.
    abilities: OnceLock<Abilities>,
    signed_out: AtomicBool,
    follows: Mutex<Follows>,
    flow: Arc<Flow>,
}

impl Connection {
    pub(super) fn new(hub: Hub, machine: Machine) -> Self {
        let id = hub.connection();
        Self(Arc::new(Inner {
            hub,
            id,
            machine,
            abilities: OnceLock::new(),
            signed_out: AtomicBool::new(false),
            follows: Mutex::default(),
            flow: Arc::default(),
        }))
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// Where its client is.
    pub(super) fn machine(&self) -> Machine {
        self.0.machine
    }

    /// What is on its way to the client.
    pub(super) fn flow(&self) -> &Arc<Flow> {
        &self.0.flow
    }

    /// Remembers what the client can do.
    pub(super) fn meet(&self, abilities: Abilities) {
        self.0.abilities.get_or_init(|| abilities);
    }

    /// What the client can do.
    pub(super) fn abilities(&self) -> Abilities {
        self.0.abilities.get().copied().unwrap_or_default()
    }

    /// Access was judged when the connection was made: signed in until it signs
    /// out.
    pub(super) fn sign_in(&self) {
        self.0.signed_out.store(false, Ordering::Relaxed);
    }

    /// What it follows, it follows no more.
    pub(super) fn sign_out(&self) {
        self.0.signed_out.store(true, Ordering::Relaxed);
        for (_, (_, follower)) in self.follows().drain() {
            follower.stop();
        }
    }

    /// Refuses who has signed out.
    pub(super) fn admit(&self) -> Result<(), AcpError> {
        match self.0.signed_out.load(Ordering::Relaxed) {
            true => Err(AcpError::auth_required()),
            false => Ok(()),
        }
    }

    fn follows(&self) -> MutexGuard<'_, Follows> {
        self.0.follows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The follower of a session, if there is one.
    pub(super) fn follower(&self, session: &Session) -> Option<Arc<Follower>> {
        let follows = self.follows();
        let (followed, follower) = follows.get(&session.id)?;
        (std::ptr::eq(&raw const **followed, session) && follower.place.has_changed().is_ok())
            .then(|| follower.clone())
    }

    /// Tells the client of a session what it was not told by `from`; one that told
    /// it before ends.
    pub(super) fn follow(
        &self,
        peer: &Peer,
        session: &Arc<Session>,
        from: impl Into<Mark>,
    ) -> Result<Arc<Follower>, AcpError> {
        let mut follows = self.follows();
        if follows.len() >= FOLLOWED_MAX && !follows.contains_key(&session.id) {
            return Err(invalid(&format!(
                "this connection has {FOLLOWED_MAX} sessions: close one"
            )));
        }
        let abilities = self.abilities();
        let id = WireId::new(session.id.as_str());
        let client = Client::new(peer.clone(), id, abilities, self.0.flow.clone());
        let runtime = self.hub().runtime().clone();
        let (follower, following) = follower::new(runtime, session.clone(), client, self.id(), from.into());
        let before = follows.insert(session.id.clone(), (session.clone(), follower.clone()));
        drop(follows);
        if let Some((_, before)) = before {
            before.stop();
        }
        gone(peer.spawn(following.run()));
        Ok(follower)
    }

    /// The follower of a session; where there is none, one that tells what happens
    /// from now on.
    pub(super) async fn attend(
        &self,
        peer: &Peer,
        session: &Arc<Session>,
    ) -> Result<Arc<Follower>, AcpError> {
        if let Some(follower) = self.follower(session) {
            return Ok(follower);
        }
        let end = session.end(self.hub().runtime()).await;
        let end = end.map_err(|error| super::acp_error(&error))?;
        let follower = self.follow(peer, session, end)?;
        follower.begin_states(None);
        follower.may_ask();
        Ok(follower)
    }

    /// Tells it no more of a session.
    pub(super) fn leave(&self, id: &SessionId) {
        if let Some((_, follower)) = self.follows().remove(id) {
            follower.stop();
        }
    }
}
