//! Finds the code that a request is about.
//!
//! Owns: which files of a workspace may be read, how they are cut into chunks,
//! how a chunk becomes search terms and vectors, how the vector database is
//! kept equal to the workspace, by which stages a question is answered
//! ([`profile`]), and how results are packed into a token budget.
//!
//! Must never know: workflows, prompts, which program embeds (that is the port
//! [`embed::Embedder`]), or who shows the result. The core ([`tokenize`],
//! [`bm25`], [`chunk`], [`fusion`], [`pack`], [`index::plan`]) does no I/O;
//! files are read in [`walk`], the network is behind [`store::Store`] and
//! [`embed::Embedder`].

pub mod adaptive;
mod analysis;
pub mod bm25;
pub mod browse;
pub mod chunk;
pub mod corpus;
pub mod dedup;
pub mod document;
pub mod embed;
mod error;
pub mod explain;
pub mod filter;
pub mod fusion;
pub mod history;
pub mod identity;
pub mod index;
mod local;
pub mod pack;
mod postings;
pub mod profile;
pub mod queries;
pub mod references;
pub mod related;
mod report;
pub mod rerank;
pub mod search;
mod service;
pub mod store;
pub mod symbols;
pub mod tokenize;
pub mod walk;

pub use embed::Embedder;
pub use error::Error;
pub use filter::Filter;
pub use local::Touch;
pub use pack::TokenCounter;
pub use profile::Profile;
pub use report::{
    Completeness, IndexReport, Item, Mode, Notice, Phase, Progress, Reranking, Retrieved, Stage, StageTime,
};
pub use rerank::Reranker;
pub use service::{
    CaughtUp, Change, Embedding, Models, Options, Reach, Request, Service, Session, Size, Stores, Touched,
};

pub use syntax::language;

#[cfg(test)]
mod testing;
