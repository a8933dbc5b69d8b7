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
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{Server, json_response};
use crate::{
    clock,
    record::{Entry, Outcome},
    script::Respond,
    tokens,
};

/// Which endpoint's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Generate,
}

/// A piece of an answer, before it has a shape.
#[derive(Debug)]
enum Event {
    Thinking(String),
    Text(String),
    /// The last line.
    Done(Value),
    /// A line as it is.
    Garbage(String),
    /// An error object; the stream ends.
    Error(String),
    /// The connection breaks.
    Cut,
}

type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// An answer that is ready.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) shape: Shape,
    /// The model as the request names it.
    pub(super) model: String,
    pub(super) spec_name: String,
    pub(super) unload: bool,
    pub(super) pieces: Vec<String>,
    pub(super) reason: &'static str,
    pub(super) prompt_tokens: usize,
    pub(super) begin: Instant,
    pub(super) load: Duration,
    pub(super) respond: Respond,
    pub(super) streamed: bool,
}

impl Answer {
    /// Answers. As with the real server the headers go out with the first
    /// token, so an error before it still has a status.
    pub(super) async fn send(self, server: Arc<Server>, entry: Entry) -> Response {
        let (shape, model) = (self.shape, self.model.clone());
        let bytes_per_write = self.respond.bytes_per_write;
        let streamed = self.streamed;
        let mut events = self.events(server, entry);
        if !streamed {
            return whole(events, shape, &model).await;
        }
        let first = events.next().await;
        if let Some(Event::Error(message)) = &first {
            return json_response(500, &json!({ "error": message }));
        }
        let lines = stream::iter(first)
            .chain(events)
            .map(move |event| bytes(event, shape, &model));
        let body = match bytes_per_write.filter(|size| *size > 0) {
            None => Body::from_stream(lines),
            Some(size) => Body::from_stream(lines.flat_map(move |line| stream::iter(torn(line, size)))),
        };
        ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
    }

    /// The answer in order and in time. Owns the record's entry: dropping the
    /// stream before its end is what a disconnected client looks like.
    fn events(self, server: Arc<Server>, entry: Entry) -> Events {
        let rate = self.respond.tokens_per_second.unwrap_or(server.tokens_per_second);
        let thinking = self
            .respond
            .thinking
            .as_deref()
            .map(tokens::split)
            .unwrap_or_default();
        let stream = stream! {
            let start = Instant::now();
            let all = thinking.len() + self.pieces.len();
            let events = thinking.into_iter().map(Event::Thinking).chain(self.pieces.iter().cloned().map(Event::Text));
            let mut events = events.fuse();
            for sent in 0..=all {
                for fault in self.faults(sent) {
                    match fault {
                        Fault::Garbage(line) => yield Event::Garbage(line),
                        Fault::Error(message) => {
                            let status = if sent == 0 { 500 } else { 200 };
                            entry.end(Outcome::Error { status, message: message.clone() });
                            yield Event::Error(message);
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
                let Some(event) = events.next() else { break };
                if rate > 0.0 {
                    let due = Duration::try_from_secs_f64((sent + 1) as f64 / rate).unwrap_or_default();
                    sleep_until(start + due).await;
                }
                server.gate.pass().await;
                entry.update(|record| record.tokens_sent += 1);
                yield event;
            }
            server.gate.pass().await;
            let last = self.last(start, all);
            if self.unload {
                server.models().unload(&self.spec_name);
            }
            // Before the line goes out: a client that has it may be gone at once.
            entry.done(self.reason);
            if self.respond.duplicate_done {
                yield Event::Done(last.clone());
            }
            yield Event::Done(last);
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

    /// The fields of the last line.
    fn last(&self, start: Instant, generated: usize) -> Value {
        let prompt_eval = start
            .saturating_duration_since(self.begin)
            .saturating_sub(self.load);
        let mut value = json!({
            "done_reason": self.respond.done_reason.as_deref().unwrap_or(self.reason),
            "total_duration": nanos(self.begin.elapsed()),
            "load_duration": nanos(self.load),
            "prompt_eval_count": self.respond.prompt_eval_count.unwrap_or(self.prompt_tokens as i64),
            "prompt_eval_duration": nanos(prompt_eval),
            "eval_count": generated,
            "eval_duration": nanos(start.elapsed()),
        });
        if let Some(object) = value.as_object_mut()
            && self.respond.prompt_eval_count.is_some_and(|count| count < 0)
        {
            object.remove("prompt_eval_count");
        }
        if self.shape == Shape::Generate {
            value["context"] = json!([1, 2, 3]);
        }
        value
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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A line of the endpoint.
fn line(shape: Shape, model: &str, text: &str, thinking: &str, last: Option<Value>) -> Value {
    let mut value = json!({
        "model": model,
        "created_at": clock::stamp(Duration::ZERO),
        "done": last.is_some(),
    });
    match shape {
        Shape::Chat => {
            value["message"] = json!({ "role": "assistant", "content": text });
            if !thinking.is_empty() {
                value["message"]["thinking"] = thinking.into();
            }
        }
        Shape::Generate => {
            value["response"] = text.into();
            if !thinking.is_empty() {
                value["thinking"] = thinking.into();
            }
        }
    }
    if let (Some(object), Some(Value::Object(last))) = (value.as_object_mut(), last) {
        object.extend(last);
    }
    value
}

fn bytes(event: Event, shape: Shape, model: &str) -> io::Result<Bytes> {
    let line = match event {
        Event::Thinking(text) => line(shape, model, "", &text, None).to_string(),
        Event::Text(text) => line(shape, model, &text, "", None).to_string(),
        Event::Done(last) => line(shape, model, "", "", Some(last)).to_string(),
        Event::Error(message) => json!({ "error": message }).to_string(),
        Event::Garbage(text) => text,
        Event::Cut => {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "cut by the script",
            ));
        }
    };
    Ok(Bytes::from(line + "\n"))
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

/// The answer to a request with `stream: false`.
async fn whole(mut events: Events, shape: Shape, model: &str) -> Response {
    let (mut text, mut thinking) = (String::new(), String::new());
    while let Some(event) = events.next().await {
        match event {
            Event::Thinking(piece) => thinking.push_str(&piece),
            Event::Text(piece) => text.push_str(&piece),
            Event::Done(last) => {
                return json_response(200, &line(shape, model, &text, &thinking, Some(last)));
            }
            Event::Garbage(text) => return json_response(200, &Value::String(text)),
            Event::Error(message) => return json_response(500, &json!({ "error": message })),
            Event::Cut => break,
        }
    }
    let body = Body::from_stream(stream::iter([Err::<Bytes, _>(io::Error::other(
        "cut by the script",
    ))]));
    body.into_response()
}
