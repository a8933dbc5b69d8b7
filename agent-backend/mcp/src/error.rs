//! What can go wrong with a server, and what to do then.

use std::time::Duration;

use shared::error::{Class, Code};

/// A failure of a server or of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its definition cannot be used.
    #[error("the MCP server `{server}` cannot be used: {reason}")]
    Invalid {
        /// Which server.
        server: String,
        /// What is wrong with its definition.
        reason: String,
    },
    /// It cannot be started, or is not there.
    #[error("the MCP server `{server}` cannot be started or reached: {reason}")]
    NotStarted {
        /// Which server.
        server: String,
        /// Why not, with the end of its standard error.
        reason: String,
    },
    /// It ended, or broke off, while it was needed.
    #[error("the MCP server `{server}` broke off: {reason}")]
    Broken {
        /// Which server.
        server: String,
        /// What is known, with the end of its standard error.
        reason: String,
    },
    /// It did not answer in time.
    #[error("the MCP server `{server}` did not answer {what} within {} s", patience.as_secs_f32())]
    TimedOut {
        /// Which server.
        server: String,
        /// What was asked.
        what: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// It answered with an error of the protocol.
    #[error("the MCP server `{server}` refused `{tool}`: {message} ({code})")]
    Refused {
        /// Which server.
        server: String,
        /// Its name of the tool.
        tool: String,
        /// The number of the error.
        code: i32,
        /// What it says.
        message: String,
    },
    /// It answered with something else than a result.
    #[error("the MCP server `{server}` answered `{tool}` with {what}")]
    Unexpected {
        /// Which server.
        server: String,
        /// Its name of the tool.
        tool: String,
        /// What came.
        what: &'static str,
    },
    /// Which servers of repositories are trusted is not known, or cannot be kept.
    #[error("the trusted MCP servers of repositories cannot be read or kept: {reason}")]
    Trust {
        /// Why not.
        reason: String,
    },
    /// No such tool is offered.
    #[error("there is no tool `{name}`")]
    UnknownTool {
        /// The name that was called.
        name: String,
    },
    /// The arguments are beyond the bound.
    #[error("the arguments of `{name}` have {bytes} bytes; up to {max} are sent")]
    ArgumentsTooLarge {
        /// The name that was called.
        name: String,
        /// Their size as JSON.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Broken { .. } | Self::TimedOut { .. } => Class::Transient,
            Self::Refused { .. } | Self::Unexpected { .. } => Class::Permanent,
            Self::Invalid { .. }
            | Self::NotStarted { .. }
            | Self::Trust { .. }
            | Self::UnknownTool { .. }
            | Self::ArgumentsTooLarge { .. } => Class::User,
        }
    }

    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid { .. } => Code::McpServerInvalid,
            Self::NotStarted { .. } => Code::McpServerNotStarted,
            Self::Trust { .. } => Code::McpTrustUnusable,
            Self::Broken { .. } | Self::TimedOut { .. } | Self::Unexpected { .. } => Code::McpServerFailed,
            Self::Refused { .. } | Self::UnknownTool { .. } | Self::ArgumentsTooLarge { .. } => {
                Code::McpCallRefused
            }
        }
    }
}
