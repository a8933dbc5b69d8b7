//! Version 2 of the records: streamed text that was packed. One record holds
//! several events that followed each other, all of them pieces of text, and
//! stands at the place of the last. Every other event stays at version 1.
//!
//! What is the same for all pieces is said once, what follows from the piece
//! before is not said at all, and what does not follow is said beside its number
//! in the pack. Nothing is left out: what is read are the events that were
//! packed. Field names are frozen as those of version 1.

#[cfg(test)]
mod tests;

use engine::event::{self, Event, Recorded};
use serde::{Deserialize, Serialize};
use shared::id::{Seq, StageId};

use super::{
    Row, Unreadable,
    v1::{GenerationTotal, Origin},
};

/// A packed record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "k", deny_unknown_fields)]
enum Body {
    #[serde(rename = "text")]
    Text(Text),
}

/// Pieces of text, in the order of their events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    /// Attempts that wrote.
    #[serde(rename = "of")]
    writers: Vec<Writer>,
    /// For each piece its writer; empty where there is one.
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    whose: Vec<usize>,
    /// Milliseconds: of the first piece since the Unix epoch, of each other one
    /// since the piece before.
    #[serde(rename = "at")]
    times: Vec<i64>,
    /// Tokens since the writer's piece before.
    #[serde(rename = "tok")]
    tokens: Vec<i64>,
    /// Unicode code points.
    #[serde(rename = "len")]
    lengths: Vec<usize>,
    /// All pieces, one behind the other.
    #[serde(rename = "t")]
    text: String,
    /// Pieces that begin elsewhere than where the writer's piece before ends, or
    /// its first one elsewhere than at 0.
    #[serde(rename = "off", default, skip_serializing_if = "Vec::is_empty")]
    offsets: Vec<(usize, u64)>,
    #[serde(rename = "tot", default, skip_serializing_if = "Vec::is_empty")]
    totals: Vec<(usize, GenerationTotal)>,
    #[serde(rename = "by", default, skip_serializing_if = "Vec::is_empty")]
    origins: Vec<(usize, Origin)>,
}

/// An attempt that wrote.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Writer {
    /// Its lane, within that one's lane, and so on.
    #[serde(rename = "ln", default, skip_serializing_if = "Vec::is_empty")]
    lanes: Vec<String>,
    #[serde(rename = "st")]
    stage: String,
    #[serde(rename = "att")]
    attempt: u32,
}

/// How far a writer came in the pack.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// Where the next piece begins, in code points.
    offset: u64,
    /// Tokens so far.
    tokens: u64,
}

/// The events as one text; none if one of them is no piece of text.
pub(super) fn encode(events: &[Recorded]) -> Option<Result<String, serde_json::Error>> {
    let mut pack = Text {
        writers: Vec::new(),
        whose: Vec::new(),
        times: Vec::with_capacity(events.len()),
        tokens: Vec::with_capacity(events.len()),
        lengths: Vec::with_capacity(events.len()),
        text: String::new(),
        offsets: Vec::new(),
        totals: Vec::new(),
        origins: Vec::new(),
    };
    let mut writing: Vec<Progress> = Vec::new();
    let mut before_ms = 0_u64;
    for (number, recorded) in events.iter().enumerate() {
        let (lanes, streamed) = piece(&recorded.event)?;
        let event::Streamed {
            stage,
            attempt,
            offset,
            delta,
            tokens,
            total,
            origin,
        } = streamed;
        let writer = Writer {
            lanes,
            stage: stage.to_string(),
            attempt: *attempt,
        };
        let known = pack.writers.iter().position(|known| *known == writer);
        let whose = known.unwrap_or_else(|| {
            pack.writers.push(writer);
            writing.push(Progress::default());
            writing.len() - 1
        });
        let progress = writing.get_mut(whose)?;
        let length = delta.chars().count();
        if progress.offset != *offset {
            pack.offsets.push((number, *offset));
        }
        pack.whose.push(whose);
        pack.times
            .push(recorded.at_ms.wrapping_sub(before_ms).cast_signed());
        pack.tokens
            .push(tokens.wrapping_sub(progress.tokens).cast_signed());
        pack.lengths.push(length);
        pack.text.push_str(delta);
        pack.totals.extend(total.map(|total| (number, total.into())));
        pack.origins
            .extend(origin.as_ref().map(|origin| (number, origin.into())));
        progress.offset = offset.wrapping_add(length as u64);
        progress.tokens = *tokens;
        before_ms = recorded.at_ms;
    }
    if pack.writers.len() == 1 {
        pack.whose.clear();
    }
    Some(serde_json::to_string(&Body::Text(pack)))
}

/// The events that were packed.
pub(super) fn decode(row: &Row) -> Result<Vec<Recorded>, Unreadable> {
    let damaged = |reason: &str| Unreadable::Damaged(reason.to_owned());
    let Body::Text(pack) =
        serde_json::from_str(&row.body).map_err(|error| Unreadable::Damaged(error.to_string()))?;
    let Text {
        writers,
        mut whose,
        times,
        tokens,
        lengths,
        text,
        offsets,
        totals,
        origins,
    } = pack;
    let count = lengths.len();
    if writers.len() == 1 && whose.is_empty() {
        whose.resize(count, 0);
    }
    if [times.len(), tokens.len(), whose.len()] != [count; 3] {
        return Err(damaged("a pack's lists are not of one length"));
    }
    let before = (row.seq.0)
        .checked_sub(count as u64)
        .filter(|_| count > 0)
        .ok_or_else(|| damaged("a pack begins before its workflow, or holds nothing"))?;
    let (mut offsets, mut totals, mut origins) = (Beside(offsets), Beside(totals), Beside(origins));
    let mut writing = vec![Progress::default(); writers.len()];
    let mut rest = text.as_str();
    let mut at_ms = 0_u64;
    let mut events = Vec::with_capacity(count);
    let pieces = whose.into_iter().zip(times).zip(tokens).zip(lengths);
    for ((number, seq), (((whose, time), new_tokens), length)) in
        (0..).zip(before + 1..=row.seq.0).zip(pieces)
    {
        let (Some(writer), Some(progress)) = (writers.get(whose), writing.get_mut(whose)) else {
            return Err(damaged("a piece of a pack has no writer"));
        };
        let (delta, behind) = cut(rest, length).ok_or_else(|| damaged("a pack has too little text"))?;
        rest = behind;
        at_ms = at_ms.wrapping_add(time.cast_unsigned());
        let offset = offsets.take(number).unwrap_or(progress.offset);
        progress.offset = offset.wrapping_add(length as u64);
        progress.tokens = progress.tokens.wrapping_add(new_tokens.cast_unsigned());
        let streamed = Event::Streamed(event::Streamed {
            stage: StageId::parse(&writer.stage)?,
            attempt: writer.attempt,
            offset,
            delta: delta.to_owned(),
            tokens: progress.tokens,
            total: totals.take(number).map(Into::into),
            origin: origins.take(number).map(TryInto::try_into).transpose()?,
        });
        events.push(Recorded {
            seq: Seq(seq),
            at_ms,
            event: within(&writer.lanes, streamed)?,
        });
    }
    if at_ms != row.at_ms {
        return Err(damaged("a pack does not end with its last event"));
    }
    if !(rest.is_empty() && offsets.0.is_empty() && totals.0.is_empty() && origins.0.is_empty()) {
        return Err(damaged("a pack has more than its events say"));
    }
    Ok(events)
}

/// What only some pieces have, each with its number in the pack, in order.
struct Beside<T>(Vec<(usize, T)>);

impl<T> Beside<T> {
    fn take(&mut self, number: usize) -> Option<T> {
        // Nearly always empty, and short where it is not.
        let (at, _) = self.0.first()?;
        (*at == number).then(|| self.0.remove(0).1)
    }
}

/// A piece of text and its lanes, the outermost first.
fn piece(event: &Event) -> Option<(Vec<String>, &event::Streamed)> {
    let mut lanes = Vec::new();
    let mut inner = event;
    while let Event::Lane { lane, event } = inner {
        lanes.push(lane.to_string());
        inner = event;
    }
    if let Event::Streamed(streamed) = inner {
        Some((lanes, streamed))
    } else {
        None
    }
}

/// The event in its lanes.
fn within(lanes: &[String], event: Event) -> Result<Event, Unreadable> {
    lanes.iter().rev().try_fold(event, |event, lane| {
        Ok(Event::Lane {
            lane: StageId::parse(lane)?,
            event: Box::new(event),
        })
    })
}

/// The first `length` code points, and what is behind them.
fn cut(text: &str, length: usize) -> Option<(&str, &str)> {
    let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    text.split_at_checked(ends.nth(length)?)
}
