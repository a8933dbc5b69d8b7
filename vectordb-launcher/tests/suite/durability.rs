//! What was acknowledged is there again, however the launcher ended.

use nix::sys::signal::Signal;
use qdrant_client::{
    Qdrant,
    qdrant::{
        CountPointsBuilder, CreateAliasBuilder, GetPointsBuilder, Query, QueryPointsBuilder,
        UpsertPointsBuilder, VectorInput,
    },
};
use tempfile::tempdir;

use crate::support::{CODE, Launcher, Start, fill, ids, make, point};

/// Points of one upsert.
const BATCH: u64 = 20;

async fn count(client: &Qdrant) -> u64 {
    client
        .count(CountPointsBuilder::new(CODE).exact(true))
        .await
        .unwrap()
        .result
        .unwrap()
        .count
}

async fn upsert(client: &Qdrant, batch: u64) -> bool {
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
