//! What can go wrong between us and the person's files, and what to do then.

use std::{io, path::PathBuf};

use shared::error::{Class, Code};

use crate::repository::Operation;

/// A failure of the workspace, git, or a write.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The workspace is missing or something else than a directory.
    #[error("the workspace {} is not a directory", path.display())]
    NotADirectory {
        /// What was named.
        path: PathBuf,
    },
    /// A directory or file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A repository without a work tree, or the inside of one.
    #[error("{} is a bare repository or the inside of one: open a directory with a work tree", path.display())]
    Bare {
        /// What was named.
        path: PathBuf,
    },
    /// The repository is in the middle of something.
    #[error("a {operation} is in progress in the repository: finish or abort it, then accept again")]
    Busy {
        /// Of what.
        operation: Operation,
    },
    /// Another git process holds the index.
    #[error(
        "another git process holds {}: wait for it; if none runs any more, remove the file",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A path leads out of the workspace, or is no path.
    #[error("`{path}` cannot be used: {reason}")]
    Outside {
        /// The path, as it was given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A path inside the workspace that is not ours to touch.
    #[error("`{path}` is protected: {reason}")]
    Protected {
        /// The path.
        path: String,
        /// By what.
        reason: &'static str,
    },
    /// Contents that cannot be edited as text.
    #[error("`{path}` is not text that can be edited: {reason}")]
    NotText {
        /// The path.
        path: String,
        /// What it is.
        reason: &'static str,
    },
    /// A file beyond the editing bound.
    #[error("`{path}` has {bytes} bytes; files of up to {max} bytes can be edited")]
    TooLarge {
        /// The path.
        path: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The person's change and the proposed one touch the same lines.
    #[error("`{path}` has changed since the proposal was made, and both changes cannot be kept: {reason}")]
    Conflict {
        /// The path.
        path: String,
        /// What collides.
        reason: &'static str,
    },
    /// The same of several files.
    #[error(
        "files have changed since the proposal was made, and both changes cannot be kept: {}",
        listed(files)
    )]
    Conflicts {
        /// Each with what collides.
        files: Vec<(String, &'static str)>,
    },
    /// The person's changes touch lines of a commit that is to be taken back.
    #[error(
        "files have changed since commit {commit}, and both changes cannot be kept: {}",
        listed(files)
    )]
    Undo {
        /// The commit.
        commit: String,
        /// Each with what collides.
        files: Vec<(String, &'static str)>,
    },
    /// A commit that is to be taken back is not in what is checked out.
    #[error(
        "commit {commit} is not on the branch that is checked out: check its branch out, and undo it there"
    )]
    Elsewhere {
        /// The commit.
        commit: String,
    },
    /// The branch or a file moved between the plan and its execution. Planning
    /// again on what is there now can succeed.
    #[error("{what} changed while the changes were being written: {detail}")]
    Moved {
        /// The branch or path.
        what: String,
        /// How.
        detail: String,
    },
    /// A proposed path is staged with other contents.
    #[error(
        "`{path}` has staged changes that the commit would swallow: commit or unstage them, then accept again"
    )]
    Staged {
        /// The path.
        path: String,
    },
    /// A selection that the proposal does not have.
    #[error("the selection does not fit the proposal: {reason}")]
    Selection {
        /// Why.
        reason: String,
    },
    /// A write failed.
    #[error("`{path}` could not be written: {source}")]
    Write {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Contents that the caller promised are missing.
    #[error("the stored contents of `{path}` are missing")]
    BlobMissing {
        /// The path they belong to.
        path: String,
    },
    /// There is no git program.
    #[error("git is not installed, or not on PATH")]
    GitMissing,
    /// A git command failed.
    #[error("`git {command}` failed: {complaint}")]
    Git {
        /// The subcommand.
        command: String,
        /// What git said, shortened.
        complaint: String,
    },
    /// A git command took too long.
    #[error("`git {command}` did not end within {seconds} s")]
    GitTimeout {
        /// The subcommand.
        command: String,
        /// The limit.
        seconds: u64,
    },
}

fn listed(files: &[(String, &'static str)]) -> String {
    let each: Vec<String> = files
        .iter()
        .map(|(path, reason)| format!("`{path}` ({reason})"))
        .collect();
    each.join(", ")
}

impl Error {
    /// A conflict of what takes this commit back; any other error as it is.
    pub(crate) fn of_undo(self, commit: &str) -> Self {
        let files = if let Self::Conflict { path, reason } = self {
            vec![(path, reason)]
        } else if let Self::Conflicts { files } = self {
            files
        } else {
            return self;
        };
        let commit = commit.to_owned();
        Self::Undo { commit, files }
    }

    /// What a caller may do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Locked { .. } | Self::Moved { .. } | Self::GitTimeout { .. } => Class::Transient,
            Self::Write { source, .. } => write_class(source),
            Self::Git { .. } | Self::BlobMissing { .. } => Class::Permanent,
            Self::NotADirectory { .. }
            | Self::Unreadable { .. }
            | Self::Bare { .. }
            | Self::Busy { .. }
            | Self::Outside { .. }
            | Self::Protected { .. }
            | Self::NotText { .. }
            | Self::TooLarge { .. }
            | Self::Conflict { .. }
            | Self::Conflicts { .. }
            | Self::Undo { .. }
            | Self::Elsewhere { .. }
            | Self::Staged { .. }
            | Self::Selection { .. }
            | Self::GitMissing => Class::User,
        }
    }

    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::NotADirectory { .. } => Code::WorkspaceNotADirectory,
            Self::Unreadable { .. } => Code::WorkspaceUnreadable,
            Self::Bare { .. } => Code::BareRepository,
            Self::Busy { .. } | Self::Locked { .. } => Code::GitBusy,
            Self::Outside { .. } => Code::PathOutsideWorkspace,
            Self::Protected { .. } => Code::PathProtected,
            Self::NotText { .. } => Code::FileNotText,
            Self::TooLarge { .. } => Code::FileTooLarge,
            Self::Conflict { .. } | Self::Conflicts { .. } | Self::Moved { .. } => Code::WorkspaceChanged,
            Self::Undo { .. } => Code::UndoConflict,
            Self::Elsewhere { .. } => Code::UndoRefused,
            Self::Staged { .. } => Code::StagedConflict,
            Self::Selection { .. } => Code::InvalidRequest,
            Self::Write { .. } => Code::WriteFailed,
            Self::BlobMissing { .. } => Code::JournalCorrupt,
            Self::GitMissing => Code::GitMissing,
            Self::Git { .. } | Self::GitTimeout { .. } => Code::GitFailed,
        }
    }
}

/// A full disk or a dropped mount can come back; a refusal needs the person.
fn write_class(source: &io::Error) -> Class {
    if source.kind() == io::ErrorKind::PermissionDenied
        || source.kind() == io::ErrorKind::ReadOnlyFilesystem
        || source.kind() == io::ErrorKind::NotADirectory
        || source.kind() == io::ErrorKind::IsADirectory
    {
        Class::User
    } else {
        Class::Transient
    }
}
