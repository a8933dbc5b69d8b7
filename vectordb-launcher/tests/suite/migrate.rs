//! From one launcher to another, interrupted and gone on.

use std::{path::Path, process::Command};

use qdrant_client::{
    Qdrant,
    qdrant::{
        CountPointsBuilder, CreateAliasBuilder, DeletePointsBuilder, PointsIdsList, RetrievedPoint,
        ScrollPointsBuilder, UpsertPointsBuilder,
    },
};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{CODE, Launcher, Real, make, point};

/// Points that are moved.
const POINTS: u64 = 50;

fn migrate(from: &Launcher, to_port: u16, state: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_agentic-ide-vectordb"))
        .env_clear()
        .env("HOME", state.parent().unwrap())
        .arg("migrate")
        .args(["--from", &format!("http://127.0.0.1:{}", from.ports.grpc)])
        .args(["--to", &format!("http://127.0.0.1:{to_port}")])
        .args(["--batch", "7", "--state"])
        .arg(state)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

async fn count(client: &Qdrant) -> u64 {
    let count = client.count(CountPointsBuilder::new("short").exact(true)).await;
    count.unwrap().result.unwrap().count
}

/// A collection with points and an alias.
async fn some(client: &Qdrant) {
    make(client).await;
    let points = (1..=POINTS)
        .map(|id| {
            let part = f32::from(u8::try_from(id).unwrap());
            point(id, "a", [1.0, part, 0.5, 0.0], &[(3, part)])
        })
        .collect::<Vec<_>>();
    client
        .upsert_points(UpsertPointsBuilder::new(CODE, points).wait(true))
        .await
        .unwrap();
    client
        .create_alias(CreateAliasBuilder::new(CODE, "short"))
        .await
        .unwrap();
}

/// Every point with all it has, in order of ids.
async fn everything(client: &Qdrant) -> Vec<RetrievedPoint> {
    let page = ScrollPointsBuilder::new("short")
        .limit(u32::try_from(2 * POINTS).unwrap())
        .with_payload(true)
        .with_vectors(true);
    client.scroll(page).await.unwrap().result
}

#[tokio::test]
async fn to_a_real_qdrant_and_back() {
    let Some(program) = Real::program() else { return };
    let folders = [tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap()];
    let from = Launcher::embedded(folders[0].path());
    let real = Launcher::supervising(folders[1].path(), &program);
    let back = Launcher::embedded(folders[2].path());
    some(&from.client()).await;
    let state = folders[0].path().join("state.json");
    for (from, to) in [(&from, &real), (&real, &back)] {
        let (moved, text) = migrate(from, to.ports.grpc, &state);
        assert!(moved && text.contains("copied and compared"), "{text}");
    }
    let expect = everything(&from.client()).await;
    assert_eq!(expect.len(), usize::try_from(POINTS).unwrap());
    assert_eq!(everything(&real.client()).await, expect);
    assert_eq!(everything(&back.client()).await, expect);
    let [a, b, c] = [&from, &real, &back].map(|launcher| async {
        let info = launcher.client().collection_info(CODE).await;
        info.unwrap().result.unwrap()
    });
    let (a, b, c) = (a.await, b.await, c.await);
    assert_eq!(b.payload_schema, a.payload_schema);
    assert_eq!(c.payload_schema, a.payload_schema);
    assert_eq!(c.config.unwrap().params, a.config.unwrap().params);
}

#[tokio::test]
async fn it_moves_compares_and_goes_on() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let (from, to) = (
        Launcher::embedded(folder.path()),
        Launcher::embedded(other.path()),
    );
    some(&from.client()).await;
    let state = folder.path().join("state.json");

    let (moved, text) = migrate(&from, 1, &state);
    assert!(
        !moved && text.contains("E1605") && text.contains("target"),
        "{text}"
    );
    let (moved, text) = migrate(&from, to.ports.grpc, &state);
    assert!(moved && text.contains("copied and compared"), "{text}");
    assert!(!state.exists());
    assert_eq!(count(&to.client()).await, POINTS);
    let [a, b] = [from.client(), to.client()]
        .map(|client| async move { client.collection_info(CODE).await.unwrap().result.unwrap() });
    let (a, b) = (a.await, b.await);
    assert_eq!(a.payload_schema, b.payload_schema);
    assert_eq!(a.config.unwrap().params, b.config.unwrap().params);

    // As if it had stopped after 14 points, which were lost there since: it
    // goes on behind them, and the comparison at the end notices.
    let lost = PointsIdsList {
        ids: (1..=20).map(u64::into).collect(),
    };
    let delete = DeletePointsBuilder::new(CODE).points(lost).wait(true);
    to.client().delete_points(delete).await.unwrap();
    let stopped: Value = serde_json::json!({
        "format": 1,
        "from": format!("http://127.0.0.1:{}", from.ports.grpc),
        "to": format!("http://127.0.0.1:{}", to.ports.grpc),
        "collections": {CODE: {"copied": 14, "complete": false, "next": 15}},
    });
    std::fs::write(&state, stopped.to_string()).unwrap();
    let (moved, text) = migrate(&from, to.ports.grpc, &state);
    assert!(
        !moved && text.contains("50 points in the source, 36 in the target"),
        "{text}"
    );
    std::fs::remove_file(&state).unwrap();
    let (moved, text) = migrate(&from, to.ports.grpc, &state);
    assert!(moved, "{text}");
}
