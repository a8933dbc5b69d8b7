//! The same with the program that `QDRANT_BIN` names. Each test says that it was
//! skipped if there is none.

use std::path::Path;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use qdrant_client::{
    Qdrant,
    qdrant::{CountPointsBuilder, GetPointsBuilder, UpsertPointsBuilder},
};
use shared::processes::lives;
use tempfile::{TempDir, tempdir};

use super::{gone, status};
use crate::support::{CODE, Launcher, Real, Start, fill, ids, make, point};

/// Points of one upsert.
const BATCH: u64 = 20;

async fn upsert(client: &Qdrant, batch: u64) -> bool {
    let points = (batch * BATCH..(batch + 1) * BATCH)
        .map(|id| {
            let part = f32::from(u16::try_from(id % 1000).unwrap());
            point(id, "a", [1.0, part, 0.0, 0.0], &[(7, 1.0)])
        })
        .collect::<Vec<_>>();
    let request = UpsertPointsBuilder::new(CODE, points).wait(true);
    client.upsert_points(request).await.is_ok()
}

/// All of `batches` are there.
async fn check_present(client: &Qdrant, batches: u64) {
    let expect: Vec<u64> = (0..batches * BATCH).collect();
    let wanted = expect.iter().map(|id| (*id).into()).collect::<Vec<_>>();
    let got = client.get_points(GetPointsBuilder::new(CODE, wanted)).await;
    assert_eq!(ids(got.unwrap().result), expect);
}

fn end(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// A launcher with `batches` acknowledged and one more under way, and its child.
async fn amid_upserts(folder: &Path, program: &Path, batches: u64) -> (Launcher, u32) {
    let launcher = Launcher::supervising(folder, program);
    let client = launcher.client();
    make(&client).await;
    for batch in 0..batches {
        assert!(upsert(&client, batch).await);
    }
    tokio::spawn(async move { upsert(&client, batches).await });
    tokio::task::yield_now().await;
    let pid = status(&launcher).await.pid;
    (launcher, pid)
}

#[tokio::test]
async fn it_is_started_watched_started_again_and_ended() {
    let Some(program) = Real::program() else { return };
    let folder = tempdir().unwrap();
    let launcher = Launcher::supervising(folder.path(), &program);
    make(&launcher.client()).await;
    fill(&launcher.client()).await;
    let seen = status(&launcher).await;
    assert_eq!(&*seen.state, "ready");
    assert_eq!(
        seen.version,
        launcher.client().health_check().await.unwrap().version
    );
    assert_eq!(seen.collections[0].points, 5);
    assert!(seen.memory_bytes > 0 && seen.disk_bytes > 0, "{seen:?}");

    end(seen.pid, Signal::SIGKILL);
    launcher.wait_for("\"to\":\"backoff\"");
    // Its own words, through the launcher's log.
    launcher.wait_for("\"target\":\"qdrant\"");
    launcher.wait_for("\"to\":\"ready\"");
    let again = status(&launcher).await;
    assert_ne!(again.pid, seen.pid);
    assert_eq!(again.collections[0].points, 5);

    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
    gone(again.pid).await;
    let launcher = Launcher::supervising(folder.path(), &program);
    assert_eq!(status(&launcher).await.collections[0].points, 5);
}

#[derive(Debug, Clone, Copy)]
enum Killed {
    Child,
    Launcher,
    LauncherThenChild,
    ChildThenLauncher,
    /// Not killed: asked to end.
    Asked,
}

async fn check_killed(killed: Killed) {
    /// Acknowledged before.
    const BATCHES: u64 = 10;
    let Some(program) = Real::program() else { return };
    let folder = tempdir().unwrap();
    let (launcher, pid) = amid_upserts(folder.path(), &program, BATCHES).await;
    let launcher = match killed {
        Killed::Child => {
            end(pid, Signal::SIGKILL);
            launcher.wait_for("\"to\":\"backoff\"");
            launcher.wait_for("\"to\":\"ready\"");
            launcher
        }
        Killed::Launcher => {
            assert_eq!(launcher.end(Signal::SIGKILL).await, None);
            Launcher::supervising(folder.path(), &program)
        }
        Killed::LauncherThenChild => {
            launcher.signal(Signal::SIGKILL);
            // The kernel may have been faster.
            let _gone = kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL);
            drop(launcher);
            Launcher::supervising(folder.path(), &program)
        }
        Killed::ChildThenLauncher => {
            end(pid, Signal::SIGKILL);
            assert_eq!(launcher.end(Signal::SIGKILL).await, None);
            Launcher::supervising(folder.path(), &program)
        }
        Killed::Asked => {
            assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
            assert!(!lives(pid), "the launcher ends after its child");
            Launcher::supervising(folder.path(), &program)
        }
    };
    gone(pid).await;
    let again = status(&launcher).await;
    assert!(lives(again.pid) && again.pid != pid, "{killed:?}");
    check_present(&launcher.client(), BATCHES).await;
    let count = CountPointsBuilder::new(CODE).exact(true);
    let count = launcher
        .client()
        .count(count)
        .await
        .unwrap()
        .result
        .unwrap()
        .count;
    assert!(
        (BATCHES * BATCH..=(BATCHES + 1) * BATCH).contains(&count),
        "{count}"
    );
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
    gone(again.pid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_child_is_started_again_with_everything() {
    check_killed(Killed::Child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_launcher_leaves_no_orphan_and_loses_nothing() {
    check_killed(Killed::Launcher).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_killed_lose_nothing() {
    check_killed(Killed::LauncherThenChild).await;
    check_killed(Killed::ChildThenLauncher).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_ends_and_loses_nothing() {
    check_killed(Killed::Asked).await;
}

/// A PATH with everything but `setpriv`.
fn without_setpriv() -> TempDir {
    let folder = tempdir().unwrap();
    std::os::unix::fs::symlink("/usr/bin/sh", folder.path().join("sh")).unwrap();
    folder
}

#[tokio::test]
async fn an_orphan_is_ended_by_the_next_launcher() {
    let Some(program) = Real::program() else { return };
    let (folder, path) = (tempdir().unwrap(), without_setpriv());
    let start = || {
        Start::new(folder.path())
            .arg("--qdrant")
            .arg(&program)
            .env("PATH", path.path())
            .ready()
    };
    let launcher = start();
    make(&launcher.client()).await;
    assert!(upsert(&launcher.client(), 0).await);
    let pid = status(&launcher).await.pid;
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);
    assert!(lives(pid), "nobody ended it yet");
    let launcher = start();
    gone(pid).await;
    assert_ne!(status(&launcher).await.pid, pid);
    check_present(&launcher.client(), 1).await;
    // Nobody else would end the child.
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
}

#[tokio::test]
async fn a_port_or_a_folder_in_use_is_refused_with_the_holder() {
    let Some(program) = Real::program() else { return };
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let launcher = Launcher::supervising(folder.path(), &program);
    let pid = status(&launcher).await.pid;
    let (code, text) = Start::at(other.path(), launcher.ports.grpc)
        .arg("--qdrant")
        .arg(&program)
        .fails();
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("E1602") && text.contains(&format!("(pid {pid})")),
        "{text}"
    );
    let (code, text) = Start::new(folder.path()).arg("--qdrant").arg(&program).fails();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("E1603"), "{text}");
    // Neither attempt did the running one any harm.
    assert_eq!(status(&launcher).await.pid, pid);
}
