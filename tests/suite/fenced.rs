//! A backend that was stopped while another one stole its data folder.

use std::fs;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::world::{World, assert_same, until_status};

#[tokio::test]
async fn a_stopped_backend_whose_lock_was_stolen_writes_nothing_more_and_ends() {
    let mut world = World::new().await;
    let id = world.submit("Add greetings").await;
    until_status(&world, &id, "awaiting_decision").await;
    let (mut old, old_url) = (world.abandon(), world.url().to_owned());
    let pid = Pid::from_raw(old.id().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    fs::remove_file(world.path("data/journal.lock")).unwrap();
    world.start().await;
    let events = world.accept(&id).await;
    assert_eq!(world.commits(), 2);
    // The old one still believes that it is asked for a decision.
    kill(pid, Signal::SIGCONT).unwrap();
    let answer = world
        .post_to(
            &old_url,
            &format!("/api/workflow/{id}/decision"),
            &json!({ "decision": "accept" }),
        )
        .await;
    assert_ne!(answer, Some(204));
    assert_eq!(old.wait().unwrap().code(), Some(70), "{}", world.log());
    assert!(world.log().contains("E1109"), "{}", world.log());
    // The one that took over goes on.
    assert_same(&world.to_end(&id).await, &events, "nothing was added");
    assert_eq!(world.commits(), 2);
    let second = json!({
        "workflow_type": "feature_implementation", "user_query": "Now shout it",
        "correlation_id": "req_2", "workspace": world.repo(),
    });
    let second: Value = world.post("/api/workflow/submit", &second).await.1;
    until_status(
        &world,
        second["workflow_id"].as_str().unwrap(),
        "awaiting_decision",
    )
    .await;
}
