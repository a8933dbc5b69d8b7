//! What the backend sends is what `docs/protocol` promises, and so are the
//! examples of the documents.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    schema::{Document, read_json},
    support::root,
    world::{World, is_end},
};

/// A schema of ours by the name of its file.
pub fn ours(name: &str) -> Document {
    let path = root().join(format!("docs/protocol/{name}.schema.json"));
    Document::read(&path, [String::new()])
}

fn check(schema: &Document, values: &[Value]) {
    for value in values {
        assert_eq!(schema.judge("", value), Ok(()));
    }
}

/// Names of the event types that the schema knows.
fn event_types() -> BTreeSet<String> {
    let schema = read_json(&root().join("docs/protocol/envelope.schema.json"));
    let bodies = schema["oneOf"].as_array().unwrap().iter();
    let name = |body: &Value| body["properties"]["type"]["const"].as_str().unwrap().to_owned();
    bodies.map(name).collect()
}

#[tokio::test]
async fn every_event_and_answer_fits_its_schema() {
    let world = World::new().await;
    let envelope = ours("envelope");
    let id = world.submit("Add greetings").await;
    world.to_review(&id).await;
    let view = format!("/api/workflow/{id}");
    check(&ours("workflow-view"), &[world.get(&view).await.1]);
    let decision = json!({ "decision": "modify", "feedback": "shout it" });
    check(&ours("decision-request"), std::slice::from_ref(&decision));
    let seen = world.get(&view).await.1["head"].as_u64().unwrap();
    assert_eq!(world.decide(&id, &decision).await, 204);
    world
        .events(&id, seen, "full", |event| event["type"] == "decision_needed")
        .await;
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    let events = world.to_end(&id).await;
    assert_eq!(events.last().unwrap()["state"], "completed");
    check(&envelope, &events);
    check(&envelope, &world.events(&id, 0, "delta", is_end).await);
    check(&envelope, &world.events(&id, 10_000, "full", |_| false).await);

    let types: BTreeSet<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let expect = [
        "agent_streaming_update",
        "applied",
        "check_result",
        "decision_needed",
        "decision_taken",
        "diff_ready",
        "model_called",
        "notice",
        "plan",
        "retrieval_result",
        "stage_finished",
        "stage_started",
        "workflow_state",
    ];
    assert_eq!(types.into_iter().collect::<Vec<_>>(), expect, "what was judged");

    let request = world.request("Add greetings");
    check(&ours("submit-request"), std::slice::from_ref(&request));
    let (_, again) = world.post("/api/workflow/submit", &request).await;
    check(&ours("submit-response"), &[again]);
    check(&ours("workflow-view"), &[world.get(&view).await.1]);
    check(&ours("workflow-page"), &[world.get("/api/workflows").await.1]);
    check(&ours("error-body"), &[world.get("/api/workflow/none").await.1]);

    let request = json!({ "workspace": world.repo(), "query": "greet", "explain": true });
    check(&ours("search-request"), std::slice::from_ref(&request));
    check(
        &ours("search-answer"),
        &[world.post("/api/search", &request).await.1],
    );
    let request = json!({ "roots": [world.repo()], "arguments": { "symbol": "greet" } });
    check(&ours("code-request"), std::slice::from_ref(&request));
    check(
        &ours("code-answer"),
        &[world.post("/api/code/find_definition", &request).await.1],
    );

    let request = json!({ "workspace": world.repo(), "command": "rescan" });
    check(&ours("index-request"), std::slice::from_ref(&request));
    check(&ours("index-view"), &[world.post("/api/index", &request).await.1]);
    check(&ours("index-view"), &[world.get("/api/index").await.1]);
    check(&ours("index-page"), &[world.get("/api/indexes").await.1]);
    check(&ours("memory-view"), &[world.get("/debug/vram").await.1]);
    check(&ours("sandbox-view"), &[world.get("/debug/sandbox").await.1]);
}

#[test]
fn the_schema_refuses_what_is_no_event() {
    let envelope = ours("envelope");
    let event = json!({
        "seq": 1, "workflow_id": "w1", "correlation_id": "r1", "timestamp": 0,
        "type": "workflow_state", "state": "running", "iteration": 1,
    });
    check(&envelope, std::slice::from_ref(&event));
    for (key, wrong) in [
        ("type", json!("something")),
        ("state", json!("done")),
        ("seq", json!("1")),
        ("iteration", json!(-1)),
        ("timestamp", Value::Null),
    ] {
        let mut event = event.clone();
        event[key] = wrong;
        assert!(envelope.judge("", &event).is_err(), "{event}");
        event.as_object_mut().unwrap().remove(key);
        assert!(envelope.judge("", &event).is_err(), "{event}");
    }
}

#[test]
fn the_examples_of_the_protocol_fit_their_schemas() {
    let text = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let mut types = BTreeSet::new();
    for (name, example) in examples(&text) {
        let value: Value =
            serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}:\n{example}"));
        check(&ours(name), std::slice::from_ref(&value));
        if name == "envelope" {
            types.insert(value["type"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(types, event_types(), "each type of event has an example");
}

/// Blocks that begin with ```` ```json NAME ````, where NAME is a schema.
fn examples(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("```json ").skip(1).map(|rest| {
        let (name, rest) = rest.split_once('\n').unwrap();
        (name.trim(), rest.split_once("```").unwrap().0)
    })
}
