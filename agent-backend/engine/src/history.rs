//! Shorter histories that lead to the same state.

use crate::{
    event::{Event, Recorded},
    limits::HISTORY_EVENTS_MAX,
    state::State,
};

/// The history without the text of streams, which no later state depends on
/// once its attempt has ended. Events keep their places and times.
///
/// Leads to the same state as `history` wherever [`may_continue`] holds after
/// it.
pub fn compact(history: impl IntoIterator<Item = Recorded>) -> Vec<Recorded> {
    let lasts = |recorded: &Recorded| match recorded.event.innermost() {
        Event::Streamed(_) | Event::Noticed(_) | Event::AttemptDiscarded { .. } => false,
        Event::Submitted { .. }
        | Event::StageStarted { .. }
        | Event::ContextRetrieved(_)
        | Event::Planned(_)
        | Event::Proposed(_)
        | Event::Checked(_)
        | Event::StageFinished { .. }
        | Event::DecisionRequested
        | Event::Decided(_)
        | Event::IterationStarted { .. }
        | Event::ApplyIntended(_)
        | Event::Applied(_)
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
