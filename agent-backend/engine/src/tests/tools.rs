//! Tools that a model calls in the middle of its answer.

use shared::id::StageId;

use super::support::*;
use crate::{Command, Output, artifact::ToolCall, blob::BlobId, history};

fn tool(stage: StageId, attempt: u32) -> Command {
    let call = ToolCall {
        asked: BlobId::of(b"asked"),
        number: 1,
        of: 1,
        said: "let me look".into(),
        id: "1".into(),
        server: "git".into(),
        tool: "log".into(),
        name: "git__log".into(),
        arguments: "{}".into(),
        result: BlobId::of(b"a log"),
        is_error: false,
        duration_ms: 9,
        begun: None,
    };
    Command::ReportTool { stage, attempt, call }
}

/// Calls a tool from where a workflow is.
fn call(run: &mut Run) {
    let (stage, attempt) = run.at();
    let told = run.give(tool(stage, attempt)).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("git__log"), "{told:?}");
    run.fold_equals_live();
    assert_eq!(run.actions, [], "the worker goes on by itself");
}

#[test]
fn what_was_said_before_a_call_is_no_answer_to_go_on_with() {
    let mut run = Run::to_generation();
    run.write("let me look", 3);
    call(&mut run);
    let mut back = Run::resumed(&run.history);
    back.check(
        Command::Resume,
        &["resumed", "discard code_generation 1", "start code_generation 2"],
    );
}

#[test]
fn what_was_written_after_a_call_is_gone_on_with() {
    let mut run = Run::to_generation();
    run.write("let me look", 3);
    call(&mut run);
    run.write("def", 4);
    let from = run.state.running().and_then(|(running, _)| running.text.clone());
    assert_eq!(from.map(|text| text.from), Some(run.state.head));
    Run::resumed(&run.history).check(Command::Resume, &["resumed"]);
}

#[test]
fn a_call_belongs_to_its_attempt() {
    let mut run = Run::to_generation();
    let (stage, attempt) = run.at();
    call(&mut run);
    run.give(Command::Resume).unwrap();
    run.refuse(tool(stage, attempt), "no longer counts");
}

#[test]
fn a_shorter_history_has_no_calls_and_leads_to_the_same_state() {
    #[track_caller]
    fn check(mut run: Run) {
        call(&mut run);
        assert!(history::may_continue(&run.state));
        let short = history::compact(run.history.clone());
        let mut same = crate::fold(&short).unwrap();
        // Where a list is, the call moves it.
        same.head = run.state.head;
        same.updated_at_ms = run.state.updated_at_ms;
        assert_eq!(same, run.state);
    }
    check(Run::to_generation());
    const PARTS: &str = "name: x\nversion: 1\nstages:\n  - {id: find, kind: retrieval}\n  - id: both\n    kind: parallel\n    \
                         branches:\n      - id: a\n        stages: [{id: code_a, kind: code_generation}]\n      \
                         - id: b\n        stages: [{id: code_b, kind: code_generation}]\n";
    let mut run = Run::of(PARTS);
    run.complete(Output::Context(context()));
    check(run);
}
