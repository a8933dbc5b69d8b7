//! Finished workflows are deleted: when a person says so, and by age and size.

use serde_json::json;

use crate::{
    acp_client::{Acp, prompt},
    world::{World, until, until_status},
};

#[tokio::test]
async fn what_runs_is_never_deleted_and_what_is_over_goes_when_told() {
    let world = World::new().await;
    let id = world.submit("Add greetings").await;
    until_status(&world, &id, "awaiting_decision").await;
    let refused = world.cli(&["workflows", "delete", &id]);
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("E1112"),
        "{refused:?}"
    );
    world.accept(&id).await;
    let deleted = world.cli(&["workflows", "delete", &id]);
    assert!(
        deleted.status.success(),
        "{}",
        String::from_utf8_lossy(&deleted.stderr)
    );
    assert_eq!(world.get(&format!("/api/workflow/{id}")).await.0, 404);
    assert_eq!(world.get("/api/workflows").await.1["workflows"], json!([]));
    // Its commit stays, and its correlation id is free.
    assert_eq!(world.commits(), 2);
    assert_ne!(world.submit("Add greetings").await, id);
}

#[tokio::test]
async fn what_is_old_is_exported_and_deleted_and_can_be_taken_back() {
    let mut world = World::new().await;
    let id = world.submit("Add greetings").await;
    world.accept(&id).await;
    let mut second = world.request("Now shout it");
    second["correlation_id"] = json!("req_2");
    let running = world.post("/api/workflow/submit", &second).await.1;
    let running = running["workflow_id"].as_str().unwrap().to_owned();
    until_status(&world, &running, "awaiting_decision").await;
    let kept = {
        // Of two sessions, one has a workflow that is not over.
        let mut acp = Acp::connect(&world).await;
        let (_, kept) = (acp.session(&world).await, acp.session(&world).await);
        let turn = acp.ask("session/prompt", prompt(&kept, "shout it")).await;
        acp.until(turn).await;
        kept
    };
    world.kill();
    // Everything that is finished is older than no day at all.
    let exports = world.path("exports");
    let text = format!(
        "journal:\n  retention:\n    days: 0\n    export_dir: {:?}\n",
        exports.to_str().unwrap()
    );
    world.configure(text);
    world.start().await;
    until("the old one to go", || {
        world.log().contains("deleted").then_some(())
    })
    .await;
    assert_eq!(world.get(&format!("/api/workflow/{id}")).await.0, 404);
    until("the other session to go", || {
        world.log().contains("the session was deleted").then_some(())
    })
    .await;
    let mut acp = Acp::connect(&world).await;
    let listed = acp.call("session/list", json!({})).await;
    let ids = listed["result"]["sessions"].as_array().unwrap().iter();
    let ids: Vec<&str> = ids.map(|info| info["sessionId"].as_str().unwrap()).collect();
    assert_eq!(ids, [kept]);
    assert_eq!(
        world.get(&format!("/api/workflow/{running}")).await.1["state"],
        "awaiting_decision"
    );
    let file = exports.join(format!("{id}.jsonl"));
    let imported = world.cli(&["workflows", "import", file.to_str().unwrap()]);
    assert!(
        imported.status.success(),
        "{}",
        String::from_utf8_lossy(&imported.stderr)
    );
    assert_eq!(
        world.get(&format!("/api/workflow/{id}")).await.1["state"],
        "completed"
    );
}
