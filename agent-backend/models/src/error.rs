//! What can go wrong between us and a model server.

use std::{fmt, time::Duration};

use shared::error::{Class, Code};

use crate::Context;

/// The part of a call that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Loading the model into memory.
    Load,
    /// Reading the prompt, up to the first piece of the answer.
    FirstByte,
    /// Between two pieces of the answer.
    Idle,
    /// The whole answer.
    Total,
    /// A question about the server itself.
    Status,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load => "loading the model",
            Self::FirstByte => "the first piece of the answer",
            Self::Idle => "the next piece of the answer",
            Self::Total => "the end of the answer",
            Self::Status => "the server's status",
        })
    }
}

/// What kind of trouble a failed call is in: what may help, and not what
/// happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Nobody answers, too late, or not to the end: the same call may do better
    /// in a moment.
    Network,
    /// The server does not accept who asks.
    Auth,
    /// So many calls are not allowed.
    RateLimit,
    /// The server has too much to do.
    Overload,
    /// More was sent than the model can see.
    ContextOverflow,
    /// This server will never answer it as things are: it lacks the model, or
    /// is no model server.
    Unfit,
    /// The request itself is wrong: no server would answer it.
    Invalid,
}

/// Why a call failed. Messages carry no credentials: a URL is shown without
/// user and password, text of the server is bounded and redacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody listens, the name does not resolve, or TLS fails.
    #[error("Ollama does not answer at {url} ({reason}); start it with `ollama serve`")]
    Unreachable {
        /// Where it was expected.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The server does not have the model.
    #[error("the model {model} is not pulled; get it with `ollama pull {model}`")]
    ModelMissing {
        /// Its name.
        model: String,
    },
    /// A limit in time was reached; the call was cancelled at the server.
    #[error("waited {limit_ms} ms for {phase}")]
    Timeout {
        /// What was waited for.
        phase: Phase,
        /// The limit.
        limit_ms: u64,
    },
    /// The answer began and did not end as it should.
    #[error("the model's answer broke off: {reason}")]
    StreamBroken {
        /// What was seen instead.
        reason: String,
    },
    /// The server failed before the answer began (status 5xx).
    #[error("the model server failed with status {status}: {message}")]
    Failed {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The server does not accept the request (status 4xx).
    #[error("the model server refused the request with status {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The server has too much to do (status 429, 502, 503, 504).
    #[error("the model server is overloaded (status {status}): {message}")]
    Overloaded {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
        /// How long it asks to wait, if it says.
        retry_after: Option<Duration>,
    },
    /// The model sees, or would see, less than it is sent.
    #[error("the model saw less than it was sent: {0}")]
    ContextTruncated(Context),
    /// Something answers, but not as Ollama does.
    #[error("{url} does not answer like Ollama: {reason}")]
    NotOllama {
        /// The address.
        url: String,
        /// What it did.
        reason: String,
    },
    /// Nobody listens where a model server was expected.
    #[error("no model server answers at {url} ({reason}); check the address and the network")]
    NoServer {
        /// Where it was expected.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The server does not have the model, or not for this key.
    #[error("the server at {url} has no model {model}, or not for this key; check the model's name")]
    ModelUnknown {
        /// Its name.
        model: String,
        /// The server.
        url: String,
    },
    /// Another model answers than the one that was asked.
    #[error("{answered} answers in place of {asked}; check what is loaded, and what stands in between")]
    WrongModel {
        /// The one that was asked.
        asked: String,
        /// The one that answers.
        answered: String,
    },
    /// The server wants another key, or one at all.
    #[error(
        "the server at {url} does not accept the key, or misses one (status {status}); check what `key_env` or `key_file` names"
    )]
    KeyRefused {
        /// The server.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Something answers, but not as its interface does.
    #[error("{url} does not answer like a model server: {reason}")]
    NotAServer {
        /// The address.
        url: String,
        /// What it did.
        reason: String,
    },
    /// Who answers cannot prove to be the server.
    #[error("the certificate of {url} fails: {reason}")]
    CertificateRefused {
        /// The server.
        url: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The server says that more was sent than the model can read.
    #[error("more was sent than {model} can read: {message}")]
    ContextOverflow {
        /// The model.
        model: String,
        /// What the server said.
        message: String,
    },
    /// The account has no money or no calls left; waiting does not help.
    #[error("the account at {url} has nothing left: {message}")]
    QuotaSpent {
        /// The server.
        url: String,
        /// What it said.
        message: String,
    },
    /// The provider cannot be built from its options, or a request from its
    /// parts: the caller's mistake, found before anything is sent.
    #[error("{reason}")]
    Invalid {
        /// Which option and why.
        reason: String,
    },
}

impl Error {
    /// An answer that began and did not end as it should.
    pub(crate) fn broken(reason: impl fmt::Display) -> Self {
        Self::StreamBroken {
            reason: reason.to_string(),
        }
    }

    /// An answer that ended without saying so.
    pub fn unfinished() -> Self {
        Self::broken("it ends without its last line")
    }

    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. }
            | Self::NoServer { .. }
            | Self::Timeout { .. }
            | Self::StreamBroken { .. }
            | Self::Failed { .. }
            | Self::Overloaded { .. } => Class::Transient,
            Self::Refused { .. } | Self::ContextTruncated(_) | Self::ContextOverflow { .. } => {
                Class::Permanent
            }
            Self::ModelMissing { .. }
            | Self::ModelUnknown { .. }
            | Self::WrongModel { .. }
            | Self::KeyRefused { .. }
            | Self::NotOllama { .. }
            | Self::NotAServer { .. }
            | Self::CertificateRefused { .. }
            | Self::QuotaSpent { .. }
            | Self::Invalid { .. } => Class::User,
        }
    }

    /// The code whose page explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } => Code::OllamaUnreachable,
            Self::NoServer { .. } => Code::ModelServerUnreachable,
            Self::ModelMissing { .. } | Self::ModelUnknown { .. } => Code::ModelNotPulled,
            Self::WrongModel { .. } => Code::WrongModel,
            Self::KeyRefused { .. } => Code::KeyRefused,
            Self::Timeout { .. } => Code::ModelTimeout,
            Self::StreamBroken { .. } | Self::Failed { .. } => Code::ModelStreamBroken,
            Self::Refused { .. } => Code::ModelRefused,
            Self::Overloaded { .. } => Code::ModelOverloaded,
            Self::ContextTruncated(_) => Code::ContextTruncated,
            Self::NotOllama { .. } | Self::NotAServer { .. } => Code::NotAModelServer,
            Self::CertificateRefused { .. } => Code::CertificateRefused,
            Self::ContextOverflow { .. } => Code::ContextOverflow,
            Self::QuotaSpent { .. } => Code::QuotaSpent,
            Self::Invalid { .. } => Code::ConfigInvalid,
        }
    }

    /// What may help.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Unreachable { .. }
            | Self::NoServer { .. }
            | Self::Timeout { .. }
            | Self::StreamBroken { .. }
            | Self::Failed { .. } => Trouble::Network,
            Self::Overloaded { status: 429, .. } => Trouble::RateLimit,
            Self::Overloaded { .. } => Trouble::Overload,
            Self::KeyRefused { .. } | Self::QuotaSpent { .. } => Trouble::Auth,
            Self::Refused {
                status: 401 | 403 | 407,
                ..
            } => Trouble::Auth,
            Self::ContextTruncated(_) | Self::ContextOverflow { .. } => Trouble::ContextOverflow,
            Self::ModelMissing { .. }
            | Self::ModelUnknown { .. }
            | Self::WrongModel { .. }
            | Self::NotOllama { .. }
            | Self::NotAServer { .. }
            | Self::CertificateRefused { .. } => Trouble::Unfit,
            Self::Refused { .. } | Self::Invalid { .. } => Trouble::Invalid,
        }
    }

    /// How long the server asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } => *retry_after,
            Self::Unreachable { .. }
            | Self::ModelMissing { .. }
            | Self::Timeout { .. }
            | Self::StreamBroken { .. }
            | Self::Failed { .. }
            | Self::Refused { .. }
            | Self::ContextTruncated(_)
            | Self::NotOllama { .. }
            | Self::NoServer { .. }
            | Self::ModelUnknown { .. }
            | Self::WrongModel { .. }
            | Self::KeyRefused { .. }
            | Self::NotAServer { .. }
            | Self::CertificateRefused { .. }
            | Self::ContextOverflow { .. }
            | Self::QuotaSpent { .. }
            | Self::Invalid { .. } => None,
        }
    }
}
