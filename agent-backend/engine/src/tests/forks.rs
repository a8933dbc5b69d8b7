//! New workflows from any point of old ones.

use shared::id::{CorrelationId, Seq, WorkflowId};

use super::support::*;
use crate::{
    Command, Recorded,
    artifact::CheckStatus,
    history::{NewFork, Unforkable, fork},
};

fn new(at: usize, model: Option<&str>) -> NewFork {
    NewFork {
        workflow: WorkflowId::new("w2"),
        correlation: CorrelationId::new("c2"),
        from: WorkflowId::new("w1"),
        at: Seq(at as u64),
        model: model.map(str::to_owned),
        now_ms: 5_000_000,
    }
}

fn whole() -> Run {
    let mut run = Run::to_apply();
    let (stage, attempt) = run.at();
    let intent = intent();
    run.give(Command::IntendApply {
        stage,
        attempt,
        intent,
    })
    .unwrap();
    run.complete(crate::Output::Applied(applied()));
    run
}

fn at(run: &Run, wanted: &str) -> usize {
    let place = |recorded: &Recorded| line(&recorded.event) == wanted;
    run.history.iter().position(place).unwrap() + 1
}

#[test]
fn a_fork_goes_on_from_where_the_other_one_was() {
    let run = whole();
    let cut = at(&run, "ask");
    let forked = fork(run.history[..cut].to_vec(), &new(cut, Some("other"))).unwrap();
    let seqs: Vec<u64> = forked.iter().map(|recorded| recorded.seq.0).collect();
    assert_eq!(seqs, (1..=forked.len() as u64).collect::<Vec<_>>());
    let mut fork = Run::resumed(&forked);
    assert_eq!(fork.state.model(), Some("other"));
    assert_eq!(fork.state.workflow, WorkflowId::new("w2"));
    let before = Run::resumed(&run.history[..cut]).state;
    assert_eq!(fork.state.proposal, before.proposal);
    assert_eq!(fork.state.checks, before.checks);
    assert_eq!(fork.state.stages, before.stages);
    fork.check(Command::Resume, &[]);
    fork.check(
        modify("smaller"),
        &[
            "modify: smaller",
            "end review 1 after 2000",
            "iteration 2",
            "skip retrieval: the result of iteration 1 is used again",
            "start planning 1",
        ],
    );
}

#[test]
fn a_fork_from_the_middle_of_a_stage_begins_it_again() {
    let mut run = Run::to_generation();
    run.stream("def");
    let length = run.history.len();
    let mut fork = Run::resumed(&fork(run.history.clone(), &new(length, None)).unwrap());
    fork.check(Command::Resume, &["resumed", "start code_generation 2"]);
}

#[test]
fn a_fork_in_the_middle_of_an_answer_asks_again() {
    let run = whole();
    for cut in [at(&run, "accepted"), at(&run, "end review 1 after 1000")] {
        let mut fork = Run::resumed(&fork(run.history[..cut].to_vec(), &new(cut, None)).unwrap());
        fork.check(Command::Resume, &[]);
        assert_eq!(line(&fork.history.last().unwrap().event), "ask");
        fork.check(
            accept(),
            &["accepted", "end review 1 after 2000", "start apply 1"],
        );
    }
}

#[test]
fn nothing_goes_on_from_the_end_or_from_a_write() {
    let run = whole();
    let refuse = |cut: usize, expect: Unforkable| {
        assert_eq!(fork(run.history[..cut].to_vec(), &new(cut, None)), Err(expect));
    };
    refuse(run.history.len(), Unforkable::Finished);
    refuse(at(&run, "start apply 1"), Unforkable::Writing);
    refuse(at(&run, "intend"), Unforkable::Writing);
    assert_eq!(
        fork(run.history.clone(), &new(1_000, None)),
        Err(Unforkable::Unknown)
    );
    assert_eq!(fork(Vec::new(), &new(1, None)), Err(Unforkable::Unknown));
}

#[test]
fn every_point_before_the_write_can_be_forked() {
    let mut run = Run::of(include_str!("rich.yaml"));
    let mut cuts = Vec::new();
    while !run.state.is_finished() {
        cuts.push(run.history.len());
        let working = run.working();
        if let Some(stage) = working.first() {
            let kind = run.state.working()[0]
                .0
                .graph
                .stage(&run.state.working()[0].1.stage)
                .unwrap()
                .kind();
            use crate::StageKind as Kind;
            let output = match kind.unwrap() {
                Kind::Retrieval => crate::Output::Context(context()),
                Kind::Planning => crate::Output::Plan(planned(&["a/x.py", "b/y.py", "c/z.py"])),
                Kind::CodeGeneration | Kind::TestGeneration | Kind::Revert => {
                    crate::Output::Proposal(proposal(&[&format!("{stage}.py")]))
                }
                Kind::Checks => checks(CheckStatus::Passed),
                Kind::Apply | Kind::Review => break,
            };
            let stage = stage.clone();
            run.complete_stage(&stage, output);
        } else {
            run.give(accept()).unwrap();
        }
    }
    assert!(cuts.len() > 8, "{cuts:?}");
    assert_eq!(line(&run.history.last().unwrap().event), "start apply 1");
    for cut in 1..run.history.len() {
        let forked = fork(run.history[..cut].to_vec(), &new(cut, None)).unwrap();
        let mut fork = Run::resumed(&forked);
        fork.give(Command::Resume).unwrap();
        let waits = matches!(fork.state.phase, crate::Phase::AwaitingDecision { .. });
        assert!(
            waits || !fork.working().is_empty(),
            "{cut}: {:?}",
            fork.state.phase
        );
    }
}

#[test]
fn what_was_said_about_calls_stays_behind_and_is_asked_again() {
    let mut run = Run::to_generation();
    let (stage, attempt) = run.at();
    let call = super::permission::wanted("repeal");
    run.give(Command::AskPermission { stage, attempt, call }).unwrap();
    let open = run.history.len();
    run.give(accept()).unwrap();
    let answered = run.history.len();
    // In the middle of the question, of the answer, and after it.
    for (cut, attempt) in [(open, 2), (open + 1, 2), (answered, 3)] {
        let forked = fork(run.history[..cut].to_vec(), &new(cut, None)).unwrap();
        let mut other = Run::resumed(&forked);
        assert_eq!(other.state.permissions, Vec::new().into());
        let start = format!("start code_generation {attempt}");
        other.check(Command::Resume, &["resumed", &start]);
    }
    // A review is no such question.
    run.complete(crate::Output::Proposal(proposal(&["a.py"])));
    run.complete(crate::Output::Proposal(proposal(&["a.py", "test_a.py"])));
    run.complete(checks(CheckStatus::Passed));
    run.give(modify("more")).unwrap();
    let cut = run.history.len();
    let forked = fork(run.history.clone(), &new(cut, None)).unwrap();
    let lines: Vec<String> = forked.iter().map(|recorded| line(&recorded.event)).collect();
    assert!(lines.contains(&"modify: more".to_owned()), "{lines:#?}");
}
