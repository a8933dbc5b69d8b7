//! What is the matter with a server, in words for a person.

use shared::error::Code;

/// Something that keeps tools from being offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The server's name.
    pub server: String,
    /// The page that explains it.
    pub code: Code,
    /// What is the matter, and what to do.
    pub message: String,
}
