//! A file as what the vector database holds of it: its chunks with the text to
//! embed, and its terms. Pure.

use shared::redact::redact;

use crate::bm25::{self, SparseVector};
use crate::chunk::{self, Chunk, Cut};
use crate::identity::ContentHash;
use crate::language::Language;
use crate::{tokenize, walk};

/// Chunks of a file too large to be parsed; what follows is found by its words
/// alone, and costs no embedding.
const LARGE_CHUNKS_MAX: usize = 64;

/// A chunk and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Path relative to the workspace.
    pub path: String,
    /// Language of the file.
    pub language: Language,
    /// Hash of the file.
    pub content: ContentHash,
    /// Number of this chunk in the file, from 0.
    pub ordinal: usize,
    /// Chunks of the file.
    pub of: usize,
    /// The chunk, with credentials replaced.
    pub chunk: Chunk,
}

impl Document {
    /// The text to embed: the code under its name. The path is no part of it
    /// (it is searched by its own words), so that a file that is renamed, or is
    /// in another clone, has the vectors that it had.
    pub fn embedding_text(&self) -> String {
        match &self.chunk.symbol {
            Some(symbol) => format!("{symbol}\n{}", self.chunk.text),
            None => self.chunk.text.clone(),
        }
    }
}

/// The documents of a file and how it was cut.
pub fn documents(path: &str, text: &str, content: ContentHash) -> (Vec<Document>, Cut) {
    let language = Language::of(path);
    let cut = chunk::chunk(language, text);
    let mut chunks = cut.chunks;
    if walk::is_large(text) {
        chunks.truncate(LARGE_CHUNKS_MAX);
    }
    let of = chunks.len();
    let documents = chunks.into_iter().enumerate().map(|(ordinal, mut chunk)| {
        // What is stored must hold no key, and a stored text is what a model sees.
        if let std::borrow::Cow::Owned(redacted) = redact(&chunk.text) {
            chunk.text = redacted;
        }
        Document {
            path: path.to_owned(),
            language,
            content,
            ordinal,
            of,
            chunk,
        }
    });
    (documents.collect(), cut.cut)
}

/// The terms of a whole file, those of its path among them.
pub fn terms(path: &str, text: &str) -> SparseVector {
    let body = tokenize::terms(text);
    let path = tokenize::path_terms(path);
    bm25::document(body.iter().chain(&path).map(String::as_str), body.len())
}
