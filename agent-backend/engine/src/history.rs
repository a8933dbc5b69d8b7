//! Shorter histories that lead to the same state.

use shared::id::{CorrelationId, Seq, WorkflowId};

use crate::{
    StageKind,
    event::{Event, Help, Recorded},
    limits::HISTORY_EVENTS_MAX,
    state::{Phase, State},
};

/// The history without the text of streams, notices and calls of models and
/// tools, which
/// no later state depends on once their attempt has ended. Events keep their places and times.
///
/// Leads to the same state as `history` wherever [`may_continue`] holds after
/// it.
pub fn compact(history: impl IntoIterator<Item = Recorded>) -> Vec<Recorded> {
    let lasts = |recorded: &Recorded| match recorded.event.innermost() {
        Event::Streamed(_)
        | Event::Noticed(_)
        | Event::ModelCalled { .. }
        | Event::ToolCalled { .. }
        | Event::AttemptDiscarded { .. }
        | Event::AttemptResumed { .. } => false,
        Event::Submitted { .. }
        | Event::StageStarted { .. }
        | Event::ContextRetrieved(_)
        | Event::Planned(_)
        | Event::Proposed(_)
        | Event::Checked(_)
        | Event::Rechecked { .. }
        | Event::StageFinished { .. }
        | Event::DecisionRequested
        | Event::Decided(_)
        | Event::IterationStarted { .. }
        | Event::ApplyIntended(_)
        | Event::Applied(_)
        | Event::Remarked { .. }
        | Event::Resumed
        | Event::RetryScheduled { .. }
        | Event::HelpRequested { .. }
        | Event::DeadlinePassed { .. }
        | Event::LanesPlanned { .. }
        | Event::LaneStarted { .. }
        | Event::Lane { .. }
        | Event::LaneJoined { .. }
        | Event::Forked { .. }
        | Event::Continued { .. }
        | Event::Finished(_) => true,
    };
    history.into_iter().filter(lasts).collect()
}

/// Whether the history has grown so long that a shorter one should stand for
/// it.
pub fn should_continue(state: &State) -> bool {
    state.head.0.saturating_sub(state.base.0) >= HISTORY_EVENTS_MAX && may_continue(state)
}

/// Whether a shorter history can stand for all before: no text is streaming.
pub fn may_continue(state: &State) -> bool {
    !state.is_finished()
        && state
            .working()
            .iter()
            .all(|(_, running)| running.streamed_chars == 0)
}

/// A workflow that begins where another one was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFork {
    /// Id of the new workflow.
    pub workflow: WorkflowId,
    /// The client's id of it.
    pub correlation: CorrelationId,
    /// The workflow it is forked from.
    pub from: WorkflowId,
    /// The last event that is taken over.
    pub at: Seq,
    /// The model that goes on; none for the configured one.
    pub model: Option<String>,
    /// Milliseconds since the Unix epoch of the fork.
    pub now_ms: u64,
}

/// Why nothing can go on from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unforkable {
    /// There is no such event.
    #[error("the workflow has no such event")]
    Unknown,
    /// The workflow was over by then.
    #[error("the workflow had finished by then: take an earlier event")]
    Finished,
    /// It would write what was accepted for another workflow without asking anybody.
    #[error("the changes were being written by then: take an event before the decision")]
    Writing,
}

fn is_half_answered(state: &State, history: &[Recorded]) -> bool {
    let last = history.last().map(|last| &last.event);
    matches!(state.phase, Phase::AwaitingDecision { .. })
        && matches!(
            last,
            Some(Event::Decided(_) | Event::DeadlinePassed { .. } | Event::StageFinished { .. })
        )
}

/// Whether what was accepted is being written, or is about to be: nobody is
/// asked between here and the commit.
fn is_applying(state: &State) -> bool {
    let stage = match &state.phase {
        Phase::Running(running) => &running.stage,
        Phase::Waiting { stage, .. } => stage,
        Phase::Joining(_) | Phase::AwaitingDecision { .. } | Phase::Finished(_) => return false,
    };
    let stage = state.graph.stage(stage);
    stage.is_some_and(|stage| stage.is(StageKind::Apply))
}

/// Whether an event asks about a call of a tool, or answers that. Calls stay
/// behind, and so does what a person has allowed: it was for one of those.
/// `asks` is the last question.
fn is_about_a_call(asks: &mut Option<Help>, event: &Event) -> bool {
    if let Event::HelpRequested { question, .. } = event {
        *asks = Some(question.clone());
    }
    if matches!(event, Event::DecisionRequested) {
        *asks = None;
    }
    let is_part = matches!(
        event,
        Event::HelpRequested { .. } | Event::DeadlinePassed { .. } | Event::Decided(_)
    );
    is_part && matches!(asks, Some(Help::Tool(_)))
}

/// The history of a new workflow that goes on from where `history`, a whole
/// one up to the event, has led. Text of streams stays behind; everything
/// happens at the moment of the fork, so that no deadline has passed. An answer
/// is several events: where they are cut in the middle, it is asked for again.
pub fn fork(mut history: Vec<Recorded>, new: &NewFork) -> Result<Vec<Recorded>, Unforkable> {
    if history.last().is_none_or(|last| last.seq != new.at) {
        return Err(Unforkable::Unknown);
    }
    let mut state = crate::fold(&history).ok_or(Unforkable::Unknown)?;
    while is_half_answered(&state, &history) {
        history.pop();
        state = crate::fold(&history).ok_or(Unforkable::Unknown)?;
    }
    if state.is_finished() {
        return Err(Unforkable::Finished);
    }
    if is_applying(&state) {
        return Err(Unforkable::Writing);
    }
    let forked = Event::Forked {
        from: new.from.clone(),
        at: new.at,
        model: new.model.clone(),
    };
    let mut events = Vec::new();
    let mut asks = None;
    for recorded in compact(history) {
        let mut event = recorded.event;
        if is_about_a_call(&mut asks, &event) {
            continue;
        }
        // These belong to the other history.
        if matches!(event, Event::Forked { .. } | Event::Continued { .. }) {
            continue;
        }
        if let Event::RetryScheduled { due_at_ms, .. } = &mut event {
            *due_at_ms = new.now_ms;
        }
        let first = matches!(event, Event::Submitted { .. });
        if let Event::Submitted {
            workflow,
            correlation,
            ..
        } = &mut event
        {
            *workflow = new.workflow.clone();
            *correlation = new.correlation.clone();
        }
        events.push(event);
        events.extend(first.then(|| forked.clone()));
    }
    let number = |(seq, event)| Recorded {
        seq: Seq(seq),
        at_ms: new.now_ms,
        event,
    };
    Ok((1..).zip(events).map(number).collect())
}
