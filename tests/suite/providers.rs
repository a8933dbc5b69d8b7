//! What a workflow does when its model providers fail: each fault at each call
//! of a model, over the real wire, in whole workflows.

mod settings;
mod switches;

use std::{collections::BTreeSet, net::TcpListener};

use scripted_ollama::{Record, ScriptedOllama, Seed};
use serde_json::{Value, json};

use crate::{
    vector_database::Database,
    world::{World, brief, is_end},
};

/// The providers of the tests: an Ollama, and behind it an OpenAI-compatible
/// server. Both are the scripted one.
const MODEL: &str = "mistral:7b-instruct-v0.3-q4_K_M";

const CONFIG: &str = r"
ollama: { embed_model: null }
providers:
  local:
    kind: ollama
    url: SERVER
    model: mistral:7b-instruct-v0.3-q4_K_M
    num_ctx: 16384
    timeouts: { load_ms: 100, first_byte_ms: 3000, idle_ms: 3000 }
  other:
    kind: openai
    url: SERVER/v1
    model: gpt-other
    context_tokens: 32768
    price: { prompt: 1, answer: 2 }
roles:
  default: [local, other]
routing: { back_off_ms: 5, wait_max_ms: 60000 }
";

/// A call of a workflow: the stage, what its question says, the role that asks,
/// and what is answered when nothing goes wrong.
struct Call {
    stage: &'static str,
    task: &'static str,
    role: &'static str,
    answer: Value,
}

fn answers() -> [Call; 4] {
    let call = |stage, role, task, answer| Call {
        stage,
        task,
        role,
        answer,
    };
    let queries = json!({ "json": { "queries": ["greeting"] } });
    let plan = json!({ "json": {
        "summary": "Add greetings", "steps": ["write greet"], "files": ["app.py"],
        "stages": [{"stage": "test_generation", "run": true, "reason": "new code"}],
    } });
    let (code, tests) = (json!({ "text": CODE }), json!({ "text": TESTS }));
    [
        call("retrieval", "orchestrator", "# Your task: search", queries),
        call("planning", "orchestrator", "# Your task: plan", plan),
        call("code_generation", "code", "# Your task: write the code", code),
        call("test_generation", "tests", "# Your task: write tests", tests),
    ]
}

const CODE: &str = "A file.

greeting.py
```python
def greet(name):
    return f\"Grüezi, {name}!\"
```
";

const TESTS: &str = "tests/test_greeting.py
```python
from greeting import greet


def test_greet():
    assert greet(\"Zoë\") == \"Grüezi, Zoë!\"
```
";

/// A fault, and what becomes of the calls for code when the first of them has
/// it: who is asked, and what follows.
type Case = (Value, &'static [&'static str]);

const AGAIN: &[&str] = &["local retry", "local answered"];
const AT_ONCE: &[&str] = &["local answered"];
const OTHER: &[&str] = &["local next_provider", "other answered"];
const SHORTER: &[&str] = &["local shrink", "local answered"];

fn faults() -> Vec<Case> {
    let refused = |status: u16, message| json!({ "status": { "status": status, "message": message } });
    vec![
        // Nothing comes, or nothing more.
        (json!({ "stall": { "ms": 100 } }), AT_ONCE),
        (json!({ "stall": { "tokens": 3, "ms": 100 } }), AT_ONCE),
        (json!({ "stall": {} }), AGAIN),
        (json!({ "stall": { "tokens": 3 } }), AGAIN),
        // The stream breaks.
        (json!({ "cut": { "tokens": 0 } }), AGAIN),
        (json!({ "cut": { "tokens": 3 } }), AGAIN),
        (json!({ "cut": { "bytes": 100 } }), AGAIN),
        (json!({ "end": { "tokens": 0 } }), AGAIN),
        (json!({ "end": { "tokens": 3 } }), AGAIN),
        (
            json!({ "garbage": { "tokens": 3, "text": "<!-- no JSON -->" } }),
            AGAIN,
        ),
        // The server says that it fails.
        (
            json!({ "error": { "tokens": 3, "message": "out of memory" } }),
            AGAIN,
        ),
        (refused(500, "out of memory"), AGAIN),
        (refused(503, "busy"), AGAIN),
        (
            json!({ "status": { "status": 429, "message": "slow down", "retry_after_secs": 1 } }),
            AGAIN,
        ),
        (
            json!({ "raw": { "status": 502, "content_type": "text/html", "body": "<p>Bad Gateway" } }),
            AGAIN,
        ),
        // Another provider would answer.
        (refused(401, "who are you"), OTHER),
        (refused(403, "not you"), OTHER),
        (refused(404, "model 'm' not found"), OTHER),
        (json!({ "wrong_model": { "name": "another:7b" } }), OTHER),
        // The context is not what it was said to be.
        (json!({ "prompt_count": { "tokens": 3 } }), SHORTER),
        (json!({ "small_context": { "num_ctx": 256 } }), SHORTER),
        (json!({ "prompt_count": {} }), AT_ONCE),
        // Nothing is wrong with the answer.
        (json!({ "slow": { "tokens_per_second": 200 } }), AT_ONCE),
        (json!({ "torn": { "bytes": 1 } }), AT_ONCE),
        (json!("split_characters"), AT_ONCE),
        (json!("duplicate_end"), AT_ONCE),
        (json!("buffered"), AT_ONCE),
        (json!("old_server"), AT_ONCE),
    ]
}

/// Starts a world with the providers of the tests, which all are `server`.
async fn world(script: &str, server: Option<&str>, config: &str) -> World {
    let mut world = World::prepared(script).await;
    let server = server.map_or_else(|| world.ollama.url(), str::to_owned);
    world.configure(config.replace("SERVER", &server));
    world.use_ollama(&server);
    world.ask_for_questions("auto", 60_000);
    world.start().await;
    world
}

/// A script with `rules` before the usual answers.
fn script(mut rules: Vec<Value>) -> String {
    let usual = answers().map(|call| json!({ "match": { "contains": call.task }, "respond": call.answer }));
    rules.extend(usual);
    let models = [MODEL, "gpt-other"].map(|name| json!({ "name": name }));
    // JSON is YAML.
    json!({ "models": models, "rules": rules }).to_string()
}

/// A rule for the first question of a workflow that says all of `texts`.
fn first(texts: &[&str], respond: &Value) -> Value {
    json!({ "match": { "endpoint": "chat", "contains": texts, "nth": 1 }, "respond": respond })
}

/// The calls of a stage in a role: who was asked and what followed.
fn calls(events: &[Value], stage: &str, role: &str) -> Vec<String> {
    let called = events.iter().filter(|event| event["type"] == "model_called");
    called
        .filter(|event| event["stage_id"] == stage)
        .map(|event| &event["call"])
        .filter(|call| call["role"] == role)
        .map(|call| {
            let ending = &call["ending"];
            let next = ending["next"]["action"].as_str();
            let what = next.unwrap_or_else(|| ending["outcome"].as_str().unwrap());
            format!("{} {what}", call["provider"].as_str().unwrap())
        })
        .collect()
}

/// Submits the request named `case`.
async fn submit(world: &World, case: &str) -> String {
    // Long enough that a context in which it does not fit is noticed.
    let places = (0..60).map(|n| format!("Greet those who enter by door number {n}, too."));
    let places = places.collect::<Vec<_>>().join(" ");
    let mut request = world.request(&format!("Greet people. {places} {case}"));
    request["correlation_id"] = json!(case);
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    body["workflow_id"].as_str().unwrap().to_owned()
}

/// The questions of one workflow are the same, byte by byte, up to the task: a
/// server reads that part once.
fn share_their_beginning(records: &[Record]) {
    let questions: Vec<(&str, &str)> = records
        .iter()
        .filter_map(|record| {
            let (beginning, task) = record.last_message("user").split_once("# Your task: ")?;
            (!task.starts_with("search")).then(|| (record.last_message("system"), beginning))
        })
        .collect();
    let [first, rest @ ..] = &questions[..] else {
        panic!("no question was asked");
    };
    assert_eq!(rest, [*first; 2]);
}

/// The files of the proposal with their text.
async fn proposal(world: &World, id: &str) -> Vec<(String, String)> {
    let (_, view) = world.get(&format!("/api/workflow/{id}")).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = view["diff"].as_array().into_iter().flatten();
    files
        .map(|file| (text(&file["path"]), text(&file["new_text"])))
        .collect()
}

#[tokio::test]
async fn a_workflow_survives_each_fault_at_each_call() {
    let mut rules = Vec::new();
    for (at, (fault, _)) in faults().into_iter().enumerate() {
        for call in answers() {
            let mut respond = call.answer;
            respond["fault"] = fault.clone();
            rules.push(first(&[call.task, &format!("case:{at}.")], &respond));
        }
    }
    let world = world(&script(rules), None, CONFIG).await;
    let id = submit(&world, "case:none.").await;
    world.to_review(&id).await;
    let expect = proposal(&world, &id).await;
    assert_eq!(expect.len(), 2, "{expect:?}");
    share_their_beginning(&world.ollama.requests());
    for (at, (fault, follows)) in faults().iter().enumerate() {
        let asked = world.ollama.requests().len();
        let id = submit(&world, &format!("case:{at}.")).await;
        let events = world.to_review(&id).await;
        let story = brief(&events).join("\n");
        assert_eq!(proposal(&world, &id).await, expect, "{fault}: {story}");
        // A question for the search is not asked twice.
        for call in &answers()[1..] {
            let called = calls(&events, call.stage, call.role);
            assert_eq!(called, **follows, "{fault} in {}: {story}", call.stage);
        }
        let records = &world.ollama.requests()[asked..];
        let faulty = records.iter().filter(|record| !record.faults.is_empty());
        assert_eq!(faulty.count(), answers().len(), "{fault} is met in each call");
        world.decide(&id, &json!({ "decision": "reject" })).await;
    }
    assert_eq!(world.ollama.script_errors(), Vec::<String>::new());
}

/// What becomes of the call for code when providers fail for good.
async fn code_calls(script: &str, config: &str) -> (World, Vec<Value>) {
    let world = world(script, None, config).await;
    let id = submit(&world, "case:0.").await;
    let events = world
        .events(&id, 0, "full", |event| {
            event["type"] == "decision_needed" || is_end(event)
        })
        .await;
    (world, events)
}

/// A rule for each question for code that the first provider gets.
fn code(respond: &Value) -> Value {
    json!({
        "match": { "endpoint": "chat", "contains": "# Your task: write the code" },
        "respond": respond,
    })
}

fn refusal(status: u16, message: &str) -> Value {
    json!({ "error": { "status": status, "message": message } })
}

#[tokio::test]
async fn each_class_of_error_has_its_way() {
    async fn check(respond: Value, expect: &[&str], last: &str) -> Vec<Value> {
        let case = respond.to_string();
        let (_world, events) = code_calls(&script(vec![code(&respond)]), CONFIG).await;
        assert_eq!(calls(&events, "code_generation", "code"), expect, "{case}");
        assert_eq!(brief(&events).last().unwrap(), last, "{case}");
        events
    }
    let thrice = [
        "local retry",
        "local retry",
        "local retry",
        "local next_provider",
        "other answered",
    ];
    check(refusal(500, "out of memory"), &thrice, "decision_needed").await;
    check(refusal(503, "busy"), &thrice, "decision_needed").await;
    let stream = json!({ "text": CODE, "fault": { "garbage": { "tokens": 3, "text": "?" } } });
    check(stream, &thrice, "decision_needed").await;
    let events = check(refusal(401, "who are you"), OTHER, "decision_needed").await;
    let told = |event: &&Value| event["type"] == "notice" && event["level"] == "warning";
    let notices: Vec<&str> = events
        .iter()
        .filter(told)
        .filter_map(|event| event["message"].as_str())
        .filter(|message| message.starts_with("local is left out"))
        .collect();
    assert_eq!(notices.len(), 1, "{events:#?}");
    // Shrunk once, and no more.
    let lost = json!({ "text": CODE, "fault": { "prompt_count": { "tokens": 3 } } });
    check(
        lost,
        &["local shrink", "local next_provider", "other answered"],
        "decision_needed",
    )
    .await;
    // What no server would answer is returned.
    check(refusal(400, "no such field"), &["local give_up"], "failed E1405").await;
    // A server that wants to be left alone for long is, at once.
    let limited = json!({ "error": { "status": 429, "message": "slow down", "retry_after_secs": 3600 } });
    check(limited, OTHER, "decision_needed").await;
}

#[tokio::test]
async fn what_calls_cost_is_told() {
    let (world, events) = code_calls(&script(vec![code(&refusal(401, "no"))]), CONFIG).await;
    let mut costs = events.iter().filter(|event| event["type"] == "model_called");
    let paid = costs.find(|event| event["call"]["provider"] == "other").unwrap();
    let call = &paid["call"];
    let tokens = |name: &str| call[name].as_u64().unwrap();
    assert!(
        tokens("prompt_tokens") > 0 && tokens("generated_tokens") > 0,
        "{call}"
    );
    let expect = tokens("prompt_tokens") + 2 * tokens("generated_tokens");
    assert_eq!(tokens("cost_microdollars"), expect);
    let (_, metrics) = world.get("/debug/metrics").await;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("provider=\"other\""), "{metrics}");
}

#[tokio::test]
async fn a_workflow_waits_for_a_model_and_the_search_answers_meanwhile() {
    // A port where nobody listens, until somebody does.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let world = world(
        &script(Vec::new()),
        Some(&format!("http://127.0.0.1:{port}")),
        CONFIG,
    )
    .await;
    let id = submit(&world, "case:0.").await;
    let events = world
        .events(&id, 0, "full", |event| event["code"] == "E1417")
        .await;
    let said = events.last().unwrap()["message"].as_str().unwrap();
    assert!(said.starts_with("waiting for local"), "{said}");
    assert!(
        said.contains("ollama serve") && said.contains("or other"),
        "{said}"
    );
    let found = world.cli(&["search", "main", "--json"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["items"][0]["path"], "app.py", "{found}");
    let doctor = world.cli(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let server = ScriptedOllama::builder()
        .script(script(Vec::new()))
        .port(port)
        .start()
        .await
        .unwrap();
    world.to_review(&id).await;
    assert_eq!(server.script_errors(), Vec::<String>::new());
    let doctor = world.cli(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.success(), "{said}");
    assert!(said.contains("local") && said.contains("other"), "{said}");
}

/// What a run with a seed comes to: the faults that were met, and the calls.
async fn seeded(seed: u64) -> (Vec<String>, Vec<String>) {
    let server = ScriptedOllama::builder()
        .script(script(Vec::new()).replacen(
            "\"models\":[",
            "\"models\":[{\"name\":\"nomic-embed-text\",\"kind\":\"embedding\"},",
            1,
        ))
        .seed(Seed::new(seed))
        .start()
        .await
        .unwrap();
    let mut world = World::prepared(&script(Vec::new())).await;
    let database = Database::start(&world).await;
    let config = CONFIG
        .replace("embed_model: null", "embed_model: nomic-embed-text")
        .replace(
            "timeouts: { load_ms: 100, first_byte_ms: 3000, idle_ms: 3000 }",
            "",
        );
    world.configure(config.replace("SERVER", &server.url()));
    world.use_ollama(&server.url());
    world.use_qdrant(&database.url);
    world.ask_for_questions("auto", 60_000);
    world.start().await;
    let id = submit(&world, "case:0.").await;
    let events = world.accept(&id).await;
    assert_eq!(events.last().unwrap()["state"], "completed");
    assert_eq!(server.script_errors(), Vec::<String>::new());
    let records = server.requests();
    let met = records.iter().filter(|record| record.call.is_some());
    let met = met.map(|record| format!("{} {:?}", record.path, record.faults));
    let mut story = brief(&events);
    story.retain(|line| !line.starts_with("text"));
    story.extend(calls(&events, "code_generation", "code"));
    (met.collect(), story)
}

#[tokio::test]
async fn a_seed_reproduces_a_run_of_three_programs() {
    let mut stories = BTreeSet::new();
    for seed in [1, 2, 3] {
        let first = seeded(seed).await;
        assert_eq!(first, seeded(seed).await, "seed {seed}");
        stories.insert(first.0);
    }
    assert_eq!(stories.len(), 3, "each seed is another run");
}
