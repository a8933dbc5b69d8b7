//! One process for each data directory. The lock belongs to the open file, so
//! the system frees it when its holder dies, however it dies. A program that the
//! holder was just starting has the file open too until it runs, so a lock
//! whose holder is dead is waited for.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
    thread,
    time::Duration,
};

use crate::Error;

const FILE: &str = "journal.lock";

/// Bytes of the file that are read for the holder's id.
const PID_BYTES_MAX: u64 = 20;

/// Between two looks at a lock that a dead process has left.
const PAUSE: Duration = Duration::from_millis(20);

/// Such looks: two seconds of them.
const LOOKS_MAX: u32 = 100;

/// The directory is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the directory, or says who has it. Blocks for a moment if the
    /// one who had it has just died.
    pub(super) fn take(dir: &Path) -> Result<Self, Error> {
        Self::take_pausing(dir, || thread::sleep(PAUSE))
    }

    fn take_pausing(dir: &Path, mut pause: impl FnMut()) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::Open {
            dir: dir.to_owned(),
            reason: format!("{FILE}: {error}"),
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(FILE))
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
                return Err(Error::Locked {
                    dir: dir.to_owned(),
                    holder,
                });
            }
            pause();
        }
        // For people and the next one who asks; the lock itself is what counts.
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn lives(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
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

    /// A directory locked by an open file that names `holder`.
    fn locked(holder: u32) -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        fs::write(&path, format!("{holder}\n")).unwrap();
        let file = File::open(path).unwrap();
        file.lock().unwrap();
        (dir, file)
    }

    fn dead() -> u32 {
        let mut child = process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn what_a_dead_process_left_is_waited_for() {
        let (dir, file) = locked(dead());
        let mut file = Some(file);
        let mut pauses = 0;
        let lock = Lock::take_pausing(dir.path(), || {
            pauses += 1;
            if pauses == 3 {
                file = None;
            }
        });
        assert!(lock.is_ok(), "{lock:?}");
        assert_eq!(pauses, 3);
    }

    #[test]
    fn who_lives_is_not_waited_for_and_nobody_for_ever() {
        let check = |holder: u32, expect: u32| {
            let (dir, _file) = locked(holder);
            let mut pauses = 0;
            let refused = Lock::take_pausing(dir.path(), || pauses += 1).unwrap_err();
            let who = matches!(refused, Error::Locked { holder: Some(named), .. } if named == holder);
            assert!(who, "{refused:?}");
            assert_eq!(pauses, expect);
        };
        check(process::id(), 0);
        check(dead(), LOOKS_MAX - 1);
    }
}
