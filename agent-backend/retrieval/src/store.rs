//! The port to the vector database, in the crate's own words.
//!
//! A store is one collection: it holds the points of several workspaces, for
//! whole files or for parts of them, all made by the same embedding model (or
//! none) and the same chunker. Every call names its workspace; no answer mixes
//! two.

mod memory;
mod payload;
mod qdrant;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryStore;
pub use self::qdrant::{Level, QdrantStore, collection_name, connect};
use crate::bm25::SparseVector;
use crate::chunk::Kind;
use crate::corpus::class::Class;
use crate::error::Error;
use crate::identity::{ContentHash, WorkspaceId};
use crate::language::Language;

/// What is stored beside a point's vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The workspace the point belongs to.
    pub workspace: WorkspaceId,
    /// Path relative to the workspace.
    pub path: String,
    /// Language of the file.
    pub language: Language,
    /// What the chunk is.
    pub kind: Kind,
    /// The definition it belongs to.
    pub symbol: Option<String>,
    /// First line, counted from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// Hash of the whole file.
    pub content: ContentHash,
    /// Chunks of the whole file: with fewer stored, the file is incomplete.
    pub chunks: u32,
    /// The chunk's text.
    pub text: String,
}

/// A point as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// See [`crate::identity::point_id`].
    pub id: Uuid,
    /// The payload.
    pub record: Record,
    /// Terms without their rarity (see [`crate::bm25`]); only of whole files.
    pub sparse: SparseVector,
    /// Embedding; `Some` exactly in stores of an embedding model.
    pub dense: Option<Vec<f32>>,
}

/// What the store knows about a point, without its text and vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPoint {
    /// The point's id.
    pub id: Uuid,
    /// Path of its file.
    pub path: String,
    /// Hash of its file.
    pub content: ContentHash,
    /// Chunks of its file.
    pub chunks: u32,
}

/// What is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Only points of this workspace.
    pub workspace: WorkspaceId,
    /// By what.
    pub near: Nearness,
    /// Only files in these languages; all if it is empty.
    pub languages: Vec<Language>,
    /// No files of these classes.
    pub without: Vec<Class>,
    /// Most hits wanted.
    pub limit: usize,
    /// Whether the vectors of the hits are wanted.
    pub vectors: Vectors,
}

/// By what points are searched.
#[derive(Debug, Clone, PartialEq)]
pub enum Nearness {
    /// The cosine of their embedding with this one.
    Meaning(Vec<f32>),
    /// The product of their terms with these, which carry their rarity.
    Terms(SparseVector),
}

/// Whether embeddings come with the hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// They do.
    Wanted,
    /// They stay where they are.
    Unwanted,
}

/// A point found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The payload.
    pub record: Record,
    /// Higher is better; comparable within one answer.
    pub score: f64,
    /// The embedding, if it was wanted and is there.
    pub vector: Option<Vec<f32>>,
}

/// The operations the crate needs; see the module for what a store is.
#[async_trait]
pub trait Store: Send + Sync {
    /// Whether the database answers.
    async fn health(&self) -> Result<(), Error>;
    /// Another value when the database started anew or was restored, and with it
    /// perhaps without something that was written. A database that does not tell
    /// always gives the same.
    async fn generation(&self) -> Result<String, Error>;
    /// Creates the collection and its payload indexes if they are missing.
    async fn prepare(&self) -> Result<(), Error>;
    /// All points of a workspace.
    async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<StoredPoint>, Error>;
    /// How many points of a workspace there are, exactly.
    async fn count(&self, workspace: &WorkspaceId) -> Result<usize, Error>;
    /// Writes points, replacing those with the same id. When it returns, they
    /// are found.
    async fn upsert(&self, points: Vec<Point>) -> Result<(), Error>;
    /// Removes points; ids that are not there are no error.
    async fn delete(&self, ids: Vec<Uuid>) -> Result<(), Error>;
    /// Removes every point of a workspace from every collection that this
    /// program wrote in the database, whatever its model.
    async fn forget(&self, workspace: &WorkspaceId) -> Result<(), Error>;
    /// The best points for a query, best first.
    async fn search(&self, query: &Query) -> Result<Vec<Hit>, Error>;
}
