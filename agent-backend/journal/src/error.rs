//! What can go wrong with the journal, and what to do about it.

use std::path::PathBuf;

use engine::ports;
use shared::{
    error::{Class, Code},
    id::{Seq, SessionId, WorkflowId},
};

/// What went wrong. Cloneable, because one failed commit answers many callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The directory or the file cannot be used; nothing was changed.
    #[error("the journal in {} cannot be opened: {reason}", dir.display())]
    Open {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        reason: String,
    },
    /// The database server refuses us, or has tables that are not ours to write.
    #[error("the journal's database cannot be used: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// The database server does not answer.
    #[error("the journal's database does not answer: {reason}")]
    Away {
        /// What was said last.
        reason: String,
    },
    /// Somebody else holds the database's lock.
    #[error("the journal is busy: {reason}")]
    Busy {
        /// What SQLite said.
        reason: String,
    },
    /// No space is left. Nothing of this append was written.
    #[error("no space is left for the journal: {reason}")]
    Full {
        /// What SQLite said.
        reason: String,
    },
    /// Reading, writing or syncing failed. The writer has stopped: what the
    /// disk holds is known only after a restart.
    #[error("the journal's storage failed: {reason}")]
    Storage {
        /// What SQLite said.
        reason: String,
    },
    /// The writer is gone.
    #[error("the journal has stopped")]
    Stopped,
    /// The file's structure is broken.
    #[error("the journal is damaged: {reason}")]
    Corrupt {
        /// What was found.
        reason: String,
    },
    /// One record is broken; others can still be read.
    #[error("workflow {workflow} is damaged at event {seq}: {reason}")]
    Damaged {
        /// The workflow.
        workflow: WorkflowId,
        /// The event, or the first one that is missing.
        seq: Seq,
        /// What was found.
        reason: String,
    },
    /// A value that is not of its column's type; other rows can still be read.
    #[error("a row of the journal is damaged: {reason}")]
    DamagedRow {
        /// What was found.
        reason: String,
    },
    /// The file belongs to a newer version; it was not touched.
    #[error("the journal in {} has schema {found}; this version knows {known}", dir.display())]
    SchemaTooNew {
        /// The data directory.
        dir: PathBuf,
        /// Version of the file.
        found: i64,
        /// Newest version that is understood.
        known: i64,
    },
    /// One record was written by a newer version.
    #[error("event {seq} of workflow {workflow} was written by a newer version: {reason}")]
    RecordTooNew {
        /// The workflow.
        workflow: WorkflowId,
        /// The event.
        seq: Seq,
        /// What is not understood.
        reason: String,
    },
    /// Another process uses the directory.
    #[error("{} is in use by {}", dir.display(), holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")))]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// Its process id, if it could be read.
        holder: Option<u32>,
    },
    /// The head is not where the caller believed it to be.
    #[error("workflow {workflow} is at event {head}, not at {after}")]
    Stale {
        /// The workflow.
        workflow: WorkflowId,
        /// Where the caller believed the head to be.
        after: Seq,
        /// Where it is.
        head: Seq,
    },
    /// Another holder has taken over; nothing was written, and nothing will be.
    #[error("another backend has taken over what this one had (epoch {ours}, now {current})")]
    Fenced {
        /// Epoch of this writer.
        ours: u64,
        /// Epoch of what it wanted to write.
        current: u64,
    },
    /// It is neither finished nor set aside; nothing was removed.
    #[error("workflow {workflow} is not finished: cancel it first")]
    Unfinished {
        /// Its id.
        workflow: WorkflowId,
    },
    /// No such workflow.
    #[error("there is no workflow {workflow}")]
    UnknownWorkflow {
        /// Its id.
        workflow: WorkflowId,
    },
    /// No such thread.
    #[error("there is no session {session}")]
    UnknownSession {
        /// Its id.
        session: SessionId,
    },
    /// The caller broke a rule; nothing was written.
    #[error("the journal refused an append: {reason}")]
    Invalid {
        /// Which rule.
        reason: String,
    },
}

impl Error {
    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Away { .. } | Self::Busy { .. } | Self::Full { .. } => Class::Transient,
            Self::Storage { .. } | Self::Stopped | Self::Corrupt { .. } | Self::Fenced { .. } => Class::Fatal,
            Self::Damaged { .. }
            | Self::DamagedRow { .. }
            | Self::RecordTooNew { .. }
            | Self::Stale { .. }
            | Self::Invalid { .. } => Class::Permanent,
            Self::Open { .. }
            | Self::Refused { .. }
            | Self::SchemaTooNew { .. }
            | Self::Locked { .. }
            | Self::Unfinished { .. }
            | Self::UnknownWorkflow { .. }
            | Self::UnknownSession { .. } => Class::User,
        }
    }

    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Open { .. } | Self::Refused { .. } | Self::Away { .. } | Self::Busy { .. } => {
                Code::JournalUnavailable
            }
            Self::Full { .. } => Code::StorageFull,
            Self::Storage { .. } | Self::Stopped => Code::JournalStorageFailed,
            Self::Corrupt { .. } | Self::Damaged { .. } | Self::DamagedRow { .. } => Code::JournalCorrupt,
            Self::SchemaTooNew { .. } | Self::RecordTooNew { .. } => Code::JournalTooNew,
            Self::Locked { .. } => Code::JournalLocked,
            Self::Stale { .. } => Code::StaleAppend,
            Self::Fenced { .. } => Code::Fenced,
            Self::Unfinished { .. } => Code::StillRunning,
            Self::UnknownWorkflow { .. } => Code::UnknownWorkflow,
            Self::UnknownSession { .. } => Code::UnknownSession,
            Self::Invalid { .. } => Code::AppendRefused,
        }
    }
}

impl From<Error> for ports::Error {
    fn from(error: Error) -> Self {
        Self {
            class: error.class(),
            code: error.code(),
            message: error.to_string(),
        }
    }
}
