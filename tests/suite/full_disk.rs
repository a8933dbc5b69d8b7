//! The disk of the data folder is full, and has room again.

use serde_json::json;
use small_disk::SmallDisk;

use crate::world::{PATIENCE, World, until, until_status};

const DISK_MEGABYTES: u64 = 24;

#[tokio::test]
async fn on_a_full_disk_workflows_pause_and_go_on_by_themselves() {
    let mut world = World::new().await;
    world.kill();
    let Some(disk) = SmallDisk::at(&world.path("data"), DISK_MEGABYTES).unwrap() else {
        return eprintln!("no test of a full disk: nobody here may mount");
    };
    world.start_through(&disk.enter());
    world.start().await;
    assert_eq!(world.get("/readyz").await.0, 200);
    world.ollama.gate().close();
    let id = world.submit("Add greetings").await;
    let asked = |records: &[scripted_ollama::Record]| !records.is_empty();
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(asked))
        .await
        .expect("the model is asked");
    disk.fill(0).unwrap();
    world.ollama.gate().open();
    until("the workflow to pause", || {
        world.log().contains("paused").then_some(())
    })
    .await;
    assert_eq!(world.get("/readyz").await.0, 503);
    let mut second = world.request("Add greetings");
    second["correlation_id"] = json!("req_2");
    let (status, body) = world.post("/api/workflow/submit", &second).await;
    assert_eq!((status, &body["code"]), (503, &json!("E1102")), "{body}");
    // What is there can be read.
    assert_eq!(world.get(&format!("/api/workflow/{id}")).await.0, 200);
    disk.make_room().unwrap();
    until_status(&world, &id, "awaiting_decision").await;
    assert_eq!(world.get("/readyz").await.0, 200);
    world.accept(&id).await;
    assert_eq!(world.commits(), 2);
    assert_eq!(world.post("/api/workflow/submit", &second).await.0, 202);
}
