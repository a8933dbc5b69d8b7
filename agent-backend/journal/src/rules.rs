//! The rules of a history that hold before any storage is asked, the same for
//! every implementation.

use engine::{
    artifact::Task,
    blob::BlobId,
    event::{Event, Recorded},
    ports::{
        journal::{Append, NewWorkflow},
        sessions::{Session, SessionChange},
    },
};
use shared::id::{Seq, WorkflowId};

use crate::{
    Error,
    limits::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX},
};

/// Largest number that a store can hold: SQLite's integers are signed.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// Checks a new workflow; returns its task.
pub(crate) fn begin(new: &NewWorkflow) -> Result<&Task, Error> {
    follow(Seq(0), &new.events)?;
    size(new.blobs.iter().map(|blob| blob.bytes().len()).sum())?;
    match new.events.first().map(|first| &first.event) {
        Some(Event::Submitted {
            workflow,
            correlation,
            task,
            graph: _,
        }) if *workflow == new.workflow && *correlation == new.correlation => Ok(task),
        _ => Err(invalid(format!(
            "workflow {} must begin with its own `Submitted` event",
            new.workflow
        ))),
    }
}

/// Checks an append.
pub(crate) fn append(append: &Append) -> Result<(), Error> {
    follow(append.after, &append.events)?;
    let bytes: usize = append.blobs.iter().map(|blob| blob.bytes().len()).sum();
    size(bytes)
}

/// Checks the bytes of one append.
pub(crate) fn size(bytes: usize) -> Result<(), Error> {
    if bytes > APPEND_BYTES_MAX {
        return Err(invalid(format!(
            "{bytes} bytes are more than the {APPEND_BYTES_MAX} of one append"
        )));
    }
    Ok(())
}

/// Checks a new thread.
pub(crate) fn session(new: &Session) -> Result<(), Error> {
    moment(new.created_at_ms)?;
    moment(new.updated_at_ms)
}

/// Checks a change of a thread; returns its bytes.
pub(crate) fn change(at_ms: u64, change: &SessionChange) -> Result<usize, Error> {
    moment(at_ms)?;
    Ok(match change {
        SessionChange::Entered(entry) => entry.prompt.len() + entry.answer.as_ref().map_or(0, String::len),
        SessionChange::Titled(text) | SessionChange::Set(text) => text.len(),
    })
}

fn moment(at_ms: u64) -> Result<(), Error> {
    if at_ms > NUMBER_MAX {
        return Err(invalid(format!("the moment {at_ms} is beyond {NUMBER_MAX}")));
    }
    Ok(())
}

/// Checks that what is read is a part of the history without a gap.
#[derive(Debug)]
pub(crate) struct Unbroken<'a> {
    workflow: &'a WorkflowId,
    last: Seq,
    head: Seq,
}

impl<'a> Unbroken<'a> {
    /// Reading begins after `after`; the list entry says where it ends.
    pub(crate) fn new(workflow: &'a WorkflowId, after: Seq, head: Seq) -> Self {
        Self {
            workflow,
            last: after,
            head,
        }
    }

    /// The next event is at `seq`.
    pub(crate) fn goes_on(&mut self, seq: Seq) -> Result<(), Error> {
        if seq > self.head || Some(seq.0) != self.last.0.checked_add(1) {
            return Err(self.gap());
        }
        self.last = seq;
        Ok(())
    }

    /// There is no further event, or no more were asked for.
    pub(crate) fn ends(&self, full: bool) -> Result<(), Error> {
        if self.last < self.head && !full {
            return Err(self.gap());
        }
        Ok(())
    }

    fn gap(&self) -> Error {
        let (last, head) = (self.last, self.head);
        let reason = format!("the history does not go on after event {last}, though its head is {head}");
        Error::Damaged {
            workflow: self.workflow.clone(),
            seq: Seq(last.0.saturating_add(1)),
            reason,
        }
    }
}

/// Contents of a blob, if they still fit its name.
pub(crate) fn blob(id: BlobId, bytes: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Error> {
    match bytes {
        Some(bytes) if BlobId::of(&bytes) != id => Err(Error::DamagedRow {
            reason: format!("blob {} does not fit its name", id.to_hex()),
        }),
        other => Ok(other),
    }
}

fn follow(after: Seq, events: &[Recorded]) -> Result<(), Error> {
    if events.len() > APPEND_EVENTS_MAX {
        return Err(invalid(format!(
            "{} events are more than the {APPEND_EVENTS_MAX} of one append",
            events.len()
        )));
    }
    let mut last = after;
    for recorded in events {
        if recorded.seq.0 > NUMBER_MAX || recorded.at_ms > NUMBER_MAX {
            return Err(invalid(format!(
                "event {} has a number beyond {NUMBER_MAX}",
                recorded.seq
            )));
        }
        if Some(recorded.seq.0) != last.0.checked_add(1) {
            return Err(invalid(format!(
                "event {} does not follow event {last}",
                recorded.seq
            )));
        }
        last = recorded.seq;
    }
    Ok(())
}

fn invalid(reason: String) -> Error {
    Error::Invalid { reason }
}
