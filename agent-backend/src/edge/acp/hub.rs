//! The sessions that somebody uses in this process. One that nobody uses is in
//! the journal alone.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use agent_client_protocol::{Error as AcpError, ErrorCode, v1::schema::SessionId as WireId};
use engine::ports::sessions::Session as Stored;
use shared::{error::Code, id::SessionId};

use super::{
    acp_error, invalid, listing,
    session::{ConnectionId, Session},
    settings::Settings,
};
use crate::{clock, error::Error, runtime::Runtime};

/// All sessions of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    runtime: Runtime,
    live: Mutex<HashMap<SessionId, Weak<Session>>>,
    connections: AtomicU64,
}

impl Hub {
    /// A hub over `runtime`.
    pub fn new(runtime: Runtime) -> Self {
        Self(Arc::new(Inner {
            runtime,
            live: Mutex::default(),
            connections: AtomicU64::default(),
        }))
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// A number for another connection.
    pub(super) fn connection(&self) -> ConnectionId {
        ConnectionId(self.0.connections.fetch_add(1, Ordering::Relaxed))
    }

    fn live(&self) -> MutexGuard<'_, HashMap<SessionId, Weak<Session>>> {
        // Changed by single inserts and removes: whole even after a panic.
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session about a folder, with further ones that are only read.
    pub(super) async fn begin(&self, cwd: &Path, folders: Vec<String>) -> Result<Arc<Session>, AcpError> {
        let workspace = listing::folder(cwd)?;
        if !cwd.is_dir() {
            return Err(invalid(&format!("cwd `{workspace}` is not a directory")));
        }
        let now_ms = clock::now_ms();
        let settings = Settings {
            folders,
            ..Settings::default()
        };
        let stored = Stored {
            id: SessionId::new(uuid::Uuid::now_v7().to_string()),
            workspace,
            title: None,
            settings: settings.text(),
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        };
        let begun = async {
            let journal = &self.runtime().services().journal;
            journal.begin_session(stored.clone()).await?;
            Session::read(self.runtime(), stored).await
        };
        let session = begun.await.map_err(|error: Error| acp_error(&error))?;
        Ok(self.keep(session))
    }

    /// A session that somebody uses, or the journal has.
    pub(super) async fn open(&self, id: &WireId) -> Result<Arc<Session>, AcpError> {
        let id = SessionId::parse(&id.0).map_err(|_| unknown(&id.0))?;
        if let Some(live) = self.find(&id) {
            return Ok(live);
        }
        let opened = async {
            match self.runtime().services().journal.session(id.clone()).await? {
                Some(stored) => Ok(Some(Session::read(self.runtime(), stored).await?)),
                None => Ok(None),
            }
        };
        let opened = opened.await.map_err(|error: Error| acp_error(&error))?;
        opened
            .map(|session| self.keep(session))
            .ok_or_else(|| unknown(id.as_str()))
    }

    /// A session, if somebody uses it.
    pub(super) fn find(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.live().get(id).and_then(Weak::upgrade)
    }

    /// Whoever was first stands: there is one of each.
    fn keep(&self, session: Arc<Session>) -> Arc<Session> {
        let mut live = self.live();
        if let Some(other) = live.get(&session.id).and_then(Weak::upgrade) {
            return other;
        }
        live.retain(|_, session| session.strong_count() > 0);
        live.insert(session.id.clone(), Arc::downgrade(&session));
        session
    }

    /// Removes a session, and stops what goes on in it. One that is not there is
    /// as good as removed.
    pub(super) async fn delete(&self, id: &WireId) -> Result<(), AcpError> {
        let Ok(id) = SessionId::parse(&id.0) else {
            return Ok(());
        };
        let journal = &self.runtime().services().journal;
        journal
            .delete_session(id.clone())
            .await
            .map_err(|error| acp_error(&error.into()))?;
        if let Some(session) = self.find(&id) {
            session.cancel(self.runtime()).await;
            session.delete();
            self.live().remove(&id);
        }
        Ok(())
    }
}

fn unknown(id: &str) -> AcpError {
    let shown: String = id.chars().take(80).collect();
    let error = AcpError::new(
        ErrorCode::RESOURCE_NOT_FOUND,
        format!("there is no session `{shown}`"),
    );
    error.data(serde_json::json!({ "code": Code::UnknownSession.as_str() }))
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("sessions", &self.live().len())
            .finish()
    }
}
