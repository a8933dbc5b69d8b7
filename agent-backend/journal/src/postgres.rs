//! The journal on Postgres, for several backends that share one run queue. It
//! owns the schema `agentic_ide` in its database, and the lease by which the
//! others know that this backend lives.
//!
//! Writing is a task with one connection, which commits in groups like the one
//! of SQLite; reading has connections of its own. Time is the server's: nothing
//! here asks the clock of this machine what day it is.
//!
//! It must never know what is in a record.

mod apply;
mod bell;
mod connect;
mod fault;
mod lease;
mod query;
mod schema;
mod session;
mod writer;

use std::{sync::Arc, time::Duration};

use engine::{
    blob::BlobId,
    event::Recorded,
    ports::{
        self, BoxFuture,
        journal::{Append, Claimed, Created, Epoch, Head, ListQuery, NewWorkflow, Release},
        sessions::{Entry, Session, SessionChange, SessionQuery},
    },
};
use shared::id::{CorrelationId, Seq, SessionId, WorkflowId};
use tokio::task::JoinHandle;

use self::{bell::Bell, connect::Link, lease::Lease};
use crate::{Error, limits::POSTGRES_READERS, queue::Queue};

/// How to open a journal.
#[derive(Debug, Clone)]
pub struct Options {
    /// `postgres://…`, as `psql` takes it.
    pub url: String,
    /// How long a backend that is not heard of is believed to live.
    pub lease: Duration,
    /// How this backend is called in the list of holders.
    pub name: String,
}

impl Options {
    /// A journal in the database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            lease: Duration::from_secs(15),
            name: format!("process {}", std::process::id()),
        }
    }

    /// Opens the journal, or makes its schema.
    ///
    /// # Errors
    /// `E1104` when a newer version wrote it, `E1101` when it cannot be
    /// reached or used.
    pub async fn open(self) -> Result<Journal, Error> {
        let bell = Arc::new(Bell::default());
        let target = connect::Target::parse(&self.url, &bell)?;
        let writer = Link::new(&target);
        schema::prepare(&writer).await?;
        let (lease, epoch) = Lease::take(&target, &self.name, self.lease).await?;
        let (queue, jobs) = Queue::new();
        let mut readers = Vec::with_capacity(POSTGRES_READERS);
        readers.resize_with(POSTGRES_READERS, || Link::new(&target));
        let ringing = Arc::clone(&bell);
        let (caller, speaker) = (Arc::clone(&bell), Link::new(&target));
        let writer = writer::Writer::new(writer, epoch, self.lease, ringing);
        Ok(Journal {
            queue,
            readers,
            epoch,
            lease,
            bell,
            _tasks: [
                Task(tokio::spawn(writer.run(jobs))),
                Task(tokio::spawn(async move { caller.call(&speaker).await })),
            ],
        })
    }
}

/// An open journal. Shared by reference or `Arc`.
#[derive(Debug)]
pub struct Journal {
    queue: Queue,
    readers: Vec<Link>,
    epoch: Epoch,
    lease: Lease,
    bell: Arc<Bell>,
    _tasks: [Task; 2],
}

/// A task that ends with its owner.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Journal {
    /// The number of this opening.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Stops renewing the lease and says nothing to anybody, as a process that
    /// was stopped: for tests.
    pub fn stall(&self) {
        self.lease.stall();
    }

    /// A connection to read from: always the same for one workflow, so that
    /// its reads are answered in order.
    fn reader(&self, key: &str) -> Result<&Link, Error> {
        let sum: usize = key.bytes().map(usize::from).sum();
        self.readers
            .get(sum % self.readers.len().max(1))
            .ok_or(Error::Stopped)
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
        Box::pin(async move { Ok(query::find(self.reader(correlation.as_str())?, &correlation).await?) })
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
        Box::pin(
            async move { Ok(query::read(self.reader(workflow.as_str())?, &workflow, after, limit).await?) },
        )
    }

    fn base(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Seq, ports::Error>> {
        Box::pin(async move { Ok(query::base(self.reader(workflow.as_str())?, &workflow).await?) })
    }

    fn head(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Option<Head>, ports::Error>> {
        Box::pin(async move { Ok(query::head(self.reader(workflow.as_str())?, &workflow).await?) })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<Head>, ports::Error>> {
        Box::pin(async move { Ok(query::list(self.reader("")?, &query).await?) })
    }

    fn blob(&self, id: BlobId) -> BoxFuture<'_, Result<Option<Vec<u8>>, ports::Error>> {
        Box::pin(async move {
            let name = id.to_hex();
            Ok(query::blob(self.reader(&name)?, id, &name).await?)
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

    fn leave(&self) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.lease.leave().await?) })
    }

    fn delete(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.delete(workflow).await?) })
    }

    fn finished(&self, before_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<WorkflowId>, ports::Error>> {
        Box::pin(async move { Ok(query::finished(self.reader("")?, before_ms, limit).await?) })
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, ports::Error>> {
        Box::pin(async move { Ok(query::bytes(self.reader("")?).await?) })
    }

    /// What its lease needs is the smallest thing that is written.
    fn room(&self) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.lease.renew().await?) })
    }

    fn changed(&self) -> Option<BoxFuture<'_, ()>> {
        Some(Box::pin(self.bell.heard()))
    }

    fn fenced(&self) -> BoxFuture<'_, ports::Error> {
        Box::pin(async move { self.lease.lost().await.into() })
    }
}

impl ports::Sessions for Journal {
    fn begin_session(&self, new: Session) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { Ok(self.queue.begin_session(new).await?) })
    }

    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<Option<Session>, ports::Error>> {
        Box::pin(async move { Ok(session::read(self.reader(id.as_str())?, &id).await?) })
    }

    fn list_sessions(&self, query: SessionQuery) -> BoxFuture<'_, Result<Vec<Session>, ports::Error>> {
        Box::pin(async move { Ok(session::list(self.reader("")?, &query).await?) })
    }

    fn entries(&self, id: SessionId) -> BoxFuture<'_, Result<Vec<Entry>, ports::Error>> {
        Box::pin(async move { Ok(session::entries(self.reader(id.as_str())?, &id).await?) })
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
