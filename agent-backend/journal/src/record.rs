//! Events as they lie on the disk: JSON text of a version. It owns that text;
//! once released, a version's text never changes and is read for ever.
//!
//! It must never know where the text is kept.

mod v1;

#[cfg(test)]
mod tests;

use engine::{
    blob::BlobId,
    event::{Event, Recorded},
};
use sha2::{Digest, Sha256};
use shared::id::{Seq, WorkflowId};

use crate::{Error, limits::EVENT_BYTES_MAX};

/// Version that is written.
pub(crate) const VERSION: u32 = 1;

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

/// One event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Place in the workflow.
    pub(crate) seq: Seq,
    /// Milliseconds since the Unix epoch.
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

/// The event that was stored.
pub(crate) fn decode(workflow: &WorkflowId, row: &Row) -> Result<Recorded, Error> {
    if digest(workflow, row) != row.digest {
        return Err(Error::Damaged {
            workflow: workflow.clone(),
            seq: row.seq,
            reason: "its digest does not fit".to_owned(),
        });
    }
    match decode_body(row.version, &row.body) {
        Ok(event) => Ok(Recorded {
            seq: row.seq,
            at_ms: row.at_ms,
            event,
        }),
        Err(Unreadable::TooNew(reason)) => Err(Error::RecordTooNew {
            workflow: workflow.clone(),
            seq: row.seq,
            reason,
        }),
        Err(Unreadable::Damaged(reason)) => Err(Error::Damaged {
            workflow: workflow.clone(),
            seq: row.seq,
            reason,
        }),
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
            "record version {version}; this version knows {VERSION}"
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
