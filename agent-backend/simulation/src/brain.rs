//! The engine as the simulation calls it, so that tests can put a broken one in
//! its place: a simulation that finds nothing wrong proves something only if
//! it finds what is.

use engine::{Action, Command, Ctx, Event, Recorded, Reject, State};

/// What decides.
pub trait Brain {
    /// See [`engine::decide`].
    fn decide(&self, state: &State, command: Command, ctx: &Ctx) -> Result<Vec<Event>, Reject> {
        engine::decide(state, command, ctx)
    }

    /// See [`engine::advance`].
    fn advance(&self, state: &mut State, recorded: &Recorded) {
        engine::advance(state, recorded);
    }

    /// See [`engine::react`].
    fn react(&self, state: &State, event: &Event) -> Vec<Action> {
        engine::react(state, event)
    }

    /// Whether an append is acknowledged only when it is on the disk.
    fn waits_for_the_disk(&self) -> bool {
        true
    }

    /// Whether the epoch of an append is checked.
    fn is_fenced(&self) -> bool {
        true
    }

    /// Whether the repository looks whether its branch is where it was.
    fn compares_before_it_swaps(&self) -> bool {
        true
    }
}

/// The engine as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real;

impl Brain for Real {}
