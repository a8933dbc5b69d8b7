//! Runs a program with bounded input, output and time. Knows nothing of what
//! the program is for.

use std::{
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use shared::clock::Stopwatch;

/// Pause between two looks at a child that has closed its pipes but not ended.
const REAP_PAUSE: Duration = Duration::from_millis(2);

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// Exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output, cut at the bound.
    pub(crate) stdout: Vec<u8>,
    /// Standard error, cut at the bound.
    pub(crate) stderr: Vec<u8>,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be started or talked to.
    Io(io::Error),
    /// It did not end in time and was killed, with all it started.
    TimedOut,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs `command` to its end. Standard input is `input`, or closed.
pub(crate) fn run(
    command: &mut Command,
    input: Option<&[u8]>,
    timeout: Duration,
    output_bytes_max: usize,
) -> Result<Output, Failure> {
    let watch = Stopwatch::start();
    // Its own process group: a time-out must also end what it started.
    command
        .process_group(0)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Guard(command.spawn()?);
    let (done, ended) = mpsc::channel();
    let stdout = child
        .0
        .stdout
        .take()
        .map(|pipe| reader(pipe, output_bytes_max, done.clone()));
    let stderr = child
        .0
        .stderr
        .take()
        .map(|pipe| reader(pipe, output_bytes_max, done.clone()));
    drop(done);
    if let (Some(mut pipe), Some(input)) = (child.0.stdin.take(), input) {
        let input = input.to_vec();
        // A program may end without reading everything; its exit code tells.
        thread::spawn(move || {
            let _ = pipe.write_all(&input);
        });
    }
    for _ in 0..2 {
        let left = timeout.saturating_sub(watch.elapsed());
        if ended.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) {
            return Err(Failure::TimedOut);
        }
    }
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if watch.elapsed() > timeout {
            return Err(Failure::TimedOut);
        }
        thread::sleep(REAP_PAUSE);
    };
    let join = |reader: Option<thread::JoinHandle<Vec<u8>>>| {
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    };
    Ok(Output {
        code: status.code(),
        stdout: join(stdout),
        stderr: join(stderr),
    })
}

/// Reads to the end, keeps the beginning: the rest must be drained, or the
/// program blocks on a full pipe.
fn reader(
    mut pipe: impl Read + Send + 'static,
    bytes_max: usize,
    done: mpsc::Sender<()>,
) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0; 8192];
        loop {
            match pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    let room = bytes_max.saturating_sub(kept.len()).min(count);
                    kept.extend_from_slice(&chunk[..room]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let _ = done.send(());
        kept
    })
}

/// Kills the child's whole group when dropped before its end.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// The text of a complaint, bounded and without control characters.
pub(crate) fn complaint(bytes: &[u8], bytes_max: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for c in text.trim().chars() {
        if out.len() + c.len_utf8() > bytes_max {
            out.push('…');
            break;
        }
        out.push(if c.is_control() && c != '\n' && c != '\t' {
            '\u{fffd}'
        } else {
            c
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn input_output_and_code_come_through() {
        let output = run(
            Command::new("sh").args(["-c", "cat; echo no >&2; exit 3"]),
            Some(b"yes"),
            LONG,
            100,
        );
        let output = output.unwrap();
        assert_eq!(
            (output.code, output.stdout, output.stderr),
            (Some(3), b"yes".to_vec(), b"no\n".to_vec())
        );
    }

    #[test]
    fn output_is_cut_and_the_program_still_ends() {
        let output = run(
            Command::new("sh").args(["-c", "head -c 500000 /dev/zero"]),
            None,
            LONG,
            10,
        )
        .unwrap();
        assert_eq!((output.code, output.stdout.len()), (Some(0), 10));
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]);
        let result = run(&mut command, None, Duration::from_millis(50), 10);
        assert!(matches!(result, Err(Failure::TimedOut)));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let result = run(&mut Command::new("/no/such/program"), None, LONG, 10);
        assert!(matches!(result, Err(Failure::Io(error)) if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn complaints_are_bounded_and_printable() {
        assert_eq!(complaint(b" a\x1b[31mb\n", 100), "a\u{fffd}[31mb");
        assert_eq!(complaint(b"abcdef", 3), "abc…");
    }
}
