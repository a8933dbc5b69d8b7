//! An answer on its way: token by token at a rate, through the gate, with the
//! faults that the script asks for.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use async_stream::stream;
use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{Server, json_response};
use crate::{
    answer::{Encoder, End, Piece, Reason, Said, Spent},
    format::Format,
    record::{Entry, Outcome},
    script::Respond,
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
    pub(super) respond: Respond,
}

impl Answer {
    /// Answers. As with the real server the headers go out with the first
    /// token, so an error before it still has a status.
    pub(super) async fn send(self, server: Arc<Server>, entry: Entry) -> Response {
        let (format, request) = (entry.format, entry.id);
        let bytes_per_write = self.course.respond.bytes_per_write;
        let mut encoder = self.encoder;
        let mut events = self.course.events(server, entry);
        if !self.streamed {
            return whole(events, encoder.as_ref(), format, request).await;
        }
        let first = events.next().await;
        if let Some(Event::Error(refused)) = &first {
            return json_response(refused.status, &format.error(refused, request));
        }
        let content_type = encoder.content_type();
        let lines = stream::iter(first)
            .chain(events)
            .map(move |event| bytes(event, encoder.as_mut(), format, request))
            // A format may wait for more before it writes anything.
            .filter(|line| std::future::ready(!matches!(line, Ok(line) if line.is_empty())));
        let body = match bytes_per_write.filter(|size| *size > 0) {
            None => Body::from_stream(lines),
            Some(size) => Body::from_stream(lines.flat_map(move |line| stream::iter(torn(line, size)))),
        };
        ([(header::CONTENT_TYPE, content_type)], body).into_response()
    }
}

impl Course {
    /// The answer in order and in time. Owns the record's entry: dropping the
    /// stream before its end is what a disconnected client looks like.
    fn events(self, server: Arc<Server>, entry: Entry) -> Events {
        let rate = self.respond.tokens_per_second.unwrap_or(server.tokens_per_second);
        let stream = stream! {
            let start = Instant::now();
            for sent in 0..=self.pieces.len() {
                for fault in self.faults(sent) {
                    match fault {
                        Fault::Garbage(line) => yield Event::Garbage(line),
                        Fault::Error(message) => {
                            let status = if sent == 0 { 500 } else { 200 };
                            entry.end(Outcome::Error { status, message: message.clone() });
                            yield Event::Error(Refused::new(500, message));
                            return;
                        }
                        Fault::Cut => {
                            // Let what was sent before leave this machine first.
                            tokio::task::yield_now().await;
                            entry.end(Outcome::Cut);
                            yield Event::Cut;
                            return;
                        }
                        Fault::End => {
                            entry.end(Outcome::Cut);
                            return;
                        }
                        Fault::Stall => std::future::pending::<()>().await,
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
            if self.respond.duplicate_done {
                yield Event::Again(end);
            }
        };
        Box::pin(stream)
    }

    fn faults(&self, sent: usize) -> impl Iterator<Item = Fault> + use<> {
        let respond = &self.respond;
        let due = |at: Option<usize>, fault: Fault| (at == Some(sent)).then_some(fault);
        let garbage = respond.garbage_after_tokens.as_ref();
        let error = respond.error_after_tokens.as_ref();
        [
            garbage.and_then(|garbage| due(Some(garbage.tokens), Fault::Garbage(garbage.text.clone()))),
            error.and_then(|error| due(Some(error.tokens), Fault::Error(error.message.clone()))),
            due(respond.cut_after_tokens, Fault::Cut),
            due(respond.end_after_tokens, Fault::End),
            due(respond.stall_after_tokens, Fault::Stall),
        ]
        .into_iter()
        .flatten()
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

#[derive(Debug)]
enum Fault {
    Garbage(String),
    Error(String),
    Cut,
    End,
    Stall,
}

fn bytes(event: Event, encoder: &mut dyn Encoder, format: Format, request: u64) -> io::Result<Bytes> {
    let text = match event {
        Event::Piece(piece) => encoder.piece(&piece),
        Event::Done(end) => encoder.end(&end),
        Event::Again(end) => encoder.again(&end),
        Event::Error(refused) => encoder.error(format, &refused, request),
        Event::Garbage(text) => encoder.line(&text),
        Event::Cut => {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "cut by the script",
            ));
        }
    };
    Ok(Bytes::from(text))
}

/// A line in pieces of `size` bytes.
fn torn(line: io::Result<Bytes>, size: usize) -> Vec<io::Result<Bytes>> {
    match line {
        Ok(line) => line
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect(),
        Err(error) => vec![Err(error)],
    }
}

/// An answer that is not streamed.
async fn whole(mut events: Events, encoder: &dyn Encoder, format: Format, request: u64) -> Response {
    let mut said = Said::default();
    while let Some(event) = events.next().await {
        match event {
            Event::Piece(piece) => said.add(&piece),
            Event::Done(end) => return json_response(200, &encoder.whole(&said, &end)),
            Event::Garbage(text) => return json_response(200, &Value::String(text)),
            Event::Error(refused) => return json_response(refused.status, &format.error(&refused, request)),
            Event::Again(_) | Event::Cut => break,
        }
    }
    let body = Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other(
        "cut by the script",
    ))]));
    body.into_response()
}
