//! Snapshots, backups and what becomes of them when the launcher is killed.

use std::{fs, path::Path};

use nix::sys::signal::Signal;
use proto::v1::{
    BackupRequest, RestoreRequest, StatusRequest, vector_db_service_client::VectorDbServiceClient,
};
use qdrant_client::{
    Qdrant,
    qdrant::{
        CountPointsBuilder, CreateAliasBuilder, CreateCollectionBuilder, DeletePointsBuilder, Distance,
        Filter, UpsertPointsBuilder, VectorParamsBuilder,
    },
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;
use tonic::Code;

use crate::{
    supervised::supervised,
    support::{CODE, Launcher, Real, Start, fill, make, point},
};

async fn count(client: &Qdrant, name: &str) -> u64 {
    let count = client.count(CountPointsBuilder::new(name).exact(true)).await;
    count.unwrap().result.unwrap().count
}

async fn empty(client: &Qdrant) {
    let all = DeletePointsBuilder::new(CODE)
        .points(Filter::default())
        .wait(true);
    client.delete_points(all).await.unwrap();
}

async fn backup(launcher: &Launcher, directory: &Path) -> Result<u64, tonic::Status> {
    let url = format!("http://127.0.0.1:{}", launcher.ports.control);
    let mut control = VectorDbServiceClient::connect(url).await.unwrap();
    let directory = directory.to_str().unwrap().to_owned();
    let answer = control.backup(BackupRequest { directory }).await?;
    Ok(answer.into_inner().bytes)
}

async fn restore(launcher: &Launcher, directory: &Path) -> Result<u64, tonic::Status> {
    let url = format!("http://127.0.0.1:{}", launcher.ports.control);
    let mut control = VectorDbServiceClient::connect(url).await.unwrap();
    let directory = directory.to_str().unwrap().to_owned();
    let answer = control.restore(RestoreRequest { directory }).await?;
    Ok(answer.into_inner().points)
}

#[tokio::test]
async fn a_snapshot_is_made_listed_fetched_used_and_deleted() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let made = client
        .create_snapshot(CODE)
        .await
        .unwrap()
        .snapshot_description
        .unwrap();
    let listed = client.list_snapshots(CODE).await.unwrap().snapshot_descriptions;
    assert_eq!(listed, std::slice::from_ref(&made));

    let base = format!("http://127.0.0.1:{}/collections", launcher.ports.http);
    let file = reqwest::get(format!("{base}/{CODE}/snapshots/{}", made.name))
        .await
        .unwrap();
    assert_eq!(file.status(), StatusCode::OK);
    let bytes = file.bytes().await.unwrap();
    assert_eq!(i64::try_from(bytes.len()).unwrap(), made.size);
    assert_eq!(
        hex::encode(Sha256::digest(&bytes)),
        made.checksum.clone().unwrap()
    );
    let saved = folder.path().join("saved.snapshot");
    fs::write(&saved, &bytes).unwrap();

    // Back into the emptied collection, and into one that is new.
    empty(&client).await;
    assert_eq!(count(&client, CODE).await, 0);
    let recover = async |name: &str, path: &Path| {
        let body = json!({"location": format!("file://{}", path.display())});
        let request = reqwest::Client::new().put(format!("{base}/{name}/snapshots/recover"));
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status();
        (status, response.json::<Value>().await.unwrap())
    };
    for name in [CODE, "other"] {
        let (status, answer) = recover(name, &saved).await;
        assert_eq!(
            (status, &answer["result"]),
            (StatusCode::OK, &json!(true)),
            "{answer}"
        );
        assert_eq!(count(&client, name).await, 5);
    }
    let (status, answer) = recover(CODE, &folder.path().join("ports.json")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert_eq!(count(&client, CODE).await, 5);

    client
        .delete_snapshot(qdrant_client::qdrant::DeleteSnapshotRequestBuilder::new(
            CODE, &made.name,
        ))
        .await
        .unwrap();
    assert_eq!(
        client.list_snapshots(CODE).await.unwrap().snapshot_descriptions,
        []
    );
    let gone = reqwest::get(format!("{base}/{CODE}/snapshots/{}", made.name))
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    // No way out of the folder.
    let out = reqwest::get(format!("{base}/{CODE}/snapshots/..%2F..%2Fstore.json"))
        .await
        .unwrap();
    assert_eq!(out.status(), StatusCode::NOT_FOUND);

    assert_eq!(launcher.end(Signal::SIGKILL).await, None);
    let launcher = Launcher::embedded(folder.path());
    assert_eq!(count(&launcher.client(), "other").await, 5);
}

#[tokio::test]
async fn a_backup_comes_back_here_and_elsewhere() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    client
        .create_alias(CreateAliasBuilder::new(CODE, "short"))
        .await
        .unwrap();
    let copy = folder.path().join("copy");
    assert!(backup(&launcher, &copy).await.unwrap() > 0);
    let again = backup(&launcher, &copy).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists, "{again}");
    let relative = backup(&launcher, Path::new("copy")).await.unwrap_err();
    assert_eq!(relative.code(), Code::InvalidArgument, "{relative}");

    empty(&client).await;
    let nothing = restore(&launcher, folder.path()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument, "{nothing}");
    assert_eq!(count(&client, CODE).await, 0);
    assert_eq!(restore(&launcher, &copy).await.unwrap(), 5);
    assert_eq!(count(&client, "short").await, 5);

    // It can be written to, and a second restore is independent of that.
    let more = vec![point(9, "c", [0.0, 0.0, 0.0, 1.0], &[(1, 1.0)])];
    client
        .upsert_points(UpsertPointsBuilder::new(CODE, more).wait(true))
        .await
        .unwrap();
    assert_eq!(count(&client, CODE).await, 6);
    let other = tempdir().unwrap();
    let elsewhere = Launcher::embedded(other.path());
    assert_eq!(restore(&elsewhere, &copy).await.unwrap(), 5);
    assert_eq!(count(&elsewhere.client(), "short").await, 5);
}

/// A supervised Qdrant is copied through its own snapshots: what came since goes,
/// what went since comes back.
#[tokio::test]
async fn a_childs_backup_comes_back() {
    let folder = tempdir().unwrap();
    let launcher = supervised(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let plain =
        |name| CreateCollectionBuilder::new(name).vectors_config(VectorParamsBuilder::new(2, Distance::Dot));
    client.create_collection(plain("a name % with #")).await.unwrap();
    client
        .create_alias(CreateAliasBuilder::new(CODE, "short"))
        .await
        .unwrap();
    let copy = folder.path().join("copy");
    assert!(backup(&launcher, &copy).await.unwrap() > 0);
    assert_eq!(
        client.list_snapshots(CODE).await.unwrap().snapshot_descriptions,
        []
    );
    let again = backup(&launcher, &copy).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists, "{again}");
    let before = generation(&launcher).await;

    empty(&client).await;
    client.delete_collection("a name % with #").await.unwrap();
    client.create_collection(plain("newer")).await.unwrap();
    client
        .create_alias(CreateAliasBuilder::new("newer", "other"))
        .await
        .unwrap();
    let nothing = restore(&launcher, folder.path()).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument, "{nothing}");
    assert_eq!(count(&client, CODE).await, 0);
    assert_eq!(restore(&launcher, &copy).await.unwrap(), 5);
    assert_eq!(count(&client, "short").await, 5);
    let collections = client.list_collections().await.unwrap().collections;
    let names: Vec<String> = collections
        .into_iter()
        .map(|collection| collection.name)
        .collect();
    assert_eq!(names, ["a name % with #", CODE]);
    let aliases = client.list_aliases().await.unwrap().aliases;
    let aliases: Vec<String> = aliases.into_iter().map(|alias| alias.alias_name).collect();
    assert_eq!(aliases, ["short"]);
    assert_ne!(generation(&launcher).await, before);
    let lent = folder.path().join("data/qdrant/snapshots");
    assert_eq!(fs::read_dir(lent).unwrap().count(), 0);
}

/// One that somebody else runs gets the files sent.
#[tokio::test]
async fn a_backup_comes_back_to_a_qdrant_that_is_only_watched() {
    let Some(program) = Real::program() else { return };
    let (folder, away) = (tempdir().unwrap(), tempdir().unwrap());
    let launcher = Launcher::supervising(folder.path(), &program);
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let url = format!("http://127.0.0.1:{}", launcher.ports.http);
    let watcher = Start::new(away.path()).arg("--url").arg(url).ready();
    let copy = away.path().join("copy");
    assert!(backup(&watcher, &copy).await.unwrap() > 0);
    empty(&client).await;
    assert_eq!(restore(&watcher, &copy).await.unwrap(), 5);
    assert_eq!(count(&client, CODE).await, 5);
}

/// One node's snapshots are a part of the data, and a part is no copy.
#[tokio::test]
async fn a_backup_of_one_node_of_a_cluster_is_refused() {
    let folder = tempdir().unwrap();
    let node = json!({
        "title": "qdrant - vector search engine",
        "version": "1.19.0",
        "status": "ok",
        "result": { "collections": [], "aliases": [], "status": "enabled", "peers": { "1": {}, "2": {} } },
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async move || axum::Json(node.clone()));
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let start = Start::new(folder.path()).arg("--url").arg(url);
    let watcher = tokio::task::spawn_blocking(|| start.ready()).await.unwrap();
    let copy = folder.path().join("copy");
    let refused = backup(&watcher, &copy).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("one of 2 nodes of a cluster"),
        "{refused}"
    );
    assert!(!copy.exists());
}

async fn generation(launcher: &Launcher) -> String {
    let status = launcher.control().await.status(StatusRequest {}).await;
    status.unwrap().into_inner().generation
}

/// Killed at whatever moment, the store is all old or all new.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_amid_a_restore() {
    let folder = tempdir().unwrap();
    let mut launcher = Launcher::embedded(folder.path());
    make(&launcher.client()).await;
    fill(&launcher.client()).await;
    let copy = folder.path().join("copy");
    backup(&launcher, &copy).await.unwrap();
    empty(&launcher.client()).await;
    for yields in [0, 20, 200, 2000] {
        let url = format!("http://127.0.0.1:{}", launcher.ports.control);
        let mut control = VectorDbServiceClient::connect(url).await.unwrap();
        let directory = copy.to_str().unwrap().to_owned();
        let restoring = tokio::spawn(async move { control.restore(RestoreRequest { directory }).await });
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        launcher.end(Signal::SIGKILL).await;
        let answered = restoring.await.unwrap().is_ok();
        launcher = Launcher::embedded(folder.path());
        let points = count(&launcher.client(), CODE).await;
        assert!(points == 5 || (points == 0 && !answered), "{points} {answered}");
        let collections = folder.path().join("data/embedded/collections");
        assert_eq!(fs::read_dir(collections).unwrap().count(), 1);
        empty(&launcher.client()).await;
    }
}
