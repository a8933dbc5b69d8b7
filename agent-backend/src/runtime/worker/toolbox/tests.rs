//! What is added to a question, and what of it has room.

use serde_json::json;

use super::*;

fn call(id: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "git__log".to_owned(),
        arguments: json!({}),
    }
}

#[test]
fn an_answer_that_has_no_room_says_so() {
    let check = |text: &str, tokens_max, expect: &str| {
        assert_eq!(fit(text.to_owned(), tokens_max), expect);
    };
    let long = "ä".repeat(300);
    check("short", 100, "short");
    check("", 0, "");
    check(&long, 0, NO_ROOM);
    let half = fit(long.clone(), estimate(&long) / 2);
    let (begin, rest) = half.split_once('\n').unwrap();
    assert!(long.starts_with(begin), "{half}");
    let left = 300 - begin.chars().count();
    assert_eq!(
        rest,
        format!("[{left} more characters are not shown: there is no room for them]")
    );
}

#[test]
fn no_two_calls_of_a_conversation_have_one_id() {
    let mut request = ChatRequest::default();
    let turn = Turn {
        said: "hm".to_owned(),
        calls: vec![(call("call_0"), "a log".to_owned())],
    };
    turn.join(&mut request);
    let ids: Vec<String> = unambiguous(vec![call("call_0"), call("x"), call("x")], &request, 2)
        .into_iter()
        .map(|call| call.id)
        .collect();
    assert_eq!(ids, ["call_2_0", "x", "call_2_2"]);
}

#[test]
fn a_turn_is_what_was_said_and_called_and_then_each_answer() {
    let mut request = ChatRequest::default();
    let turn = Turn {
        said: "hm".to_owned(),
        calls: vec![(call("1"), "a log".to_owned()), (call("2"), "another".to_owned())],
    };
    turn.join(&mut request);
    let answer = |id: &str, text: &str| Message {
        tool_call_id: Some(id.to_owned()),
        ..Message::new(Role::Tool, text)
    };
    assert_eq!(
        request.messages,
        [
            Message {
                tool_calls: vec![call("1"), call("2")],
                ..Message::assistant("hm")
            },
            answer("1", "a log"),
            answer("2", "another"),
        ]
    );
}

#[test]
fn tools_have_their_room() {
    let tools = [Tool {
        name: "git__log".to_owned(),
        description: "Tells what was done.".to_owned(),
        parameters: json!({ "type": "object" }),
    }];
    assert_eq!(beside(&[], 1_000), 1_000);
    assert_eq!(beside(&tools, 1_000), 750 - tools_tokens(&tools));
    assert_eq!(beside(&tools, 0), 0);
}
