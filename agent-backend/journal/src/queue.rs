//! What waits for a writer, the same for every store that has one: requests as
//! rows, bounded by count and bytes.

use std::{collections::BTreeSet, sync::Arc};

use engine::{
    artifact::Task,
    blob::{Blob, BlobId},
    event::Recorded,
    ports::{
        journal::{Append, Claimed, Created, Durability, NewWorkflow, Release, Status},
        sessions::{Session, SessionChange},
    },
};
use shared::id::{CorrelationId, Seq, SessionId, WorkflowId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{
    Error,
    limits::{GROUP_BYTES_MAX, GROUP_JOBS_MAX, QUEUE_JOBS_MAX, QUEUE_KIB_MAX},
    record::{self, Row},
    rules,
};

/// What is to be written.
#[derive(Debug)]
pub(crate) enum Request {
    /// A new workflow.
    Begin(Box<Begin>),
    /// More of one.
    Append(AppendRows),
    /// Unfinished workflows that nobody has.
    Claim(usize),
    /// A claimed workflow got somewhere.
    Settle(WorkflowId),
    /// A workflow is given up.
    Release(WorkflowId, Release),
    /// A workflow is removed.
    Delete(WorkflowId),
    /// A thread begins.
    BeginSession(Session),
    /// A thread changes, at this moment.
    ChangeSession(SessionId, u64, SessionChange),
    /// A thread is removed.
    DeleteSession(SessionId),
}

/// How much of some events is streamed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    None,
    Some,
    /// At least one, and nothing else.
    Only,
}

impl Texts {
    fn of(events: &[Recorded]) -> Self {
        let texts = events.iter().filter(|recorded| record::is_text(&recorded.event));
        match texts.count() {
            0 => Self::None,
            count if count == events.len() => Self::Only,
            _ => Self::Some,
        }
    }
}

/// A new workflow.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) workflow: WorkflowId,
    pub(crate) correlation: CorrelationId,
    pub(crate) fingerprint: BlobId,
    pub(crate) task: Task,
    pub(crate) rows: Vec<Row>,
    pub(crate) texts: Texts,
    /// Contents that the events name.
    pub(crate) names: Vec<String>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) status: Status,
}

/// More of a workflow.
#[derive(Debug)]
pub(crate) struct AppendRows {
    pub(crate) workflow: WorkflowId,
    pub(crate) after: Seq,
    pub(crate) rows: Vec<Row>,
    pub(crate) texts: Texts,
    /// Contents that the events name.
    pub(crate) names: Vec<String>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) status: Option<Status>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// Of a new workflow.
    Created(Created),
    /// Of an append, and of everything that answers nothing.
    Written,
    /// Of a claim.
    Claimed(Vec<Claimed>),
}

/// One request that waits for its commit.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) bytes: usize,
    pub(crate) durability: Durability,
    pub(crate) reply: oneshot::Sender<Result<Done, Error>>,
    /// Room in the queue, given back when the job is answered.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// The way to a writer.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

impl Queue {
    /// A queue and its other end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        let room = Arc::new(Semaphore::new(QUEUE_KIB_MAX));
        (Self { jobs, room }, queue)
    }

    pub(crate) async fn begin(&self, new: NewWorkflow) -> Result<Created, Error> {
        let task = rules::begin(&new)?.clone();
        let rows = encode(&new.workflow, &new.events)?;
        let names = names(&new.events);
        let texts = Texts::of(&new.events);
        let bytes = rows_bytes(&rows) + task.query.len() + blobs_bytes(&new.blobs);
        let NewWorkflow {
            workflow,
            correlation,
            fingerprint,
            events: _,
            blobs,
            status,
        } = new;
        let begin = Begin {
            workflow,
            correlation,
            fingerprint,
            task,
            rows,
            texts,
            names,
            blobs,
            status,
        };
        match self
            .submit(Request::Begin(Box::new(begin)), bytes, Durability::Synced)
            .await?
        {
            Done::Created(created) => Ok(created),
            Done::Written | Done::Claimed(_) => Err(Error::Stopped),
        }
    }

    pub(crate) async fn append(&self, append: Append) -> Result<(), Error> {
        rules::append(&append)?;
        let rows = encode(&append.workflow, &append.events)?;
        let names = names(&append.events);
        let texts = Texts::of(&append.events);
        let bytes = rows_bytes(&rows) + blobs_bytes(&append.blobs);
        let Append {
            workflow,
            after,
            events: _,
            blobs,
            status,
            durability,
        } = append;
        let request = Request::Append(AppendRows {
            workflow,
            after,
            rows,
            texts,
            names,
            blobs,
            status,
        });
        self.submit(request, bytes, durability).await.map(drop)
    }

    pub(crate) async fn claim(&self, limit: usize) -> Result<Vec<Claimed>, Error> {
        match self.submit(Request::Claim(limit), 0, Durability::Synced).await? {
            Done::Claimed(claimed) => Ok(claimed),
            Done::Written | Done::Created(_) => Err(Error::Stopped),
        }
    }

    pub(crate) async fn settle(&self, workflow: WorkflowId) -> Result<(), Error> {
        let request = Request::Settle(workflow);
        self.submit(request, 0, Durability::Synced).await.map(drop)
    }

    pub(crate) async fn release(&self, workflow: WorkflowId, release: Release) -> Result<(), Error> {
        let request = Request::Release(workflow, release);
        self.submit(request, 0, Durability::Synced).await.map(drop)
    }

    pub(crate) async fn delete(&self, workflow: WorkflowId) -> Result<(), Error> {
        let request = Request::Delete(workflow);
        self.submit(request, 0, Durability::Synced).await.map(drop)
    }

    pub(crate) async fn begin_session(&self, new: Session) -> Result<(), Error> {
        rules::session(&new)?;
        let bytes = new.settings.len() + new.workspace.len();
        let request = Request::BeginSession(new);
        self.submit(request, bytes, Durability::Synced).await.map(drop)
    }

    pub(crate) async fn change_session(
        &self,
        id: SessionId,
        at_ms: u64,
        change: SessionChange,
    ) -> Result<(), Error> {
        let bytes = rules::change(at_ms, &change)?;
        let request = Request::ChangeSession(id, at_ms, change);
        self.submit(request, bytes, Durability::Synced).await.map(drop)
    }

    pub(crate) async fn delete_session(&self, id: SessionId) -> Result<(), Error> {
        let request = Request::DeleteSession(id);
        self.submit(request, 0, Durability::Synced).await.map(drop)
    }

    /// Waits for room, queues the request and waits for its commit. A caller
    /// that stops waiting does not undo what is queued.
    async fn submit(&self, request: Request, bytes: usize, durability: Durability) -> Result<Done, Error> {
        rules::size(bytes)?;
        let kib = u32::try_from(bytes.div_ceil(1024).clamp(1, QUEUE_KIB_MAX)).map_err(|_| Error::Stopped)?;
        let room = Arc::clone(&self.room)
            .acquire_many_owned(kib)
            .await
            .map_err(|_| Error::Stopped)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            request,
            bytes,
            durability,
            reply,
            _room: room,
        };
        self.jobs.send(job).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}

/// A job and those that wait behind it, as many as one commit takes.
pub(crate) fn collect(first: Job, queue: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes;
    let mut group = vec![first];
    while group.len() < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(job) = queue.try_recv() else { break };
        bytes += job.bytes;
        group.push(job);
    }
    group
}

/// What a group must survive.
pub(crate) fn durability(group: &[Job]) -> Durability {
    let each = group.iter().map(|job| job.durability);
    each.max().unwrap_or(Durability::Synced)
}

/// Whether an answer stands for something that was written.
pub(crate) fn changes(answer: &Result<Done, Error>) -> bool {
    match answer {
        Ok(Done::Written | Done::Created(Created::New)) => true,
        Ok(Done::Claimed(claimed)) => !claimed.is_empty(),
        Ok(Done::Created(Created::Existing(_) | Created::Conflict(_))) | Err(_) => false,
    }
}

fn encode(workflow: &WorkflowId, events: &[Recorded]) -> Result<Vec<Row>, Error> {
    events
        .iter()
        .map(|recorded| record::encode(workflow, recorded))
        .collect()
}

/// In one order everywhere, so that two backends do not wait for each other.
fn names(events: &[Recorded]) -> Vec<String> {
    let named: BTreeSet<BlobId> = events
        .iter()
        .flat_map(|recorded| recorded.event.blobs())
        .collect();
    named.into_iter().map(BlobId::to_hex).collect()
}

fn rows_bytes(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.body.len()).sum()
}

fn blobs_bytes(blobs: &[Blob]) -> usize {
    blobs.iter().map(|blob| blob.bytes().len()).sum()
}
