//! What travels to the task that owns a workflow.

use std::convert::Infallible;

use engine::{Command, blob::Blob};
use tokio::sync::oneshot;

use crate::error::Error;

/// Commands that may wait for one workflow.
pub(super) const MESSAGES_MAX: usize = 256;

/// A command with what belongs to it.
#[derive(Debug)]
pub(super) struct Message {
    pub command: Command,
    /// Contents that the command's result names.
    pub blobs: Vec<Blob>,
    /// Who is told after the events are durable.
    pub reply: Reply,
}

/// Who is told what became of a command.
#[derive(Debug)]
pub(super) enum Reply {
    /// Nobody.
    Nobody,
    /// Somebody who can be refused: a person, or their program.
    Person(oneshot::Sender<Result<(), Error>>),
    /// A worker that has more to say: this end is dropped when it may.
    #[expect(dead_code, reason = "it is only ever dropped")]
    Worker(oneshot::Sender<Infallible>),
}
