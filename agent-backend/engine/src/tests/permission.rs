//! Whether code may run without a sandbox is the person's to say, once; whether a
//! model may call a tool, for each call.

use shared::error::{Class, Code};

use super::support::*;
use crate::{
    Command, Event, Outcome, Output,
    artifact::{CheckStatus, Decision, Effect, Failure, WantedCall},
    blob::BlobId,
    history,
    state::{Consent, Phase, Question},
};

fn needs_permission(run: &Run) -> Command {
    let (stage, attempt) = run.at();
    Command::FailStage {
        stage,
        attempt,
        failure: Failure {
            class: Class::User,
            code: Code::UnisolatedRun,
            message: "no bubblewrap".into(),
        },
    }
}

fn reject() -> Command {
    Command::Decide {
        iteration: None,
        decision: Decision::Reject { feedback: None },
    }
}

fn asked() -> Run {
    let mut run = Run::to_checks();
    run.check(
        needs_permission(&run),
        &["notice no bubblewrap", "permission checks"],
    );
    assert!(matches!(
        run.state.phase,
        Phase::AwaitingDecision {
            question: Question::Unisolated,
            ..
        }
    ));
    run
}

#[test]
fn either_answer_lets_the_stage_begin_again_and_counts_for_all_that_follows() {
    for (answer, word, consent) in [
        (accept(), "accepted", Consent::Given),
        (reject(), "rejected", Consent::Refused),
    ] {
        let mut run = asked();
        run.check(answer, &[word, "start checks 2"]);
        assert_eq!(
            (run.state.consent, run.state.selection.clone()),
            (Some(consent), None)
        );
        assert_eq!(run.state.failures.len(), 0, "nothing went wrong");
        run.complete(checks(CheckStatus::Passed));
        run.give(modify("more")).unwrap();
        assert_eq!(run.state.consent, Some(consent));
    }
}

#[test]
fn it_is_yes_or_no() {
    let mut run = asked();
    run.refuse(modify("perhaps"), "accept or reject");
    run.give(Command::Cancel).unwrap();
    assert_eq!(run.state.phase, Phase::Finished(Outcome::Cancelled));
}

#[test]
fn a_restart_asks_again() {
    let run = asked();
    let mut whole = Run::resumed(&run.history);
    whole.check(Command::Resume, &[]);
    assert_eq!(whole.state.phase, run.state.phase);
    // Cut before the question: the stage finds out again that it has to ask.
    let mut cut = Run::resumed(&run.history[..run.history.len() - 1]);
    cut.check(Command::Resume, &["resumed", "start checks 2"]);
    cut.check(
        needs_permission(&cut),
        &["notice no bubblewrap", "permission checks"],
    );
}

/// A call that needs a person's permission.
pub(super) fn wanted(tool: &str) -> WantedCall {
    WantedCall {
        asked: BlobId::of(b"asked"),
        number: 1,
        turn: BlobId::of(b"turn"),
        server: "house".into(),
        reached: BlobId::of(b"house.py"),
        tool: tool.into(),
        title: "Repeal a rule".into(),
        effect: Effect::Unknown,
        arguments: BlobId::of(b"{}"),
        shown: "{}".into(),
    }
}

fn want(run: &Run, tool: &str) -> Command {
    let (stage, attempt) = run.at();
    let call = wanted(tool);
    Command::AskPermission { stage, attempt, call }
}

fn wanting() -> Run {
    let mut run = Run::to_generation();
    run.check(
        want(&run, "repeal"),
        &["permission code_generation for house.repeal"],
    );
    assert_eq!(
        run.actions,
        [],
        "what works on it is stopped, and nothing else begins"
    );
    assert_eq!(run.working(), Vec::<String>::new());
    run
}

/// What was said about calls: the tool, the answer, the words.
fn said(run: &Run) -> Vec<(&str, Consent, Option<&str>)> {
    let all = run.state.permissions.iter();
    all.map(|permission| {
        (
            permission.call.tool.as_str(),
            permission.consent,
            permission.words.as_deref(),
        )
    })
    .collect()
}

#[test]
fn a_call_is_asked_about_and_the_stage_goes_on_with_the_answer() {
    let mut run = wanting();
    let before = run.state.failures.clone();
    run.check(accept(), &["accepted", "start code_generation 2"]);
    assert_eq!(said(&run), [("repeal", Consent::Given, None)]);
    run.check(
        want(&run, "rewrite"),
        &["permission code_generation for house.rewrite"],
    );
    let no = Command::Decide {
        iteration: None,
        decision: Decision::Reject {
            feedback: Some("leave them alone".into()),
        },
    };
    run.check(no, &["rejected", "start code_generation 3"]);
    let both = [
        ("repeal", Consent::Given, None),
        ("rewrite", Consent::Refused, Some("leave them alone")),
    ];
    assert_eq!(said(&run), both);
    assert_eq!(
        (
            run.state.failures.clone(),
            run.state.selection.clone(),
            run.state.consent
        ),
        (before, None, None),
        "nothing went wrong, nothing was selected, and the sandbox is another question"
    );
    // What was allowed was allowed to this stage.
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(said(&run), []);
}

#[test]
fn what_was_written_before_a_question_is_dropped() {
    let mut run = Run::to_generation();
    run.stream("let me");
    run.check(
        want(&run, "repeal"),
        &[
            "discard code_generation 1",
            "permission code_generation for house.repeal",
        ],
    );
}

#[test]
fn a_question_about_a_call_is_yes_or_no() {
    let mut run = wanting();
    run.refuse(modify("perhaps"), "accept or reject");
    run.give(Command::Cancel).unwrap();
    assert_eq!(run.state.phase, Phase::Finished(Outcome::Cancelled));
}

#[test]
fn a_restart_keeps_the_question_and_the_answer() {
    let mut run = wanting();
    let mut back = Run::resumed(&run.history);
    back.check(Command::Resume, &[]);
    assert_eq!(back.state.phase, run.state.phase);
    run.give(accept()).unwrap();
    let mut back = Run::resumed(&run.history);
    back.check(Command::Resume, &["resumed", "start code_generation 3"]);
    assert_eq!(said(&back), [("repeal", Consent::Given, None)]);
    let short = history::compact(run.history.clone());
    assert_eq!(crate::fold(&short).unwrap(), run.state);
}

#[test]
fn an_attempt_that_no_longer_counts_asks_nothing() {
    let mut run = Run::to_generation();
    let late = want(&run, "repeal");
    run.give(Command::Resume).unwrap();
    run.refuse(late, "no longer counts");
}

#[test]
fn a_part_of_a_workflow_cannot_ask() {
    const PARTS: &str = "name: x\nversion: 1\nstages:\n  - {id: find, kind: retrieval}\n  - id: both\n    kind: parallel\n    \
                         branches:\n      - id: a\n        stages: [{id: code_a, kind: code_generation}]\n";
    let mut run = Run::of(PARTS);
    run.complete(Output::Context(context()));
    let (stage, attempt) = run.at();
    let call = wanted("repeal");
    let told = run.give(Command::AskPermission { stage, attempt, call }).unwrap();
    assert!(told.iter().all(|line| !line.contains("permission")), "{told:?}");
    assert!(run.state.is_finished(), "{told:?}");
}

#[test]
fn the_answer_of_the_model_is_kept_with_the_question() {
    let run = wanting();
    let last = run.history.last().map(|recorded| &recorded.event);
    assert_eq!(last.map(Event::blobs), Some(vec![BlobId::of(b"turn")]));
    let asked = Question::Tool(wanted("repeal").into());
    assert!(matches!(&run.state.phase, Phase::AwaitingDecision { question, .. } if *question == asked));
}
