//! The search index of a workspace, as it is told over REST and its stream.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /api/index`, the answer of `POST /api/index`, and each message of
/// `GET /api/index/stream`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IndexView {
    /// Canonical path of the workspace; empty where nothing is indexed yet.
    pub workspace: String,
    /// What is going on.
    pub state: IndexState,
    /// Files that are searched by keyword.
    pub files: u64,
    /// Their chunks.
    pub chunks: u64,
    /// How far the vectors are, in the state `indexing`.
    pub progress: Option<IndexProgress>,
    /// What is in the way, or worse than it could be: `E1501` …
    pub code: Option<String>,
    /// For a person.
    pub detail: String,
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexState {
    /// It is not kept up to date; the next request looks at the files.
    Idle,
    /// The first look at the files.
    Scanning,
    /// Keywords are searched; new and changed files are embedded.
    Indexing,
    /// Keywords are searched; nothing is embedded until `resume`.
    Paused,
    /// Keywords are searched; embedding waits for what `code` says.
    Waiting,
    /// Everything is searched.
    Ready,
    /// The workspace cannot be read.
    Failed,
    /// What is stored is being removed.
    Deleting,
}

impl IndexState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Scanning => "scanning",
            Self::Indexing => "indexing",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }
}

/// How far the vectors are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IndexProgress {
    /// New and changed files that are embedded and stored.
    pub files_done: u64,
    /// New and changed files.
    pub files_total: u64,
    /// Chunks stored in this run.
    pub chunks_done: u64,
    /// How fast it goes, once that is known.
    pub files_per_second: Option<f64>,
    /// How long it will take if it goes on like this.
    pub seconds_left: Option<u64>,
}

/// `POST /api/index`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexRequest {
    /// Path of the workspace on the backend's machine.
    pub workspace: String,
    /// What to do.
    pub command: IndexCommand,
}

/// What to do with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndexCommand {
    /// Keep it up to date from now on, also after a restart.
    Open,
    /// Embed nothing until `resume`, also after a restart.
    Pause,
    /// Go on.
    Resume,
    /// Stop, and do not keep it up to date. What is stored stays.
    Cancel,
    /// Look at all files again and compare with the database.
    Rescan,
    /// Remove what is stored.
    Delete,
}

/// `GET /api/indexes`, by path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IndexPage {
    /// All that this process knows.
    pub indexes: Vec<IndexView>,
}
