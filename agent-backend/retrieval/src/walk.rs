//! Which files of a workspace may be read, and what they hold.
//!
//! Owns every rule by which a file stays out and counts each file left out by
//! its reason. A file that cannot be read, is not text or is enormous never
//! ends a scan: only an unreadable root does. Nothing here blocks on anything
//! but the local file system; call it off the async threads.

mod decode;
mod list;
mod policy;
pub mod some;

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

pub(crate) use self::list::{Scope, Stat, list};
pub(crate) use self::policy::is_large;
pub use self::policy::{FILE_BYTES_MAX, PARSED_BYTES_MAX, SkipReason};
use crate::error::Error;
use crate::identity::ContentHash;

/// Files taken into one index.
pub const FILES_MAX: usize = 200_000;
/// Text taken into one index, bytes.
pub const TOTAL_BYTES_MAX: u64 = 1 << 30;
/// Directories deeper than this are left out.
const DEPTH_MAX: usize = 64;

/// A project's own list of what to leave out, in the syntax of `.gitignore`.
pub const IGNORE_FILE: &str = ".agentic-ide-ignore";

/// A file that belongs in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStamp {
    /// Path relative to the root, with `/` between its parts.
    pub path: String,
    /// Hash of the bytes.
    pub hash: ContentHash,
}

/// The files of a workspace at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The files that belong in the index, by path.
    pub files: Vec<FileStamp>,
    /// Files left out, counted by reason.
    pub skipped: BTreeMap<SkipReason, usize>,
    /// Bytes of the files that belong in the index.
    pub bytes: u64,
}

/// The path by which a workspace is known: absolute, without links.
pub fn canonical_root(root: &Path) -> Result<PathBuf, Error> {
    let unreadable = |source| Error::Unreadable {
        path: root.to_owned(),
        source,
    };
    let canonical = match fs::canonicalize(root) {
        Ok(canonical) => canonical,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotADirectory {
                path: root.to_owned(),
            });
        }
        Err(error) => return Err(unreadable(error)),
    };
    if !fs::metadata(&canonical).map_err(unreadable)?.is_dir() {
        return Err(Error::NotADirectory {
            path: root.to_owned(),
        });
    }
    fs::read_dir(&canonical).map_err(unreadable)?;
    Ok(canonical)
}

/// Lists and hashes the files of the workspace at the canonical `root`.
pub fn scan(root: &Path) -> Scan {
    let mut scan = Scan::default();
    let mut limits = Limits::default();
    for entry in list(root, None) {
        let admitted = entry.stat.and_then(|stat| limits.admit(&stat).map(|()| stat));
        match admitted.and_then(|stat| Ok((stat, read(root, &entry.path)?))) {
            Ok((stat, (_, hash))) => {
                scan.bytes += stat.bytes;
                scan.files.push(FileStamp {
                    path: entry.path,
                    hash,
                });
            }
            Err(reason) => *scan.skipped.entry(reason).or_default() += 1,
        }
    }
    scan
}

/// How much more of a workspace is taken; asked in the order of paths, so that
/// the answer is always the same.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    files: usize,
    bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: FILES_MAX,
            bytes: TOTAL_BYTES_MAX,
        }
    }
}

impl Limits {
    /// Room for so many files.
    #[cfg(test)]
    pub fn for_files(files: usize) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }

    /// Takes in a file, if there is room.
    pub fn admit(&mut self, stat: &Stat) -> Result<(), SkipReason> {
        if self.files == 0 || self.bytes < stat.bytes {
            return Err(SkipReason::OverLimit);
        }
        self.files -= 1;
        self.bytes -= stat.bytes;
        Ok(())
    }
}

/// Paths of at most `limit` files that `keep` accepts, in order, without
/// reading any of them.
pub fn paths(root: &Path, limit: usize, keep: impl Fn(&str) -> bool) -> Vec<String> {
    let files = list::walker(root, |_| true)
        .flatten()
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let paths = files.filter_map(|entry| relative(root, entry.path()));
    let kept = paths.filter(|path| policy::name(path).is_ok() && keep(path));
    let mut paths: Vec<String> = kept.take(limit).collect();
    paths.sort();
    paths
}

/// The text of the file at `path`, relative to the canonical `root`, and the
/// hash of its bytes, if it (still) belongs in the index. A byte-order mark is
/// not part of the text.
pub fn read(root: &Path, path: &str) -> Result<(String, ContentHash), SkipReason> {
    policy::name(path)?;
    let bytes = read_bytes(&root.join(path), path)?;
    let hash = ContentHash::of(&bytes);
    let text = decode::text(bytes)?;
    policy::content(path, &text)?;
    Ok((text, hash))
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

/// Whether a file of this size and kind may be opened.
fn admit(path: &str, metadata: &Metadata) -> Result<(), SkipReason> {
    // Links are not followed: they may lead out of the workspace, and what they
    // lead to inside of it is read under its own name.
    if !metadata.is_file() {
        return Err(SkipReason::NotAFile);
    }
    if metadata.len() > policy::bytes_max(path) {
        return Err(SkipReason::TooLarge);
    }
    Ok(())
}

fn read_bytes(path: &Path, relative: &str) -> Result<Vec<u8>, SkipReason> {
    let metadata = fs::symlink_metadata(path).map_err(|_| SkipReason::Unreadable)?;
    admit(relative, &metadata)?;
    let bytes_max = policy::bytes_max(relative);
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len() + 1).unwrap_or_default());
    let file = File::open(path).map_err(|_| SkipReason::Unreadable)?;
    // The file may have grown since its size was asked for.
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| SkipReason::Unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > bytes_max) {
        return Err(SkipReason::TooLarge);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
