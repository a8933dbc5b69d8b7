//! Requests: what every wire format asks, in one form, and how it is refused.
//!
//! Owns: the fields of each format, checked as the real service checks them,
//! and refusals in its words.
//! Must never know: scripts, sockets, and which models there are.

pub(crate) mod anthropic;
pub(crate) mod gemini;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod thinking;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A refusal: status and message, and what else a format says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// In place of the code that usually goes with the status; empty for none.
    pub(crate) code: Option<String>,
    /// The field that is wrong.
    pub(crate) param: Option<String>,
    pub(crate) retry_after_secs: Option<u64>,
    /// A part of the message that no record may keep.
    pub(crate) secret: Option<String>,
}

impl Refused {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ..Self::default()
        }
    }

    pub(crate) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// The message as a record may keep it.
    pub(crate) fn told(&self) -> String {
        match self.secret.as_deref().filter(|secret| !secret.is_empty()) {
            Some(secret) => self.message.replace(secret, "[key]"),
            None => self.message.clone(),
        }
    }

    pub(crate) fn retry_after(mut self, seconds: Option<u64>) -> Self {
        self.retry_after_secs = seconds;
        self
    }
}

pub(crate) fn refuse<T>(status: u16, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::new(status, message))
}

/// A message as rules look at it: text alone, and one of the roles `system`,
/// `user`, `assistant` and `tool`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Message {
    #[serde(default)]
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) content: String,
}

impl Message {
    pub(crate) fn new(role: &str, content: impl Into<String>) -> Self {
        Self {
            role: role.to_owned(),
            content: content.into(),
        }
    }
}

/// A tool the model may call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// JSON schema of its arguments.
    pub(crate) arguments: Option<Value>,
}

/// Which tools the answer must call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Free,
    /// Any of them.
    Any,
    /// This one.
    Tool(String),
}

impl Choice {
    /// Any of the tools is this one if there is no other.
    fn any(tools: &[Tool]) -> Self {
        match tools {
            [tool] => Self::Tool(tool.name.clone()),
            [] | [_, _, ..] => Self::Any,
        }
    }
}

/// What the answer must be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    /// Any JSON.
    Json,
    /// JSON that follows a schema.
    Schema(Value),
}

/// A call for an answer, whatever its format.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) messages: Vec<Message>,
    pub(crate) images: usize,
    pub(crate) output: Option<Output>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Choice,
    /// Most tokens of the answer.
    pub(crate) limit: Option<usize>,
    /// Texts that end the answer.
    pub(crate) stops: Vec<String>,
    pub(crate) streamed: bool,
    /// Whether the answer goes on where the last message of the assistant ends.
    pub(crate) goes_on: bool,
    /// What is said of thinking, if anything.
    pub(crate) thinking: Option<thinking::Wish>,
    /// Whether thinking is shown.
    pub(crate) shows_thinking: bool,
    /// Whether a stream ends with the usage, where that is a choice.
    pub(crate) wants_usage: bool,
}

impl Asked {
    /// Whether the answer has to be JSON: the arguments of the one tool that
    /// must be called are a format as well.
    pub(crate) fn has_format(&self) -> bool {
        self.output.is_some() || matches!(self.choice, Choice::Tool(_))
    }
}

/// The name of a JSON type as error messages have it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The first key that is not among those known.
fn unknown<'a>(object: &'a Map<String, Value>, known: &[&str]) -> Option<&'a str> {
    object.keys().map(String::as_str).find(|key| !known.contains(key))
}

/// A field that is there and not null.
fn given<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// Whether a text is base64 with padding. Not decoded: nobody looks at it.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    !body.is_empty()
        && padding <= 2
        && text.len().is_multiple_of(4)
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// The texts of a request's stop sequences.
pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Vec::new(),
    }
}
