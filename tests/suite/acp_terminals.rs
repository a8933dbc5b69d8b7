//! What checks print, in a terminal of the client that draws one.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, prompt, wire::Transport},
    world::World,
};

const TEST: &str = "import unittest\n\n\nclass AppTest(unittest.TestCase):\n    def test_runs(self):\n        print(\"printed by a test\")\n";

/// What a client with these capabilities is told up to the question.
async fn told(capabilities: Value) -> Vec<Value> {
    let world = World::new().await;
    world.write("pyproject.toml", "[project]\nname = \"app\"\n");
    world.write("tests/__init__.py", "");
    world.write("tests/test_app.py", TEST);
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "tests"]);
    let mut acp = Acp::over_with(Transport::Joined, &world, capabilities).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.updates
}

/// Text of the updates of this kind.
fn thoughts(updates: &[Value]) -> String {
    let thoughts = updates
        .iter()
        .filter(|update| update["sessionUpdate"] == "agent_thought_chunk");
    let texts = thoughts.filter_map(|update| update["content"]["text"].as_str());
    texts.collect()
}

#[tokio::test]
async fn a_client_that_draws_terminals_is_told_there_what_checks_print() {
    let updates = told(json!({ "_meta": { "terminal_output": true } })).await;
    let call = updates.iter().find(|update| update["title"] == "Check").unwrap();
    let id = &call["toolCallId"];
    assert_eq!(
        call["content"],
        json!([{ "type": "terminal", "terminalId": id }]),
        "{call}"
    );
    assert_eq!(
        call["_meta"],
        json!({ "terminal_info": { "terminal_id": id } }),
        "{call}"
    );

    let printed = updates
        .iter()
        .filter(|update| update["_meta"]["terminal_output"].is_object());
    let mut text = String::new();
    for update in printed {
        assert_eq!(update["toolCallId"], *id, "{update}");
        assert_eq!(update["_meta"]["terminal_output"]["terminal_id"], *id, "{update}");
        text.push_str(update["_meta"]["terminal_output"]["data"].as_str().unwrap());
    }
    assert!(text.contains("printed by a test"), "{text}");
    assert!(!thoughts(&updates).contains("printed by a test"));

    // What is shown later is shown beside it.
    let evidence = updates
        .iter()
        .rfind(|update| update["toolCallId"] == *id && update["content"].is_array());
    assert_eq!(evidence.unwrap()["content"][0]["type"], "terminal");
    let last = updates
        .iter()
        .rfind(|update| update["toolCallId"] == *id)
        .unwrap();
    let ended = json!({ "terminal_exit": { "terminal_id": id, "exit_code": 0, "signal": null } });
    assert_eq!(last["_meta"], ended, "{last}");
}

#[tokio::test]
async fn any_other_client_is_told_as_thoughts() {
    let updates = told(json!({ "terminal": true })).await;
    assert!(thoughts(&updates).contains("printed by a test"));
    let call = updates.iter().find(|update| update["title"] == "Check").unwrap();
    assert_eq!(
        (&call["content"], &call["_meta"]),
        (&Value::Null, &Value::Null),
        "{call}"
    );
}
