//! State to actions: what the runtime has to do after an event is durable.
//!
//! What has to stop follows from the state alone: every attempt that is no
//! longer in [`State::working`].

use shared::id::StageId;

use crate::{
    event::Event,
    graph::StageKind,
    state::{Phase, State},
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
    },
    /// Write what the recorded intent says.
    WriteApply {
        /// The apply stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
    },
}

/// Actions that `event` asks for, `state` being the one right after the
/// command that it came of.
pub fn react(state: &State, event: &Event) -> Vec<Action> {
    match event {
        Event::StageStarted { stage, attempt } => start(state, stage, *attempt).into_iter().collect(),
        Event::Resumed => state
            .continuing()
            .into_iter()
            .filter_map(|(owner, running)| start(owner, &running.stage, running.attempt))
            .collect(),
        Event::ApplyIntended(_) => match state.running() {
            Some((running, _)) => {
                let (stage, attempt) = (running.stage.clone(), running.attempt);
                vec![Action::WriteApply { stage, attempt }]
            }
            None => Vec::new(),
        },
        Event::Lane { lane, event } => match state.lanes.get(lane) {
            Some(lane) => react(lane, event),
            None => Vec::new(),
        },
        Event::Submitted { .. }
        | Event::Streamed(_)
        | Event::ContextRetrieved(_)
        | Event::Planned(_)
        | Event::Proposed(_)
        | Event::Checked(_)
        | Event::Rechecked { .. }
        | Event::StageFinished { .. }
        | Event::AttemptDiscarded { .. }
        | Event::DecisionRequested
        | Event::Decided(_)
        | Event::IterationStarted { .. }
        | Event::Applied(_)
        | Event::AttemptResumed { .. }
        | Event::Noticed(_)
        | Event::ModelCalled { .. }
        | Event::ToolCalled { .. }
        | Event::Remarked { .. }
        | Event::RetryScheduled { .. }
        | Event::HelpRequested { .. }
        | Event::DeadlinePassed { .. }
        | Event::LanesPlanned { .. }
        | Event::LaneStarted { .. }
        | Event::LaneJoined { .. }
        | Event::Forked { .. }
        | Event::Continued { .. }
        | Event::Finished(_) => Vec::new(),
    }
}

fn start(state: &State, id: &StageId, attempt: u32) -> Option<Action> {
    // A group has no work of its own, a review is a person's; and what began
    // and ended within one command needs none.
    let runs =
        matches!(&state.phase, Phase::Running(running) if running.stage == *id && running.attempt == attempt);
    let kind = state.graph.stage(id)?.kind().filter(|_| runs)?;
    let stage = id.clone();
    match kind {
        StageKind::Review => None,
        StageKind::Apply if state.intent.is_some() => Some(Action::WriteApply { stage, attempt }),
        StageKind::Retrieval
        | StageKind::Planning
        | StageKind::CodeGeneration
        | StageKind::TestGeneration
        | StageKind::Checks
        | StageKind::Apply
        | StageKind::Revert => Some(Action::RunStage { stage, attempt, kind }),
    }
}
