//! Questions about a hosted model that generate nothing: is it there, and how
//! large is its context.

use serde::Deserialize;
use serde_json::Value;

use super::{Hosted, HostedKind};
use crate::{Context, Error, Health, Loaded, Phase, http};

/// Most models asked for; Anthropic's own limit.
const MODELS_MAX: usize = 1000;

/// Who says that it owns the models of llama.cpp's server, which answers for
/// any name.
const LLAMA_CPP: &str = "llamacpp";

/// A list of models, in any of the three forms.
#[derive(Debug, Deserialize)]
struct List {
    #[serde(default, alias = "models")]
    data: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(alias = "name")]
    id: String,
    #[serde(default)]
    owned_by: Option<String>,
    /// What vLLM says.
    #[serde(default)]
    max_model_len: Option<u64>,
    /// What Groq says.
    #[serde(default)]
    context_window: Option<u64>,
    /// What OpenRouter says.
    #[serde(default)]
    context_length: Option<u64>,
    /// What Google says.
    #[serde(default, rename = "inputTokenLimit")]
    input_token_limit: Option<u64>,
    /// What Anthropic says.
    #[serde(default)]
    max_input_tokens: Option<u64>,
    /// What llama.cpp's server says.
    #[serde(default)]
    meta: Option<Value>,
}

impl Entry {
    fn name(&self) -> &str {
        self.id.strip_prefix("models/").unwrap_or(&self.id)
    }

    /// The context it says it has.
    fn context_tokens(&self) -> Option<u64> {
        self.max_model_len
            .or(self.context_window)
            .or(self.context_length)
            .or(self.input_token_limit)
            .or(self.max_input_tokens)
            .or_else(|| self.meta.as_ref()?.get("n_ctx")?.as_u64())
            .filter(|tokens| *tokens > 0)
    }
}

/// What a server says about itself.
#[derive(Debug)]
pub(super) struct Told {
    /// The `server` header; empty without one.
    pub(super) server: String,
    pub(super) models: Vec<String>,
    pub(super) is_available: bool,
    /// Context of the configured model.
    pub(super) context_tokens: Option<u64>,
}

pub(super) async fn ask(hosted: &Hosted) -> Result<Told, Error> {
    let limit = hosted.options.status_timeout;
    tokio::time::timeout(limit, asked(hosted))
        .await
        .map_err(|_elapsed| http::timeout(Phase::Status, limit))?
}

async fn asked(hosted: &Hosted) -> Result<Told, Error> {
    let options = &hosted.options;
    let path = match options.kind {
        HostedKind::OpenAi => "models".to_owned(),
        HostedKind::Anthropic => format!("models?limit={MODELS_MAX}"),
        HostedKind::Gemini => format!("models?pageSize={MODELS_MAX}"),
    };
    let response = hosted.http.get(&path, options.status_timeout).await?;
    let server = http::header_text(&response, "server").unwrap_or_default();
    let list: List = hosted.http.status_json(response).await?;
    let named = list
        .data
        .iter()
        .find(|entry| entry.name() == options.model || entry.id == options.model);
    // One that answers for any name lists the one it has.
    let any = list
        .data
        .iter()
        .find(|entry| entry.owned_by.as_deref() == Some(LLAMA_CPP));
    let found = named.or(any);
    let mut context_tokens = found.and_then(Entry::context_tokens);
    if any.is_some()
        && let Some(tokens) = slot_tokens(hosted).await
    {
        context_tokens = Some(tokens);
    }
    let is_available = found.is_some();
    let mut models: Vec<String> = list.data.iter().map(|entry| entry.name().to_owned()).collect();
    models.sort_unstable();
    Ok(Told {
        server,
        models,
        is_available,
        context_tokens,
    })
}

/// The context of one slot of llama.cpp's server, which is the whole divided by
/// the slots.
async fn slot_tokens(hosted: &Hosted) -> Option<u64> {
    let limit = hosted.options.status_timeout;
    let response = hosted.http.get("../props", limit).await.ok()?;
    let props: Value = hosted.http.status_json(response).await.ok()?;
    props.get("default_generation_settings")?.get("n_ctx")?.as_u64()
}

pub(super) async fn health(hosted: &Hosted) -> Result<Health, Error> {
    let told = ask(hosted).await?;
    Ok(Health {
        version: told.server,
        model: hosted.options.model.clone(),
        model_available: told.is_available,
        models: told.models,
    })
}

pub(super) async fn preload(hosted: &Hosted) -> Result<Loaded, Error> {
    let told = ask(hosted).await?;
    let options = &hosted.options;
    if !told.is_available {
        return Err(hosted.http.no_model(&options.model));
    }
    let told_tokens = told.context_tokens.and_then(|tokens| u32::try_from(tokens).ok());
    Ok(Loaded {
        model: options.model.clone(),
        num_ctx: options.context_tokens,
        context_length_max: told.context_tokens,
        vram_mb: 0,
        load_ms: 0,
        context: Context {
            requested: options.context_tokens,
            loaded: told_tokens,
            ..Context::default()
        },
    })
}
