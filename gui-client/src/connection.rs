//! How the window reaches a backend. The trait is what the window knows;
//! [`live`] is the real thing, [`fake`] plays a recorded transcript.
//!
//! It must never know what is shown.

pub mod backoff;
pub mod dial;
pub mod fake;
pub mod follow;
pub mod live;
pub mod pace;
mod socket;

use std::fmt::Debug;

use futures::{future::BoxFuture, stream::BoxStream};
use shared::{
    id::{Seq, WorkflowId},
    version::Compatibility,
    wire::{DecisionRequest, SubmitRequest, UndoResponse, WorkflowPage, WorkflowSummary, WorkflowView},
};

use crate::{Error, model::Event};

/// A backend. Every call can be made again after a transient error.
pub trait Connection: Debug + Send + Sync {
    /// What the footer calls it: `host:port`.
    fn name(&self) -> String;
    /// State of the server: now, and each time it changes. Never ends.
    fn watch(&self) -> BoxStream<'static, Server>;
    /// Starts a workflow, or finds the one that this correlation id has.
    fn submit(&self, request: SubmitRequest) -> BoxFuture<'static, Result<WorkflowId, Error>>;
    /// The newest workflow that has not finished.
    fn newest_unfinished(&self) -> BoxFuture<'static, Result<Option<WorkflowSummary>, Error>>;
    /// A page of the workflows, newest first: those behind `cursor`.
    fn page(&self, cursor: Option<&str>) -> BoxFuture<'static, Result<WorkflowPage, Error>>;
    /// A snapshot of one workflow.
    fn view(&self, id: &WorkflowId) -> BoxFuture<'static, Result<WorkflowView, Error>>;
    /// What a check of the present proposal printed; its end, where that is long.
    fn log(&self, id: &WorkflowId, check: &str) -> BoxFuture<'static, Result<String, Error>>;
    /// Answers a proposal.
    fn decide(&self, id: &WorkflowId, request: DecisionRequest) -> BoxFuture<'static, Result<(), Error>>;
    /// Says something to a workflow that runs. The same words count once.
    fn remark(&self, id: &WorkflowId, text: String) -> BoxFuture<'static, Result<(), Error>>;
    /// Takes back what a workflow has committed. Asked again, it is the same commit.
    fn undo(&self, id: &WorkflowId) -> BoxFuture<'static, Result<UndoResponse, Error>>;
    /// Begins a workflow that goes on from an event of this one.
    fn fork(&self, id: &WorkflowId, at: Seq) -> BoxFuture<'static, Result<WorkflowId, Error>>;
    /// Stops a workflow.
    fn cancel(&self, id: &WorkflowId) -> BoxFuture<'static, Result<(), Error>>;
    /// Events after `after`, without gap or duplicate, across broken
    /// connections; ends when the workflow has.
    fn follow(&self, id: &WorkflowId, after: Seq) -> BoxStream<'static, Followed>;
}

/// What following a workflow gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// The stream is open.
    Connected,
    /// The next events, in order. A `resync` starts anew from the first event.
    Events(Vec<Event>),
    /// The connection broke; it is tried again after `retry_ms`.
    Interrupted {
        /// Why.
        error: Error,
        /// Milliseconds until the next attempt.
        retry_ms: u64,
    },
    /// The workflow cannot be followed; nothing more comes.
    Lost(Error),
}

/// State of the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Server {
    /// It answers.
    Up(ServerInfo),
    /// It does not.
    Down(Error),
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version.
    pub version: String,
    /// Whether it fits this program's version.
    pub compatibility: Compatibility,
    /// Workspace used when a request names none; empty when there is none.
    pub default_workspace: String,
    /// `journal`, `model`, `vectordb`.
    pub components: Vec<Component>,
    /// The search index of the workspace, if the server speaks of it.
    pub index: Option<Index>,
    /// The memory that models run in, if the server knows how much there is.
    pub memory: Option<Memory>,
}

/// Memory that models run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Whose it is.
    pub kind: MemoryKind,
    /// By everybody, MiB.
    pub used_mb: u64,
    /// All of it, MiB.
    pub total_mb: u64,
    /// Whether it is running out.
    pub is_tight: bool,
}

/// Whose memory models run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryKind {
    /// The graphics card's.
    Gpu,
    /// The machine's.
    System,
}

/// The search index of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// What is going on.
    pub state: IndexState,
    /// Files that are searched by keyword.
    pub files: u64,
    /// New and changed files that are embedded, and all of them, while it goes on.
    pub progress: Option<(u64, u64)>,
    /// How long that will take, once it is known.
    pub seconds_left: Option<u64>,
    /// What is in the way: an error code, or empty.
    pub code: String,
}

/// What is going on with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Nothing.
    Idle,
    /// The files are looked at.
    Scanning,
    /// New and changed files are embedded.
    Indexing,
    /// A person stopped that.
    Paused,
    /// It waits for what is missing.
    Waiting,
    /// Everything is searched.
    Ready,
    /// The workspace cannot be read.
    Failed,
}

impl IndexState {
    /// What the server's word says; a word of a newer server says nothing.
    pub fn parse(word: &str) -> Self {
        match word {
            "scanning" => Self::Scanning,
            "indexing" => Self::Indexing,
            "paused" => Self::Paused,
            "waiting" => Self::Waiting,
            "ready" => Self::Ready,
            "failed" => Self::Failed,
            _ => Self::Idle,
        }
    }
}

/// One part of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// For a person.
    pub detail: String,
}

impl ServerInfo {
    /// The component `name`, if the server speaks of it.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.name == name)
    }
}
