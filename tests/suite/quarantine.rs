//! One workflow is broken; the others are not.

use std::fs;

use serde_json::{Value, json};

use crate::world::{World, until_status};

/// Changes the journal of a backend that does not run.
fn damage(world: &World, statement: &str) {
    let output = std::process::Command::new("python3")
        .args([
            "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()",
        ])
        .arg(world.path("data/journal.db"))
        .arg(statement)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn submit(world: &World, correlation: &str) -> String {
    let mut request = world.request("Add greetings");
    request["correlation_id"] = json!(correlation);
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    body["workflow_id"].as_str().unwrap().to_owned()
}

fn state<'a>(page: &'a Value, id: &str) -> &'a Value {
    let workflows = page["workflows"].as_array().unwrap();
    &workflows
        .iter()
        .find(|workflow| workflow["workflow_id"] == id)
        .unwrap()["state"]
}

#[tokio::test]
async fn a_workflow_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let mut world = World::new().await;
    let (bad, good) = (submit(&world, "bad").await, submit(&world, "good").await);
    for id in [&bad, &good] {
        until_status(&world, id, "awaiting_decision").await;
    }
    world.kill();
    damage(
        &world,
        "UPDATE events SET body = replace(body, '{\"k\":', '{\"q\":') WHERE run = 1 AND seq = 5",
    );
    world.start().await;
    // The others are served as ever.
    assert_eq!(world.decide(&good, &json!({ "decision": "accept" })).await, 204);
    world.to_end(&good).await;
    assert_eq!(world.commits(), 2);
    let page = world.get("/api/workflows").await.1;
    assert_eq!(
        (state(&page, &bad), state(&page, &good)),
        (&json!("failed"), &json!("completed"))
    );
    let refused = world
        .post(&format!("/api/workflow/{bad}/cancel"), &Value::Null)
        .await;
    assert_eq!(refused.1["code"], "E1110", "{refused:?}");
    // What could be read is there: the events before the damaged one.
    let copy = fs::read_to_string(world.path(&format!("data/aside/{bad}.jsonl"))).unwrap();
    assert_eq!(copy.lines().count(), 4);
    // It stays aside, and is not tried at every start.
    world.restart().await;
    assert_eq!(world.log().matches("set aside").count(), 1, "{}", world.log());
    // The cause is gone, and somebody says so.
    world.kill();
    damage(
        &world,
        "UPDATE events SET body = replace(body, '{\"q\":', '{\"k\":') WHERE run = 1 AND seq = 5",
    );
    world.start().await;
    let readmitted = world.cli(&["workflows", "readmit", &bad]);
    assert!(
        readmitted.status.success(),
        "{}",
        String::from_utf8_lossy(&readmitted.stderr)
    );
    assert_eq!(world.decide(&bad, &json!({ "decision": "reject" })).await, 204);
    world.to_end(&bad).await;
}
