//! The search through the real vector database program, with a model that
//! embeds, and what happens when the database goes away and comes back.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::{
    indexing::reaches,
    world::{SCRIPT, World, program, until},
};

/// The launcher with the embedded engine.
pub struct Database {
    child: Child,
    pub url: String,
    ports: Value,
}

impl Database {
    pub async fn start(world: &World) -> Self {
        Self::start_at(world, 0).await
    }

    /// On a certain gRPC port: a backend that lives on finds it there again.
    async fn start_at(world: &World, grpc_port: u16) -> Self {
        let ports = world.path("vectordb-ports");
        let _none = fs::remove_file(&ports);
        let mut command = program("agentic-ide-vectordb");
        world
            .hermetic(&mut command)
            .args(["--embedded", "--http-port", "0", "--control-port", "0"]);
        command
            .args(["--grpc-port", &grpc_port.to_string(), "--ports-file"])
            .arg(&ports)
            .arg("--data-dir")
            .arg(world.path("vectordb"));
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let read = || serde_json::from_slice::<Value>(&fs::read(&ports).ok()?).ok();
        let found = until("the vector database to listen", read).await;
        Self {
            child,
            url: format!("http://127.0.0.1:{}", found["grpc"]),
            ports: found,
        }
    }

    fn grpc_port(&self) -> u16 {
        self.ports["grpc"].as_u64().unwrap().try_into().unwrap()
    }

    /// Points of all collections.
    async fn points(&self) -> u64 {
        let url = format!("http://127.0.0.1:{}/collections", self.ports["http"]);
        let get = async |url: &str| -> Value {
            let text = reqwest::get(url).await.unwrap().text().await.unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let mut points = 0;
        for collection in get(&url).await["result"]["collections"].as_array().unwrap() {
            let info = get(&format!("{url}/{}", collection["name"].as_str().unwrap())).await;
            points += info["result"]["points_count"].as_u64().unwrap();
        }
        points
    }

    /// Kills it and starts it again where it was.
    pub async fn restart(&mut self, world: &World) {
        self.kill();
        *self = Self::start_at(world, self.grpc_port()).await;
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Overwrites 64 bytes in the middle of what the database's logs hold.
fn damage_the_log(data: &Path) {
    for collection in fs::read_dir(data.join("embedded/collections")).unwrap() {
        for log in fs::read_dir(collection.unwrap().path().join("wal")).unwrap() {
            let path = log.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.starts_with("open-") {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let used = bytes
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.write_all_at(&[0xA5; 64], u64::try_from(used / 2).unwrap())
                .unwrap();
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

pub async fn retrieval(world: &World, query: &str, correlation: &str) -> Value {
    let mut request = world.request(query);
    request["correlation_id"] = correlation.into();
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    let id = body["workflow_id"].as_str().unwrap();
    let events = world
        .events(id, 0, "delta", |event| event["type"] == "retrieval_result")
        .await;
    events.into_iter().next_back().unwrap()
}

#[tokio::test]
async fn words_and_meaning_are_searched_and_a_lost_database_costs_nothing_but_that() {
    let script = SCRIPT.replace(
        "models:",
        "models:\n  - name: nomic-embed-text\n    kind: embedding",
    );
    let mut world = World::with(&script).await;
    world.write(
        "billing/invoice.py",
        "def total(lines):\n    \"\"\"Sum of an invoice.\"\"\"\n    return sum(lines)\n",
    );
    let mut database = Database::start(&world).await;
    world.use_qdrant(&database.url);
    world.restart().await;

    let found = retrieval(&world, "total of an invoice", "first").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    assert_eq!(found["items"][0]["path"], "billing/invoice.py", "{found}");

    // What was indexed survives; a new file is found without a fresh index.
    database.kill();
    let lost = retrieval(&world, "total of an invoice", "second").await;
    assert_eq!(lost["mode"], "local_keyword", "{lost}");
    assert_eq!(lost["items"][0]["path"], "billing/invoice.py", "{lost}");

    let again = Database::start(&world).await;
    world.use_qdrant(&again.url);
    world.restart().await;
    world.write(
        "billing/refund.py",
        "def refund(order):\n    \"\"\"Give money back.\"\"\"\n    return -order\n",
    );
    let found = retrieval(&world, "refund an order", "third").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    assert_eq!(found["items"][0]["path"], "billing/refund.py", "{found}");
}

/// The database is killed while the backend lives, and comes back with less than
/// it had acknowledged: the next search finds out and makes it whole.
#[tokio::test]
async fn a_database_that_comes_back_with_less_is_made_whole() {
    let script = SCRIPT.replace(
        "models:",
        "models:\n  - name: nomic-embed-text\n    kind: embedding",
    );
    let mut world = World::with(&script).await;
    let write = |world: &World, number: u32| {
        let text = format!(
            "def part_{number}(order):\n    \"\"\"Part {number} of an order.\"\"\"\n    return order\n"
        );
        world.write(&format!("parts/part_{number}.py"), &text);
    };
    (0..8).for_each(|number| write(&world, number));
    let mut database = Database::start(&world).await;
    let port = database.grpc_port();
    world.use_qdrant(&database.url);
    world.restart().await;
    for (number, correlation) in [(8, "first"), (9, "second"), (10, "third")] {
        write(&world, number);
        let found = retrieval(&world, "a part of an order", correlation).await;
        assert_eq!(found["mode"], "hybrid", "{found}");
    }
    // What a question did not wait for is written meanwhile.
    reaches(&world, "ready").await;
    let whole = database.points().await;
    assert!(whole >= 11, "{whole}");

    // The end of its log is damaged.
    database.kill();
    let data = world.path("vectordb");
    damage_the_log(&data);
    let mut database = Database::start_at(&world, port).await;
    let found = retrieval(&world, "a part of an order", "fourth").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    assert_eq!(database.points().await, whole);

    // Everything since a certain moment is gone.
    database.kill();
    let earlier = world.path("earlier");
    copy(&data, &earlier);
    let mut database = Database::start_at(&world, port).await;
    (11..15).for_each(|number| write(&world, number));
    let found = retrieval(&world, "a part of an order", "fifth").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    reaches(&world, "ready").await;
    let more = database.points().await;
    assert!(more >= whole + 4, "{more}");
    database.kill();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&earlier, &data).unwrap();
    let database = Database::start_at(&world, port).await;
    assert_eq!(database.points().await, whole);
    let found = retrieval(&world, "a part of an order", "sixth").await;
    assert_eq!(found["mode"], "hybrid", "{found}");
    assert_eq!(database.points().await, more);
}
