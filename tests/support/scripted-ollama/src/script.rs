//! The script: which models there are, and which answer fits which request.
//!
//! ```yaml
//! models:
//!   - name: mistral:7b-instruct
//!     context_length: 32768
//!   - name: nomic-embed-text
//!     kind: embedding
//! rules:
//!   - name: plan
//!     match: { endpoint: chat, format: present, contains: "add a route" }
//!     respond: { json: { steps: ["code"] } }
//!   - match: { regex: "(?i)fix" , in: all, nth: 1 }
//!     respond: { text: "…", cut_after_tokens: 5 }
//! ```
//!
//! The first rule whose every condition holds answers. Unknown keys are errors.

mod select;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use select::{Compiled, Question, Selected, canonical};

/// Names the endpoints of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /api/chat`
    Chat,
    /// `POST /api/generate`
    Generate,
    /// `POST /api/embed`
    Embed,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `GET /api/version`
    Version,
    /// `GET /api/tags`
    Tags,
    /// `POST /api/show`
    Show,
    /// `GET /api/ps`
    Ps,
    /// `POST /api/pull`
    Pull,
}

/// Models and rules.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The models the server knows.
    #[serde(default)]
    pub models: Vec<ModelSpec>,
    /// The rules, tried in order.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

impl Script {
    /// Reads a script; the message names line and column.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        if yaml.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
    }

    /// A script that answers every request with `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().rule(Match::default(), Respond::text(text))
    }

    /// Adds a rule at the end.
    #[must_use]
    pub fn rule(mut self, matches: Match, respond: Respond) -> Self {
        self.rules.push(Rule {
            name: None,
            matches,
            respond,
        });
        self
    }
}

/// A script, or the YAML of one.
#[derive(Debug, Clone)]
pub enum ScriptSource {
    /// YAML, read when the server starts.
    Yaml(String),
    /// A script built in code.
    Built(Script),
}

impl From<&str> for ScriptSource {
    fn from(yaml: &str) -> Self {
        Self::Yaml(yaml.to_owned())
    }
}

impl From<String> for ScriptSource {
    fn from(yaml: String) -> Self {
        Self::Yaml(yaml)
    }
}

impl From<Script> for ScriptSource {
    fn from(script: Script) -> Self {
        Self::Built(script)
    }
}

/// What a model is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It answers.
    #[default]
    Chat,
    /// It answers, and thinks before.
    Thinking,
    /// It embeds.
    Embedding,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Name; the tag `latest` may be left out.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub kind: Kind,
    /// Whether it is there; one that is not can be pulled.
    #[serde(default = "yes")]
    pub pulled: bool,
    /// Largest context it was trained for; a larger `num_ctx` is lowered to it.
    #[serde(default = "context_length")]
    pub context_length: u32,
    /// Length of its vectors, if it embeds.
    #[serde(default = "dimensions")]
    pub dimensions: usize,
    /// Video memory it takes when loaded, in MiB.
    #[serde(default = "vram_mb")]
    pub vram_mb: u64,
    /// How long it takes to load.
    #[serde(default)]
    pub load_ms: u64,
}

impl ModelSpec {
    /// A pulled model with the usual numbers.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            pulled: yes(),
            context_length: context_length(),
            dimensions: dimensions(),
            vram_mb: vram_mb(),
            load_ms: 0,
        }
    }
}

fn yes() -> bool {
    true
}

fn context_length() -> u32 {
    32_768
}

fn dimensions() -> usize {
    crate::DIMENSIONS_DEFAULT
}

fn vram_mb() -> u64 {
    4_500
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in the records.
    #[serde(default)]
    pub name: Option<String>,
    /// When it answers; without conditions always.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// What it answers.
    pub respond: Respond,
}

/// Conditions; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Endpoint; without one, chat and generate.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Name of the model.
    #[serde(default)]
    pub model: Option<String>,
    /// Texts that must all occur, in any order.
    #[serde(default)]
    pub contains: Texts,
    /// Texts of which none may occur.
    #[serde(default)]
    pub lacks: Texts,
    /// Regular expression that must be found. Its named groups fill
    /// `{{name}}` in an answer with `expand`.
    #[serde(default)]
    pub regex: Option<String>,
    /// Where `contains`, `lacks` and `regex` look.
    #[serde(default, rename = "in")]
    pub scope: Scope,
    /// Whether the request asks for JSON.
    #[serde(default)]
    pub format: Option<FormatMatch>,
    /// Only the nth request, counted from 1, that the other conditions fit.
    #[serde(default)]
    pub nth: Option<u64>,
}

impl Match {
    /// A rule for requests whose last user message contains `text`.
    pub fn contains(text: impl Into<String>) -> Self {
        Self {
            contains: Texts::One(text.into()),
            ..Self::default()
        }
    }

    /// A rule for an endpoint.
    pub fn endpoint(endpoint: Endpoint) -> Self {
        Self {
            endpoint: Some(endpoint),
            ..Self::default()
        }
    }
}

/// One text or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Texts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text).iter(),
            Self::Many(texts) => texts.iter(),
        }
        .map(String::as_str)
    }
}

/// Which part of the prompt is looked at. All of them are the prompt as the
/// model sees it, so after the cut to `num_ctx`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The last message of the user.
    #[default]
    LastUser,
    /// The system messages.
    System,
    /// All messages, joined by line ends.
    All,
}

/// Whether a request carries `format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormatMatch {
    /// `"json"` or a schema.
    #[serde(alias = "json")]
    Present,
    /// Neither.
    #[serde(alias = "none")]
    Absent,
}

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
    /// Thinking in front of it.
    #[serde(default)]
    pub thinking: Option<String>,
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
            retry_after_secs: None,
        };
        Self {
            error: Some(error),
            ..Self::default()
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalAnswer {
    /// HTTP status.
    pub status: u16,
    /// Message in `{"error": …}`.
    pub message: String,
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
