//! The file that says which collections exist, and why a store cannot be
//! opened.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use shared::files;

use super::Record;
use crate::embedded::error::Error;

/// Layout of the data directory; a newer number is refused.
pub(super) const FORMAT: u32 = 1;

/// The file that says what exists.
pub(super) const INDEX_FILE: &str = "store.json";

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it open, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] shared::lock::Error),
    /// A file or folder cannot be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The index file is not what this program writes.
    #[error("{path} is damaged: {reason}")]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote it.
    #[error(
        "{path} was written by a newer version: it has format {found}, this one knows up to {FORMAT}. Use that version, \
         or another --data-dir"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The engine never ends over a collection's files. It cannot be stopped in this
    /// process, so the others are not served by it either.
    #[error(
        "collection `{name}` is damaged in a way that the engine does not come to an end over; it was moved aside to \
         {moved_to}. Start again: the others are served then, and it is to be indexed anew"
    )]
    Stuck {
        /// The collection.
        name: String,
        /// Where its files are now.
        moved_to: PathBuf,
    },
    /// The disk is full. To open the store all the same would end the process.
    #[error(
        "the disk of {path} is full: {free} bytes are free, {needed} are needed to open the store. Make room; nothing \
         is lost"
    )]
    Full {
        /// The store.
        path: PathBuf,
        /// Free bytes.
        free: u64,
        /// Free bytes that are needed.
        needed: u64,
    },
    /// A collection cannot be opened because the machine cannot, not because
    /// its files are bad.
    #[error("collection `{name}` in {path} cannot be opened: {source}")]
    Collection {
        /// The collection.
        name: String,
        /// Its folder.
        path: PathBuf,
        /// What the engine said.
        source: Error,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) format: u32,
    pub(super) collections: BTreeMap<String, Record>,
    pub(super) aliases: BTreeMap<String, String>,
}

impl Index {
    /// Replaces the file; when this returns it is on disk.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        files::write_atomically(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Reads the file, or makes an empty one for a new store.
    pub(super) fn read_or_make(path: &Path, folders: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        match fs::read(path) {
            Ok(bytes) => Self::parse(path, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Written before the first collection, so it can only be missing
                // with collections present if somebody removed it; taking them
                // for strays would delete them.
                if fs::read_dir(folders).map_err(io)?.next().is_some() {
                    return Err(OpenError::Index {
                        path: path.to_owned(),
                        reason: "it is missing, but there are collections beside it".to_owned(),
                    });
                }
                let index = Self {
                    format: FORMAT,
                    collections: BTreeMap::new(),
                    aliases: BTreeMap::new(),
                };
                index.write(path).map_err(io)?;
                Ok(index)
            }
            Err(source) => Err(io(source)),
        }
    }

    /// Reads the file of a copy, which must be there.
    pub(super) fn read(path: &Path) -> Result<Self, OpenError> {
        let bytes = fs::read(path).map_err(|source| OpenError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, OpenError> {
        /// All that every format has.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |error: serde_json::Error| OpenError::Index {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let Head { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format > FORMAT {
            return Err(OpenError::TooNew {
                path: path.to_owned(),
                found: format,
            });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    /// Removes what no entry names: the rest of interrupted changes.
    pub(super) fn remove_strays(&self, folders: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folders)? {
            let entry = entry?;
            let name = entry.file_name();
            let owned = self
                .collections
                .values()
                .any(|record| name.to_str() == Some(record.folder.as_str()));
            if owned {
                continue;
            }
            tracing::info!(path = %entry.path().display(), "removing the rest of an interrupted change");
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
