//! Where nothing isolates what is run, a person is asked before anything runs.

use std::path::PathBuf;

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, PERMISSION, options, prompt},
    world::{World, last, until},
};

const CODE: &str = "price.py\n```python\ndef discount(price):\n    return price // 2\n```\n\ntest_price.py\n```python\n\
                    import unittest\n\nfrom price import discount\n\n\nclass DiscountTest(unittest.TestCase):\n    \
                    def test_halves(self):\n        self.assertEqual(discount(10), 5)\n```\n";

/// No engine can be used.
const NONE: [(&str, &str); 2] = [
    ("AGENTIC_IDE_SANDBOX__ENGINE", "bubblewrap"),
    ("AGENTIC_IDE_SANDBOX__BUBBLEWRAP", "/nowhere/bwrap"),
];

fn script(code: &str) -> String {
    json!({
        "models": [{ "name": "mistral:7b-instruct-v0.3-q4_K_M" }],
        "rules": [
            {
                "match": { "endpoint": "chat", "format": "present" },
                "respond": { "json": {
                    "summary": "Add a discount", "steps": ["halve it"], "files": ["price.py"],
                    "stages": [{ "stage": "test_generation", "run": false, "reason": "no" }],
                } },
            },
            {
                "match": { "endpoint": "chat", "contains": "say that it halves" },
                "respond": { "text": code.replace("price // 2", "price // 2  # half") },
            },
            { "match": { "endpoint": "chat" }, "respond": { "text": code } },
        ],
    })
    .to_string()
}

async fn world() -> World {
    with(CODE).await
}

async fn with(code: &str) -> World {
    let mut world = World::prepared(&script(code)).await;
    begin(&mut world).await;
    world
}

async fn begin(world: &mut World) {
    assert!(world.try_start(&NONE).await, "{}", world.log());
}

async fn restart(world: &mut World) {
    world.kill();
    begin(world).await;
}

fn is_question(events: &[Value]) -> bool {
    let question = json!({ "about": "unisolated", "stage_id": "checks" });
    events.last().unwrap()["question"] == question
}

fn tests(events: &[Value]) -> (String, String) {
    let is_it = |event: &&Value| event["type"] == "check_result" && event["name"] == "test-unittest";
    let report = events.iter().rfind(is_it).unwrap();
    let text = |key: &str| report[key].as_str().unwrap().to_owned();
    (
        text("status"),
        text("output").lines().next().unwrap_or_default().to_owned(),
    )
}

const RAN: &str = "not isolated; exit status 0";

#[tokio::test]
async fn it_is_asked_once_also_after_a_kill_and_runs_on_a_copy() {
    let mut world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.on(&id, 0).await;
    assert!(is_question(&events), "{events:#?}");
    assert_eq!(events.last().unwrap()["options"], json!(["accept", "reject"]));
    let why = events.iter().rfind(|event| event["type"] == "notice").unwrap();
    assert_eq!(why["code"], "E1805");
    assert!(
        why["message"]
            .as_str()
            .unwrap()
            .contains("/nowhere/bwrap is not installed"),
        "{why}"
    );
    let nothing_ran = !world.path("data/trials").exists();
    assert!(nothing_ran, "nothing runs before the answer");

    restart(&mut world).await;
    let asked = world.on(&id, last(&events) - 1).await;
    assert!(is_question(&asked), "{asked:#?}");
    // Words are no answer to it.
    let (status, body) = world
        .post(
            &format!("/api/workflow/{id}/decision"),
            &json!({ "decision": "modify", "feedback": "perhaps" }),
        )
        .await;
    assert_eq!((status, &body["code"]), (400, &json!("E1001")), "{body}");
    world.answer(&id, json!({ "decision": "accept" })).await;
    let rest = world.on(&id, last(&asked)).await;
    assert_eq!(tests(&rest), ("passed".to_owned(), RAN.to_owned()), "{rest:#?}");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    let log = world
        .get(&format!("/api/workflow/{id}/checks/test-unittest/log"))
        .await;
    assert!(!log.1.to_string().contains("bwrap --"), "{log:?}");

    // Another iteration asks no more.
    world
        .answer(
            &id,
            json!({ "decision": "modify", "feedback": "say that it halves" }),
        )
        .await;
    let again = world.on(&id, last(&rest)).await;
    assert_eq!(tests(&again), ("passed".to_owned(), RAN.to_owned()), "{again:#?}");
    world.answer(&id, json!({ "decision": "accept" })).await;
    let rest = world.on(&id, last(&again)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");
}

#[tokio::test]
async fn after_a_no_nothing_runs_and_the_review_comes() {
    let world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.on(&id, 0).await;
    assert!(is_question(&events), "{events:#?}");
    world.answer(&id, json!({ "decision": "reject" })).await;
    let rest = world.on(&id, last(&events)).await;
    let (status, output) = tests(&rest);
    assert_eq!(status, "skipped");
    assert!(output.contains("no sandbox can be used here"), "{output}");
    assert_eq!(rest.last().unwrap()["question"], json!({ "about": "review" }));
    // What holds for a workspace is for that question alone.
    let (status, body) = world
        .post(
            &format!("/api/workflow/{id}/decision"),
            &json!({ "decision": "accept", "remember": true }),
        )
        .await;
    assert_eq!((status, &body["code"]), (400, &json!("E1001")), "{body}");
}

#[tokio::test]
async fn what_holds_for_a_workspace_is_kept_shown_and_taken_back() {
    let mut world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.on(&id, 0).await;
    assert!(is_question(&events), "{events:#?}");
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let answer = v1::DecideRequest {
        workflow_id: id.clone(),
        decision: v1::Decision::Accept.into(),
        remember: true,
        ..v1::DecideRequest::default()
    };
    workflows.decide(answer).await.unwrap();
    world.on(&id, last(&events)).await;

    restart(&mut world).await;
    let submit = async |world: &World, number: u32| {
        let mut request = world.request("Add a discount");
        request["correlation_id"] = json!(format!("req_more_{number}"));
        let (status, body) = world.post("/api/workflow/submit", &request).await;
        assert_eq!(status, 202, "{body}");
        body["workflow_id"].as_str().unwrap().to_owned()
    };
    let other = submit(&world, 1).await;
    let events = world.on(&other, 0).await;
    assert_eq!(
        tests(&events),
        ("passed".to_owned(), RAN.to_owned()),
        "{events:#?}"
    );

    let says = |arguments: &[&str]| String::from_utf8(world.cli(arguments).stdout).unwrap();
    let line = format!("{}: always run without a sandbox", world.repo().display());
    assert_eq!(says(&["consents", "list"]).trim(), line);
    assert!(says(&["doctor"]).contains(&line));
    assert!(says(&["consents", "revoke"]).contains("taken back"));
    assert!(says(&["consents", "list"]).contains("nothing was said for good"));
    let third = submit(&world, 2).await;
    let events = world.on(&third, 0).await;
    assert!(is_question(&events), "{events:#?}");
}

#[tokio::test]
async fn a_client_of_the_agent_client_protocol_answers_in_four_ways() {
    let world = world().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp
        .ask("session/prompt", prompt(&session, "Add a discount"))
        .await;
    let question = acp.until(turn).await;
    assert_eq!(options(&question), PERMISSION);
    assert_eq!(
        question["params"]["toolCall"]["title"],
        "Nothing here isolates what is run. Build and test with your own rights?"
    );
    acp.choose(&question, "reject_always").await;
    let review = acp.until(turn).await;
    assert_eq!(
        review["params"]["options"].as_array().unwrap().len(),
        5,
        "{review}"
    );
    acp.choose(&review, "reject").await;
    acp.until(turn).await;
    // The next one is not asked.
    let turn = acp
        .ask("session/prompt", prompt(&session, "Add a discount, please"))
        .await;
    let review = acp.until(turn).await;
    assert_eq!(
        review["params"]["options"].as_array().unwrap().len(),
        5,
        "{review}"
    );
    let list = world.cli(&["consents", "list"]).stdout;
    assert!(
        String::from_utf8(list)
            .unwrap()
            .contains("never run without a sandbox")
    );
}

#[tokio::test]
async fn the_command_line_says_no_where_nobody_is_there_unless_it_was_told() {
    let mut world = World::prepared(&script(CODE)).await;
    begin(&mut world).await;
    let run = |arguments: &[&str]| {
        let output = world.cli(&[&["run", "--json", "--yes"], arguments].concat());
        let lines = String::from_utf8(output.stdout).unwrap();
        let events: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        tests(&events).0
    };
    assert_eq!(run(&["Add a discount", "--correlation-id", "one"]), "skipped");
    world.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(
        run(&["Add a discount", "--unisolated", "--correlation-id", "two"]),
        "passed"
    );
}

#[tokio::test]
async fn the_configuration_can_answer() {
    for (without, expect) in [("always", "passed"), ("never", "skipped")] {
        let mut world = World::prepared(&script(CODE)).await;
        let [engine, program] = NONE;
        let variables = [engine, program, ("AGENTIC_IDE_SANDBOX__WITHOUT", without)];
        assert!(world.try_start(&variables).await, "{}", world.log());
        let id = world.submit("Add a discount").await;
        let events = world.to_review(&id).await;
        assert_eq!(tests(&events).0, expect, "{events:#?}");
    }
}

/// Processes that work below the folder of the trials.
fn working(world: &World) -> Vec<PathBuf> {
    let trials = world.path("data/trials");
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    processes
        .filter(|process| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&trials)))
        .collect()
}

#[tokio::test]
async fn what_runs_so_ends_with_the_backend_and_with_the_workflow() {
    let endless = CODE.replace(
        "self.assertEqual(discount(10), 5)",
        "import time; print(\"waiting\", flush=True); time.sleep(100_000)",
    );
    let mut world = with(&endless).await;
    let id = world.submit("Add a discount").await;
    let events = world.on(&id, 0).await;
    world.answer(&id, json!({ "decision": "accept" })).await;
    let waits = |event: &Value| {
        event["delta"]
            .as_str()
            .is_some_and(|text| text.contains("waiting"))
    };
    let seen = world.events(&id, last(&events), "delta", waits).await;
    assert!(!working(&world).is_empty());
    world.kill();
    until("what ran to end", || working(&world).is_empty().then_some(())).await;
    begin(&mut world).await;
    world.events(&id, last(&seen), "delta", waits).await;
    let (status, _) = world
        .post(&format!("/api/workflow/{id}/cancel"), &json!({}))
        .await;
    assert_eq!(status, 204);
    until("what ran to end", || working(&world).is_empty().then_some(())).await;
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}
