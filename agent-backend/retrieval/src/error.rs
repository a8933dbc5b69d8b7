//! What can go wrong, as the caller may act on it.

use std::path::PathBuf;

use shared::error::{Class, Code};

use crate::embed;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The workspace path is no directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The path that was given.
        path: PathBuf,
    },
    /// The workspace directory cannot be opened.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The path that was given.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The address of the vector database is no usable address.
    #[error("the vector database's address `{url}` cannot be used: {reason}")]
    Address {
        /// The configured address.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The vector database does not answer, or not in time.
    #[error("the vector database does not answer: {reason}")]
    Unavailable {
        /// What the client saw.
        reason: String,
    },
    /// The vector database answered a write or a listing with an error.
    #[error("the index could not be brought up to date: {reason}")]
    Index {
        /// What the database said.
        reason: String,
    },
    /// The vector database answered a search with an error.
    #[error("the search failed: {reason}")]
    Search {
        /// What the database said.
        reason: String,
    },
    /// A glob that was given cannot be read.
    #[error("the glob `{glob}` cannot be read: {problem}")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong.
        problem: String,
    },
    /// A search profile does not exist or makes no sense.
    #[error("the search profile cannot be used: {problem}")]
    Profile {
        /// What is wrong.
        problem: String,
    },
    /// The embedding model failed.
    #[error(transparent)]
    Embedding(#[from] embed::Failure),
    /// A background task ended without a result: a bug.
    #[error("a background task of the retrieval broke: {reason}")]
    TaskBroke {
        /// What the runtime said.
        reason: String,
    },
}

impl Error {
    /// What the caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::NotADirectory { .. }
            | Self::Unreadable { .. }
            | Self::Address { .. }
            | Self::Glob { .. }
            | Self::Profile { .. } => Class::User,
            Self::Unavailable { .. } => Class::Transient,
            Self::Index { .. } | Self::Search { .. } | Self::TaskBroke { .. } => Class::Permanent,
            Self::Embedding(failure) => failure.class,
        }
    }

    /// The page under `docs/errors/` that says what to do.
    pub fn code(&self) -> Code {
        match self {
            Self::NotADirectory { .. } => Code::WorkspaceNotADirectory,
            Self::Unreadable { .. } => Code::WorkspaceUnreadable,
            Self::Address { .. } | Self::Profile { .. } => Code::ConfigInvalid,
            Self::Glob { .. } => Code::InvalidRequest,
            Self::Unavailable { .. } => Code::VectorDbUnavailable,
            Self::Index { .. } => Code::IndexFailed,
            Self::Search { .. } => Code::SearchFailed,
            Self::Embedding(failure) => failure.code,
            Self::TaskBroke { .. } => Code::Internal,
        }
    }
}
