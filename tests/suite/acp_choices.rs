//! What can be chosen and said in a session of the Agent Client Protocol:
//! options, commands, answers to questions, and what a prompt is made of.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, PERMISSION, options, prompt},
    world::{SCRIPT, World, until_status},
};

/// The usual script, and tests where they are asked for.
fn with_tests() -> String {
    let tests = r##"
  - name: tests
    match: { endpoint: chat, contains: "# Your task: write tests" }
    respond:
      text: |
        tests/test_greeting.py
        ```python
        from greeting import greet


        def test_greet():
            assert greet("you") == "Hello, you!"
        ```
  - name: code again"##;
    // Where nothing is optional, nothing is chosen.
    let plan = r##"
  - name: plan of tests
    match: { endpoint: chat, format: present, contains: "Write tests:" }
    respond:
      json:
        summary: Test greetings
        steps: ["write a test"]
        files: ["app.py"]
  - name: plan
"##;
    SCRIPT
        .replace("\n  - name: plan\n", plan)
        .replace("\n  - name: code again", tests)
}

async fn question(acp: &mut Acp, turn: u64, title: &str) -> Value {
    let question = acp.until(turn).await;
    assert_eq!(
        question["method"],
        "session/request_permission",
        "{question} {:#?}",
        acp.story()
    );
    assert_eq!(question["params"]["toolCall"]["title"], title, "{question}");
    question
}

const APPLY: &str = "Apply these changes?";

async fn ends(acp: &mut Acp, turn: u64, reason: &str) {
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], reason, "{answer}");
}

/// The last thing that the agent said.
fn said(acp: &Acp) -> String {
    let story = acp.story();
    let said = story
        .iter()
        .rev()
        .find(|line| line.starts_with("agent_message_chunk: "));
    said.unwrap()["agent_message_chunk: ".len()..].to_owned()
}

#[tokio::test]
async fn a_prompt_is_made_of_text_files_and_links() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let uri = format!("file://{}/app.py", world.repo().display());
    let embedded = json!({ "type": "resource", "resource": { "uri": uri, "text": "x".repeat(20_000) } });
    let note = json!({ "type": "resource", "resource": { "uri": "note://1", "text": "Be brief." } });
    let link = json!({ "type": "resource_link", "uri": uri, "name": "app.py" });
    let sound = json!({ "type": "audio", "data": "AAAA", "mimeType": "audio/wav" });
    let text = json!({ "type": "text", "text": "Add greetings" });
    let refused = acp
        .call(
            "session/prompt",
            json!({ "sessionId": session, "prompt": [text, sound] }),
        )
        .await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    assert_eq!(refused["error"]["data"]["code"], "E1001", "{refused}");
    let params = json!({ "sessionId": session, "prompt": [text, embedded, note, link] });
    let turn = acp.ask("session/prompt", params).await;
    let asked = question(&mut acp, turn, APPLY).await;
    acp.choose(&asked, "reject").await;
    ends(&mut acp, turn, "end_turn").await;
    let told = world.told("plan");
    // What the file says is read where it lies.
    assert!(
        told.contains("Add greetings\n\n`app.py`\n\nnote://1:\nBe brief.\n\n`app.py`"),
        "{told}"
    );
    assert!(!told.contains("xxxx"), "{told}");
}

#[tokio::test]
async fn who_signs_out_is_asked_to_sign_in() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    assert_eq!(acp.call("logout", json!({})).await["result"], json!({}));
    let new = json!({ "cwd": world.repo(), "mcpServers": [] });
    for (method, params) in [
        ("session/new", new.clone()),
        ("session/list", json!({})),
        (
            "session/load",
            json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [] }),
        ),
        ("session/prompt", prompt(&session, "Add greetings")),
    ] {
        let answer = acp.call(method, params).await;
        assert_eq!(answer["error"]["code"], -32000, "{method}: {answer}");
    }
    let unknown = acp.call("authenticate", json!({ "methodId": "none" })).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    assert_eq!(
        acp.call("authenticate", json!({ "methodId": "local" })).await["result"],
        json!({})
    );
    assert!(acp.call("session/new", new).await["result"]["sessionId"].is_string());
}

#[tokio::test]
async fn a_prompt_that_is_withdrawn_is_answered_as_cancelled() {
    let world = World::new().await;
    world.ollama.gate().close();
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    world.until_asked("plan").await;
    acp.notify("$/cancel_request", json!({ "requestId": turn })).await;
    ends(&mut acp, turn, "cancelled").await;
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(page["workflows"][0]["state"], "cancelled");
    // Cancelled again, and after its end, it stays what it is.
    acp.notify("$/cancel_request", json!({ "requestId": turn })).await;
    acp.notify("session/cancel", json!({ "sessionId": session }))
        .await;
    world.ollama.gate().open();
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn, APPLY).await;
    acp.choose(&asked, "reject").await;
    ends(&mut acp, turn, "end_turn").await;
}

/// Values of an option, and which one is chosen.
pub fn option<'a>(options: &'a Value, id: &str) -> (Vec<&'a str>, &'a str) {
    let option = options
        .as_array()
        .unwrap()
        .iter()
        .find(|option| option["id"] == id)
        .unwrap();
    let values = option["options"].as_array().unwrap().iter();
    let values = values.map(|value| value["value"].as_str().unwrap()).collect();
    (values, option["currentValue"].as_str().unwrap())
}

#[tokio::test]
async fn what_is_chosen_holds_for_all_and_over_a_restart() {
    let mut world = World::new().await;
    let (mut acp, mut other) = (Acp::connect(&world).await, Acp::connect(&world).await);
    let new = acp
        .call("session/new", json!({ "cwd": world.repo(), "mcpServers": [] }))
        .await;
    let session = new["result"]["sessionId"].as_str().unwrap().to_owned();
    let definitions = vec!["feature_implementation", "modules", "plan_first", "tests"];
    let options = &new["result"]["configOptions"];
    assert_eq!(
        option(options, "mode"),
        (definitions.clone(), "feature_implementation")
    );
    assert_eq!(
        option(options, "review"),
        (vec!["ask", "accept", "reject"], "ask")
    );
    let modes = &new["result"]["modes"];
    assert_eq!(modes["currentModeId"], "feature_implementation");
    let ids = modes["availableModes"].as_array().unwrap().iter();
    assert_eq!(
        ids.map(|mode| mode["id"].as_str().unwrap()).collect::<Vec<_>>(),
        definitions
    );
    other.go_to("session/resume", &world, &session).await;
    let set = json!({ "sessionId": session, "configId": "mode", "value": "plan_first" });
    let answer = acp.call("session/set_config_option", set).await;
    assert_eq!(option(&answer["result"]["configOptions"], "mode").1, "plan_first");
    other
        .update(|update| update["currentModeId"] == "plan_first")
        .await;
    assert!(
        other
            .updates
            .iter()
            .any(|update| update["sessionUpdate"] == "config_option_update")
    );
    for (method, wrong) in [
        (
            "session/set_config_option",
            json!({ "configId": "mode", "value": "none" }),
        ),
        (
            "session/set_config_option",
            json!({ "configId": "none", "value": "ask" }),
        ),
        (
            "session/set_config_option",
            json!({ "configId": "review", "type": "boolean", "value": true }),
        ),
        ("session/set_mode", json!({ "modeId": "none" })),
    ] {
        let mut params = wrong.clone();
        params["sessionId"] = json!(session);
        let answer = acp.call(method, params).await;
        assert_eq!(answer["error"]["code"], -32602, "{wrong}: {answer}");
    }
    // A plan is agreed on first.
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn, "Go on with this plan?").await;
    world.restart().await;
    drop((acp, other, asked));
    let mut acp = Acp::connect(&world).await;
    let resumed = acp.go_to("session/resume", &world, &session).await;
    assert_eq!(resumed["result"]["modes"]["currentModeId"], "plan_first");
    let asked = acp.next().await;
    acp.choose(&asked, "accept").await;
    let asked = acp.next().await;
    assert_eq!(asked["params"]["toolCall"]["title"], APPLY, "{asked}");
    acp.choose(&asked, "accept").await;
    let mode = json!({ "sessionId": session, "modeId": "feature_implementation" });
    assert_eq!(acp.call("session/set_mode", mode).await["result"], json!({}));
    acp.update(|update| update["currentModeId"] == "feature_implementation")
        .await;
}

#[tokio::test]
async fn each_command_does_what_it_says() {
    let world = World::with(&with_tests()).await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    acp.update(|update| update["sessionUpdate"] == "available_commands_update")
        .await;
    let commands = acp.updates.last().unwrap()["availableCommands"].clone();
    let names = commands.as_array().unwrap().iter();
    let names: Vec<&str> = names.map(|command| command["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "feature", "plan", "modules", "fix", "test", "review", "resume", "undo", "search", "index"
        ]
    );
    // Workflows: the definition, the question, and what the planner is told.
    for (text, definition, titles, told) in [
        (
            "/feature Add greetings",
            "feature_implementation",
            vec![APPLY],
            "Add greetings",
        ),
        (
            "/plan Add greetings",
            "plan_first",
            vec!["Go on with this plan?", APPLY],
            "Add greetings",
        ),
        ("/modules Add greetings", "modules", vec![APPLY], "Add greetings"),
        (
            "/fix no greeting",
            "feature_implementation",
            vec![APPLY],
            "Find the cause of this problem and remove it: no greeting",
        ),
        ("/test greetings", "tests", vec![APPLY], "Write tests: greetings"),
    ] {
        let turn = acp.ask("session/prompt", prompt(&session, text)).await;
        let (last, before) = titles.split_last().unwrap();
        for title in before {
            let asked = question(&mut acp, turn, title).await;
            acp.choose(&asked, "accept").await;
        }
        let asked = question(&mut acp, turn, last).await;
        let diffs = asked["params"]["toolCall"]["content"].to_string();
        assert_eq!(
            diffs.contains("test_greeting.py"),
            text.starts_with("/test"),
            "{text}: {diffs}"
        );
        acp.choose(&asked, "reject").await;
        ends(&mut acp, turn, "end_turn").await;
        let (_, page) = world.get("/api/workflows").await;
        assert_eq!(page["workflows"][0]["workflow_type"], definition, "{text}");
        assert_eq!(page["workflows"][0]["user_query"], told, "{text}");
    }
    // Answers, which need no workflow and are kept.
    let (_, page) = world.get("/api/workflows").await;
    let count = page["workflows"].as_array().unwrap().len();
    for (text, expect) in [
        ("/search print hello", "app.py:1-2"),
        ("/index", "files"),
        ("/undo", "Nothing in this session has committed anything"),
        ("/review", "Everything in this session is over."),
        ("/resume", "Everything in this session is over."),
    ] {
        let turn = acp.ask("session/prompt", prompt(&session, text)).await;
        ends(&mut acp, turn, "end_turn").await;
        assert!(said(&acp).contains(expect), "{text}: {}", said(&acp));
    }
    let missing = acp.call("session/prompt", prompt(&session, "/search")).await;
    assert_eq!(missing["error"]["data"]["code"], "E1006", "{missing}");
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(page["workflows"].as_array().unwrap().len(), count);
    let mut later = Acp::connect(&world).await;
    later.go_to("session/load", &world, &session).await;
    let story = later.story();
    assert!(
        story.contains(&"user_message_chunk: /search print hello".to_owned()),
        "{story:#?}"
    );
    assert_eq!(said(&later), "Everything in this session is over.");
}

#[tokio::test]
async fn an_open_question_is_put_again_and_nothing_is_begun_beside_it() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn, APPLY).await;
    // The client refuses to answer.
    let error = json!({ "code": -32601, "message": "no such method" });
    acp.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }))
        .await;
    ends(&mut acp, turn, "cancelled").await;
    let beside = acp
        .call("session/prompt", prompt(&session, "/feature other"))
        .await;
    assert_eq!(beside["error"]["code"], -32602, "{beside}");
    let turn = acp.ask("session/prompt", prompt(&session, "/search hello")).await;
    ends(&mut acp, turn, "end_turn").await;
    acp.update(|update| {
        update["content"]["text"]
            .as_str()
            .unwrap_or_default()
            .contains("app.py")
    })
    .await;
    for command in ["/review", "/resume"] {
        let turn = acp.ask("session/prompt", prompt(&session, command)).await;
        let asked = question(&mut acp, turn, APPLY).await;
        let outcome = json!({ "outcome": { "outcome": "cancelled" } });
        acp.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": outcome }))
            .await;
        ends(&mut acp, turn, "cancelled").await;
    }
    // Whoever goes away inside a question leaves it to who comes.
    let turn = acp.ask("session/prompt", prompt(&session, "/review")).await;
    question(&mut acp, turn, APPLY).await;
    drop(acp);
    let mut acp = Acp::connect(&world).await;
    acp.go_to("session/resume", &world, &session).await;
    let asked = acp.next().await;
    let turn = acp.ask("session/prompt", prompt(&session, "/resume")).await;
    acp.until_withdrawn(&asked).await;
    let asked = question(&mut acp, turn, APPLY).await;
    acp.choose(&asked, "accept").await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn an_answer_for_always_holds_for_the_session() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn, APPLY).await;
    assert_eq!(options(&asked)[..4], PERMISSION);
    assert_eq!(options(&asked)[4..], [("modify", "reject_once")]);
    acp.choose(&asked, "accept_always").await;
    ends(&mut acp, turn, "end_turn").await;
    let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!(world.commits(), 3);
    // Another session asks.
    let other = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&other, "Add greetings")).await;
    let asked = question(&mut acp, turn, APPLY).await;
    acp.choose(&asked, "reject_always").await;
    ends(&mut acp, turn, "end_turn").await;
    let turn = acp.ask("session/prompt", prompt(&other, "Add greetings")).await;
    ends(&mut acp, turn, "end_turn").await;
    // Until something else is chosen, also while it is asked.
    let set = |value: &str| json!({ "sessionId": other, "configId": "review", "value": value });
    let answer = acp.call("session/set_config_option", set("ask")).await;
    assert_eq!(option(&answer["result"]["configOptions"], "review").1, "ask");
    let turn = acp.ask("session/prompt", prompt(&other, "Add greetings")).await;
    let asked = question(&mut acp, turn, APPLY).await;
    let setting = acp.ask("session/set_config_option", set("reject")).await;
    acp.until(setting).await;
    acp.until_withdrawn(&asked).await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!(world.commits(), 3);
}

#[tokio::test]
async fn a_client_that_fills_forms_is_asked_for_words_in_the_turn() {
    let world = World::new().await;
    let abilities = json!({ "elicitation": { "form": {} }, "session": { "notices": {} } });
    let mut acp = Acp::connect_with(&world, abilities).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn, APPLY).await;
    acp.choose(&asked, "modify").await;
    let form = acp.until(turn).await;
    assert_eq!(form["method"], "elicitation/create", "{form}");
    let schema = &form["params"]["requestedSchema"];
    assert_eq!(schema["required"], json!(["feedback"]), "{form}");
    let filled = json!({ "action": "accept", "content": { "feedback": "shout it" } });
    acp.send(&json!({ "jsonrpc": "2.0", "id": form["id"], "result": filled }))
        .await;
    let asked = question(&mut acp, turn, APPLY).await;
    acp.choose(&asked, "modify").await;
    let form = acp.until(turn).await;
    // A form that is not filled is as no form.
    acp.send(&json!({ "jsonrpc": "2.0", "id": form["id"], "result": { "action": "decline" } }))
        .await;
    ends(&mut acp, turn, "end_turn").await;
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    until_status(&world, id, "awaiting_decision").await;
    assert!(
        said(&acp).ends_with("Your next message is the feedback."),
        "{}",
        said(&acp)
    );
    // What is worth knowing comes as notices, and what was used as usage.
    let kinds: Vec<&str> = acp
        .updates
        .iter()
        .map(|update| update["sessionUpdate"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"notice"), "{kinds:?}");
    let used = acp
        .updates
        .iter()
        .filter(|update| update["sessionUpdate"] == "usage_update");
    for update in used.clone() {
        assert!(update["used"].as_u64() <= update["size"].as_u64(), "{update}");
    }
    assert!(used.count() >= 4);
}
