//! What the engine's loop needs from the outside, as traits. Implementations
//! live in other crates; the runtime joins them.

pub mod journal;
pub mod sessions;

pub use journal::Journal;
pub use sessions::Sessions;
use shared::error::{Class, Code};

/// A boxed future, so that ports are object safe without an async runtime.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An error that crossed a port, with what its receiver needs to act on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What to do about it.
    pub class: Class,
    /// The page that explains it.
    pub code: Code,
    /// For a person.
    pub message: String,
}
