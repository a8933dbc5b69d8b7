//! A workflow that takes back what another one has committed asks nobody.

use shared::error::Class;

use super::support::*;
use crate::{Command, Graph, Outcome, Output, Phase};

fn begun() -> Run {
    let run = Run::with(Graph::undo());
    assert_eq!(run.working(), ["revert"]);
    run
}

fn to_apply() -> Run {
    let mut run = begun();
    run.complete(Output::Proposal(proposal(&["a.py"])));
    assert_eq!(run.working(), ["apply"]);
    run
}

fn intend(run: &Run) -> Command {
    let (stage, attempt) = run.at();
    Command::IntendApply {
        stage,
        attempt,
        intent: intent(),
    }
}

#[test]
fn what_is_taken_back_is_written_at_once() {
    let mut run = to_apply();
    run.check(intend(&run), &["intend"]);
    let ended = run.complete(Output::Applied(applied()));
    assert_eq!(ended.last().unwrap(), "completed");
}

#[test]
fn what_cannot_be_written_ends_it_with_the_reason() {
    for mut run in [begun(), to_apply()] {
        let ended = run.fail(Class::User);
        assert_eq!(ended.last().unwrap(), "failed E1302");
        assert!(matches!(run.state.phase, Phase::Finished(Outcome::Failed(_))));
    }
}

#[test]
fn what_moved_meanwhile_is_tried_again_some_times() {
    let mut run = to_apply();
    for _ in 0..2 {
        let made = run.fail(Class::Transient);
        assert!(made.last().unwrap().starts_with("retry apply"), "{made:?}");
        run.wait();
    }
    assert_eq!(run.fail(Class::Transient).last().unwrap(), "failed E1302");
}

#[test]
fn killed_anywhere_it_goes_on() {
    let mut whole = to_apply();
    whole.check(intend(&whole), &["intend"]);
    for at in 2..=whole.history.len() {
        let mut killed = Run::resumed(&whole.history[..at]);
        killed.give(Command::Resume).unwrap();
        while !killed.state.is_finished() {
            let command = match killed.working()[0].as_str() {
                "revert" => {
                    let (stage, attempt) = killed.at();
                    Command::CompleteStage {
                        stage,
                        attempt,
                        output: Output::Proposal(proposal(&["a.py"])),
                    }
                }
                _ if killed.state.intent.is_none() => intend(&killed),
                _ => {
                    let (stage, attempt) = killed.at();
                    Command::CompleteStage {
                        stage,
                        attempt,
                        output: Output::Applied(applied()),
                    }
                }
            };
            killed.give(command).unwrap();
        }
        assert_eq!(
            killed.state.phase,
            Phase::Finished(Outcome::Completed),
            "cut at {at}"
        );
    }
}
