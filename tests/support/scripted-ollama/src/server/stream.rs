//! An answer on its way: token by token at a rate, through the gate, with the
//! faults that the script asks for.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use async_stream::stream;
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{JSON_TYPE, Server, damage, json_response};
use crate::{
    answer::{Encoder, End, Piece, Reason, Said, Spent},
    fault::{Effects, Within},
    format::Format,
    record::{Entry, Outcome},
    wire::Refused,
};

/// What happens next in an answer.
#[derive(Debug)]
enum Event {
    Piece(Piece),
    Done(End),
    /// The last line once more.
    Again(End),
    /// A line as it is.
    Garbage(String),
    /// An error object; the stream ends.
    Error(Refused),
    /// The connection breaks.
    Cut,
}

type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// An answer that is ready.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) streamed: bool,
    pub(super) course: Course,
}

/// What an answer does, before it has a format.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) spec_name: String,
    pub(super) unload: bool,
    /// How many of the pieces are thinking; they come first.
    pub(super) thinking: usize,
    pub(super) pieces: Vec<Piece>,
    pub(super) reason: Reason,
    pub(super) begin: Instant,
    pub(super) load: Duration,
    pub(super) effects: Effects,
}

impl Answer {
    /// Answers. As with the real server the headers go out with the first
    /// token, so an error before it still has a status.
    pub(super) async fn send(self, server: Arc<Server>, entry: Entry) -> Response {
        let (format, request) = (entry.format, entry.id);
        let entry = Arc::new(entry);
        let damage = self.course.effects.damage;
        let mut encoder = self.encoder;
        let mut events = self.course.events(server, entry.clone());
        if !self.streamed {
            let whole = match whole(events, encoder.as_ref()).await {
                Whole::Answer(value) => Ok(Bytes::from(value.to_string())),
                Whole::Refused(refused) => return error_response(format, &refused, request),
                Whole::Broken => Err(damage::cut()),
            };
            let body = damage::body(stream::iter([whole]), damage, entry).await;
            return ([(header::CONTENT_TYPE, JSON_TYPE)], body).into_response();
        }
        let first = events.next().await;
        if let Some(Event::Error(refused)) = &first {
            return error_response(format, refused, request);
        }
        let content_type = encoder.content_type();
        let lines = stream::iter(first)
            .chain(events)
            .map(move |event| bytes(event, encoder.as_mut(), format, request))
            // A format may wait for more before it writes anything.
            .filter(|line| std::future::ready(!matches!(line, Ok(line) if line.is_empty())));
        let body = damage::body(lines, damage, entry).await;
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}

fn error_response(format: Format, refused: &Refused, request: u64) -> Response {
    json_response(refused.status, &format.error(refused, request))
}

impl Course {
    /// The answer in order and in time. Owns the record's entry: dropping the
    /// stream before its end is what a disconnected client looks like.
    fn events(self, server: Arc<Server>, entry: Arc<Entry>) -> Events {
        let rate = self.effects.tokens_per_second.unwrap_or(server.tokens_per_second);
        let stream = stream! {
            let start = Instant::now();
            for sent in 0..=self.pieces.len() {
                for (_, fault) in self.effects.within.iter().filter(|(tokens, _)| *tokens == sent) {
                    match fault {
                        Within::Stall(Some(ms)) => tokio::time::sleep(Duration::from_millis(*ms)).await,
                        Within::Stall(None) => std::future::pending().await,
                        Within::Garbage(text) => yield Event::Garbage(text.clone()),
                        Within::Error(error) => {
                            let status = if sent == 0 { error.status } else { 200 };
                            entry.end(Outcome::Error { status, message: error.message.clone() });
                            yield Event::Error(Refused::new(error.status, error.message.as_str()));
                            return;
                        }
                        Within::Cut => {
                            entry.end(Outcome::Cut);
                            yield Event::Cut;
                            return;
                        }
                        Within::End => {
                            entry.end(Outcome::Cut);
                            return;
                        }
                    }
                }
                let Some(piece) = self.pieces.get(sent) else { break };
                if rate > 0.0 {
                    let due = Duration::try_from_secs_f64((sent + 1) as f64 / rate).unwrap_or_default();
                    sleep_until(start + due).await;
                }
                server.gate.pass().await;
                entry.update(|record| record.tokens_sent += 1);
                yield Event::Piece(piece.clone());
            }
            server.gate.pass().await;
            let end = self.end(start);
            if self.unload {
                server.models().unload(&self.spec_name);
            }
            // Before the line goes out: a client that has it may be gone at once.
            entry.done(self.reason.name());
            yield Event::Done(end.clone());
            if self.effects.duplicates_end {
                yield Event::Again(end);
            }
        };
        Box::pin(stream)
    }

    /// What is known after the last piece.
    fn end(&self, start: Instant) -> End {
        let prompt = start
            .saturating_duration_since(self.begin)
            .saturating_sub(self.load);
        End {
            reason: self.reason.clone(),
            thinking: self.thinking as u64,
            said: (self.pieces.len() - self.thinking) as u64,
            spent: Spent {
                all: self.begin.elapsed(),
                load: self.load,
                prompt,
                generation: start.elapsed(),
            },
        }
    }
}

fn bytes(event: Event, encoder: &mut dyn Encoder, format: Format, request: u64) -> io::Result<Bytes> {
    let text = match event {
        Event::Piece(piece) => encoder.piece(&piece),
        Event::Done(end) => encoder.end(&end),
        Event::Again(end) => encoder.again(&end),
        Event::Error(refused) => encoder.error(format, &refused, request),
        Event::Garbage(text) => encoder.line(&text),
        Event::Cut => return Err(damage::cut()),
    };
    Ok(Bytes::from(text))
}

/// An answer that is not streamed.
enum Whole {
    Answer(Value),
    Refused(Refused),
    Broken,
}

async fn whole(mut events: Events, encoder: &dyn Encoder) -> Whole {
    let mut said = Said::default();
    while let Some(event) = events.next().await {
        match event {
            Event::Piece(piece) => said.add(&piece),
            Event::Done(end) => return Whole::Answer(encoder.whole(&said, &end)),
            Event::Garbage(text) => return Whole::Answer(Value::String(text)),
            Event::Error(refused) => return Whole::Refused(refused),
            Event::Again(_) | Event::Cut => break,
        }
    }
    Whole::Broken
}
