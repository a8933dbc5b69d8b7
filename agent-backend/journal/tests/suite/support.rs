//! Small histories, and a journal in a directory of its own.

use std::path::Path;

use engine::{
    artifact::Task,
    blob::{Blob, BlobId},
    event::{Event, Recorded, Streamed},
    graph::Graph,
    ports::{
        self, Journal as _,
        journal::{Append, Durability, NewWorkflow, Status},
    },
};
use journal::{Error, Journal, Options};
use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, StageId, WorkflowId},
};
use tempfile::TempDir;

/// Where journals of one kind are opened: each test has one of its own.
pub trait Store {
    /// A holder of the store.
    type Journal: ports::Journal;

    /// The first holder.
    async fn open(&self) -> Self::Journal;

    /// The next one; `before` is taken for dead, though it lives.
    async fn take_over(&self, before: &Self::Journal) -> Self::Journal;
}

/// A store in memory.
#[derive(Default)]
pub struct Memory(journal::memory::Journal);

impl Store for Memory {
    type Journal = journal::memory::Journal;

    async fn open(&self) -> Self::Journal {
        self.0.share()
    }

    async fn take_over(&self, before: &Self::Journal) -> Self::Journal {
        before.expire();
        self.0.share()
    }
}

/// A store in a directory.
pub struct Directory(TempDir);

impl Default for Directory {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Store for Directory {
    type Journal = Journal;

    async fn open(&self) -> Journal {
        Options::new(self.0.path()).open().unwrap()
    }

    async fn take_over(&self, _: &Journal) -> Journal {
        steal(self.0.path())
    }
}

/// A server for all tests of this process; none where the machine has none.
#[cfg(feature = "postgres")]
pub fn server() -> Option<&'static scratch_postgres::Server> {
    static SERVER: std::sync::LazyLock<Option<scratch_postgres::Server>> =
        std::sync::LazyLock::new(|| scratch_postgres::Server::start().unwrap());
    SERVER.as_ref()
}

/// A store in a database.
#[cfg(feature = "postgres")]
pub struct Database {
    server: &'static scratch_postgres::Server,
    pub url: String,
}

#[cfg(feature = "postgres")]
impl Database {
    pub fn new() -> Option<Self> {
        let server = server()?;
        let url = server.database().unwrap();
        Some(Self { server, url })
    }

    /// Long enough for the slowest machine: nobody dies by chance.
    pub fn options(&self) -> journal::postgres::Options {
        journal::postgres::Options {
            lease: std::time::Duration::from_secs(600),
            ..journal::postgres::Options::new(&self.url)
        }
    }

    pub fn sql(&self, statement: &str) -> String {
        self.server.sql(&self.url, statement).unwrap()
    }
}

#[cfg(feature = "postgres")]
impl Store for Database {
    type Journal = journal::postgres::Journal;

    async fn open(&self) -> Self::Journal {
        self.options().open().await.unwrap()
    }

    async fn take_over(&self, before: &Self::Journal) -> Self::Journal {
        // As whoever finds its lease at an end.
        before.stall();
        let epoch = before.epoch().0;
        self.sql(&format!("DELETE FROM agentic_ide.owners WHERE epoch = {epoch}"));
        self.open().await
    }
}

/// Opens a directory that somebody has, as on a file system whose locks lie.
pub fn steal(dir: &Path) -> Journal {
    try_steal(dir).unwrap()
}

/// The same of a process that may have been stopped within a transaction.
pub fn try_steal(dir: &Path) -> Result<Journal, Error> {
    // After a first try that failed it may be gone.
    let _gone = std::fs::remove_file(dir.join("journal.lock"));
    Options::new(dir).open()
}

/// An open journal and the directory it lies in.
pub struct Opened {
    pub journal: Journal,
    pub dir: TempDir,
}

pub fn store() -> Opened {
    let dir = tempfile::tempdir().unwrap();
    Opened {
        journal: Options::new(dir.path()).open().unwrap(),
        dir,
    }
}

impl Opened {
    /// Closes the journal and opens it again.
    pub fn reopen(self) -> Self {
        let Self { journal, dir } = self;
        drop(journal);
        Self {
            journal: Options::new(dir.path()).open().unwrap(),
            dir,
        }
    }
}

pub fn wf(n: impl std::fmt::Display) -> WorkflowId {
    WorkflowId::new(format!("wf-{n}"))
}

/// Workflow `wf-n` under correlation `req-n`.
pub fn new(n: impl std::fmt::Display) -> NewWorkflow {
    let (workflow, correlation) = (wf(&n), CorrelationId::new(format!("req-{n}")));
    let event = Event::Submitted {
        workflow: workflow.clone(),
        correlation: correlation.clone(),
        task: Task {
            workflow_type: "feature_implementation".to_owned(),
            query: format!("request {n}"),
            workspace: "/shop".to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        },
        graph: Graph {
            name: "feature_implementation".to_owned(),
            version: 1,
            source: None,
            stages: Vec::new(),
        },
    };
    let fingerprint = BlobId::of(format!("request {n}").as_bytes());
    NewWorkflow {
        workflow,
        correlation,
        fingerprint,
        events: vec![at(1, event)],
        blobs: Vec::new(),
        status: Status::Running,
    }
}

/// Workflow `wf-n` for the same request as every other of these.
pub fn same_request(n: usize) -> NewWorkflow {
    let mut same = new(0);
    same.workflow = wf(n);
    if let Event::Submitted { workflow, .. } = &mut same.events[0].event {
        *workflow = wf(n);
    }
    same
}

/// An event at a place; its time follows from it.
pub fn at(seq: u64, event: Event) -> Recorded {
    Recorded {
        seq: Seq(seq),
        at_ms: 1000 + seq,
        event,
    }
}

/// Streamed text at a place.
pub fn text(seq: u64) -> Recorded {
    at(
        seq,
        Event::Streamed(Streamed {
            stage: StageId::new("code_generation"),
            attempt: 1,
            offset: seq,
            delta: format!("text {seq}"),
            tokens: seq,
            total: None,
            origin: None,
        }),
    )
}

/// `count` events after `after`.
pub fn more(workflow: WorkflowId, after: u64, count: u64) -> Append {
    Append {
        workflow,
        after: Seq(after),
        events: (after + 1..=after + count).map(text).collect(),
        blobs: Vec::new(),
        status: None,
        durability: Durability::Synced,
    }
}

/// A blob of `bytes` bytes after `after`, with one event.
pub fn large(workflow: WorkflowId, after: u64, bytes: usize) -> Append {
    let mut contents = after.to_le_bytes().to_vec();
    contents.resize(bytes, 7);
    Append {
        blobs: vec![Blob::new(contents)],
        ..more(workflow, after, 1)
    }
}

pub fn with_status(append: Append, status: Status) -> Append {
    Append {
        status: Some(status),
        ..append
    }
}

/// What a receiver acts on.
pub fn kind<T: std::fmt::Debug>(result: Result<T, ports::Error>) -> (Class, Code) {
    let error = result.unwrap_err();
    (error.class, error.code)
}

/// The whole history of a workflow.
pub async fn all(journal: &impl ports::Journal, workflow: WorkflowId) -> Result<Vec<Recorded>, ports::Error> {
    journal.read(workflow, Seq(0), usize::MAX).await
}

/// A journal with `workflows` workflows of `events` events each.
pub async fn filled(store: &Opened, workflows: u64, events: u64) {
    for n in 0..workflows {
        store.journal.create(new(n)).await.unwrap();
        for after in 1..events {
            store.journal.append(more(wf(n), after, 1)).await.unwrap();
        }
    }
}
