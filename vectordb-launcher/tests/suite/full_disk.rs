//! A disk without room: writes are refused in Qdrant's words, reads go on, and
//! nothing that was acknowledged is lost.

use nix::sys::signal::Signal;
use qdrant_client::qdrant::{CreateCollectionBuilder, Distance, UpsertPointsBuilder, VectorParamsBuilder};
use serde_json::json;
use small_disk::SmallDisk;
use tempfile::tempdir;
use tonic::Code;

use crate::support::{CODE, Launcher, Start, count, fill, make, point, told};

const DISK_MEGABYTES: u64 = 160;
const WORDS: &str =
    "Service internal error: No space left on device: WAL buffer size exceeds available disk space";

#[tokio::test]
async fn writes_are_refused_and_nothing_is_lost() {
    let folder = tempdir().unwrap();
    let Some(disk) = SmallDisk::at(&folder.path().join("data"), DISK_MEGABYTES).unwrap() else {
        eprintln!("skipped: neither a user name space nor root may mount a small disk here");
        return;
    };
    // Its other files are elsewhere.
    let start = || Start::through(&disk.enter(), folder.path()).arg("--embedded");
    let launcher = start().ready();
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;

    disk.fill(60).unwrap();
    let more = || {
        let more = vec![point(9, "c", [0.0, 0.0, 0.0, 1.0], &[(1, 1.0)])];
        UpsertPointsBuilder::new(CODE, more).wait(true)
    };
    let full = (Code::Internal, WORDS.to_owned());
    assert_eq!(told(client.upsert_points(more()).await), full);
    let body = json!({"points": [{"id": 9, "vector": {"dense": [1, 0, 0, 0]}}]});
    let path = format!("/collections/{CODE}/points?wait=true");
    assert_eq!(
        launcher.refused("PUT", &path, body.to_string()).await,
        (500, WORDS.to_owned())
    );
    let other =
        CreateCollectionBuilder::new("other").vectors_config(VectorParamsBuilder::new(2, Distance::Dot));
    assert_eq!(told(client.create_collection(other).await), full);
    assert_eq!(count(&client).await, 5);

    // To the last byte: the timer may fail to flush, and reads go on.
    disk.fill(0).unwrap();
    assert_eq!(told(client.upsert_points(more()).await), full);
    assert_eq!(count(&client).await, 5);
    let snapshot = told(client.create_snapshot(CODE).await);
    assert_eq!(snapshot.0, Code::Internal);
    assert!(snapshot.1.contains("No space left on device"), "{}", snapshot.1);
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);

    // To open it now would end the process.
    let (status, text) = start().fails();
    assert_eq!(status, 1);
    assert!(text.contains("E1603") && text.contains("is full"), "{text}");

    disk.make_room().unwrap();
    let launcher: Launcher = start().ready();
    let client = launcher.client();
    assert_eq!(count(&client).await, 5);
    client.upsert_points(more()).await.unwrap();
    assert_eq!(count(&client).await, 6);
    assert_eq!(client.list_collections().await.unwrap().collections.len(), 1);
    assert_eq!(launcher.end(Signal::SIGTERM).await, Some(0));
}
