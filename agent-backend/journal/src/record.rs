//! Events as they lie on the disk: JSON text of a version. It owns that text;
//! once released, a version's text never changes and is read for ever. An event
//! is written as version 1; several that follow each other may be packed into
//! one record of version 2 later on.
//!
//! It must never know where the text is kept.

mod v1;
mod v2;

#[cfg(test)]
mod tests;

use engine::{
    blob::BlobId,
    event::{Event, Recorded},
};
use sha2::{Digest, Sha256};
use shared::id::{Seq, WorkflowId};

use crate::{Error, limits::EVENT_BYTES_MAX};

/// Version of an event.
pub(crate) const VERSION: u32 = 1;

/// Version of several events in one record.
const PACKED_VERSION: u32 = 2;

/// How a text begins that may be a piece of streamed text; a test says so.
const TEXT_STARTS: [&str; 2] = [r#"{"k":"streamed","#, r#"{"k":"lane","#];

/// How the text of an event begins that stands for all before; a test says so.
#[cfg(feature = "postgres")]
pub(crate) const CONTINUED_START: &str = r#"{"k":"continued","#;

/// The same as a pattern.
pub(crate) const CONTINUED_GLOB: &str = r#"{"k":"continued",*"#;

/// Why a text is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It says something that only a newer version knows.
    TooNew(String),
    /// It is not what was written.
    Damaged(String),
}

/// One record: an event as it is stored, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Place in the workflow, of the last event.
    pub(crate) seq: Seq,
    /// Milliseconds since the Unix epoch, of the last event.
    pub(crate) at_ms: u64,
    /// Version of the body.
    pub(crate) version: u32,
    /// First 64 bits of the SHA-256 of all the rest and the workflow's id, so
    /// that a flipped bit is found when it is read.
    pub(crate) digest: i64,
    /// JSON text.
    pub(crate) body: String,
}

/// The event as it is stored.
pub(crate) fn encode(workflow: &WorkflowId, recorded: &Recorded) -> Result<Row, Error> {
    let body = serde_json::to_string(&v1::Event::from(&recorded.event)).map_err(|error| Error::Invalid {
        reason: format!("event {}: {error}", recorded.seq),
    })?;
    if body.len() > EVENT_BYTES_MAX {
        let reason = format!(
            "event {} has {} bytes, {EVENT_BYTES_MAX} are possible",
            recorded.seq,
            body.len()
        );
        return Err(Error::Invalid { reason });
    }
    let mut row = Row {
        seq: recorded.seq,
        at_ms: recorded.at_ms,
        version: VERSION,
        digest: 0,
        body,
    };
    row.digest = digest(workflow, &row);
    Ok(row)
}

/// Events that follow each other as one record, at the place of the last; none
/// if one of them is something else than streamed text, or the record would be
/// too large.
pub(crate) fn pack(workflow: &WorkflowId, events: &[Recorded]) -> Option<Row> {
    let last = events.last()?;
    let body = v2::encode(events)?.ok()?;
    if body.len() > EVENT_BYTES_MAX {
        return None;
    }
    let mut row = Row {
        seq: last.seq,
        at_ms: last.at_ms,
        version: PACKED_VERSION,
        digest: 0,
        body,
    };
    row.digest = digest(workflow, &row);
    Some(row)
}

/// The piece of streamed text that a record of its own holds, if it holds one
/// and would be written again exactly as it is.
pub(crate) fn unpacked_text(workflow: &WorkflowId, row: &Row) -> Option<Recorded> {
    let may_be = TEXT_STARTS.iter().any(|start| row.body.starts_with(start));
    if row.version != VERSION || !may_be {
        return None;
    }
    let recorded = decode(workflow, row).ok().filter(|text| is_text(&text.event))?;
    (encode(workflow, &recorded).as_ref() == Ok(row)).then_some(recorded)
}

/// Whether it is a piece of streamed text, in whatever lane.
pub(crate) fn is_text(event: &Event) -> bool {
    matches!(event.innermost(), Event::Streamed(_))
}

/// The events that were stored in one record, oldest first: at least one.
pub(crate) fn events(workflow: &WorkflowId, row: &Row) -> Result<Vec<Recorded>, Error> {
    if row.version != PACKED_VERSION {
        return Ok(vec![decode(workflow, row)?]);
    }
    check(workflow, row)?;
    v2::decode(row).map_err(|unreadable| refused(workflow, row.seq, unreadable))
}

/// The event that was stored as a record of its own.
pub(crate) fn decode(workflow: &WorkflowId, row: &Row) -> Result<Recorded, Error> {
    check(workflow, row)?;
    let event =
        decode_body(row.version, &row.body).map_err(|unreadable| refused(workflow, row.seq, unreadable))?;
    Ok(Recorded {
        seq: row.seq,
        at_ms: row.at_ms,
        event,
    })
}

/// Refuses what is not what was written.
fn check(workflow: &WorkflowId, row: &Row) -> Result<(), Error> {
    if digest(workflow, row) != row.digest {
        return Err(Error::Damaged {
            workflow: workflow.clone(),
            seq: row.seq,
            reason: "its digest does not fit".to_owned(),
        });
    }
    Ok(())
}

fn refused(workflow: &WorkflowId, seq: Seq, unreadable: Unreadable) -> Error {
    let workflow = workflow.clone();
    match unreadable {
        Unreadable::TooNew(reason) => Error::RecordTooNew {
            workflow,
            seq,
            reason,
        },
        Unreadable::Damaged(reason) => Error::Damaged {
            workflow,
            seq,
            reason,
        },
    }
}

/// The event of a text of the newest version.
pub(crate) fn decode_text(text: &str) -> Result<Event, Error> {
    decode_body(VERSION, text).map_err(|unreadable| match unreadable {
        Unreadable::TooNew(reason) | Unreadable::Damaged(reason) => Error::Invalid { reason },
    })
}

/// Contents that a stored event names; none where it cannot be read.
pub(crate) fn names(version: u32, body: &str) -> Vec<BlobId> {
    decode_body(version, body).map_or_else(|_| Vec::new(), |event| event.blobs())
}

fn decode_body(version: u32, body: &str) -> Result<Event, Unreadable> {
    if version > VERSION {
        return Err(Unreadable::TooNew(format!(
            "record version {version} of an event; this version knows {VERSION}"
        )));
    }
    if version == 0 {
        return Err(Unreadable::Damaged("record version 0".to_owned()));
    }
    let event: v1::Event =
        serde_json::from_str(body).map_err(|error| Unreadable::Damaged(error.to_string()))?;
    Event::try_from(event)
}

fn digest(workflow: &WorkflowId, row: &Row) -> i64 {
    let mut hash = Sha256::new();
    hash.update(workflow.as_str());
    hash.update([0]);
    hash.update(row.seq.0.to_le_bytes());
    hash.update(row.at_ms.to_le_bytes());
    hash.update(row.version.to_le_bytes());
    hash.update(&row.body);
    let sum: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = sum;
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}
