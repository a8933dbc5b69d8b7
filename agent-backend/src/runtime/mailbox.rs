//! What travels to the task that owns a workflow.

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
    /// Told after the events are durable. Workers do not ask.
    pub reply: Option<oneshot::Sender<Result<(), Error>>>,
}
