//! Whole files as points: the mean of their parts' embeddings, and their terms.
//! Pure.

use std::collections::HashMap;

use crate::bm25::SparseVector;
use crate::chunk::Kind;
use crate::document::Document;
use crate::identity::{self, ContentHash, WorkspaceId};
use crate::language::Language;
use crate::store::{Point, Record};

/// A file as it is written, but for its embedding.
#[derive(Debug)]
pub(super) struct Whole {
    pub path: String,
    pub language: Language,
    pub content: ContentHash,
    pub end_line: u32,
    pub terms: SparseVector,
}

/// The sums of the embeddings of files' parts.
#[derive(Debug, Default)]
pub(super) struct Sums {
    by_path: HashMap<String, Vec<f32>>,
}

impl Sums {
    /// Adds the parts of files with their vectors. Each counts the same,
    /// however long its vector is.
    pub fn add(&mut self, documents: &[Document], points: &[Point]) {
        for (document, point) in documents.iter().zip(points) {
            let Some(vector) = &point.dense else { continue };
            let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
            let sum = self
                .by_path
                .entry(document.path.clone())
                .or_insert_with(|| vec![0.0; vector.len()]);
            for (sum, value) in sum.iter_mut().zip(vector) {
                *sum += value * scale;
            }
        }
    }

    /// The point of a file whose parts were all added; none if it has no part.
    /// Only directions are compared, so that the sum serves as the mean.
    pub fn point(&mut self, whole: Whole, workspace: &WorkspaceId, model: Option<&str>) -> Option<Point> {
        let dense = self.by_path.remove(&whole.path)?;
        Some(Point {
            id: identity::point_id(workspace, &whole.path, whole.content, 0, model),
            record: Record {
                workspace: workspace.clone(),
                path: whole.path,
                language: whole.language,
                kind: Kind::Module,
                symbol: None,
                start_line: 1,
                end_line: whole.end_line,
                content: whole.content,
                chunks: 1,
                text: String::new(),
            },
            sparse: whole.terms,
            dense: Some(dense),
        })
    }
}
