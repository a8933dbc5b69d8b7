//! A Qdrant as a child. The child is a script that reads the configuration the
//! launcher wrote and becomes the embedded engine: a Qdrant in all that the
//! launcher can see.

mod real;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proto::v1::{Mode, StatusRequest, StatusResponse, vector_db_service_client::VectorDbServiceClient};
use shared::processes::lives;
use tempfile::tempdir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vectordb_launcher::{
    qdrant::{self, Launch, Probe, Snapshot},
    supervisor::Limits,
    tls::Trust,
};

use crate::support::{Launcher, PATIENCE, Start, fill, make};

pub fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("qdrant");
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

pub fn stand_in(folder: &Path) -> PathBuf {
    let text = format!(
        r#"port() {{ sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$2"; }}
[ "$1" = --config-path ] || exit 9
echo "a line for the log"
exec '{}' --embedded --data-dir ./storage --control-port 0 \
    --http-port "$(port http_port "$2")" --grpc-port "$(port grpc_port "$2")"
"#,
        env!("CARGO_BIN_EXE_agentic-ide-vectordb"),
    );
    script(folder, &text)
}

pub fn supervised(folder: &Path) -> Launcher {
    Start::new(folder).arg("--qdrant").arg(stand_in(folder)).ready()
}

pub async fn status(launcher: &Launcher) -> StatusResponse {
    let url = format!("http://127.0.0.1:{}", launcher.ports.control);
    let mut control = VectorDbServiceClient::connect(url).await.unwrap();
    control.status(StatusRequest {}).await.unwrap().into_inner()
}

pub async fn gone(pid: u32) {
    let wait = async {
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn a_child_is_started_watched_and_ended() {
    let folder = tempdir().unwrap();
    let launcher = supervised(folder.path());
    make(&launcher.client()).await;
    fill(&launcher.client()).await;
    let seen = status(&launcher).await;
    assert_eq!(seen.mode(), Mode::Qdrant);
    assert_eq!((&*seen.state, &*seen.version), ("ready", "1.20.0"));
    assert_eq!(seen.collections[0].points, 5);
    assert!(lives(seen.pid));

    // Killed, it is started again, with its data.
    kill(Pid::from_raw(seen.pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
    launcher.wait_for("\"to\":\"backoff\"");
    launcher.wait_for("\"to\":\"ready\"");
    let again = status(&launcher).await;
    assert_ne!(again.pid, seen.pid);
    assert_eq!(again.collections[0].points, 5);

    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
    gone(again.pid).await;
}

/// What Qdrant says is among what the launcher says, without secrets.
#[tokio::test]
async fn the_childs_log_is_passed_on() {
    let folder = tempdir().unwrap();
    let text = "echo 'said https://me:hidden-by-me@host' >&2; exec sleep 60\n";
    let program = script(folder.path(), text);
    let launcher = Start::new(folder.path()).arg("--qdrant").arg(program).running();
    let line = launcher.wait_for("said");
    assert!(line.contains("\"qdrant\"") && line.contains("@host"), "{line}");
    assert!(!line.contains("hidden-by-me"), "{line}");
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));

    let own = tempdir().unwrap();
    let launcher = Start::new(own.path())
        .arg("--qdrant")
        .arg(stand_in(own.path()))
        .running();
    launcher.wait_for("a line for the log");
    launcher.wait_for("\"Ready\"");
}

#[tokio::test]
async fn a_killed_launcher_leaves_no_orphan() {
    let folder = tempdir().unwrap();
    let launcher = supervised(folder.path());
    let pid = status(&launcher).await.pid;
    launcher.end(Signal::SIGKILL).await;
    // The kernel ends the child where setpriv is installed; the next launcher
    // ends it everywhere.
    let launcher = supervised(folder.path());
    gone(pid).await;
    assert_ne!(status(&launcher).await.pid, pid);
}

#[tokio::test]
async fn a_child_that_never_lives_is_given_up() {
    let folder = tempdir().unwrap();
    let program = script(folder.path(), "exit 3\n");
    let launch = Launch {
        program,
        folder: folder.path().to_owned(),
    };
    let limits = Limits {
        backoff_ms_min: 1,
        backoff_ms_max: 2,
        attempts_max: 3,
        ..Limits::default()
    };
    let (sender, snapshot) = watch::channel(Snapshot::new());
    let probe = Probe::new("http://127.0.0.1:9".to_owned(), None, &Trust::Public).unwrap();
    let run = qdrant::run(Some(launch), probe, limits, sender, CancellationToken::new());
    let error = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Qdrant ends again and again: it ended with exit status: 3"
    );
    assert_eq!(error.code(), shared::error::Code::QdrantNotStarted);
    assert_eq!(snapshot.borrow().state.to_string(), "stopped");
}

#[tokio::test]
async fn somebody_elses_is_watched() {
    let folder = tempdir().unwrap();
    let theirs = Launcher::embedded(folder.path());
    let own = tempdir().unwrap();
    let launcher = Start::new(own.path())
        .arg("--url")
        .arg(format!("http://127.0.0.1:{}", theirs.ports.http))
        .ready();
    let seen = status(&launcher).await;
    assert_eq!(
        (seen.mode(), &*seen.state, seen.pid),
        (Mode::External, "ready", 0)
    );
    theirs.end(Signal::SIGKILL).await;
    launcher.wait_for("\"to\":\"degraded\"");
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
}
