//! Damaged files: what is lost is noticed, and can be written again.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;
use proto::v1::{BackupRequest, RestoreRequest, StatusRequest};
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateCollectionBuilder, Distance, ScrollPointsBuilder, VectorParamsBuilder,
};
use tempfile::tempdir;

use crate::{
    durability::{BATCH, only_entry, upsert},
    support::{CODE, Launcher, count, fill, make},
};

/// Bytes that are overwritten.
const DAMAGE: [u8; 64] = [0xA5; 64];

/// Batches in the log.
const BATCHES: u64 = 20;

/// The part of the log that is written to.
fn log(folder: &Path) -> PathBuf {
    let collection = only_entry(&folder.join("data/embedded/collections"));
    let open = fs::read_dir(collection.join("wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("open-"));
    // More are made ahead; the one in use holds something.
    open.max_by_key(|path| used(path)).unwrap()
}

/// The bytes up to the last one that is not zero.
fn used(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap();
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

async fn generation(launcher: &Launcher) -> String {
    let health = launcher.client().health_check().await.unwrap();
    let (_, title) = launcher.rest("GET", "/", "").await;
    let title: serde_json::Value = serde_json::from_str(&title).unwrap();
    let status = launcher.control().await.status(StatusRequest {}).await.unwrap();
    let told = status.into_inner().generation;
    assert_eq!(health.commit.as_deref(), Some(&*told));
    assert_eq!(title["commit"], *told);
    told
}

/// The engine drops what follows the damage without a word. So the store says
/// that it started anew, on every port, and takes again what is missing.
#[tokio::test]
async fn a_damaged_log_shows_and_is_made_whole() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    let before = generation(&launcher).await;
    assert_eq!(generation(&launcher).await, before);
    for batch in 0..BATCHES {
        assert!(upsert(&client, batch).await);
    }
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);

    let log = log(folder.path());
    let middle = u64::try_from(used(&log) / 2).unwrap();
    let file = File::options().write(true).open(&log).unwrap();
    file.write_all_at(&DAMAGE, middle).unwrap();

    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    assert_ne!(generation(&launcher).await, before);
    // What the timer flushed in between is safe; the rest may be gone.
    let left = count(&client).await;
    assert!(left <= BATCHES * BATCH && left.is_multiple_of(BATCH), "{left}");
    for batch in 0..BATCHES {
        assert!(upsert(&client, batch).await);
    }
    assert_eq!(count(&client).await, BATCHES * BATCH);
    // And that holds.
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);
    let launcher = Launcher::embedded(folder.path());
    assert_eq!(count(&launcher.client()).await, BATCHES * BATCH);
}

/// A restore changes points without a client's write, as a start may.
#[tokio::test]
async fn a_restore_is_a_new_generation() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    make(&launcher.client()).await;
    let before = generation(&launcher).await;
    let directory = folder.path().join("copy").to_str().unwrap().to_owned();
    let mut control = launcher.control().await;
    let request = BackupRequest {
        directory: directory.clone(),
    };
    control.backup(request).await.unwrap();
    assert_eq!(generation(&launcher).await, before);
    control.restore(RestoreRequest { directory }).await.unwrap();
    assert_ne!(generation(&launcher).await, before);
}

/// 64 bytes in the middle of each kind of a collection's files in turn: whatever the
/// engine makes of it, the launcher lives, its neighbour is served, and the
/// collection can be made and filled again.
#[tokio::test]
async fn any_damaged_file_costs_one_collection_at_most() {
    let origin = tempdir().unwrap();
    let launcher = Launcher::embedded(origin.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let data = Path::new("data/embedded/collections");
    let damaged = only_entry(&origin.path().join(data));
    let damaged = damaged.strip_prefix(origin.path()).unwrap();
    let vectors = VectorParamsBuilder::new(2, Distance::Dot);
    let other = CreateCollectionBuilder::new("other").vectors_config(vectors);
    client.create_collection(other).await.unwrap();
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));

    let mut files = Vec::new();
    files_below(&origin.path().join(damaged), &mut files);
    // One of each kind.
    files.sort_by_key(|file| file.file_name().map(ToOwned::to_owned));
    files.dedup_by_key(|file| file.file_name().map(ToOwned::to_owned));
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let file = file.strip_prefix(origin.path()).unwrap();
        let folder = tempdir().unwrap();
        copy(&origin.path().join("data"), &folder.path().join("data"));
        let path = folder.path().join(file);
        let length = fs::metadata(&path).unwrap().len();
        let written = File::options().write(true).open(&path).unwrap();
        let place = length.saturating_sub(u64::try_from(DAMAGE.len()).unwrap()) / 2;
        written.write_all_at(&DAMAGE, place).unwrap();

        let launcher = Launcher::embedded(folder.path());
        let client = launcher.client();
        let of_other = CountPointsBuilder::new("other").exact(true);
        assert_eq!(
            client.count(of_other).await.unwrap().result.unwrap().count,
            0,
            "{file:?}"
        );
        // Some answer, or none such collection; never silence.
        let all = ScrollPointsBuilder::new(CODE)
            .with_vectors(true)
            .with_payload(true);
        let _right_or_refused = client.scroll(all).await;
        client.delete_collection(CODE).await.unwrap();
        make(&client).await;
        fill(&client).await;
        assert_eq!(count(&client).await, 5, "{file:?}");
        assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0), "{file:?}");
    }
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files_below(&entry.path(), files);
        } else if entry.metadata().unwrap().len() > 0 {
            files.push(entry.path());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
