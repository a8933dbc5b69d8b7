//! What time alone brings about: attempts that waited begin, stages whose time
//! is up fail, questions that nobody answered are answered.

use shared::{
    error::{Class, Code},
    id::StageId,
};

use super::{
    fail, lanes, person, steps,
    turn::{Draft, Turn},
};
use crate::{
    artifact::Failure,
    limits::TIMERS_FIRED_MAX,
    state::{Phase, State},
};

/// The time by which things are due: it never goes back, whatever the clock
/// does.
pub fn now_ms(state: &State, clock_ms: u64) -> u64 {
    clock_ms.max(state.updated_at_ms)
}

/// Milliseconds since the Unix epoch at which the next [`crate::Command::Tick`]
/// brings something about; none where only others can.
pub fn next_due_ms(state: &State) -> Option<u64> {
    first_due(state).map(|(_, due_ms)| due_ms)
}

/// The lanes down to the list whose timer is due first, and when.
fn first_due(state: &State) -> Option<(Vec<StageId>, u64)> {
    let timeout = |stage: &StageId, since_ms: u64| {
        let timeout_ms = state.graph.stage(stage)?.timeout_ms?;
        Some(since_ms.saturating_add(timeout_ms))
    };
    let own = match &state.phase {
        Phase::Running(running) => timeout(&running.stage, running.started_at_ms),
        Phase::Waiting { due_at_ms, .. } => Some(*due_at_ms),
        Phase::Joining(joining) => timeout(&joining.stage, joining.started_at_ms),
        Phase::AwaitingDecision { until_ms, .. } => *until_ms,
        Phase::Finished(_) => return None,
    };
    let mut first = own.map(|due_ms| (Vec::new(), due_ms));
    if matches!(state.phase, Phase::Joining(_)) {
        for (lane, inner) in &state.lanes {
            let Some((mut path, due_ms)) = first_due(inner) else {
                continue;
            };
            if first.as_ref().is_none_or(|(_, known)| due_ms < *known) {
                path.insert(0, lane.clone());
                first = Some((path, due_ms));
            }
        }
    }
    first
}

/// Fires everything that is due.
pub(super) fn tick(draft: &mut Draft) {
    for _ in 0..TIMERS_FIRED_MAX {
        let now_ms = Turn::root(draft).now_ms();
        match first_due(&draft.state) {
            Some((path, due_ms)) if due_ms <= now_ms => fire(&mut Turn::at(draft, path)),
            Some(_) | None => return,
        }
    }
}

fn fire(turn: &mut Turn<'_>) {
    match turn.state().phase.clone() {
        Phase::Running(running) => {
            let failure = out_of_time(turn.state(), &running.stage);
            fail::fail(turn, failure);
        }
        Phase::Joining(joining) => {
            let failure = out_of_time(turn.state(), &joining.stage);
            lanes::fail_group(turn, failure);
        }
        Phase::Waiting { stage, .. } => steps::begin_again(turn, &stage),
        Phase::AwaitingDecision { .. } => person::deadline_passed(turn),
        Phase::Finished(_) => {}
    }
}

fn out_of_time(state: &State, stage: &StageId) -> Failure {
    let timeout_ms = state.graph.stage(stage).and_then(|stage| stage.timeout_ms);
    Failure {
        class: Class::Transient,
        code: Code::StageTimedOut,
        message: format!(
            "stage `{stage}` did not end within {} ms",
            timeout_ms.unwrap_or_default()
        ),
    }
}
