//! The programs that a command starts. All of them end with it: stopped in
//! order when it ends well or with an error, and by a small shell process when
//! it is killed or interrupted, because then nothing of ours runs any more.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};

use crate::clock::Stopwatch;

/// Time a program has to end by itself after SIGTERM.
const STOP_WAIT: Duration = Duration::from_secs(8);
/// Time between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(25);
/// Lines of a log that a failure shows.
const TAIL_LINES: usize = 20;
/// Bytes at the end of a log that are looked at for those lines.
const TAIL_BYTES: u64 = 16 * 1024;

/// A program that was started.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails with the end of the log if the program has ended.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.failure(&format!("ended by itself ({status})"))),
        }
    }

    /// Waits until `ready` answers something; fails if the program ends before
    /// that or `limit` passes.
    pub fn wait_until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        let watch = Stopwatch::start();
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            self.check_alive()?;
            if watch.elapsed() > limit {
                return Err(self.failure(&format!(
                    "did not get as far as: {what}, in {} s",
                    limit.as_secs()
                )));
            }
            thread::sleep(POLL);
        }
    }

    /// An error that names the log and shows its end.
    pub fn failure(&self, what: &str) -> anyhow::Error {
        anyhow!("{} {what}\n{}", self.name, tail(&self.log))
    }

    /// Ends it: SIGTERM, then SIGKILL.
    fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // The group, so that what the program started goes with it.
        let _gone = signal("TERM", self.pid());
        let watch = Stopwatch::start();
        while watch.elapsed() < STOP_WAIT {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(POLL);
        }
        let _gone = signal("KILL", self.pid());
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn signal(name: &str, group: u32) -> std::io::Result<()> {
    // The form that every POSIX shell reads: dash takes `-TERM --` for a number.
    let script = format!("kill -s {name} -- -{group}");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().map(drop)
}

/// The end of a log as a failure shows it.
pub fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n  | ");
            format!("its log is {}\n  | {last}", log.display())
        }
        Err(error) => format!("its log {} cannot be read: {error}", log.display()),
    }
}

/// Everything that one command started.
#[derive(Debug)]
pub struct Crew {
    warden: Child,
    wire: Option<ChildStdin>,
    logs: PathBuf,
    programs: Vec<Program>,
}

impl Crew {
    /// An empty crew whose logs go to `logs`.
    pub fn new(logs: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let mut warden = Command::new("sh")
            .args(["-c", include_str!("warden.sh")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C must not reach it: that is when it is needed.
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let wire = warden.stdin.take();
        Ok(Self {
            warden,
            wire,
            logs: logs.to_owned(),
            programs: Vec::new(),
        })
    }

    /// Starts a program with its output in `<logs>/<name>.log`.
    pub fn start(&mut self, name: &str, command: &mut Command) -> anyhow::Result<&mut Program> {
        let log = self.logs.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(output.try_clone()?).stderr(output);
        self.adopt(name, command, log)
    }

    /// Like `start`, but standard output stays as `command` has it; only
    /// standard error goes to the log.
    pub fn start_piped(&mut self, name: &str, command: &mut Command) -> anyhow::Result<&mut Program> {
        let log = self.logs.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(Stdio::piped()).stderr(output);
        self.adopt(name, command, log)
    }

    fn adopt(&mut self, name: &str, command: &mut Command, log: PathBuf) -> anyhow::Result<&mut Program> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        self.tell("watch", child.id());
        self.programs.push(Program {
            name: name.to_owned(),
            child,
            log,
        });
        match self.programs.last_mut() {
            Some(program) => Ok(program),
            None => bail!("{name} was not kept"),
        }
    }

    /// Runs a command to its end, in the foreground: it has the terminal, and
    /// Ctrl-C reaches it directly.
    pub fn run(&mut self, command: &mut Command) -> anyhow::Result<ExitStatus> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = child.id();
        self.tell("watch", pid);
        let status = child.wait();
        self.tell("forget", pid);
        Ok(status?)
    }

    /// The programs, in the order they were started.
    pub fn programs(&mut self) -> &mut [Program] {
        &mut self.programs
    }

    /// A program by its name.
    pub fn program(&mut self, name: &str) -> anyhow::Result<&mut Program> {
        let found = self.programs.iter_mut().find(|program| program.name == name);
        found.with_context(|| format!("{name} was not started"))
    }

    /// Stops one program, if it was started.
    pub fn forget(&mut self, name: &str) {
        if let Some(at) = self.programs.iter().position(|program| program.name == name) {
            let mut program = self.programs.remove(at);
            program.stop();
            self.tell("forget", program.pid());
        }
    }

    /// Stops the programs, the last one first.
    pub fn stop(&mut self) {
        while let Some(mut program) = self.programs.pop() {
            program.stop();
            self.tell("forget", program.pid());
        }
    }

    fn tell(&mut self, verb: &str, pid: u32) {
        // A warden that is gone is no reason to stop the command.
        let _written = self.wire.as_mut().map(|wire| writeln!(wire, "{verb} {pid}"));
    }
}

impl Program {
    /// Takes the pipe of a program that was started with `start_piped`.
    pub fn take_stdout(&mut self) -> anyhow::Result<std::process::ChildStdout> {
        self.child
            .stdout
            .take()
            .with_context(|| format!("{} has no pipe", self.name))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop();
        drop(self.wire.take());
        let _ended = self.warden.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_shows_the_end_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut crew = Crew::new(dir.path()).unwrap();
        let program = crew
            .start("one", &mut sh("seq 1 30; echo broken >&2; exit 3"))
            .unwrap();
        let error = program
            .wait_until("nothing", Duration::from_secs(60), || None::<()>)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("one ended by itself (exit status: 3)\nits log is "),
            "{error}"
        );
        assert!(error.ends_with("| 30\n  | broken"), "{error}");
        assert!(!error.contains("| 10\n"), "{error}");
    }

    #[test]
    fn programs_and_what_they_started_end_with_the_crew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let mut crew = Crew::new(dir.path()).unwrap();
        let script = format!(
            "sleep 600 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait",
            file.display()
        );
        let program = crew.start("parent", &mut sh(&script)).unwrap();
        let read = || fs::read_to_string(&file).ok();
        let grandchild = program
            .wait_until("its child", Duration::from_secs(60), read)
            .unwrap();
        drop(crew);
        let alive = sh(&format!("kill -0 {} 2>/dev/null", grandchild.trim()))
            .status()
            .unwrap();
        let zombie = fs::read_to_string(format!("/proc/{}/stat", grandchild.trim()));
        assert!(!alive.success() || zombie.is_ok_and(|stat| stat.contains(") Z ")));
    }
}
