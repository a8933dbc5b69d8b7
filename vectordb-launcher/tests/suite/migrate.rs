//! From one launcher to another, interrupted and gone on.

use std::{path::Path, process::Command};

use qdrant_client::{
    Qdrant,
    qdrant::{
        CountPointsBuilder, CreateAliasBuilder, DeletePointsBuilder, PointsIdsList, UpsertPointsBuilder,
    },
};
use serde_json::Value;
use tempfile::tempdir;

use crate::support::{CODE, Launcher, make, point};

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

#[tokio::test]
async fn it_moves_compares_and_goes_on() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let (from, to) = (
        Launcher::embedded(folder.path()),
        Launcher::embedded(other.path()),
    );
    make(&from.client()).await;
    let points = (1..=POINTS)
        .map(|id| {
            let part = f32::from(u8::try_from(id).unwrap());
            point(id, "a", [1.0, part, 0.5, 0.0], &[(3, part)])
        })
        .collect::<Vec<_>>();
    from.client()
        .upsert_points(UpsertPointsBuilder::new(CODE, points).wait(true))
        .await
        .unwrap();
    from.client()
        .create_alias(CreateAliasBuilder::new(CODE, "short"))
        .await
        .unwrap();
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
