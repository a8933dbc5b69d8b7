//! What can go wrong between the window and the backend.

use shared::error::{Class, Code};

/// An error of this crate. Cheap to clone, because the window keeps it to show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer: refused, timed out, or the connection broke.
    #[error("the backend at {url} does not answer: {reason}")]
    Unreachable {
        /// Address that was tried.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The backend's major version differs.
    #[error("this window is version {client}, the backend is version {server}; they do not work together")]
    Incompatible {
        /// Version of this program.
        client: String,
        /// Version of the backend.
        server: String,
    },
    /// The backend refused and said why.
    #[error("{message}")]
    Refused {
        /// `E1001` … as the backend sent it.
        code: String,
        /// What it said.
        message: String,
        /// Whether it may be tried again: a server that is overloaded says
        /// no as well.
        class: Class,
    },
    /// The backend answered with something else than the contract says.
    #[error("the backend's answer cannot be understood: {0}")]
    Unexpected(String),
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
    /// There is no display, or it refused the window.
    #[error("the window cannot be opened: {0}")]
    Window(String),
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } => Class::Transient,
            Self::Incompatible { .. } | Self::Unexpected(_) => Class::Permanent,
            Self::Refused { class, .. } => *class,
            Self::Config(_) | Self::Window(_) => Class::User,
        }
    }

    /// The page that tells what to do.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } => Code::BackendUnreachable,
            Self::Incompatible { .. } => Code::VersionIncompatible,
            Self::Refused { code, .. } => Code::parse(code).unwrap_or(Code::BackendAnswerUnexpected),
            Self::Unexpected(_) => Code::BackendAnswerUnexpected,
            Self::Config(_) => Code::ClientConfigInvalid,
            Self::Window(_) => Code::WindowUnavailable,
        }
    }
}
