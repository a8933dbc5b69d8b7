//! Children that outlived a killed launcher.
//!
//! The system kills them where `setpriv` exists; where it does not, the next
//! launcher finds them by what it wrote down. A process is recognised by its
//! number together with the moment it started, because numbers are used again.

use std::{fs, io, path::Path, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::process::Process;
use serde::{Deserialize, Serialize};
use shared::{files, processes};

/// The record inside the child's folder.
const FILE: &str = "child.json";

/// How long an orphan may take to end by itself, and how often that is looked at.
const END_TIME_MAX: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Which process, beyond doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pid: u32,
    /// In the kernel's ticks since it started.
    started_ticks: u64,
    /// Of the kernel's run; ticks count from its beginning.
    boot: String,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.pid, self.started_ticks, self.boot)
    }
}

impl Identity {
    /// The process that has the number `pid` now.
    pub fn of(pid: u32) -> Option<Self> {
        let process = Process::new(i32::try_from(pid).ok()?).ok()?;
        Some(Self {
            pid,
            started_ticks: process.stat().ok()?.starttime,
            boot: procfs::sys::kernel::random::boot_id().ok()?,
        })
    }

    /// Whether this very process still runs.
    pub fn runs(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self) && processes::lives(self.pid)
    }

    /// Writes it down.
    ///
    /// # Errors
    /// What the system says.
    pub fn record(&self, folder: &Path) -> io::Result<()> {
        files::write_atomically(&folder.join(FILE), &serde_json::to_vec(self)?)
    }
}

/// Forgets the child that ended.
pub fn forget(folder: &Path) {
    if let Err(error) = fs::remove_file(folder.join(FILE))
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the record of the child stays");
    }
}

/// Ends the child that an earlier launcher left behind, if there is one.
pub async fn end(folder: &Path) {
    let Ok(text) = fs::read(folder.join(FILE)) else {
        return;
    };
    if let Ok(identity) = serde_json::from_slice::<Identity>(&text)
        && identity.runs()
    {
        tracing::warn!(
            pid = identity.pid,
            "ending the Qdrant that a killed launcher left behind"
        );
        signal(identity.pid, Signal::SIGTERM);
        let gone = async {
            while identity.runs() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        if tokio::time::timeout(END_TIME_MAX, gone).await.is_err() {
            signal(identity.pid, Signal::SIGKILL);
        }
    }
    forget(folder);
}

/// Sends `signal`; a process that is gone has got what it was to get.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _gone = kill(Pid::from_raw(pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other() {
        let own = Identity::of(std::process::id()).unwrap();
        assert!(own.runs());
        assert!(
            !Identity {
                started_ticks: own.started_ticks + 1,
                ..own.clone()
            }
            .runs()
        );
        assert!(
            !Identity {
                boot: "another".to_owned(),
                ..own
            }
            .runs()
        );
    }

    #[tokio::test]
    async fn an_orphan_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        identity.record(folder.path()).unwrap();
        end(folder.path()).await;
        assert!(!identity.runs());
        child.wait().unwrap();
        assert!(!folder.path().join(FILE).exists());
    }
}
