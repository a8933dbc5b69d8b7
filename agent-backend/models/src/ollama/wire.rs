//! The JSON of Ollama's native API, only the fields we use. Unknown fields are
//! left alone: the server is updated without us.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ollama_rs::models::ModelOptions;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OllamaOptions;
use crate::{ChatRequest, Message, Role, request::tool_called};

/// A call of `/api/chat`. The request type of ollama-rs lacks a plain JSON
/// schema as `format` and keeps `stream` to itself.
#[derive(Debug, Serialize)]
pub(super) struct ChatBody {
    model: String,
    messages: Vec<WireMessage>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Value>,
    /// Whether it thinks, or how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Value>,
    keep_alive: i64,
    options: ModelOptions,
}

#[derive(Debug, Default, Serialize)]
struct WireMessage {
    role: &'static str,
    content: String,
    /// Base64, without the media type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    /// What older servers tell an answer's tool by.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

impl WireMessage {
    fn new(message: Message, tool_name: Option<String>) -> Self {
        let calls = message.tool_calls.into_iter().map(|call| {
            let function = serde_json::json!({"name": call.name, "arguments": call.arguments});
            serde_json::json!({"id": call.id, "function": function})
        });
        Self {
            role: match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::Tool => "tool",
            },
            content: message.content,
            images: message
                .images
                .iter()
                .map(|image| BASE64_STANDARD.encode(&image.bytes))
                .collect(),
            tool_calls: calls.collect(),
            tool_name,
            tool_call_id: message.tool_call_id,
        }
    }
}

impl ChatBody {
    /// A call without messages, which only loads the model.
    pub(super) fn load(options: &OllamaOptions, num_ctx: u32) -> Self {
        Self {
            model: options.model.clone(),
            messages: Vec::new(),
            stream: false,
            tools: Vec::new(),
            format: None,
            think: None,
            keep_alive: options.keep_alive.seconds(),
            options: session_options(num_ctx),
        }
    }

    /// A call that streams its answer. `think` is what is granted of thinking,
    /// which the request has, as this server takes it.
    pub(super) fn chat(
        options: &OllamaOptions,
        num_ctx: u32,
        request: ChatRequest,
        think: Option<Value>,
    ) -> Self {
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !request.system.is_empty() {
            messages.push(WireMessage {
                role: "system",
                content: request.system,
                ..WireMessage::default()
            });
        }
        let tool_names: Vec<Option<String>> = request
            .messages
            .iter()
            .map(|message| {
                tool_called(&request.messages, message.tool_call_id.as_deref()?).map(str::to_owned)
            })
            .collect();
        let named = request.messages.into_iter().zip(tool_names);
        messages.extend(named.map(|(message, tool_name)| WireMessage::new(message, tool_name)));
        let tools = request.tools.into_iter().map(|tool| {
            let function = serde_json::json!({
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            });
            serde_json::json!({"type": "function", "function": function})
        });
        let mut model_options = session_options(num_ctx);
        if let Some(temperature) = request.temperature {
            model_options = model_options.temperature(temperature);
        }
        if let Some(tokens_max) = request.tokens_max {
            // Thoughts count as well.
            let tokens_max = tokens_max.saturating_add(request.thinking.tokens_max(num_ctx));
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
            tools: tools.collect(),
            format: request.format,
            think,
            keep_alive: options.keep_alive.seconds(),
            options: model_options,
        }
    }
}

/// What must be the same in every call, or Ollama loads the model anew.
fn session_options(num_ctx: u32) -> ModelOptions {
    ModelOptions::default().num_ctx(u64::from(num_ctx))
}

/// The answer of `/api/show`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shown {
    /// What the model's file says of itself; old servers do not tell.
    #[serde(default)]
    pub(super) model_info: Map<String, Value>,
    /// What it can do; servers before 0.6.4 do not tell.
    #[serde(default)]
    pub(super) capabilities: Vec<String>,
    #[serde(default)]
    pub(super) details: ShownDetails,
}

/// What a model is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ShownDetails {
    #[serde(default)]
    pub(super) family: String,
}

/// The answer of `/api/tags`.
#[derive(Debug, Deserialize)]
pub(super) struct Tags {
    #[serde(default)]
    pub(super) models: Vec<Listed>,
}

/// A pulled model.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    pub(super) digest: String,
}

/// One line of a streamed answer, or the whole of one that is not streamed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ChatLine {
    /// Present when the server failed in the middle.
    #[serde(default)]
    pub(super) error: Option<String>,
    /// Who answers.
    #[serde(default)]
    pub(super) model: Option<String>,
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
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<LineCall>>,
}

/// A call, whole; this interface sends no pieces of calls.
#[derive(Debug, Deserialize)]
pub(super) struct LineCall {
    /// Servers before 0.12 give none.
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) function: LineFunction,
}

#[derive(Debug, Deserialize)]
pub(super) struct LineFunction {
    pub(super) name: String,
    #[serde(default)]
    pub(super) arguments: Option<Value>,
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
