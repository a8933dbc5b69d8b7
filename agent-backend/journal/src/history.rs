//! A whole history as one text: a line of JSON for each event. It is what a
//! shorter history is stored as, and a part of an exported workflow.

use engine::event::{Event, Recorded};
use serde::{Deserialize, Serialize};
use shared::id::{Seq, WorkflowId};

use crate::{Error, record};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at: u64,
    v: u32,
    sum: i64,
    /// The record's text, as a text, so that its digest stays its digest.
    e: String,
}

/// The events as text.
pub fn encode(workflow: &WorkflowId, events: &[Recorded]) -> Result<String, Error> {
    let mut text = String::new();
    for recorded in events {
        let row = record::encode(workflow, recorded)?;
        let line = Line {
            seq: row.seq.0,
            at: row.at_ms,
            v: row.version,
            sum: row.digest,
            e: row.body,
        };
        let line = serde_json::to_string(&line).map_err(|error| Error::Invalid {
            reason: format!("event {}: {error}", recorded.seq),
        })?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

/// The events that [`encode`] wrote for this workflow, oldest first.
pub fn decode(workflow: &WorkflowId, text: &str) -> Result<Vec<Recorded>, Error> {
    let mut events: Vec<Recorded> = Vec::new();
    for line in text.lines() {
        let after = events.last().map_or(Seq::default(), |last| last.seq);
        let damaged = |reason: String| Error::Damaged {
            workflow: workflow.clone(),
            seq: after.next(),
            reason,
        };
        let Line { seq, at, v, sum, e } =
            serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
        let row = record::Row {
            seq: Seq(seq),
            at_ms: at,
            version: v,
            digest: sum,
            body: e,
        };
        if row.seq <= after {
            return Err(damaged(format!("event {} comes after event {after}", row.seq)));
        }
        events.push(record::decode(workflow, &row)?);
    }
    Ok(events)
}

/// The event of one record's text of the newest version; without the digest,
/// which tells whether it is what was written. For tools, such as a fuzzer.
pub fn decode_event(text: &str) -> Result<Event, Error> {
    record::decode_text(text)
}

/// The text that [`decode_event`] reads.
pub fn encode_event(event: &Event) -> Result<String, Error> {
    let recorded = Recorded {
        seq: Seq(1),
        at_ms: 0,
        event: event.clone(),
    };
    Ok(record::encode(&WorkflowId::new("w"), &recorded)?.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_reads_back_and_damage_is_found() {
        let workflow = WorkflowId::new("w");
        let event = |seq, iteration| Recorded {
            seq: Seq(seq),
            at_ms: 5,
            event: Event::IterationStarted { iteration },
        };
        let events = vec![event(1, 2), event(7, 3)];
        let text = encode(&workflow, &events).unwrap();
        assert_eq!(decode(&workflow, &text), Ok(events));
        let refuse = |text: &str, part: &str| {
            let error = decode(&workflow, text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refuse(&text.replace("\\\"n\\\":3", "\\\"n\\\":4"), "digest");
        refuse(&text[..text.len() - 3], "EOF");
        let mut lines: Vec<&str> = text.lines().collect();
        lines.reverse();
        refuse(&lines.join("\n"), "comes after");
        assert!(decode(&WorkflowId::new("other"), &text).is_err());
    }
}
