//! The events of one command as they come to be: each is applied to a copy of
//! the state at once, so that what is decided next is decided on it.

use shared::id::StageId;

use crate::{
    command::Ctx,
    event::{Ending, Event, Recorded},
    graph::Stage,
    state::{Phase, Running, State},
};

/// The copy, and what has happened to it.
pub(super) struct Draft {
    pub state: State,
    pub events: Vec<Event>,
    ctx: Ctx,
    drawn: u64,
}

impl Draft {
    pub fn new(state: State, ctx: &Ctx) -> Self {
        Self {
            state,
            events: Vec::new(),
            ctx: *ctx,
            drawn: 0,
        }
    }
}

/// The draft seen from one list of stages: the workflow's own, or a lane's.
pub(super) struct Turn<'a> {
    draft: &'a mut Draft,
    /// Lanes from the outside in.
    path: Vec<StageId>,
}

/// The event as it is recorded for a lane.
pub(super) fn within(path: Vec<StageId>, event: Event) -> Event {
    path.into_iter().rev().fold(event, |event, lane| Event::Lane {
        lane,
        event: Box::new(event),
    })
}

/// The lanes down to the stage that runs under this name.
pub(super) fn find<'a>(state: &'a State, stage: &StageId) -> Option<(Vec<StageId>, &'a Running)> {
    match &state.phase {
        Phase::Running(running) => (running.stage == *stage).then(|| (Vec::new(), running)),
        Phase::Joining(_) => state.lanes.iter().find_map(|(lane, inner)| {
            let (mut path, running) = find(inner, stage)?;
            path.insert(0, lane.clone());
            Some((path, running))
        }),
        Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => None,
    }
}

impl<'a> Turn<'a> {
    pub fn root(draft: &'a mut Draft) -> Self {
        Self {
            draft,
            path: Vec::new(),
        }
    }

    pub fn at(draft: &'a mut Draft, path: Vec<StageId>) -> Self {
        Self { draft, path }
    }

    /// The same draft seen from a lane of this list.
    pub fn lane(&mut self, lane: &StageId) -> Turn<'_> {
        let mut path = self.path.clone();
        path.push(lane.clone());
        Turn {
            draft: self.draft,
            path,
        }
    }

    /// The same draft seen from the list that this lane belongs to.
    pub fn outer(&mut self) -> Option<Turn<'_>> {
        let (_, outer) = self.path.split_last()?;
        Some(Turn {
            path: outer.to_vec(),
            draft: self.draft,
        })
    }

    /// The state of this list.
    pub fn state(&self) -> &State {
        let mut state = &self.draft.state;
        for lane in &self.path {
            match state.lanes.get(lane) {
                Some(inner) => state = inner,
                None => break,
            }
        }
        state
    }

    pub fn now_ms(&self) -> u64 {
        self.draft.ctx.now_ms
    }

    /// A number of chance; another one each time.
    pub fn random(&mut self) -> u64 {
        // Steps of the golden ratio spread over all numbers.
        let drawn = self.draft.ctx.random.wrapping_add(self.draft.drawn);
        self.draft.drawn = self.draft.drawn.wrapping_add(0x9E37_79B9_7F4A_7C15);
        drawn
    }

    pub fn emit(&mut self, event: Event) {
        let event = within(self.path.clone(), event);
        let recorded = Recorded {
            seq: self.draft.state.head.next(),
            at_ms: self.draft.ctx.now_ms,
            event,
        };
        crate::apply::advance(&mut self.draft.state, &recorded);
        self.draft.events.push(recorded.event);
    }

    /// The stage that runs, with its definition.
    pub fn running(&self) -> Option<(Running, Stage)> {
        let (running, stage) = self.state().running()?;
        Some((running.clone(), stage.clone()))
    }

    /// The number of the attempt after those that have begun.
    pub fn next_attempt(&self, stage: &StageId) -> u32 {
        self.state().record(stage).map_or(0, |record| record.attempts) + 1
    }

    /// Ends an attempt that began at `since_ms`.
    pub fn end(&mut self, stage: &StageId, attempt: u32, since_ms: u64, ending: Ending) {
        let duration_ms = self.now_ms().saturating_sub(since_ms);
        self.emit(Event::StageFinished {
            stage: stage.clone(),
            attempt,
            ending,
            duration_ms,
        });
    }

    /// Leaves a stage out.
    pub fn skip(&mut self, stage: &StageId, reason: String) {
        self.emit(Event::StageFinished {
            stage: stage.clone(),
            attempt: 0,
            ending: Ending::Skipped { reason },
            duration_ms: 0,
        });
    }
}
