//! From a question to ranked chunks, and what is the same wherever it is asked.

use std::collections::HashSet;

use crate::bm25::{self, SparseVector};
use crate::embed::{self, Embedder, Failure};
use crate::error::Error;
use crate::identity::WorkspaceId;
use crate::report::Item;
use crate::store::{Hit, Query, Store};
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

/// Asks the store; best first, equal scores by path and line, so that the same
/// question has the same answer.
pub async fn search(
    store: &dyn Store,
    workspace: &WorkspaceId,
    question: &Question,
    dense: Option<Vec<f32>>,
    limit: usize,
) -> Result<Vec<Item>, Error> {
    if dense.is_none() && question.sparse.is_empty() {
        return Ok(Vec::new());
    }
    let query = Query {
        workspace: workspace.clone(),
        sparse: question.sparse.clone(),
        dense,
        limit,
    };
    let hits = store.search(&query).await?;
    Ok(in_order(hits.into_iter().map(item).collect()))
}

/// Sorts by score, then by place.
pub fn in_order(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by(|a, b| {
        let place = |item: &Item| (item.path.clone(), item.start_line);
        b.score.total_cmp(&a.score).then_with(|| place(a).cmp(&place(b)))
    });
    items
}

fn item(hit: Hit) -> Item {
    let record = hit.record;
    Item {
        path: record.path,
        start_line: record.start_line,
        end_line: record.end_line,
        symbol: record.symbol,
        score: hit.score,
        text: record.text,
    }
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

    #[test]
    fn equal_scores_are_in_order_of_place() {
        let item = |path: &str, start_line, score| Item {
            path: path.into(),
            start_line,
            end_line: start_line,
            symbol: None,
            score,
            text: String::new(),
        };
        let items = vec![
            item("b", 1, 1.0),
            item("a", 2, 1.0),
            item("a", 1, 1.0),
            item("z", 9, 2.0),
        ];
        let order: Vec<_> = in_order(items)
            .into_iter()
            .map(|item| (item.path, item.start_line))
            .collect();
        assert_eq!(
            order,
            [("z".into(), 9), ("a".into(), 1), ("a".into(), 2), ("b".into(), 1)]
        );
    }
}
