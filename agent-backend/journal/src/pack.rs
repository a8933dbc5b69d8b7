//! Which records of a history become one. Text comes in many small pieces, so
//! that it is seen and kept at once; when something else has followed it, nothing
//! is added to it any more, and its pieces are packed into few records of the
//! same events.
//!
//! It must never know where records are kept.

#[cfg(test)]
mod tests;

use engine::event::Recorded;
use shared::id::{Seq, WorkflowId};

use crate::{
    limits::{PACK_BYTES_MAX, PACK_EVENTS_MAX, PACK_ROUND_BYTES, PACK_ROUND_RECORDS},
    record::{self, Row},
};

/// Several records that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pack {
    /// Place of the first one; the last one's is the record's.
    pub(crate) first: Seq,
    /// What they become.
    pub(crate) row: Row,
    /// Of the writer of all of them.
    pub(crate) epoch: u64,
}

impl Pack {
    /// How many become one.
    pub(crate) fn count(&self) -> u64 {
        self.row.seq.0 - self.first.0 + 1
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In order.
    pub(crate) packs: Vec<Pack>,
    /// Up to here nothing is left to be packed.
    pub(crate) settled: Seq,
    /// Whether there may be more behind it.
    pub(crate) more: bool,
}

/// Reads the records of a workflow one after the other, for one commit.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    workflow: &'a WorkflowId,
    /// Pieces of text that followed each other so far.
    text: Vec<Recorded>,
    text_bytes: usize,
    text_epoch: u64,
    packs: Vec<Pack>,
    /// Events in them.
    packed: usize,
    settled: Seq,
    records: usize,
    bytes: usize,
}

impl<'a> Packer<'a> {
    /// Up to `settled` nothing is left to be packed.
    pub(crate) fn new(workflow: &'a WorkflowId, settled: Seq) -> Self {
        Self {
            workflow,
            text: Vec::new(),
            text_bytes: 0,
            text_epoch: 0,
            packs: Vec::new(),
            packed: 0,
            settled,
            records: 0,
            bytes: 0,
        }
    }

    /// Whether no further record is taken: as many events were packed as one pack
    /// takes, or enough was looked at.
    pub(crate) fn is_full(&self) -> bool {
        self.packed >= PACK_EVENTS_MAX || self.records >= PACK_ROUND_RECORDS || self.bytes >= PACK_ROUND_BYTES
    }

    /// Takes the next record, which was written under `epoch`.
    pub(crate) fn take(&mut self, row: &Row, epoch: u64) {
        let bytes = row.body.len();
        self.records += 1;
        self.bytes += bytes;
        // What is damaged, or would not be the same again, stays as it is.
        let text = Some(row)
            .filter(|_| bytes <= PACK_BYTES_MAX)
            .and_then(|row| record::unpacked_text(self.workflow, row));
        let Some(text) = text else {
            self.close();
            self.settled = row.seq;
            return;
        };
        let follows = self
            .text
            .last()
            .is_some_and(|last| last.seq.next() == row.seq && self.text_epoch == epoch);
        if !follows || self.text_bytes + bytes > PACK_BYTES_MAX {
            self.close();
        }
        self.text.push(text);
        self.text_bytes += bytes;
        self.text_epoch = epoch;
        if self.text.len() >= PACK_EVENTS_MAX {
            self.close();
        }
    }

    /// What is to be done. Text that nothing has followed may grow; it is left
    /// for later.
    pub(crate) fn plan(self) -> Plan {
        let more = self.is_full();
        Plan {
            packs: self.packs,
            settled: self.settled,
            more,
        }
    }

    fn close(&mut self) {
        let (text, bytes) = (
            std::mem::take(&mut self.text),
            std::mem::take(&mut self.text_bytes),
        );
        let (Some(first), Some(last)) = (text.first(), text.last()) else {
            return;
        };
        self.settled = last.seq;
        let Some(row) = record::pack(self.workflow, &text).filter(|row| row.body.len() < bytes) else {
            return;
        };
        // The records go; what they become must be the same events.
        if record::events(self.workflow, &row).as_ref() == Ok(&text) {
            self.packed += text.len();
            self.packs.push(Pack {
                first: first.seq,
                row,
                epoch: self.text_epoch,
            });
        } else {
            tracing::error!(workflow = %self.workflow, from = %first.seq, to = %last.seq, "text cannot be packed: a bug");
        }
    }
}
