//! Which files of a workspace may be read, and what they hold.
//!
//! Owns every rule by which a file stays out and counts each file left out by
//! its reason. A file that cannot be read, is not text or is enormous never
//! ends a scan: only an unreadable root does. Nothing here blocks on anything
//! but the local file system; call it off the async threads.

mod policy;
pub mod some;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

pub use self::policy::{FILE_BYTES_MAX, SkipReason};
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
    for entry in walker(root) {
        take(root, entry, &mut scan);
    }
    scan.files.sort_by(|a, b| a.path.cmp(&b.path));
    scan
}

/// Adds what the walker found to `scan`.
fn take(root: &Path, entry: Result<ignore::DirEntry, ignore::Error>, scan: &mut Scan) {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            tracing::debug!(%error, "an entry of the workspace cannot be read");
            *scan.skipped.entry(SkipReason::Unreadable).or_default() += 1;
            return;
        }
    };
    if entry.depth() == 0 || entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return;
    }
    match stamp(root, entry.path(), scan) {
        Ok((stamp, bytes)) => {
            scan.bytes += bytes;
            scan.files.push(stamp);
        }
        Err(reason) => *scan.skipped.entry(reason).or_default() += 1,
    }
}

/// Paths of at most `limit` files that `keep` accepts, in order, without
/// reading any of them.
pub fn paths(root: &Path, limit: usize, keep: impl Fn(&str) -> bool) -> Vec<String> {
    let files = walker(root)
        .flatten()
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()));
    let paths = files.filter_map(|entry| relative(root, entry.path()));
    let kept = paths.filter(|path| policy::name(path).is_ok() && keep(path));
    let mut paths: Vec<String> = kept.take(limit).collect();
    paths.sort();
    paths
}

fn stamp(root: &Path, path: &Path, scan: &Scan) -> Result<(FileStamp, u64), SkipReason> {
    if scan.files.len() >= FILES_MAX || scan.bytes >= TOTAL_BYTES_MAX {
        return Err(SkipReason::OverLimit);
    }
    let relative = relative(root, path).ok_or(SkipReason::NotUtf8)?;
    let bytes = read_bytes(path, &relative)?;
    let text = policy::text(&relative, &bytes)?;
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    Ok((
        FileStamp {
            path: relative,
            hash: ContentHash::of(&bytes),
        },
        length,
    ))
}

/// The text of the file at `path`, relative to the canonical `root`, and the
/// hash of its bytes, if it (still) belongs in the index. A byte-order mark is
/// not part of the text.
pub fn read(root: &Path, path: &str) -> Result<(String, ContentHash), SkipReason> {
    let bytes = read_bytes(&root.join(path), path)?;
    let text = policy::text(path, &bytes)?.to_owned();
    Ok((text, ContentHash::of(&bytes)))
}

fn walker(root: &Path) -> ignore::Walk {
    walker_where(root, |_| true)
}

/// A walker that leaves out what `keep` does not want.
fn walker_where(root: &Path, keep: impl Fn(&Path) -> bool + Send + Sync + 'static) -> ignore::Walk {
    WalkBuilder::new(root)
        // Hidden files are looked at one by one, so that secrets are counted.
        .hidden(false)
        .require_git(false)
        // What is indexed must not depend on whose machine it is.
        .git_global(false)
        .follow_links(false)
        .max_depth(Some(DEPTH_MAX))
        .add_custom_ignore_filename(IGNORE_FILE)
        .filter_entry(move |entry| {
            let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
            let foreign = || is_dir && policy::is_foreign_directory(entry.path());
            entry.depth() == 0 || keep(entry.path()) && !foreign()
        })
        .build()
}

fn relative(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

fn read_bytes(path: &Path, relative: &str) -> Result<Vec<u8>, SkipReason> {
    policy::name(relative)?;
    // Links are not followed: they may lead out of the workspace, and what they
    // lead to inside of it is read under its own name.
    let metadata = fs::symlink_metadata(path).map_err(|_| SkipReason::Unreadable)?;
    if !metadata.is_file() {
        return Err(SkipReason::NotAFile);
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(SkipReason::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    let file = File::open(path).map_err(|_| SkipReason::Unreadable)?;
    // The file may have grown since its size was asked for.
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| SkipReason::Unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(SkipReason::TooLarge);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
