//! The Agent Client Protocol, by hand over WebSocket.

use scripted_ollama::{Outcome, Record};
use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, prompt},
    world::{PATIENCE, World, is_end, of},
};

/// How a client asks for streaming updates.
const ASKS: &str = r#"{ "_meta": { "agentic_ide": { "streaming_update": true } } }"#;

#[tokio::test]
async fn a_client_of_the_agent_client_protocol_gets_to_a_commit() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let hello = json!({
        "protocolVersion": 1,
        "agentInfo": { "name": "agentic-ide", "title": "Agentic IDE", "version": env!("CARGO_PKG_VERSION") },
        "agentCapabilities": {
            "loadSession": true,
            "promptCapabilities": { "image": false, "audio": false, "embeddedContext": true },
            "mcpCapabilities": { "http": true, "sse": false },
            "sessionCapabilities": {
                "list": {}, "delete": {}, "additionalDirectories": {}, "resume": {}, "close": {},
                "fork": {}, "title": {}, "archive": {}, "status": {},
            },
            "auth": { "logout": {} },
            "_meta": { "agentic_ide": {
                "streaming_update": true, "positions": true, "version": 1,
                "methods": ["workflow/get", "workflow/list", "workflow/decide", "session/replay"],
            } },
        },
        "authMethods": [{
            "id": "local", "name": "This machine", "description": "No credentials are needed.",
        }],
        "_meta": { "steering": { "supported": true } },
    });
    assert_eq!(acp.hello, hello);
    let session = acp.session(&world).await;

    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    let options: Vec<&str> = question["params"]["options"]
        .as_array()
        .unwrap()
        .iter()
        .map(|option| option["optionId"].as_str().unwrap())
        .collect();
    assert_eq!(
        options,
        ["accept", "accept_always", "reject", "reject_always", "modify"]
    );
    let diffs = question["params"]["toolCall"]["content"].as_array().unwrap();
    let diff = diffs.iter().find(|content| content["type"] == "diff").unwrap();
    assert_eq!(diff["path"], world.repo().join("app.py").display().to_string());
    assert!(diff["oldText"].as_str().unwrap().contains("hello"));
    acp.choose(&question, "modify").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");

    let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.choose(&question, "accept").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    assert_eq!(world.commits(), 2);
    assert!(world.read("greeting.py").contains("HELLO"));
    let kinds: std::collections::BTreeSet<&str> = acp
        .updates
        .iter()
        .map(|update| update["sessionUpdate"].as_str().unwrap())
        .collect();
    let expect = [
        "agent_message_chunk",
        "agent_thought_chunk",
        "available_commands_update",
        "plan",
        "session_info_update",
        "tool_call",
        "tool_call_update",
        "usage_update",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expect);
    assert_eq!(acp.streamed, Vec::<Value>::new(), "it did not ask for them");
}

#[tokio::test]
async fn a_client_that_asks_gets_streaming_updates_with_their_positions() {
    let world = World::new().await;
    let mut acp = Acp::connect_with(&world, serde_json::from_str(ASKS).unwrap()).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "modify").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    let first = std::mem::take(&mut acp.streamed);
    let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "accept").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    let second = std::mem::take(&mut acp.streamed);
    assert!(whole_text(&first).contains("Hello"), "{first:?}");
    assert!(whole_text(&second).contains("HELLO"), "{second:?}");

    // The same as the event stream in delta form, and the session.
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    let events = world.events(id, 0, "delta", is_end).await;
    let expect: Vec<Value> = events
        .into_iter()
        .filter(|event| event["type"] == "agent_streaming_update")
        .map(|mut event| {
            event["sessionId"] = json!(session);
            event
        })
        .collect();
    assert_eq!([first, second].concat(), expect);

    // What one connection asked for is not another's.
    let mut other = Acp::connect(&world).await;
    let session = other.session(&world).await;
    let turn = other
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    let question = other.until(turn).await;
    other.choose(&question, "reject").await;
    assert_eq!(other.until(turn).await["result"]["stopReason"], "end_turn");
    assert_eq!(other.streamed, Vec::<Value>::new());
}

/// The text that code generation wrote, put together by its offsets.
fn whole_text(updates: &[Value]) -> String {
    let mut text = String::new();
    let written = updates
        .iter()
        .filter(|update| update["stage_id"] == "code_generation");
    for update in written {
        assert_eq!(update["offset"], text.chars().count(), "{update}");
        text.push_str(update["delta"].as_str().unwrap());
    }
    text
}

#[tokio::test]
async fn a_cancelled_turn_is_answered_as_cancelled() {
    let world = World::new().await;
    world.ollama.gate().close();
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    world.until_asked("plan").await;
    acp.send(&json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": { "sessionId": session } }))
        .await;
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], "cancelled", "{answer}");
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(page["workflows"][0]["state"], "cancelled");
    let gone = |records: &[Record]| {
        of(records, "plan")
            .iter()
            .any(|record| record.outcome == Outcome::Disconnected)
    };
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(gone))
        .await
        .expect("the model is left");
}

/// The parameters of our answer where somebody steers, and where nobody can.
#[tokio::test]
async fn words_during_a_turn_are_remarks_and_where_it_asks_the_answer() {
    let world = World::new().await;
    world.ollama.gate().close();
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let idle = acp.call("_session/steering", prompt(&session, "hello")).await;
    let required = json!({ "outcome": "promptRequired", "reason": "noRunningTurn" });
    assert_eq!(idle["result"], required, "{idle}");
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    world.until_asked("plan").await;
    let steered = acp
        .call("_session/steering", prompt(&session, "by the method"))
        .await;
    assert_eq!(steered["result"], json!({ "outcome": "injected" }), "{steered}");
    let second = acp.call("session/prompt", prompt(&session, "by a prompt")).await;
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    let told =
        json!({ "stopReason": "end_turn", "_meta": { "agentic_ide": { "remark": { "workflow_id": id } } } });
    assert_eq!(second["result"], told, "{second}");
    let empty = acp.call("_session/steering", prompt(&session, " ")).await;
    assert_eq!(empty["error"]["code"], -32602, "{empty}");
    world.ollama.gate().open();
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    let code = world.told("code");
    for words in ["by the method", "by a prompt"] {
        assert!(
            code.contains(&format!("made during the work: do this\n\n{words}\n")),
            "{code}"
        );
    }
    // Words to an open question are its answer: another iteration.
    let answered = acp.ask("_session/steering", prompt(&session, "shout it")).await;
    let answered = acp.until(answered).await;
    assert_eq!(answered["result"], json!({ "outcome": "injected" }), "{answered}");
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.choose(&question, "accept").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    assert!(world.read("greeting.py").contains("HELLO"));
}

#[tokio::test]
async fn wrong_requests_of_a_protocol_client_are_refused() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let relative = acp
        .call("session/new", json!({ "cwd": "repo", "mcpServers": [] }))
        .await;
    assert_eq!(relative["error"]["code"], -32602, "{relative}");
    let gone = acp
        .call(
            "session/new",
            json!({ "cwd": "/nowhere/at/all", "mcpServers": [] }),
        )
        .await;
    assert_eq!(gone["error"]["code"], -32602, "{gone}");
    let unknown = acp.call("session/prompt", prompt("nope", "x")).await;
    assert_eq!(unknown["error"]["code"], -32002, "{unknown}");
    let session = acp.session(&world).await;
    let empty = acp
        .call("session/prompt", json!({ "sessionId": session, "prompt": [] }))
        .await;
    assert_eq!(empty["error"]["code"], -32602, "{empty}");
    let method = acp.call("session/none", json!({})).await;
    assert_eq!(method["error"]["code"], -32601, "{method}");
}
