//! Why nothing was run.

use std::{io, path::PathBuf};

use shared::error::{Class, Code};

use crate::options::Kind;

/// Why a sandbox cannot be had, or a job was not run in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration says that there is none.
    #[error("the sandbox is turned off by the configuration, and nothing is run without one")]
    TurnedOff,
    /// No engine can be used here.
    #[error("no sandbox can be used here: {}", reasons(why))]
    Unavailable {
        /// Each engine that was asked for, and what is wrong with it.
        why: Vec<(Kind, String)>,
    },
    /// A job that cannot be given what it asks for.
    #[error("the sandbox cannot show {}: {reason}", path.display())]
    Mount {
        /// What was to be mounted, or where.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// An image of a container engine is not there and could not be made.
    #[error("there is no image {image}: {detail}")]
    Image {
        /// Its name.
        image: String,
        /// What to do, or the last words of the engine.
        detail: String,
    },
    /// The engine or the helper failed before the program began.
    #[error("the sandbox could not be set up: {detail}")]
    Setup {
        /// In its words.
        detail: String,
    },
    /// Something of the operating system failed.
    #[error("the sandbox could not {what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::TurnedOff | Self::Unavailable { .. } => Class::User,
            Self::Mount { .. } | Self::Setup { .. } => Class::Permanent,
            Self::Image { .. } | Self::Io { .. } => Class::Transient,
        }
    }

    /// The code whose page tells a person what to do.
    pub fn code(&self) -> Code {
        match self {
            Self::TurnedOff | Self::Unavailable { .. } => Code::SandboxUnavailable,
            Self::Mount { .. } => Code::SandboxMountRefused,
            Self::Image { .. } => Code::SandboxImage,
            Self::Setup { .. } | Self::Io { .. } => Code::SandboxFailed,
        }
    }

    pub(crate) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

fn reasons(why: &[(Kind, String)]) -> String {
    let each: Vec<String> = why
        .iter()
        .map(|(kind, reason)| format!("{kind}: {reason}"))
        .collect();
    each.join("; ")
}
