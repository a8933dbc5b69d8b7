//! A server that is a program: in a process group of its own, with few
//! variables, its standard error in our log.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use shared::programs;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    runtime::Handle,
    task::JoinHandle,
};

use super::stream::{Output, Watched};
use crate::{
    Error,
    answer::complaint,
    limits::{END_PATIENCE, STDERR_LINE_BYTES_MAX, STDERR_LINES_MAX, STDERR_TAIL_BYTES_MAX},
};

/// Variables that every server sees. The others of this process may hold what
/// is no business of a server, keys above all.
const PASSED_ON: &[&str] = &[
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    // Servers come from package managers and call the web.
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// A program that was started, and its pipes.
pub(super) struct Started {
    pub(super) process: Process,
    pub(super) input: ChildStdin,
    pub(super) output: Output<ChildStdout>,
    pub(super) watched: Arc<Watched>,
}

/// A server's process group. Dropped, it is killed with all it started.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    tail: Arc<Mutex<Vec<u8>>>,
    stderr: Option<JoinHandle<()>>,
    /// Keeps the thread that started the process: its death is what the kernel
    /// watches.
    _keeper: mpsc::Sender<()>,
}

/// Starts a program.
///
/// # Errors
/// [`Error::NotStarted`].
pub(super) fn start(
    server: &str,
    command: &str,
    args: &[String],
    env: &BTreeMap<String, String>,
    workspace: &Path,
) -> Result<Started, Error> {
    let not_started = |reason: String| Error::NotStarted {
        server: server.to_owned(),
        reason,
    };
    let path = env
        .get("PATH")
        .map_or_else(|| env::var_os("PATH").unwrap_or_default(), Into::into);
    let program = find(command, &path, workspace).ok_or_else(|| {
        not_started(match command.contains('/') {
            true => format!("{command} is no program"),
            false => format!("`{command}` is not on PATH"),
        })
    })?;
    // Where there is util-linux, the kernel is told to kill the server when we
    // die, however we die. It becomes the server, so the number stays the same.
    let mut prepared = match find("setpriv", &path, workspace) {
        Some(setpriv) => {
            let mut prepared = Command::new(setpriv);
            prepared.args(["--pdeathsig", "KILL", "--"]).arg(program);
            prepared
        }
        None => Command::new(program),
    };
    prepared
        .args(args)
        .env_clear()
        .envs(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((name, env::var_os(name)?))),
        )
        .envs(env)
        .current_dir(workspace)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let (mut child, keeper) = spawn(prepared).map_err(|error| not_started(error.to_string()))?;
    let missing = || not_started("it has no pipes".to_owned());
    let input = child.stdin.take().ok_or_else(missing)?;
    let output = child.stdout.take().ok_or_else(missing)?;
    let stderr = child.stderr.take().ok_or_else(missing)?;
    let tail: Arc<Mutex<Vec<u8>>> = Arc::default();
    let watched: Arc<Watched> = Arc::default();
    let process = Process {
        group: child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw),
        child,
        stderr: Some(tokio::spawn(forward(
            server.to_owned(),
            stderr,
            Arc::clone(&tail),
        ))),
        tail,
        _keeper: keeper,
    };
    Ok(Started {
        process,
        input,
        output: Output::new(output, Arc::clone(&watched)),
        watched,
    })
}

/// Starts it on a thread of its own, which stays for as long as the process is
/// wanted: the kernel takes the end of the thread that started a process for
/// the end of its parent.
fn spawn(mut command: Command) -> std::io::Result<(Child, mpsc::Sender<()>)> {
    let runtime = Handle::try_current().map_err(std::io::Error::other)?;
    let (keeper, kept) = mpsc::channel::<()>();
    let (started, child) = mpsc::channel();
    thread::Builder::new()
        .name("mcp-server".to_owned())
        .spawn(move || {
            let _inside = runtime.enter();
            let spawned = command.spawn();
            let is_up = spawned.is_ok();
            if started.send(spawned).is_ok() && is_up {
                // Until the sender is dropped.
                let _ = kept.recv();
            }
        })?;
    let child = child.recv().map_err(std::io::Error::other)??;
    Ok((child, keeper))
}

/// A program: by its path, as seen from the workspace, or in an absolute folder
/// of `PATH`; an entry like `.` would let the workspace choose what runs.
fn find(command: &str, path: &OsStr, workspace: &Path) -> Option<PathBuf> {
    if command.contains('/') {
        return Some(workspace.join(command)).filter(|file| programs::is_program(file));
    }
    programs::on_path(path, OsStr::new(command)).next()
}

/// Standard error becomes log lines; its end is kept for errors. All of it is
/// read, or the server would block.
async fn forward(server: String, stderr: impl AsyncRead + Unpin, tail: Arc<Mutex<Vec<u8>>>) {
    let mut stderr = BufReader::new(stderr);
    let mut lines = 0;
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(STDERR_LINE_BYTES_MAX).unwrap_or(u64::MAX);
        match (&mut stderr).take(limit).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        lines += 1;
        if lines <= STDERR_LINES_MAX {
            let text = complaint(&String::from_utf8_lossy(&line), STDERR_LINE_BYTES_MAX);
            tracing::debug!(%server, "{text}");
        }
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&line);
        let beyond = tail.len().saturating_sub(STDERR_TAIL_BYTES_MAX);
        tail.drain(..beyond);
    }
}

impl Process {
    /// The end of standard error, to be put after a reason.
    pub(super) fn stderr_tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&tail);
        match text.trim() {
            "" => String::new(),
            text => format!("; it says: {text}"),
        }
    }

    /// What is to be said of a process that did not begin well: how it ended,
    /// and why.
    pub(super) async fn last_words(&mut self) -> String {
        let waited = tokio::time::timeout(END_PATIENCE, async {
            let status = self.child.wait().await;
            if let Some(stderr) = self.stderr.take() {
                let _ = stderr.await;
            }
            status
        });
        let how = match waited.await {
            Ok(Ok(status)) => format!(" ({status})"),
            Ok(Err(_)) | Err(_) => String::new(),
        };
        format!("{how}{}", self.stderr_tail())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _ = killpg(group, Signal::SIGKILL);
        }
        if let Some(stderr) = &self.stderr {
            stderr.abort();
        }
    }
}
