//! The search through the real vector database program, with a model that
//! embeds, and what happens when the database goes away and comes back.

use std::{
    fs,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::world::{SCRIPT, World, program, until};

/// The launcher with the embedded engine.
struct Database {
    child: Child,
    url: String,
}

impl Database {
    async fn start(world: &World) -> Self {
        let ports = world.path("vectordb-ports");
        let _none = fs::remove_file(&ports);
        let mut command = program("agentic-ide-vectordb");
        world
            .hermetic(&mut command)
            .args(["--embedded", "--http-port", "0", "--control-port", "0"]);
        command
            .args(["--grpc-port", "0", "--ports-file"])
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
        }
    }

    fn kill(&mut self) {
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

async fn retrieval(world: &World, query: &str, correlation: &str) -> Value {
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
