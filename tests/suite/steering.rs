//! A person stops a workflow, or says something to it, while the model works.

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use scripted_ollama::{Outcome, Record};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, beginning, brief, of, until_status};

/// A script whose code comes until `fault` holds it up, and whose rest, asked
/// for again, comes whole; then there are tests.
fn script(fault: &str) -> String {
    let lines: String = (0..60)
        .map(|n| format!("          def greet_{n}(name):\n              return \"{n}: hello, \" + name\n"))
        .collect();
    let code = format!(
        "      text: |\n        A file.\n\n        greeting.py\n        ```python\n{}        ```\n",
        lines
            .replace("          def", "        def")
            .replace("              return", "            return")
    );
    let beginning = beginning().replace("run: false", "run: true");
    format!(
        r##"{beginning}  - name: tests
    match: {{ endpoint: chat, contains: "# Your task: write tests" }}
    respond:
      text: |
        tests/test_greeting.py
        ```python
        from greeting import greet_0


        def test_greet():
            assert greet_0("you") == "0: hello, you"
        ```
  - name: code
    match: {{ endpoint: chat, nth: 1 }}
    respond:
      fault: {{ stall: {{ {fault} }} }}
{code}
  - name: rest
    match: {{ endpoint: chat }}
    respond:
{code}
"##
    )
}

/// Tokens after which the code stalls.
const CUT: u64 = 120;

/// Waits until the model has been asked for code and has written so much.
async fn asked_for_code(world: &World, tokens: u64) {
    let asked = |records: &[Record]| {
        of(records, "code")
            .iter()
            .any(|record| record.tokens_sent >= tokens)
    };
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(asked))
        .await
        .expect("the model is asked for code");
}

/// A workflow is stopped while `fault` holds the code up after `tokens`.
async fn check_stopped(fault: &str, tokens: u64) {
    let world = World::with(&script(fault)).await;
    let id = world.submit("Add greetings").await;
    asked_for_code(&world, tokens).await;
    let path = format!("/api/workflow/{id}/cancel");
    assert_eq!(world.post(&path, &Value::Null).await.0, 204);
    let gone = |records: &[Record]| {
        of(records, "code")
            .iter()
            .any(|record| record.outcome == Outcome::Disconnected)
    };
    let records = tokio::time::timeout(PATIENCE, world.ollama.wait_for(gone))
        .await
        .expect("the server sees the connection close");
    assert_eq!(of(&records, "code")[0].tokens_sent, tokens);
    // Nothing comes after the end, and nobody else was asked.
    let events = world.to_end(&id).await;
    assert_eq!(
        brief(&events)[brief(&events).len() - 2..],
        ["skipped code_generation", "cancelled"]
    );
    let (_, view) = world.get(&format!("/api/workflow/{id}")).await;
    assert_eq!(view["head"], events.last().unwrap()["seq"]);
    assert_eq!(world.ollama.requests().len(), records.len());
    let (status, again) = world.post(&path, &Value::Null).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("E1008")));
    assert_eq!(
        (world.commits(), world.git(&["status", "--porcelain"])),
        (1, String::new())
    );
}

#[tokio::test]
async fn a_stopped_workflow_leaves_a_model_that_reads_its_prompt() {
    check_stopped("tokens: 0", 0).await;
}

#[tokio::test]
async fn a_stopped_workflow_leaves_a_model_that_writes() {
    check_stopped(&format!("tokens: {CUT}"), CUT).await;
}

async fn remark(world: &World, id: &str, text: &str) -> (u16, Value) {
    let path = format!("/api/workflow/{id}/remark");
    world.post(&path, &json!({ "text": text })).await
}

#[tokio::test]
async fn a_remark_made_while_the_code_is_written_is_told_with_the_tests_after_a_kill() {
    let mut world = World::with(&script(&format!("tokens: {CUT}"))).await;
    let id = world.submit("Add greetings").await;
    asked_for_code(&world, CUT).await;
    assert_eq!(remark(&world, &id, "Never greet in capitals.").await.0, 204);
    // Said again, because the answer was lost, it counts once.
    assert_eq!(remark(&world, &id, "Never greet in capitals.").await.0, 204);
    world.restart().await;
    let events = world.accept(&id).await;
    let story = brief(&events);
    let count = |what: &str| story.iter().filter(|line| *line == what).count();
    assert_eq!(count("remarked"), 1, "{story:#?}");
    // The model goes on with its text: the question is what it was.
    assert_eq!(
        (count("attempt_resumed"), count("attempt_discarded")),
        (1, 0),
        "{story:#?}"
    );
    let records = world.ollama.requests();
    let (code, rest, tests) = (of(&records, "code"), of(&records, "rest"), of(&records, "tests"));
    assert_eq!((code.len(), rest.len(), tests.len()), (1, 1, 1));
    assert_eq!(rest[0].last_message("user"), code[0].last_message("user"));
    let told = "# Remark of the person, made during the work: do this\n\nNever greet in capitals.\n";
    assert!(!code[0].last_message("user").contains("capitals"));
    assert!(
        tests[0].last_message("user").contains(told),
        "{}",
        tests[0].last_message("user")
    );
    assert_eq!(world.ollama.script_errors(), Vec::<String>::new());
    let late = remark(&world, &id, "One more").await;
    assert_eq!((late.0, late.1["code"].as_str()), (409, Some("E1008")));
}

#[tokio::test]
async fn a_remark_that_cannot_be_used_is_refused_and_changes_nothing() {
    let world = World::with(&script("tokens: 0")).await;
    let id = world.submit("Add greetings").await;
    asked_for_code(&world, 0).await;
    let path = format!("/api/workflow/{id}/remark");
    let head = |view: Value| view["head"].as_u64();
    let before = head(world.get(&format!("/api/workflow/{id}")).await.1);
    let long = "x".repeat(16 * 1024 + 1);
    for (path, body, status, code) in [
        (path.as_str(), json!({ "text": " \n" }), 400, "E1001"),
        (&path, json!({ "text": long }), 413, "E1005"),
        (&path, json!({}), 400, "E1001"),
        ("/api/workflow/none/remark", json!({ "text": "x" }), 404, "E1003"),
    ] {
        let (got, answer) = world.post(path, &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{answer}");
    }
    assert_eq!(head(world.get(&format!("/api/workflow/{id}")).await.1), before);
}

#[tokio::test]
async fn remarks_come_by_every_interface() {
    let world = World::with(&script("tokens: 0")).await;
    let id = world.submit("Add greetings").await;
    asked_for_code(&world, 0).await;
    let output = world.cli(&["workflows", "remark", &id, "by the command line"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let mut say = async |text: &str| {
        let request = v1::RemarkRequest {
            workflow_id: id.clone(),
            text: text.to_owned(),
        };
        workflows.remark(request).await
    };
    say("by gRPC").await.unwrap();
    assert_eq!(say("").await.unwrap_err().code(), tonic::Code::InvalidArgument);
    let events = world
        .events(&id, 0, "delta", |event| event["text"] == "by gRPC")
        .await;
    let said: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "remarked")
        .map(|event| event["text"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["by the command line", "by gRPC"]);
    until_status(&world, &id, "running").await;
}
