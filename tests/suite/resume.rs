//! The backend is stopped or killed, and the work goes on.

use serde_json::{Value, json};

use crate::world::{PATIENCE, World, assert_same, brief, of};

#[tokio::test]
async fn sigterm_parks_and_the_next_start_goes_on() {
    let mut world = World::new().await;
    world.ollama.gate().close();
    let id = world.submit("Add greetings").await;
    world.until_asked("plan").await;
    assert_eq!(world.terminate(), Some(0));
    world.ollama.gate().open();
    world.start().await;
    let events = world.accept(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "completed");
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn killed_twice_while_the_model_writes_it_is_still_one_commit() {
    let mut world = World::new().await;
    let id = world.submit("Add greetings").await;
    let gate = world.ollama.gate();
    // Through the plan, then stop in the middle of the code.
    let in_code =
        |event: &Value| event["type"] == "agent_streaming_update" && event["stage_id"] == "code_generation";
    let first = world
        .events(&id, 0, "full", |event| event["type"] == "plan")
        .await;
    gate.close();
    for round in 0..2_usize {
        gate.release(3);
        let codes = move |records: &[scripted_ollama::Record]| of(records, "code").len() > round;
        tokio::time::timeout(PATIENCE, world.ollama.wait_for(codes))
            .await
            .expect("code generation begins");
        world.events(&id, 0, "full", in_code).await;
        world.restart().await;
    }
    gate.open();
    let events = world.accept(&id).await;
    assert_same(&events[..first.len()], &first, "what was seen stays as it was");
    let story = brief(&events);
    assert_eq!(
        story.iter().filter(|line| *line == "start retrieval 1").count(),
        1,
        "finished stages stay finished"
    );
    assert_eq!(story.iter().filter(|line| *line == "plan").count(), 1);
    assert_eq!(
        story
            .iter()
            .filter(|line| *line == "start code_generation 1")
            .count(),
        1
    );
    assert_eq!(story.last().unwrap(), "completed");
    assert_eq!(world.commits(), 2);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn killed_at_any_moment_it_is_still_one_commit() {
    // Not every crash point (the engine's own suite counts those): a kill after
    // each kind of event that a client can see.
    let kinds = [
        "retrieval_result",
        "plan",
        "diff_ready",
        "check_result",
        "decision_needed",
    ];
    let mut world = World::new().await;
    let id = world.submit("Add greetings").await;
    for kind in kinds {
        world.events(&id, 0, "delta", |event| event["type"] == kind).await;
        world.restart().await;
    }
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    // Somewhere between the intent and the end.
    world.restart().await;
    let events = world.to_end(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "completed");
    assert_eq!(world.commits(), 2);
    let trailer = format!("Workflow-Id: {id}");
    assert_eq!(
        world
            .git(&["log", "--format=%B", "--grep", &trailer])
            .matches(&trailer)
            .count(),
        1
    );
    world.restart().await;
    assert_same(
        &world.to_end(&id).await,
        &events,
        "nothing is added after the end",
    );
}
