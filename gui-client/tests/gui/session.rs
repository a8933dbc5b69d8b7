//! A session with an agent as a fold, without a window and without an agent.

use std::path::{Path, PathBuf};

use gui_client::agent::{
    event::{Answer, Ask, PermissionKind, PermissionOption, QuestionId, SessionId, StopReason},
    session::{ENTRIES_MAX, QUESTIONS_MAX, Session, Turn},
    tool::{FileChange, Location, ToolContent, ToolKind, ToolPatch, ToolStatus},
    update::{
        Choice, Notice, Piece, Setting, SettingKey, SettingValue, Severity, Speaker, Step, StepStatus,
        Update, Usage,
    },
};
use proptest::prelude::*;

use crate::support::story;

fn session() -> Session {
    Session::new(SessionId("s1".to_owned()), PathBuf::from("/work"))
}

fn text(speaker: Speaker, text: &str, message: Option<&str>) -> Update {
    Update::Text(Piece {
        speaker,
        text: text.to_owned(),
        message: message.map(str::to_owned),
    })
}

fn agent(words: &str) -> Update {
    text(Speaker::Agent, words, None)
}

fn tool(id: &str, patch: ToolPatch) -> Update {
    Update::Tool(ToolPatch {
        id: id.to_owned(),
        ..patch
    })
}

fn begun(id: &str, title: &str) -> Update {
    let patch = ToolPatch {
        title: Some(title.to_owned()),
        kind: Some(ToolKind::Edit),
        ..ToolPatch::default()
    };
    tool(id, patch)
}

fn status(id: &str, status: ToolStatus) -> Update {
    let patch = ToolPatch {
        status: Some(status),
        ..ToolPatch::default()
    };
    tool(id, patch)
}

fn change(path: &str, new: &str) -> FileChange {
    FileChange::new(
        PathBuf::from(path),
        Some("a\nb\n".to_owned()),
        new.to_owned(),
        Path::new("/work"),
    )
}

fn check(prompt: Option<&str>, updates: impl IntoIterator<Item = Update>, expect: &[&str]) -> Session {
    let mut session = session();
    if let Some(prompt) = prompt {
        session.prompt(prompt);
    }
    updates.into_iter().for_each(|update| session.fold(update));
    assert_eq!(story(&session), expect);
    session
}

#[test]
fn pieces_of_a_message_are_one() {
    check(None, [agent("Hel"), agent("lo")], &["agent: Hello"]);
    let two = [
        text(Speaker::Agent, "a", Some("1")),
        text(Speaker::Agent, "b", Some("1")),
        text(Speaker::Agent, "c", Some("2")),
    ];
    check(None, two, &["agent: ab", "agent: c"]);
    let thought = [text(Speaker::Thought, "\n\nhm", None), agent("\nso")];
    check(None, thought, &["thought: hm", "agent: so"]);
    check(None, [agent("\n"), agent("x")], &["agent: x"]);
}

#[test]
fn the_persons_own_words_are_not_repeated() {
    let person = |words: &str| text(Speaker::Person, words, None);
    check(
        Some("add it"),
        [person("add it"), agent("ok")],
        &["you: add it", "agent: ok"],
    );
    check(Some("add it"), [person("add "), person("it")], &["you: add it"]);
    check(Some("add it"), [person("other")], &["you: add it", "you: other"]);
    check(None, [person("told "), person("again")], &["you: told again"]);
    // What others say in the same session is not the person's.
    check(Some("a"), [person("a"), person("a")], &["you: a", "you: a"]);
}

#[test]
fn a_call_is_one_entry_however_often_it_changes() {
    let content = ToolPatch {
        content: Some(vec![
            ToolContent::text("done\u{1b}"),
            ToolContent::Diff(Box::new(change("/work/src/a", "a\nc\n"))),
        ]),
        locations: Some(vec![Location {
            path: PathBuf::from("/work/src/a"),
            line: Some(2),
        }]),
        ..ToolPatch::default()
    };
    check(
        None,
        [
            begun("1", "Edit a"),
            agent("meanwhile"),
            status("1", ToolStatus::Running),
            tool("1", content),
            status("1", ToolStatus::Completed),
            status("2", ToolStatus::Failed),
        ],
        &[
            "Edit: Edit a Completed [done\u{fffd}] [src/a +1 -1]",
            "agent: meanwhile",
            "Tool:  Failed",
        ],
    );
}

#[test]
fn what_stands_beside_the_conversation() {
    let plan = vec![Step {
        text: "Look".to_owned(),
        status: StepStatus::Running,
    }];
    let usage = Usage {
        used: 1,
        size: 2,
        cost: None,
    };
    let setting = |current: &str| Setting {
        key: SettingKey::Mode,
        name: "Mode".to_owned(),
        description: None,
        value: SettingValue::Select {
            current: current.to_owned(),
            choices: vec![Choice {
                value: "ask".to_owned(),
                name: "Ask".to_owned(),
            }],
        },
    };
    let notice = Notice {
        severity: Severity::Warning,
        title: "Slow".to_owned(),
        text: "today".to_owned(),
    };
    let session = check(
        None,
        [
            Update::Plan(Vec::new()),
            Update::Plan(plan.clone()),
            Update::Usage(usage.clone()),
            Update::Settings(vec![setting("ask")]),
            Update::Mode("code".to_owned()),
            Update::Title(Some("Locks".to_owned())),
            Update::Notice(notice),
        ],
        &["Warning: Slow today"],
    );
    let beside = (session.plan, session.usage, session.settings, session.title);
    let expect = (plan, Some(usage), vec![setting("code")], Some("Locks".to_owned()));
    assert_eq!(beside, expect);
}

fn permission(call: &str) -> Ask {
    let option = |id: &str, kind| PermissionOption {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
    };
    Ask::Permission {
        call: ToolPatch {
            id: call.to_owned(),
            ..ToolPatch::default()
        },
        options: vec![
            option("yes", PermissionKind::AllowOnce),
            option("no", PermissionKind::RejectOnce),
        ],
    }
}

/// A turn in which a change of `a` to `new` is asked about and answered.
fn answered(new: &str, option: &str) -> Session {
    let mut session = session();
    session.prompt("go");
    let content = ToolPatch {
        content: Some(vec![ToolContent::Diff(Box::new(change("/work/a", new)))]),
        ..ToolPatch::default()
    };
    session.fold(tool("1", content));
    assert_eq!(session.ask(QuestionId(1), permission("1")), None);
    assert!(session.answer(QuestionId(1), &Answer::Option(option.to_owned())));
    session
}

#[test]
fn what_was_seen_and_allowed_is_written_without_another_question() {
    let check = |option: &str, path: &str, text: &str, expect: Option<Answer>| {
        let mut session = answered("new\n", option);
        let ask = Ask::Write(Box::new(change(path, text)));
        assert_eq!(session.ask(QuestionId(2), ask), expect, "{option} {path} {text}");
    };
    check("yes", "/work/a", "new\n", Some(Answer::Allow));
    check("yes", "/work/a", "other\n", None);
    check("yes", "/work/b", "new\n", None);
    check("no", "/work/a", "new\n", None);
    // The next turn begins with nothing allowed.
    let mut session = answered("new\n", "yes");
    session.end(StopReason::EndTurn);
    session.prompt("again");
    assert_eq!(
        session.ask(QuestionId(2), Ask::Write(Box::new(change("/work/a", "new\n")))),
        None
    );
}

#[test]
fn a_question_is_answered_once() {
    let mut session = session();
    session.prompt("go");
    assert_eq!(session.ask(QuestionId(1), permission("1")), None);
    assert!(session.answer(QuestionId(1), &Answer::Option("no".to_owned())));
    assert!(!session.answer(QuestionId(1), &Answer::Option("yes".to_owned())));
    assert_eq!(session.ask(QuestionId(2), permission("1")), None);
    assert!(session.withdraw(QuestionId(2)).is_some());
    assert!(!session.answer(QuestionId(2), &Answer::Option("yes".to_owned())));
}

#[test]
fn stopping_answers_what_is_asked_and_closes_what_runs() {
    let mut session = session();
    assert_eq!(session.stop(), []);
    session.prompt("go");
    session.fold(status("1", ToolStatus::Running));
    session.ask(QuestionId(1), permission("1"));
    assert_eq!(session.stop(), [QuestionId(1)]);
    assert_eq!(
        session.ask(QuestionId(2), permission("1")),
        Some(Answer::Cancelled)
    );
    session.end(StopReason::Cancelled);
    assert_eq!(story(&session), ["you: go", "Tool:  Stopped", "Info: Stopped "]);
    assert_eq!((session.turn, session.questions), (Turn::Idle, Vec::new()));
}

#[test]
fn each_end_of_a_turn_is_told() {
    let check = |stop, expect: &[&str]| {
        let mut session = session();
        session.prompt("go");
        session.end(stop);
        assert_eq!(story(&session)[1..], *expect);
    };
    check(StopReason::EndTurn, &[]);
    check(StopReason::MaxTokens, &["Warning: The model had no more tokens "]);
    check(
        StopReason::MaxRequests,
        &["Warning: The model was asked as often as it may be "],
    );
    check(
        StopReason::Refusal,
        &["Warning: The agent does not want to go on "],
    );
    check(StopReason::Cancelled, &["Info: Stopped "]);
}

#[test]
fn nothing_grows_without_a_limit() {
    let mut session = session();
    session.prompt("go");
    for number in 0..ENTRIES_MAX + 10 {
        session.fold(begun(&number.to_string(), "x"));
    }
    assert_eq!((session.entries.len(), session.dropped), (ENTRIES_MAX, 11));
    let ask = |number: usize| QuestionId(number as u64);
    for number in 0..QUESTIONS_MAX {
        assert_eq!(
            session.ask(ask(number), Ask::Write(Box::new(change("/work/a", "x")))),
            None
        );
    }
    let more = session.ask(ask(QUESTIONS_MAX), Ask::Write(Box::new(change("/work/a", "x"))));
    assert_eq!(more, Some(Answer::Cancelled));
}

fn any_update() -> impl Strategy<Value = Update> {
    let speaker = prop_oneof![
        Just(Speaker::Person),
        Just(Speaker::Agent),
        Just(Speaker::Thought)
    ];
    let statuses = prop_oneof![
        Just(ToolStatus::Pending),
        Just(ToolStatus::Running),
        Just(ToolStatus::Completed)
    ];
    prop_oneof![
        (speaker, "[a-c\n]{0,4}", proptest::option::of("[12]")).prop_map(|(speaker, words, message)| text(
            speaker,
            &words,
            message.as_deref()
        )),
        ("[1-3]", statuses).prop_map(|(id, now)| status(&id, now)),
        Just(Update::Title(None)),
    ]
}

proptest! {
    #[test]
    fn a_session_told_again_is_the_same(updates in proptest::collection::vec(any_update(), 0..40)) {
        let fold = |updates: &[Update]| {
            let mut session = session();
            updates.iter().for_each(|update| session.fold(update.clone()));
            session
        };
        prop_assert_eq!(fold(&updates), fold(&updates));
        let calls = fold(&updates).entries.iter().filter(|entry| matches!(entry, gui_client::agent::session::Entry::Tool(_))).count();
        prop_assert!(calls <= 3, "a call is one entry");
    }
}
