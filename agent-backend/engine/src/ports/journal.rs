//! The durable history of workflows.

use shared::id::{CorrelationId, Seq, WorkflowId};

use super::{BoxFuture, Error, Sessions};
use crate::{
    blob::{Blob, BlobId},
    event::Recorded,
};

/// The durable history of workflows, and of the threads they were asked for in.
/// Every method that changes something returns only after the change would
/// survive what its durability promises.
pub trait Journal: Sessions + Send + Sync {
    /// Begins a workflow, unless its correlation id is known.
    fn create(&self, new: NewWorkflow) -> BoxFuture<'_, Result<Created, Error>>;

    /// The workflow that has this correlation id, with its request's fingerprint.
    fn find(&self, correlation: CorrelationId) -> BoxFuture<'_, Result<Option<(WorkflowId, BlobId)>, Error>>;

    /// Adds events to a workflow. The first one must follow `Append::after`,
    /// which must be the head; otherwise nothing is written (`E1106`), as when
    /// another holder has the workflow by now (`E1109`).
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), Error>>;

    /// Events after `after`, in order, at most `limit`.
    fn read(
        &self,
        workflow: WorkflowId,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Recorded>, Error>>;

    /// Place of the last [`crate::Event::Continued`] of a workflow, from which
    /// it can be read; 0 for none.
    fn base(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Seq, Error>>;

    /// The list entry of a workflow.
    fn head(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Option<Head>, Error>>;

    /// List entries, newest first.
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<Head>, Error>>;

    /// Contents of a blob.
    fn blob(&self, id: BlobId) -> BoxFuture<'_, Result<Option<Vec<u8>>, Error>>;

    /// Takes unfinished workflows that nobody has, in the order they began, at
    /// most `limit`. Each is counted as tried once more, before it is tried.
    fn claim(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, Error>>;

    /// Says that a claimed workflow got somewhere: its tries begin at nought.
    fn settle(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), Error>>;

    /// Gives up a workflow that this holder has.
    fn release(&self, workflow: WorkflowId, release: Release) -> BoxFuture<'_, Result<(), Error>>;

    /// Gives up everything, so that others need not wait until this holder is
    /// taken for dead. Nothing can be appended afterwards.
    fn leave(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Removes a workflow, and the contents that nothing else names. Only one that
    /// is finished or set aside; otherwise nothing is removed (`E1112`).
    fn delete(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), Error>>;

    /// Finished workflows whose last event is older, the oldest first, at most
    /// `limit`.
    fn finished(&self, before_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<WorkflowId>, Error>>;

    /// How much everything takes, in bytes, without what is free for reuse.
    fn bytes(&self) -> BoxFuture<'_, Result<u64, Error>>;

    /// Whether it can be written to, found out by writing something that is taken
    /// back. Not cheap: for whoever was refused, to learn when it is over.
    fn room(&self) -> BoxFuture<'_, Result<(), Error>>;

    /// Resolves when others may have written: a hint, which may be late, lost or
    /// wrong. None where nobody else writes.
    fn changed(&self) -> Option<BoxFuture<'_, ()>>;

    /// Resolves when this holder was taken for dead and another one has its
    /// work: the process must end.
    fn fenced(&self) -> BoxFuture<'_, Error>;
}

/// A number that grows each time somebody opens the journal to write. Each
/// event carries the one of its writer, and of two writers of a workflow the one
/// with the lower number commits nothing more (`E1109`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// A workflow that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its list entry.
    pub head: Head,
    /// How often it was tried since it last got somewhere, this time included.
    pub tries: u32,
}

/// What is to become of a workflow that its holder gives up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// Somebody claims it again.
    Again,
    /// The same, and this time does not count: it was no fault of its own.
    Untried,
    /// Nobody claims it: it cannot be run. A person has to look.
    Aside {
        /// Why, for a person.
        reason: String,
    },
    /// A person has looked: it is tried anew, as if it had never failed.
    Readmitted,
}

/// A workflow that is about to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorkflow {
    /// Its id.
    pub workflow: WorkflowId,
    /// The client's id, unique in the journal.
    pub correlation: CorrelationId,
    /// Hash of the request: another one under the same id is a conflict.
    pub fingerprint: BlobId,
    /// The first events; the first is `Submitted`, at seq 1.
    pub events: Vec<Recorded>,
    /// Contents that the events name and the journal may not have yet.
    pub blobs: Vec<Blob>,
    /// Status for the list after them.
    pub status: Status,
}

/// What became of a [`NewWorkflow`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It has begun.
    New,
    /// The same request came before.
    Existing(WorkflowId),
    /// Another request came before under the same correlation id.
    Conflict(WorkflowId),
}

/// Events to add.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// The workflow.
    pub workflow: WorkflowId,
    /// The head they follow.
    pub after: Seq,
    /// The events, without a gap.
    pub events: Vec<Recorded>,
    /// Contents that the events name.
    pub blobs: Vec<Blob>,
    /// Status for the list, if it changes.
    pub status: Option<Status>,
    /// What it must survive.
    pub durability: Durability,
}

/// What an append must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The death of the process (kill -9), but not the loss of power: for text
    /// of an unfinished stream. A later `Synced` append makes it survive both.
    Process,
    /// The loss of power.
    Synced,
}

/// Status of a workflow in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A stage is running.
    Running,
    /// A person is asked.
    AwaitingDecision,
    /// Accepted and applied.
    Completed,
    /// Rejected by the person.
    Rejected,
    /// Stopped by the person.
    Cancelled,
    /// It could not go on.
    Failed,
}

/// A list entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The workflow.
    pub workflow: WorkflowId,
    /// The client's id.
    pub correlation: CorrelationId,
    /// Name of the definition.
    pub workflow_type: String,
    /// What was asked for.
    pub query: String,
    /// Absolute path of the workspace.
    pub workspace: String,
    /// Status.
    pub status: Status,
    /// Why it was set aside, if it was.
    pub aside: Option<String>,
    /// Last event.
    pub head: Seq,
    /// Milliseconds since the Unix epoch of the first event.
    pub created_at_ms: u64,
    /// Milliseconds since the Unix epoch of the last event.
    pub updated_at_ms: u64,
}

/// Which list entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListQuery {
    /// Only unfinished workflows (running or awaiting a decision).
    pub unfinished: bool,
    /// Only those begun before this one; none for the newest.
    pub before: Option<WorkflowId>,
    /// At most so many.
    pub limit: usize,
}
