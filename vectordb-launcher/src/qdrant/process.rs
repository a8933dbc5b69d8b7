//! The child process itself: its start, its log, its end.

use std::{path::PathBuf, process::Stdio, time::Duration};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
};

use super::{
    Launch,
    orphan::{self, Identity},
    program::{CONFIG_FILE, find},
};
use crate::error::{Error, Result};

/// Longest log line that is passed on, in bytes.
const LINE_BYTES_MAX: usize = 4096;

/// A running Qdrant.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    pid: u32,
    folder: PathBuf,
}

impl Child {
    /// Starts the program of `launch`, whose configuration is written.
    ///
    /// Where util-linux's `setpriv` exists the kernel is told to kill the child
    /// when the launcher dies, however it dies; asking the kernel from here
    /// would take `unsafe` code between fork and exec. `setpriv` replaces itself
    /// by Qdrant, so the number stays the child's own.
    ///
    /// # Errors
    /// [`Error::Qdrant`] if it cannot be run.
    pub async fn start(launch: &Launch) -> Result<Self> {
        orphan::end(&launch.folder).await;
        let mut command = match find("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(&launch.program);
                command
            }
            None => Command::new(&launch.program),
        };
        let mut process = command
            .arg("--config-path")
            .arg(launch.folder.join(CONFIG_FILE))
            .current_dir(&launch.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C in the terminal is for the launcher, which then ends the
            // child in its own order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::Qdrant(format!("cannot run {}: {error}", launch.program.display())))?;
        if let Some(stdout) = process.stdout.take() {
            forward(stdout);
        }
        if let Some(stderr) = process.stderr.take() {
            forward(stderr);
        }
        let Some(pid) = process.id() else {
            return Err(Error::Qdrant(format!(
                "{} ended at once",
                launch.program.display()
            )));
        };
        let child = Self {
            process,
            pid,
            folder: launch.folder.clone(),
        };
        match Identity::of(pid).map(|identity| identity.record(&launch.folder)) {
            Some(Ok(())) | None => {}
            Some(Err(error)) => tracing::warn!(%error, "the child could not be written down"),
        }
        Ok(child)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for its end and says how it ended.
    pub async fn ended(&mut self) -> String {
        let reason = match self.process.wait().await {
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("it cannot be waited for: {error}"),
        };
        orphan::forget(&self.folder);
        reason
    }

    /// Ends it at once; [`Self::ended`] tells when.
    pub fn kill(&mut self) {
        orphan::signal(self.pid, Signal::SIGKILL);
    }

    /// Asks it to end, and kills it if that takes longer than `patience`.
    pub async fn end(mut self, patience: Duration) {
        orphan::signal(self.pid, Signal::SIGTERM);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            tracing::warn!(pid = self.pid, "Qdrant does not end, killing it");
            self.kill();
            self.ended().await;
        }
    }
}

/// Passes the child's lines on to the log until it closes them.
fn forward(stream: impl AsyncRead + Send + Unpin + 'static) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let line = shared::redact::redact(&line);
            let end = line.floor_char_boundary(LINE_BYTES_MAX);
            tracing::info!(target: "qdrant", "{}", &line[..end]);
        }
    });
}
