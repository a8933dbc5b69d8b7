//! What the crate hands back: plain values, no handles.

use std::collections::BTreeMap;

use shared::error::Code;

use crate::explain::Explanation;
use crate::walk::SkipReason;

/// How a result was found, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Keywords, history and embeddings.
    Hybrid,
    /// Keywords and history alone: there is no embedding model, or it failed.
    Keyword,
    /// Keywords and history alone: the vector database does not answer.
    LocalKeyword,
}

impl Mode {
    /// The word used in events and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Keyword => "keyword",
            Self::LocalKeyword => "local_keyword",
        }
    }
}

/// Something that made the result worse than it could be, for a person to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The page that says what to do.
    pub code: Code,
    /// One sentence.
    pub message: String,
}

/// A piece of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// Path relative to the workspace, with `/` between its parts.
    pub path: String,
    /// First line, counted from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// The function, method or type the piece belongs to.
    pub symbol: Option<String>,
    /// Higher is better; comparable only within one result.
    pub score: f64,
    /// The lines themselves, credentials replaced.
    pub text: String,
    /// Why it is where it is, if that was asked.
    pub explanation: Option<Box<Explanation>>,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrieved {
    /// How it was found.
    pub mode: Mode,
    /// What made it worse than it could be.
    pub notices: Vec<Notice>,
    /// What `packed` holds, best first; no two overlap.
    pub items: Vec<Item>,
    /// Every result, best first, as many as the profile keeps.
    pub ranked: Vec<Item>,
    /// The best files, best first, as many as the profile keeps.
    pub files: Vec<String>,
    /// What became of the reranking.
    pub reranking: Reranking,
    /// How long each stage took, in order.
    pub times: Vec<StageTime>,
    /// The items as one text with a header line each, within the budget.
    pub packed: String,
    /// Tokens of `packed`, counted by `Models::tokens` or estimated.
    pub tokens: usize,
}

/// What became of the reranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reranking {
    /// The profile asks for none.
    Off,
    /// The profile asks for it and there is no model.
    NoModel,
    /// The best candidates were reranked.
    Done {
        /// How many; fewer than there are where the time was short or the model
        /// failed.
        reranked: usize,
        /// How many there were.
        candidates: usize,
    },
}

/// How long a stage took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageTime {
    /// The stage.
    pub stage: Stage,
    /// Its time, microseconds.
    pub us: u64,
}

/// A stage of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Asking the database, the embedding of the question and of new files included.
    Near,
    /// Ordering files and parts.
    Rank,
    /// Reading the text of the parts.
    Read,
    /// Reranking.
    Rerank,
    /// Dropping duplicates and packing.
    Pack,
}

impl Stage {
    /// The word used in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Rank => "rank",
            Self::Read => "read",
            Self::Rerank => "rerank",
            Self::Pack => "pack",
        }
    }
}

/// What an index run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Listing and hashing files.
    Scanning,
    /// Chunking, embedding and storing what is new.
    Indexing,
    /// Finished.
    Done,
}

/// How far an index run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// New and changed files that are stored.
    pub files_done: usize,
    /// New and changed files in all.
    pub files_total: usize,
    /// Chunks stored in this run.
    pub chunks_done: usize,
}

/// Whether an index run reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// The index equals the workspace as it was scanned.
    Complete,
    /// The time ran out; the next run goes on from here.
    Partial,
}

/// What an index run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexReport {
    /// The kind of index that was written.
    pub mode: Mode,
    /// Whether it is complete.
    pub completeness: Completeness,
    /// What made it worse than it could be.
    pub notices: Vec<Notice>,
    /// Files that belong in the index.
    pub files_total: usize,
    /// Files stored because they were new or had changed.
    pub files_indexed: usize,
    /// Files that were already stored as they are.
    pub files_unchanged: usize,
    /// Files whose chunks were removed because the file is gone.
    pub files_deleted: usize,
    /// Files that were cut by lines because their syntax took too long.
    pub files_unparsed: usize,
    /// Chunks written.
    pub chunks_written: usize,
    /// Chunks removed.
    pub chunks_deleted: usize,
    /// Files left out, counted by reason.
    pub skipped: BTreeMap<SkipReason, usize>,
}
