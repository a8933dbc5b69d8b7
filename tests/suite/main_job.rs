//! From a request to a commit, over REST.

use serde_json::{Value, json};

use crate::world::{PATIENCE, World, brief, of, until};

#[tokio::test]
async fn a_request_becomes_one_commit_of_its_own_paths() {
    let world = World::new().await;
    // What the person is in the middle of must stay as it is.
    world.write("README.md", "# App\nmine\n");
    world.write("staged.txt", "staged\n");
    world.git(&["add", "staged.txt"]);
    world.write("untracked.txt", "untracked\n");
    let before = world.git(&["status", "--porcelain"]);
    let id = world.submit("Add greetings").await;

    let events = world.to_review(&id).await;
    assert_eq!(
        brief(&events),
        [
            "running",
            "start retrieval 1",
            "notice E1501",
            "notice E1402",
            "retrieval_result",
            "succeeded retrieval",
            "start planning 1",
            "text planning",
            "model_called",
            "plan",
            "succeeded planning",
            "start code_generation 1",
            "text code_generation",
            "model_called",
            "diff_ready",
            "succeeded code_generation",
            "skipped test_generation",
            "start checks 1",
            "check syntax",
            "check merge-markers",
            "check secrets",
            "check dangerous-calls",
            "check python-compile",
            "check test-python",
            "check context",
            "succeeded checks",
            "start review 1",
            "decision_needed",
        ]
    );
    assert_eq!(
        world.git(&["status", "--porcelain"]),
        before,
        "a proposal writes nothing"
    );
    assert_eq!(world.commits(), 1);

    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    let events = world.to_end(&id).await;
    let end = brief(&events);
    assert_eq!(
        end[end.len() - 4..],
        ["notice -", "applied", "succeeded apply", "completed"]
    );
    assert_eq!(world.commits(), 2);
    assert_eq!(
        world.git(&["show", "--format=", "--name-only", "HEAD"]),
        "app.py\ngreeting.py"
    );
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(message.starts_with("feat: Add greetings\n\n- "), "{message}");
    assert!(
        message.ends_with(&format!("Workflow-Id: {id}\nGenerated-by: Agentic IDE")),
        "{message}"
    );
    assert_eq!(
        world.git(&["status", "--porcelain"]),
        before,
        "the person's changes are untouched"
    );
    assert_eq!(
        world.read("greeting.py"),
        "def greet(name):\n    return f\"Hello, {name}!\"\n"
    );

    assert_eq!(
        world.decide(&id, &json!({ "decision": "accept" })).await,
        409,
        "answered once"
    );
    let (_, view) = world.get(&format!("/api/workflow/{id}")).await;
    assert_eq!(view["state"], "completed");
    assert_eq!(view["commit"], world.git(&["rev-parse", "HEAD"]).as_str());

    let (_, metrics) = world.get("/debug/metrics").await;
    let metrics = metrics.as_str().unwrap();
    for line in [
        "agentic_ide_workflows_started_total 1",
        "agentic_ide_workflows_finished_total{outcome=\"completed\"} 1",
        "agentic_ide_stage_seconds_count{stage=\"apply\",outcome=\"succeeded\"} 1",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn one_correlation_id_is_one_workflow() {
    let world = World::new().await;
    let request = world.request("Add greetings");
    let posts = (0..32).map(|_| world.post("/api/workflow/submit", &request));
    let answers = futures::future::join_all(posts).await;
    let id = world.submit("Add greetings").await;
    for (status, body) in answers {
        assert_eq!(
            (status, body["workflow_id"].as_str().unwrap()),
            (202, id.as_str())
        );
    }
    let (status, body) = world
        .post("/api/workflow/submit", &world.request("Something else"))
        .await;
    assert_eq!((status, &body["code"]), (409, &json!("E1004")));
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(page["workflows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn reject_changes_nothing_and_modify_starts_again_with_the_same_context() {
    let world = World::new().await;
    let id = world.submit("Add greetings").await;
    let first = world.to_review(&id).await;
    let seen = first.last().unwrap()["seq"].as_u64().unwrap();
    let (status, body) = world
        .post(
            &format!("/api/workflow/{id}/decision"),
            &json!({ "decision": "modify" }),
        )
        .await;
    assert_eq!(
        (status, &body["code"]),
        (400, &json!("E1001")),
        "modify needs feedback"
    );
    let modify = json!({ "decision": "modify", "feedback": "shout it" });
    assert_eq!(world.decide(&id, &modify).await, 204);
    let second = world
        .events(&id, seen, "full", |event| event["type"] == "decision_needed")
        .await;
    assert_eq!(
        brief(&second),
        [
            "decision_taken",
            "succeeded review",
            "running",
            "skipped retrieval",
            "start planning 1",
            "text planning",
            "model_called",
            "plan",
            "succeeded planning",
            "start code_generation 1",
            "text code_generation",
            "model_called",
            "diff_ready",
            "succeeded code_generation",
            "skipped test_generation",
            "start checks 1",
            "check syntax",
            "check merge-markers",
            "check secrets",
            "check dangerous-calls",
            "check python-compile",
            "check test-python",
            "check context",
            "succeeded checks",
            "start review 1",
            "decision_needed",
        ]
    );
    assert_eq!(second.last().unwrap()["iteration"], 2);
    let (_, view) = world.get(&format!("/api/workflow/{id}")).await;
    let greeting = view["diff"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == "greeting.py")
        .unwrap();
    assert!(greeting["new_text"].as_str().unwrap().contains("HELLO"), "{view}");

    let again = world.told("code again");
    assert!(again.contains("shout it"), "the feedback reaches the model");
    let once = world.told("code");
    let common = once
        .bytes()
        .zip(again.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(
        common * 2 > once.len(),
        "the prompt keeps its beginning: {common} of {}",
        once.len()
    );

    assert_eq!(world.decide(&id, &json!({ "decision": "reject" })).await, 204);
    let end = world.to_end(&id).await;
    assert_eq!(brief(&end).last().unwrap(), "rejected");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    assert_eq!(world.commits(), 1);
}

#[tokio::test]
async fn only_the_chosen_files_are_committed() {
    let world = World::new().await;
    let id = world.submit("Add greetings").await;
    world.to_review(&id).await;
    let unknown = json!({ "decision": "accept", "hunks": [{ "path": "nope.py" }] });
    assert_eq!(world.decide(&id, &unknown).await, 400);
    let chosen = json!({ "decision": "accept", "hunks": [{ "path": "greeting.py" }] });
    assert_eq!(world.decide(&id, &chosen).await, 204);
    world.to_end(&id).await;
    assert_eq!(
        world.git(&["show", "--format=", "--name-only", "HEAD"]),
        "greeting.py"
    );
}

#[tokio::test]
async fn a_person_writes_a_file_anew_before_accepting() {
    let world = World::new().await;
    world.write("app.py", "def main():\r\n    print(\"hello\")\r\n");
    world.git(&["commit", "-q", "-a", "-m", "line ends"]);
    let id = world.submit("Add greetings").await;
    world.to_review(&id).await;
    let both = json!({ "decision": "accept", "hunks": [{ "path": "app.py", "hunks": [0], "text": "x" }] });
    assert_eq!(world.decide(&id, &both).await, 400);
    let own = json!({ "decision": "accept", "hunks": [
        { "path": "greeting.py" },
        { "path": "app.py", "text": "from greeting import greet\n\nprint(greet(\"all\"))\n" },
    ] });
    assert_eq!(world.decide(&id, &own).await, 204);
    world.to_end(&id).await;
    assert_eq!(
        world.read("app.py"),
        "from greeting import greet\r\n\r\nprint(greet(\"all\"))\r\n",
        "as the person wrote it, with the file's line ends"
    );
    let message = world.git(&["log", "-1", "--format=%B"]);
    for part in ["checked again after merging", "Edited by hand: app.py"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn cancel_stops_the_model() {
    let world = World::new().await;
    world.ollama.gate().close();
    let id = world.submit("Add greetings").await;
    world.until_asked("plan").await;
    let (status, _) = world
        .post(&format!("/api/workflow/{id}/cancel"), &Value::Null)
        .await;
    assert_eq!(status, 204);
    let end = world.to_end(&id).await;
    assert_eq!(brief(&end).last().unwrap(), "cancelled");
    let gone = |records: &[scripted_ollama::Record]| {
        of(records, "plan")
            .iter()
            .any(|record| record.outcome == scripted_ollama::Outcome::Disconnected)
    };
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(gone))
        .await
        .expect("the server saw the connection close");
}

#[tokio::test]
async fn the_model_may_come_later() {
    let mut world = World::new().await;
    world.kill();
    world.argue(&["--model", "not-pulled:7b"]);
    world.start().await;
    let id = world.submit("Add greetings").await;
    let events = world.to_end(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "failed E1402");
    assert!(
        events.last().unwrap()["message"]
            .as_str()
            .unwrap()
            .contains("ollama pull not-pulled:7b")
    );
    until("the log to say it", || {
        world.log().contains("ollama pull not-pulled:7b").then_some(())
    })
    .await;
}
