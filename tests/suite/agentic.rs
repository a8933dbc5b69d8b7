//! What is asked of the search beside the request: by the model, by rule, and
//! after a failure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{World, brief, of};

/// A model that puts questions, plans, and writes the wrong thing first if it
/// is told to.
const SCRIPT: &str = r##"
models:
  - name: mistral:7b-instruct-v0.3-q4_K_M
rules:
  - name: queries
    match: { endpoint: chat, format: present, contains: "# Your task: search" }
    respond: QUERIES
  - name: plan
    match: { endpoint: chat, format: present }
    respond:
      json:
        summary: Add greetings
        steps: ["write greet"]
        files: ["app.py"]
        stages: [{stage: test_generation, run: false, reason: "trivial"}]
  - name: wrong code
    match: { endpoint: chat, contains: "badly", nth: 1 }
    respond:
      text: |
        WRONG
  - name: code
    match: { endpoint: chat }
    respond:
      text: |
        greeting.py
        ```python
        def greet(name):
            return f"Hello, {name}!"
        ```

        FURTHER
"##;

/// An edit of a file that the model has not seen.
const MISMATCH: &str = "accounts/ledger.py
        <<<<<<< SEARCH
        def nothing_like_this():
        =======
        def total():
        >>>>>>> REPLACE";

/// The file as it should be.
const MENDED: &str = "accounts/ledger.py
        ```python
        def balance(entries):
            return sum(entries)
        ```";

/// A file that cannot be parsed.
const UNPARSABLE: &str = "accounts/ledger.py
        ```python
        def balance(entries:
            return sum(entries
        ```";

const LEDGER: &str =
    "\"\"\"Bookkeeping by double entry.\"\"\"\n\n\ndef balance(entries):\n    return sum(entries)\n";

async fn world(queries: &str, wrong: &str, agentic: &'static str, wait_ms: u32) -> World {
    let mends = if wrong == UNPARSABLE { MENDED } else { "" };
    let script = SCRIPT
        .replace("QUERIES", queries)
        .replace("WRONG", wrong)
        .replace("FURTHER", mends);
    let mut world = World::with(&script).await;
    world.write("accounts/ledger.py", LEDGER);
    world.write("accounts/other.py", "def unlike():\n    pass\n");
    world.ask_for_questions(agentic, wait_ms);
    world.restart().await;
    world
}

fn messages<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

fn notices(events: &[Value]) -> String {
    let line = |event: &&Value| {
        let code = event["code"].as_str().unwrap_or("-").to_owned();
        format!("{code} {}\n", event["message"].as_str().unwrap())
    };
    messages(events, "notice").iter().map(line).collect()
}

/// The files of the last retrieval and the questions that found each.
fn found_by(events: &[Value]) -> BTreeMap<&str, Value> {
    let last = *messages(events, "retrieval_result").last().unwrap();
    let items = last["items"].as_array().unwrap().iter();
    items
        .map(|item| (item["path"].as_str().unwrap(), item["found_by"].clone()))
        .collect()
}

/// Paths of the last retrieval.
fn found(events: &[Value]) -> Vec<&str> {
    let last = *messages(events, "retrieval_result").last().unwrap();
    let items = last["items"].as_array().unwrap().iter();
    items.map(|item| item["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_models_questions_find_what_the_request_does_not_say() {
    let world = world(
        r#"{ json: { queries: ["bookkeeping ledger", "the main program"] } }"#,
        "",
        "auto",
        60_000,
    )
    .await;
    let id = world.submit("Add greetings to main").await;
    let events = world.to_review(&id).await;
    assert_eq!(
        found_by(&events),
        BTreeMap::from([
            ("accounts/ledger.py", json!(["bookkeeping ledger"])),
            ("app.py", json!(["Add greetings to main", "the main program"])),
        ])
    );
    assert!(
        notices(&events).contains("also searched for `bookkeeping ledger` (model)"),
        "{}",
        notices(&events)
    );
    assert!(!brief(&events).contains(&"text retrieval".to_owned()));

    let requests = world.ollama.requests();
    let asked = of(&requests, "queries");
    assert_eq!(asked.len(), 1, "one more call and no other");
    assert_eq!(asked[0].body["format"], agents::queries::schema());
    assert_eq!(asked[0].body["options"]["temperature"], 0.0);
    assert_eq!(
        asked[0].body["options"]["num_predict"],
        agents::queries::ANSWER_TOKENS_MAX
    );
    let prompt = asked[0].last_message("user");
    assert!(
        prompt.starts_with("# Request\n\nAdd greetings to main\n\n# Your task: search"),
        "{prompt}"
    );
    assert_eq!(world.ollama.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn without_a_usable_answer_the_rules_ask_and_it_is_said() {
    let list = "Do two things:\n- greet in main\n- check the bookkeeping ledger";
    let cases = [
        (
            r#"{ text: "I would look around.", breaks_format: true }"#,
            "auto",
            60_000,
            "E1313",
        ),
        (r#"{ text: "", breaks_format: true }"#, "auto", 60_000, "E1301"),
        (
            r#"{ json: { queries: ["a b", "c d", "e f", "g h", "i j"] }, breaks_format: true }"#,
            "auto",
            60_000,
            "E1313",
        ),
        (
            "{ error: { status: 500, message: broken } }",
            "auto",
            60_000,
            "E1404",
        ),
        // The time is over before anybody can answer.
        (r#"{ json: { queries: [] } }"#, "auto", 0, "E1403"),
        (r#"{ json: { queries: [] } }"#, "rules", 0, ""),
    ];
    for (queries, agentic, wait_ms, code) in cases {
        let world = world(queries, "", agentic, wait_ms).await;
        let id = world.submit(list).await;
        let events = world.to_review(&id).await;
        let said = notices(&events);
        assert!(
            said.contains("`check the bookkeeping ledger` (concern)"),
            "{queries}: {said}"
        );
        let told = said
            .lines()
            .any(|line| line.starts_with(code) && line.contains("the request and the rules"));
        assert_eq!(told, !code.is_empty(), "{queries}: {said}");
        assert!(found(&events).contains(&"accounts/ledger.py"), "{queries}");
    }
}

#[tokio::test]
async fn nobody_asks_more_where_it_is_switched_off() {
    let world = world(
        r#"{ json: { queries: ["bookkeeping ledger"] } }"#,
        "",
        "off",
        60_000,
    )
    .await;
    let id = world.submit("Add greetings to main").await;
    let events = world.to_review(&id).await;
    // One question found all, which goes without saying.
    assert_eq!(found_by(&events), BTreeMap::from([("app.py", Value::Null)]));
    assert!(of(&world.ollama.requests(), "queries").is_empty());
}

#[tokio::test]
async fn what_a_failed_attempt_named_is_in_front_of_the_next() {
    let world = world(r#"{ json: { queries: [] } }"#, MISMATCH, "auto", 60_000).await;
    let id = world.submit("Add greetings to main, badly").await;
    let events = world.to_review(&id).await;
    let said = notices(&events);
    let expect = "searched again after the failure (edit mismatch accounts/ledger.py): accounts/ledger.py";
    assert!(said.contains(expect), "{said}");
    let prompt = world.told("code");
    assert!(!world.told("wrong code").contains("Bookkeeping by double entry"));
    assert!(prompt.contains("Bookkeeping by double entry"), "{prompt}");
}

#[tokio::test]
async fn a_retry_from_retrieval_finds_what_the_failure_named() {
    let mut world = world(r#"{ json: { queries: [] } }"#, UNPARSABLE, "rules", 60_000).await;
    let definition =
        std::fs::read_to_string(crate::support::root().join("config/workflows/feature_implementation.yaml"));
    let definition = definition
        .unwrap()
        .replace("retry_from: code_generation", "retry_from: retrieval");
    let folder = world.path("workflows");
    std::fs::create_dir_all(&folder).unwrap();
    let definition = definition.replace("name: feature_implementation", "name: from_retrieval");
    std::fs::write(folder.join("from_retrieval.yaml"), definition).unwrap();
    world.argue(&["--workflows-dir", folder.to_str().unwrap()]);
    world.restart().await;
    let mut request = world.request("Add greetings to main, badly");
    request["workflow_type"] = json!("from_retrieval");
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    let events = world.to_review(body["workflow_id"].as_str().unwrap()).await;
    let results = messages(&events, "retrieval_result");
    assert_eq!(results.len(), 2);
    let first: Vec<&Value> = results[0]["items"].as_array().unwrap().iter().collect();
    assert!(
        first.iter().all(|item| item["path"] != "accounts/ledger.py"),
        "{first:?}"
    );
    assert_eq!(found(&events)[0], "accounts/ledger.py");
    let said = notices(&events);
    assert!(said.contains("`accounts/ledger.py` (syntax_error)"), "{said}");
}
