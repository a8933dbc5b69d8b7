//! A second place that knows how far the journal was synced. SQLite reads a
//! log up to the first frame that does not fit and takes the rest for never
//! written, so that a log damaged in the middle looks like an earlier moment.
//! The number of synced commits, kept in the database and, after each of them,
//! in a small file beside it, tells the two apart.
//!
//! The file is not synced itself: it may lag behind, which proves nothing, but
//! it is never ahead of what the disk had confirmed.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    path::Path,
};

use engine::blob::BlobId;

pub(super) const FILE: &str = "journal.head";

/// Hexadecimal digits of the digest behind the number.
const DIGEST_CHARS: usize = 16;

/// The file, open for writing.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
}

impl Witness {
    /// Opens or makes the file in `dir`.
    pub(super) fn open(dir: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(FILE))?;
        Ok(Self { file })
    }

    /// Notes that so many commits are synced.
    pub(super) fn note(&mut self, commits: u64) {
        let line = line(commits);
        if let Err(error) = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(line.as_bytes()))
        {
            // The commit stands; only the loss of it would go unnoticed.
            tracing::warn!(%error, "{FILE} could not be written");
        }
    }
}

/// How many commits were synced, if the file is there and whole.
pub(super) fn read(dir: &Path) -> Option<u64> {
    let mut text = String::new();
    let length = line(0).len() as u64;
    File::open(dir.join(FILE))
        .ok()?
        .take(length)
        .read_to_string(&mut text)
        .ok()?;
    let commits = text.split(' ').next()?.parse().ok()?;
    if line(commits) != text {
        tracing::warn!("{FILE} is damaged and is not believed");
        return None;
    }
    Some(commits)
}

/// Always of one length, so that it is overwritten in place.
fn line(commits: u64) -> String {
    let number = format!("{commits:020}");
    let digest = BlobId::of(number.as_bytes()).to_hex();
    let (digest, _) = digest.split_at(DIGEST_CHARS);
    format!("{number} {digest}\n")
}
