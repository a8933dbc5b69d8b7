//! What can go wrong with a language server, and what to do then.

use std::io;

use shared::error::{Class, Code};

use crate::Server;

/// A failure of a language server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program cannot be started.
    #[error("{server} cannot be started: {source}")]
    NotStarted {
        /// Which server.
        server: Server,
        /// Why not.
        source: io::Error,
    },
    /// The process ended, or closed its output, while it was needed.
    #[error("{server} ended {how}{}", tail(stderr))]
    Died {
        /// Which server.
        server: Server,
        /// With which exit status or signal.
        how: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// It did not answer in time.
    #[error("{server} did not answer {what} within {} s{}", patience.as_secs_f32(), tail(stderr))]
    TimedOut {
        /// Which server.
        server: Server,
        /// The request, or what was waited for.
        what: String,
        /// How long it was waited for.
        patience: std::time::Duration,
        /// The end of its standard error.
        stderr: String,
    },
    /// Nobody waits for it any more.
    #[error("{server} was stopped")]
    Stopped {
        /// Which server.
        server: Server,
    },
    /// What it writes is not the protocol.
    #[error(
        "{server} does not speak the Language Server Protocol: {detail}{}",
        tail(stderr)
    )]
    Garbage {
        /// Which server.
        server: Server,
        /// What is wrong.
        detail: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// It answered with an error.
    #[error("{server} refused {what}: {message}")]
    Refused {
        /// Which server.
        server: Server,
        /// The request.
        what: String,
        /// What the server says.
        message: String,
    },
    /// A document was not opened before it was asked for.
    #[error("`{path}` is not open")]
    NotOpen {
        /// The path.
        path: String,
    },
    /// A path that has no place under the root.
    #[error("`{path}` cannot be named to a language server")]
    BadPath {
        /// The path.
        path: String,
    },
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Died { .. } | Self::TimedOut { .. } | Self::Stopped { .. } => Class::Transient,
            Self::Garbage { .. } | Self::Refused { .. } | Self::NotOpen { .. } | Self::BadPath { .. } => {
                Class::Permanent
            }
            Self::NotStarted { .. } => Class::User,
        }
    }

    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::NotStarted { .. } => Code::LanguageServerNotStarted,
            Self::Died { .. }
            | Self::TimedOut { .. }
            | Self::Stopped { .. }
            | Self::Garbage { .. }
            | Self::Refused { .. } => Code::LanguageServerFailed,
            Self::NotOpen { .. } | Self::BadPath { .. } => Code::Internal,
        }
    }
}

/// The end of standard error as a part of a sentence.
fn tail(stderr: &str) -> String {
    if stderr.is_empty() {
        String::new()
    } else {
        format!("; it last wrote: {stderr}")
    }
}
