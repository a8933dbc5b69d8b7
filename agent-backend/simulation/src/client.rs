//! Clients that follow a workflow: cut off, back with the last seq they have,
//! told to begin again where the server has less.

use engine::Recorded;
use shared::id::{Seq, WorkflowId};

use crate::disk::Disk;

/// Somebody who follows a workflow.
#[derive(Debug, Clone)]
pub struct Client {
    /// The workflow.
    pub workflow: WorkflowId,
    /// What came, in order.
    pub seen: Vec<Recorded>,
    /// Whether they are connected.
    pub attached: bool,
}

impl Client {
    /// One who has nothing yet.
    pub fn new(workflow: WorkflowId) -> Self {
        Self {
            workflow,
            seen: Vec::new(),
            attached: false,
        }
    }

    fn last(&self) -> Seq {
        self.seen.last().map_or(Seq::default(), |last| last.seq)
    }

    /// Connects with the last seq, and reads on from the disk.
    pub fn attach(&mut self, disk: &Disk) {
        let Some(run) = disk.runs.get(&self.workflow).filter(|run| !run.damaged) else {
            return;
        };
        if self.last() > run.head() {
            // `resync`
            self.seen.clear();
        }
        let last = self.last();
        self.seen
            .extend(run.events().filter(|event| event.seq > last).cloned());
        self.attached = true;
    }

    /// Takes an event as it is published.
    pub fn take(&mut self, workflow: &WorkflowId, recorded: &Recorded) {
        if self.attached && self.workflow == *workflow && recorded.seq == self.last().next() {
            self.seen.push(recorded.clone());
        }
    }
}
