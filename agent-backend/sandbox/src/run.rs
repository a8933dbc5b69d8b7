//! Runs one command line to its end: passes its output on while it comes, and kills it
//! when it takes too long, takes too much, or somebody says so.
//!
//! To kill the engine is to kill all: bubblewrap's processes end with it, the process
//! namespace with its first one, and no process of a namespace survives that, whatever
//! session or parent it has given itself. Without an engine, the process group is all
//! that can be killed.

use std::{
    ffi::OsString,
    io::Read,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use shared::clock::Stopwatch;

use crate::{
    Ended, Ending, Error, Job, Recipe, Stop, Stream,
    cgroup::{Controller, Group},
    growth::Growth,
    inside,
    output::Kept,
    processes,
};

/// How often the clock, the stop and the end are looked at.
const TICK: Duration = Duration::from_millis(10);
/// The same once the outputs are closed, when the end is near.
const TICK_AT_END: Duration = Duration::from_millis(1);
/// How often memory is added up where no control group bounds it, and the disk looked at.
const WATCH: Duration = Duration::from_millis(200);
/// How long outputs are waited for after a kill: more means that something survived.
const GRACE: Duration = Duration::from_secs(5);

const PIECE_BYTES: usize = 16 << 10;
/// Pieces of output that wait for whoever takes them; then the program waits.
const PIECES_MAX: usize = 16;

/// A shell says it with this much and the signal's number.
const SIGNALLED: i32 = 128;
const SIGNAL_MAX: i32 = 64;

/// What one run needs besides its job.
pub(crate) struct Start<'a> {
    pub(crate) command_line: &'a [OsString],
    /// Removed at the end.
    pub(crate) group: Option<Group>,
    /// The variables of ours that the engine needs, besides where programs are.
    pub(crate) environment: &'a [&'a str],
    /// Further variables of the command itself.
    pub(crate) given: &'a [(OsString, OsString)],
    /// Where the command starts; where the backend is, without.
    pub(crate) directory: Option<&'a Path>,
    /// What the engine's own failures begin with.
    pub(crate) failures: &'a [&'a str],
    /// What else must be told that the job is to end.
    pub(crate) kill: &'a dyn Fn(),
    /// What becomes of what the first process leaves behind.
    pub(crate) tail: Tail,
}

/// What becomes of what the first process of a job leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// It ends with the namespace, or the container.
    Namespace,
    /// It is killed with the process group.
    Group,
}

/// The command for a command line, with nothing of our environment but where programs are
/// and these variables.
pub(crate) fn command(command_line: &[OsString], environment: &[&str]) -> Result<Command, Error> {
    let [program, arguments @ ..] = command_line else {
        return Err(Error::Setup {
            detail: "there is no command".to_owned(),
        });
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    for name in std::iter::once(&"PATH").chain(environment) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    Ok(command)
}

pub(crate) fn run(
    start: Start<'_>,
    job: &Job,
    on_output: &mut dyn FnMut(Stream, &[u8]),
    stop: &Stop,
) -> Result<Ended, Error> {
    let watch = Stopwatch::start();
    let mut command = command(start.command_line, start.environment)?;
    command.envs(start.given.iter().map(|(name, value)| (name, value)));
    if let Some(directory) = start.directory {
        command.current_dir(directory);
    }
    // A group of its own, so that a kill reaches what has not its own session yet.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let growth = Growth::begin(job);
    let child = command.spawn().map_err(Error::io("be started"))?;
    let mut running = Running {
        watch,
        looked: Duration::ZERO,
        child,
        group: start.group,
        growth,
        kill: start.kill,
        tail: start.tail,
        killed: None,
        job,
        stop,
    };
    let pieces = running.pieces();
    let mut kept = [
        Kept::new(job.limits.output_bytes),
        Kept::new(job.limits.output_bytes),
    ];
    let mut streamed = [0_usize; 2];
    loop {
        match pieces.recv_timeout(TICK) {
            Ok((stream, bytes)) => {
                let at = match stream {
                    Stream::Stdout => 0,
                    Stream::Stderr => 1,
                };
                let room = job
                    .limits
                    .output_bytes
                    .saturating_sub(streamed[at])
                    .min(bytes.len());
                if room > 0 {
                    on_output(stream, &bytes[..room]);
                    streamed[at] += room;
                }
                kept[at].push(&bytes);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        running.look();
        if running.is_given_up() {
            tracing::error!("something holds the output of a sandboxed program that was killed");
            break;
        }
    }
    let status = running.wait()?;
    let [(stdout, more), (stderr, and_more)] = kept.map(Kept::finish);
    let ended = Ended {
        ending: running.ending(status),
        duration: watch.elapsed(),
        stdout,
        stderr,
        left_out_bytes: more + and_more,
        recipe: Recipe::new(start.command_line.iter().map(OsString::as_os_str)),
    };
    match setup_failure(&ended, start.failures) {
        Some(detail) => Err(Error::Setup { detail }),
        None => Ok(ended),
    }
}

struct Running<'a> {
    watch: Stopwatch,
    /// When memory and disk were looked at.
    looked: Duration,
    child: Child,
    group: Option<Group>,
    growth: Growth,
    kill: &'a dyn Fn(),
    /// [`Tail::Namespace`] once nothing is left behind.
    tail: Tail,
    /// Why it was killed, and when.
    killed: Option<(Ending, Duration)>,
    job: &'a Job,
    stop: &'a Stop,
}

impl Running<'_> {
    /// What comes out, from a thread for each output; it ends when both are closed.
    fn pieces(&mut self) -> Receiver<(Stream, Vec<u8>)> {
        let (sender, receiver) = sync_channel(PIECES_MAX);
        if let Some(out) = self.child.stdout.take() {
            forward(Stream::Stdout, out, sender.clone());
        }
        if let Some(err) = self.child.stderr.take() {
            forward(Stream::Stderr, err, sender);
        }
        receiver
    }

    /// Kills what outlives the first process, where nothing else does.
    fn cut_tail(&mut self) {
        if self.tail == Tail::Group && matches!(self.child.try_wait(), Ok(Some(_))) {
            self.tail = Tail::Namespace;
            self.kill_group();
        }
    }

    /// Kills it if there is a reason.
    fn look(&mut self) {
        self.cut_tail();
        if self.killed.is_some() {
            return;
        }
        let elapsed = self.watch.elapsed();
        let why = if self.stop.is_stopped() {
            Some(Ending::Stopped)
        } else if elapsed >= self.job.limits.time {
            Some(Ending::TimedOut)
        } else if elapsed.saturating_sub(self.looked) >= WATCH {
            self.looked = elapsed;
            self.took_too_much()
        } else {
            None
        };
        if let Some(why) = why {
            self.killed = Some((why, elapsed));
            self.kill();
        }
    }

    fn took_too_much(&mut self) -> Option<Ending> {
        let is_bounded = self
            .group
            .as_ref()
            .is_some_and(|group| group.bounds(Controller::Memory));
        if !is_bounded && processes::memory_bytes(self.child.id()) > self.job.limits.memory_bytes {
            return Some(Ending::OutOfMemory);
        }
        self.growth.is_too_much().then_some(Ending::WroteTooMuch)
    }

    fn kill(&mut self) {
        (self.kill)();
        // Each of these fails only if there is nothing left to kill.
        self.kill_group();
        let _gone = self.child.kill();
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    fn kill_group(&self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    fn is_given_up(&self) -> bool {
        let since = self.killed.map(|(_, at)| self.watch.elapsed().saturating_sub(at));
        since.is_some_and(|since| since > GRACE)
    }

    /// The end; a program can close its outputs and go on.
    fn wait(&mut self) -> Result<std::process::ExitStatus, Error> {
        loop {
            if let Some(status) = self.child.try_wait().map_err(Error::io("be waited for"))? {
                self.cut_tail();
                return Ok(status);
            }
            self.look();
            if self.is_given_up() {
                return Err(Error::Setup {
                    detail: "a killed sandbox does not end".to_owned(),
                });
            }
            thread::sleep(TICK_AT_END);
        }
    }

    fn ending(&self, status: std::process::ExitStatus) -> Ending {
        if let Some((why, _)) = self.killed {
            return why;
        }
        let ran_out = self.group.as_ref().is_some_and(Group::ran_out_of_memory);
        match (status.code(), status.signal()) {
            (Some(0), _) => Ending::Exited(0),
            _ if ran_out => Ending::OutOfMemory,
            (Some(code), _) if (SIGNALLED + 1..=SIGNALLED + SIGNAL_MAX).contains(&code) => {
                Ending::Signalled(code - SIGNALLED)
            }
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
        }
    }
}

impl Drop for Running<'_> {
    /// Whatever happens to the caller, nothing goes on running.
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
            let _gone = self.child.wait();
        }
    }
}

fn forward(stream: Stream, mut from: impl Read + Send + 'static, to: SyncSender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match from.read(&mut piece) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    if to.send((stream, piece[..length].to_vec())).is_err() {
                        return;
                    }
                }
            }
        }
    });
}

/// The words of the engine or of our helper, if the program never began.
fn setup_failure(ended: &Ended, failures: &[&str]) -> Option<String> {
    let Ending::Exited(status) = ended.ending else {
        return None;
    };
    let said = String::from_utf8_lossy(&ended.stderr);
    let said = said.trim();
    // Bubblewrap says 1, engines of containers, the helper and what enters the control
    // groups say 125. A program that says the same harms only itself.
    let ours = [inside::PREFIX, "sandbox: "];
    let failed = match status {
        1 => said.starts_with("bwrap: "),
        status if status == i32::from(inside::STATUS_FAILED) => {
            ours.iter().chain(failures).any(|words| said.starts_with(words))
        }
        _ => false,
    };
    failed.then(|| said.to_owned())
}
