//! What a rule answers.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::fault::{
    AfterTokens, Count, ErrorAfter, Fault, GarbageAfter, Point, Rate, RawAnswer, RefusalAnswer, Size, Stall,
};

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
    /// A false name of the reason for the end.
    #[serde(default)]
    pub done_reason: Option<String>,
    /// File with a recorded exchange to answer with, from the directory of the
    /// script.
    #[serde(default)]
    pub replay: Option<PathBuf>,
    /// What goes wrong: one fault or a list of them.
    #[serde(default, deserialize_with = "one_or_many")]
    pub fault: Vec<Fault>,

    // Short for faults, which see.
    /// Short for `status`.
    #[serde(default)]
    pub error: Option<RefusalAnswer>,
    /// Short for `raw`.
    #[serde(default)]
    pub raw: Option<RawAnswer>,
    /// Short for `cut`.
    #[serde(default)]
    pub cut_after_tokens: Option<usize>,
    /// Short for `end`.
    #[serde(default)]
    pub end_after_tokens: Option<usize>,
    /// Short for a `stall` for ever.
    #[serde(default)]
    pub stall_after_tokens: Option<usize>,
    /// Short for `error`.
    #[serde(default)]
    pub error_after_tokens: Option<ErrorAfter>,
    /// Short for `garbage`.
    #[serde(default)]
    pub garbage_after_tokens: Option<GarbageAfter>,
    /// Short for `torn`.
    #[serde(default)]
    pub bytes_per_write: Option<usize>,
    /// Short for `duplicate_end`.
    #[serde(default)]
    pub duplicate_done: bool,
    /// Short for a `stall` before the first byte.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Short for `slow`.
    #[serde(default)]
    pub tokens_per_second: Option<f64>,
    /// Short for `prompt_count`; negative to leave it out.
    #[serde(default)]
    pub prompt_eval_count: Option<i64>,
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
        Self::fault(Fault::status(status, message))
    }

    /// Goes wrong.
    pub fn fault(fault: Fault) -> Self {
        Self {
            fault: vec![fault],
            ..Self::default()
        }
    }

    /// Goes wrong in one more way.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault.push(fault);
        self
    }

    /// Everything that goes wrong, however it is written.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let stall = |tokens: usize, ms: Option<u64>| Fault::Stall(Stall { tokens, ms });
        let count = |count: i64| {
            Fault::PromptCount(Count {
                tokens: u64::try_from(count).ok(),
            })
        };
        let short = [
            self.delay_ms.map(|ms| stall(0, Some(ms))),
            self.error.clone().map(Fault::Status),
            self.raw.clone().map(Fault::Raw),
            self.garbage_after_tokens.clone().map(Fault::Garbage),
            self.error_after_tokens.clone().map(Fault::Error),
            self.cut_after_tokens
                .map(|tokens| Fault::Cut(Point::Tokens(tokens))),
            self.end_after_tokens
                .map(|tokens| Fault::End(AfterTokens { tokens })),
            self.stall_after_tokens.map(|tokens| stall(tokens, None)),
            self.bytes_per_write.map(|bytes| Fault::Torn(Size { bytes })),
            self.duplicate_done.then_some(Fault::DuplicateEnd),
            self.tokens_per_second
                .map(|tokens_per_second| Fault::Slow(Rate { tokens_per_second })),
            self.prompt_eval_count.map(count),
        ];
        self.fault
            .iter()
            .cloned()
            .chain(short.into_iter().flatten())
            .collect()
    }
}

pub(super) fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Fault>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Faults {
        One(Fault),
        Many(Vec<Fault>),
    }
    Ok(match Faults::deserialize(deserializer)? {
        Faults::One(fault) => vec![fault],
        Faults::Many(faults) => faults,
    })
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
