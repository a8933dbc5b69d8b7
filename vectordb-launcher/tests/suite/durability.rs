//! What was acknowledged is there again, however the launcher ended.

use std::ops::Range;

use nix::sys::signal::Signal;
use qdrant_client::{
    Qdrant,
    qdrant::{
        CreateAliasBuilder, CreateCollectionBuilder, Distance, GetPointsBuilder, OptimizersConfigDiffBuilder,
        PointStruct, Query, QueryPointsBuilder, UpsertPointsBuilder, VectorInput, VectorParamsBuilder,
    },
};
use tempfile::tempdir;

use crate::support::{CODE, Launcher, PATIENCE, Start, count, fill, ids, make, point};

/// Points of one upsert.
pub const BATCH: u64 = 20;

pub async fn upsert(client: &Qdrant, batch: u64) -> bool {
    let first = batch * BATCH;
    let points = (first..first + BATCH)
        .map(|id| {
            let part = u16::try_from(id % 1000).unwrap();
            point(id, "a", [1.0, f32::from(part), 0.0, 0.0], &[(7, 1.0)])
        })
        .collect::<Vec<_>>();
    client
        .upsert_points(UpsertPointsBuilder::new(CODE, points).wait(true))
        .await
        .is_ok()
}

#[tokio::test]
async fn a_stop_and_a_start() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    client
        .create_alias(CreateAliasBuilder::new(CODE, "short"))
        .await
        .unwrap();
    let before = client.collection_info(CODE).await.unwrap().result.unwrap();
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));

    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    let after = client.collection_info(CODE).await.unwrap().result.unwrap();
    assert_eq!(
        (after.config, after.created_at),
        (before.config, before.created_at)
    );
    assert_eq!(
        (after.payload_schema, after.points_count),
        (before.payload_schema, before.points_count)
    );
    let query = Query::new_nearest(VectorInput::new_sparse(vec![30], vec![1.0]));
    let request = QueryPointsBuilder::new("short")
        .query(query)
        .using("bm25")
        .limit(1);
    assert_eq!(ids(client.query(request).await.unwrap().result), [4]);
    assert!(client.delete_collection(CODE).await.unwrap().result);
    assert_eq!(launcher.end(Signal::SIGINT).await, Some(0));

    let launcher = Launcher::embedded(folder.path());
    assert_eq!(
        launcher.client().list_collections().await.unwrap().collections,
        []
    );
    assert_eq!(launcher.client().list_aliases().await.unwrap().aliases, []);
    let left = folder.path().join("data/embedded/collections");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 0);
}

/// Killed in the middle of upserts, three times over.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_acknowledged() {
    let folder = tempdir().unwrap();
    let mut acknowledged = Vec::new();
    let mut batch = 0;
    for round in 0..3 {
        let launcher = Launcher::embedded(folder.path());
        let client = launcher.client();
        if round == 0 {
            make(&client).await;
        }
        for _ in 0..5 {
            assert!(upsert(&client, batch).await);
            acknowledged.push(batch);
            batch += 1;
        }
        // One more is under way while the launcher dies; whether it made it
        // is the launcher's luck, but what it said must hold.
        let last = tokio::spawn({
            let client = launcher.client();
            async move { upsert(&client, batch).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(launcher.end(Signal::SIGKILL).await, None);
        if last.await.unwrap() {
            acknowledged.push(batch);
        }
        batch += 1;
    }

    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    let expect: Vec<u64> = acknowledged
        .iter()
        .flat_map(|batch| batch * BATCH..(batch + 1) * BATCH)
        .collect();
    let wanted = expect.iter().map(|id| (*id).into()).collect::<Vec<_>>();
    let got = client
        .get_points(GetPointsBuilder::new(CODE, wanted).with_vectors(true))
        .await
        .unwrap()
        .result;
    assert_eq!(ids(got), expect);
    assert_eq!(count(&client).await % BATCH, 0, "a batch is whole or not there");
}

#[tokio::test]
async fn a_kill_right_after_creation() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    make(&launcher.client()).await;
    launcher.end(Signal::SIGKILL).await;
    let launcher = Launcher::embedded(folder.path());
    let schema = launcher
        .client()
        .collection_info(CODE)
        .await
        .unwrap()
        .result
        .unwrap()
        .payload_schema;
    let mut fields: Vec<_> = schema.into_keys().collect();
    fields.sort();
    assert_eq!(fields, ["path", "workspace"]);
}

#[tokio::test]
async fn rests_of_interrupted_changes_are_removed() {
    let folder = tempdir().unwrap();
    Launcher::embedded(folder.path()).end(Signal::SIGKILL).await;
    let stray = folder.path().join("data/embedded/collections/half-made");
    std::fs::create_dir_all(stray.join("segments")).unwrap();
    Launcher::embedded(folder.path());
    assert!(!stray.exists());
}

#[test]
fn a_second_launcher_is_refused() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let other = Start::new(folder.path()).arg("--embedded");
    let (status, text) = other.fails();
    assert_eq!(status, 1);
    assert!(
        text.contains("E1603") && text.contains("another process uses"),
        "{text}"
    );
    drop(launcher);
}

/// Its collections are there and it is not: taking them for strays would
/// delete them.
#[tokio::test]
async fn a_lost_index_is_no_licence_to_delete() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    make(&launcher.client()).await;
    launcher.end(Signal::SIGTERM).await;
    let data = folder.path().join("data/embedded");
    std::fs::remove_file(data.join("store.json")).unwrap();
    let (status, text) = Start::new(folder.path()).arg("--embedded").fails();
    assert_eq!(status, 1);
    assert!(text.contains("E1603") && text.contains("it is missing"), "{text}");
    assert_eq!(std::fs::read_dir(data.join("collections")).unwrap().count(), 1);
}

/// The files of one of two collections are damaged: it is moved aside, the
/// other is served.
#[tokio::test]
async fn a_damaged_collection_is_moved_aside() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let data = folder.path().join("data/embedded");
    let damaged = only_entry(&data.join("collections"));
    let other =
        CreateCollectionBuilder::new("other").vectors_config(VectorParamsBuilder::new(2, Distance::Dot));
    client.create_collection(other).await.unwrap();
    client
        .create_alias(CreateAliasBuilder::new(CODE, "short"))
        .await
        .unwrap();
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
    let segment = std::fs::read_dir(damaged.join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("segment.json"))
        .find(|path| path.exists())
        .unwrap();
    std::fs::write(segment, "{").unwrap();

    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    let names: Vec<String> = client
        .list_collections()
        .await
        .unwrap()
        .collections
        .into_iter()
        .map(|collection| collection.name)
        .collect();
    assert_eq!(names, ["other"]);
    assert_eq!(client.list_aliases().await.unwrap().aliases, []);
    let aside = only_entry(&data.join("quarantine"));
    let about: serde_json::Value =
        serde_json::from_slice(&std::fs::read(aside.join("collection.json")).unwrap()).unwrap();
    assert_eq!(about["name"], CODE);
    assert!(aside.join("files/segments").is_dir());
    // Whoever filled it can fill it again.
    make(&client).await;
    fill(&client).await;
    assert_eq!(count(&client).await, 5);
}

pub fn only_entry(folder: &std::path::Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

/// Enough for the optimizer to build an index.
const MANY: u64 = 2000;

fn far(id: u64) -> Vec<f32> {
    (0..64).map(|axis| ((id * 37 + axis * 11) % 101) as f32).collect()
}

/// A collection that the optimizer finds worth an index.
async fn make_worthwhile(client: &Qdrant) {
    let small = CreateCollectionBuilder::new(CODE)
        .vectors_config(VectorParamsBuilder::new(64, Distance::Cosine))
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(100));
    client.create_collection(small).await.unwrap();
    upsert_far(client, 0..MANY).await;
}

async fn upsert_far(client: &Qdrant, ids: Range<u64>) {
    let points: Vec<_> = ids
        .map(|id| PointStruct::new(id, far(id), qdrant_client::Payload::new()))
        .collect();
    client
        .upsert_points(UpsertPointsBuilder::new(CODE, points).wait(true))
        .await
        .unwrap();
}

async fn indexed(client: &Qdrant) -> Option<u64> {
    let info = client.collection_info(CODE).await.unwrap().result.unwrap();
    info.indexed_vectors_count
}

/// What the optimizer left in memory is given back, and nobody sees a difference.
#[tokio::test]
async fn an_idle_collection_is_opened_anew() {
    let folder = tempdir().unwrap();
    let launcher = Start::new(folder.path())
        .arg("--embedded")
        .env("AGENTIC_IDE_LOG", "info,vectordb_launcher=debug")
        .ready();
    let client = launcher.client();
    make_worthwhile(&client).await;
    launcher.wait_for("\"optimized\"");
    let nearest = async || {
        let query = QueryPointsBuilder::new(CODE).query(far(7)).limit(9);
        let found = client.query(query).await.unwrap().result;
        found
            .into_iter()
            .map(|point| (point.id, point.score))
            .collect::<Vec<_>>()
    };
    let before = nearest().await;
    launcher.wait_for("opened anew");
    assert_eq!(indexed(&client).await, Some(MANY));
    assert_eq!(nearest().await, before);

    // It takes writes as before.
    upsert_far(&client, MANY..MANY + 9).await;
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);
    let launcher = Launcher::embedded(folder.path());
    assert_eq!(count(&launcher.client()).await, MANY + 9);
}

/// Killed while the optimizer builds an index, as soon as its unfinished work is
/// on disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_amid_optimizing() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make_worthwhile(&client).await;
    let unfinished = only_entry(&folder.path().join("data/embedded/collections")).join("temp_segments");
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);

    // The first pass after a start looks at what the earlier run left.
    let launcher = Launcher::embedded(folder.path());
    let begun = async {
        while !unfinished
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some())
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);

    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    assert_eq!(count(&client).await, MANY);
    launcher.wait_for("\"optimized\"");
    assert_eq!(count(&client).await, MANY);
    assert_eq!(indexed(&client).await, Some(MANY));
}
