//! What OpenAI refuses, in its words.

use scripted_ollama::{Outcome, ScriptedOllama};
use serde_json::{Value, json};

use super::{PATH, chat, user, with};
use crate::{EMBED_MODEL, MODEL, builder, json, post, start};

async fn check(
    server: &ScriptedOllama,
    body: impl ToString,
    status: u16,
    message: &str,
    param: Value,
    code: Value,
) {
    let found = json(post(server, PATH, body).await).await;
    let error = json!({"message": message, "type": "invalid_request_error", "param": param, "code": code});
    assert_eq!(found, (status, json!({"error": error})));
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
async fn refuses_what_openai_refuses() {
    let server = builder("rules: [{respond: {text: x}}]").start().await.unwrap();
    let messages = |list: Value| json!({"model": MODEL, "messages": list});
    let (nothing, no_code) = (Value::Null, Value::Null);
    let table: Vec<(Value, u16, &str, Value, Value)> = vec![
        (
            json!({"messages": [user("x")]}),
            400,
            "you must provide a model parameter",
            nothing.clone(),
            no_code.clone(),
        ),
        (
            with(chat("x"), "model", json!("gpt-9")),
            404,
            "The model `gpt-9` does not exist or you do not have access to it.",
            nothing.clone(),
            json!("model_not_found"),
        ),
        (
            with(chat("x"), "model", json!(EMBED_MODEL)),
            404,
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use \
             v1/completions?",
            json!("model"),
            no_code.clone(),
        ),
        (
            with(chat("x"), "num_ctx", json!(1)),
            400,
            "Unrecognized request argument supplied: num_ctx",
            nothing.clone(),
            no_code.clone(),
        ),
        (
            json!({"model": MODEL}),
            400,
            "Missing required parameter: 'messages'.",
            json!("messages"),
            json!("missing_required_parameter"),
        ),
        (
            messages(json!([])),
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            json!("messages"),
            json!("empty_array"),
        ),
        (
            messages(json!([{"role": "model", "content": "x"}])),
            400,
            "Invalid value: 'model'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and \
             'developer'.",
            json!("messages[0].role"),
            json!("invalid_value"),
        ),
        (
            messages(json!([{"role": "user", "content": "x", "images": []}])),
            400,
            "Unknown parameter: 'messages[0].images'.",
            json!("messages[0].images"),
            json!("unknown_parameter"),
        ),
        (
            messages(json!([{"role": "assistant", "content": null}])),
            400,
            "Invalid value for 'content': expected a string, got null.",
            json!("messages.[0].content"),
            no_code.clone(),
        ),
        (
            messages(json!([user("x"), {"role": "tool", "tool_call_id": "a", "content": "x"}])),
            400,
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
            json!("messages.[1].role"),
            no_code.clone(),
        ),
        (
            messages(json!([user("x"), {"role": "assistant", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, user("y")])),
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
             'tool_call_id'. The following tool_call_ids did not have response messages: a",
            json!("messages.[2].role"),
            no_code.clone(),
        ),
        (
            messages(json!([{"role": "assistant", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}]}])),
            400,
            "Invalid type for 'messages[0].tool_calls[0].function.arguments': expected a string, but got an object \
             instead.",
            json!("messages[0].tool_calls[0].function.arguments"),
            json!("invalid_type"),
        ),
        (
            messages(
                json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}]}]),
            ),
            400,
            "Invalid base64 image_url.",
            json!("messages[0].content[0].image_url.url"),
            json!("invalid_base64"),
        ),
        (
            with(chat("x"), "temperature", json!(3)),
            400,
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
            json!("temperature"),
            json!("decimal_above_max_value"),
        ),
        (
            with(
                with(chat("x"), "max_tokens", json!(1)),
                "max_completion_tokens",
                json!(1),
            ),
            400,
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            json!("max_tokens"),
            json!("invalid_parameter_combination"),
        ),
        (
            with(chat("x"), "stream_options", json!({"include_usage": true})),
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            json!("stream_options"),
            no_code.clone(),
        ),
        (
            with(chat("x"), "response_format", json!({"type": "json_object"})),
            400,
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            json!("messages"),
            no_code.clone(),
        ),
        (
            with(
                chat("x"),
                "response_format",
                json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true,
                "schema": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}},
                           "required": ["a"], "additionalProperties": false}}}),
            ),
            400,
            "Invalid schema for response_format 'n': In context=('properties', 'a', 'items'), 'additionalProperties' is \
             required to be supplied and to be false.",
            json!("response_format"),
            no_code.clone(),
        ),
        (
            with(chat("x"), "tool_choice", json!("auto")),
            400,
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            json!("tool_choice"),
            no_code.clone(),
        ),
        (
            with(
                chat("x"),
                "tools",
                json!([{"type": "function", "function": {"name": "a b"}}]),
            ),
            400,
            "Invalid 'tools[0].function.name': string does not match pattern. Expected a string that matches the \
             pattern '^[a-zA-Z0-9_-]+$'.",
            json!("tools[0].function.name"),
            json!("invalid_value"),
        ),
        (
            with(
                chat("x"),
                "tools",
                json!([{"type": "function", "function": {"name": "f", "strict": true,
                "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}}}]),
            ),
            400,
            "Invalid schema for function 'f': In context=(), 'required' is required to be supplied and to be an array \
             including every key in properties. Missing 'a'.",
            json!("tools[0].function.parameters"),
            json!("invalid_function_parameters"),
        ),
    ];
    for (body, status, message, param, code) in table {
        check(&server, body, status, message, param, code).await;
    }
    let not_json = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
                    HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)";
    check(&server, "{", 400, not_json, nothing, no_code).await;
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn refuses_what_is_too_long() {
    let server = start("models: [{name: small, context_length: 5}]\nrules: [{respond: {text: x}}]").await;
    let message = "This model's maximum context length is 5 tokens. However, your messages resulted in 6 tokens. Please \
                   reduce the length of the messages.";
    let body = |content: &str| with(chat(content), "model", json!("small"));
    check(
        &server,
        body("a b c"),
        400,
        message,
        json!("messages"),
        json!("context_length_exceeded"),
    )
    .await;
    assert_eq!(post(&server, PATH, body("a b")).await.status().as_u16(), 200);
}
