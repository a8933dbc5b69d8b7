//! OpenAI's format: chat completions and the list of models.

mod refusals;

use scripted_ollama::Format;
use serde_json::{Value, json};

use super::{EMBED_MODEL, MODEL, events, get, json, post, start};

const PATH: &str = "/v1/chat/completions";

fn user(content: &str) -> Value {
    json!({"role": "user", "content": content})
}

fn chat(content: &str) -> Value {
    json!({"model": MODEL, "messages": [user(content)]})
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

/// A chunk of the first request's answer.
fn chunk(delta: Value, finish_reason: Value) -> (String, Value) {
    let value = json!({
        "id": "chatcmpl-000001", "object": "chat.completion.chunk", "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
    });
    (String::new(), value)
}

fn done() -> (String, Value) {
    (String::new(), "[DONE]".into())
}

#[tokio::test]
async fn streams() {
    let server = start("rules: [{name: hi, respond: {text: 'hello you', thinking: hm}}]").await;
    let body = with(chat("one two"), "stream", json!(true));
    let stream = events(post(&server, PATH, &body).await).await;
    let expect = [
        chunk(
            json!({"role": "assistant", "content": "", "refusal": null}),
            Value::Null,
        ),
        chunk(json!({"reasoning_content": "hm"}), Value::Null),
        chunk(json!({"content": "hell"}), Value::Null),
        chunk(json!({"content": "o"}), Value::Null),
        chunk(json!({"content": " you"}), Value::Null),
        chunk(json!({}), json!("stop")),
        done(),
    ];
    assert_eq!(stream, expect);
    let record = &server.requests()[0];
    assert_eq!(
        (
            record.format,
            record.path.as_str(),
            record.model(),
            record.last_message("user"),
            record.prompt_tokens
        ),
        (Format::OpenAi, PATH, MODEL, "one two", 5)
    );
    assert_eq!((record.rule.as_deref(), record.tokens_sent), (Some("hi"), 4));
}

#[tokio::test]
async fn a_stream_ends_with_the_usage_if_asked() {
    let server = start("rules: [{respond: {text: 'a b', thinking: hm}}]").await;
    let body = with(chat("x"), "stream", json!(true));
    let body = with(body, "stream_options", json!({"include_usage": true}));
    let stream = events(post(&server, PATH, body).await).await;
    let usage = json!({
        "prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 1},
    });
    assert_eq!(stream[0].1["usage"], Value::Null);
    assert!(stream[0].1.get("usage").is_some());
    let last = json!({"id": "chatcmpl-000001", "object": "chat.completion.chunk", "model": MODEL, "choices": [], "usage": usage});
    assert_eq!(stream[stream.len() - 2..], [(String::new(), last), done()]);
}

fn whole(id: u64, message: Value, finish_reason: &str, said: u64) -> Value {
    json!({
        "id": format!("chatcmpl-{id:06}"), "object": "chat.completion", "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": 4, "completion_tokens": said, "total_tokens": 4 + said,
            "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0},
        },
    })
}

#[tokio::test]
async fn answers_whole() {
    let server = start(
        "rules:
- match: { contains: deny }
  respond: { refusal: I may not }
- match: { contains: bad }
  respond: { text: a b c, blocked_after_tokens: 1 }
- respond: { text: one two three }",
    )
    .await;
    let check = async |id: u64, body: Value, message: Value, finish_reason: &str, said: u64| {
        let message = with(message, "role", json!("assistant"));
        let message = with(message, "annotations", json!([]));
        assert_eq!(
            json(post(&server, PATH, body).await).await,
            (200, whole(id, message, finish_reason, said))
        );
    };
    let said = |text: &str| json!({"content": text, "refusal": null});
    check(1, chat("x"), said("one two three"), "stop", 4).await;
    check(
        2,
        with(chat("x"), "max_tokens", json!(2)),
        said("one two"),
        "length",
        2,
    )
    .await;
    check(
        3,
        with(chat("x"), "max_completion_tokens", json!(1)),
        said("one"),
        "length",
        1,
    )
    .await;
    check(
        4,
        with(chat("x"), "stop", json!(["three", " tw"])),
        said("one"),
        "stop",
        1,
    )
    .await;
    check(
        5,
        chat("deny"),
        json!({"content": null, "refusal": "I may not"}),
        "stop",
        3,
    )
    .await;
    check(6, chat("bad"), said("a"), "content_filter", 1).await;
}

fn weather(strict: bool) -> Value {
    json!([{"type": "function", "function": {
        "name": "weather", "description": "tells it", "strict": strict,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                       "additionalProperties": false},
    }}])
}

const CALLS: &str = "rules:
- match: { lacks: sunny, in: all }
  respond: { tool_calls: [{ name: weather, arguments: { city: Bern } }, { name: weather, arguments: { city: Rom } }] }
- respond: { text: warm }";

#[tokio::test]
async fn calls_tools() {
    let server = start(CALLS).await;
    let body = with(chat("x"), "tools", weather(true));
    let (_, answer) = json(post(&server, PATH, &body).await).await;
    let call = |index: u64, city: &str| {
        let arguments = json!({"city": city}).to_string();
        json!({"id": format!("call_000001_{index}"), "type": "function",
               "function": {"name": "weather", "arguments": arguments}})
    };
    let message = json!({"role": "assistant", "content": null, "refusal": null, "annotations": [],
                         "tool_calls": [call(0, "Bern"), call(1, "Rom")]});
    assert_eq!(
        (
            &answer["choices"][0]["message"],
            &answer["choices"][0]["finish_reason"]
        ),
        (&message, &json!("tool_calls"))
    );
    let result = |index: u64, text: &str| json!({"role": "tool", "tool_call_id": format!("call_000001_{index}"), "content": text});
    let mut answered = body.clone();
    answered["messages"] = json!([
        user("x"),
        message_sent(&message),
        result(1, "sunny"),
        result(0, "rain")
    ]);
    let (_, answer) = json(post(&server, PATH, answered).await).await;
    assert_eq!(answer["choices"][0]["message"]["content"], json!("warm"));

    let stream = events(post(&server, PATH, with(body, "stream", json!(true))).await).await;
    let mut calls = [(String::new(), String::new()), (String::new(), String::new())];
    for (_, data) in &stream {
        for part in data["choices"][0]["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let call = &mut calls[part["index"].as_u64().unwrap() as usize];
            call.0 += part["function"]["name"].as_str().unwrap_or_default();
            call.1 += part["function"]["arguments"].as_str().unwrap();
        }
    }
    let expect = |city: &str| ("weather".to_owned(), json!({"city": city}).to_string());
    assert_eq!(calls, [expect("Bern"), expect("Rom")]);
    assert_eq!(
        stream[stream.len() - 2].1["choices"][0]["finish_reason"],
        json!("tool_calls")
    );
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

/// The message as clients send it back.
fn message_sent(message: &Value) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": message["tool_calls"]})
}

#[tokio::test]
async fn a_call_that_the_request_does_not_allow_is_an_error_of_the_script() {
    let server = start(
        "rules:
- match: { contains: other }
  respond: { tool_calls: [{ name: other }] }
- respond: { tool_calls: [{ name: weather, arguments: { town: Bern } }] }",
    )
    .await;
    for content in ["other", "x"] {
        post(&server, PATH, with(chat(content), "tools", weather(false))).await;
    }
    assert_eq!(
        server.script_errors(),
        [
            "scripted-ollama: rule 1: the answer calls the tool \"other\", which the request does not offer",
            "scripted-ollama: rule 2: the arguments of the tool \"weather\" do not follow its schema: $ lacks the key \
             \"city\"",
        ]
    );
}

#[tokio::test]
async fn the_one_tool_that_must_be_called_takes_the_json() {
    let server =
        start("rules: [{match: {format: present}, respond: {json: {city: Bern}}}, {respond: {text: x}}]")
            .await;
    let ask = async |choice: Value| {
        let body = with(with(chat("x"), "tools", weather(true)), "tool_choice", choice);
        json(post(&server, PATH, body).await).await.1
    };
    for choice in [
        json!("required"),
        json!({"type": "function", "function": {"name": "weather"}}),
    ] {
        let answer = ask(choice).await;
        let message = &answer["choices"][0]["message"];
        assert_eq!(
            message["tool_calls"][0]["function"]["arguments"],
            json!(r#"{"city":"Bern"}"#)
        );
        assert_eq!(message["content"], Value::Null);
    }
    assert_eq!(
        ask(json!("auto")).await["choices"][0]["message"]["content"],
        json!("x")
    );
    let other = ask(json!({"type": "function", "function": {"name": "other"}})).await;
    let message =
        "Invalid value for 'tool_choice': no function named 'other' was specified in the 'tools' parameter.";
    assert_eq!(other["error"]["message"], json!(message));
}

#[tokio::test]
async fn json_and_images() {
    let server =
        start("rules: [{match: {format: present}, respond: {json: {a: 1}}}, {respond: {text: seen}}]").await;
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
                        "additionalProperties": false});
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}});
    let check = async |body: Value, expect: &str| {
        let (_, answer) = json(post(&server, PATH, body).await).await;
        assert_eq!(
            answer["choices"][0]["message"]["content"],
            json!(expect),
            "{answer}"
        );
    };
    check(with(chat("x"), "response_format", format), r#"{"a":1}"#).await;
    check(
        with(chat("as JSON"), "response_format", json!({"type": "json_object"})),
        r#"{"a":1}"#,
    )
    .await;
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let parts = json!([{"type": "text", "text": "what"}, image("data:image/png;base64,aGk="), image("https://a/b.png")]);
    check(
        json!({"model": MODEL, "messages": [{"role": "user", "content": parts}]}),
        "seen",
    )
    .await;
    let records = server.requests();
    let last = records.last().unwrap();
    assert_eq!((last.images, last.last_message("user")), (2, "what"));
}

#[tokio::test]
async fn two_turns_of_the_user_are_fine() {
    let server = start("rules: [{respond: {text: a}}]").await;
    let body =
        json!({"model": MODEL, "messages": [{"role": "developer", "content": "be"}, user("x"), user("y")]});
    assert_eq!(post(&server, PATH, body).await.status().as_u16(), 200);
}

#[tokio::test]
async fn errors_as_told() {
    let server = start(
        "rules:
- match: { contains: busy }
  respond: { error: { status: 429, message: slow down, retry_after_secs: 7 } }
- match: { contains: poor }
  respond: { error: { status: 429, message: pay, code: insufficient_quota } }
- respond: { text: a b, error_after_tokens: { tokens: 1, message: boom } }",
    )
    .await;
    let busy = post(&server, PATH, chat("busy")).await;
    assert_eq!(busy.headers()["retry-after"], "7");
    let error = |message: &str, kind: &str, code: Value| json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    assert_eq!(
        json(busy).await,
        (429, error("slow down", "requests", json!("rate_limit_exceeded")))
    );
    let poor = json(post(&server, PATH, chat("poor")).await).await;
    assert_eq!(
        poor,
        (
            429,
            error("pay", "insufficient_quota", json!("insufficient_quota"))
        )
    );
    let stream = events(post(&server, PATH, with(chat("x"), "stream", json!(true))).await).await;
    assert_eq!(
        stream.last().unwrap().1,
        error("boom", "server_error", Value::Null)
    );
}

#[tokio::test]
async fn lists_models() {
    let server = start("models: [{name: absent, pulled: false}]").await;
    let model = |name: &str| json!({"id": name, "object": "model", "owned_by": "scripted"});
    let expect = json!({"object": "list", "data": [model(MODEL), model(EMBED_MODEL)]});
    assert_eq!(json(get(&server, "/v1/models").await).await, (200, expect));
}
