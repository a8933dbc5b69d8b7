//! Whether a job fills the disk through its mounts. One file is bounded by the kernel;
//! many are counted here.
//!
//! Cheap first: how much less room the disk has than at the start, which others change
//! as well. Only if that is more than the job may write, the files under the mounts
//! that changed since the start are added up.

use std::{
    fs,
    os::{linux::fs::MetadataExt as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use nix::sys::statvfs::statvfs;

use crate::{Access, Job};

/// A job is ended when it, or others, leave less room than this on a disk that had more
/// when it began: a full disk stops the backend's journal too.
const FREE_BYTES_MIN: u64 = 512 << 20;

/// The same for the number of files, where the disk has such a bound.
const FREE_FILES_MIN: u64 = 10_000;

/// More entries than this are too much whatever their size; and no walk lasts for ever.
const ENTRIES_MAX: usize = 1_000_000;

/// A block as `stat` counts them.
const BLOCK_BYTES: u64 = 512;

/// The disks of the mounts that a job may write to.
#[derive(Debug)]
pub(crate) struct Growth {
    written_bytes_max: u64,
    disks: Vec<Disk>,
    /// Seconds and nanoseconds of the last change of a file that was made at the start,
    /// by the clock that the other files' times are taken from.
    since: (i64, i64),
}

#[derive(Debug)]
struct Disk {
    mount: PathBuf,
    at_start: Room,
    /// Added up again only when so much more is gone.
    gone_bytes_next: u64,
}

#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: u64,
    files: Option<u64>,
}

impl Growth {
    pub(crate) fn begin(job: &Job) -> Self {
        let writable = job
            .mounts
            .iter()
            .filter(|mount| mount.access == Access::ReadWrite);
        let disks = writable.filter_map(|mount| {
            Some(Disk {
                mount: mount.host.clone(),
                at_start: room(&mount.host)?,
                gone_bytes_next: job.limits.written_bytes,
            })
        });
        Self {
            written_bytes_max: job.limits.written_bytes,
            disks: disks.collect(),
            since: now(),
        }
    }

    /// Whether more was written than may be.
    pub(crate) fn is_too_much(&mut self) -> bool {
        let (max, since) = (self.written_bytes_max, self.since);
        self.disks.iter_mut().any(|disk| {
            let Some(room) = room(&disk.mount) else {
                return false;
            };
            let ran_low = |before: u64, now: u64, min: u64| before >= min && now < min;
            let files = disk.at_start.files.zip(room.files);
            if ran_low(disk.at_start.bytes, room.bytes, FREE_BYTES_MIN)
                || files.is_some_and(|(before, now)| ran_low(before, now, FREE_FILES_MIN))
            {
                return true;
            }
            let gone = disk.at_start.bytes.saturating_sub(room.bytes);
            if gone < disk.gone_bytes_next {
                return false;
            }
            disk.gone_bytes_next = gone.saturating_add(max / 8);
            changed_bytes(&disk.mount, since) > max
        })
    }
}

fn room(path: &Path) -> Option<Room> {
    let about = statvfs(path).ok()?;
    Some(Room {
        bytes: about.blocks_available().saturating_mul(about.fragment_size()),
        files: (about.files() > 0).then(|| about.files_available()),
    })
}

/// Without a file to ask, every file counts as changed.
fn now() -> (i64, i64) {
    let about = tempfile::tempfile().and_then(|file| file.metadata());
    about.map_or((i64::MIN, 0), |about| (about.st_ctime(), about.st_ctime_nsec()))
}

/// Bytes on disk of the files that changed. The time of a file's last change, unlike
/// that of its contents, cannot be set by the program.
fn changed_bytes(root: &Path, since: (i64, i64)) -> u64 {
    let mut open = vec![root.to_owned()];
    let mut sum: u64 = 0;
    let mut entries = 0;
    while let Some(path) = open.pop() {
        entries += 1;
        if entries > ENTRIES_MAX {
            return u64::MAX;
        }
        // What is gone meanwhile takes no room.
        let Ok(about) = path.symlink_metadata() else {
            continue;
        };
        if about.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| entry.path()));
        }
        if (about.st_ctime(), about.st_ctime_nsec()) >= since {
            sum = sum.saturating_add(about.blocks().saturating_mul(BLOCK_BYTES));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        let file = dir.path().join("folder/file");
        fs::write(&file, vec![1; 1 << 20]).unwrap();
        let about = file.metadata().unwrap();
        let at = (about.st_ctime(), about.st_ctime_nsec());
        let later = (at.0 + 1, at.1);
        assert!(changed_bytes(dir.path(), at) >= 1 << 20);
        assert_eq!(changed_bytes(dir.path(), later), 0);
    }
}
