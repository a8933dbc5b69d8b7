//! Bodies as the interface has them, answers as its servers give them.

use super::*;
use crate::{
    Thinking, Tool, ToolCall,
    hosted::{
        adapt::Without,
        reader::{asked, rich_request, told},
    },
    thinking::Level,
};

fn check(events: &[&str], expect: &[&str]) {
    assert_eq!(told(AnthropicReader::default(), events), expect, "{events:?}");
}

fn by_schema() -> ChatRequest {
    ChatRequest {
        messages: vec![Message::user("x")],
        format: Some(json!({"type": "object"})),
        ..ChatRequest::default()
    }
}

const START: &str = r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":5,"cache_read_input_tokens":10,"output_tokens":1}}}"#;
const TEXT: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const BLOCK_STOP: &str = r#"{"type":"content_block_stop","index":0}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn delta(text: &str) -> String {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
        .to_string()
}

fn input(json_text: &str) -> String {
    json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": json_text}})
        .to_string()
}

fn tool(name: &str) -> String {
    json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t1", "name": name, "input": {}}})
        .to_string()
}

fn stopped(reason: &str) -> String {
    json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}})
        .to_string()
}

#[test]
fn answers() {
    check(
        &[
            START,
            TEXT,
            r#"{"type":"ping"}"#,
            &delta("a"),
            &delta("b"),
            BLOCK_STOP,
            &stopped("end_turn"),
            STOP,
            "not read",
        ],
        &["a", "b", "Stop Some(15) 7 0"],
    );
    check(
        &[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
            BLOCK_STOP,
            &stopped("max_tokens"),
            STOP,
        ],
        &["Length Some(15) 7 2"],
    );
    check(&[&stopped("refusal"), STOP], &["Refused None 7 0"]);
    check(
        &[&stopped("model_context_window_exceeded"), STOP],
        &["Length None 7 0"],
    );
    check(
        &[
            r#"{"type":"of the future","x":1}"#,
            &stopped("stop_sequence"),
            STOP,
        ],
        &["Stop None 7 0"],
    );
}

#[test]
fn answers_that_break_off() {
    let unfinished = "broken: it ends without a reason to end";
    check(&[], &[unfinished]);
    check(&[START, TEXT, &delta("a"), STOP], &["a", unfinished]);
    check(
        &[&stopped("pause_turn")],
        &["broken: it ends with the reason pause_turn"],
    );
    check(
        &[r#"{"type":"error","error":{"message":"Overloaded","type":"overloaded_error"}}"#],
        &[r#"said: {"error":{"message":"Overloaded","type":"overloaded_error"}}"#],
    );
}

#[test]
fn calls_of_tools() {
    check(
        &[
            &tool("read"),
            &input(""),
            &input("{\"p\""),
            &input(":1}"),
            BLOCK_STOP,
            &stopped("tool_use"),
            STOP,
        ],
        &[r#"t1: read({"p":1})"#, "ToolCalls None 7 0"],
    );
    check(
        &[&tool("list"), BLOCK_STOP, &stopped("tool_use"), STOP],
        &["t1: list({})", "ToolCalls None 7 0"],
    );
    check(
        &[&tool("read"), &input("{\"p\""), BLOCK_STOP],
        &["broken: the arguments for read are broken JSON: EOF while parsing an object at line 1 column 4"],
    );
    // A limit cut the call.
    check(
        &[&tool("read"), &input("{\"p\""), &stopped("max_tokens"), STOP],
        &["Length None 7 0"],
    );
}

#[test]
fn an_answer_by_a_schema_is_what_the_tool_is_given() {
    let told = told(
        AnthropicReader::new(&by_schema()),
        &[
            &delta("Here:"),
            &tool(ANSWER_TOOL),
            &input("{\"a\""),
            &input(":1}"),
            BLOCK_STOP,
            &stopped("tool_use"),
            STOP,
        ],
    );
    assert_eq!(told, ["{\"a\"", ":1}", "Stop None 7 0"]);
    // A server that forces no call.
    let told = self::told(
        AnthropicReader::new(&by_schema()),
        &[&delta("{\"a\""), &delta(":1}"), &stopped("end_turn"), STOP],
    );
    assert_eq!(told, ["{\"a\":1}", "Stop None 7 0"]);
    let body = body(
        "claude-sonnet-4-5",
        200_000,
        &asked(&by_schema(), Wish::Unsaid, Without::default()),
    );
    let tools =
        json!([{"name": "answer", "description": "Gives the answer.", "input_schema": {"type": "object"}}]);
    let choice = json!({"type": "tool", "name": "answer", "disable_parallel_tool_use": true});
    assert_eq!((&body["tools"], &body["tool_choice"]), (&tools, &choice));
}

#[test]
fn a_body() {
    let expect = json!({
        "model": "m",
        "stream": true,
        "max_tokens": 100,
        "system": "be brief",
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "cG5n"}},
                {"type": "text", "text": "look"},
            ]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "1", "name": "read", "input": {"path": "a"}},
                {"type": "tool_use", "id": "call_1", "name": "read", "input": {"path": "b"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "A"},
                {"type": "tool_result", "tool_use_id": "call_1", "content": "B"},
                {"type": "text", "text": "note"},
            ]},
        ],
        "tools": [{"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}],
        "temperature": 0.2,
    });
    let request = rich_request();
    let asked = asked(&request, Wish::Unsaid, Without::default());
    assert_eq!(body("m", 200_000, &asked), expect);
}

#[test]
fn the_limit_that_the_interface_wants() {
    fn check(model: &str, context_tokens: u32, prompt_bytes: usize, expect: u32) {
        let request = ChatRequest {
            messages: vec![Message::user("a".repeat(prompt_bytes))],
            ..ChatRequest::default()
        };
        assert_eq!(
            room(model, context_tokens, &request),
            expect,
            "{model} {context_tokens}"
        );
    }
    check("claude-sonnet-4-5", 200_000, 0, 32_000);
    check("claude-3-5-haiku-latest", 200_000, 0, 8192);
    check("claude-3-haiku-20240307", 200_000, 0, 4096);
    // 35 000 bytes are 10 000 tokens, with a quarter for doubt.
    check("claude-sonnet-4-5", 20_000, 35_000, 7_500);
    check("claude-sonnet-4-5", 10_000, 35_000, 1024);
}

#[test]
fn how_much_is_thought() {
    let check = |model: &str, wish: Wish, thinking: Thinking, expect: Value| {
        let request = ChatRequest {
            thinking,
            temperature: Some(0.2),
            tokens_max: Some(4_096),
            ..by_schema()
        };
        let mut body = body(model, 200_000, &asked(&request, wish, Without::default()));
        let body = body.as_object_mut().unwrap();
        body.retain(|key, _| {
            [
                "thinking",
                "output_config",
                "max_tokens",
                "temperature",
                "tool_choice",
            ]
            .contains(&key.as_str())
        });
        assert_eq!(json!(body), expect, "{model} {wish:?}");
    };
    let (auto, one) = (
        json!({"type": "auto", "disable_parallel_tool_use": true}),
        json!({"type": "tool", "name": "answer", "disable_parallel_tool_use": true}),
    );
    check(
        "claude-sonnet-5",
        Wish::Unsaid,
        Thinking::ProviderDefault,
        json!({"max_tokens": 4_096, "temperature": 0.2, "tool_choice": one}),
    );
    check(
        "claude-sonnet-5",
        Wish::Off,
        Thinking::Off,
        json!({"thinking": {"type": "disabled"}, "max_tokens": 4_096, "temperature": 0.2, "tool_choice": one}),
    );
    check(
        "claude-sonnet-5",
        Wish::Level(Level::High),
        Thinking::High,
        json!({
            "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "max_tokens": 28_672,
            "tool_choice": auto,
        }),
    );
    let tokens = |budget: u32, most: u32| {
        json!({
            "thinking": {"type": "enabled", "budget_tokens": budget}, "max_tokens": most, "tool_choice": auto,
        })
    };
    check(
        "claude-sonnet-4-5",
        Wish::Tokens(Level::High),
        Thinking::High,
        tokens(24_576, 28_672),
    );
    // As much as the model writes.
    check(
        "claude-3-7-sonnet",
        Wish::Tokens(Level::High),
        Thinking::High,
        tokens(4_096, 8_192),
    );
}

#[test]
fn a_beginning_is_gone_on_with_without_a_thought() {
    let request = ChatRequest {
        messages: vec![Message::user("x"), Message::assistant("a")],
        thinking: Thinking::High,
        ..ChatRequest::default()
    };
    let body = body(
        "m",
        200_000,
        &asked(&request, Wish::Level(Level::High), Without::default()),
    );
    assert_eq!(body.get("thinking"), None);
}

#[test]
fn thoughts_that_led_to_a_call_go_back_with_its_answer() {
    let tools = vec![Tool {
        name: "read".to_owned(),
        description: String::new(),
        parameters: json!({"type": "object"}),
    }];
    let question = ChatRequest {
        messages: vec![Message::user("x")],
        tools,
        ..ChatRequest::default()
    };
    let thinking = |piece: &str| {
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": piece}})
            .to_string()
    };
    let signature =
        json!({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "s=="}});
    let told = told(
        AnthropicReader::new(&question),
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            &thinking("h"),
            &thinking("m"),
            &signature.to_string(),
            BLOCK_STOP,
            r#"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}"#,
            BLOCK_STOP,
            TEXT,
            &delta("I look."),
            BLOCK_STOP,
            &tool("read"),
            BLOCK_STOP,
            &tool("list"),
            BLOCK_STOP,
            &stopped("tool_use"),
            STOP,
        ],
    );
    let [said, read, list, end] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((said.as_str(), list.as_str()), ("I look.", "t1: list({})"));
    assert_eq!(end, "ToolCalls None 7 2");
    let id = read.strip_suffix(": read({})").unwrap();
    let call = |id: &str, name: &str| ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: json!({}),
    };
    let answer = Message {
        tool_call_id: Some(id.to_owned()),
        ..Message::new(Role::Tool, "A")
    };
    let turn = Message {
        tool_calls: vec![call(id, "read"), call("t2", "list")],
        ..Message::assistant("I look.")
    };
    let expect = json!([
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s=="},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {}},
            {"type": "tool_use", "id": "t2", "name": "list", "input": {}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "A"}]},
    ]);
    assert_eq!(json!(messages(&[turn, answer])), expect);
}
