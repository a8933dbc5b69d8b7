//! From a question to ranked chunks, and what is the same wherever it is asked.

use std::collections::HashSet;

use crate::bm25::{self, SparseVector};
use crate::embed::{self, Embedder, Failure};
use crate::store::Hit;
use crate::tokenize;

/// Bytes of a query that are looked at. What follows is the tail of a pasted
/// log or file, and embedding models do not read that far either.
pub const QUERY_BYTES_MAX: usize = 8_000;

/// A query, cut to size and as search terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The text.
    pub text: String,
    /// Its terms; empty if it holds no word.
    pub sparse: SparseVector,
    /// Its distinct terms with their weights, in the order of first appearance.
    pub terms: Vec<Term>,
}

/// A term of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// See [`bm25::term_id`].
    pub id: u32,
    /// How much it counts.
    pub weight: f32,
}

/// What the first line says is what the question is about; the rest explains.
const FIRST_LINE_WEIGHT: f32 = 2.0;

/// The distinct terms of `text`, at most [`bm25::QUERY_TERMS_MAX`].
fn weighted(text: &str) -> Vec<Term> {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut terms: Vec<Term> = Vec::new();
    let mut seen = HashSet::new();
    for (part, weight) in [(first, FIRST_LINE_WEIGHT), (rest, 1.0)] {
        for term in tokenize::terms(part) {
            let id = bm25::term_id(&term);
            if terms.len() < bm25::QUERY_TERMS_MAX && seen.insert(id) {
                terms.push(Term { id, weight });
            }
        }
    }
    terms
}

impl Question {
    /// The question that `query` asks.
    pub fn new(query: &str) -> Self {
        let text = query.trim();
        let text = text[..text.floor_char_boundary(QUERY_BYTES_MAX)].to_owned();
        let terms = tokenize::terms(&text);
        Self {
            sparse: bm25::query(terms.iter().map(String::as_str)),
            terms: weighted(&text),
            text,
        }
    }

    /// The question as a vector.
    pub async fn embed(&self, embedder: &dyn Embedder) -> Result<Vec<f32>, Failure> {
        embed::query(embedder, &self.text).await
    }
}

/// What the vector database found near a question; nothing if it was not asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Near {
    /// Parts of files by their embedding.
    pub chunks: Vec<Hit>,
    /// Whole files by their embedding.
    pub files: Vec<Hit>,
    /// Whole files by their terms.
    pub terms: Vec<Hit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_cut_to_size() {
        let question = Question::new(&format!("  {}", "ä".repeat(QUERY_BYTES_MAX)));
        assert_eq!(question.text.len(), QUERY_BYTES_MAX);
        let many: String = (0..10_000).map(|n| format!("w{n} ")).collect();
        assert!(Question::new(&many).sparse.indices.len() <= bm25::QUERY_TERMS_MAX);
        assert!(Question::new(" ?! ").sparse.is_empty());
    }
}
