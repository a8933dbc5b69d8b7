//! Calls of tools, as they are on disk.

use engine::{artifact::ToolCall, blob::BlobId, event::Event};
use shared::id::StageId;

use super::{super::decode_body, text};

const FIXTURE: &str = include_str!("../fixtures/v1-tools.jsonl");

fn samples() -> Vec<Event> {
    let call = |number, said: &str, is_error| Event::ToolCalled {
        stage: StageId::new("code"),
        attempt: 2,
        call: ToolCall {
            asked: BlobId::of(b"asked"),
            number,
            of: 2,
            said: said.to_owned(),
            id: format!("call_{number}"),
            server: "git".to_owned(),
            tool: "log".to_owned(),
            name: "git__log".to_owned(),
            arguments: r#"{"path":"ä.py"}"#.to_owned(),
            result: BlobId::of(b"a log"),
            is_error,
            duration_ms: 12,
        },
    };
    vec![call(1, "let me look", false), call(2, "", true)]
}

#[test]
fn calls_of_tools_are_read_as_they_were_written() {
    let written: Vec<String> = samples().iter().map(text).collect();
    assert_eq!(written, FIXTURE.lines().collect::<Vec<_>>());
    let read: Vec<Event> = FIXTURE
        .lines()
        .map(|line| decode_body(1, line).unwrap())
        .collect();
    assert_eq!(read, samples());
}
