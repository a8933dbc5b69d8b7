//! Whether code may run without a sandbox is the person's to say, once.

use shared::error::{Class, Code};

use super::support::*;
use crate::{
    Command, Outcome,
    artifact::{CheckStatus, Decision, Failure},
    state::{Consent, Phase, Question},
};

fn needs_leave(run: &Run) -> Command {
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
    run.check(needs_leave(&run), &["notice no bubblewrap", "leave checks"]);
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
    cut.check(needs_leave(&cut), &["notice no bubblewrap", "leave checks"]);
}
