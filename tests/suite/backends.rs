//! Two backends on one Postgres.

use std::path::PathBuf;

use scratch_postgres::Server;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, brief, of, until_status};

/// Workflows of the test that kills.
const WORKFLOWS: usize = 20;

/// Longer than the slowest machine makes a living backend wait.
const LEASE_MS: u32 = 5_000;

/// A backend on the database, with a data folder and a model of its own.
async fn backend(url: &str) -> World {
    let mut world = World::new().await;
    world.kill();
    let text = format!("journal:\n  url: \"{url}\"\n  lease_ms: {LEASE_MS}\n");
    world.configure(text);
    world.start().await;
    world
}

/// A copy of the repository for one workflow alone.
fn workspace(world: &World, n: usize) -> PathBuf {
    let copy = world.path(&format!("repo-{n}"));
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(world.repo())
        .arg(&copy)
        .status()
        .unwrap();
    assert!(copied.success());
    copy
}

fn commits(world: &World, workspace: &std::path::Path) -> usize {
    let workspace = workspace.to_str().unwrap();
    world
        .git(&["-C", workspace, "rev-list", "--count", "HEAD"])
        .parse()
        .unwrap()
}

async fn submit(world: &World, n: usize, workspace: &std::path::Path) -> String {
    let request = json!({
        "workflow_type": "feature_implementation", "user_query": "Add greetings",
        "correlation_id": format!("req_{n}"), "workspace": workspace,
    });
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    body["workflow_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn killed_beside_another_one_its_workflows_end_there_in_one_commit_each() {
    let Some(server) = Server::start().unwrap() else {
        return;
    };
    let url = server.database().unwrap();
    let (mut a, b) = (backend(&url).await, backend(&url).await);
    // The first one's model never gets further than the plan.
    a.ollama.gate().close();
    let mut workflows = Vec::new();
    for n in 0..WORKFLOWS {
        let workspace = workspace(&a, n);
        let through = if n % 2 == 0 { &a } else { &b };
        workflows.push((submit(through, n, &workspace).await, workspace));
    }
    let planning = |records: &[scripted_ollama::Record]| of(records, "plan").len() == WORKFLOWS / 2;
    tokio::time::timeout(PATIENCE, a.ollama.wait_for(planning))
        .await
        .expect("all of the first one's workflows plan");
    // Followed through the second one, which does not run it, before and after
    // the first one's death, without a gap.
    let followed = workflows[0].0.clone();
    let seen = b
        .events(&followed, 0, "full", |event| event["stage_id"] == "planning")
        .await;
    assert!(
        brief(&seen).contains(&"start planning 1".to_owned()),
        "{:?}",
        brief(&seen)
    );
    let (whole, ()) = tokio::join!(b.to_review(&followed), async { a.kill() });
    let seqs: Vec<u64> = whole.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    for (id, _) in &workflows {
        b.accept(id).await;
    }
    for (id, workspace) in &workflows {
        let events = b.to_end(id).await;
        let ends = |event: &&Value| event["type"] == "workflow_state" && event["state"] == "completed";
        assert_eq!(events.iter().filter(ends).count(), 1, "{:?}", brief(&events));
        assert_eq!(commits(&a, workspace), 2, "{id}");
    }
    // The dead one comes back and finds everything done.
    a.ollama.gate().open();
    a.start().await;
    let page = a.get("/api/workflows?limit=100").await.1;
    let states: Vec<&Value> = page["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|workflow| &workflow["state"])
        .collect();
    assert_eq!(states, vec![&json!("completed"); WORKFLOWS]);
}

#[tokio::test]
async fn told_to_stop_it_leaves_its_workflows_to_the_other_at_once() {
    let Some(server) = Server::start().unwrap() else {
        return;
    };
    let url = server.database().unwrap();
    let (mut a, b) = (backend(&url).await, backend(&url).await);
    let workspace = workspace(&a, 0);
    let id = submit(&a, 0, &workspace).await;
    until_status(&a, &id, "awaiting_decision").await;
    // The same through the other one; only commands have to wait.
    until_status(&b, &id, "awaiting_decision").await;
    let refused = b
        .post(
            &format!("/api/workflow/{id}/decision"),
            &json!({ "decision": "accept" }),
        )
        .await;
    assert_eq!(
        (refused.0, &refused.1["code"]),
        (503, &json!("E1111")),
        "{refused:?}"
    );
    assert_eq!(a.terminate(), Some(0));
    let taken = async {
        while b.decide(&id, &json!({ "decision": "accept" })).await != 204 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("the other one takes it");
    b.to_end(&id).await;
    assert_eq!(commits(&a, &workspace), 2);
}
