//! What holds for every order of commands. What holds after each step of lives
//! in which more than commands go wrong is the simulation's.

use proptest::prelude::*;

use shared::{error::Class, id::Seq};

use super::support::*;
use crate::{
    Command, Event, Output,
    artifact::{CheckStatus, Decision},
    blob::BlobId,
    event::Origin,
    graph, history,
};

/// A step that may or may not be legal where it comes.
#[derive(Debug, Clone, Copy)]
enum Step {
    Complete,
    CompleteWithFailedChecks,
    Fail(Class),
    Stream,
    Intend,
    Recheck,
    Accept,
    Reject,
    Modify,
    Cancel,
    Resume,
    Stale,
    Time,
    Remark,
    Call,
    Want,
}

fn steps() -> impl Strategy<Value = Vec<(Step, usize)>> {
    let step = prop_oneof![
        8 => Just(Step::Complete),
        2 => Just(Step::CompleteWithFailedChecks),
        1 => Just(Step::Fail(Class::Transient)),
        1 => Just(Step::Fail(Class::Permanent)),
        1 => Just(Step::Fail(Class::User)),
        2 => Just(Step::Stream),
        2 => Just(Step::Intend),
        1 => Just(Step::Recheck),
        2 => Just(Step::Accept),
        1 => Just(Step::Reject),
        2 => Just(Step::Modify),
        1 => Just(Step::Cancel),
        3 => Just(Step::Resume),
        1 => Just(Step::Stale),
        3 => Just(Step::Time),
        1 => Just(Step::Remark),
        1 => Just(Step::Call),
        1 => Just(Step::Want),
    ];
    proptest::collection::vec((step, 0..6_usize), 0..120)
}

/// `pick` says which of the running stages it is about.
fn command(run: &Run, step: Step, pick: usize) -> Option<Command> {
    use crate::StageKind as Kind;
    let working = run.state.working();
    let at = working
        .get(pick % working.len().max(1))
        .and_then(|(owner, running)| {
            let kind = owner.graph.stage(&running.stage)?.kind()?;
            Some((running.stage.clone(), running.attempt, kind))
        });
    // Lanes change a file of their own, and now and then one of all.
    let file = at.as_ref().map(|(stage, ..)| format!("{stage}.py"));
    let output = |kind, status| {
        Some(match kind {
            Kind::Retrieval => Output::Context(context()),
            Kind::Planning => Output::Plan(planned(&["a/x.py", "a/y.py", "b/z.py"])),
            Kind::CodeGeneration | Kind::TestGeneration | Kind::Revert => {
                let files = ["all.py", file.as_deref().unwrap_or_default()];
                Output::Proposal(proposal(&files[usize::from(!pick.is_multiple_of(3))..]))
            }
            Kind::Checks => checks(status),
            Kind::Apply => Output::Applied(applied()),
            Kind::Review => return None,
        })
    };
    match (step, at) {
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
            origin: origin(pick),
        }),
        (Step::Intend, Some((stage, attempt, Kind::Apply))) => Some(Command::IntendApply {
            stage,
            attempt,
            intent: intent(),
        }),
        (Step::Recheck, Some((stage, attempt, Kind::Apply))) if run.state.intent.is_none() => {
            Some(Command::Recheck {
                stage,
                attempt,
                of: crate::recheck::identity(&intent().files),
                reports: vec![report(CheckStatus::Failed)],
                problems: vec!["syntax: line 3".to_owned(); pick % 2],
            })
        }
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
        (Step::Call, Some((stage, attempt, _))) => Some(super::remarks::call(stage, attempt)),
        (Step::Want, Some((stage, attempt, Kind::CodeGeneration))) if run.state.running().is_some() => {
            let call = super::permission::wanted(&format!("tool {pick}"));
            Some(Command::AskPermission { stage, attempt, call })
        }
        (Step::Remark, _) => Some(Command::Remark {
            text: format!("more {pick}"),
        }),
        (Step::Time, _) => crate::next_due_ms(&run.state).map(|_| Command::Tick),
        (_, None | Some(_)) => None,
    }
}

/// Half of the text can be gone on with.
fn origin(pick: usize) -> Option<Origin> {
    pick.is_multiple_of(2).then(|| Origin {
        model: "mistral".into(),
        request: BlobId::of(b"asked"),
    })
}

/// Uses everything that a definition can have.
const RICH: &str = include_str!("rich.yaml");

fn graphs() -> impl Strategy<Value = &'static str> {
    prop_oneof![1 => Just(GRAPH), 3 => Just(RICH)]
}

fn drive(definition: &str, steps: &[(Step, usize)]) -> Run {
    let mut run = Run::of(definition);
    for (step, pick) in steps {
        let Some(command) = command(&run, *step, *pick) else {
            continue;
        };
        if let (Command::Tick, Some(due_ms)) = (&command, crate::next_due_ms(&run.state)) {
            run.now_ms = run.now_ms.max(due_ms);
        }
        run.random = run.random.wrapping_add(0x1234_5678_9ABC);
        let finished = run.state.is_finished();
        let outcome = run.give(command);
        assert!(!finished || outcome.is_err(), "something happened after the end");
    }
    run
}

/// The invariants that hold for every history.
fn audit(run: &Run) {
    run.fold_equals_live();
    let of = |wanted: fn(&Event) -> bool| {
        let found = run.history.iter().filter(move |recorded| wanted(&recorded.event));
        found.map(|recorded| recorded.seq).collect::<Vec<Seq>>()
    };
    let ends = of(|event| matches!(event, Event::Finished(_)));
    assert_eq!(ends.len(), usize::from(run.state.is_finished()));
    for (number, recorded) in (1_u64..).zip(&run.history) {
        assert_eq!(recorded.seq, Seq(number), "positions have no gap");
    }
    // Nothing is written without an intent, and nothing is intended without a yes.
    let applied = of(|event| matches!(event, Event::Applied(_)));
    let accepted = of(|event| matches!(event, Event::Decided(Decision::Accept(_))));
    let intended = of(|event| matches!(event, Event::ApplyIntended(_)));
    if let Some(applied) = applied.first() {
        assert!(
            accepted
                .iter()
                .any(|yes| intended.iter().any(|intent| yes < intent && intent < applied))
        );
    }
    // No two running stages have one name, and each list has at most one.
    let mut names = run.working();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), run.state.working().len());
    // Text of an attempt that did not end is in no later state.
    for (_, running) in run.state.working() {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "two kinds are looked for among all"
        )]
        let about = |recorded: &&crate::Recorded| match recorded.event.innermost() {
            Event::Streamed(streamed) => streamed.stage == running.stage,
            Event::StageStarted { stage, .. } => *stage == running.stage,
            _ => false,
        };
        let streamed = run
            .history
            .iter()
            .rev()
            .filter(about)
            .take_while(|recorded| matches!(recorded.event.innermost(), Event::Streamed(_)))
            .count() as u64;
        assert_eq!(running.streamed_chars, streamed);
    }
    // What a person said is known wherever a model is asked.
    let said = run.history.iter();
    let said = said.filter(|recorded| matches!(recorded.event, Event::Remarked { .. }));
    let said: Vec<Seq> = said.map(|recorded| recorded.seq).collect();
    for (owner, _) in run.state.working() {
        let known: Vec<Seq> = owner.remarks.iter().map(|remark| remark.seq).collect();
        assert_eq!(known, said);
    }
    // Whoever waits for nothing is stuck.
    let waits = run.state.is_finished()
        || !run.state.working().is_empty()
        || crate::next_due_ms(&run.state).is_some()
        || matches!(run.state.phase, crate::Phase::AwaitingDecision { .. });
    assert!(waits, "nothing can happen any more: {:?}", run.state.phase);
}

/// Gives results until the workflow ends.
fn finish(run: &mut Run) {
    for _ in 0..400 {
        if run.state.is_finished() {
            return;
        }
        let command = if run.state.working().is_empty() {
            match crate::next_due_ms(&run.state) {
                Some(due_ms) if !matches!(run.state.phase, crate::Phase::AwaitingDecision { .. }) => {
                    run.now_ms = run.now_ms.max(due_ms);
                    Command::Tick
                }
                Some(_) | None => accept(),
            }
        } else {
            let intend = command(run, Step::Intend, 0).filter(|_| run.state.intent.is_none());
            intend.or_else(|| command(run, Step::Complete, 0)).unwrap()
        };
        run.give(command).unwrap();
    }
    panic!("it does not end");
}

fn contents(run: &Run) -> Option<Vec<crate::artifact::FileChange>> {
    run.state.proposal.as_ref().map(|proposal| {
        let mut files = proposal.files.clone();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    })
}

proptest! {
    // Each case is a whole workflow, and most of them several.
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_workflow_that_was_killed_anywhere_ends_alike(
        definition in graphs(),
        steps in steps(),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = drive(definition, &steps);
        let mut spared = Run::resumed(&whole.history);
        prop_assert_eq!(&spared.state, &whole.state);
        finish(&mut spared);
        // At every place in between, also within the events of one command,
        // a resumed workflow goes on to an end.
        let at = cut.index(whole.history.len()) + 1;
        let mut killed = Run::resumed(&whole.history[..at]);
        if !killed.state.is_finished() {
            killed.give(Command::Resume).unwrap();
            audit(&killed);
            finish(&mut killed);
        }
        audit(&killed);
        // At the last place it is the same workflow, killed or not.
        let mut last = Run::resumed(&whole.history);
        if !last.state.is_finished() {
            let _ = last.give(Command::Resume).unwrap();
            finish(&mut last);
            prop_assert_eq!(contents(&last), contents(&spared));
            prop_assert_eq!(&last.state.phase, &spared.state.phase);
        }
    }

    #[test]
    fn a_shorter_history_leads_to_the_same_state(definition in graphs(), steps in steps()) {
        let run = drive(definition, &steps);
        // The last place where one may stand for all before.
        let mut state = None;
        let mut last = None;
        for (number, recorded) in run.history.iter().enumerate() {
            state = crate::apply(state, recorded);
            if state.as_ref().is_some_and(history::may_continue) {
                last = Some((number + 1, state.clone()));
            }
        }
        let (length, state) = last.unwrap();
        let event = Event::Continued { history: crate::blob::BlobId::of(b"") };
        let seq = run.history[length - 1].seq.next();
        let continued = crate::Recorded { seq, at_ms: run.now_ms, event };
        let short = history::compact(run.history[..length].to_vec());
        prop_assert_eq!(crate::apply(crate::fold(&short), &continued), crate::apply(state, &continued));
    }

    #[test]
    fn no_definition_makes_the_reader_panic(at in any::<prop::sample::Index>(), with in "[a-z:{}\\[\\]\n\" *&-]{0,6}") {
        let mut text = RICH.to_owned();
        let mut at = at.index(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.insert_str(at, &with);
        if let Err(error) = graph::parse(&text) {
            let lines = text.lines().count() + 1;
            for problem in error.problems {
                prop_assert!(problem.at.line >= 1 && problem.at.line <= lines, "{}", problem);
            }
        }
    }
}
