//! What the Agent Client Protocol asks of an agent, the same on every transport.

use serde_json::{Value, json};

use crate::{
    acp_client::{
        Acp, on_each_transport, prompt,
        wire::{Transport, Wire},
    },
    world::{World, of, until},
};

on_each_transport!(
    versions_are_negotiated,
    who_signs_out_signs_in_again,
    a_session_is_begun_listed_found_again_and_deleted,
    a_workflow_gets_to_a_commit,
    each_answer_to_a_question_is_obeyed,
    a_turn_is_cancelled_in_two_ways,
    options_and_modes_are_chosen,
    it_ends_with_its_client_and_the_work_goes_on,
);

/// The newest version that is spoken.
const LATEST: u64 = 2;

async fn versions_are_negotiated(transport: Transport) {
    let world = transport.world().await;
    for (asked, expect) in [
        (json!(1), Ok(1)),
        (json!(2), Ok(2)),
        (json!(3), Ok(LATEST)),
        (json!(0), Ok(1)),
        (json!(65_535), Ok(LATEST)),
        (json!(65_536), Err(-32602)),
        (json!(-1), Err(-32602)),
        (json!("1"), Err(-32602)),
        (json!(1.5), Err(-32602)),
        (Value::Null, Err(-32602)),
    ] {
        let mut acp = Acp::silent(transport, &world).await;
        let answer = acp.call("initialize", hello(&asked)).await;
        let got = match answer["error"]["code"].as_i64() {
            Some(code) => Err(code),
            None => Ok(answer["result"]["protocolVersion"].as_u64().unwrap()),
        };
        assert_eq!(got, expect, "{asked}: {answer}");
        if got.is_err() {
            // Who was misunderstood may say it better.
            let answer = acp.call("initialize", hello(&json!(1))).await;
            assert_eq!(answer["result"]["protocolVersion"], 1, "{asked}: {answer}");
        }
        acp.leave().await;
    }
}

/// As every version wants it.
fn hello(version: &Value) -> Value {
    json!({
        "protocolVersion": version, "clientCapabilities": {},
        "info": { "name": "tests", "version": "1.0.0" }, "capabilities": {},
    })
}

async fn who_signs_out_signs_in_again(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let methods = acp.hello["authMethods"].as_array().unwrap();
    assert_eq!(methods[0]["id"], "local", "{methods:?}");
    let session = acp.session(&world).await;
    let out = acp.call("logout", json!({})).await;
    assert_eq!(out["result"], json!({}), "{out}");
    let refused = acp.go_to("session/resume", &world, &session).await;
    assert_eq!(refused["error"]["code"], -32000, "{refused}");
    let unknown = acp.call("authenticate", json!({ "methodId": "none" })).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let signed_in = acp.call("authenticate", json!({ "methodId": "local" })).await;
    assert_eq!(signed_in["result"], json!({}), "{signed_in}");
    let resumed = acp.go_to("session/resume", &world, &session).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
}

async fn a_session_is_begun_listed_found_again_and_deleted(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let listed = acp.call("session/list", json!({ "cwd": world.repo() })).await;
    let sessions = listed["result"]["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1, "{listed}");
    assert_eq!(sessions[0]["sessionId"], session.as_str(), "{listed}");
    commits(&mut acp, &session, "Add greetings", 2, &world).await;
    acp.leave().await;

    let mut acp = Acp::over(transport, &world).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert!(loaded["result"]["configOptions"].is_array(), "{loaded}");
    let story = acp.story();
    for part in ["user_message_chunk: Add greetings", "tool_call"] {
        assert!(
            story.iter().any(|line| line.starts_with(part)),
            "{part} {story:#?}"
        );
    }
    acp.leave().await;

    let mut acp = Acp::over(transport, &world).await;
    let resumed = acp.go_to("session/resume", &world, &session).await;
    assert!(resumed["result"]["modes"].is_object(), "{resumed}");
    let replayed: Vec<&Value> = acp
        .updates
        .iter()
        .filter(|update| update["sessionUpdate"] == "user_message_chunk")
        .collect();
    assert_eq!(replayed, Vec::<&Value>::new());
    let by_id = json!({ "sessionId": session });
    let closed = acp.call("session/close", by_id.clone()).await;
    assert_eq!(closed["result"], json!({}), "{closed}");
    // Closed is not gone.
    let resumed = acp.go_to("session/resume", &world, &session).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
    for _ in 0..2 {
        let deleted = acp.call("session/delete", by_id.clone()).await;
        assert_eq!(deleted["result"], json!({}), "{deleted}");
    }
    let listed = acp.call("session/list", json!({})).await;
    assert_eq!(listed["result"]["sessions"], json!([]), "{listed}");
    let gone = acp.go_to("session/load", &world, &session).await;
    assert_eq!(gone["error"]["code"], -32002, "{gone}");
}

/// A prompt up to its end, where the first question is answered with yes.
async fn commits(acp: &mut Acp, session: &str, text: &str, expect: usize, world: &World) {
    let turn = acp.ask("session/prompt", prompt(session, text)).await;
    let question = question(acp, turn).await;
    acp.choose(&question, "accept").await;
    ends(acp, turn, "end_turn").await;
    assert_eq!(world.commits(), expect);
}

async fn question(acp: &mut Acp, turn: u64) -> Value {
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    question
}

async fn ends(acp: &mut Acp, turn: u64, reason: &str) {
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], reason, "{answer}");
}

async fn a_workflow_gets_to_a_commit(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn).await;
    let contents = asked["params"]["toolCall"]["content"].as_array().unwrap();
    let diff = contents.iter().find(|content| content["type"] == "diff").unwrap();
    assert_eq!(diff["path"], world.repo().join("app.py").display().to_string());
    acp.choose(&asked, "modify").await;
    ends(&mut acp, turn, "end_turn").await;
    commits(&mut acp, &session, "shout it", 2, &world).await;
    assert!(world.read("greeting.py").contains("HELLO"));
    let story = acp.story();
    for part in ["plan", "tool_call: ", "agent_message_chunk: ", "usage_update"] {
        assert!(
            story.iter().any(|line| line.starts_with(part)),
            "{part}: {story:#?}"
        );
    }
}

/// What a client can answer, how the turn ends, and what then is in the folder.
async fn each_answer_to_a_question_is_obeyed(transport: Transport) {
    let chosen =
        |option: &str| json!({ "result": { "outcome": { "outcome": "selected", "optionId": option } } });
    for (answer, reason, commits) in [
        (chosen("accept"), "end_turn", 2),
        (chosen("accept_always"), "end_turn", 2),
        (chosen("reject"), "end_turn", 1),
        (chosen("reject_always"), "end_turn", 1),
        (chosen("modify"), "end_turn", 1),
        (chosen("of another agent"), "cancelled", 1),
        (
            json!({ "result": { "outcome": { "outcome": "cancelled" } } }),
            "cancelled",
            1,
        ),
        (
            json!({ "result": { "outcome": { "outcome": "new" } } }),
            "cancelled",
            1,
        ),
        (json!({ "result": null }), "cancelled", 1),
        (
            json!({ "error": { "code": -32601, "message": "Method not found" } }),
            "cancelled",
            1,
        ),
    ] {
        let world = transport.world().await;
        let mut acp = Acp::over(transport, &world).await;
        let session = acp.session(&world).await;
        let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
        let asked = question(&mut acp, turn).await;
        let mut message = answer.clone();
        message["jsonrpc"] = json!("2.0");
        message["id"] = asked["id"].clone();
        acp.send(&message).await;
        let ended = acp.until(turn).await;
        assert_eq!(ended["result"]["stopReason"], reason, "{answer}: {ended}");
        assert_eq!(world.commits(), commits, "{answer}");
        // The session is there, whatever was answered.
        let listed = acp.call("session/list", json!({})).await;
        assert_eq!(
            listed["result"]["sessions"][0]["sessionId"],
            session.as_str(),
            "{answer}: {listed}"
        );
    }
}

async fn a_turn_is_cancelled_in_two_ways(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    world.ollama.gate().close();
    for (before, by_request) in [false, true].into_iter().enumerate() {
        let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
        world
            .ollama
            .wait_for(|records| of(records, "plan").len() > before)
            .await;
        if by_request {
            acp.notify("$/cancel_request", json!({ "requestId": turn })).await;
        } else {
            acp.notify("session/cancel", json!({ "sessionId": session }))
                .await;
        }
        ends(&mut acp, turn, "cancelled").await;
    }
    // What has ended, or never was, cannot be cancelled, and that is no fault.
    acp.notify("session/cancel", json!({ "sessionId": session }))
        .await;
    acp.notify("session/cancel", json!({ "sessionId": "none" })).await;
    acp.notify("$/cancel_request", json!({ "requestId": 4_711 }))
        .await;
    acp.notify("$/cancel_request", json!({ "requestId": "none" }))
        .await;
    world.ollama.gate().open();
    commits(&mut acp, &session, "Add greetings", 2, &world).await;
}

async fn options_and_modes_are_chosen(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let params = json!({ "cwd": world.repo(), "mcpServers": [] });
    let begun = acp.call("session/new", params).await;
    let session = begun["result"]["sessionId"].as_str().unwrap().to_owned();
    let modes = begun["result"]["modes"]["availableModes"].as_array().unwrap();
    assert!(modes.iter().any(|mode| mode["id"] == "plan_first"), "{begun}");
    let mode = |mode: &str| json!({ "sessionId": session, "modeId": mode });
    let set = acp.call("session/set_mode", mode("plan_first")).await;
    assert_eq!(set["result"], json!({}), "{set}");
    let option = |id: &str, value: Value| json!({ "sessionId": session, "configId": id, "value": value });
    let set = acp
        .call("session/set_config_option", option("review", json!("accept")))
        .await;
    let options = set["result"]["configOptions"].as_array().unwrap();
    let value = |id: &str| {
        let option = options.iter().find(|option| option["id"] == id).unwrap();
        option["currentValue"].clone()
    };
    assert_eq!(
        (value("mode"), value("review")),
        (json!("plan_first"), json!("accept"))
    );
    for (method, params) in [
        ("session/set_mode", mode("none")),
        ("session/set_config_option", option("none", json!("x"))),
        ("session/set_config_option", option("review", json!("maybe"))),
        ("session/set_config_option", option("review", json!(7))),
    ] {
        let refused = acp.call(method, params.clone()).await;
        assert_eq!(refused["error"]["code"], -32602, "{params}: {refused}");
    }
    // Nobody is asked now.
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!(world.commits(), 2);
}

/// The client goes in the middle of a turn. Who comes back finds the session,
/// and the work done or going on.
async fn it_ends_with_its_client_and_the_work_goes_on(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    world.ollama.gate().close();
    acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    world.until_asked("plan").await;
    if let Some(status) = acp.leave().await {
        assert!(status.success(), "{status}");
    }
    world.ollama.gate().open();
    let mut acp = Acp::over(transport, &world).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
    let asked = acp.next().await;
    assert_eq!(asked["method"], "session/request_permission", "{asked}");
    acp.choose(&asked, "accept").await;
    until("a commit", || (world.commits() == 2).then_some(())).await;
    if let Wire::Program(_) = acp.wire() {
        acp.leave().await;
    }
}
