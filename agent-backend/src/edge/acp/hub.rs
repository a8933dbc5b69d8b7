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
use engine::ports::{
    journal::Status,
    sessions::{Entry, Session as Stored, SessionChange},
};
use shared::{error::Code, id::SessionId};

use super::{
    acp_error, invalid, listing,
    session::{ConnectionId, Session},
    settings::{Settings, Shelf},
};
use crate::{clock, config::ClientServers, error::Error, runtime::Runtime};

/// All sessions of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    runtime: Runtime,
    client_servers: ClientServers,
    live: Mutex<HashMap<SessionId, Weak<Session>>>,
    connections: AtomicU64,
}

impl Hub {
    /// A hub over `runtime`, whose clients may bring these servers of tools.
    pub fn new(runtime: Runtime, client_servers: ClientServers) -> Self {
        Self(Arc::new(Inner {
            runtime,
            client_servers,
            live: Mutex::default(),
            connections: AtomicU64::default(),
        }))
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// Which servers of tools a client may bring.
    pub(super) fn client_servers(&self) -> ClientServers {
        self.0.client_servers
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
        let settings = Settings {
            folders,
            ..Settings::default()
        };
        let stored = new(workspace, None, &settings);
        let begun = self.write(stored, Vec::new()).await;
        begun.map_err(|error| acp_error(&error))
    }

    /// Begins a session that has what was asked in another one so far and is over,
    /// and what was chosen there, but these further folders.
    pub(super) async fn fork(&self, of: &Session, folders: Vec<String>) -> Result<Arc<Session>, AcpError> {
        let settings = Settings {
            folders,
            shelf: Shelf::Desk,
            ..of.settings().borrow().clone()
        };
        let workspace = of.cwd.to_string_lossy().into_owned();
        let stored = new(workspace, of.title(), &settings);
        let forked = async {
            let mut entries = Vec::new();
            for entry in self.runtime().services().journal.entries(of.id.clone()).await? {
                if self.is_over(&entry).await? {
                    entries.push(entry.copied_to(&stored.id));
                }
            }
            self.write(stored, entries).await
        };
        forked.await.map_err(|error| acp_error(&error))
    }

    /// Whether nothing goes on of what was asked.
    async fn is_over(&self, entry: &Entry) -> Result<bool, Error> {
        let journal = &self.runtime().services().journal;
        let Some((workflow, _)) = journal.find(entry.request()).await? else {
            return Ok(true);
        };
        let head = journal.head(workflow).await?;
        Ok(head.is_none_or(|head| !matches!(head.status, Status::Running | Status::AwaitingDecision)))
    }

    async fn write(&self, stored: Stored, entries: Vec<Entry>) -> Result<Arc<Session>, Error> {
        let journal = &self.runtime().services().journal;
        journal.begin_session(stored.clone()).await?;
        for entry in entries {
            let change = SessionChange::Entered(entry);
            journal
                .change_session(stored.id.clone(), stored.created_at_ms, change)
                .await?;
        }
        Ok(self.keep(Session::read(self.runtime(), stored).await?))
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
        self.put_out(&id).await;
        Ok(())
    }

    /// Stops what goes on in a session, and tells nobody of it any more.
    pub(super) async fn put_out(&self, id: &SessionId) {
        if let Some(session) = self.find(id) {
            session.cancel(self.runtime()).await;
            session.delete();
            self.live().remove(id);
        }
    }
}

fn new(workspace: String, title: Option<String>, settings: &Settings) -> Stored {
    let now_ms = clock::now_ms();
    Stored {
        id: SessionId::new(uuid::Uuid::now_v7().to_string()),
        workspace,
        title,
        settings: settings.text(),
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
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
