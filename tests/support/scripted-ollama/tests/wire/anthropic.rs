//! Anthropic's format: messages and the list of models.

use scripted_ollama::{Format, Outcome, ScriptedOllama};
use serde_json::{Value, json};

use super::{EMBED_MODEL, MODEL, events, json, post_with, start};

const PATH: &str = "/v1/messages";
const HEADERS: &[(&str, &str)] = &[("x-api-key", "any"), ("anthropic-version", "2023-06-01")];

async fn ask(server: &ScriptedOllama, body: impl ToString) -> reqwest::Response {
    post_with(server, PATH, HEADERS, body).await
}

fn user(content: impl Into<Value>) -> Value {
    json!({"role": "user", "content": content.into()})
}

fn chat(content: impl Into<Value>) -> Value {
    json!({"model": MODEL, "max_tokens": 100, "messages": [user(content)]})
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

fn event(name: &str, data: Value) -> (String, Value) {
    (name.to_owned(), with(data, "type", json!(name)))
}

fn usage(input: u64, output: u64) -> Value {
    json!({"input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0})
}

fn message(id: u64, content: Value, reason: Value, output: u64) -> Value {
    json!({
        "id": format!("msg_{id:06}"), "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": reason, "stop_sequence": null, "usage": usage(4, output),
    })
}

#[tokio::test]
async fn streams() {
    let server = start("rules: [{respond: {text: 'hello you', thinking: hm}}]").await;
    let body = with(chat("x"), "stream", json!(true));
    let body = with(body, "thinking", json!({"type": "adaptive"}));
    let stream = events(ask(&server, body).await).await;
    let delta = |index: u64, kind: &str, key: &str, text: &str| {
        event(
            "content_block_delta",
            json!({"index": index, "delta": {"type": kind, key: text}}),
        )
    };
    let expect = [
        event(
            "message_start",
            json!({"message": message(1, json!([]), Value::Null, 1)}),
        ),
        event(
            "content_block_start",
            json!({"index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        ),
        event("ping", json!({})),
        delta(0, "thinking_delta", "thinking", "hm"),
        delta(0, "signature_delta", "signature", "c2NyaXB0ZWQgdGhpbmtpbmc="),
        event("content_block_stop", json!({"index": 0})),
        event(
            "content_block_start",
            json!({"index": 1, "content_block": {"type": "text", "text": ""}}),
        ),
        delta(1, "text_delta", "text", "hell"),
        delta(1, "text_delta", "text", "o"),
        delta(1, "text_delta", "text", " you"),
        event("content_block_stop", json!({"index": 1})),
        event(
            "message_delta",
            json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 4}}),
        ),
        event("message_stop", json!({})),
    ];
    assert_eq!(stream, expect);
    let record = &server.requests()[0];
    assert_eq!(
        (record.format, record.path.as_str(), record.model()),
        (Format::Anthropic, PATH, MODEL)
    );
}

#[tokio::test]
async fn answers_whole() {
    let server = start(
        "rules:
- match: { contains: deny }
  respond: { refusal: I may not }
- match: { contains: bad }
  respond: { text: a b c, blocked_after_tokens: 1 }
- respond: { text: one two three, thinking: hm }",
    )
    .await;
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let check = async |id: u64, body: Value, content: Value, reason: &str, output: u64| {
        let found = json(ask(&server, body).await).await;
        assert_eq!(found, (200, message(id, content, json!(reason), output)));
    };
    check(1, chat("x"), text("one two three"), "end_turn", 4).await;
    check(
        2,
        with(chat("x"), "max_tokens", json!(2)),
        text("one two"),
        "max_tokens",
        2,
    )
    .await;
    check(3, chat("deny"), text("I may not"), "refusal", 3).await;
    check(4, chat("bad"), text("a"), "refusal", 1).await;
    let thought = json!([
        {"type": "thinking", "thinking": "hm", "signature": "c2NyaXB0ZWQgdGhpbmtpbmc="},
        {"type": "text", "text": "one two three"},
    ]);
    let thinks = json!({"type": "enabled", "budget_tokens": 1024});
    let body = with(with(chat("x"), "thinking", thinks), "max_tokens", json!(2000));
    check(5, body, thought, "end_turn", 5).await;
    let (_, stopped) = json(ask(&server, with(chat("x"), "stop_sequences", json!([" two"]))).await).await;
    assert_eq!(
        (
            &stopped["content"],
            &stopped["stop_reason"],
            &stopped["stop_sequence"]
        ),
        (&text("one"), &json!("stop_sequence"), &json!(" two"))
    );
}

#[tokio::test]
async fn goes_on_from_a_beginning() {
    let server = start("rules: [{respond: {text: 'one two'}}]").await;
    let mut body = chat("x");
    body["messages"] = json!([user("x"), {"role": "assistant", "content": "one"}]);
    let (_, answer) = json(ask(&server, body).await).await;
    assert_eq!(answer["content"], json!([{"type": "text", "text": " two"}]));
}

fn weather() -> Value {
    json!([{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}])
}

#[tokio::test]
async fn calls_tools() {
    let server = start(
        "rules:
- match: { lacks: sunny, in: all }
  respond: { text: let me see, tool_calls: [{ name: weather, arguments: { city: Bern } }] }
- respond: { text: warm }",
    )
    .await;
    let body = with(chat("x"), "tools", weather());
    let (_, answer) = json(ask(&server, &body).await).await;
    let call =
        json!({"type": "tool_use", "id": "toolu_000001_0", "name": "weather", "input": {"city": "Bern"}});
    let content = json!([{"type": "text", "text": "let me see"}, call]);
    assert_eq!(
        (&answer["content"], &answer["stop_reason"]),
        (&content, &json!("tool_use"))
    );

    let result = json!([{"type": "tool_result", "tool_use_id": "toolu_000001_0", "content": [{"type": "text", "text": "sunny"}]}]);
    let mut answered = body.clone();
    answered["messages"] = json!([user("x"), {"role": "assistant", "content": content}, user(result)]);
    let (_, answer) = json(ask(&server, answered).await).await;
    assert_eq!(answer["content"], json!([{"type": "text", "text": "warm"}]));

    let stream = events(ask(&server, with(body, "stream", json!(true))).await).await;
    let arguments: String = stream
        .iter()
        .filter_map(|(_, data)| data["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(arguments, r#"{"city":"Bern"}"#);
    let start = json!({"type": "tool_use", "id": "toolu_000003_0", "name": "weather", "input": {}});
    assert!(stream.contains(&event(
        "content_block_start",
        json!({"index": 1, "content_block": start})
    )));
}

#[tokio::test]
async fn the_one_tool_that_must_be_called_takes_the_json() {
    let server = start(
        "rules: [{match: {contains: prose}, respond: {text: Bern}}, {match: {format: present}, respond: {json: {city: Bern}}}]",
    )
    .await;
    let tools = |body: Value, choice: Value| with(with(body, "tools", weather()), "tool_choice", choice);
    let call =
        json!([{"type": "tool_use", "id": "toolu_000001_0", "name": "weather", "input": {"city": "Bern"}}]);
    let one = json!({"type": "tool", "name": "weather"});
    let (_, answer) = json(ask(&server, tools(chat("x"), one.clone())).await).await;
    assert_eq!(
        (&answer["content"], &answer["stop_reason"]),
        (&call, &json!("tool_use"))
    );
    let (_, answer) = json(ask(&server, tools(chat("x"), json!({"type": "any"}))).await).await;
    assert_eq!(answer["content"][0]["input"], json!({"city": "Bern"}));
    check(
        &server,
        tools(chat("x"), json!({"type": "tool", "name": "other"})),
        400,
        "invalid_request_error",
        "Tool 'other' not found in provided tools",
    )
    .await;
    let thinks = json!({"type": "adaptive"});
    check(
        &server,
        with(tools(chat("x"), one.clone()), "thinking", thinks),
        400,
        "invalid_request_error",
        "Thinking may not be enabled when tool_choice forces tool use.",
    )
    .await;
    assert_eq!(server.script_errors(), Vec::<String>::new());
    ask(&server, tools(chat("prose"), one)).await;
    assert_eq!(
        server.script_errors(),
        ["scripted-ollama: rule 1: the request wants the tool \"weather\" to be called, and nothing else"]
    );
}

#[tokio::test]
async fn json_images_and_system() {
    let server = start(
        "rules: [{match: {format: present}, respond: {json: {a: 1}}}, {match: {in: system, contains: brief}, respond: {text: seen}}]",
    )
    .await;
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": false});
    let format = json!({"format": {"type": "json_schema", "schema": schema}});
    let (_, answer) = json(ask(&server, with(chat("x"), "output_config", format)).await).await;
    assert_eq!(answer["content"][0]["text"], json!(r#"{"a":1}"#));
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    let body = chat(json!([image, {"type": "text", "text": "what"}]));
    let body = with(body, "system", json!([{"type": "text", "text": "be brief"}]));
    let (_, answer) = json(ask(&server, body).await).await;
    assert_eq!(answer["content"][0]["text"], json!("seen"));
    let records = server.requests();
    let last = records.last().unwrap();
    assert_eq!((last.images, last.last_message("user")), (1, "what"));
}

async fn check(server: &ScriptedOllama, body: impl ToString, status: u16, kind: &str, message: &str) {
    let (found, mut error) = json(ask(server, body).await).await;
    let request = error.as_object_mut().unwrap().remove("request_id").unwrap();
    assert!(request.as_str().unwrap().starts_with("req_"), "{request}");
    let expect = json!({"type": "error", "error": {"type": kind, "message": message}});
    assert_eq!((found, error), (status, expect));
    let outcome = server.requests().pop().unwrap().outcome;
    assert_eq!(
        outcome,
        Outcome::Error {
            status,
            message: message.to_owned()
        }
    );
}

#[tokio::test]
async fn refuses_what_anthropic_refuses() {
    let server = start("models: [{name: small, context_length: 5}]\nrules: [{respond: {text: x}}]").await;
    let messages = |list: Value| with(chat("x"), "messages", list);
    let assistant = |content: Value| json!({"role": "assistant", "content": content});
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "x"});
    let without = |key: &str| {
        let mut body = chat("x");
        body.as_object_mut().unwrap().remove(key);
        body
    };
    let text = |text: &str| json!({"type": "text", "text": text});
    let invalid: Vec<(Value, &str)> = vec![
        (without("max_tokens"), "max_tokens: Field required"),
        (without("model"), "model: Field required"),
        (without("messages"), "messages: Field required"),
        (
            with(chat("x"), "stop", json!("x")),
            "stop: Extra inputs are not permitted",
        ),
        (
            with(chat("x"), "max_tokens", json!(0)),
            "max_tokens: Input should be greater than or equal to 1",
        ),
        (
            with(chat("x"), "temperature", json!(1.5)),
            "temperature: range: 0..1",
        ),
        (messages(json!([])), "messages: at least one message is required"),
        (
            messages(json!([{"role": "system", "content": "x"}])),
            "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \
             \"system\" as an input message role.",
        ),
        (
            messages(json!([{"role": "tool", "content": "x"}])),
            "messages.0.role: Input should be 'user' or 'assistant'",
        ),
        (
            messages(json!([assistant(json!("x"))])),
            "messages: first message must use the \"user\" role",
        ),
        (
            messages(json!([user(""), user("x")])),
            "messages.0: all messages must have non-empty content except for the optional final assistant message",
        ),
        (
            messages(json!([user(json!([text("")]))])),
            "messages: text content blocks must be non-empty",
        ),
        (
            messages(json!([user("x"), assistant(json!("x "))])),
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        (
            messages(json!([user("x"), assistant(json!([call])), user("y")])),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` \
             block must have a corresponding `tool_result` block in the next message.",
        ),
        (
            messages(json!([
                user("x"),
                assistant(json!([call])),
                user(json!([text("y"), result("a")]))
            ])),
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` \
             block must have a corresponding `tool_result` block in the next message.",
        ),
        (
            messages(json!([user(json!([result("a")]))])),
            "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a. Each `tool_result` block \
             must have a corresponding `tool_use` block in the previous message.",
        ),
        (
            messages(json!([user(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "aGk="}}])
            )])),
            "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', \
             'image/gif' or 'image/webp'",
        ),
        (
            messages(json!([user(json!([call]))])),
            "messages.0: `tool_use` blocks can only be in `assistant` messages",
        ),
        (
            with(chat("x"), "tools", json!([{"name": "f"}])),
            "tools.0.custom.input_schema: Field required",
        ),
        (
            with(
                chat("x"),
                "tools",
                json!([{"name": "f", "input_schema": {"type": "string"}}]),
            ),
            "tools.0.custom.input_schema.type: Input should be 'object'",
        ),
        (
            with(
                chat("x"),
                "thinking",
                json!({"type": "enabled", "budget_tokens": 1000}),
            ),
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            with(
                chat("x"),
                "thinking",
                json!({"type": "enabled", "budget_tokens": 2000}),
            ),
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
        (
            with(
                chat("x"),
                "output_config",
                json!({"format": {"type": "json_schema", "schema": {"type": "object"}}}),
            ),
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        ),
        (
            with(chat("a b c"), "model", json!("small")),
            "prompt is too long: 6 tokens > 5 maximum",
        ),
    ];
    for (body, message) in invalid {
        check(&server, body, 400, "invalid_request_error", message).await;
    }
    for model in ["claude-9", EMBED_MODEL] {
        let body = with(chat("x"), "model", json!(model));
        check(&server, body, 404, "not_found_error", &format!("model: {model}")).await;
    }
    check(
        &server,
        "{",
        400,
        "invalid_request_error",
        "The request body is not valid JSON",
    )
    .await;
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn two_turns_of_the_user_are_fine() {
    let server = start("rules: [{match: {contains: second}, respond: {text: a}}]").await;
    let body = with(chat("x"), "messages", json!([user("x"), user("second")]));
    assert_eq!(ask(&server, body).await.status().as_u16(), 200);
}

#[tokio::test]
async fn errors_as_told() {
    let server = start(
        "rules:
- match: { contains: busy }
  respond: { error: { status: 429, message: slow down, retry_after_secs: 7 } }
- match: { contains: full }
  respond: { error: { status: 529, message: Overloaded } }
- respond: { text: a b, error_after_tokens: { tokens: 1, message: boom } }",
    )
    .await;
    let busy = ask(&server, chat("busy")).await;
    assert_eq!(busy.headers()["retry-after"], "7");
    check(&server, chat("busy"), 429, "rate_limit_error", "slow down").await;
    check(&server, chat("full"), 529, "overloaded_error", "Overloaded").await;
    let stream = events(ask(&server, with(chat("x"), "stream", json!(true))).await).await;
    let error = json!({"error": {"type": "api_error", "message": "boom"}, "request_id": "req_000004"});
    assert_eq!(stream.last().unwrap(), &event("error", error));
}

#[tokio::test]
async fn lists_models() {
    let server = start("").await;
    let request = reqwest::Client::new().get(server.url() + "/v1/models");
    let request = HEADERS
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    let model = json!({"type": "model", "id": MODEL, "display_name": MODEL});
    let expect = json!({"data": [model], "has_more": false, "first_id": MODEL, "last_id": MODEL});
    assert_eq!(json(request.send().await.unwrap()).await, (200, expect));
}
