//! What a workflow has committed is taken back by a new commit.

use std::collections::BTreeMap;

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use serde_json::{Value, json};
use shared::crash;

use crate::{
    acp_client::{Acp, prompt},
    world::{World, until},
};

/// A world in which a workflow has committed; its id, and its commit.
async fn committed() -> (World, String, String) {
    let world = World::new().await;
    let id = world.submit("Add greetings").await;
    let events = world.accept(&id).await;
    assert_eq!(events.last().unwrap()["state"], "completed");
    let commit = world.git(&["rev-parse", "HEAD"]);
    (world, id, commit)
}

async fn undo(world: &World, id: &str) -> (u16, Value) {
    world.post(&format!("/api/workflow/{id}/undo"), &json!({})).await
}

async fn view(world: &World, id: &str) -> Value {
    world.get(&format!("/api/workflow/{id}")).await.1
}

fn tree(world: &World, commit: &str) -> String {
    world.git(&["rev-parse", &format!("{commit}^{{tree}}")])
}

#[tokio::test]
async fn an_undo_is_a_new_commit_and_can_be_undone() {
    let (world, id, commit) = committed().await;
    // Whatever the person has in hand stays.
    world.write("notes.txt", "mine\n");
    world.write("README.md", "# App\n\nstaged\n");
    world.git(&["add", "README.md"]);
    let (status, done) = undo(&world, &id).await;
    assert_eq!((status, &done["branch"]), (200, &json!("main")), "{done}");
    let reverting = world.git(&["rev-parse", "HEAD"]);
    assert_eq!(done["commit"], json!(reverting));
    assert_eq!(
        world.git(&["rev-parse", "HEAD~1"]),
        commit,
        "nothing is rewritten"
    );
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
    assert!(!world.repo().join("greeting.py").exists());
    assert_eq!(
        world.git(&["status", "--porcelain"]),
        "M  README.md\n?? notes.txt"
    );
    let message = world.git(&["log", "-1", "--format=%B"]);
    let subject = world.git(&["log", "-1", "--format=%s", "HEAD~1"]);
    let by = done["workflow_id"].as_str().unwrap();
    assert!(
        message.starts_with(&format!(
            "Revert \"{subject}\"\n\nThis reverts commit {commit}.\n"
        )) && message.contains(&format!("Workflow-Id: {by}\nUndoes-Workflow: {id}\n")),
        "{message}"
    );
    let (original, undoing) = (view(&world, &id).await, view(&world, by).await);
    assert_eq!(
        (&original["undone_by"], &original["undoes"]),
        (&json!(by), &Value::Null)
    );
    assert_eq!(
        (&undoing["undoes"], &undoing["state"]),
        (&json!(id), &json!("completed"))
    );

    // Asked again, it is the same commit.
    assert_eq!(undo(&world, &id).await, (200, done.clone()));
    assert_eq!(world.commits(), 3);

    // The undo is undone, and then the first can be undone again.
    let (status, again) = undo(&world, by).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(tree(&world, "HEAD"), tree(&world, &commit));
    assert_eq!(view(&world, &id).await["undone_by"], Value::Null);
    let (status, third) = undo(&world, &id).await;
    assert_eq!(status, 200, "{third}");
    assert_ne!(third["workflow_id"], done["workflow_id"]);
    assert_eq!(tree(&world, "HEAD"), tree(&world, &reverting));
    assert_eq!(world.commits(), 5);
    assert_eq!(
        world.git(&["status", "--porcelain"]),
        "M  README.md\n?? notes.txt"
    );
}

#[tokio::test]
async fn what_came_after_stays_and_what_cannot_be_merged_is_named() {
    let (world, id, commit) = committed().await;
    world.write("other.py", "later = True\n");
    world.write("greeting.py", "def greet(name):\n    return name\n");
    world.git(&["add", "other.py"]);
    world.git(&["commit", "-q", "-am", "later"]);
    world.write("app.py", &world.read("app.py").replace("print(", "print(1, "));
    let before = world.git(&["status", "--porcelain"]);
    let (status, error) = undo(&world, &id).await;
    let message = error["message"].as_str().unwrap();
    assert_eq!((status, &error["code"]), (409, &json!("E1215")), "{error}");
    assert!(
        message.contains("`app.py` (the same lines were changed)")
            && message.contains("`greeting.py` (it was to be removed and has been edited)")
            && message.contains(&format!("have changed since commit {commit}"))
            && message.contains(&format!("git revert {commit}")),
        "{message}"
    );
    assert_eq!(
        (world.commits(), world.git(&["status", "--porcelain"])),
        (3, before)
    );
    assert_eq!(view(&world, &id).await["undone_by"], Value::Null);

    // Without what stands in the way it is undone, and the rest stays.
    world.git(&["checkout", "-q", "HEAD", "--", "app.py"]);
    world.git(&["checkout", "-q", "HEAD~1", "--", "greeting.py"]);
    world.git(&["commit", "-q", "-m", "as it was"]);
    let (status, done) = undo(&world, &id).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(
        world.git(&["show", "HEAD:app.py"]),
        "def main():\n    print(\"hello\")"
    );
    assert_eq!(world.read("other.py"), "later = True\n");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn what_has_no_commit_here_cannot_be_undone() {
    let (world, id, _) = committed().await;
    let refused = async |id: &str, part: &str| {
        let (status, error) = undo(&world, id).await;
        assert_eq!((status, &error["code"]), (409, &json!("E1022")), "{error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    };
    world.git(&["checkout", "-q", "-b", "other", "HEAD~1"]);
    refused(&id, "not on the branch").await;
    world.git(&["checkout", "-q", "main"]);
    let mut request = world.request("Add greetings, and wait");
    request["correlation_id"] = json!("req_2");
    let other = world.post("/api/workflow/submit", &request).await.1;
    let other = other["workflow_id"].as_str().unwrap();
    refused(other, "has committed nothing").await;
    assert_eq!(undo(&world, "nobody").await.0, 404);
    // After all of that it still can.
    assert_eq!(undo(&world, &id).await.0, 200);
}

#[tokio::test]
async fn it_holds_where_its_commit_is() {
    let (world, id, commit) = committed().await;
    let (_, first) = undo(&world, &id).await;
    // Reset away by the person: it is asked for anew.
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let (status, second) = undo(&world, &id).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["workflow_id"], first["workflow_id"]);
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
    assert_eq!(undo(&world, &id).await, (200, second.clone()));
    assert_eq!(world.commits(), 3);
    // A branch that has the commit and not the undo has one of its own.
    world.git(&["checkout", "-q", "-b", "side", &commit]);
    let (status, third) = undo(&world, &id).await;
    assert_eq!((status, &third["branch"]), (200, &json!("side")), "{third}");
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
    assert_eq!(undo(&world, &id).await, (200, third));
    world.git(&["checkout", "-q", "main"]);
    assert_eq!(undo(&world, &id).await, (200, second.clone()));
    // Where neither is, whoever lost the answer still gets it.
    world.git(&["checkout", "-q", "-b", "other", "HEAD~2"]);
    assert_eq!(undo(&world, &id).await.0, 200);
    assert_eq!(world.commits(), 1);
}

#[tokio::test]
async fn what_the_person_has_reverted_is_not_undone() {
    let (world, id, _) = committed().await;
    world.git(&["revert", "--no-edit", "HEAD"]);
    let (status, done) = undo(&world, &id).await;
    assert_eq!((status, &done["commit"]), (200, &Value::Null), "{done}");
    assert_eq!(view(&world, &id).await["undone_by"], Value::Null);
    assert_eq!(world.commits(), 3);
    // It comes back, and can be undone.
    world.git(&["revert", "--no-edit", "HEAD"]);
    let (status, done) = undo(&world, &id).await;
    assert_eq!((status, &done["branch"]), (200, &json!("main")), "{done}");
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
    assert_eq!(view(&world, &id).await["undone_by"], done["workflow_id"]);
}

#[tokio::test]
async fn an_undo_that_the_person_has_reverted_is_done_anew() {
    let (mut world, id, commit) = committed().await;
    let (_, first) = undo(&world, &id).await;
    let revert_the_undo = |world: &World| {
        world.git(&["revert", "--no-edit", "HEAD"]);
        assert_eq!(tree(world, "HEAD"), tree(world, &commit));
    };
    revert_the_undo(&world);
    let (status, second) = undo(&world, &id).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["workflow_id"], first["workflow_id"]);
    assert_eq!(second["commit"], json!(world.git(&["rev-parse", "HEAD"])));
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
    // Asked again it is that one, also when something else is done since.
    assert_eq!(undo(&world, &id).await, (200, second.clone()));
    world.write("app.py", "def main():\n    print(\"mine\")\n");
    world.git(&["commit", "-q", "-am", "mine"]);
    assert_eq!(undo(&world, &id).await, (200, second.clone()));
    assert_eq!(view(&world, &id).await["undone_by"], second["workflow_id"]);
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);

    // And when the process died before it could answer.
    revert_the_undo(&world);
    let died = undo_whatever_happens(&mut world, &id, &[(crash::AT, "apply:after_ref")]).await;
    assert_eq!((died, world.commits()), (1, 7), "{}", world.log());
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
    let (_, third) = undo(&world, &id).await;
    assert_eq!(third["commit"], json!(world.git(&["rev-parse", "HEAD"])));
    // The undo of the last one brings the work back, for the first as well.
    let (status, again) = undo(&world, third["workflow_id"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(view(&world, &id).await["undone_by"], Value::Null);
    assert_eq!(tree(&world, "HEAD"), tree(&world, &commit));
}

#[tokio::test]
async fn several_who_ask_at_once_get_one_commit() {
    let (world, id, _) = committed().await;
    // Somebody else's request, by chance of the same name, is no undo.
    let mut request = world.request("Add greetings, and wait");
    request["correlation_id"] = json!(format!("undo:{id}"));
    assert_eq!(world.post("/api/workflow/submit", &request).await.0, 202);
    let path = format!("/api/workflow/{id}/undo");
    let body = json!({});
    let all = futures::future::join_all((0..8).map(|_| world.post(&path, &body))).await;
    assert!(all.iter().all(|answer| *answer == all[0]), "{all:?}");
    assert_eq!((all[0].0, &all[0].1["branch"]), (200, &json!("main")), "{all:?}");
    assert_eq!(world.commits(), 3);
}

#[tokio::test]
async fn every_way_of_asking_gives_the_same_commit() {
    let (world, id, _) = committed().await;
    let output = world.cli(&["undo", &id]);
    let text = String::from_utf8(output.stdout).unwrap();
    let commit = world.git(&["rev-parse", "HEAD"]);
    assert_eq!(text.trim(), format!("undone by commit {commit} on main"));
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let request = v1::UndoRequest {
        workflow_id: id.clone(),
    };
    let done = workflows.undo(request).await.unwrap().into_inner();
    assert_eq!(done.commit, commit);
    let get = v1::GetRequest {
        workflow_id: id.clone(),
    };
    let seen = workflows.get(get).await.unwrap().into_inner();
    assert_eq!(seen.undone_by, done.workflow_id);
    let wrong = v1::UndoRequest {
        workflow_id: "nobody".to_owned(),
    };
    assert_eq!(
        workflows.undo(wrong).await.unwrap_err().code(),
        tonic::Code::NotFound
    );

    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp
        .ask("session/prompt", prompt(&session, &format!("/undo {id}")))
        .await;
    acp.until(turn).await;
    assert!(acp.story().join("\n").contains(&commit), "{:?}", acp.story());
    assert_eq!(world.commits(), 3);
}

#[tokio::test]
async fn a_session_undoes_its_last_commit() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "/undo")).await;
    acp.until(turn).await;
    assert!(
        acp.story().join("\n").contains("Nothing in this session"),
        "{:?}",
        acp.story()
    );
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "accept").await;
    acp.until(turn).await;
    let turn = acp.ask("session/prompt", prompt(&session, "/undo")).await;
    acp.until(turn).await;
    let commit = world.git(&["rev-parse", "HEAD"]);
    assert!(
        acp.story()
            .join("\n")
            .contains(&format!("Undone by commit {commit} on main.")),
        "{:?}",
        acp.story()
    );
    assert_eq!(tree(&world, "HEAD"), tree(&world, "HEAD~2"));
}

/// Asks until somebody answers, starting the backend whenever it has died; how
/// often it died.
async fn undo_whatever_happens(world: &mut World, id: &str, variables: &[(&str, &str)]) -> u32 {
    world.kill();
    let mut died = 0;
    let mut with = variables;
    loop {
        if world.try_start(with).await {
            let asked = world
                .try_post(&format!("/api/workflow/{id}/undo"), &json!({}))
                .await;
            if let Some((status, body)) = asked {
                assert_eq!(status, 200, "{body}");
                return died;
            }
            until("who does not answer to die", || world.has_ended().then_some(())).await;
        }
        died += 1;
        with = &[];
    }
}

#[tokio::test]
async fn killed_at_every_durable_step_it_is_one_commit() {
    let (mut world, id, _) = committed().await;
    let list = world.path("crash-points");
    let died = undo_whatever_happens(&mut world, &id, &[(crash::LIST, list.to_str().unwrap())]).await;
    assert_eq!(died, 0, "nobody died");
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for name in std::fs::read_to_string(&list).unwrap().lines() {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    let ours = [
        "apply:",
        "journal:after_commit",
        "journal:before_commit",
        "runtime:",
    ];
    let points = counts
        .iter()
        .filter(|(name, _)| ours.iter().any(|area| name.starts_with(area)))
        .flat_map(|(name, count)| [(name, 1), (name, count.div_ceil(2)), (name, *count)]);
    let points: std::collections::BTreeSet<String> =
        points.map(|(name, pass)| format!("{name}:{pass}")).collect();
    assert!(points.len() > 8, "{points:?}");
    let mut deaths = 0;
    // Each undoes the one before: the tree goes back and forth.
    let mut last = view(&world, &id).await["undone_by"].as_str().unwrap().to_owned();
    for point in &points {
        let (before, commits) = (tree(&world, "HEAD~1"), world.commits());
        deaths += undo_whatever_happens(&mut world, &last, &[(crash::AT, point)]).await;
        assert_eq!(
            (tree(&world, "HEAD"), world.commits()),
            (before, commits + 1),
            "{point}"
        );
        assert_eq!(world.git(&["status", "--porcelain"]), "", "{point}");
        last = view(&world, &last).await["undone_by"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    assert!(
        deaths as usize >= points.len() / 2,
        "{deaths} deaths at {points:?}"
    );
}
