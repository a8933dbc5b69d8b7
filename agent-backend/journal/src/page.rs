//! A part of a history, collected from its records: whole, in order, without a
//! gap. The same for every store.

use engine::event::Recorded;
use shared::id::{Seq, WorkflowId};

use crate::{
    Error,
    record::{self, Row},
    rules::Unbroken,
};

/// The part that is read.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    workflow: &'a WorkflowId,
    after: Seq,
    limit: usize,
    history: Unbroken<'a>,
    events: Vec<Recorded>,
}

impl<'a> Page<'a> {
    /// At most `limit` events after `after`; the list entry says where the
    /// history ends.
    pub(crate) fn new(workflow: &'a WorkflowId, after: Seq, head: Seq, limit: usize) -> Self {
        Self {
            workflow,
            after,
            limit,
            history: Unbroken::new(workflow, after, head),
            events: Vec::new(),
        }
    }

    /// Whether no further record is needed.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= self.limit
    }

    /// Takes the next record. One of several events may begin before the page and
    /// go on behind it.
    pub(crate) fn take(&mut self, row: &Row) -> Result<(), Error> {
        for recorded in record::events(self.workflow, row)? {
            if recorded.seq <= self.after && self.events.is_empty() {
                continue;
            }
            if self.is_full() {
                break;
            }
            self.history.goes_on(recorded.seq)?;
            self.events.push(recorded);
        }
        Ok(())
    }

    /// The events, if none is missing.
    pub(crate) fn end(self) -> Result<Vec<Recorded>, Error> {
        self.history.ends(self.is_full())?;
        Ok(self.events)
    }
}
