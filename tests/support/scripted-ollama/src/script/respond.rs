//! What a rule answers.

use serde::Deserialize;
use serde_json::Value;

/// An answer, and what goes wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// The text.
    #[serde(default)]
    pub text: Option<String>,
    /// The answer as JSON, printed without line ends.
    #[serde(default)]
    pub json: Option<Value>,
    /// Answer as it is, even if it breaks the request's `format`: what servers
    /// do that know no schemas.
    #[serde(default)]
    pub breaks_format: bool,
    /// Answer from the beginning even if the request ends with one: what
    /// servers do that take it for a whole message.
    #[serde(default)]
    pub begins_anew: bool,
    /// Thinking in front of it. Anthropic's and Google's formats send it to
    /// those who ask for it.
    #[serde(default)]
    pub thinking: Option<String>,
    /// Calls of tools, after the text if there is one.
    #[serde(default)]
    pub tool_calls: Vec<ToolCallAnswer>,
    /// The model declines, with these words.
    #[serde(default)]
    pub refusal: Option<String>,
    /// A filter of the service ends the answer after so many tokens; 0: it
    /// blocks the prompt. Ollama has none.
    #[serde(default)]
    pub blocked_after_tokens: Option<usize>,
    /// Whether `{{name}}` in `text` is replaced by the group of the rule's
    /// regular expression.
    #[serde(default)]
    pub expand: bool,
    /// A refusal in place of an answer.
    #[serde(default)]
    pub error: Option<RefusalAnswer>,
    /// Bytes in place of anything Ollama would say.
    #[serde(default)]
    pub raw: Option<RawAnswer>,
    /// Close the connection after so many tokens; 0: right after the headers.
    #[serde(default)]
    pub cut_after_tokens: Option<usize>,
    /// End the stream properly after so many tokens, without its last line.
    #[serde(default)]
    pub end_after_tokens: Option<usize>,
    /// Say nothing more after so many tokens, and keep the connection.
    #[serde(default)]
    pub stall_after_tokens: Option<usize>,
    /// An error object in the middle of the stream.
    #[serde(default)]
    pub error_after_tokens: Option<ErrorAfter>,
    /// A line that is no JSON in the middle of the stream.
    #[serde(default)]
    pub garbage_after_tokens: Option<GarbageAfter>,
    /// Send the stream in pieces of so many bytes, through lines and characters.
    #[serde(default)]
    pub bytes_per_write: Option<usize>,
    /// Send the last line twice.
    #[serde(default)]
    pub duplicate_done: bool,
    /// Wait so long before the first piece.
    #[serde(default)]
    pub delay_ms: u64,
    /// Rate of this answer, in place of the server's; 0: as fast as it goes.
    #[serde(default)]
    pub tokens_per_second: Option<f64>,
    /// A false `prompt_eval_count`; negative to leave it out.
    #[serde(default)]
    pub prompt_eval_count: Option<i64>,
    /// A false `done_reason`.
    #[serde(default)]
    pub done_reason: Option<String>,
}

impl Respond {
    /// Answers with a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Answers with JSON.
    pub fn json(json: Value) -> Self {
        Self {
            json: Some(json),
            ..Self::default()
        }
    }

    /// Refuses.
    pub fn error(status: u16, message: impl Into<String>) -> Self {
        let error = RefusalAnswer {
            status,
            message: message.into(),
            code: None,
            retry_after_secs: None,
        };
        Self {
            error: Some(error),
            ..Self::default()
        }
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCallAnswer {
    /// Name of the tool; the request must offer it.
    pub name: String,
    /// Its arguments, an object that follows the tool's schema.
    #[serde(default = "no_arguments")]
    pub arguments: Value,
}

fn no_arguments() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalAnswer {
    /// HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
    /// In place of what usually goes with the status: OpenAI's `code`,
    /// Anthropic's `type`, Google's `reason`.
    #[serde(default)]
    pub code: Option<String>,
    /// Value of `Retry-After`.
    #[serde(default)]
    pub retry_after_secs: Option<u64>,
}

/// Any HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// An error object after some tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAfter {
    /// How many tokens come first; 0 makes it a status 500.
    pub tokens: usize,
    /// The message.
    pub message: String,
}

/// Something that is no JSON after some tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GarbageAfter {
    /// How many tokens come first.
    pub tokens: usize,
    /// The line.
    pub text: String,
}
