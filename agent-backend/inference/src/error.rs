//! What can go wrong with a model of one's own.

use std::path::{Path, PathBuf};

use shared::error::{Class, Code};

/// Why a model cannot be loaded or run. Messages name files, never texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The model, or a file of it, is not there.
    #[error("there is no model at {place}: {reason}")]
    Missing {
        /// The folder or the name that was asked for.
        place: String,
        /// Which file is missing or where it was looked for.
        reason: String,
    },
    /// The files are there and cannot be used.
    #[error("the model in {place} cannot be used: {reason}")]
    Unusable {
        /// The folder.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// ONNX Runtime was asked for and cannot be loaded.
    #[error("ONNX Runtime cannot be used: {reason}")]
    Library {
        /// Where it was looked for, or what it said.
        reason: String,
    },
    /// The model began and failed.
    #[error("the model failed: {reason}")]
    Failed {
        /// What the runtime said.
        reason: String,
    },
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Missing { .. } | Self::Unusable { .. } | Self::Library { .. } => Class::User,
            Self::Failed { .. } => Class::Permanent,
        }
    }

    /// The code whose page explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::Unusable { .. } | Self::Library { .. } => Code::LocalModelUnusable,
            Self::Failed { .. } => Code::EmbeddingFailed,
        }
    }

    pub(crate) fn missing(place: &Path, reason: impl Into<String>) -> Self {
        Self::Missing {
            place: place.display().to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn unusable(place: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable {
            place: place.display().to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
        }
    }
}

/// The folder that holds `file`, for messages.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    file.parent().map_or_else(|| file.to_owned(), Path::to_path_buf)
}
