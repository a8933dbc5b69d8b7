//! What goes wrong on purpose: the one list of it, for rules, for whole
//! scripts, and for seeds.
//!
//! ```yaml
//! fault: { cut: { bytes: 100 } }
//! fault: [{ stall: { tokens: 3, ms: 500 } }, duplicate_end]
//! ```
//!
//! Owns: the names of the faults and what they carry.
//! Must never know: how they are brought about.

mod effects;

use serde::{Deserialize, Serialize};

pub(crate) use effects::{Before, Damage, Effects, Within};

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing more comes after so many tokens; with 0 not even the headers.
    Stall(Stall),
    /// The connection breaks.
    Cut(Point),
    /// The stream ends properly, but without its last lines.
    End(AfterTokens),
    /// An error object in the stream, which ends; with 0 tokens a status.
    Error(ErrorAfter),
    /// A line that is no JSON.
    Garbage(GarbageAfter),
    /// A refusal in place of an answer.
    Status(RefusalAnswer),
    /// Any HTTP answer in place of the service's: a proxy's page, say.
    Raw(RawAnswer),
    /// A rate in place of the server's.
    Slow(Rate),
    /// A false count of the prompt's tokens, or none.
    PromptCount(Count),
    /// The model is loaded with less context than was asked for, and the
    /// prompt is cut to it without a word.
    SmallContext(Context),
    /// Another model is loaded, and answers.
    WrongModel(Name),
    /// Everything in writes of so many bytes, through lines and characters.
    Torn(Size),
    /// Every character of several bytes goes out in two writes.
    SplitCharacters,
    /// The last line of a stream comes twice.
    DuplicateEnd,
    /// Something in between keeps everything back until the end.
    Buffered,
    /// An Ollama that is too old for some fields, and says so.
    OldServer,
}

/// Where a stall begins, and how long it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// How many tokens come first.
    #[serde(default)]
    pub tokens: usize,
    /// How long, in milliseconds; without, for ever.
    #[serde(default)]
    pub ms: Option<u64>,
}

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// After so many tokens; with 0 right after the headers.
    Tokens(usize),
    /// After so many bytes of the body.
    Bytes(usize),
}

/// How many tokens come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterTokens {
    /// Tokens.
    pub tokens: usize,
}

/// An error object after some tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAfter {
    /// How many tokens come first; 0 makes it a status.
    pub tokens: usize,
    /// The message.
    pub message: String,
    /// What it would be as a status.
    #[serde(default = "server_error")]
    pub status: u16,
}

fn server_error() -> u16 {
    500
}

/// Something that is no JSON after some tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GarbageAfter {
    /// How many tokens come first.
    pub tokens: usize,
    /// The line.
    pub text: String,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalAnswer {
    /// HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
    /// In place of what usually goes with the status: OpenAI's `code`,
    /// Anthropic's `type`, Google's `reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Value of `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_secs: Option<u64>,
}

/// Any HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Tokens in a second; 0: as fast as it goes.
    pub tokens_per_second: f64,
}

/// A count of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The count; without, it is left out.
    #[serde(default)]
    pub tokens: Option<u64>,
}

/// A context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Its size in tokens.
    pub num_ctx: u32,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Its name.
    pub name: String,
}

/// A size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Bytes.
    pub bytes: usize,
}

impl Fault {
    /// Silence from the beginning, for ever without a time.
    pub fn stall(ms: Option<u64>) -> Self {
        Self::Stall(Stall { tokens: 0, ms })
    }

    /// A refusal.
    pub fn status(status: u16, message: impl Into<String>) -> Self {
        Self::Status(RefusalAnswer {
            status,
            message: message.into(),
            code: None,
            retry_after_secs: None,
        })
    }

    /// The same, early enough to happen in an answer of so many tokens.
    pub(crate) fn within(mut self, most: usize) -> Self {
        match &mut self {
            Self::Stall(Stall { tokens, .. })
            | Self::Cut(Point::Tokens(tokens))
            | Self::End(AfterTokens { tokens })
            | Self::Error(ErrorAfter { tokens, .. })
            | Self::Garbage(GarbageAfter { tokens, .. }) => *tokens = most.min(*tokens),
            Self::Cut(Point::Bytes(_))
            | Self::Status(_)
            | Self::Raw(_)
            | Self::Slow(_)
            | Self::PromptCount(_)
            | Self::SmallContext(_)
            | Self::WrongModel(_)
            | Self::Torn(_)
            | Self::SplitCharacters
            | Self::DuplicateEnd
            | Self::Buffered
            | Self::OldServer => {}
        }
        self
    }

    /// Whether a client has to ask again because of it.
    pub fn spoils_the_call(&self) -> bool {
        match self {
            Self::Stall(stall) => stall.ms.is_none(),
            Self::Cut(_)
            | Self::End(_)
            | Self::Error(_)
            | Self::Garbage(_)
            | Self::Status(_)
            | Self::Raw(_)
            | Self::PromptCount(_)
            | Self::SmallContext(_)
            | Self::WrongModel(_) => true,
            Self::Slow(_)
            | Self::Torn(_)
            | Self::SplitCharacters
            | Self::DuplicateEnd
            | Self::Buffered
            | Self::OldServer => false,
        }
    }
}
