//! The process was away: what ran begins again or, where a model was writing
//! text that it may go on with, is left as it is; and what was cut between two
//! events of one command is finished.

use shared::{
    error::{Class, Code},
    id::StageId,
};

use super::{fail, lanes, steps, turn::Turn};
use crate::{
    artifact::Failure,
    event::Event,
    graph::{StageKind, Work},
    limits::RESUMES_MAX,
    state::{Outcome, Phase, StageStatus},
};

pub(super) fn resume(turn: &mut Turn<'_>) {
    let stage = match &turn.state().phase {
        Phase::Running(running) => running.stage.clone(),
        Phase::Joining(joining) => joining.stage.clone(),
        Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => return,
    };
    let idle = turn.state().working().is_empty();
    if !idle && turn.state().resumes >= RESUMES_MAX {
        let message = format!(
            "the backend was restarted {RESUMES_MAX} times in stage `{stage}` without an end: it is not tried again"
        );
        let failure = Failure {
            class: Class::Permanent,
            code: Code::StageAttemptsExhausted,
            message,
        };
        return turn.emit(Event::Finished(Outcome::Failed(failure)));
    }
    if !idle {
        turn.emit(Event::Resumed);
    }
    recover(turn);
}

fn recover(turn: &mut Turn<'_>) {
    let (stage, attempt) = match &turn.state().phase {
        Phase::Running(running) => (running.stage.clone(), running.attempt),
        Phase::Joining(joining) => (joining.stage.clone(), joining.attempt),
        Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => return,
    };
    let status = turn.state().record(&stage).map(|record| record.status);
    match status {
        Some(StageStatus::Running) => begin_again(turn, &stage, attempt),
        // The list itself had just begun.
        Some(StageStatus::Pending) | None => steps::go_on(turn, 0),
        Some(StageStatus::Succeeded | StageStatus::Skipped) => steps::go_on_after(turn, &stage),
        Some(StageStatus::Failed) => {
            let failure = turn.state().failures.last().cloned();
            let stage = turn.state().graph.stage(&stage).cloned();
            if let (Some(failure), Some(stage)) = (failure, stage) {
                fail::settle(turn, &stage, failure);
            }
        }
    }
}

fn begin_again(turn: &mut Turn<'_>, stage: &StageId, attempt: u32) {
    if matches!(turn.state().phase, Phase::Joining(_)) {
        let lanes: Vec<StageId> = turn.state().lanes.keys().cloned().collect();
        for lane in lanes {
            recover(&mut turn.lane(&lane));
        }
        return lanes::advance(turn);
    }
    let Some((running, definition)) = turn.running() else {
        return;
    };
    match definition.work {
        // It had begun and not yet asked, or not yet begun its lanes.
        Work::Kind(StageKind::Review) | Work::Group(_) => steps::begin_again(turn, stage),
        Work::Kind(
            StageKind::Retrieval
            | StageKind::Planning
            | StageKind::CodeGeneration
            | StageKind::TestGeneration
            | StageKind::Checks
            | StageKind::Apply
            | StageKind::Revert,
        ) => {
            if !turn.state().continuing().is_empty() {
                return;
            }
            if running.streamed_chars > 0 {
                turn.emit(Event::AttemptDiscarded {
                    stage: stage.clone(),
                    attempt,
                    reason: "the backend was restarted".to_owned(),
                });
            }
            steps::begin_again(turn, stage);
        }
    }
}
