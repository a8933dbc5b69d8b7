//! Small transformer models on the CPU: texts in, vectors or scores out.
//!
//! Owns: finding a model's files and the ONNX Runtime library, tokenizing,
//! running the model on a thread of its own within a bound of threads, pooling,
//! and counting what did not fit into the model's window.
//!
//! Must never know: what the texts are, why they are compared, or what a
//! collection is. It prepends nothing to a text and keeps nothing of it.

mod batch;
mod embedder;
mod error;
mod files;
mod loading;
mod native;
mod onnx;
mod options;
mod places;
mod pool;
mod reranker;
mod tokens;
mod worker;

pub use embedder::{Embedded, Embedder};
pub use error::Error;
pub use loading::Info;
pub use options::{Model, Options, Runtime};
pub use places::Places;
pub use reranker::{Reranker, Scored};
