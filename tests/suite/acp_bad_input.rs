//! What a client of the Agent Client Protocol can get wrong, on every transport:
//! each has an answer as JSON-RPC 2.0 wants it, the next request works, no
//! session is lost and no process dies.

use serde_json::{Value, json};

use crate::{
    acp_client::{
        Acp, on_each_transport, prompt,
        wire::{Transport, Wire},
    },
    world::{PATIENCE, until},
};

on_each_transport!(
    what_is_no_good_message_is_answered_and_the_next_one_works,
    what_comes_before_its_time_is_refused,
    what_cannot_be_a_frame_is_refused,
    folders_that_cannot_be_worked_in_are_named,
    two_prompts_at_once_are_one_turn,
    a_question_outlives_who_does_not_answer_it,
);

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
enum Back {
    /// An error with this code, for this id.
    Error(i64, Value),
    /// A result for this id.
    Result(Value),
    /// Nothing at all.
    Nothing,
}

/// Messages that are sent as they are, with what comes back.
fn messages() -> Vec<(String, Back)> {
    let nobody = |code| Back::Error(code, Value::Null);
    let list = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"session/list","params":{{}}}}"#);
    let call = |id: i64, method: &str, params: Value| {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
    };
    let text = json!({ "type": "text", "text": "a" });
    vec![
        // No JSON.
        ("{".to_owned(), nobody(-32700)),
        ("hello".to_owned(), nobody(-32700)),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"session/list""#.to_owned(),
            nobody(-32700),
        ),
        ("[".repeat(5_000), nobody(-32700)),
        // No message.
        ("17".to_owned(), nobody(-32600)),
        ("null".to_owned(), nobody(-32600)),
        ("\"session/list\"".to_owned(), nobody(-32600)),
        ("{}".to_owned(), nobody(-32600)),
        (r#"{"id":1,"method":"session/list"}"#.to_owned(), nobody(-32600)),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"session/list"}"#.to_owned(),
            nobody(-32600),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_owned(),
            nobody(-32600),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"session/list","params":"x"}"#.to_owned(),
            nobody(-32600),
        ),
        // Batches.
        ("[]".to_owned(), nobody(-32600)),
        (format!("[{}]", list("1")), nobody(-32600)),
        (format!("[{},{}]", list("1"), list("2")), nobody(-32600)),
        // Ids.
        (list("\"one\""), Back::Result(json!("one"))),
        (list("\"\""), Back::Result(json!(""))),
        (list("-7"), Back::Result(json!(-7))),
        (
            list("9007199254740993"),
            Back::Result(json!(9_007_199_254_740_993_i64)),
        ),
        (list("null"), Back::Result(Value::Null)),
        (list("1.5"), nobody(-32600)),
        (list("true"), nobody(-32600)),
        (list("{}"), nobody(-32600)),
        (list("[1]"), nobody(-32600)),
        (
            r#"{"jsonrpc":"2.0","method":"session/list","params":{}}"#.to_owned(),
            Back::Nothing,
        ),
        // Methods and notifications.
        (
            call(11, "session/none", json!({})),
            Back::Error(-32601, json!(11)),
        ),
        (
            call(12, "_somebody/else", json!({})),
            Back::Error(-32601, json!(12)),
        ),
        (call(13, "$/none", json!({})), Back::Error(-32601, json!(13))),
        (call(14, "", json!({})), Back::Error(-32601, json!(14))),
        (
            call(15, "session/update", json!({})),
            Back::Error(-32601, json!(15)),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"none/at_all"}"#.to_owned(),
            Back::Nothing,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"$/none","params":{}}"#.to_owned(),
            Back::Nothing,
        ),
        (
            r#"{"jsonrpc":"2.0","method":"$/cancel_request","params":{}}"#.to_owned(),
            Back::Nothing,
        ),
        // Answers that nobody waits for.
        (
            r#"{"jsonrpc":"2.0","id":99,"result":{}}"#.to_owned(),
            Back::Nothing,
        ),
        (
            r#"{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"x"}}"#.to_owned(),
            Back::Nothing,
        ),
        (
            r#"{"jsonrpc":"2.0","id":99,"result":{},"error":{}}"#.to_owned(),
            Back::Nothing,
        ),
        // Parameters.
        (
            call(21, "session/new", json!({ "cwd": "/" })),
            Back::Error(-32602, json!(21)),
        ),
        (
            call(22, "session/new", json!({ "mcpServers": [] })),
            Back::Error(-32602, json!(22)),
        ),
        (call(23, "session/new", json!([])), Back::Error(-32602, json!(23))),
        (
            call(24, "session/new", json!({ "cwd": 7, "mcpServers": [] })),
            Back::Error(-32602, json!(24)),
        ),
        (
            call(25, "session/new", json!({ "cwd": "", "mcpServers": [] })),
            Back::Error(-32602, json!(25)),
        ),
        (
            call(26, "session/list", json!({ "cursor": 7 })),
            Back::Error(-32602, json!(26)),
        ),
        (
            call(27, "authenticate", json!({})),
            Back::Error(-32602, json!(27)),
        ),
        (
            call(
                28,
                "session/prompt",
                json!({ "sessionId": "none", "prompt": [text] }),
            ),
            Back::Error(-32002, json!(28)),
        ),
        (
            call(
                29,
                "session/prompt",
                json!({ "sessionId": "none", "prompt": [{ "type": "smell" }] }),
            ),
            Back::Error(-32602, json!(29)),
        ),
        (
            call(
                30,
                "session/prompt",
                json!({ "sessionId": "none", "prompt": "a" }),
            ),
            Back::Error(-32602, json!(30)),
        ),
        (
            call(
                31,
                "session/load",
                json!({ "sessionId": "none", "cwd": "/", "mcpServers": [] }),
            ),
            Back::Error(-32002, json!(31)),
        ),
        (
            call(32, "session/close", json!({ "sessionId": "../../etc/passwd" })),
            Back::Error(-32002, json!(32)),
        ),
        (
            call(
                33,
                "session/set_mode",
                json!({ "sessionId": "none", "modeId": "x" }),
            ),
            Back::Error(-32002, json!(33)),
        ),
    ]
}

async fn what_is_no_good_message_is_answered_and_the_next_one_works(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    for (text, expect) in messages() {
        acp.send_text(&text).await;
        if expect != Back::Nothing {
            let answer = acp.next().await;
            let id = answer["id"].clone();
            let got = match answer.get("error") {
                Some(error) => Back::Error(error["code"].as_i64().unwrap(), id),
                None => Back::Result(id),
            };
            let shown: String = text.chars().take(200).collect();
            assert_eq!(got, expect, "{shown}: {answer}");
        }
        // What comes next is the answer to this, and to nothing else.
        let listed = acp.call("session/list", json!({})).await;
        assert_eq!(
            listed["result"]["sessions"][0]["sessionId"],
            session.as_str(),
            "{text}: {listed}"
        );
    }
    for text in ["x", "/review x", "/search x", "/fix x"] {
        let long = text.replace('x', &"x".repeat(20_000));
        let refused = acp.call("session/prompt", prompt(&session, &long)).await;
        assert_eq!(refused["error"]["data"]["code"], "E1005", "{text}: {refused}");
    }
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = acp.until(turn).await;
    acp.choose(&asked, "accept").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    assert_eq!(world.commits(), 2);
}

async fn what_comes_before_its_time_is_refused(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::silent(transport, &world).await;
    let early = json!({ "jsonrpc": "2.0", "id": 1, "method": "session/list", "params": {} }).to_string();
    acp.send_text(&early).await;
    match acp.wire().status() {
        // There is no connection that it could be on.
        Some(status) => assert_eq!(status, 400),
        None => {
            let answer = acp.next().await;
            assert_eq!(answer["error"]["code"], -32600, "{answer}");
        }
    }
    let hello = json!({ "protocolVersion": 1, "clientCapabilities": {} });
    let answer = acp.call("initialize", hello.clone()).await;
    assert_eq!(answer["result"]["protocolVersion"], 1, "{answer}");
    let session = acp.session(&world).await;
    // Again: a second greeting, and what was there still is.
    if transport != Transport::Http {
        let again = acp.call("initialize", hello).await;
        assert!(
            again["error"]["code"] == -32600 || again["result"].is_object(),
            "{again}"
        );
    }
    let listed = acp.call("session/list", json!({})).await;
    assert_eq!(
        listed["result"]["sessions"][0]["sessionId"],
        session.as_str(),
        "{listed}"
    );
}

/// Bytes that are no text, and texts without end.
async fn what_cannot_be_a_frame_is_refused(transport: Transport) {
    let world = transport.world().await;
    let session = {
        let mut acp = Acp::over(transport, &world).await;
        let session = acp.session(&world).await;
        acp.leave().await;
        session
    };
    let no_text =
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session/list\",\"params\":{\"cwd\":\"/\xff\"}}".to_vec();
    let endless = [
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"".to_vec(),
        vec![b'x'; 17 * 1024 * 1024],
    ]
    .concat();
    for (bytes, code, status) in [(no_text, -32700, 400), (endless, -32600, 413)] {
        let mut acp = Acp::over(transport, &world).await;
        match transport {
            Transport::Alone | Transport::Joined => {
                acp.send_bytes(&bytes).await;
                let answer = acp.next().await;
                assert_eq!(
                    (&answer["id"], &answer["error"]["code"]),
                    (&Value::Null, &json!(code)),
                    "{answer}"
                );
            }
            Transport::Http => {
                acp.send_bytes(&bytes).await;
                assert_eq!(acp.wire().status(), Some(status));
            }
            Transport::Socket => {
                // Binary frames are not of the protocol, and passed over.
                acp.send_bytes(&bytes[..50]).await;
                if code == -32600 {
                    let text = String::from_utf8(bytes).unwrap();
                    // It may be refused before it was sent to its end.
                    if let Wire::Socket(socket) = acp.wire() {
                        let message = tokio_tungstenite::tungstenite::Message::text(text);
                        let _refused = futures::SinkExt::send(socket, message).await;
                    }
                    let ended = tokio::time::timeout(PATIENCE, async {
                        while acp.wire().receive().await.is_some() {}
                    });
                    ended.await.expect("the connection is closed");
                    acp = Acp::over(transport, &world).await;
                }
            }
        }
        let resumed = acp.go_to("session/resume", &world, &session).await;
        assert_eq!(resumed["error"], Value::Null, "{resumed}");
        acp.leave().await;
    }
}

async fn folders_that_cannot_be_worked_in_are_named(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    for cwd in ["repo", "./repo", "../repo", "", "/nowhere/at/all", "~"] {
        let params = json!({ "cwd": cwd, "mcpServers": [] });
        let refused = acp.call("session/new", params).await;
        assert_eq!(refused["error"]["code"], -32602, "{cwd}: {refused}");
    }
    let file = json!({ "cwd": world.repo().join("app.py"), "mcpServers": [] });
    let refused = acp.call("session/new", file).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    // One that vanishes while a session is about it.
    let folder = world.path("gone");
    std::fs::create_dir(&folder).unwrap();
    let begun = acp
        .call("session/new", json!({ "cwd": folder, "mcpServers": [] }))
        .await;
    let session = begun["result"]["sessionId"].as_str().unwrap().to_owned();
    std::fs::remove_dir(&folder).unwrap();
    let refused = acp
        .call("session/prompt", prompt(&session, "Add greetings"))
        .await;
    assert_eq!(refused["error"]["data"]["code"], "E1201", "{refused}");
    std::fs::create_dir(&folder).unwrap();
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = acp.until(turn).await;
    assert_eq!(asked["method"], "session/request_permission", "{asked}");
    acp.choose(&asked, "reject").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
}

async fn two_prompts_at_once_are_one_turn(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    world.ollama.gate().close();
    let first = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    world.until_asked("plan").await;
    let second = acp
        .call("session/prompt", prompt(&session, "with a full stop"))
        .await;
    assert_eq!(second["result"]["stopReason"], "end_turn", "{second}");
    assert!(
        second["result"]["_meta"]["agentic_ide"]["remark"].is_object(),
        "{second}"
    );
    world.ollama.gate().open();
    let asked = acp.until(first).await;
    assert_eq!(asked["method"], "session/request_permission", "{asked}");
    acp.choose(&asked, "accept").await;
    assert_eq!(acp.until(first).await["result"]["stopReason"], "end_turn");
    assert_eq!(world.commits(), 2);
}

/// The client is asked, and goes without a word. Who comes next is asked again.
async fn a_question_outlives_who_does_not_answer_it(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = acp.until(turn).await;
    assert_eq!(asked["method"], "session/request_permission", "{asked}");
    // It never answers, but it says other things.
    let listed = acp.call("session/list", json!({})).await;
    assert_eq!(
        listed["result"]["sessions"][0]["sessionId"],
        session.as_str(),
        "{listed}"
    );
    // An answer to another question is none to this one.
    acp.send(&json!({ "jsonrpc": "2.0", "id": "another", "result": { "outcome": { "outcome": "selected", "optionId": "accept" } } }))
        .await;
    acp.leave().await;
    assert_eq!(world.commits(), 1);

    let mut acp = Acp::over(transport, &world).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
    let asked = acp.next().await;
    assert_eq!(asked["method"], "session/request_permission", "{asked}");
    acp.choose(&asked, "accept").await;
    until("a commit", || (world.commits() == 2).then_some(())).await;
}
