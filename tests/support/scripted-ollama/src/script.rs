//! The script: which models there are, and which answer fits which request.
//!
//! ```yaml
//! keys: { anthropic: sk-ant-1 }
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
//!     respond: { text: "…", fault: { cut: { tokens: 5 } } }
//! ```
//!
//! The first rule whose every condition holds answers. Unknown keys are errors.

mod respond;
mod select;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{fault::Fault, format::Format};

pub use respond::{Respond, ToolCallAnswer};
pub(crate) use select::{Compiled, Counting, Question, Selected, canonical};

/// Names the endpoints.
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
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `GET /v1/models` as OpenAI has it
    Models,
    /// `POST /v1/messages`
    Messages,
    /// `GET /v1/models` as Anthropic has it
    AnthropicModels,
    /// `POST /v1beta/models/MODEL:generateContent`, and `:streamGenerateContent`
    GenerateContent,
    /// `GET /v1beta/models`, and one of them
    GeminiModels,
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

impl Endpoint {
    /// The format it belongs to.
    pub fn format(self) -> Format {
        match self {
            Self::Chat
            | Self::Generate
            | Self::Embed
            | Self::Version
            | Self::Tags
            | Self::Show
            | Self::Ps
            | Self::Pull => Format::Ollama,
            Self::Embeddings | Self::ChatCompletions | Self::Models => Format::OpenAi,
            Self::Messages | Self::AnthropicModels => Format::Anthropic,
            Self::GenerateContent | Self::GeminiModels => Format::Gemini,
        }
    }

    /// The endpoints of a path: two services may have the same one.
    pub(crate) fn of_path(method: &str, path: &str) -> &'static [Self] {
        match (method, path) {
            ("POST", "/api/chat") => &[Self::Chat],
            ("POST", "/api/generate") => &[Self::Generate],
            ("POST", "/api/embed") => &[Self::Embed],
            ("GET", "/api/version") => &[Self::Version],
            ("GET", "/api/tags") => &[Self::Tags],
            ("POST", "/api/show") => &[Self::Show],
            ("GET", "/api/ps") => &[Self::Ps],
            ("POST", "/api/pull") => &[Self::Pull],
            ("POST", "/v1/embeddings") => &[Self::Embeddings],
            ("POST", "/v1/chat/completions") => &[Self::ChatCompletions],
            ("GET", "/v1/models") => &[Self::Models, Self::AnthropicModels],
            ("POST", "/v1/messages") => &[Self::Messages],
            ("GET", path) if path.starts_with("/v1beta/models") => &[Self::GeminiModels],
            ("POST", path) if path.starts_with("/v1beta/models/") => &[Self::GenerateContent],
            _ => &[],
        }
    }

    /// How it is called.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Version
            | Self::Tags
            | Self::Ps
            | Self::Models
            | Self::AnthropicModels
            | Self::GeminiModels => "GET",
            Self::Chat
            | Self::Generate
            | Self::Embed
            | Self::Show
            | Self::Pull
            | Self::Embeddings
            | Self::ChatCompletions
            | Self::Messages
            | Self::GenerateContent => "POST",
        }
    }

    /// Whether a model answers there.
    pub fn generates(self) -> bool {
        match self {
            Self::Chat | Self::Generate | Self::ChatCompletions | Self::Messages | Self::GenerateContent => {
                true
            }
            Self::Embed
            | Self::Version
            | Self::Tags
            | Self::Show
            | Self::Ps
            | Self::Pull
            | Self::Embeddings
            | Self::Models
            | Self::AnthropicModels
            | Self::GeminiModels => false,
        }
    }
}

/// The keys that are demanded; without one, any key is taken. Ollama has none.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// In `Authorization: Bearer`.
    #[serde(default)]
    pub openai: Option<String>,
    /// In `x-api-key`.
    #[serde(default)]
    pub anthropic: Option<String>,
    /// In `x-goog-api-key`, or `key` in the query.
    #[serde(default)]
    pub gemini: Option<String>,
}

impl fmt::Debug for Keys {
    /// Says which there are, never what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("openai", &self.openai.is_some())
            .field("anthropic", &self.anthropic.is_some())
            .field("gemini", &self.gemini.is_some())
            .finish()
    }
}

/// Models and rules.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The keys that requests must bring.
    #[serde(default)]
    pub keys: Keys,
    /// What goes wrong with every request, whatever it calls.
    #[serde(default, deserialize_with = "respond::one_or_many")]
    pub fault: Vec<Fault>,
    /// The models the server knows.
    #[serde(default)]
    pub models: Vec<ModelSpec>,
    /// Video memory there is, in MiB; without it all models fit. A model that is
    /// loaded puts out those that were asked longest ago, also in the middle of an
    /// answer of theirs.
    #[serde(default)]
    pub vram_mb: Option<u64>,
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
#[derive(Clone)]
pub enum ScriptSource {
    /// YAML, read when the server starts.
    Yaml(String),
    /// A script built in code.
    Built(Script),
}

impl fmt::Debug for ScriptSource {
    /// YAML may hold keys, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yaml(yaml) => write!(f, "Yaml({} bytes)", yaml.len()),
            Self::Built(script) => f.debug_tuple("Built").field(script).finish(),
        }
    }
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

/// What a model can be told of its thinking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinks {
    /// Whatever its interface has.
    #[default]
    Anything,
    /// How much, by a level, and never not to.
    Levels,
    /// How much, in tokens, and not to.
    Tokens,
    /// Nothing: a service refuses the field.
    Nothing,
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
    /// What it can be told of its thinking.
    #[serde(default)]
    pub thinks: Thinks,
    /// Whether it sees pictures.
    #[serde(default)]
    pub vision: bool,
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
    /// All memory it takes when loaded, in MiB: as much without it, more where
    /// a part of it is in main memory.
    #[serde(default)]
    pub size_mb: Option<u64>,
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
            thinks: Thinks::default(),
            vision: false,
            pulled: yes(),
            context_length: context_length(),
            dimensions: dimensions(),
            vram_mb: vram_mb(),
            size_mb: None,
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
    /// Endpoint; without one, all at which a model answers.
    #[serde(default)]
    pub endpoint: Option<Endpoint>,
    /// Path, where an endpoint has several.
    #[serde(default)]
    pub path: Option<String>,
    /// Whether the answer is to be streamed.
    #[serde(default)]
    pub streamed: Option<bool>,
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
