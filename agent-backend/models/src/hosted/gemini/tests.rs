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
    assert_eq!(told(GeminiReader::default(), events), expect, "{events:?}");
}

fn text(text: &str) -> String {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]}).to_string()
}

fn stopped(reason: &str) -> String {
    json!({"candidates": [{"finishReason": reason}], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}})
        .to_string()
}

#[test]
fn answers() {
    check(
        &[&text("a"), &text("b"), &stopped("STOP")],
        &["a", "b", "Stop Some(5) 5 0"],
    );
    check(
        &[&text("a"), &stopped("MAX_TOKENS")],
        &["a", "Length Some(5) 5 0"],
    );
    check(&[&text("a"), &stopped("SAFETY")], &["a", "Refused Some(5) 5 0"]);
    check(
        &[
            r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9}}"#,
        ],
        &["Refused Some(9) 0 0"],
    );
    check(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s"}]},"finishReason":"STOP"}]}"#,
            // The counts may come last.
            r#"{"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}}"#,
        ],
        &["a", "Stop Some(5) 1 2"],
    );
}

#[test]
fn answers_that_break_off() {
    let unfinished = "broken: it ends without a reason to end";
    check(&[], &[unfinished]);
    check(&[&text("a")], &["a", unfinished]);
    check(
        &[&stopped("MALFORMED_FUNCTION_CALL")],
        &["broken: it ends with the reason MALFORMED_FUNCTION_CALL"],
    );
    check(
        &["["],
        &["broken: broken JSON: EOF while parsing a list at line 1 column 1"],
    );
    check(
        &[r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#],
        &[r#"said: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#],
    );
}

#[test]
fn calls_of_tools() {
    check(
        &[
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"read","args":{"p":1}},"thoughtSignature":"s=="},{"functionCall":{"id":"x","name":"list"}}]},"finishReason":"STOP"}]}"#,
        ],
        &[
            r#"call_0~s==: read({"p":1})"#,
            "x: list({})",
            "ToolCalls None 0 0",
        ],
    );
    check(
        &[r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"read","args":[]}}]}}]}"#],
        &["broken: the arguments for read are no object"],
    );
}

#[test]
fn a_body() {
    let expect = json!({
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "look"},
                {"inlineData": {"mimeType": "image/png", "data": "cG5n"}},
            ]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "1", "name": "read", "args": {"path": "a"}}, "thoughtSignature": "sig"},
                {"functionCall": {"name": "read", "args": {"path": "b"}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "1", "name": "read", "response": {"output": "A"}}},
                {"functionResponse": {"name": "read", "response": {"output": "B"}}},
                {"text": "note"},
            ]},
        ],
        "tools": [{"functionDeclarations": [
            {"name": "read", "description": "Reads.", "parametersJsonSchema": {"type": "object"}},
        ]}],
        "generationConfig": {"temperature": 0.2, "maxOutputTokens": 100, "seed": 7},
    });
    assert_eq!(
        body(&asked(&rich_request(), Wish::Unsaid, Without::default())),
        Ok(expect)
    );
}

#[test]
fn a_body_by_a_schema() {
    fn check(without: Without, expect: &Value) {
        let request = ChatRequest {
            messages: vec![Message::user("x")],
            format: Some(json!({"type": "object"})),
            ..ChatRequest::default()
        };
        assert_eq!(
            body(&asked(&request, Wish::Unsaid, without)).unwrap()["generationConfig"],
            *expect
        );
    }
    check(
        Without::default(),
        &json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}),
    );
    let without = Without {
        json_schema: true,
        ..Without::default()
    };
    check(without, &json!({"responseMimeType": "application/json"}));
}

#[test]
fn an_answer_to_no_call_is_a_mistake() {
    let request = ChatRequest {
        messages: vec![Message {
            tool_call_id: Some("9".to_owned()),
            ..Message::new(Role::Tool, "x")
        }],
        ..ChatRequest::default()
    };
    let error = body(&asked(&request, Wish::Unsaid, Without::default())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the answer of a tool belongs to no call before it"
    );
}

#[test]
fn paths() {
    assert_eq!(
        path("gemini-2.5-flash"),
        "models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    );
    assert_eq!(
        path("tunedModels/own"),
        "tunedModels/own:streamGenerateContent?alt=sse"
    );
}

#[test]
fn how_much_is_thought() {
    let check = |wish: Wish, thinking: Thinking, expect: (Value, u32)| {
        let request = ChatRequest {
            thinking,
            ..rich_request()
        };
        let body = body(&asked(&request, wish, Without::default())).unwrap();
        let config = &body["generationConfig"];
        let got = (&config["thinkingConfig"], &config["maxOutputTokens"]);
        assert_eq!(got, (&expect.0, &json!(expect.1)), "{wish:?}");
    };
    check(Wish::Unsaid, Thinking::High, (Value::Null, 100));
    check(Wish::Off, Thinking::Off, (json!({"thinkingBudget": 0}), 100));
    check(
        Wish::Level(Level::Medium),
        Thinking::Medium,
        (json!({"thinkingLevel": "medium"}), 8_292),
    );
    check(
        Wish::Tokens(Level::Low),
        Thinking::Low,
        (json!({"thinkingBudget": 1_024}), 1_124),
    );
}
