//! The journal: what is written survives the process, what is synced survives
//! the loss of power.

use std::collections::BTreeMap;

use engine::{Recorded, blob::BlobId};
use shared::id::{CorrelationId, Seq, WorkflowId};

/// One event on the disk.
#[derive(Debug, Clone)]
pub struct Row {
    /// The event.
    pub recorded: Recorded,
    /// The epoch of the process that wrote it.
    pub epoch: u64,
}

/// The history of one workflow.
#[derive(Debug, Clone)]
pub struct History {
    /// The client's id.
    pub correlation: CorrelationId,
    /// What was asked.
    pub fingerprint: BlobId,
    /// Its events.
    pub rows: Vec<Row>,
    /// How many of them survive the loss of power.
    pub synced: usize,
    /// Whether a bit of it has flipped: it cannot be read.
    pub damaged: bool,
    /// Shorter histories that are stored.
    pub shorter: BTreeMap<BlobId, Vec<Recorded>>,
}

/// Why an append is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no room: later, perhaps.
    Full,
    /// It does not follow the head.
    Stale,
    /// A younger process owns the journal.
    Fenced,
}

/// The disk with the journal.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// The histories.
    pub runs: BTreeMap<WorkflowId, History>,
    /// Epoch of the last process that opened it.
    pub epoch: u64,
    /// Whether nothing fits any more.
    pub full: bool,
}

impl History {
    /// Its last event.
    pub fn head(&self) -> Seq {
        self.rows.last().map_or(Seq::default(), |row| row.recorded.seq)
    }

    /// All events.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Recorded> + Clone {
        self.rows.iter().map(|row| &row.recorded)
    }
}

impl Disk {
    /// A process opens the journal; it is the only one from then on.
    pub fn open(&mut self) -> u64 {
        self.epoch += 1;
        // What a dead process left in the cache is synced before anything is
        // read.
        for run in self.runs.values_mut() {
            run.synced = run.rows.len();
        }
        self.epoch
    }

    /// Adds events of one command, all or none.
    pub fn append(
        &mut self,
        workflow: &WorkflowId,
        epoch: u64,
        events: Vec<Recorded>,
        synced: bool,
        fenced: bool,
    ) -> Result<(), Refused> {
        if self.full {
            return Err(Refused::Full);
        }
        if fenced && epoch != self.epoch {
            return Err(Refused::Fenced);
        }
        let run = self.runs.get_mut(workflow).ok_or(Refused::Stale)?;
        if events.first().is_none_or(|first| first.seq != run.head().next()) {
            return Err(Refused::Stale);
        }
        let row = |recorded| Row { recorded, epoch };
        run.rows.extend(events.into_iter().map(row));
        if synced {
            // A sync carries all that was written before.
            run.synced = run.rows.len();
        }
        Ok(())
    }

    /// Power is lost: of what was not synced, a beginning survives.
    pub fn lose_power(&mut self, survives: impl Fn(usize) -> usize) {
        for run in self.runs.values_mut() {
            let unsynced = run.rows.len() - run.synced;
            run.rows.truncate(run.synced + survives(unsynced).min(unsynced));
        }
    }
}
