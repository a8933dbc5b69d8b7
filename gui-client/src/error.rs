//! What can go wrong between the window and the backend, or another agent.

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
    /// An agent cannot be started or reached, or it is gone.
    #[error("{agent} cannot be reached: {reason}")]
    AgentGone {
        /// What the configuration calls it.
        agent: String,
        /// What the system, or its last words, said.
        reason: String,
    },
    /// An agent answered with an error.
    #[error("the agent refused: {message} ({code})")]
    AgentRefused {
        /// The protocol's code, for example -32602.
        code: i32,
        /// What it said.
        message: String,
    },
    /// An agent wants to know who one is first.
    #[error("the agent wants you to sign in first: {0}")]
    SignInNeeded(String),
    /// What an agent or the person named lies outside the folder, or is no text.
    #[error("{path}: {reason}")]
    File {
        /// The path as it was named.
        path: String,
        /// Why it is not read or written.
        reason: String,
    },
    /// There is no display, or it refused the window.
    #[error("the window cannot be opened: {0}")]
    Window(String),
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } | Self::AgentGone { .. } => Class::Transient,
            Self::Incompatible { .. } | Self::Unexpected(_) | Self::AgentRefused { .. } => Class::Permanent,
            Self::Refused { class, .. } => *class,
            Self::Config(_) | Self::Window(_) | Self::SignInNeeded(_) | Self::File { .. } => Class::User,
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
            Self::AgentGone { .. } => Code::AgentUnavailable,
            Self::AgentRefused { .. } => Code::AgentRefused,
            Self::SignInNeeded(_) => Code::AgentSignIn,
            Self::File { .. } => Code::AgentFileRefused,
            Self::Window(_) => Code::WindowUnavailable,
        }
    }
}
