//! Which language a file is in, and what its text defines.
//!
//! Owns the table of languages, their grammars, and what the nodes of each
//! grammar mean. It must never know: a clock, I/O, what a definition is looked
//! for (search cuts files along them, edits replace them). Whoever bounds the
//! time of parsing says so in `go_on`.

mod definitions;
pub mod language;
mod quoted;
pub mod rules;
mod skeleton;
mod source;
mod test_files;

pub use definitions::{Definition, Outcome, Shape, definitions, definitions_of_whole, has_long_string, tree};
pub use language::Language;
pub use quoted::quoted;
pub use source::Source;
pub use test_files::is_test;

/// Bytes of a symbol.
pub const SYMBOL_BYTES_MAX: usize = 200;

macro_rules! kinds {
    ($($name:ident = $text:literal;)*) => {
        /// What a piece of a file is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $(#[doc = $text] $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The name used in payloads and events.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $text,)* }
            }
        }
    };
}

kinds! {
    Function = "function";
    Method = "method";
    Class = "class";
    Struct = "struct";
    Enum = "enum";
    Interface = "interface";
    Trait = "trait";
    Impl = "impl";
    Module = "module";
    Type = "type";
    Macro = "macro";
    Block = "block";
}

impl Kind {
    /// The kind that `as_str` named.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}
