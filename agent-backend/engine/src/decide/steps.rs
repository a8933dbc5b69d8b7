//! From one stage to the next.

use shared::id::StageId;

use super::{lanes, turn::Turn};
use crate::{
    event::Event,
    graph::{Presence, Stage, StageKind, Work, plain},
    state::{Outcome, State},
};

/// Begins the first stage from this place of the list that is not left out, or
/// ends the list.
pub(super) fn go_on(turn: &mut Turn<'_>, from: usize) {
    let stages: Vec<Stage> = turn.state().graph.stages.iter().skip(from).cloned().collect();
    for stage in &stages {
        match left_out(turn.state(), stage) {
            Some(reason) => turn.skip(&stage.id, reason),
            None => {
                let attempt = turn.next_attempt(&stage.id);
                return begin(turn, stage, attempt);
            }
        }
    }
    finish(turn, Outcome::Completed);
}

/// Begins the stage after this one.
pub(super) fn go_on_after(turn: &mut Turn<'_>, stage: &StageId) {
    let from = turn.state().graph.position(stage).map_or(0, |at| at + 1);
    go_on(turn, from);
}

/// Begins an attempt at a stage.
pub(super) fn begin(turn: &mut Turn<'_>, stage: &Stage, attempt: u32) {
    turn.emit(Event::StageStarted {
        stage: stage.id.clone(),
        attempt,
    });
    match &stage.work {
        Work::Kind(StageKind::Review) => turn.emit(Event::DecisionRequested),
        Work::Kind(
            StageKind::Retrieval
            | StageKind::Planning
            | StageKind::CodeGeneration
            | StageKind::TestGeneration
            | StageKind::Checks
            | StageKind::Apply
            | StageKind::Revert,
        ) => {}
        Work::Group(group) => lanes::begin(turn, &stage.id, group, attempt),
    }
}

/// Begins the next attempt at the stage with this id.
pub(super) fn begin_again(turn: &mut Turn<'_>, stage: &StageId) {
    let attempt = turn.next_attempt(stage);
    match turn.state().graph.stage(stage).cloned() {
        Some(stage) => begin(turn, &stage, attempt),
        // Cannot be: targets are checked when a definition is read.
        None => finish(
            turn,
            Outcome::Failed(super::fail::internal("a stage that is not in the graph")),
        ),
    }
}

/// Ends this list: the workflow, or the lane, which its group then takes in.
pub(super) fn finish(turn: &mut Turn<'_>, outcome: Outcome) {
    turn.emit(Event::Finished(outcome));
    if let Some(mut outer) = turn.outer() {
        lanes::advance(&mut outer);
    }
}

/// Why a stage is left out, if it is.
fn left_out(state: &State, stage: &Stage) -> Option<String> {
    if stage.presence == Presence::Optional {
        let choices = state.plan.iter().flat_map(|plan| &plan.stages);
        let mut about = choices.filter(|choice| choice.stage.as_str() == plain(&stage.id));
        if let Some(choice) = about.next().filter(|choice| !choice.run) {
            return Some(choice.reason.clone());
        }
    }
    if let Some(when) = stage.when.as_ref().filter(|when| !when.holds(state)) {
        return Some(format!("its condition does not hold: {when}"));
    }
    let about_proposal = matches!(
        stage.kind(),
        Some(StageKind::TestGeneration | StageKind::Checks | StageKind::Apply)
    );
    (about_proposal && state.proposal.is_none()).then(|| "nothing is proposed".to_owned())
}
