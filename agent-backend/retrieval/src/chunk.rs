//! Cuts a file into chunks: a function, a method, the head of a type, or the
//! lines between them.
//!
//! Pure and bounded. Every line that holds a letter or a digit is in at least
//! one chunk, chunks of different lines never overlap, and no chunk is larger
//! than [`CHUNK_BYTES_MAX`], whatever the input.

mod lines;

use std::borrow::Cow;
use std::time::Duration;

pub use syntax::Kind;
use tokio::time::Instant;

use crate::language::Language;
use crate::walk;

/// Lines of one chunk.
pub const CHUNK_LINES_MAX: usize = 80;
/// Bytes of one chunk; about 600 tokens, so that a budget of 2500 tokens holds
/// several and an embedding model's window holds one.
pub const CHUNK_BYTES_MAX: usize = 2_400;
/// The last resort, for input on which single operations of the parser are slow
/// (half a megabyte of quotation marks in Rust). Ordinary code takes about a
/// microsecond per byte without optimisation, so half a second at most.
const PARSE_TIME_MAX: Duration = Duration::from_secs(3);

/// Says when parsing has taken too long.
pub(crate) fn in_time() -> impl FnMut() -> bool {
    let started = Instant::now();
    move || started.elapsed() <= PARSE_TIME_MAX
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// What it is.
    pub kind: Kind,
    /// The definition it belongs to, qualified by its type.
    pub symbol: Option<String>,
    /// First line, counted from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// The lines, without the last line's end.
    pub text: String,
}

/// How a file was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Along its syntax.
    Syntax,
    /// By lines: the language has no grammar here, or the text is large.
    Lines,
    /// By lines: its syntax took more steps than a file may.
    SyntaxGivenUp,
}

/// The chunks of a file, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks {
    /// How it was cut.
    pub cut: Cut,
    /// The chunks.
    pub chunks: Vec<Chunk>,
}

/// A [`Chunk`] that borrows.
#[derive(Debug)]
pub(crate) struct Piece<'t> {
    pub kind: Kind,
    pub symbol: Option<&'t str>,
    pub start_line: u32,
    pub end_line: u32,
    pub text: Cow<'t, str>,
}

/// Cuts the file with this text.
pub fn chunk(language: Language, text: &str) -> Chunks {
    let mut chunks = Vec::new();
    let cut = pieces(language, text, |piece| {
        chunks.push(Chunk {
            kind: piece.kind,
            symbol: piece.symbol.map(str::to_owned),
            start_line: piece.start_line,
            end_line: piece.end_line,
            text: piece.text.into_owned(),
        });
    });
    Chunks { cut, chunks }
}

/// [`chunk`], handing over one piece after the other.
pub(crate) fn pieces(language: Language, text: &str, mut each: impl FnMut(Piece<'_>)) -> Cut {
    // What is too large to be parsed is worth being found at all.
    let outcome = if walk::is_large(text) {
        syntax::Outcome::NoGrammar
    } else {
        syntax::definitions(language, text, &mut in_time())
    };
    let (cut, definitions) = match outcome {
        syntax::Outcome::Parsed(definitions) => (Cut::Syntax, definitions),
        syntax::Outcome::NoGrammar => (Cut::Lines, Vec::new()),
        syntax::Outcome::GivenUp => (Cut::SyntaxGivenUp, Vec::new()),
    };
    lines::cut(text, &definitions, &mut each);
    cut
}

#[cfg(test)]
mod tests;
