//! Edits: how a model writes changes, how they are read and applied.
//!
//! Whatever is read is applied exactly or refused; a wrong silent application
//! is the one thing that must not happen. `docs/edits.md` describes the
//! formats and every refusal.

mod all;
mod apply;
mod block;
mod define;
mod fence;
mod format;
mod heading;
mod hunk;
mod ladder;
mod likeness;
mod lines;
mod merge;
mod nearest;
mod parse;
mod patch;
pub mod path;
mod placeholder;
mod render;

pub use all::{Changed, apply_all};
pub use apply::apply;
pub use format::{Format, Largest, WHOLE_FILE_TOKENS_MAX};
pub use merge::{BLOCKS_MAX, EDITS_MAX};
pub use parse::{ANSWER_BYTES_MAX, Parsed, parse, read};
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
    /// It comes into being with this text. Lines end with `\n`.
    Create {
        /// The whole text.
        text: String,
    },
    /// Parts of it are replaced, one after the other.
    Replace {
        /// At least one.
        blocks: Vec<Block>,
    },
    /// A patch of it: every hunk is meant for the file as it is.
    Patch {
        /// At least one.
        hunks: Vec<Hunk>,
    },
    /// Whole definitions of it are written.
    Define {
        /// The definitions, one after the other.
        definitions: Vec<Definition>,
        /// What is in no definition, such as imports; replaced afterwards.
        blocks: Vec<Block>,
    },
    /// It is removed.
    Delete,
    /// It is removed, and these hunks say what it holds.
    Remove {
        /// At least one.
        hunks: Vec<Hunk>,
    },
    /// It gets another path, where no file is yet.
    Move {
        /// The new path.
        to: String,
        /// What happens to its text on the way.
        then: Option<Box<Change>>,
    },
}

impl Edit {
    /// The paths whose texts decide what becomes of the edit: its own, and the
    /// one that the file moves to.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let to = match &self.change {
            Change::Move { to, .. } => Some(to.as_str()),
            Change::Write { .. }
            | Change::Create { .. }
            | Change::Replace { .. }
            | Change::Patch { .. }
            | Change::Define { .. }
            | Change::Delete
            | Change::Remove { .. } => None,
        };
        std::iter::once(self.path.as_str()).chain(to)
    }
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

/// One hunk of a patch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hunk {
    /// Its lines, without their marks and ends.
    pub lines: Vec<Marked>,
    /// Line of the file, from 1, at which its header places it. Models count
    /// badly: it only decides between places that fit equally.
    pub line: Option<usize>,
    /// Where else its header places it.
    pub heading: Heading,
    /// Whether it says that it reaches the end of the file; it only decides
    /// between places that fit equally.
    pub at_end: bool,
    /// Whether a line has no mark, so that it was taken for context.
    pub unmarked: bool,
}

/// What a hunk's header says beside line numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Heading {
    /// Nothing.
    #[default]
    None,
    /// A line above the hunk; it only decides between places that fit equally.
    Hint(String),
    /// Lines, the outermost first, in whose block the hunk is if the file has them.
    Within(Vec<String>),
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// What is done with it.
    pub mark: Mark,
    /// The line.
    pub text: String,
}

/// What a hunk does with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is there and stays.
    Context,
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

/// A function, method or type, as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name, as far qualified as it must be: `greet`, `Greeter.greet`.
    pub symbol: String,
    /// All of it. Whole lines that end with `\n`.
    pub text: String,
    /// Where a new one goes; none for one that the file has.
    pub place: Option<Place>,
}

/// Where a new definition goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Behind this one.
    After(String),
    /// Before this one.
    Before(String),
    /// Behind the last one in this type or module.
    In(String),
    /// At the end of the file.
    End,
}

#[cfg(test)]
mod tests;
