//! An agent that is a program on this machine: it is started for a connection,
//! spoken with over its standard input and output, and ended with it, with all
//! that it started.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{SinkExt, StreamExt, future::BoxFuture};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::AsyncRead,
    process::{Child, Command},
    time::timeout,
};
use tokio_util::codec::{FramedRead, FramedWrite, LinesCodec, LinesCodecError};

use super::reach::{MESSAGE_BYTES_MAX, Place, Reach, Wire};
use crate::Error;

/// Lines of its standard error that are kept to say why it ended.
const LAST_WORDS_LINES_MAX: usize = 6;
/// Longest such line, in bytes; longer ones are dropped.
const LAST_WORDS_BYTES_MAX: usize = 2_000;
/// Time a program that has closed its output may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// A program that is an agent.
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    command: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
}

impl Program {
    /// Started as `command` with `args`, and `env` beside the window's own variables.
    pub fn new(name: &str, command: String, args: Vec<String>, env: BTreeMap<String, String>) -> Self {
        Self {
            name: name.to_owned(),
            command,
            args,
            env,
        }
    }

    fn start(&self) -> Result<Wire, Error> {
        let mut command = Command::new(&self.command);
        // A group of its own: what it starts is ended with it.
        command
            .args(&self.args)
            .envs(&self.env)
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let gone = |reason: String| Error::AgentGone {
            agent: self.name.clone(),
            reason,
        };
        let mut child = command
            .spawn()
            .map_err(|error| gone(format!("`{}` cannot be started: {error}", self.command)))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(gone("it has no standard input or output".to_owned()));
        };
        let words = LastWords::default();
        let listening = tokio::spawn(words.clone().listen(stderr));
        let group = Group::of(child);
        let codec = LinesCodec::new_with_max_length(MESSAGE_BYTES_MAX);
        let outgoing = FramedWrite::new(stdin, LinesCodec::new());
        let outgoing = SinkExt::<String>::sink_map_err(outgoing, into_io);
        let incoming = FramedRead::new(stdout, codec).map(|line| line.map_err(into_io));
        let end = async move {
            let how = group.ended().await;
            let _rest_read = timeout(END_TIMEOUT, listening).await;
            match words.last() {
                words if words.is_empty() => how,
                words => format!("{how}: {words}"),
            }
        };
        Ok(Wire {
            outgoing: Box::pin(outgoing),
            incoming: incoming.boxed(),
            end: Box::pin(end),
        })
    }
}

impl Reach for Program {
    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self) -> Place {
        Place::Here
    }

    fn open(&self) -> BoxFuture<'static, Result<Wire, Error>> {
        let program = self.clone();
        // Starting needs the runtime, which is there once this is awaited.
        Box::pin(async move { program.start() })
    }
}

/// A program with all that it started.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        Self { child, leader }
    }

    /// Waits a little for its end, and says what that was.
    async fn ended(mut self) -> String {
        match timeout(END_TIMEOUT, self.child.wait()).await {
            Ok(Ok(status)) => format!("it ended ({status})"),
            Ok(Err(error)) => format!("it ended ({error})"),
            Err(_) => "it closed its output".to_owned(),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // Gone already: there is nobody left to end.
            let _gone = killpg(leader, Signal::SIGKILL);
        }
    }
}

/// The last lines that a program wrote to its standard error.
#[derive(Debug, Clone, Default)]
struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    async fn listen(self, stderr: impl AsyncRead + Unpin) {
        let mut lines = FramedRead::new(stderr, LinesCodec::new_with_max_length(LAST_WORDS_BYTES_MAX));
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => self.note(line),
                Err(LinesCodecError::MaxLineLengthExceeded) => {}
                Err(LinesCodecError::Io(_)) => return,
            }
        }
    }

    fn note(&self, line: String) {
        tracing::debug!(%line, "an agent says");
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if line.trim().is_empty() {
            return;
        }
        if lines.len() == LAST_WORDS_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn last(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
        lines.join(" · ")
    }
}

fn into_io(error: LinesCodecError) -> io::Error {
    match error {
        LinesCodecError::MaxLineLengthExceeded => {
            io::Error::new(io::ErrorKind::InvalidData, "a message is longer than 64 MiB")
        }
        LinesCodecError::Io(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use shared::processes::lives;

    use super::*;

    fn program(script: &str) -> Program {
        let args = vec!["-c".to_owned(), script.to_owned()];
        let env = BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]);
        Program::new("test", "sh".to_owned(), args, env)
    }

    async fn lines(wire: &mut Wire) -> Vec<String> {
        let lines = wire.incoming.by_ref().map(|line| line.unwrap());
        lines.collect().await
    }

    #[tokio::test]
    async fn lines_go_both_ways_and_the_last_words_are_kept() {
        let mut wire = program("read line; echo \"$GREETING $line\"; echo no key >&2; exit 3")
            .open()
            .await
            .unwrap();
        wire.outgoing.send("world".to_owned()).await.unwrap();
        assert_eq!(lines(&mut wire).await, ["hello world"]);
        assert_eq!(wire.end.await, "it ended (exit status: 3): no key");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there() {
        let missing = Program::new("test", "/no/such/agent".to_owned(), Vec::new(), BTreeMap::new());
        let error = missing.open().await.unwrap_err();
        let expect = "test cannot be reached: `/no/such/agent` cannot be started";
        assert!(error.to_string().starts_with(expect), "{error}");
    }

    #[tokio::test]
    async fn what_it_started_ends_with_the_connection() {
        let mut wire = program("sleep 1000 & echo $!; exec cat").open().await.unwrap();
        let line = wire.incoming.next().await.unwrap().unwrap();
        let pid = line.parse().unwrap();
        assert!(lives(pid));
        drop(wire);
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    }
}
