//! Calls of tools, as they are on disk.

use engine::{
    artifact::{Effect, ToolCall, WantedCall},
    blob::BlobId,
    event::{Event, Help},
};
use shared::id::StageId;

use super::{super::decode_body, text};

const FIXTURE: &str = include_str!("../fixtures/v1-tools.jsonl");
const ASKED: &str = include_str!("../fixtures/v1-asked.jsonl");

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
            begun: None,
        },
    };
    vec![call(1, "let me look", false), call(2, "", true)]
}

/// A call that a person was asked about, and its beginning.
pub(super) fn asked_samples() -> Vec<Event> {
    let mut begun = samples().remove(0);
    if let Event::ToolCalled { call, .. } = &mut begun {
        call.begun = Some(BlobId::of(b"turn"));
        call.duration_ms = 0;
    }
    let wanted = |effect| Event::HelpRequested {
        stage: StageId::new("code"),
        question: Help::Tool(Box::new(WantedCall {
            asked: BlobId::of(b"asked"),
            number: 1,
            turn: BlobId::of(b"turn"),
            server: "house".to_owned(),
            reached: BlobId::of(b"house.py"),
            tool: "repeal".to_owned(),
            title: "Repeal a rule".to_owned(),
            effect,
            arguments: BlobId::of(b"{}"),
            shown: r#"{"topic":"ä"}"#.to_owned(),
        })),
    };
    vec![
        wanted(Effect::Unknown),
        wanted(Effect::Adds),
        wanted(Effect::Destroys),
        begun,
    ]
}

#[track_caller]
fn check(fixture: &str, events: &[Event]) {
    let written: Vec<String> = events.iter().map(text).collect();
    assert_eq!(written, fixture.lines().collect::<Vec<_>>());
    let read: Vec<Event> = fixture
        .lines()
        .map(|line| decode_body(1, line).unwrap())
        .collect();
    assert_eq!(read, events);
}

#[test]
fn calls_of_tools_are_read_as_they_were_written() {
    check(FIXTURE, &samples());
    check(ASKED, &asked_samples());
}
