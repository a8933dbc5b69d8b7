//! What holds for every order of commands.

use proptest::prelude::*;

use super::*;

/// A step that may or may not be legal where it comes.
#[derive(Debug, Clone, Copy)]
enum Step {
    Complete,
    CompleteWithFailedChecks,
    Fail(Class),
    Stream,
    Intend,
    Accept,
    Reject,
    Modify,
    Cancel,
    Resume,
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => Just(Step::Complete),
        2 => Just(Step::CompleteWithFailedChecks),
        1 => Just(Step::Fail(Class::Transient)),
        1 => Just(Step::Fail(Class::Permanent)),
        1 => Just(Step::Fail(Class::User)),
        2 => Just(Step::Stream),
        2 => Just(Step::Intend),
        2 => Just(Step::Accept),
        1 => Just(Step::Reject),
        2 => Just(Step::Modify),
        1 => Just(Step::Cancel),
        3 => Just(Step::Resume),
        1 => Just(Step::Stale),
    ];
    proptest::collection::vec(step, 0..80)
}

fn command(run: &Run, step: Step) -> Option<Command> {
    let running = run
        .state
        .running()
        .map(|(running, stage)| (running.stage.clone(), running.attempt, stage.kind));
    let output = |kind, status| {
        use crate::StageKind as Kind;
        Some(match kind {
            Kind::Retrieval => Output::Context(context()),
            Kind::Planning => Output::Plan(plan(true)),
            Kind::CodeGeneration | Kind::TestGeneration => Output::Proposal(proposal(&["a.py"])),
            Kind::Checks => checks(status),
            Kind::Apply => Output::Applied(applied()),
            Kind::Review => return None,
        })
    };
    match (step, running) {
        (Step::Complete, Some((stage, attempt, kind))) => Some(Command::CompleteStage {
            stage,
            attempt,
            output: output(kind, CheckStatus::Passed)?,
        }),
        (Step::CompleteWithFailedChecks, Some((stage, attempt, kind))) => Some(Command::CompleteStage {
            stage,
            attempt,
            output: output(kind, CheckStatus::Failed)?,
        }),
        (Step::Fail(class), Some((stage, attempt, _))) => Some(Command::FailStage {
            stage,
            attempt,
            failure: failure(class),
        }),
        (Step::Stream, Some((stage, attempt, _))) => Some(Command::StreamText {
            stage,
            attempt,
            delta: "é".into(),
            tokens: 1,
            total: None,
        }),
        (Step::Intend, Some((stage, attempt, crate::StageKind::Apply))) => Some(Command::IntendApply {
            stage,
            attempt,
            intent: intent(),
        }),
        (Step::Stale, Some((stage, attempt, _))) => Some(Command::FailStage {
            stage,
            attempt: attempt + 7,
            failure: failure(Class::Fatal),
        }),
        (Step::Accept, _) => Some(accept()),
        (Step::Reject, _) => Some(Command::Decide {
            iteration: None,
            decision: Decision::Reject { feedback: None },
        }),
        (Step::Modify, _) => Some(modify("more")),
        (Step::Cancel, _) => Some(Command::Cancel),
        (Step::Resume, _) => Some(Command::Resume),
        (_, None | Some(_)) => None,
    }
}

proptest! {
    #[test]
    fn every_history_is_sound(steps in steps()) {
        let mut run = Run::begin();
        for step in steps {
            let Some(command) = command(&run, step) else { continue };
            let finished = run.state.is_finished();
            let outcome = run.give(command);
            prop_assert!(!finished || outcome.is_err(), "something happened after the end");
        }
        run.fold_equals_live();
        let ends = run.history.iter().filter(|recorded| matches!(recorded.event, Event::Finished(_))).count();
        prop_assert_eq!(ends, usize::from(run.state.is_finished()));
        for (number, recorded) in (1_u64..).zip(&run.history) {
            prop_assert_eq!(recorded.seq, Seq(number), "positions have no gap");
        }
        // Nothing is written without an intent, and nothing is intended without a yes.
        let at = |wanted: fn(&Event) -> bool| run.history.iter().position(|recorded| wanted(&recorded.event));
        let applied = at(|event| matches!(event, Event::Applied(_)));
        let accepted = at(|event| matches!(event, Event::Decided(Decision::Accept(_))));
        let intended = at(|event| matches!(event, Event::ApplyIntended(_)));
        prop_assert!(applied.is_none() || (accepted.is_some() && accepted < intended && intended < applied));
        // Text of an attempt that did not end is in no later state.
        if let Some((running, _)) = run.state.running() {
            let streamed: u64 = run.history.iter().rev()
                .take_while(|recorded| !matches!(recorded.event, Event::StageStarted { .. }))
                .filter(|recorded| matches!(recorded.event, Event::Streamed(_)))
                .count() as u64;
            prop_assert_eq!(running.streamed_chars, streamed);
        }
    }
}
