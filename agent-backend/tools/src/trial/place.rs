//! The folder in which the trials of one workspace run, one proposal at a time:
//! copies, what builds leave for the next one, outcomes without a change.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use engine::blob::BlobId;
use ignore::WalkBuilder;
use nix::fcntl::{Flock, FlockArg};
use sandbox::Stop;
use serde_json::{Value, json};

use crate::{
    clock,
    limits::{BASELINES_MAX, BUILDS_BYTES_MAX, PLACE_UNUSED_MAX},
    project::{Ending, Ran, Step},
};

/// The file in a place whose lock its holder has.
const LOCK: &str = "lock";

/// Wait between two looks at whether another proposal's trials have ended.
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// A workspace's folder, held until dropped.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    _lock: Flock<File>,
}

impl Place {
    /// Waits until no other proposal of this workspace is tried.
    pub(super) fn take(cache: &Path, workspace: &Path, stop: &Stop) -> io::Result<Self> {
        let name = BlobId::of(workspace.as_os_str().as_encoded_bytes()).to_hex();
        let folder = cache.join(&name[..16]);
        fs::create_dir_all(&folder)?;
        // Copies of the person's code.
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let mut file = File::create(folder.join(LOCK))?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => {
                    let place = Self { folder, _lock: lock };
                    place.tidy(cache);
                    return Ok(place);
                }
                Err((_, _)) if stop.is_stopped() => return Err(io::ErrorKind::Interrupted.into()),
                Err((given_back, nix::errno::Errno::EWOULDBLOCK)) => file = given_back,
                Err((_, error)) => return Err(error.into()),
            }
            thread::sleep(LOCK_WAIT);
        }
    }

    /// Keeps what is left from growing for ever. What cannot be removed now is
    /// removed another time.
    fn tidy(&self, cache: &Path) {
        if !fits(&self.builds(), BUILDS_BYTES_MAX) {
            tracing::info!("what builds have left is too much: the next one begins from nothing");
            let _ = fs::remove_dir_all(self.builds());
        }
        let now = clock::since_epoch();
        let others = fs::read_dir(cache).into_iter().flatten().flatten();
        for folder in others
            .map(|entry| entry.path())
            .filter(|path| *path != self.folder)
        {
            if last_used(&folder).is_some_and(|used| now.saturating_sub(used) > PLACE_UNUSED_MAX) {
                remove_unused(&folder);
            }
        }
    }

    pub(super) fn copy(&self, name: &str) -> PathBuf {
        self.folder.join("copies").join(name)
    }

    pub(super) fn ages(&self) -> PathBuf {
        self.folder.join("ages")
    }

    pub(super) fn builds(&self) -> PathBuf {
        self.folder.join("builds")
    }

    /// How a step ended on these files before.
    pub(super) fn baseline(&self, files: BlobId, step: &Step) -> Option<Ran> {
        let text = fs::read_to_string(self.outcome(files, step)).ok()?;
        let kept: Value = serde_json::from_str(&text).ok()?;
        Some(Ran {
            ending: Ending::Exited(i32::try_from(kept["exited"].as_i64()?).ok()?),
            output: kept["output"].as_str()?.to_owned(),
        })
    }

    /// Keeps how it ended. What cannot be kept is found out again.
    pub(super) fn keep_baseline(&self, files: BlobId, step: &Step, ran: &Ran) {
        let Ending::Exited(code) = ran.ending else { return };
        let path = self.outcome(files, step);
        let kept = json!({"exited": code, "output": ran.output});
        let folder = self.outcomes();
        let written = fs::create_dir_all(&folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(&folder))
            .and_then(|file| {
                fs::write(file.path(), kept.to_string())?;
                Ok(file.persist(path)?)
            });
        if let Err(error) = written {
            tracing::warn!(%error, "an outcome without a change could not be kept");
        }
        self.forget();
    }

    /// Removes the oldest ones beyond the bound.
    fn forget(&self) {
        let entries = fs::read_dir(self.outcomes()).into_iter().flatten().flatten();
        let mut kept: Vec<_> = entries
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        kept.sort_unstable();
        for (_, path) in kept.iter().rev().skip(BASELINES_MAX) {
            let _ = fs::remove_file(path);
        }
    }

    fn outcomes(&self) -> PathBuf {
        self.folder.join("outcomes")
    }

    fn outcome(&self, files: BlobId, step: &Step) -> PathBuf {
        let Step {
            name,
            goal: _,
            ecosystem: _,
            folder: _,
            program,
            arguments,
        } = step;
        let key = format!("{}\0{name}\0{program}\0{}", files.to_hex(), arguments.join("\0"));
        self.outcomes()
            .join(format!("{}.json", BlobId::of(key.as_bytes()).to_hex()))
    }
}

/// Whether a folder's files have no more than so many bytes together.
fn fits(folder: &Path, bytes_max: u64) -> bool {
    let files = WalkBuilder::new(folder).standard_filters(false).build();
    let sizes = files
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len());
    let mut left = bytes_max;
    for size in sizes {
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}

/// When a workspace's place was last taken: that opens its lock for writing.
fn last_used(folder: &Path) -> Option<Duration> {
    let modified = folder.join(LOCK).metadata().ok()?.modified().ok()?;
    modified.duration_since(std::time::UNIX_EPOCH).ok()
}

/// Removes a place unless somebody holds it.
fn remove_unused(folder: &Path) {
    let Ok(file) = File::open(folder.join(LOCK)) else {
        return;
    };
    if let Ok(_held) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_builds_leave_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".hidden")).unwrap();
        fs::write(dir.path().join(".hidden/a"), [0; 60]).unwrap();
        fs::write(dir.path().join("b"), [0; 40]).unwrap();
        assert!(fits(dir.path(), 100));
        assert!(!fits(dir.path(), 99));
        assert!(fits(&dir.path().join("missing"), 0));
    }

    #[test]
    fn what_nobody_has_used_for_long_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let stop = Stop::default();
        let take = |name: &str| Place::take(dir.path(), Path::new(name), &stop).unwrap();
        let age = |place: &Place| {
            let lock = File::options().write(true).open(place.folder.join(LOCK)).unwrap();
            lock.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        };
        let old = take("/old");
        age(&old);
        let held = take("/held");
        age(&held);
        let folder = old.folder.clone();
        drop(old);
        let recent = take("/recent").folder.clone();
        let _other = take("/other");
        assert_eq!(
            [folder.exists(), held.folder.exists(), recent.exists()],
            [false, true, true]
        );
    }
}
