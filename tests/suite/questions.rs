//! A planner that does not understand asks once, and goes on with the answer.

use serde_json::{Value, json};

use crate::world::{SCRIPT, World, of};

/// What the planner of this script wants to know.
pub const QUESTION: &str = "Who is to be greeted: everybody, or one person by name?";

async fn asked(world: &World, id: &str) -> Value {
    let events = world
        .events(id, 0, "delta", |event| event["type"] == "decision_needed")
        .await;
    let failed = events
        .iter()
        .find(|event| event["type"] == "stage_finished" && event["outcome"] == "failed");
    assert_eq!(
        &failed.unwrap()["reason"],
        &json!(format!("E1315: {QUESTION}")),
        "{failed:?}"
    );
    let question = events.last().unwrap().clone();
    assert_eq!(
        question["question"],
        json!({ "about": "failure", "stage_id": "planning" })
    );
    question
}

/// The usual script, and a planner that asks before it plans.
pub fn script() -> String {
    let unclear = format!(
        r#"rules:
  - name: unclear
    match: {{ endpoint: chat, format: present, lacks: "{QUESTION}" }}
    respond:
      json: {{ summary: "", steps: [""], files: [], stages: [{{stage: test_generation, run: false, reason: ""}}], question: "{QUESTION}" }}
"#
    );
    SCRIPT.replacen("rules:\n", &unclear, 1)
}

#[tokio::test]
async fn the_answer_to_a_question_reaches_the_planner() {
    let mut world = World::with(&script()).await;
    let id = world.submit("Add greetings").await;
    asked(&world, &id).await;
    assert_eq!(world.commits(), 1);
    // It is still asked after a kill.
    world.restart().await;
    let question = asked(&world, &id).await;
    let answer = json!({ "decision": "modify", "feedback": "one person by name" });
    assert_eq!(world.decide(&id, &answer).await, 204);
    let after = question["seq"].as_u64().unwrap();
    world
        .events(&id, after, "delta", |event| event["type"] == "decision_needed")
        .await;
    let prompts = world.ollama.requests();
    let plan = of(&prompts, "plan")[0];
    let said = plan.last_message("user");
    assert!(
        said.contains(QUESTION) && said.contains("one person by name"),
        "{said}"
    );
    // It may not ask a second time.
    assert_eq!(plan.body["format"]["properties"].get("question"), None);
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    assert_eq!(world.to_end(&id).await.last().unwrap()["state"], "completed");
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn without_an_answer_it_plans_as_it_understands() {
    let world = World::with(&script()).await;
    let id = world.submit("Add greetings").await;
    let question = asked(&world, &id).await;
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    let after = question["seq"].as_u64().unwrap();
    let events = world
        .events(&id, after, "delta", |event| event["type"] == "decision_needed")
        .await;
    assert_eq!(events.last().unwrap()["question"], json!({ "about": "review" }));
}
