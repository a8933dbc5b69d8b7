//! State to actions: what the runtime has to do after an event is durable.

use shared::{error::Class, id::StageId};

use crate::{
    event::Event,
    graph::StageKind,
    limits::{RETRY_DELAY_MS, RETRY_DELAY_MS_MAX},
    state::State,
};

/// Something for the runtime to do; its result comes back as a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Work on a stage.
    RunStage {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// What to do.
        kind: StageKind,
        /// Wait so long before, in milliseconds.
        delay_ms: u64,
    },
    /// Write what the recorded intent says.
    WriteApply {
        /// The apply stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// Wait so long before, in milliseconds.
        delay_ms: u64,
    },
    /// Stop whatever still runs for this workflow.
    StopWork,
}

/// Actions that `event` asks for, `state` being the one right after it.
pub fn react(state: &State, event: &Event) -> Vec<Action> {
    match event {
        Event::StageStarted { stage, attempt } => start(state, stage, *attempt).into_iter().collect(),
        Event::ApplyIntended(_) => match state.running() {
            Some((running, _)) => {
                let (stage, attempt) = (running.stage.clone(), running.attempt);
                vec![Action::WriteApply {
                    stage,
                    attempt,
                    delay_ms: 0,
                }]
            }
            None => Vec::new(),
        },
        Event::Finished(_) => vec![Action::StopWork],
        Event::Submitted { .. }
        | Event::Streamed(_)
        | Event::ContextRetrieved(_)
        | Event::Planned(_)
        | Event::Proposed(_)
        | Event::Checked(_)
        | Event::StageFinished { .. }
        | Event::AttemptDiscarded { .. }
        | Event::DecisionRequested
        | Event::Decided(_)
        | Event::IterationStarted { .. }
        | Event::Applied(_)
        | Event::Resumed
        | Event::Noticed(_) => Vec::new(),
    }
}

fn start(state: &State, id: &StageId, attempt: u32) -> Option<Action> {
    let kind = state.graph.stage(id)?.kind;
    let (stage, delay_ms) = (id.clone(), delay_ms(state, id));
    match kind {
        // A person works on it, not the runtime.
        StageKind::Review => None,
        StageKind::Apply if state.intent.is_some() => Some(Action::WriteApply {
            stage,
            attempt,
            delay_ms,
        }),
        StageKind::Retrieval
        | StageKind::Planning
        | StageKind::CodeGeneration
        | StageKind::TestGeneration
        | StageKind::Checks
        | StageKind::Apply => Some(Action::RunStage {
            stage,
            attempt,
            kind,
            delay_ms,
        }),
    }
}

/// A stage that failed for a passing reason waits before it is tried again.
fn delay_ms(state: &State, stage: &StageId) -> u64 {
    let failed = state.record(stage).map_or(0, |record| record.failed);
    let passing = state
        .failures
        .last()
        .is_some_and(|failure| failure.class == Class::Transient);
    if failed == 0 || !passing {
        return 0;
    }
    RETRY_DELAY_MS
        .saturating_mul(1 << (failed - 1).min(16))
        .min(RETRY_DELAY_MS_MAX)
}
