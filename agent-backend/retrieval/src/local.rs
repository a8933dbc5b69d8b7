//! Keyword search in this process, for when the vector database does not
//! answer: the same chunks, terms and BM25, with the IDF of this workspace.
//!
//! Files whose hash has not changed are not read again.

use std::collections::BTreeMap;
use std::path::Path;

use crate::bm25::Idf;
use crate::document::{self, Document};
use crate::identity::ContentHash;
use crate::report::Item;
use crate::search::{self, Question};
use crate::walk::{self, Scan, SkipReason};

/// The chunks of a workspace in memory.
#[derive(Debug, Default)]
pub struct LocalIndex {
    files: BTreeMap<String, LocalFile>,
    idf: Idf,
}

#[derive(Debug)]
struct LocalFile {
    hash: ContentHash,
    documents: Vec<Document>,
}

impl LocalIndex {
    /// Makes the index equal to the files at `root` as `scan` found them. Reads
    /// and parses: call it off the async threads. Returns how many files had
    /// changed under the scan in a way that keeps them out.
    pub fn update(&mut self, root: &Path, scan: &Scan) -> BTreeMap<SkipReason, usize> {
        let mut skipped = BTreeMap::new();
        let mut old = std::mem::take(&mut self.files);
        for stamp in &scan.files {
            if let Some(file) = old.remove(&stamp.path).filter(|file| file.hash == stamp.hash) {
                self.files.insert(stamp.path.clone(), file);
                continue;
            }
            match walk::read(root, &stamp.path) {
                Ok((text, hash)) => {
                    let (documents, _) = document::documents(&stamp.path, &text, hash);
                    self.files
                        .insert(stamp.path.clone(), LocalFile { hash, documents });
                }
                Err(reason) => *skipped.entry(reason).or_default() += 1,
            }
        }
        self.idf = Idf::of(self.documents().map(|document| &document.sparse));
        skipped
    }

    /// Chunks in the index.
    pub fn chunks(&self) -> usize {
        self.documents().count()
    }

    /// The best chunks for a question, best first.
    pub fn search(&self, question: &Question, limit: usize) -> Vec<Item> {
        let scored = self.documents().filter_map(|document| {
            let score = self.idf.score(&question.sparse, &document.sparse);
            (score > 0.0).then_some((score, document))
        });
        let mut scored: Vec<(f32, &Document)> = scored.collect();
        // Stable: equal scores stay in the order of path and line.
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.truncate(limit);
        let items = scored.into_iter().map(|(score, document)| Item {
            path: document.path.clone(),
            start_line: document.chunk.start_line,
            end_line: document.chunk.end_line,
            symbol: document.chunk.symbol.clone(),
            score: f64::from(score),
            text: document.chunk.text.clone(),
        });
        search::in_order(items.collect())
    }

    fn documents(&self) -> impl Iterator<Item = &Document> {
        self.files.values().flat_map(|file| &file.documents)
    }
}
