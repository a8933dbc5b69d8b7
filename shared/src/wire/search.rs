//! The code search over REST: a question about a workspace, and its answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /api/search`. What is left out is as the backend's configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// Path of the workspace on the backend's machine.
    pub workspace: String,
    /// What to look for.
    pub query: String,
    /// How to search: `best`, `flow6` or one of the configuration.
    #[serde(default)]
    pub profile: Option<String>,
    /// Results at most.
    #[serde(default)]
    pub top: Option<usize>,
    /// Languages by name; none stands for all.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Globs as in `.gitignore`; `!` leaves out.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Classes of files left out: `test`, `documentation` …
    #[serde(default)]
    pub without: Vec<String>,
    /// Files up to so many bytes.
    #[serde(default)]
    pub max_size: Option<u64>,
    /// Whether each result says why it is where it is.
    #[serde(default)]
    pub explain: bool,
    /// Whether neither the embedding model nor the vector database is asked.
    #[serde(default)]
    pub local: bool,
}

/// The answer to a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchAnswer {
    /// Whose index was asked.
    pub index: SearchIndex,
    /// What was searched: `hybrid`, `keyword` or `local_keyword`.
    pub mode: String,
    /// What made the answer worse than it could be.
    pub notices: Vec<SearchNotice>,
    /// Best first.
    pub items: Vec<SearchItem>,
    /// Files, best first.
    pub files: Vec<String>,
    /// The results as a model would be given them.
    pub packed: SearchPacked,
    /// What the reranking model did.
    pub reranking: SearchReranking,
    /// How long each stage took, microseconds.
    pub times_us: BTreeMap<String, u64>,
}

/// Whose index was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchIndex {
    /// That of the running backend, which keeps it up to date.
    Backend,
    /// One that the asking process made for itself.
    Own,
}

/// What made an answer worse than it could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchNotice {
    /// `E1501` …
    pub code: String,
    /// For a person.
    pub message: String,
}

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchItem {
    /// Relative to the workspace.
    pub path: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, included.
    pub end_line: u32,
    /// The definition that it belongs to.
    pub symbol: Option<String>,
    /// Higher is better, within one answer.
    pub score: f64,
    /// The lines; credentials are replaced.
    pub text: String,
    /// Why it is where it is, if that was asked.
    pub explanation: Option<SearchExplanation>,
}

/// The results as one text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchPacked {
    /// Under headers with path and lines.
    pub text: String,
    /// Its tokens.
    pub tokens: usize,
}

/// What the reranking model did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SearchReranking {
    /// It was not asked for.
    Off,
    /// It was asked for and there is none.
    NoModel,
    /// As many as fit into its time.
    Done {
        /// Candidates that it read.
        reranked: usize,
        /// Candidates that there were.
        candidates: usize,
    },
}

/// Every number that led to a result's place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchExplanation {
    /// What spoke for its file.
    pub file: SearchFileReasons,
    /// What spoke for this part of it.
    pub part: SearchPartReasons,
    /// What the reranking model said.
    pub rerank: Option<SearchReranked>,
    /// Later results that were dropped because they say the same.
    pub duplicates: Vec<SearchDuplicate>,
}

/// What spoke for a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchFileReasons {
    /// Its place, from 1.
    pub rank: usize,
    /// The signals fused, times the weight of its class.
    pub score: f32,
    /// What it is for: `source`, `test` …
    pub class: String,
    /// What files of this class count.
    pub class_weight: f32,
    /// The signals.
    pub signals: Vec<SearchSignal>,
}

/// What spoke for a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchPartReasons {
    /// Its place before it was reranked, from 1.
    pub rank: usize,
    /// Its score before it was reranked.
    pub score: f32,
    /// The signals.
    pub signals: Vec<SearchSignal>,
}

/// One number that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchSignal {
    /// What it is.
    pub name: String,
    /// From 0 to 1, 1 for the best of this question.
    pub value: f32,
    /// Its place among all files, from 1.
    pub rank: Option<u32>,
    /// What it counts.
    pub weight: f32,
}

/// What the reranking model said of a result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchReranked {
    /// The model's own number.
    pub score: f32,
    /// The place it gives, from 1.
    pub rank: usize,
}

/// A result that was dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchDuplicate {
    /// Its file.
    pub path: String,
    /// Its first line.
    pub start_line: u32,
    /// How alike the two are, from 0 to 1.
    pub likeness: f32,
    /// How that was told: `embedding` or `shingles`.
    pub by: String,
}

/// `POST /api/code/{tool}`: one of the tools of the MCP server, with the
/// arguments that docs/mcp.md lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// Paths of the workspaces that may be asked about; at least one.
    pub roots: Vec<String>,
    /// The tool's arguments.
    #[serde(default)]
    pub arguments: serde_json::Value,
}

/// The answer of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CodeAnswer {
    /// For a reader.
    pub text: String,
    /// The same, as data.
    pub structured: serde_json::Value,
}
