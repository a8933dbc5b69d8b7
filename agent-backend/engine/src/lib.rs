//! The workflow engine: what happens next, as pure functions.
//!
//! [`decide`] turns a command into events, [`apply`] folds an event into the
//! state, [`react`] names the actions that the new state asks for. The runtime
//! appends the events durably before it applies them, publishes them and only
//! then runs the actions; their results come back as commands.
//!
//! It must never know: a clock, randomness, I/O, an async runtime, a model, a
//! prompt, or how anything is stored or sent.

pub mod artifact;
pub mod blob;
pub mod command;
pub mod event;
pub mod graph;
pub mod history;
pub mod limits;
pub mod ports;
pub mod recheck;
pub mod state;

mod apply;
mod decide;
mod facts;
mod react;
#[cfg(test)]
mod tests;

pub use apply::{advance, apply, fold};
pub use command::{Command, Ctx, FoundBy, Output, Reject};
pub use decide::{decide, next_due_ms, now_ms, submit};
pub use event::{Ending, Event, Recorded};
pub use graph::{Graph, Presence, Stage, StageKind, Work};
pub use react::{Action, react};
pub use state::{Outcome, Phase, StageRecord, StageStatus, State};
