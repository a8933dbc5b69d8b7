//! The one error that edges see: class, code and a message for a person.
//! Everything the backend's crates can say is turned into it here.

use engine::{Reject, artifact::Failure, ports};
use shared::error::{Class, Code};

/// What went wrong.
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

impl Error {
    /// The request was wrong.
    pub fn user(code: Code, message: impl Into<String>) -> Self {
        Self {
            class: Class::User,
            code,
            message: message.into(),
        }
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self {
            class: Class::Permanent,
            code: Code::Internal,
            message: message.into(),
        }
    }

    /// Nothing has this id.
    pub fn unknown_workflow(id: &str) -> Self {
        Self::user(
            Code::UnknownWorkflow,
            format!("there is no workflow `{id}`; `workflows list` shows them"),
        )
    }
}

impl From<Reject> for Error {
    fn from(reject: Reject) -> Self {
        Self {
            class: reject.class(),
            code: reject.code(),
            message: reject.to_string(),
        }
    }
}

impl From<ports::Error> for Error {
    fn from(error: ports::Error) -> Self {
        Self {
            class: error.class,
            code: error.code,
            message: error.message,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            class: error.class,
            code: error.code,
            message: error.message,
        }
    }
}

impl From<agents::Error> for Error {
    fn from(error: agents::Error) -> Self {
        // The next attempt is another request, with what was wrong in it; there
        // is nothing to wait for.
        Self {
            class: Class::Permanent,
            code: error.code(),
            message: error.to_string(),
        }
    }
}

macro_rules! from_coded {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self { class: error.class(), code: error.code(), message: error.to_string() }
            }
        }
    )*};
}

from_coded!(
    inference::Error,
    journal::Error,
    ::mcp::Error,
    models::Error,
    retrieval::Error,
    tools::Error
);
