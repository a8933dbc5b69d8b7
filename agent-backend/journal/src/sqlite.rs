//! The journal on SQLite: one thread writes and commits in groups, one copies
//! its log, a few threads read. It owns the data directory's `journal.db`,
//! `journal.head` and `journal.lock`.
//!
//! It must never know what is in a record: rows are made and read by `record`.

mod copier;
mod fault;
mod group;
mod open;
mod pack;
mod probe;
mod query;
mod readers;
mod schema;
mod session;
mod thread;
mod witness;
mod writer;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use engine::{
    blob::BlobId,
    event::Recorded,
    ports::{
        self, BoxFuture,
        journal::{Append, Claimed, Created, Head, ListQuery, NewWorkflow, Release},
        sessions::{Entry, Session, SessionChange, SessionQuery},
    },
};
use shared::{
    id::{CorrelationId, Seq, SessionId, WorkflowId},
    lock::DirectoryLock,
};

use self::{readers::Readers, thread::Joined};
use crate::{Error, queue::Queue};

/// How to open a journal.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory, made if it is missing. One process uses it.
    pub dir: PathBuf,
    /// Largest size of the database in bytes; none for what SQLite allows.
    pub bytes_max: Option<u64>,
}

impl Options {
    /// A journal in `dir`, as large as it gets.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            bytes_max: None,
        }
    }

    /// Opens the journal, or makes it. Blocks: it recovers and syncs what a
    /// killed process left behind.
    ///
    /// # Errors
    /// `E1105` when another process has it, `E1104` when a newer version wrote
    /// it, `E1103` when it is damaged, `E1101` and `E1102` when it cannot be
    /// opened. Nothing is changed by `E1104` and `E1105`.
    pub fn open(self) -> Result<Journal, Error> {
        open::open(self)
    }
}

/// What a journal has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Creates and appends that were answered, refused ones included.
    pub jobs: u64,
    /// Commits.
    pub commits: u64,
    /// Those of them that were synced.
    pub commits_synced: u64,
}

#[derive(Debug, Default)]
struct Counters {
    jobs: AtomicU64,
    commits: AtomicU64,
    commits_synced: AtomicU64,
}

/// An open journal. Shared by reference or `Arc`; dropping it waits for what
/// is queued, empties the write-ahead log and frees the directory.
//
// The fields are dropped in this order: the queues close, the threads end, and
// only then the directory is freed.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    queue: Queue,
    counters: Arc<Counters>,
    readers: Readers,
    _writer: Joined,
    _lock: DirectoryLock,
}

impl Journal {
    /// What it has done since it was opened.
    pub fn stats(&self) -> Stats {
        Stats {
            jobs: self.counters.jobs.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
            commits_synced: self.counters.commits_synced.load(Ordering::Relaxed),
        }
    }
}

impl ports::Journal for Journal {
    fn create(&self, new: NewWorkflow) -> BoxFuture<'_, Result<Created, ports::Error>> {
        Box::pin(async move { Ok(self.queue.begin(new).await?) })
    }

    fn find(
        &self,
        correlation: CorrelationId,
    ) -> BoxFuture<'_, Result<Option<(WorkflowId, BlobId)>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::find(connection, &correlation))
                .await?)
        })
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.append(append).await?) })
    }

    fn read(
        &self,
        workflow: WorkflowId,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Recorded>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::read(connection, &workflow, after, limit))
                .await?)
        })
    }

    fn base(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Seq, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::base(connection, &workflow))
                .await?)
        })
    }

    fn head(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Option<Head>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::head(connection, &workflow))
                .await?)
        })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<Head>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::list(connection, &query))
                .await?)
        })
    }

    fn blob(&self, id: BlobId) -> BoxFuture<'_, Result<Option<Vec<u8>>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::blob(connection, id))
                .await?)
        })
    }

    fn claim(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, ports::Error>> {
        Box::pin(async move { Ok(self.queue.claim(limit).await?) })
    }

    fn settle(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.settle(workflow).await?) })
    }

    fn release(&self, workflow: WorkflowId, release: Release) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.release(workflow, release).await?) })
    }

    /// The lock goes when this is dropped; the next opening has everything.
    fn leave(&self) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn delete(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.delete(workflow).await?) })
    }

    fn finished(&self, before_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<WorkflowId>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| query::finished(connection, before_ms, limit))
                .await?)
        })
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, ports::Error>> {
        Box::pin(async move { Ok(self.readers.ask(query::bytes).await?) })
    }

    fn room(&self) -> BoxFuture<'_, Result<(), ports::Error>> {
        let path = self.dir.join("journal.probe");
        Box::pin(async move {
            let probed = tokio::task::spawn_blocking(move || probe::write(&path)).await;
            Ok(probed.map_err(|_| Error::Stopped)??)
        })
    }

    fn changed(&self) -> Option<BoxFuture<'_, ()>> {
        None
    }

    /// Who has the directory is asked at each commit, and nowhere else.
    fn fenced(&self) -> BoxFuture<'_, ports::Error> {
        Box::pin(std::future::pending())
    }
}

impl ports::Sessions for Journal {
    fn begin_session(&self, new: Session) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.begin_session(new).await?) })
    }

    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Session>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| session::read(connection, &id))
                .await?)
        })
    }

    fn list_sessions(&self, query: SessionQuery) -> BoxFuture<'_, Result<Vec<Session>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| session::list(connection, &query))
                .await?)
        })
    }

    fn entries(&self, id: SessionId) -> BoxFuture<'_, Result<Vec<Entry>, ports::Error>> {
        Box::pin(async move {
            Ok(self
                .readers
                .ask(move |connection| session::entries(connection, &id))
                .await?)
        })
    }

    fn change_session(
        &self,
        id: SessionId,
        at_ms: u64,
        change: SessionChange,
    ) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.change_session(id, at_ms, change).await?) })
    }

    fn delete_session(&self, id: SessionId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.delete_session(id).await?) })
    }
}
