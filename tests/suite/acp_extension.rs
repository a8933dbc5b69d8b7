//! Methods of our own over the Agent Client Protocol: workflows, and sessions
//! from a position on.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, prompt},
    schemas::ours,
    world::World,
};

/// How a client asks to be told where updates come from.
fn with_positions() -> Value {
    json!({ "_meta": { "agentic_ide": { "positions": true } } })
}

#[tokio::test]
async fn another_client_reads_a_workflow_and_decides_its_review() {
    let world = World::new().await;
    let (mut editor, mut other) = (Acp::connect(&world).await, Acp::run(&world).await);
    let session = editor.session(&world).await;
    let turn = editor
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    let question = editor.until(turn).await;

    let mut list = json!({ "limit": 1 });
    assert_eq!(ours("workflow-list-request").judge("", &list), Ok(()));
    let listed = other.call("_agentic_ide/workflow/list", list.clone()).await;
    assert_eq!(listed["result"], world.get("/api/workflows?limit=1").await.1);
    assert_eq!(ours("workflow-page").judge("", &listed["result"]), Ok(()));
    list["cursor"] = listed["result"]["next_cursor"].clone();
    let rest = other.call("_agentic_ide/workflow/list", list).await;
    assert_eq!(rest["result"], json!({ "workflows": [] }), "{listed}");

    let id = listed["result"]["workflows"][0]["workflow_id"].as_str().unwrap();
    let get = json!({ "workflow_id": id });
    assert_eq!(ours("workflow-get-request").judge("", &get), Ok(()));
    let got = other.call("_agentic_ide/workflow/get", get).await;
    assert_eq!(got["result"], world.get(&format!("/api/workflow/{id}")).await.1);
    assert_eq!(got["result"]["state"], "awaiting_decision");
    assert_eq!(ours("workflow-view").judge("", &got["result"]), Ok(()));

    let decision = json!({
        "workflow_id": id, "decision": "accept", "hunks": [{ "path": "greeting.py" }],
    });
    assert_eq!(ours("workflow-decide-request").judge("", &decision), Ok(()));
    let decided = other.call("_agentic_ide/workflow/decide", decision).await;
    assert_eq!(decided["result"], json!({}), "{decided}");
    // The editor's own question is withdrawn, and its turn ends.
    editor.until_withdrawn(&question).await;
    let answer = editor.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], "end_turn", "{answer}");
    assert_eq!(world.commits(), 2);
    assert!(world.read("greeting.py").contains("Hello"));
    assert!(!world.read("app.py").contains("greeting"), "it was not accepted");

    for (method, params, code) in [
        ("get", json!({ "workflow_id": "none" }), "E1003"),
        ("get", json!({ "workflow_id": "a/b" }), "E1003"),
        (
            "decide",
            json!({ "workflow_id": id, "decision": "accept" }),
            "E1008",
        ),
        (
            "decide",
            json!({ "workflow_id": id, "decision": "modify" }),
            "E1001",
        ),
        ("list", json!({ "cursor": "a/b" }), "E1003"),
    ] {
        let answer = other
            .call(&format!("_agentic_ide/workflow/{method}"), params)
            .await;
        assert_eq!(answer["error"]["data"]["code"], code, "{method}: {answer}");
    }
    let unsaid = json!({ "workflow_id": id, "decision": "perhaps" });
    let answer = other.call("_agentic_ide/workflow/decide", unsaid).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

async fn replay(acp: &mut Acp, session: &str, after: Option<&Value>) {
    let mut params = json!({ "sessionId": session });
    if let Some(after) = after {
        assert_eq!(ours("session-position").judge("", after), Ok(()));
        params["after"] = after.clone();
    }
    assert_eq!(ours("session-replay-request").judge("", &params), Ok(()));
    let answer = acp.call("_agentic_ide/session/replay", params).await;
    let ids: Vec<&str> = answer["result"]["configOptions"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter()
        .map(|option| option["id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"mode"), "{answer}");
}

#[tokio::test]
async fn a_session_is_replayed_from_each_position_without_a_gap() {
    let world = World::new().await;
    let mut acp = Acp::connect_with(&world, with_positions()).await;
    let session = acp.session(&world).await;
    // A workflow with two iterations, an answer without a workflow, and another
    // workflow.
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "modify").await;
    acp.until(turn).await;
    let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "reject").await;
    acp.until(turn).await;
    acp.call("session/prompt", prompt(&session, "/search hello"))
        .await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;

    let mut later = Acp::connect_with(&world, with_positions()).await;
    replay(&mut later, &session, None).await;
    let whole = std::mem::take(&mut later.placed);
    assert!(whole.len() > 40, "{whole:#?}");
    // But for what it said itself, that is what the first client was told.
    let said = |update: &Value| update["sessionUpdate"] == "user_message_chunk";
    let told: Vec<_> = whole
        .iter()
        .filter(|(_, update)| !said(update))
        .cloned()
        .collect();
    assert_eq!(acp.placed, told);
    // It is asked as well.
    let asked = later.next().await;
    assert_eq!(asked["params"], question["params"]);
    for (index, (place, _)) in whole.iter().enumerate() {
        replay(&mut later, &session, Some(place)).await;
        let rest = std::mem::take(&mut later.placed);
        assert_eq!(rest, whole[index + 1..], "after {place}");
        let asked = later.next().await;
        assert_eq!(asked["params"], question["params"]);
    }
    // Without the part, all of the event is meant.
    let (place, _) = whole.iter().find(|(place, _)| place["part"] == 2).unwrap();
    let mut event = place.clone();
    event.as_object_mut().unwrap().remove("part");
    replay(&mut later, &session, Some(&event)).await;
    let first = &later.placed[0].0;
    assert!(first["seq"].as_u64() > place["seq"].as_u64(), "{first}");
    assert_eq!(first["part"], 1);
    later.next().await;

    let of = |correlation: &str, seq: u64| json!({ "correlation_id": correlation, "seq": seq });
    let known = place["correlation_id"].as_str().unwrap();
    for after in [of("none", 1), of(known, 100_000), json!({ "seq": 1 }), json!(1)] {
        let params = json!({ "sessionId": session, "after": after });
        let answer = later.call("_agentic_ide/session/replay", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let answer = later
        .call("_agentic_ide/session/replay", json!({ "sessionId": "none" }))
        .await;
    assert_eq!(answer["error"]["data"]["code"], "E1021", "{answer}");
}

/// The usual script with a longer text.
fn long() -> String {
    let lines: String = (0..40)
        .map(|n| format!("        def greet_{n}(name):\n            return name\n"))
        .collect();
    crate::world::SCRIPT.replace(
        "        def greet(name):\n            return f\"Hello, {name}!\"\n",
        &lines,
    )
}

/// Comes and goes while text is written, each time for what it does not have yet;
/// before the visit `killed`, the backend is killed.
async fn check_streaming(killed: Option<u64>) {
    let mut world = World::with(&long()).await;
    let gate = world.ollama.gate();
    gate.close();
    let mut witness = Acp::connect_with(&world, with_positions()).await;
    let session = witness.session(&world).await;
    let turn = witness
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    witness
        .update(|update| update["sessionUpdate"] == "tool_call" && update["title"] == "Plan")
        .await;
    let mut had: Vec<(Value, Value)> = Vec::new();
    for visit in 0..20 {
        if killed == Some(visit) {
            world.restart().await;
        }
        let mut reader = Acp::connect_with(&world, with_positions()).await;
        // What comes now comes during the replay or after it.
        gate.release(visit + 1);
        let last = had.last().map(|(place, _)| place.clone());
        replay(&mut reader, &session, last.as_ref()).await;
        if reader.placed.is_empty() {
            reader
                .update(|update| update["sessionUpdate"].as_str().unwrap().ends_with("_chunk"))
                .await;
        }
        had.append(&mut reader.placed);
    }
    gate.open();
    let place = &had.last().unwrap().0;
    let id = place["workflow_id"].as_str().unwrap().to_owned();
    world.accept(&id).await;
    let mut reader = Acp::connect_with(&world, with_positions()).await;
    replay(&mut reader, &session, Some(place)).await;
    had.append(&mut reader.placed);

    let mut whole = Acp::connect_with(&world, with_positions()).await;
    replay(&mut whole, &session, None).await;
    assert_eq!(had, whole.placed);
    let text: String = had
        .iter()
        .filter(|(_, update)| update["sessionUpdate"] == "agent_message_chunk")
        .map(|(_, update)| update["content"]["text"].as_str().unwrap())
        .collect();
    assert!(text.contains("def greet_39"), "{text}");
    if killed.is_none() {
        let question = witness.until(turn).await;
        witness.until_withdrawn(&question).await;
        witness.until(turn).await;
        assert_eq!(witness.placed, had[1..], "but for its own words");
    }
}

#[tokio::test]
async fn whoever_comes_back_while_text_is_written_misses_nothing_and_hears_nothing_twice() {
    check_streaming(None).await;
}

#[tokio::test]
async fn the_same_holds_when_the_backend_was_killed_meanwhile() {
    check_streaming(Some(12)).await;
}
