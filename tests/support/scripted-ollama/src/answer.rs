//! An answer: its pieces in no format, and what turns them into one.
//!
//! Owns: the parts of an answer, and one encoder for each wire format.
//! Must never know: time, sockets, and what goes wrong on purpose.

mod anthropic;
mod gemini;
mod ollama;
mod openai;

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::{format::Format, wire::Refused};

/// A piece of an answer, about as large as a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Thinking(String),
    Text(String),
    /// Why the model declines.
    Refusal(String),
    /// A part of the arguments of a call.
    Call {
        index: usize,
        text: String,
        is_first: bool,
        is_last: bool,
    },
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    Stop,
    /// A text that the request named.
    StopSequence(String),
    Length,
    Calls,
    Refusal,
    /// A filter of the service.
    Blocked,
}

impl Reason {
    /// The name in records.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence(_) => "stop_sequence",
            Self::Length => "length",
            Self::Calls => "tool_calls",
            Self::Refusal => "refusal",
            Self::Blocked => "blocked",
        }
    }
}

/// What is known before the first piece.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The number of the request; ids are made of it.
    pub(crate) request: u64,
    /// The model that answers, as the answer names it.
    pub(crate) model: String,
    pub(crate) calls: Vec<Call>,
    /// The count of the prompt that the answer tells, if it tells one.
    pub(crate) prompt_tokens: Option<u64>,
    /// Whether a stream ends with the usage, where that is a choice.
    pub(crate) wants_usage: bool,
    /// In place of the name of the reason.
    pub(crate) reason_name: Option<String>,
    /// Whether the server is too old for some fields.
    pub(crate) is_old: bool,
    pub(crate) variant: Variant,
}

/// Which of the ways of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// `/api/chat`, or the only way there is.
    Usual,
    /// `/api/generate`.
    Generate,
    /// A stream of Google's without `alt=sse`: one JSON array.
    Array,
}

/// What is known after the last piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    /// How many tokens of thinking, and of everything else.
    pub(crate) thinking: u64,
    pub(crate) said: u64,
    pub(crate) spent: Spent,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) all: Duration,
    pub(crate) load: Duration,
    pub(crate) prompt: Duration,
    pub(crate) generation: Duration,
}

/// All pieces of an answer that is not streamed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) thinking: String,
    pub(crate) text: String,
    pub(crate) refusal: String,
    /// Arguments of the calls that were begun, and whether they are whole.
    pub(crate) calls: Vec<(String, bool)>,
}

impl Said {
    pub(crate) fn add(&mut self, piece: &Piece) {
        match piece {
            Piece::Thinking(text) => self.thinking.push_str(text),
            Piece::Text(text) => self.text.push_str(text),
            Piece::Refusal(text) => self.refusal.push_str(text),
            Piece::Call {
                index, text, is_last, ..
            } => {
                self.calls
                    .resize(self.calls.len().max(index + 1), (String::new(), false));
                self.calls[*index].0.push_str(text);
                self.calls[*index].1 |= is_last;
            }
        }
    }
}

/// Writes an answer in a format.
pub(crate) trait Encoder: Send + Sync + fmt::Debug {
    /// The content type of a stream.
    fn content_type(&self) -> &'static str;
    /// A piece of a stream; empty if the format waits for more.
    fn piece(&mut self, piece: &Piece) -> String;
    /// Everything after the last piece of a stream.
    fn end(&mut self, end: &End) -> String;
    /// The last line of a stream once more.
    fn again(&mut self, end: &End) -> String;
    /// Something in a stream that is no piece of an answer.
    fn line(&mut self, text: &str) -> String;
    /// An answer that is not streamed.
    fn whole(&self, said: &Said, end: &End) -> Value;

    /// An error in the middle of a stream.
    fn error(&mut self, format: Format, refused: &Refused, request: u64) -> String {
        let error = format.error(refused, request).to_string();
        self.line(&error)
    }
}

pub(crate) fn encoder(format: Format, head: Head) -> Box<dyn Encoder> {
    match format {
        Format::Ollama => Box::new(ollama::Lines::new(head)),
        Format::OpenAi => Box::new(openai::Chunks::new(head)),
        Format::Anthropic => Box::new(anthropic::Events::new(head)),
        Format::Gemini => Box::new(gemini::Chunks::new(head)),
    }
}
