//! What goes wrong on purpose, the gate, and clients that leave.

use futures::StreamExt;
use scripted_ollama::{Outcome, Record, ScriptedOllama};
use serde_json::{Value, json};

use super::{MODEL, builder, get, json, lines, post, start, text};

fn chat(content: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": content}]})
}

fn ended(records: &[Record]) -> bool {
    records
        .last()
        .is_some_and(|record| record.outcome != Outcome::Running)
}

#[tokio::test]
async fn refuses_as_told() {
    let server = start(
        "rules: [{respond: {error: {status: 429, message: slow down, retry_after_secs: 7}}},
                 {match: {endpoint: version}, respond: {raw: {status: 200, content_type: text/html, body: <p>}}}]",
    )
    .await;
    let response = post(&server, "/api/chat", chat("x")).await;
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(json(response).await, (429, json!({"error": "slow down"})));
    let page = get(&server, "/api/version").await;
    assert_eq!(page.headers()["content-type"], "text/html");
    assert_eq!(json(page).await, (200, "<p>".into()));
}

#[tokio::test]
async fn errors_and_garbage_in_the_middle() {
    let server = start(
        "rules: [{match: {contains: garbage}, respond: {text: a b c, garbage_after_tokens: {tokens: 1, text: '<'}}},
                 {match: {contains: early}, respond: {text: a b, error_after_tokens: {tokens: 0, message: boom}}},
                 {respond: {text: a b c, error_after_tokens: {tokens: 2, message: boom}}}]",
    )
    .await;
    let stream = lines(post(&server, "/api/chat", chat("x")).await).await;
    assert_eq!(
        (text(&stream), stream.len(), &stream[2]),
        ("a b".to_owned(), 3, &json!({"error": "boom"}))
    );
    let stream = lines(post(&server, "/api/chat", chat("garbage")).await).await;
    assert_eq!((text(&stream), &stream[1]), ("a b c".to_owned(), &json!("<")));
    assert_eq!(
        json(post(&server, "/api/chat", chat("early")).await).await,
        (500, json!({"error": "boom"}))
    );
    let outcomes: Vec<Outcome> = server
        .requests()
        .into_iter()
        .map(|record| record.outcome)
        .collect();
    let error = |status| Outcome::Error {
        status,
        message: "boom".to_owned(),
    };
    assert_eq!(
        outcomes,
        [
            error(200),
            Outcome::Done {
                reason: "stop".to_owned()
            },
            error(500)
        ]
    );
}

#[tokio::test]
async fn cuts_and_early_ends() {
    let server = start(
        "rules: [{match: {contains: end}, respond: {text: a b c, end_after_tokens: 2}},
                 {respond: {text: a b c, cut_after_tokens: 2}}]",
    )
    .await;
    let stream = lines(post(&server, "/api/chat", chat("end")).await).await;
    assert_eq!((text(&stream), stream.len()), ("a b".to_owned(), 2));
    let mut pieces = post(&server, "/api/chat", chat("cut")).await.bytes_stream();
    let mut seen = Vec::new();
    let broke = loop {
        match pieces.next().await {
            Some(Ok(piece)) => seen.extend_from_slice(&piece),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broke);
    assert_eq!(String::from_utf8(seen).unwrap().lines().count(), 2);
    let outcomes: Vec<Outcome> = server
        .requests()
        .into_iter()
        .map(|record| record.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Cut, Outcome::Cut]);
}

#[tokio::test]
async fn torn_bytes_and_a_second_last_line() {
    let server = start("rules: [{respond: {text: 'é😀', bytes_per_write: 1, duplicate_done: true}}]").await;
    let response = post(&server, "/api/chat", chat("x")).await;
    let pieces: Vec<_> = response.bytes_stream().map(Result::unwrap).collect().await;
    assert!(
        pieces.iter().any(|piece| std::str::from_utf8(piece).is_err()),
        "no piece ends within a character"
    );
    let whole = String::from_utf8(pieces.concat()).unwrap();
    let done = whole
        .lines()
        .filter(|line| line.contains("\"done\":true"))
        .count();
    assert_eq!((whole.contains("é😀"), done), (true, 2));
}

#[tokio::test]
async fn false_numbers() {
    let server = start(
        "rules: [{match: {contains: none}, respond: {text: a, prompt_eval_count: -1}},
                 {respond: {text: a, prompt_eval_count: 17, done_reason: length}}]",
    )
    .await;
    let stream = lines(post(&server, "/api/chat", chat("x")).await).await;
    assert_eq!(
        (&stream[1]["prompt_eval_count"], &stream[1]["done_reason"]),
        (&json!(17), &json!("length"))
    );
    let stream = lines(post(&server, "/api/chat", chat("none")).await).await;
    assert_eq!(stream[1].get("prompt_eval_count"), None);
}

/// Reads one line of a stream that sends a line at a time.
async fn next_text(stream: &mut (impl StreamExt<Item = reqwest::Result<bytes::Bytes>> + Unpin)) -> String {
    let piece = stream.next().await.unwrap().unwrap();
    text(&[serde_json::from_slice(&piece).unwrap()])
}

#[tokio::test]
async fn the_gate_releases_line_by_line() {
    let server = start("rules: [{respond: {text: a b c}}]").await;
    let gate = server.gate();
    gate.close();
    gate.release(1);
    let mut stream = post(&server, "/api/chat", chat("x")).await.bytes_stream();
    assert_eq!(next_text(&mut stream).await, "a");
    assert_eq!(server.requests()[0].tokens_sent, 1);
    gate.release(1);
    assert_eq!(next_text(&mut stream).await, " b");
    assert_eq!(
        (server.requests()[0].tokens_sent, &server.requests()[0].outcome),
        (2, &Outcome::Running)
    );
    gate.open();
    assert_eq!(next_text(&mut stream).await, " c");
    let records = server.wait_for(ended).await;
    assert_eq!(
        records[0].outcome,
        Outcome::Done {
            reason: "stop".to_owned()
        }
    );
}

#[tokio::test]
async fn the_gate_over_http() {
    let server = start("rules: [{respond: {text: a b c}}]").await;
    for (command, status) in [
        (json!({"close": {}}), 204),
        (json!({"release": 1}), 204),
        (json!({"wait": 1}), 422),
    ] {
        let request = reqwest::Client::new()
            .post(server.url() + "/_scripted/gate")
            .json(&command);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    let mut stream = post(&server, "/api/chat", chat("x")).await.bytes_stream();
    assert_eq!(next_text(&mut stream).await, "a");
    let (_, records) = json(get(&server, "/_scripted/requests").await).await;
    let expect = json!([{
        "id": 1, "endpoint": "chat", "format": "ollama", "path": "/api/chat", "body": chat("x"),
        "rule": "rule 1", "call": 1, "faults": [], "loaded_model": true, "put_out": false, "prompt_tokens": 4, "messages_dropped": 0, "images": 0,
        "tokens_sent": 1, "outcome": {"kind": "running"}, "script_error": null,
    }]);
    assert_eq!(records, expect);
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_generation() {
    let server = start("rules: [{respond: {text: a b c d}}]").await;
    server.gate().close();
    server.gate().release(2);
    let mut stream = post(&server, "/api/chat", chat("x")).await.bytes_stream();
    assert_eq!(
        next_text(&mut stream).await + &next_text(&mut stream).await,
        "a b"
    );
    drop(stream);
    let records = server.wait_for(ended).await;
    assert_eq!(
        (records[0].tokens_sent, &records[0].outcome),
        (2, &Outcome::Disconnected)
    );
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_token() {
    let server = start("rules: [{respond: {text: a b, stall_after_tokens: 0}}]").await;
    let waiting = tokio::spawn(
        reqwest::Client::new()
            .post(server.url() + "/api/chat")
            .body(chat("x").to_string())
            .send(),
    );
    server
        .wait_for(|records| records.last().is_some_and(|record| record.rule.is_some()))
        .await;
    waiting.abort();
    let records = server.wait_for(ended).await;
    assert_eq!(
        (records[0].tokens_sent, &records[0].outcome),
        (0, &Outcome::Disconnected)
    );
}

#[tokio::test]
async fn a_killed_server_breaks_its_connections() {
    let mut server = start("rules: [{respond: {text: a b c, stall_after_tokens: 1}}]").await;
    let port = server.port();
    let mut stream = post(&server, "/api/chat", chat("x")).await.bytes_stream();
    assert_eq!(next_text(&mut stream).await, "a");
    server.abort();
    assert!(stream.next().await.unwrap().is_err());
    // Another one takes its place, as after a restart.
    let next = builder("rules: [{respond: {text: back}}]").port(port);
    let next: ScriptedOllama = next.start().await.unwrap();
    assert_eq!(
        text(&lines(post(&next, "/api/chat", chat("x")).await).await),
        "back"
    );
}

#[tokio::test]
async fn a_script_that_cannot_be_used() {
    let error = builder("rules: [{answer: x}]").start().await.unwrap_err();
    assert!(
        error.to_string().starts_with("the script cannot be used: "),
        "{error}"
    );
}
