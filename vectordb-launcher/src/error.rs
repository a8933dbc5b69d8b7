//! What can keep the launcher from its work, for the person who runs it.

use std::{io, net::SocketAddr, path::PathBuf};

use shared::error::{Class, Code};

/// Why the launcher stops or cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file or a variable cannot be used.
    #[error(transparent)]
    Load(#[from] shared::config::Error),
    /// Settings that do not go together.
    #[error("{0}")]
    Config(String),
    /// Listening beyond this machine without a key.
    #[error(
        "{host} is reachable from other machines and there is no API key; set one (--api-key or \
         AGENTIC_IDE_VECTORDB_API_KEY) or listen on 127.0.0.1"
    )]
    BindRefused {
        /// The address that was asked for.
        host: std::net::IpAddr,
    },
    /// Another process has the port.
    #[error("the {service} port {address} is in use{}; stop it or choose another port (--{service}-port)",
        holder.as_ref().map_or(String::new(), |holder| format!(" by {holder}")))]
    PortInUse {
        /// `http`, `grpc` or `control`.
        service: &'static str,
        /// Where it was to listen.
        address: SocketAddr,
        /// Name and pid, if the system tells.
        holder: Option<String>,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address} for {service}: {source}")]
    Listen {
        /// `http`, `grpc` or `control`.
        service: &'static str,
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The qdrant program is missing, cannot be run or does not come up.
    #[error("{0}")]
    Qdrant(String),
    /// The data directory cannot be used.
    #[error("{0}")]
    Store(String),
    /// A file of the launcher cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A migration did not come to its end.
    #[error("the migration stopped: {0}; start it again to go on")]
    Migrate(#[from] crate::migrate::Error),
    /// A server stopped by itself.
    #[error("the {service} server failed: {reason}")]
    Serve {
        /// `http`, `grpc` or `control`.
        service: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Result of the launcher's own work.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What the caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Load(_)
            | Self::Config(_)
            | Self::BindRefused { .. }
            | Self::PortInUse { .. }
            | Self::Listen { .. } => Class::User,
            Self::Qdrant(_) | Self::Migrate(_) => Class::Permanent,
            Self::Store(_) | Self::Write { .. } | Self::Serve { .. } => Class::Fatal,
        }
    }

    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Load(_) | Self::Config(_) | Self::Listen { .. } => Code::LauncherConfigInvalid,
            Self::BindRefused { .. } => Code::BindRefused,
            Self::PortInUse { .. } => Code::LauncherPortInUse,
            Self::Qdrant(_) => Code::QdrantNotStarted,
            Self::Store(_) | Self::Write { .. } => Code::StoreUnusable,
            Self::Migrate(_) => Code::MigrationFailed,
            Self::Serve { .. } => Code::Internal,
        }
    }
}

#[cfg(feature = "embedded")]
impl From<crate::embedded::store::OpenError> for Error {
    fn from(error: crate::embedded::store::OpenError) -> Self {
        Self::Store(error.to_string())
    }
}
