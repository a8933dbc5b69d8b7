//! A request names its pictures, and whatever comes of it goes on naming them.

use shared::id::{CorrelationId, Seq, WorkflowId};

use super::support::*;
use crate::{
    Command, Event, Output, State,
    artifact::{Image, ImageFormat},
    blob::BlobId,
    graph,
    history::{self, NewFork},
};

fn picture() -> Image {
    Image {
        blob: BlobId::of(b"png"),
        format: ImageFormat::Png,
        bytes: 3,
    }
}

fn begun(definition: &str) -> Run {
    Run::asked(graph::parse(definition).unwrap(), "add login", vec![picture()])
}

fn check(state: &State) {
    assert_eq!(state.task.images, [picture()]);
    for lane in state.lanes.values() {
        check(lane);
    }
}

#[test]
fn the_first_event_names_them_and_no_other() {
    let run = begun(GRAPH);
    let names: Vec<Vec<BlobId>> = run
        .history
        .iter()
        .map(|recorded| recorded.event.blobs())
        .collect();
    assert_eq!(names[0], [picture().blob]);
    assert!(names[1..].iter().all(Vec::is_empty));
    check(&run.state);
}

#[test]
fn rounds_restarts_and_shorter_histories_keep_them() {
    let mut run = begun(GRAPH);
    run.give(Command::Resume).unwrap();
    check(&run.state);
    check(&Run::resumed(&run.history).state);
    check(&crate::fold(&history::compact(run.history.clone())).unwrap());
}

#[test]
fn a_fork_names_them_too() {
    let run = begun(GRAPH);
    let at = Seq(run.history.len() as u64);
    let new = NewFork {
        workflow: WorkflowId::new("w2"),
        correlation: CorrelationId::new("c2"),
        from: WorkflowId::new("w1"),
        at,
        model: None,
        now_ms: 9,
    };
    let fork = history::fork(run.history.clone(), &new).unwrap();
    let named = |event: &Event| event.blobs();
    assert_eq!(named(&fork[0].event), [picture().blob]);
    check(&crate::fold(&fork).unwrap());
}

#[test]
fn parts_of_a_workflow_see_them() {
    const PARTS: &str = "name: x\nversion: 1\nstages:\n  - {id: find, kind: retrieval}\n  - id: both\n    kind: parallel\n    branches:\n      \
                         - id: a\n        stages: [{id: code_a, kind: code_generation}]\n      \
                         - id: b\n        stages: [{id: code_b, kind: code_generation}]\n";
    let mut run = begun(PARTS);
    run.complete(Output::Context(context()));
    assert_eq!(run.state.lanes.len(), 2);
    check(&run.state);
}
