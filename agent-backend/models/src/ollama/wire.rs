//! The JSON of Ollama's native API, only the fields we use. Unknown fields are
//! left alone: the server is updated without us.

use ollama_rs::models::ModelOptions;
use serde::{Deserialize, Serialize};

use super::OllamaOptions;
use crate::{ChatRequest, Role};

/// A call of `/api/chat`. The request type of ollama-rs lacks a plain JSON
/// schema as `format` and keeps `stream` to itself.
#[derive(Debug, Serialize)]
pub(super) struct ChatBody {
    model: String,
    messages: Vec<WireMessage>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<serde_json::Value>,
    keep_alive: i64,
    options: ModelOptions,
}

#[derive(Debug, Serialize)]
struct WireMessage {
    role: &'static str,
    content: String,
}

impl ChatBody {
    /// A call without messages, which only loads the model.
    pub(super) fn load(options: &OllamaOptions) -> Self {
        Self {
            model: options.model.clone(),
            messages: Vec::new(),
            stream: false,
            format: None,
            keep_alive: options.keep_alive.seconds(),
            options: session_options(options),
        }
    }

    /// A call that streams its answer.
    pub(super) fn chat(options: &OllamaOptions, request: ChatRequest) -> Self {
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !request.system.is_empty() {
            messages.push(WireMessage {
                role: "system",
                content: request.system,
            });
        }
        messages.extend(request.messages.into_iter().map(|message| WireMessage {
            role: match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::Tool => "tool",
            },
            content: message.content,
        }));
        let mut model_options = session_options(options);
        if let Some(temperature) = request.temperature {
            model_options = model_options.temperature(temperature);
        }
        if let Some(tokens_max) = request.tokens_max {
            model_options = model_options.num_predict(i32::try_from(tokens_max).unwrap_or(i32::MAX));
        }
        if let Some(seed) = request.seed {
            // The typed field holds 32 bits only.
            model_options = model_options.extra("seed", seed);
        }
        Self {
            model: options.model.clone(),
            messages,
            stream: true,
            format: request.format,
            keep_alive: options.keep_alive.seconds(),
            options: model_options,
        }
    }
}

/// What must be the same in every call, or Ollama loads the model anew.
fn session_options(options: &OllamaOptions) -> ModelOptions {
    ModelOptions::default().num_ctx(u64::from(options.num_ctx))
}

/// One line of a streamed answer, or the whole of one that is not streamed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ChatLine {
    /// Present when the server failed in the middle.
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) message: LineMessage,
    #[serde(default)]
    pub(super) done: bool,
    #[serde(default)]
    pub(super) done_reason: Option<String>,
    /// Nanoseconds.
    #[serde(default)]
    pub(super) total_duration: u64,
    /// Nanoseconds.
    #[serde(default)]
    pub(super) load_duration: u64,
    #[serde(default)]
    pub(super) prompt_eval_count: Option<u64>,
    #[serde(default)]
    pub(super) eval_count: u64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct LineMessage {
    #[serde(default)]
    pub(super) content: String,
    #[serde(default)]
    pub(super) thinking: Option<String>,
}

/// A call of `/api/embed`.
#[derive(Debug, Serialize)]
pub(super) struct EmbedBody<'a> {
    pub(super) model: &'a str,
    pub(super) input: &'a [String],
    /// A chunk longer than the model's context is embedded by its beginning: a
    /// vector of most of a chunk is of more use than a workspace that cannot be
    /// indexed.
    pub(super) truncate: bool,
    pub(super) keep_alive: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Embedded {
    pub(super) embeddings: Vec<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Running {
    pub(super) models: Vec<RunningModel>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunningModel {
    pub(super) name: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) size_vram: u64,
    #[serde(default)]
    pub(super) context_length: Option<u32>,
}
