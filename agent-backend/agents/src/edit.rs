//! Edits: how a model writes changes, how they are read and applied.
//!
//! Whatever is read is applied exactly or refused; a wrong silent application
//! is the one thing that must not happen. `docs/edits.md` describes the
//! formats and every refusal.

mod all;
mod apply;
mod block;
mod fence;
mod format;
mod heading;
mod ladder;
mod likeness;
mod lines;
mod nearest;
mod parse;
pub mod path;
mod placeholder;
mod render;

pub use all::{Changed, apply_all};
pub use apply::apply;
pub use format::{Format, WHOLE_FILE_TOKENS_MAX};
pub use parse::{ANSWER_BYTES_MAX, BLOCKS_MAX, EDITS_MAX, Parsed, parse, read};
pub use path::check as check_path;
pub use placeholder::placeholder;
pub(crate) use render::fenced;

/// What an answer does to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Path relative to the workspace, `/` between parts, lexically checked.
    pub path: String,
    /// What happens to it.
    pub change: Change,
}

/// What happens to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It gets this text, whether it exists or not. Lines end with `\n`.
    Write {
        /// The whole text.
        text: String,
    },
    /// Parts of it are replaced, one after the other.
    Replace {
        /// At least one.
        blocks: Vec<Block>,
    },
    /// It is removed.
    Delete,
}

/// One search-and-replace block. Both texts are whole lines that end with
/// `\n`, or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Lines of the file; empty for a file that does not exist yet.
    pub search: String,
    /// Lines that take their place.
    pub replace: String,
}

#[cfg(test)]
mod tests;
