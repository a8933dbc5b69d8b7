//! `kill -9` of whoever runs, at every moment: nothing acknowledged is lost and
//! nobody is left behind.

use std::{fs, os::unix::fs::symlink, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use proto::v1::StatusRequest;
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, VectorParamsBuilder};
use sha2::{Digest as _, Sha256};
use shared::processes::lives;
use tempfile::tempdir;

use crate::{
    durability::{BATCH, upsert},
    supervised::{gone, stand_in, supervised},
    support::{CODE, Launcher, Start, count, fill, make},
};

/// How far the other side has come when the launcher dies: at once, and some
/// turns of this test later.
const MOMENTS: [u32; 4] = [0, 20, 200, 2000];

async fn turns(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

fn folders(folder: &Path) -> usize {
    fs::read_dir(folder.join("data/embedded/collections"))
        .unwrap()
        .count()
}

/// A snapshot is there whole or not at all, and the collection is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn amid_a_snapshot() {
    let folder = tempdir().unwrap();
    let mut launcher = Launcher::embedded(folder.path());
    make(&launcher.client()).await;
    fill(&launcher.client()).await;
    let mut told = 0;
    for moment in MOMENTS {
        let client = launcher.client();
        let snapshot = tokio::spawn(async move { client.create_snapshot(CODE).await.is_ok() });
        turns(moment).await;
        assert_eq!(launcher.end(Signal::SIGKILL).await, None);
        told += usize::from(snapshot.await.unwrap());

        launcher = Launcher::embedded(folder.path());
        assert_eq!(count(&launcher.client()).await, 5);
        assert_eq!(folders(folder.path()), 1);
        let listed = launcher
            .client()
            .list_snapshots(CODE)
            .await
            .unwrap()
            .snapshot_descriptions;
        assert!(listed.len() >= told, "{} of {told}", listed.len());
        for snapshot in listed {
            let url = format!(
                "http://127.0.0.1:{}/collections/{CODE}/snapshots/{}",
                launcher.ports.http, snapshot.name
            );
            let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
            assert_eq!(snapshot.checksum, Some(hex::encode(Sha256::digest(&bytes))));
        }
    }
}

/// A new collection is there and can be used, or is not there; its neighbour
/// does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn amid_a_creation() {
    let folder = tempdir().unwrap();
    let mut launcher = Launcher::embedded(folder.path());
    make(&launcher.client()).await;
    fill(&launcher.client()).await;
    for moment in MOMENTS {
        let name = format!("new-{moment}");
        let create =
            || CreateCollectionBuilder::new(&name).vectors_config(VectorParamsBuilder::new(2, Distance::Dot));
        let (client, request) = (launcher.client(), create());
        let creation = tokio::spawn(async move { client.create_collection(request).await.is_ok() });
        turns(moment).await;
        assert_eq!(launcher.end(Signal::SIGKILL).await, None);
        let told = creation.await.unwrap();

        launcher = Launcher::embedded(folder.path());
        let client = launcher.client();
        assert_eq!(count(&client).await, 5);
        let listed = client.list_collections().await.unwrap().collections.len();
        assert_eq!(folders(folder.path()), listed);
        let exists = client.collection_exists(&name).await.unwrap();
        assert!(exists || !told);
        if !exists {
            client.create_collection(create()).await.unwrap();
        }
        let info = client.collection_info(&name).await.unwrap().result.unwrap();
        assert_eq!(info.points_count, Some(0));
    }
}

async fn child(launcher: &Launcher) -> u32 {
    let status = launcher.control().await.status(StatusRequest {}).await;
    status.unwrap().into_inner().pid
}

fn kill_hard(pid: u32) {
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
}

/// Writes until the answers stop coming; the batches that were acknowledged.
async fn write_until_it_dies(launcher: &Launcher, first: u64) -> u64 {
    let client = launcher.client();
    let mut batch = first;
    while upsert(&client, batch).await {
        batch += 1;
    }
    batch
}

async fn has(launcher: &Launcher, batches: u64) {
    // The one that was under way may have made it.
    let points = count(&launcher.client()).await;
    assert!(
        points == batches * BATCH || points == (batches + 1) * BATCH,
        "{points} points, {batches} batches"
    );
}

/// The child dies amid upserts and comes back with them; then the launcher dies,
/// and the child with it; then both at once.
#[tokio::test(flavor = "multi_thread")]
async fn of_child_and_launcher_in_turn_and_together() {
    let folder = tempdir().unwrap();
    let launcher = supervised(folder.path());
    make(&launcher.client()).await;
    for batch in 0..3 {
        assert!(upsert(&launcher.client(), batch).await);
    }
    let first = child(&launcher).await;
    let (batches, ()) = tokio::join!(write_until_it_dies(&launcher, 3), async {
        turns(MOMENTS[2]).await;
        kill_hard(first);
    });
    launcher.wait_for("\"to\":\"backoff\"");
    launcher.wait_for("\"to\":\"ready\"");
    has(&launcher, batches).await;
    assert!(!lives(first));

    let second = child(&launcher).await;
    assert!(upsert(&launcher.client(), batches).await);
    let batches = batches + 1;
    launcher.end(Signal::SIGKILL).await;
    let launcher = supervised(folder.path());
    gone(second).await;
    has(&launcher, batches).await;

    let third = child(&launcher).await;
    assert!(upsert(&launcher.client(), batches).await);
    let batches = batches + 1;
    kill_hard(third);
    launcher.end(Signal::SIGKILL).await;
    gone(third).await;
    let launcher = supervised(folder.path());
    has(&launcher, batches).await;
    let last = child(&launcher).await;
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
    gone(last).await;
}

/// Where the kernel is not asked to end the child, the next launcher does it.
#[tokio::test]
async fn of_a_launcher_without_setpriv() {
    let folder = tempdir().unwrap();
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    symlink("/usr/bin/sed", tools.join("sed"))
        .and_then(|()| fs::metadata(tools.join("sed")))
        .or_else(|_| {
            fs::remove_file(tools.join("sed"))?;
            symlink("/bin/sed", tools.join("sed"))?;
            fs::metadata(tools.join("sed"))
        })
        .unwrap();
    let start = || {
        let start = Start::new(folder.path()).env("PATH", &tools);
        start.arg("--qdrant").arg(stand_in(folder.path())).ready()
    };
    let launcher = start();
    make(&launcher.client()).await;
    fill(&launcher.client()).await;
    let orphan = child(&launcher).await;
    launcher.end(Signal::SIGKILL).await;
    assert!(lives(orphan), "nobody asked the kernel to end it");
    let launcher = start();
    assert!(!lives(orphan));
    assert_ne!(child(&launcher).await, orphan);
    assert_eq!(count(&launcher.client()).await, 5);
}
