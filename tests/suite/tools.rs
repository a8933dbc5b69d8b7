//! What a model asks of tools before it writes: it reaches the model, it is in the
//! history, and nothing is asked twice.

use std::{cell::Cell, path::PathBuf};

use scripted_ollama::Record;
use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, prompt, wire::Transport},
    support::root,
    world::{PATIENCE, SCRIPT, World, beginning, brief, of},
};

/// A model that asks for the house's rules and writes what they say; `written` is
/// what is special about that answer.
fn script(written: &str) -> String {
    let beginning = beginning();
    format!(
        r#"{beginning}  - name: writes
    match: {{ endpoint: chat, contains: "Greetings are shouted.", in: all, nth: 1 }}
    respond:
      {written}
      text: |
        greeting.py
        ```python
        def greet(name):
            return f"HELLO, {{name}}!"
        ```
  - name: writes again
    match: {{ endpoint: chat, contains: "Greetings are shouted.", in: all }}
    respond:
      text: |
        greeting.py
        ```python
        def greet(name):
            return f"HELLO, {{name}}!"
        ```
  - name: asks
    match: {{ endpoint: chat }}
    respond:
      text: "I look at the rules first."
      tool_calls: [{{ name: house__rules, arguments: {{ topic: greetings }} }}]
"#
    )
}

/// The server as a configuration or client names it; none where the package is not
/// installed, which `cargo xtask test` says.
pub fn house(world: &World) -> Option<(PathBuf, Vec<String>)> {
    let python = PathBuf::from(std::env::var_os("AGENTIC_IDE_MCP_PYTHON")?);
    let server = root().join("tests/fixtures/house_rules.py");
    let calls = world.path("calls");
    let arguments = [server, calls].map(|path| path.to_str().unwrap().to_owned());
    Some((python, arguments.into()))
}

/// A backend that is configured with the server; none without the package.
pub async fn configured(script: &str, more: &str) -> Option<World> {
    let mut world = World::prepared(script).await;
    let (command, args) = house(&world)?;
    let servers = json!({ "house": { "command": command, "args": args } });
    world.configure(format!(
        "ollama: {{ num_ctx: 16384 }}\nmcp_servers: {servers}\n{more}"
    ));
    world.start().await;
    Some(world)
}

pub fn calls(world: &World) -> String {
    std::fs::read_to_string(world.path("calls")).unwrap_or_default()
}

fn called(events: &[Value]) -> Vec<Value> {
    let mut calls: Vec<Value> = events
        .iter()
        .filter(|event| event["type"] == "tool_called")
        .map(|event| event["call"].clone())
        .collect();
    for call in &mut calls {
        assert!(call["duration_ms"].is_u64(), "{call}");
        call.as_object_mut().unwrap().remove("duration_ms");
    }
    calls
}

fn rules_called() -> Value {
    json!({ "server": "house", "tool": "rules", "arguments": r#"{"topic":"greetings"}"#, "is_error": false })
}

#[tokio::test]
async fn what_a_tool_answers_reaches_the_model_and_the_history() {
    let Some(world) = configured(&script(""), "").await else {
        return;
    };
    let id = world.submit("Add greetings").await;
    let events = world.accept(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "completed");
    assert_eq!(called(&events), [rules_called()]);
    assert_eq!(calls(&world), "greetings\n");
    assert!(world.read("greeting.py").contains("HELLO"));
    assert_eq!(world.commits(), 2);

    let records = world.ollama.requests();
    let asked = of(&records, "asks")[0];
    let names: Vec<&str> = asked.body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"house__rules"), "{names:?}");
    // What does not say that it only reads is offered, as a person is asked first.
    assert!(names.contains(&"house__repeal"), "{names:?}");
    let told = &of(&records, "writes")[0].body["messages"];
    let told = told.as_array().unwrap();
    let [.., said, answer] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(said["role"], "assistant");
    assert_eq!(said["content"], "I look at the rules first.");
    assert_eq!(said["tool_calls"][0]["function"]["name"], "house__rules");
    assert_eq!(
        (answer["role"].as_str(), answer["content"].as_str()),
        (Some("tool"), Some("Greetings are shouted."))
    );
    assert_eq!(world.ollama.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn killed_after_a_call_nothing_is_called_again() {
    // The model reads the answer for ever.
    let Some(mut world) = configured(&script("stall_after_tokens: 0"), "").await else {
        return;
    };
    let id = world.submit("Add greetings").await;
    let reads = |records: &[Record]| !of(records, "writes").is_empty();
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(reads))
        .await
        .expect("the model reads");
    world.restart().await;
    let events = world.accept(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "completed");
    let records = world.ollama.requests();
    assert_eq!(calls(&world), "greetings\n");
    assert_eq!(called(&events), [rules_called()]);
    let count = |rule: &str| of(&records, rule).len();
    assert_eq!((count("asks"), count("writes again")), (1, 1));
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn killed_in_the_text_after_a_call_the_model_goes_on_with_it() {
    let Some(mut world) = configured(&script("stall_after_tokens: 12"), "").await else {
        return;
    };
    let id = world.submit("Add greetings").await;
    // Text that a client has seen is on disk.
    let called = Cell::new(false);
    world
        .events(&id, 0, "delta", |event| {
            called.set(called.get() || event["type"] == "tool_called");
            called.get() && event["type"] == "agent_streaming_update"
        })
        .await;
    world.restart().await;
    let events = world.accept(&id).await;
    let story = brief(&events);
    let count = |what: &str| story.iter().filter(|line| *line == what).count();
    assert_eq!(
        (count("attempt_resumed"), count("attempt_discarded")),
        (1, 0),
        "{story:#?}"
    );
    assert_eq!(calls(&world), "greetings\n");
    assert_eq!(
        world.read("greeting.py"),
        "def greet(name):\n    return f\"HELLO, {name}!\"\n"
    );
}

#[tokio::test]
async fn a_model_that_only_calls_is_stopped_and_told() {
    let script = script("tool_calls: [{ name: house__rules, arguments: { topic: more } }]").replacen(
        "name: writes again",
        "name: has enough",
        1,
    );
    let script = script.replacen(
        "rules:\n",
        "rules:\n  - name: mends\n    match: { endpoint: chat, contains: \"in a row and wrote nothing\" }\n    \
         respond:\n      text: |\n        greeting.py\n        ```python\n        GREETING = 1\n        ```\n",
        1,
    );
    let Some(world) = configured(&script, "mcp: { rounds_max: 1 }\n").await else {
        return;
    };
    let id = world.submit("Add greetings").await;
    let events = world.accept(&id).await;
    let failed: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "stage_finished" && event["outcome"] == "failed")
        .map(|event| event["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        failed,
        ["E1316: the model called tools in 2 answers in a row and wrote nothing"]
    );
    assert_eq!(calls(&world), "greetings\n");
    assert_eq!(world.read("greeting.py"), "GREETING = 1\n");
}

#[tokio::test]
async fn the_tools_of_a_client_are_the_models_in_both_versions() {
    for version in [1, 2] {
        let mut world = World::prepared(&script("")).await;
        let Some((command, args)) = house(&world) else {
            return;
        };
        world.configure("ollama: { num_ctx: 16384 }\n");
        world.start().await;
        let mut server = json!({ "name": "house", "command": command, "args": args, "env": [] });
        let mut acp = if version == 1 {
            Acp::connect(&world).await
        } else {
            server["type"] = "stdio".into();
            Acp::two(Transport::Socket, &world, json!({})).await
        };
        let cwd = world.repo();
        let made = acp
            .call("session/new", json!({ "cwd": cwd, "mcpServers": [server] }))
            .await;
        let session = made["result"]["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"));
        let turn = acp.ask("session/prompt", prompt(session, "Add greetings")).await;
        let question = loop {
            let message = acp.next().await;
            if message["method"] == "session/request_permission" {
                break message;
            }
            assert!(
                message["id"] != turn || message.get("error").is_none(),
                "{message}"
            );
        };
        acp.choose(&question, "reject").await;
        let story = acp.story();
        assert!(
            story.iter().any(|line| line.contains("house: rules")),
            "{version}: {story:#?}"
        );
        assert_eq!(calls(&world), "greetings\n");
        // Nothing that a client brought is on disk.
        let bad = json!({ "cwd": cwd, "mcpServers": [{ "type": "sse", "name": "x", "url": "http://x", "headers": [] }] });
        let refused = acp.call("session/new", bad).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
}

#[tokio::test]
async fn servers_are_started_for_a_model_that_can_call_them() {
    let check = async |num_ctx: u32, expect: bool| {
        let mut world = World::prepared(SCRIPT).await;
        let mark = world.path("started");
        let started = format!("touch {}; exit 3", mark.display());
        let servers = json!({ "house": { "command": "sh", "args": ["-c", started] } });
        world.configure(format!(
            "ollama: {{ num_ctx: {num_ctx} }}\nmcp_servers: {servers}\n"
        ));
        world.start().await;
        let id = world.submit("Add greetings").await;
        let events = world.accept(&id).await;
        let said = events
            .iter()
            .any(|event| event["type"] == "notice" && event["code"] == "E2001");
        assert_eq!((mark.exists(), said), (expect, expect), "{num_ctx}");
    };
    check(8_192, false).await;
    check(16_384, true).await;
}
