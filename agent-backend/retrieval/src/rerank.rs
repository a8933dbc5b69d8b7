//! The port to a reranking model: one that reads the question and a candidate
//! together, which is slower and sometimes better than comparing vectors.

use async_trait::async_trait;

use crate::embed::Failure;

/// Scores candidates against a question. Time-outs are the implementation's
/// business; how many candidates are sent is decided here, from what the pairs
/// before them cost.
#[async_trait]
pub trait Reranker: Send + Sync {
    /// The model's name, for explanations.
    fn identity(&self) -> String;
    /// One finite score per text, in order; higher is better, comparable within
    /// one answer. A text is a function's signature and documentation, then as
    /// much of its body as fits; the implementation cuts it to its window.
    async fn score(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>, Failure>;
}
