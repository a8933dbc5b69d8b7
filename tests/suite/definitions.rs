//! Workflows of one's own definition: branches, loops, deadlines; pinned to
//! what they began with; forked, exported and imported.

use std::fs;

use serde_json::{Value, json};

use crate::world::{SCRIPT, World, brief, is_end, until_status};

const DEFINITION: &str = r#"
name: parts
version: 1
stages:
  - id: finding
    kind: parallel
    join: settled
    branches:
      - {id: left, stages: [{id: find_left, kind: retrieval}]}
      - {id: right, stages: [{id: find_right, kind: retrieval, when: iteration > 7}]}
  - {id: planning, kind: planning, timeout: 2m}
  - {id: approval, kind: review, on_modify: planning, deadline: DEADLINE, default: accept}
  - id: each
    kind: for_each
    list: plan.files
    stages:
      - {id: code, kind: code_generation}
  - {id: test_generation, kind: test_generation, optional: true}
  - {id: checks, kind: checks, retry_from: each}
  - {id: review, kind: review, on_modify: planning}
  - {id: apply, kind: apply}
"#;

async fn world(deadline: &str) -> World {
    let mut world = World::new().await;
    define(&world, &DEFINITION.replace("DEADLINE", deadline));
    let folder = world.path("workflows");
    world.argue(&["--workflows-dir", folder.to_str().unwrap()]);
    world.restart().await;
    world
}

fn define(world: &World, text: &str) {
    fs::create_dir_all(world.path("workflows")).unwrap();
    fs::write(world.path("workflows/parts.yaml"), text).unwrap();
}

async fn submit(world: &World) -> String {
    let mut request = world.request("Add greetings");
    request["workflow_type"] = json!("parts");
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    body["workflow_id"].as_str().unwrap().to_owned()
}

/// Without notices and text.
fn story(events: &[Value]) -> Vec<String> {
    let mut lines = brief(events);
    lines.retain(|line| !line.starts_with("notice") && !line.starts_with("text"));
    lines
}

#[tokio::test]
async fn a_deadline_counts_after_a_kill_and_a_workflow_keeps_its_definition() {
    let mut world = world("1s").await;
    let id = submit(&world).await;
    world
        .events(&id, 0, "full", |event| event["type"] == "decision_needed")
        .await;
    world.kill();
    // The definition is another one by then; this workflow keeps its own.
    let other = DEFINITION
        .replace("DEADLINE", "90d")
        .replace("id: code,", "id: other,");
    define(&world, &other);
    world.start().await;
    let before = world
        .events(&id, 0, "full", |event| event["stage_id"] == "review")
        .await;
    until_status(&world, &id, "awaiting_decision").await;
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    let events = world.to_end(&id).await;
    assert!(events.len() > before.len());
    let expect = [
        "running",
        "start finding 1",
        "start find_left 1",
        "skipped find_right",
        "retrieval_result",
        "succeeded find_left",
        "retrieval_result",
        "succeeded finding",
        "start planning 1",
        "model_called",
        "plan",
        "succeeded planning",
        "start approval 1",
        "decision_needed",
        "decision_taken",
        "succeeded approval",
        "start each 1",
        "start code:1 1",
        "model_called",
        "succeeded code:1",
        "diff_ready",
        "succeeded each",
        "skipped test_generation",
        "start checks 1",
    ];
    assert_eq!(story(&events)[..expect.len()], expect);
    assert_eq!(events.last().unwrap()["state"], "completed");
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn a_failure_is_asked_about_and_tried_again() {
    let refused = r#"rules:
  - match: { endpoint: chat, format: present, nth: 1 }
    respond: { fault: { status: { status: 400, message: "I would rather not" } } }
"#;
    let mut world = World::with(&SCRIPT.replacen("rules:\n", refused, 1)).await;
    define(
        &world,
        r"
name: parts
version: 1
stages:
  - {id: retrieval, kind: retrieval}
  - {id: planning, kind: planning, attempts_max: 1, retry: {exhausted: ask}}
  - {id: code, kind: code_generation}
  - {id: test_generation, kind: test_generation, optional: true}
  - {id: checks, kind: checks}
  - {id: review, kind: review, on_modify: planning}
  - {id: apply, kind: apply}
",
    );
    let folder = world.path("workflows");
    world.argue(&["--workflows-dir", folder.to_str().unwrap()]);
    world.restart().await;
    let id = submit(&world).await;
    let events = world
        .events(&id, 0, "delta", |event| event["type"] == "decision_needed")
        .await;
    assert_eq!(
        events.last().unwrap()["question"],
        json!({ "about": "failure", "stage_id": "planning" })
    );
    // Whoever accepts proposals unseen does not mean to try a failure for ever.
    let output = world.cli(&["workflows", "resume", &id, "--yes"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(3) && said.contains("waits for a decision"),
        "{said}"
    );
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    let seen = events.last().unwrap()["seq"].as_u64().unwrap();
    let events = world
        .events(&id, seen, "delta", |event| event["type"] == "decision_needed")
        .await;
    assert_eq!(events.last().unwrap()["question"], json!({ "about": "review" }));
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    assert_eq!(world.to_end(&id).await.last().unwrap()["state"], "completed");
}

#[tokio::test]
async fn a_workflow_travels_in_time_and_to_other_places() {
    let world = world("1h").await;
    let id = submit(&world).await;
    let seen = world.to_review(&id).await;
    let at = seen.last().unwrap()["seq"].as_u64().unwrap();
    assert_eq!(world.decide(&id, &json!({ "decision": "reject" })).await, 204);
    world.to_end(&id).await;

    let (status, view) = world.get(&format!("/api/workflow/{id}?at={at}")).await;
    assert_eq!((status, &view["state"]), (200, &json!("awaiting_decision")));
    let (status, error) = world.get(&format!("/api/workflow/{id}?at=9999")).await;
    assert_eq!((status, &error["code"]), (400, &json!("E1001")));

    let path = format!("/api/workflow/{id}/fork");
    let (status, fork) = world.post(&path, &json!({ "at": at })).await;
    assert_eq!(status, 202, "{fork}");
    let fork = fork["workflow_id"].as_str().unwrap();
    until_status(&world, fork, "awaiting_decision").await;
    assert_eq!(world.decide(fork, &json!({ "decision": "accept" })).await, 204);
    let decisions = world
        .events(fork, 0, "delta", |event| {
            event["stage_id"] == "review" || is_end(event)
        })
        .await;
    assert!(brief(&decisions).contains(&"start review 1".to_owned()));
    until_status(&world, fork, "awaiting_decision").await;
    assert_eq!(world.decide(fork, &json!({ "decision": "accept" })).await, 204);
    assert_eq!(world.to_end(fork).await.last().unwrap()["state"], "completed");
    assert_eq!(world.commits(), 2);
    let (status, error) = world.post(&path, &json!({ "at": 9999 })).await;
    assert_eq!((status, &error["code"]), (400, &json!("E1019")));

    let file = world.path("workflow.jsonl");
    let exported = world.cli(&["workflows", "export", fork, "--file", file.to_str().unwrap()]);
    assert!(
        exported.status.success(),
        "{}",
        String::from_utf8_lossy(&exported.stderr)
    );
    let text = fs::read_to_string(&file).unwrap();
    let other = World::new().await;
    let (status, imported) = other.post_text("/api/workflows/import", text.clone()).await;
    assert_eq!((status, &imported["workflow_id"]), (201, &json!(fork)));
    let there = other.get(&format!("/api/workflow/{fork}")).await.1;
    assert_eq!(there, world.get(&format!("/api/workflow/{fork}")).await.1);
    assert_eq!(other.to_end(fork).await, world.to_end(fork).await);
    let (status, error) = other.post_text("/api/workflows/import", text.clone()).await;
    assert_eq!((status, &error["code"]), (400, &json!("E1020")));
    let cut = text[..text.len() / 2].to_owned();
    let (status, error) = World::new().await.post_text("/api/workflows/import", cut).await;
    assert_eq!((status, &error["code"]), (400, &json!("E1020")));
}

#[tokio::test]
async fn definitions_are_checked_and_drawn_on_the_command_line() {
    let world = World::new().await;
    define(
        &world,
        &DEFINITION
            .replace("DEADLINE", "soon")
            .replace("list: plan.files", "list: files"),
    );
    let file = world.path("workflows/parts.yaml");
    let run = |arguments: &[&str]| {
        let output = world.cli(arguments);
        let text = String::from_utf8(output.stdout)
            .unwrap()
            .replace(file.to_str().unwrap(), "FILE");
        (output.status.code(), text)
    };
    let (code, text) = run(&["workflows", "check", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    let expect = "FILE:12:65: `deadline` cannot be `soon`: write a number and ms, s, m, h or d, for example 500ms, 30s or 2h\n";
    assert!(text.starts_with(expect), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    let (code, text) = run(&["workflows", "graph", "feature_implementation"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("flowchart TD\n"), "{text}");
}
