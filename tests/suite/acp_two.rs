//! Version 2 of the Agent Client Protocol, the same on every transport: what it
//! asks of an agent, and where it differs from version 1.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, on_each_transport, prompt, wire::Transport},
    world::{SCRIPT, World},
};

on_each_transport!(
    a_prompt_is_taken_and_its_workflow_gets_to_a_commit,
    a_session_is_found_again_with_and_without_its_history,
    what_is_said_meanwhile_is_told_to_who_said_it,
    what_version_one_has_alone_is_not_there,
);

async fn begin(acp: &mut Acp, world: &World) -> Value {
    let mut begun = acp.call("session/new", json!({ "cwd": world.repo() })).await;
    begun["result"].take()
}

async fn session(acp: &mut Acp, world: &World) -> String {
    let begun = begin(acp, world).await;
    begun["sessionId"].as_str().unwrap().to_owned()
}

/// A prompt, as far as it is taken; the message it became.
async fn say(acp: &mut Acp, session: &str, text: &str) -> String {
    let taken = acp.call("session/prompt", prompt(session, text)).await;
    let id = taken["result"]["messageId"].as_str();
    id.unwrap_or_else(|| panic!("{taken}")).to_owned()
}

async fn question(acp: &mut Acp) -> Value {
    let question = acp.next().await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    question
}

/// Reads until the session does nothing; why.
async fn idle(acp: &mut Acp) -> Value {
    acp.update(|update| update["sessionUpdate"] == "state_update" && update["state"] == "idle")
        .await;
    acp.updates.last().unwrap()["stopReason"].clone()
}

/// The states that were told.
fn states(acp: &Acp) -> Vec<&str> {
    let updates = acp.updates.iter();
    let states = updates.filter(|update| update["sessionUpdate"] == "state_update");
    states.map(|update| update["state"].as_str().unwrap()).collect()
}

/// Messages as a client puts them together: by their ids, in order, with who
/// speaks.
fn messages(acp: &Acp) -> Vec<(String, String, String)> {
    let mut messages: Vec<(String, String, String)> = Vec::new();
    for update in &acp.updates {
        let kind = update["sessionUpdate"].as_str().unwrap();
        let (who, text) = match kind {
            "user_message" => ("user", &update["content"][0]["text"]),
            "agent_message_chunk" => ("agent", &update["content"]["text"]),
            "agent_thought_chunk" => ("thought", &update["content"]["text"]),
            _ => continue,
        };
        let (id, text) = (update["messageId"].as_str().unwrap(), text.as_str().unwrap());
        match messages.iter_mut().find(|(known, ..)| known == id) {
            Some((_, known, said)) => {
                assert_eq!(known, who, "{update}");
                said.push_str(text);
            }
            None => messages.push((id.to_owned(), who.to_owned(), text.to_owned())),
        }
    }
    messages
}

async fn a_prompt_is_taken_and_its_workflow_gets_to_a_commit(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::two(transport, &world, json!({})).await;
    assert_eq!(acp.hello["protocolVersion"], 2);
    assert_eq!(acp.hello["authMethods"][0]["methodId"], "local", "{}", acp.hello);
    let begun = begin(&mut acp, &world).await;
    let session = begun["sessionId"].as_str().unwrap().to_owned();
    let commands = begun["availableCommands"].as_array().unwrap();
    assert!(
        commands.iter().any(|command| command["name"] == "plan"),
        "{begun}"
    );
    let options = begun["configOptions"].as_array().unwrap();
    assert!(
        options
            .iter()
            .any(|option| option["configId"] == "retrieval" && option["type"] == "boolean"),
        "{begun}"
    );
    let message = say(&mut acp, &session, "Add greetings").await;
    let asked = question(&mut acp).await;
    let params = &asked["params"];
    assert_eq!(params["title"], "Apply these changes?", "{asked}");
    assert_eq!(params["subject"]["type"], "tool_call", "{asked}");
    let contents = params["subject"]["toolCall"]["content"].as_array().unwrap();
    let diffs: Vec<&Value> = contents
        .iter()
        .filter(|content| content["type"] == "diff")
        .collect();
    let [old, new] = diffs[..] else { panic!("{asked}") };
    assert_eq!(
        (&old["changes"][0]["operation"], &new["changes"][0]["operation"]),
        (&json!("modify"), &json!("add")),
        "{asked}"
    );
    let path = world.repo().join("greeting.py").display().to_string();
    assert_eq!(new["changes"][0]["path"], path);
    let patch = new["patch"]["text"].as_str().unwrap();
    assert!(patch.contains("+def greet(name):"), "{patch}");
    acp.choose(&asked, "modify").await;
    assert_eq!(idle(&mut acp).await, "end_turn");
    let first = std::mem::take(&mut acp.updates);
    // What it is told next is what is to be changed.
    let words = say(&mut acp, &session, "shout it").await;
    let asked = question(&mut acp).await;
    acp.choose(&asked, "accept").await;
    assert_eq!(idle(&mut acp).await, "end_turn");
    assert_eq!(world.commits(), 2);
    assert!(world.read("greeting.py").contains("HELLO"));
    assert_eq!(states(&acp), ["running", "requires_action", "running", "idle"]);
    acp.updates.splice(0..0, first);
    let messages = messages(&acp);
    let heard: Vec<(&str, &str)> = messages
        .iter()
        .filter(|(_, who, _)| who == "user")
        .map(|(id, _, text)| (id.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        heard,
        [(message.as_str(), "Add greetings"), (words.as_str(), "shout it")]
    );
    for kind in [
        "plan_update",
        "tool_call_update",
        "usage_update",
        "session_info_update",
    ] {
        let is_there = acp.updates.iter().any(|update| update["sessionUpdate"] == kind);
        assert!(is_there, "{kind}: {:#?}", acp.updates);
    }
}

async fn a_session_is_found_again_with_and_without_its_history(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::two(transport, &world, json!({})).await;
    let session = session(&mut acp, &world).await;
    say(&mut acp, &session, "Add greetings").await;
    let asked = question(&mut acp).await;
    acp.choose(&asked, "accept").await;
    assert_eq!(idle(&mut acp).await, "end_turn");
    let told = messages(&acp);
    let listed = acp.call("session/list", json!({ "cwd": world.repo() })).await;
    assert_eq!(
        listed["result"]["sessions"][0]["sessionId"],
        session.as_str(),
        "{listed}"
    );
    acp.leave().await;

    let mut acp = Acp::two(transport, &world, json!({})).await;
    let at = |replay: Value| json!({ "sessionId": session, "cwd": world.repo(), "replayFrom": replay });
    let resumed = acp.call("session/resume", at(json!({ "type": "start" }))).await;
    assert!(resumed["result"]["configOptions"].is_array(), "{resumed}");
    assert_eq!(messages(&acp), told);
    assert_eq!(states(&acp), ["idle"]);
    assert_eq!(acp.updates.last().unwrap()["sessionUpdate"], "state_update");
    let unknown = acp
        .call("session/resume", at(json!({ "type": "_elsewhere" })))
        .await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    acp.leave().await;

    let mut acp = Acp::two(transport, &world, json!({})).await;
    let resumed = acp.call("session/resume", at(Value::Null)).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
    assert_eq!((messages(&acp), states(&acp)), (Vec::new(), vec!["idle"]));
    let by_id = json!({ "sessionId": session });
    let closed = acp.call("session/close", by_id.clone()).await;
    assert_eq!(closed["result"], json!({}), "{closed}");
    let deleted = acp.call("session/delete", by_id).await;
    assert_eq!(deleted["result"], json!({}), "{deleted}");
    let gone = acp.call("session/resume", at(Value::Null)).await;
    assert_eq!(gone["error"]["code"], -32002, "{gone}");
}

#[tokio::test]
async fn the_same_feedback_said_again_is_another_message() {
    // Each time the model does as it is told.
    let first = "  - match: { endpoint: chat, format: absent, contains: \"shout it\", nth: 1 }\n    \
                 respond: { text: \"greeting.py\\n```python\\ndef greet(name):\\n    return name.upper()\\n```\\n\" }\n";
    let script = SCRIPT.replace(
        "  - name: code again\n",
        &format!("{first}  - name: code again\n"),
    );
    let world = World::with(&script).await;
    let mut acp = Acp::two(Transport::Joined, &world, json!({})).await;
    let session = session(&mut acp, &world).await;
    let mut said = vec![say(&mut acp, &session, "Add greetings").await];
    let mut before = Vec::new();
    for _ in 0..2 {
        let asked = question(&mut acp).await;
        acp.choose(&asked, "modify").await;
        assert_eq!(idle(&mut acp).await, "end_turn");
        before.append(&mut acp.updates);
        said.push(say(&mut acp, &session, "shout it").await);
    }
    let asked = question(&mut acp).await;
    acp.updates.splice(0..0, before);
    let users = |acp: &Acp| {
        let messages = messages(acp).into_iter();
        let users = messages.filter(|(_, who, _)| who == "user");
        users.map(|(id, _, text)| (id, text)).collect::<Vec<_>>()
    };
    let texts = ["Add greetings", "shout it", "shout it"].map(str::to_owned);
    let expect: Vec<(String, String)> = said.iter().cloned().zip(texts).collect();
    assert_eq!(users(&acp), expect);
    assert_ne!(said[1], said[2]);
    // Whoever comes later is told the same messages.
    let mut later = Acp::two(Transport::Joined, &world, json!({})).await;
    let at = json!({ "sessionId": session, "cwd": world.repo(), "replayFrom": { "type": "start" } });
    let resumed = later.call("session/resume", at).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
    assert_eq!(users(&later), expect);
    acp.updates.clear();
    acp.choose(&asked, "reject").await;
    assert_eq!(idle(&mut acp).await, "end_turn");
}

#[tokio::test]
async fn a_deleted_file_is_told_as_deleted() {
    let text = "\
        *** Begin Patch\n\
        *** Update File: app.py\n\
        @@\n\
        -    print(\"hello\")\n\
        +    print(\"bye\")\n\
        *** Delete File: README.md\n\
        *** End Patch\n";
    let script = format!(
        "models: [{{ name: 'mistral:7b-instruct-v0.3-q4_K_M' }}]\n\
         rules:\n\
         - match: {{ format: present }}\n  respond: {{ json: {{ summary: s, steps: [a], files: [app.py, README.md], \
         stages: [{{ stage: test_generation, run: false, reason: none }}] }} }}\n\
         - respond: {{ text: {} }}\n",
        json!(text)
    );
    let mut world = World::prepared(&script).await;
    world.configure("ollama: { embed_model: null, edit_format: apply_patch }\n");
    world.start().await;
    let operations = |asked: &Value| -> Vec<(String, String)> {
        let contents = asked["params"]["subject"]["toolCall"]["content"]
            .as_array()
            .unwrap()
            .iter();
        let changes = contents.filter_map(|content| content["changes"].get(0));
        let name = |change: &Value| {
            change["path"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        };
        let mut all: Vec<_> = changes
            .map(|change| (name(change), change["operation"].as_str().unwrap().to_owned()))
            .collect();
        all.sort();
        all
    };
    let mut acp = Acp::two(Transport::Joined, &world, json!({})).await;
    let session = session(&mut acp, &world).await;
    say(&mut acp, &session, "Change one, delete one").await;
    let asked = question(&mut acp).await;
    let expect = [("README.md", "delete"), ("app.py", "modify")];
    let expect = expect.map(|(path, operation)| (path.to_owned(), operation.to_owned()));
    assert_eq!(operations(&asked), expect, "{asked}");
    acp.choose(&asked, "accept").await;
    assert_eq!(idle(&mut acp).await, "end_turn");
    assert!(world.read("app.py").contains("bye"));
    assert!(!world.repo().join("README.md").exists());
}

async fn what_is_said_meanwhile_is_told_to_who_said_it(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::two(transport, &world, json!({})).await;
    let session = session(&mut acp, &world).await;
    world.ollama.gate().close();
    say(&mut acp, &session, "Add greetings").await;
    world.until_asked("plan").await;
    let remark = say(&mut acp, &session, "in English").await;
    acp.update(|update| update["sessionUpdate"] == "user_message" && update["messageId"] == remark.as_str())
        .await;
    acp.notify("session/cancel", json!({ "sessionId": session }))
        .await;
    assert_eq!(idle(&mut acp).await, "cancelled");
    world.ollama.gate().open();
    acp.updates.clear();
    // What needs no workflow has the same states.
    let asked = say(&mut acp, &session, "/search hello").await;
    assert_eq!(idle(&mut acp).await, "end_turn");
    assert_eq!(states(&acp), ["running", "idle"]);
    let said = messages(&acp);
    assert_eq!(
        (said[0].0.as_str(), said[0].2.as_str()),
        (asked.as_str(), "/search hello")
    );
    assert!(said[1].2.contains("app.py"), "{said:?}");
    acp.updates.clear();
    // What the journal has nowhere is told all the same.
    let asked = say(&mut acp, &session, "/review").await;
    let said = loop {
        match messages(&acp).into_iter().find(|(id, ..)| *id == asked) {
            Some((_, who, text)) => break (who, text),
            None => acp.update(|update| update["messageId"] == asked.as_str()).await,
        }
    };
    assert_eq!(said, ("user".to_owned(), "/review".to_owned()));
    for (params, code) in [
        (json!({ "sessionId": session, "prompt": [] }), -32602),
        (prompt("none", "Add greetings"), -32002),
        (prompt(&session, " "), -32602),
    ] {
        let refused = acp.call("session/prompt", params.clone()).await;
        assert_eq!(refused["error"]["code"], code, "{params}: {refused}");
    }
}

async fn what_version_one_has_alone_is_not_there(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::two(transport, &world, json!({})).await;
    let session = session(&mut acp, &world).await;
    let at = json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [] });
    for (method, params) in [
        ("session/load", at),
        (
            "session/set_mode",
            json!({ "sessionId": session, "modeId": "plan_first" }),
        ),
        ("authenticate", json!({ "methodId": "local" })),
        ("logout", json!({})),
    ] {
        let refused = acp.call(method, params).await;
        assert_eq!(refused["error"]["code"], -32601, "{method}: {refused}");
    }
    let set = |id: &str, value: Value| json!({ "sessionId": session, "configId": id, "value": value });
    let mut switch = set("retrieval", json!(false));
    switch["type"] = json!("boolean");
    let mut choice = set("mode", json!("plan_first"));
    choice["type"] = json!("id");
    for (params, id, expect) in [
        (switch, "retrieval", json!(false)),
        (choice, "mode", json!("plan_first")),
    ] {
        let answer = acp.call("session/set_config_option", params).await;
        let options = answer["result"]["configOptions"].as_array().unwrap();
        let option = options.iter().find(|option| option["configId"] == id).unwrap();
        assert_eq!(option["currentValue"], expect, "{answer}");
    }
    let out = acp.call("auth/logout", json!({})).await;
    assert_eq!(out["result"], json!({}), "{out}");
    let refused = acp.call("session/list", json!({})).await;
    assert_eq!(refused["error"]["code"], -32000, "{refused}");
    let signed_in = acp.call("auth/login", json!({ "methodId": "local" })).await;
    assert_eq!(signed_in["result"], json!({}), "{signed_in}");
    let listed = acp.call("session/list", json!({})).await;
    assert_eq!(listed["error"], Value::Null, "{listed}");
}

#[tokio::test]
async fn who_comes_in_either_version_sees_the_same_session() {
    let world = World::new().await;
    let mut one = Acp::connect(&world).await;
    let session = one.session(&world).await;
    let turn = one.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let first = one.until(turn).await;
    let mut two = Acp::two(Transport::Joined, &world, json!({})).await;
    let at = json!({ "sessionId": session, "cwd": world.repo(), "replayFrom": { "type": "start" } });
    let resumed = two.call("session/resume", at).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
    assert_eq!(two.updates.last().unwrap()["state"], "requires_action");
    let asked = question(&mut two).await;
    two.choose(&asked, "accept").await;
    one.until_withdrawn(&first).await;
    assert_eq!(one.until(turn).await["result"]["stopReason"], "end_turn");
    assert_eq!(idle(&mut two).await, "end_turn");
    assert_eq!(world.commits(), 2);
}
