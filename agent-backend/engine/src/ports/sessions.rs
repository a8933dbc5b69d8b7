//! Threads of work that outlive the connections they are spoken over.

use shared::id::{CorrelationId, SessionId};

use super::{BoxFuture, Error};

/// Where threads of work are kept: what was asked in them, in order, and under
/// which correlation id the workflow of each request is found. Every method that
/// changes something returns only after the change would survive the loss of
/// power. Methods that need a thread that is not there answer `E1021`.
pub trait Sessions: Send + Sync {
    /// Begins a thread. One that is there already is left as it is.
    fn begin_session(&self, new: Session) -> BoxFuture<'_, Result<(), Error>>;

    /// A thread, if it is there.
    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Session>, Error>>;

    /// Threads, the newest first.
    fn list_sessions(&self, query: SessionQuery) -> BoxFuture<'_, Result<Vec<Session>, Error>>;

    /// What was asked in a thread, in order.
    fn entries(&self, id: SessionId) -> BoxFuture<'_, Result<Vec<Entry>, Error>>;

    /// Changes a thread. An entry whose key is there already is left as it is.
    fn change_session(
        &self,
        id: SessionId,
        at_ms: u64,
        change: SessionChange,
    ) -> BoxFuture<'_, Result<(), Error>>;

    /// Removes a thread, if it is there. Its workflows stay.
    fn delete_session(&self, id: SessionId) -> BoxFuture<'_, Result<(), Error>>;
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Absolute path of the folder that it is about.
    pub workspace: String,
    /// What it is called, once it has a name.
    pub title: Option<String>,
    /// What was chosen in it, in words of whoever speaks the thread's protocol.
    pub settings: String,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// The same, of the last change.
    pub updated_at_ms: u64,
}

/// Something that was asked in a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The correlation id of its workflow, and unique among all entries. It is
    /// written before the workflow begins: one that has none was never begun.
    pub key: CorrelationId,
    /// What was asked.
    pub prompt: String,
    /// What was answered, where no workflow was needed.
    pub answer: Option<String>,
}

/// Before the id of the thread in the key of an entry that was copied. No key has it
/// otherwise.
const COPY: &str = "::";

impl Entry {
    /// The correlation id of its workflow. An entry that was copied has that of the
    /// original.
    pub fn request(&self) -> CorrelationId {
        let key = self.key.as_str();
        CorrelationId::new(key.split_once(COPY).map_or(key, |(original, _)| original))
    }

    /// The same in another thread.
    pub fn copied_to(&self, thread: &SessionId) -> Self {
        Self {
            key: CorrelationId::new(format!("{}{COPY}{thread}", self.request())),
            ..self.clone()
        }
    }
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// Something more was asked.
    Entered(Entry),
    /// It has a name.
    Titled(String),
    /// Something else was chosen.
    Set(String),
}

/// Which threads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionQuery {
    /// Only those about this folder.
    pub workspace: Option<String>,
    /// Only those begun before this one; none for the newest.
    pub before: Option<SessionId>,
    /// Only those that were last changed earlier, in milliseconds since the Unix
    /// epoch.
    pub unchanged_since_ms: Option<u64>,
    /// At most so many.
    pub limit: usize,
}
