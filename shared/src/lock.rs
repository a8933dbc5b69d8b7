//! One process for each data directory. The lock belongs to the open file, so
//! the system frees it when its holder dies, however it dies. That takes a moment:
//! who is being taken apart may lose its connections first, and a program that it
//! was just starting has the file open too until it runs. So a lock whose holder is
//! dead is waited for.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::processes::lives;

/// Bytes of the file that are read for the holder's id.
const PID_BYTES_MAX: u64 = 20;

/// Between two looks at a lock that a dead process has left.
const PAUSE: Duration = Duration::from_millis(20);

/// Such looks: two seconds of them.
const LOOKS_MAX: u32 = 100;

/// The directory is ours until this is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
}

impl Drop for DirectoryLock {
    /// Closing the file would leave the lock to a program that is just being
    /// started, for as long as that takes.
    fn drop(&mut self) {
        // One that cannot be unlocked is unlocked when it is closed.
        let _closed_soon = self.file.unlock();
    }
}

/// Why a directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds it.
    #[error("another process uses {}{}", path.display(), holder.map_or(String::new(), |pid| format!(" (pid {pid})")))]
    Held {
        /// The directory.
        path: PathBuf,
        /// Who, if it said so.
        holder: Option<u32>,
    },
    /// The lock file cannot be made.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Takes the lock `name` of `folder`, which must exist. Blocks for a moment
    /// if the one who had it has just died.
    ///
    /// # Errors
    /// [`Error::Held`] if somebody who lives has it.
    pub fn take(folder: &Path, name: &str) -> Result<Self, Error> {
        Self::take_pausing(folder, name, || thread::sleep(PAUSE))
    }

    fn take_pausing(folder: &Path, name: &str, mut pause: impl FnMut()) -> Result<Self, Error> {
        let path = folder.join(name);
        let failed = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let mut looks = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            looks += 1;
            let holder = holder(&mut file);
            if looks == LOOKS_MAX || holder.is_none_or(lives) {
                return Err(Error::Held {
                    path: folder.to_owned(),
                    holder,
                });
            }
            pause();
        }
        // For people and the next one who asks; the lock itself is what counts.
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
            .map_err(failed)?;
        Ok(Self { file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;

    const NAME: &str = "lock";

    /// A directory locked by an open file that names `holder`.
    fn locked(holder: u32) -> (tempfile::TempDir, File) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        fs::write(&path, format!("{holder}\n")).unwrap();
        let file = File::open(path).unwrap();
        file.lock().unwrap();
        (folder, file)
    }

    /// No process has this number: Linux gives at most 2^22.
    const DEAD: u32 = u32::MAX;

    #[test]
    fn a_second_lock_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(folder.path(), NAME).unwrap();
        match DirectoryLock::take(folder.path(), NAME) {
            Err(Error::Held { holder, .. }) => assert_eq!(holder, Some(process::id())),
            other => panic!("{other:?}"),
        }
        drop(held);
        DirectoryLock::take(folder.path(), NAME).unwrap();
    }

    #[test]
    fn a_lock_is_free_when_dropped_whoever_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let held = DirectoryLock::take(folder.path(), NAME).unwrap();
        let _being_started = held.file.try_clone().unwrap();
        drop(held);
        DirectoryLock::take(folder.path(), NAME).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_is_waited_for() {
        // Nobody has asked for the exit code of this one.
        let mut killed = process::Command::new("sleep").arg("60").spawn().unwrap();
        killed.kill().unwrap();
        while lives(killed.id()) {
            thread::yield_now();
        }
        for holder in [DEAD, killed.id()] {
            let (folder, file) = locked(holder);
            let mut pauses = 0;
            let lock = DirectoryLock::take_pausing(folder.path(), NAME, || {
                pauses += 1;
                if pauses == 3 {
                    // Closed, it could be held by a child that another test starts.
                    file.unlock().unwrap();
                }
            });
            assert!(lock.is_ok(), "{lock:?}");
            assert_eq!(pauses, 3);
        }
        killed.wait().unwrap();
    }

    #[test]
    fn who_lives_is_not_waited_for_and_nobody_for_ever() {
        let check = |owner: u32, expect: u32| {
            let (folder, _file) = locked(owner);
            let mut pauses = 0;
            let refused = DirectoryLock::take_pausing(folder.path(), NAME, || pauses += 1).unwrap_err();
            let who = matches!(refused, Error::Held { holder: Some(named), .. } if named == owner);
            assert!(who, "{refused:?}");
            assert_eq!(pauses, expect);
        };
        check(process::id(), 0);
        check(DEAD, LOOKS_MAX - 1);
    }
}
