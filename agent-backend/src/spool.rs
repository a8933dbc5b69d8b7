//! What is printed by something that runs, in a file of the data folder while it
//! runs: another process of this program, started by somebody else, follows it
//! and ends as that does. A lock on the file says that whoever writes it lives.
//!
//! It needs no port and no configuration, so that it works wherever the file is
//! seen.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

/// The argument that makes this program one that follows the file that comes
/// next.
pub const ARGUMENT: &str = "follow-output";

/// Folder in the data folder.
const FOLDER: &str = "terminals";

/// Most bytes of a file: what comes after them is not shown.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is shown in place of the rest.
const REST: &str = "\n[the rest is not shown here]\n";

/// What is shown where nobody has said how it ended.
const CUT: &str = "\n[the backend has stopped]\n";

/// Between two looks at a file that grows.
const PAUSE: Duration = Duration::from_millis(50);

/// A line of the file, as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    /// Something was printed.
    Text(String),
    /// It has ended with this code.
    End(u8),
}

/// A file that is written. It goes with this.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: tokio::fs::File,
    /// The same file, for its lock.
    lock: File,
    left: usize,
}

impl Spool {
    /// A new file below this data folder, which only the person reads.
    ///
    /// # Errors
    /// What the system says.
    pub async fn create(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        let path = folder.join(format!("{}.jsonl", uuid::Uuid::new_v4()));
        let made = path.clone();
        let make = move || {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)?;
            let mut options = OpenOptions::new();
            let file = options.append(true).create_new(true).mode(0o600).open(&made)?;
            file.try_lock()?;
            Ok::<_, io::Error>((file.try_clone()?, file))
        };
        let made = tokio::task::spawn_blocking(make).await;
        let (lock, file) = made.map_err(io::Error::other)??;
        Ok(Self {
            path,
            file: file.into(),
            lock,
            left: BYTES_MAX,
        })
    }

    /// What the other process is started with.
    pub fn arguments(&self) -> [String; 2] {
        [ARGUMENT.to_owned(), self.path.to_string_lossy().into_owned()]
    }

    /// Something was printed.
    ///
    /// # Errors
    /// What the system says; a disk may be full.
    pub async fn print(&mut self, text: &str) -> io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left = self.left.saturating_sub(text.len());
        let text = if self.left == 0 { REST } else { text };
        self.write(&Piece::Text(text.to_owned())).await
    }

    /// It has ended with this code.
    ///
    /// # Errors
    /// What the system says.
    pub async fn end(&mut self, code: u8) -> io::Result<()> {
        self.write(&Piece::End(code)).await
    }

    async fn write(&mut self, piece: &Piece) -> io::Result<()> {
        let mut line = serde_json::to_vec(piece)?;
        line.push(b'\n');
        self.file.write_all(&line).await?;
        self.file.flush().await
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Whoever follows it has it open, and sees by the lock that it is over.
        let _gone = fs::remove_file(&self.path);
        let _freed_by_closing = self.lock.unlock();
    }
}

/// Removes what dead processes have left below this data folder.
pub fn tidy(data_dir: &Path) {
    let files = fs::read_dir(data_dir.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten();
    for path in files.map(|file| file.path()) {
        let is_left = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_left {
            let _gone = fs::remove_file(&path);
        }
    }
}

/// This program as one that follows a file, to standard output: it ends with the
/// code that the file ends with, and with 1 where nobody lives to write one.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(path) = arguments.next() else {
        return ExitCode::from(2);
    };
    let followed = follow(Path::new(&path), &mut io::stdout(), || thread::sleep(PAUSE));
    ExitCode::from(followed.unwrap_or(1))
}

/// Prints what is in the file and what comes, up to its end.
fn follow(path: &Path, out: &mut impl Write, mut pause: impl FnMut()) -> io::Result<u8> {
    let file = File::open(path)?;
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    loop {
        // Asked before the rest is read: what is written last is not missed.
        let is_over = match file.try_lock_shared() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // A line may be there in part.
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            match serde_json::from_slice(&line)? {
                Piece::Text(text) => out.write_all(text.as_bytes())?,
                Piece::End(code) => {
                    out.flush()?;
                    return Ok(code);
                }
            }
            line.clear();
        }
        if is_over {
            out.write_all(CUT.as_bytes())?;
            out.flush()?;
            return Ok(1);
        }
        out.flush()?;
        pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a file to which each step adds something between two
    /// looks; nobody writes it any more after the last.
    #[track_caller]
    fn check(steps: &[&str], expect: (u8, &str)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let mut file = Some(File::create(&path).unwrap());
        file.as_ref().unwrap().lock().unwrap();
        let mut steps = steps.iter();
        let mut shown = Vec::new();
        let code = follow(&path, &mut shown, || match steps.next() {
            Some(step) => file.as_ref().unwrap().write_all(step.as_bytes()).unwrap(),
            None => drop(file.take()),
        });
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!((code.unwrap(), shown.as_str()), expect);
    }

    #[test]
    fn what_is_printed_is_shown_up_to_the_end() {
        let all = "{\"text\":\"a\\n\"}\n{\"end\":0}\n";
        check(&[all], (0, "a\n"));
        check(
            &["{\"text\":\"a\"}\n", "{\"text\":\"ä\"}\n{\"end\":3}\n"],
            (3, "aä"),
        );
        // A line comes in parts, also within a character.
        let parts: Vec<String> = all.chars().map(String::from).collect();
        check(&parts.iter().map(String::as_str).collect::<Vec<_>>(), (0, "a\n"));
    }

    #[test]
    fn where_nobody_writes_any_more_it_ends() {
        check(&[], (1, CUT));
        let cut = format!("a{CUT}");
        check(&["{\"text\":\"a\"}\n", "{\"text\":\"b"], (1, &cut));
    }

    #[tokio::test]
    async fn a_file_is_followed_while_it_is_written_and_goes_with_its_writer() {
        let data = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(data.path()).await.unwrap();
        tidy(data.path());
        let [argument, path] = spool.arguments();
        assert_eq!(argument, ARGUMENT);
        let follower = tokio::task::spawn_blocking(move || {
            let mut shown = Vec::new();
            let code = follow(Path::new(&path), &mut shown, thread::yield_now).unwrap();
            (code, String::from_utf8(shown).unwrap())
        });
        spool.print("one\n").await.unwrap();
        spool.print("two\n").await.unwrap();
        spool.end(1).await.unwrap();
        assert_eq!(follower.await.unwrap(), (1, "one\ntwo\n".to_owned()));
        drop(spool);
        let left = || fs::read_dir(data.path().join(FOLDER)).unwrap().count();
        assert_eq!(left(), 0);
        fs::write(data.path().join(FOLDER).join("dead.jsonl"), "{").unwrap();
        tidy(data.path());
        assert_eq!(left(), 0);
    }

    #[tokio::test]
    async fn a_flood_is_cut() {
        let data = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(data.path()).await.unwrap();
        let piece = "x".repeat(BYTES_MAX - 1);
        for text in [&piece, "yy", "zz"] {
            spool.print(text).await.unwrap();
        }
        spool.end(0).await.unwrap();
        let mut shown = Vec::new();
        let code = follow(&spool.path, &mut shown, thread::yield_now).unwrap();
        assert_eq!((code, String::from_utf8(shown).unwrap()), (0, piece + REST));
    }
}
