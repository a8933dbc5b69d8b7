//! A server's process and its pipes: messages go in and come out, each bounded.
//!
//! Threads read and write, so that a server that does neither holds nobody up.
//! Knows no method of the protocol.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use lsp_server::Message;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    Error, Server,
    clock::Deadline,
    limits::{
        END_PATIENCE, HEADER_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGES_WAITING_MAX, REAP_PAUSE,
        STDERR_BYTES_MAX, STDERR_PATIENCE, UNREAD_BYTES_MAX,
    },
};

/// The pipes to a server, and its process.
#[derive(Debug)]
pub(crate) struct Connection {
    server: Server,
    /// None for a peer in this process, in tests.
    process: Option<Process>,
    /// None after the last message.
    outgoing: Option<mpsc::Sender<Vec<u8>>>,
    unread: Arc<AtomicUsize>,
    incoming: mpsc::Receiver<io::Result<Message>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    /// Closed when standard error is.
    stderr_ended: Option<mpsc::Receiver<()>>,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    /// Nothing did, in time.
    Nothing,
}

impl Connection {
    /// Starts `command` in a process group of its own.
    pub(crate) fn start(server: Server, command: &mut Command) -> Result<Self, Error> {
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |source| Error::NotStarted { server, source };
        let mut process = Process(command.spawn().map_err(failed)?);
        let missing = || failed(io::Error::other("it has no pipes"));
        let stdin = process.0.stdin.take().ok_or_else(missing)?;
        let stdout = process.0.stdout.take().ok_or_else(missing)?;
        let stderr = process.0.stderr.take().ok_or_else(missing)?;
        let mut connection = Self::over(server, stdout, stdin);
        connection.process = Some(process);
        let tail = Arc::clone(&connection.stderr);
        let (open, ended) = mpsc::channel();
        connection.stderr_ended = Some(ended);
        thread::spawn(move || {
            keep_tail(stderr, &tail);
            drop(open);
        });
        Ok(connection)
    }

    /// Over pipes that are there already.
    pub(crate) fn over(
        server: Server,
        output: impl Read + Send + 'static,
        input: impl Write + Send + 'static,
    ) -> Self {
        let (outgoing, to_write) = mpsc::channel::<Vec<u8>>();
        let unread = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&unread);
        thread::spawn(move || {
            let mut input = input;
            for bytes in to_write {
                // Whoever reads the other pipe learns that it has ended.
                if input.write_all(&bytes).and_then(|()| input.flush()).is_err() {
                    return;
                }
                written.fetch_sub(bytes.len(), Ordering::Relaxed);
            }
        });
        // Bounded: a server that floods has to wait until it is listened to.
        let (message, incoming) = mpsc::sync_channel(MESSAGES_WAITING_MAX);
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let read = read(&mut output).transpose();
                let last = !matches!(read, Some(Ok(_)));
                if let Some(read) = read
                    && message.send(read).is_err()
                {
                    return;
                }
                if last {
                    return;
                }
            }
        });
        Self {
            server,
            process: None,
            outgoing: Some(outgoing),
            unread,
            incoming,
            stderr: Arc::default(),
            stderr_ended: None,
        }
    }

    /// Hands a message over; it is written when the server reads.
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), Error> {
        let mut bytes = Vec::new();
        message
            .write(&mut bytes)
            .map_err(|error| self.garbage(error.to_string()))?;
        let waiting = self.unread.fetch_add(bytes.len(), Ordering::Relaxed);
        if waiting > UNREAD_BYTES_MAX {
            return Err(self.garbage("it reads nothing"));
        }
        match &self.outgoing {
            Some(outgoing) if outgoing.send(bytes).is_ok() => Ok(()),
            // The writer is gone. The reader may have seen why, but what it has
            // seen last is not worth waiting for.
            Some(_) | None => Err(self.died()),
        }
    }

    /// The next message, if one comes until then.
    pub(crate) fn receive(&mut self, within: Duration) -> Result<Incoming, Error> {
        match self.incoming.recv_timeout(within) {
            Ok(Ok(message)) => Ok(Incoming::Message(message)),
            Ok(Err(error)) => {
                // Its reason may be on its way.
                self.until_stderr_ended(STDERR_PATIENCE);
                Err(self.garbage(error.to_string()))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(Incoming::Nothing),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(self.died()),
        }
    }

    /// The end of standard error, on one line.
    pub(crate) fn stderr(&self) -> String {
        let bytes = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let clean = |c: char| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| line.chars().map(clean).collect::<String>())
            .collect::<Vec<_>>()
            .join(" | ")
    }

    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.0.id())
    }

    pub(crate) fn garbage(&self, detail: impl Into<String>) -> Error {
        Error::Garbage {
            server: self.server,
            detail: crate::diagnostic::cut(detail.into(), STDERR_BYTES_MAX),
            stderr: self.stderr(),
        }
    }

    fn died(&mut self) -> Error {
        let status = self
            .process
            .as_mut()
            .and_then(|process| process.ended_within(END_PATIENCE));
        self.until_stderr_ended(END_PATIENCE);
        Error::Died {
            server: self.server,
            how: match status {
                Some(status) => format!("with {status}"),
                None => "its output".to_owned(),
            },
            stderr: self.stderr(),
        }
    }

    fn until_stderr_ended(&self, patience: Duration) {
        if let Some(ended) = &self.stderr_ended {
            let _ended_or_not = ended.recv_timeout(patience);
        }
    }

    /// Lets go of the server's input and gives it a moment to end by itself.
    pub(crate) fn end(&mut self) {
        self.outgoing = None;
        if let Some(process) = &mut self.process {
            process.ended_within(END_PATIENCE);
        }
    }
}

/// Kills the whole group when dropped: servers start programs of their own.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Deadline::after(patience);
        loop {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Some(status);
            }
            if deadline.passed() {
                return None;
            }
            thread::sleep(REAP_PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Also when it has ended: what it started may have stayed. The group's
        // number is not given to others while anything of it is left.
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _reaped = self.0.wait();
    }
}

/// Reads one message; none at the end. The header is looked at first, because
/// its number decides how much memory is taken.
fn read(output: &mut impl BufRead) -> io::Result<Option<Message>> {
    let invalid = |detail: String| io::Error::new(io::ErrorKind::InvalidData, detail);
    let mut header = Vec::new();
    let mut length = None;
    loop {
        let start = header.len();
        let room = HEADER_BYTES_MAX.saturating_sub(start as u64);
        if output.by_ref().take(room).read_until(b'\n', &mut header)? == 0 {
            return if start == 0 {
                Ok(None)
            } else {
                Err(invalid(format!("a header ends early: {}", shown(&header))))
            };
        }
        let line = header.get(start..).unwrap_or_default().trim_ascii_end();
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else {
            return Err(invalid(format!("it writes {}", shown(line.as_bytes()))));
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    match length {
        Some(length) if length <= MESSAGE_BYTES_MAX => {
            let whole = header.as_slice().chain(output.by_ref().take(length as u64));
            // The error would show the whole message.
            match Message::read(&mut BufReader::new(whole)) {
                Ok(message) => Ok(message),
                Err(error) => Err(io::Error::new(
                    error.kind(),
                    format!(
                        "a message cannot be read: {}",
                        shown(error.to_string().as_bytes())
                    ),
                )),
            }
        }
        Some(length) => Err(invalid(format!("a message has {length} bytes"))),
        None => Err(invalid(format!("a header has no length: {}", shown(&header)))),
    }
}

/// The beginning of something unexpected.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes));
    format!("{text:?}")
}

/// Reads to the end and keeps the end.
fn keep_tail(mut pipe: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 4096];
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend_from_slice(chunk.get(..count).unwrap_or_default());
                let extra = tail.len().saturating_sub(STDERR_BYTES_MAX);
                tail.drain(..extra);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The method of the message in `bytes`, `end`, or the complaint.
    #[track_caller]
    fn check(bytes: &[u8], expect: &str) {
        let mut input = bytes;
        let found = match read(&mut input) {
            Ok(Some(Message::Notification(message))) => message.method,
            Ok(Some(other)) => format!("{other:?}"),
            Ok(None) => "end".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn messages_are_read_and_rubbish_is_named() {
        check(b"Content-Length: 14\r\n\r\n{\"method\":\"a\"}", "a");
        check(
            b"Content-Type: x; charset=utf-8\r\ncontent-length: 14\r\n\r\n{\"method\":\"a\"}",
            "a",
        );
        check(b"", "end");
        check(b"Hello!\n", "it writes \"Hello!\"");
        check(b"\r\n", "a header has no length: \"\\r\\n\"");
        check(
            b"Content-Length: many\r\n\r\n",
            "a header has no length: \"Content-Length: many\\r\\n\\r\\n\"",
        );
        check(
            b"Content-Length: 99999999999999\r\n\r\n",
            "a message has 99999999999999 bytes",
        );
        check(
            b"Content-Length: 5\r\n",
            "a header ends early: \"Content-Length: 5\\r\\n\"",
        );
        check(
            b"Content-Length: 50\r\n\r\n{}",
            "a message cannot be read: \"failed to fill whole buffer\"",
        );
        check(
            b"Content-Length: 2\r\n\r\n{}",
            "a message cannot be read: \"malformed LSP payload `Error(\\\"data did not match any variant of untagged enum Message\\\", line: 0, column: 0)`: \\\"{}\\\"\"",
        );
    }

    #[test]
    fn a_header_without_end_is_bounded() {
        let endless = io::repeat(b'a').take(1 << 30);
        let error = read(&mut BufReader::new(endless)).unwrap_err();
        assert!(error.to_string().starts_with("it writes \"aaa"), "{error}");
    }

    #[test]
    fn two_messages_follow_each_other() {
        let mut input: &[u8] =
            b"Content-Length: 14\r\n\r\n{\"method\":\"a\"}Content-Length: 14\r\n\r\n{\"method\":\"b\"}";
        let mut methods = Vec::new();
        while let Some(Message::Notification(message)) = read(&mut input).unwrap() {
            methods.push(message.method);
        }
        assert_eq!(methods, ["a", "b"]);
    }

    #[test]
    fn the_end_of_standard_error_is_kept() {
        let tail = Mutex::default();
        let text = format!("{}end", "x".repeat(3 * STDERR_BYTES_MAX));
        keep_tail(text.as_bytes(), &tail);
        let kept = tail.into_inner().unwrap();
        assert_eq!(kept.len(), STDERR_BYTES_MAX);
        assert!(kept.ends_with(b"xend"));
    }
}
