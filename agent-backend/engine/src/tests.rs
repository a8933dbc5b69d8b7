//! Histories as text: each test drives a workflow by commands and compares
//! every event that came of them.

mod forks;
mod groups;
mod images;
mod permission;
mod policies;
mod properties;
mod rechecks;
mod remarks;
mod support;
mod timers;
mod tools;
mod undo;
mod words;

use shared::{
    error::Class,
    id::{CorrelationId, StageId, WorkflowId},
};
use support::*;

use crate::{
    Action, Command, Ctx, Output, StageKind,
    artifact::{CheckStatus, Decision, FileSelection, Selection, Task},
    graph, submit,
};

#[test]
fn the_whole_way_to_a_commit() {
    let mut run = Run::begin();
    assert_eq!(
        run.complete(Output::Context(context())),
        ["context", "end retrieval 1 after 1000", "start planning 1"]
    );
    assert_eq!(
        run.complete(Output::Plan(plan(true))),
        ["plan", "end planning 1 after 1000", "start code_generation 1"]
    );
    let made = run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(
        made,
        [
            "propose 1",
            "end code_generation 1 after 1000",
            "start test_generation 1"
        ]
    );
    let made = run.complete(Output::Proposal(proposal(&["a.py", "test_a.py"])));
    assert_eq!(
        made,
        ["propose 2", "end test_generation 1 after 1000", "start checks 1"]
    );
    let checked = run.complete(checks(CheckStatus::Passed));
    assert_eq!(
        checked,
        ["check Passed", "end checks 1 after 1000", "start review 1", "ask"]
    );
    assert!(run.actions.is_empty(), "a person works on the review");
    run.check(
        accept(),
        &["accepted", "end review 1 after 1000", "start apply 1"],
    );
    let (stage, attempt) = run.at();
    run.check(
        Command::IntendApply {
            stage,
            attempt,
            intent: intent(),
        },
        &["intend"],
    );
    assert!(matches!(run.actions[..], [Action::WriteApply { .. }]));
    let done = run.complete(Output::Applied(applied()));
    assert_eq!(done, ["applied", "end apply 1 after 2000", "completed"]);
    assert_eq!((run.actions.len(), run.state.working().len()), (0, 0));
    run.refuse(Command::Cancel, "already finished");
}

#[test]
fn the_plan_leaves_an_optional_stage_out() {
    let mut run = Run::begin();
    run.complete(Output::Context(context()));
    run.complete(Output::Plan(plan(false)));
    let made = run.complete(Output::Proposal(proposal(&["a.py"])));
    let expect = [
        "propose 1",
        "end code_generation 1 after 1000",
        "skip test_generation: because",
        "start checks 1",
    ];
    assert_eq!(made, expect);
}

#[test]
fn bad_answers_are_tried_again_as_often_as_defined() {
    let mut run = Run::to_generation();
    run.stream("def");
    let first = run.fail(Class::Permanent);
    assert_eq!(
        first,
        [
            "discard code_generation 1",
            "fail code_generation 1: permanent",
            "start code_generation 2"
        ]
    );
    assert!(matches!(run.actions[..], [Action::RunStage { attempt: 2, .. }]));
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail code_generation 2: permanent", "start code_generation 3"]
    );
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail code_generation 3: permanent", "failed E1302"]
    );
}

#[test]
fn passing_failures_wait_longer_each_time() {
    let mut run = Run::begin();
    assert_eq!(
        run.fail(Class::Transient),
        ["fail retrieval 1: transient", "retry retrieval 2 in 500"]
    );
    assert_eq!(run.actions, [], "nothing runs while it waits");
    run.check(Command::Resume, &[]);
    assert_eq!(run.wait(), ["start retrieval 2"]);
    assert!(matches!(run.actions[..], [Action::RunStage { attempt: 2, .. }]));
    assert_eq!(
        run.fail(Class::Transient),
        ["fail retrieval 2: transient", "retry retrieval 3 in 1000"]
    );
}

#[test]
fn an_optional_stage_may_fail() {
    let mut run = Run::to_generation();
    run.complete(Output::Proposal(proposal(&["a.py"])));
    run.fail(Class::Permanent);
    assert_eq!(
        run.fail(Class::Permanent),
        ["fail test_generation 2: permanent", "start checks 1"]
    );
}

#[test]
fn a_wrong_request_is_not_tried_again() {
    let mut run = Run::begin();
    assert_eq!(run.fail(Class::User), ["fail retrieval 1: user", "failed E1302"]);
}

#[test]
fn failed_checks_go_back_to_the_code_and_then_to_the_person() {
    let mut run = Run::to_checks();
    let failed = |run: &mut Run| run.complete(checks(CheckStatus::Failed));
    assert_eq!(
        failed(&mut run),
        [
            "check Failed",
            "fail checks 1: permanent",
            "start code_generation 2"
        ]
    );
    assert_eq!(run.state.failures.last().unwrap().message, "syntax: line 3");
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert!(run.state.checks.is_empty(), "evidence is about one proposal");
    run.complete(Output::Proposal(proposal(&["a.py"])));
    failed(&mut run);
    run.complete(Output::Proposal(proposal(&["a.py"])));
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(
        failed(&mut run),
        [
            "check Failed",
            "fail checks 3: permanent",
            "start review 1",
            "ask"
        ]
    );
}

#[test]
fn a_proposal_that_could_not_be_mended_is_shown_to_the_person() {
    let mut run = Run::to_checks();
    run.complete(checks(CheckStatus::Failed));
    run.fail(Class::Permanent);
    run.fail(Class::Permanent);
    let last = run.fail(Class::Permanent);
    assert_eq!(
        last,
        [
            "fail code_generation 4: permanent",
            "notice no edits",
            "start review 1",
            "ask"
        ]
    );
    assert_eq!(run.state.checks.len(), 1, "with its evidence");
}

#[test]
fn feedback_starts_another_iteration_with_the_same_context() {
    let mut run = Run::to_review();
    run.refuse(modify("  "), "feedback");
    run.check(
        modify("add expiry"),
        &[
            "modify: add expiry",
            "end review 1 after 2000",
            "iteration 2",
            "skip retrieval: the result of iteration 1 is used again",
            "start planning 1",
        ],
    );
    assert_eq!(run.state.context, Some(context().into()));
    assert_eq!(run.state.previous, Some(proposal(&["a.py", "test_a.py"]).into()));
    assert_eq!(run.state.proposal, None);
    let stale = Command::Decide {
        iteration: Some(1),
        decision: Decision::Accept(Selection::All),
    };
    run.refuse(stale, "not waiting");
}

#[test]
fn a_decision_is_about_the_iteration_that_was_seen() {
    let mut run = Run::to_review();
    let other = Command::Decide {
        iteration: Some(7),
        decision: Decision::Accept(Selection::All),
    };
    run.refuse(other, "iteration 7");
    let selection = |path: &str, hunks| {
        let files = vec![FileSelection {
            path: path.into(),
            hunks,
            text: None,
        }];
        Command::Decide {
            iteration: Some(1),
            decision: Decision::Accept(Selection::Files(files)),
        }
    };
    run.refuse(selection("b.py", None), "no file `b.py`");
    run.refuse(selection("a.py", Some(Vec::new())), "empty");
    assert!(run.give(selection("a.py", Some(vec![0]))).is_ok());
}

#[test]
fn rejecting_ends_it() {
    let mut run = Run::to_review();
    let reject = Command::Decide {
        iteration: None,
        decision: Decision::Reject { feedback: None },
    };
    run.check(
        reject,
        &["rejected", "end review 1 after 1000", "finished rejected"],
    );
}

#[test]
fn cancel_stops_at_any_point_but_not_while_files_are_written() {
    Run::begin().check(Command::Cancel, &["skip retrieval: cancelled", "cancelled"]);
    Run::to_review().check(Command::Cancel, &["cancelled"]);
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    run.refuse(Command::Cancel, "being written");
}

#[test]
fn a_refused_write_goes_back_to_the_person() {
    let mut run = Run::to_apply();
    let refused = run.fail(Class::User);
    assert_eq!(
        refused,
        ["fail apply 1: user", "notice no edits", "start review 2", "ask"]
    );
    assert!(run.give(accept()).is_ok());
}

#[test]
fn a_branch_that_moved_is_planned_for_again() {
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    assert_eq!(
        run.fail(Class::Transient),
        ["fail apply 1: transient", "retry apply 2 in 500"]
    );
    assert_eq!(run.wait(), ["start apply 2"]);
    assert!(
        matches!(run.actions[..], [Action::RunStage { attempt: 2, .. }]),
        "{:?}",
        run.actions
    );
}

#[test]
fn a_restart_discards_text_and_nothing_else() {
    let mut run = Run::to_generation();
    run.stream("def");
    run.check(
        Command::Resume,
        &["resumed", "discard code_generation 1", "start code_generation 2"],
    );
    run.check(Command::Resume, &["resumed", "start code_generation 3"]);
    assert_eq!(
        run.state.record(&run.at().0).unwrap().failed,
        0,
        "a restart costs no attempt"
    );
    Run::to_review().check(Command::Resume, &[]);
}

#[test]
fn a_restart_leaves_text_that_can_be_gone_on_with() {
    let mut run = Run::to_generation();
    run.write("def", 1);
    run.write(" f", 2);
    let (stage, attempt) = run.at();
    let begun_ms = run.now_ms;
    run.check(Command::Resume, &["resumed"]);
    let kind = StageKind::CodeGeneration;
    assert_eq!(
        run.actions,
        [Action::RunStage {
            stage: stage.clone(),
            attempt,
            kind
        }]
    );
    let (running, _) = run.state.running().unwrap();
    assert_eq!(running.started_at_ms, begun_ms + 1_000, "its time begins anew");
    let go_on = Command::ContinueText {
        stage: stage.clone(),
        attempt,
    };
    run.check(go_on, &["go on code_generation 1 at 2"]);
    run.check(text(&stage, attempt, "()"), &["text at 5"]);
    // Killed again, and the model cannot go on.
    run.check(Command::Resume, &["resumed"]);
    let anew = Command::RestartText {
        stage: stage.clone(),
        attempt,
        reason: "another model".into(),
    };
    run.check(anew, &["discard code_generation 1", "start code_generation 2"]);
    assert!(matches!(run.actions[..], [Action::RunStage { attempt: 2, .. }]));
    run.refuse(Command::ContinueText { stage, attempt }, "no longer counts");
    run.check(Command::Resume, &["resumed", "start code_generation 3"]);
}

fn text(stage: &StageId, attempt: u32, delta: &str) -> Command {
    Command::StreamText {
        stage: stage.clone(),
        attempt,
        delta: delta.into(),
        tokens: 3,
        total: None,
        origin: None,
    }
}

#[test]
fn a_restart_in_the_middle_of_writing_writes_the_same_intent_again() {
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    })
    .unwrap();
    run.check(Command::Resume, &["resumed", "start apply 2"]);
    assert!(matches!(run.actions[..], [Action::WriteApply { attempt: 2, .. }]));
}

/// What was written without an intent was not asked for.
#[test]
fn nothing_was_written_that_was_not_intended() {
    let mut run = Run::to_apply();
    assert_eq!(
        run.complete(Output::Applied(applied())),
        ["fail apply 1: fatal", "failed E1099"]
    );
}

#[test]
fn a_run_that_kills_the_process_is_given_up() {
    let mut run = Run::to_generation();
    for _ in 0..crate::limits::RESUMES_MAX {
        run.give(Command::Resume).unwrap();
    }
    run.check(Command::Resume, &["failed E1012"]);
}

#[test]
fn late_results_count_for_nothing() {
    let mut run = Run::to_generation();
    let (stage, attempt) = run.at();
    run.give(Command::Resume).unwrap();
    let late = Command::CompleteStage {
        stage,
        attempt,
        output: Output::Proposal(proposal(&["a.py"])),
    };
    run.refuse(late, "no longer counts");
}

#[test]
fn requests_have_words_and_an_end() {
    let check = |query: &str, part: &str| {
        let graph = graph::parse(GRAPH).unwrap();
        let ctx = Ctx { now_ms: 0, random: 0 };
        let task = Task {
            workflow_type: graph.name.clone(),
            query: query.into(),
            workspace: "/w".into(),
            choices: crate::artifact::Choices::default(),
            images: Vec::new(),
        };
        let error = submit(WorkflowId::new("w"), CorrelationId::new("c"), task, graph, &ctx).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    check("", "empty");
    check(" \n", "empty");
    check(&"x".repeat(crate::limits::QUERY_BYTES_MAX + 1), "at most");
}
