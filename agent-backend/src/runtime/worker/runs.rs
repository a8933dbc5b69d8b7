//! Ways along chains of providers that outlive an attempt: one that begins anew
//! goes on where the last one was, and does not ask again who has failed.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engine::State;
use models::routing::Run;
use shared::id::{StageId, WorkflowId};
use tokio::time::Instant;

use super::Desk;

/// How long a way is kept for an attempt that does not come: its workflow was
/// stopped.
const KEPT: Duration = Duration::from_secs(600);

/// Where in which workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::runtime) struct Place(WorkflowId, StageId);

impl Place {
    pub(super) fn new(state: &State, desk: &Desk) -> Self {
        Self(state.workflow.clone(), desk.stage.clone())
    }
}

/// The ways by their places.
#[derive(Debug, Default)]
pub struct Runs(Mutex<HashMap<Place, (Instant, Run)>>);

impl Runs {
    pub(super) fn keep(&self, place: Place, run: Run) {
        let now = Instant::now();
        let mut runs = self.runs();
        runs.retain(|_, (since, _)| now.duration_since(*since) < KEPT);
        runs.insert(place, (now, run));
    }

    pub(super) fn take(&self, place: &Place) -> Option<Run> {
        Some(self.runs().remove(place)?.1)
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Place, (Instant, Run)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
