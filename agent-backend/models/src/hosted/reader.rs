//! What the readers of the three interfaces have in common: a stream of events
//! becomes chunks and an ending. Pure.

use serde::de::DeserializeOwned;

use crate::{Chunk, Finish, ToolCall, sse};

pub(super) use crate::CALLS_MAX;

/// Longest arguments of one call, in bytes.
pub(super) const ARGUMENTS_BYTES_MAX: usize = 4 << 20;

/// Why an answer cannot be read on.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// It is not as the interface says.
    Broken(String),
    /// The server tells of a failure in its own words.
    Said(serde_json::Value),
}

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The answer goes on.
    More,
    /// That was the last event.
    Over,
}

/// What is known of an answer so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Whether anything of it has come, be it a thought or a piece of a call:
    /// signs of life are none.
    pub(super) has_begun: bool,
    /// Why it ended.
    pub(super) finish: Option<Finish>,
    /// `None` if the server does not count.
    pub(super) prompt_tokens: Option<u64>,
    pub(super) generated_tokens: u64,
    pub(super) thinking_bytes: u64,
    /// Calls of tools that were given out.
    pub(super) calls: usize,
}

impl Tally {
    /// Makes room for one more call.
    pub(super) fn one_more_call(&mut self) -> Result<(), Fault> {
        if self.calls >= CALLS_MAX {
            return Err(too_many_calls());
        }
        self.calls += 1;
        Ok(())
    }

    /// Why the answer ended. One without a reason to end is broken, however it
    /// ended.
    pub(super) fn ended(&self) -> Result<Finish, Fault> {
        self.finish
            .ok_or_else(|| broken("it ends without a reason to end"))
    }
}

/// Reads the events of one answer.
pub(super) trait Reader: std::fmt::Debug + Send {
    /// Takes one event; what it adds goes to `out`.
    fn event(&mut self, event: &sse::Event, out: &mut Vec<Chunk>) -> Result<Next, Fault>;

    fn tally(&self) -> &Tally;
}

pub(super) fn broken(reason: impl Into<String>) -> Fault {
    Fault::Broken(reason.into())
}

pub(super) fn too_many_calls() -> Fault {
    broken(format!("it calls more than {CALLS_MAX} tools"))
}

/// The event's JSON, unless it tells of a failure.
pub(super) fn parse<T: DeserializeOwned>(data: &str) -> Result<T, Fault> {
    serde_json::from_str(data).map_err(|error| broken(format!("broken JSON: {error}")))
}

/// Adds text.
pub(super) fn token(text: String, out: &mut Vec<Chunk>) {
    if !text.is_empty() {
        out.push(Chunk::Token { text });
    }
}

/// A call that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    arguments: String,
}

impl Call {
    pub(super) fn new(id: String, name: String) -> Self {
        Self {
            id,
            name,
            arguments: String::new(),
        }
    }

    /// Adds a piece of the arguments.
    pub(super) fn push(&mut self, piece: &str) -> Result<(), Fault> {
        if self.arguments.len() + piece.len() > ARGUMENTS_BYTES_MAX {
            return Err(broken(format!(
                "the arguments of a call are longer than {ARGUMENTS_BYTES_MAX} bytes"
            )));
        }
        self.arguments.push_str(piece);
        Ok(())
    }

    /// The whole call, the `number`th of its answer. Broken arguments are an
    /// error and never mended: a tool would do something nobody asked for.
    pub(super) fn whole(self, number: usize) -> Result<ToolCall, Fault> {
        let Self { id, name, arguments } = self;
        if name.is_empty() {
            return Err(broken("a call names no tool"));
        }
        let arguments = if arguments.trim().is_empty() {
            serde_json::Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_str(&arguments)
                .map_err(|error| broken(format!("the arguments for {name} are broken JSON: {error}")))?
        };
        if !arguments.is_object() {
            return Err(broken(format!("the arguments for {name} are no object")));
        }
        let id = if id.is_empty() {
            format!("call_{number}")
        } else {
            id
        };
        Ok(ToolCall { id, name, arguments })
    }
}

/// What a reader makes of events, as a person reads it.
#[cfg(test)]
pub(super) fn told(mut reader: impl Reader, events: &[&str]) -> Vec<String> {
    let fault = |fault| match fault {
        Fault::Broken(reason) => format!("broken: {reason}"),
        Fault::Said(object) => format!("said: {object}"),
    };
    let mut told = Vec::new();
    let mut out = Vec::new();
    for data in events {
        let event = sse::Event {
            name: String::new(),
            data: (*data).to_owned(),
        };
        let next = reader.event(&event, &mut out);
        told.extend(out.drain(..).map(|chunk| match chunk {
            Chunk::Token { text } => text,
            Chunk::ToolCall(ToolCall { id, name, arguments }) => format!("{id}: {name}({arguments})"),
            Chunk::Done(usage) => panic!("a reader ends nothing: {usage:?}"),
        }));
        match next {
            Ok(Next::More) => {}
            Ok(Next::Over) => break,
            Err(error) => {
                told.push(fault(error));
                return told;
            }
        }
    }
    let tally = reader.tally();
    told.push(match tally.ended() {
        Ok(finish) => format!(
            "{finish:?} {:?} {} {}",
            tally.prompt_tokens, tally.generated_tokens, tally.thinking_bytes
        ),
        Err(error) => fault(error),
    });
    told
}

/// A request with a bit of everything.
#[cfg(test)]
pub(super) fn rich_request() -> crate::ChatRequest {
    use serde_json::json;

    use crate::{ChatRequest, Image, Message, Role, Tool};
    let call = |id: &str, path: &str| ToolCall {
        id: id.to_owned(),
        name: "read".to_owned(),
        arguments: json!({"path": path}),
    };
    let answer = |id: &str, text: &str| Message {
        tool_call_id: Some(id.to_owned()),
        ..Message::new(Role::Tool, text)
    };
    ChatRequest {
        system: "be brief".to_owned(),
        messages: vec![
            Message {
                images: vec![Image {
                    media_type: "image/png".to_owned(),
                    bytes: bytes::Bytes::from_static(b"png"),
                }],
                ..Message::user("look")
            },
            Message {
                tool_calls: vec![call("1~sig", "a"), call("call_1", "b")],
                ..Message::assistant("")
            },
            answer("1~sig", "A"),
            answer("call_1", "B"),
            Message::new(Role::System, "note"),
        ],
        format: None,
        tools: vec![Tool {
            name: "read".to_owned(),
            description: "Reads.".to_owned(),
            parameters: json!({"type": "object"}),
        }],
        temperature: Some(0.2),
        tokens_max: Some(100),
        seed: Some(7),
        thinking: crate::Thinking::ProviderDefault,
    }
}

/// A request as a server is asked it that takes a context of 200 000 tokens.
#[cfg(test)]
pub(super) fn asked(
    request: &crate::ChatRequest,
    wish: super::thinking::Wish,
    without: super::adapt::Without,
) -> super::Asked<'_> {
    let thoughts = wish.grants(request.thinking).tokens_max(200_000);
    super::Asked {
        request,
        tokens_max: request.tokens_max.map(|answer| answer + thoughts),
        wish,
        without,
    }
}
