//! Bodies as the interface has them, answers as its servers give them.

use super::*;
use crate::{
    ChatRequest, Thinking,
    hosted::{
        adapt::Without,
        reader::{asked, rich_request, told},
    },
    thinking::Level,
};

fn check(events: &[&str], expect: &[&str]) {
    assert_eq!(told(OpenAiReader::default(), events), expect, "{events:?}");
}

const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;

#[test]
fn answers() {
    check(
        &[
            r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"content":"b"}}],"usage":null}"#,
            STOP,
            USAGE,
            "[DONE]",
            "not read",
        ],
        &["a", "b", "Stop Some(5) 2 0"],
    );
    // Some end without the last event.
    check(&[STOP], &["Stop None 0 0"]);
    check(
        &[
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"length"}]}"#,
            "[DONE]",
        ],
        &["a", "Length None 0 0"],
    );
    check(
        &[
            r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#,
            "[DONE]",
        ],
        &["Refused None 0 0"],
    );
    check(
        &[
            r#"{"choices":[{"delta":{"refusal":"I will not."}}]}"#,
            STOP,
            "[DONE]",
        ],
        &["I will not.", "Refused None 0 0"],
    );
    check(
        &[
            r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"delta":{"reasoning":"hm!"}}]}"#,
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"x"}]}}]}"#,
            STOP,
            r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":1}}}"#,
        ],
        &["x", "Stop Some(3) 1 5"],
    );
}

#[test]
fn answers_that_break_off() {
    let unfinished = "broken: it ends without a reason to end";
    check(&[], &[unfinished]);
    check(
        &[r#"{"choices":[{"delta":{"content":"a"}}]}"#],
        &["a", unfinished],
    );
    check(&["[DONE]"], &[unfinished]);
    check(
        &["{"],
        &["broken: broken JSON: EOF while parsing an object at line 1 column 1"],
    );
    check(
        &[r#"{"choices":[{"delta":{},"finish_reason":"abort"}]}"#],
        &["broken: it ends with the reason abort"],
    );
    check(
        &[r#"{"error":{"message":"oh"}}"#],
        &[r#"said: {"error":{"message":"oh"}}"#],
    );
}

#[test]
fn calls_of_tools() {
    let done = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    check(
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"read","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"list","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"p\""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
            done,
            "[DONE]",
        ],
        &[r#"a: read({"p":1})"#, "b: list({})", "ToolCalls None 0 0"],
    );
    // No numbers, no ids, an object for a text, `stop` for a reason.
    check(
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"read","arguments":{"p":1}}}]}}]}"#,
            STOP,
        ],
        &[r#"call_0: read({"p":1})"#, "ToolCalls None 0 0"],
    );
    check(
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"read","arguments":"{}"}},{"id":"b","function":{"name":"read","arguments":"{}"}}]}}]}"#,
            done,
        ],
        &["a: read({})", "b: read({})", "ToolCalls None 0 0"],
    );
    let with = |arguments: &str| {
        json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "read", "arguments": arguments}}]}}]})
            .to_string()
    };
    check(
        &[&with("{\"p\":"), done],
        &["broken: the arguments for read are broken JSON: EOF while parsing a value at line 1 column 5"],
    );
    check(
        &[&with("[]"), done],
        &["broken: the arguments for read are no object"],
    );
    // A limit cut the call: there is none, and the answer says that it was cut.
    check(
        &[
            &with("{\"p\":"),
            r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
        ],
        &["Length None 0 0"],
    );
    check(
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"index":4294967295,"function":{"arguments":"{}"}}]}}]}"#,
            done,
        ],
        &["broken: a call names no tool"],
    );
    let many: Vec<String> = (0..=CALLS_MAX)
        .map(|index| {
            json!({"choices": [{"delta": {"tool_calls": [{"index": index, "function": {"name": "read"}}]}}]})
                .to_string()
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(&many, &["broken: it calls more than 128 tools"]);
}

#[test]
fn a_body() {
    let expect = json!({
        "model": "m",
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"a\"}"}},
                {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":\"b\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "1", "content": "A"},
            {"role": "tool", "tool_call_id": "call_1", "content": "B"},
            {"role": "system", "content": "note"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "read", "description": "Reads.", "parameters": {"type": "object"},
        }}],
        "temperature": 0.2,
        "max_tokens": 100,
        "seed": 7,
    });
    assert_eq!(
        body("m", &asked(&rich_request(), Wish::Unsaid, Without::default())),
        expect
    );
}

#[test]
fn a_body_by_a_schema() {
    fn check(without: Without, schema: &Value, expect: &Value) {
        let request = ChatRequest {
            messages: vec![Message::user("x")],
            format: Some(schema.clone()),
            ..ChatRequest::default()
        };
        assert_eq!(
            body("m", &asked(&request, Wish::Unsaid, without))["response_format"],
            *expect
        );
    }
    let closed =
        json!({"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": false});
    let open = json!({"type": "object", "properties": {"a": {}}});
    let format = |strict: bool, schema: &Value| json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": strict, "schema": schema}});
    let no_schema = Without {
        json_schema: true,
        ..Without::default()
    };
    let nothing = Without {
        json_object: true,
        ..no_schema
    };
    check(Without::default(), &closed, &format(true, &closed));
    check(Without::default(), &open, &format(false, &open));
    check(no_schema, &closed, &json!({"type": "json_object"}));
    check(nothing, &closed, &Value::Null);
}

#[test]
fn what_a_server_does_not_take_is_left_out() {
    let without = Without {
        temperature: true,
        seed: true,
        max_tokens: true,
        stream_options: true,
        ..Without::default()
    };
    let body = body("m", &asked(&rich_request(), Wish::Unsaid, without));
    let has = |name: &str| body.get(name).is_some();
    assert_eq!(
        [
            "temperature",
            "seed",
            "max_tokens",
            "stream_options",
            "max_completion_tokens"
        ]
        .map(has),
        [false, false, false, false, true]
    );
}

#[test]
fn how_much_is_thought() {
    let check = |wish: Wish, thinking: Thinking, expect: (Value, Value)| {
        let request = ChatRequest {
            thinking,
            ..rich_request()
        };
        let body = body("m", &asked(&request, wish, Without::default()));
        let got = (body["reasoning_effort"].clone(), body["max_tokens"].clone());
        assert_eq!(got, expect, "{wish:?}");
    };
    check(Wish::Unsaid, Thinking::High, (Value::Null, json!(100)));
    check(Wish::Off, Thinking::Off, (json!("none"), json!(100)));
    // In place of not thinking.
    check(
        Wish::Level(Level::Low),
        Thinking::Off,
        (json!("low"), json!(1_124)),
    );
    check(
        Wish::Level(Level::High),
        Thinking::High,
        (json!("high"), json!(24_676)),
    );
}
