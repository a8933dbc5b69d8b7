//! A file's chunks as what is searched: the terms and the text to embed.
//!
//! Pure and the same for every store, so that a keyword search in memory ranks
//! as one in the vector database does.

use shared::redact::redact;

use crate::bm25::{self, SparseVector};
use crate::chunk::{self, Chunk, Cut};
use crate::identity::ContentHash;
use crate::language::Language;
use crate::tokenize;

/// How often the terms of a chunk's symbol are counted on top of the text: the
/// definition of a name ranks above its uses.
const SYMBOL_BOOST: usize = 2;

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
    /// Its terms.
    pub sparse: SparseVector,
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
    let path_terms = tokenize::path_terms(path);
    let of = cut.chunks.len();
    let documents = cut.chunks.into_iter().enumerate().map(|(ordinal, mut chunk)| {
        let sparse = sparse(&chunk, &path_terms);
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
            sparse,
        }
    });
    (documents.collect(), cut.cut)
}

fn sparse(chunk: &Chunk, path_terms: &[String]) -> SparseVector {
    let body = tokenize::terms(&chunk.text);
    let symbol = chunk.symbol.as_deref().map(tokenize::terms).unwrap_or_default();
    let boosted = symbol.iter().cycle().take(symbol.len() * SYMBOL_BOOST);
    let terms = body.iter().chain(path_terms).chain(boosted).map(String::as_str);
    bm25::document(terms, body.len())
}
