//! The index of a workspace follows its files, whatever happens to the backend
//! and the database. What the model was asked is counted.

use std::{collections::HashMap, fs};

use futures::StreamExt as _;
use proto::v1::{self, server_service_client::ServerServiceClient};
use scripted_ollama::Record;
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    vector_database::{Database, retrieval},
    world::{PATIENCE, SCRIPT, World},
};

/// Texts of one request to the model.
const BATCH: usize = 32;

async fn world() -> (World, Database) {
    let script = SCRIPT.replace(
        "models:",
        "models:\n  - name: nomic-embed-text\n    kind: embedding",
    );
    let mut world = World::with(&script).await;
    let database = Database::start(&world).await;
    world.use_qdrant(&database.url);
    world.restart().await;
    (world, database)
}

fn fill(world: &World, word: &str, count: usize) {
    for number in 0..count {
        let text = format!("def {word}_{number}():\n    return {number}\n");
        world.write(&format!("lib/{word}/f{number}.py"), &text);
    }
}

async fn control(world: &World, command: &str) -> Value {
    let request = json!({ "workspace": world.repo(), "command": command });
    let (status, view) = world.post("/api/index", &request).await;
    assert_eq!(status, 200, "{view}");
    view
}

/// What the stream tells, up to the first that `until` accepts.
async fn follow(world: &World, until: impl Fn(&Value) -> bool) -> Vec<Value> {
    let url = world.url().replace("http", "ws");
    let repo = world.repo();
    let url = format!("{url}/api/index/stream?workspace={}", repo.display());
    let (mut socket, _) = connect_async(url).await.unwrap();
    let mut views = Vec::new();
    let reading = async {
        while let Some(message) = socket.next().await {
            if let Message::Text(text) = message.unwrap() {
                views.push(serde_json::from_str::<Value>(&text).unwrap());
                if until(views.last().unwrap()) {
                    return;
                }
            }
        }
    };
    let hung = tokio::time::timeout(PATIENCE, reading).await.is_err();
    assert!(!hung, "not told: {:#?}", views.last());
    views
}

pub async fn reaches(world: &World, state: &str) -> Value {
    let views = follow(world, |view| view["state"] == state).await;
    views.into_iter().next_back().unwrap()
}

/// How often each text of a file was embedded.
fn embedded(records: &[Record]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for record in records {
        let Some(texts) = record.body["input"].as_array() else {
            continue;
        };
        for text in texts.iter().filter_map(Value::as_str) {
            if text.starts_with("search_document: ") {
                *counts.entry(text.to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

#[tokio::test]
async fn an_edit_is_found_and_a_rename_asks_the_model_nothing() {
    let (world, _database) = world().await;
    fill(&world, "alpha", 40);
    let opened = control(&world, "open").await;
    assert_eq!(
        opened["workspace"],
        json!(fs::canonicalize(world.repo()).unwrap())
    );
    let ready = reaches(&world, "ready").await;
    assert_eq!((&ready["files"], &ready["code"]), (&json!(42), &Value::Null));
    let before = embedded(&world.ollama.requests()).len();

    world.write("lib/new.py", "def zebra():\n    return 1\n");
    let found = retrieval(&world, "where is the zebra", "first").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    assert_eq!(found["items"][0]["path"], "lib/new.py", "{found}");
    fs::rename(world.repo().join("lib"), world.repo().join("moved")).unwrap();
    let found = retrieval(&world, "where is the zebra", "second").await;
    assert_eq!(found["items"][0]["path"], "moved/new.py", "{found}");
    reaches(&world, "ready").await;
    let after = embedded(&world.ollama.requests());
    assert_eq!((after.len(), after.values().max()), (before + 1, Some(&1)));
}

#[tokio::test]
async fn killed_while_it_indexes_it_ends_complete_and_embeds_nothing_stored_twice() {
    let (mut world, _database) = world().await;
    fill(&world, "alpha", 1_500);
    control(&world, "open").await;
    for batches in [8, 20] {
        let asked = |records: &[Record]| embedded(records).len() >= batches * BATCH;
        tokio::time::timeout(PATIENCE, world.ollama.wait_for(asked))
            .await
            .unwrap();
        world.restart().await;
    }
    let ready = reaches(&world, "ready").await;
    assert_eq!(ready["files"], 1_502);
    let counts = embedded(&world.ollama.requests());
    let again = counts.values().filter(|count| **count > 1).count();
    assert!(counts.len() >= 1_500, "{}", counts.len());
    // What was on its way when it was killed.
    assert!(again <= 2 * BATCH, "{again} texts were embedded again");
    let found = retrieval(&world, "alpha_1234", "first").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    assert_eq!(found["items"][0]["path"], "lib/alpha/f1234.py", "{found}");
}

#[tokio::test]
async fn paused_it_stays_paused_until_resumed_and_deleted_it_is_gone() {
    let (mut world, _database) = world().await;
    assert_eq!(control(&world, "pause").await["workspace"], json!(world.repo()));
    reaches(&world, "paused").await;
    world.restart().await;
    world.write("lib/new.py", "def zebra():\n    return 1\n");
    assert_eq!(reaches(&world, "paused").await["code"], Value::Null);
    // Keywords follow all the same.
    let found = retrieval(&world, "zebra", "first").await;
    assert_eq!(found["items"][0]["path"], "lib/new.py", "{found}");
    assert_eq!(embedded(&world.ollama.requests()).len(), 0);

    let mut server = ServerServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let request = |command: v1::IndexCommand| v1::ControlIndexRequest {
        workspace: world.repo().display().to_string(),
        command: command.into(),
    };
    server
        .control_index(request(v1::IndexCommand::Resume))
        .await
        .unwrap();
    let watch = v1::WatchIndexRequest {
        workspace: world.repo().display().to_string(),
    };
    let mut states = server.watch_index(watch).await.unwrap().into_inner();
    while states.message().await.unwrap().unwrap().state != "ready" {}
    assert_eq!(embedded(&world.ollama.requests()).len(), 3);

    let refused = world.cli(&["index", "--delete"]);
    assert_eq!(refused.status.code(), Some(2), "nobody there to confirm");
    let deleted = world.cli(&["index", "--delete", "--yes", "--json"]);
    let view: Value = serde_json::from_slice(&deleted.stdout).unwrap();
    assert_eq!(view["state"], "idle", "{view}");
    let list = server
        .list_indexes(v1::ListIndexesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.indexes[0].state, "idle");
    let unknown = server.control_index(request(v1::IndexCommand::Unspecified)).await;
    assert_eq!(unknown.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn the_command_line_follows_to_the_end_and_says_what_is_missing() {
    let (mut world, mut database) = world().await;
    fill(&world, "alpha", 100);
    let output = world.cli(&["index", "--json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["state"], &last["files"]), (&json!("ready"), &json!(102)));

    database.kill();
    fill(&world, "beta", 3);
    let output = world.cli(&["index", "--rescan"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("waiting, 105 files") && text.contains("E1501"),
        "{text}"
    );

    // It goes on by itself when the database is back.
    let again = Database::start(&world).await;
    world.use_qdrant(&again.url);
    world.restart().await;
    reaches(&world, "ready").await;
    let counts = embedded(&world.ollama.requests());
    assert_eq!(counts.values().max(), Some(&1), "nothing twice");
    let output = world.cli(&["index", "--status"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(": ready, 105 files"), "{text}");
}
