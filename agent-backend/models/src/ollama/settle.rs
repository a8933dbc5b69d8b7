//! What is fixed for a session when the server first answers: the size of the
//! context. Owns the questions; the computation is in [`super::sizing`].

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    Ollama, same_model,
    sizing::{self, ModelFacts, NumCtx, Room},
    wire::{Shown, Tags},
};
use crate::{Error, Identity, Phase, http::STATUS_BYTES_MAX};

/// Bytes of a number in the cache of a context, if the server does not keep it
/// in fewer bits, which it does not tell.
const NUMBER_BYTES: u64 = 2;

/// What a size was chosen for. It stays while none of this changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChosenFor<'a> {
    /// The server's address, without a login.
    pub server: &'a str,
    /// The model.
    pub model: &'a str,
    /// Names the model's contents.
    pub digest: &'a str,
    /// The most tokens that were allowed.
    pub max: u32,
}

/// The machine that a session is on, and its memory of earlier ones.
#[async_trait]
pub trait Session: fmt::Debug + Send + Sync {
    /// Memory of this machine; none if it does not tell.
    async fn room(&self) -> Option<Room>;

    /// The context that was chosen before, in tokens: a server may still hold
    /// the model with it.
    fn kept(&self, chosen: ChosenFor<'_>) -> Option<u32>;

    /// Keeps a choice for later sessions.
    fn keep(&self, chosen: ChosenFor<'_>, num_ctx: u32);
}

/// What is fixed for the session.
#[derive(Debug)]
pub(super) struct Settled {
    pub identity: Identity,
    /// Why the context is that large, if nobody said so.
    pub reason: Option<String>,
}

/// Fixes it, once. Until the server answers, nothing is fixed.
pub(super) async fn settle(ollama: &Ollama) -> Result<&Settled, Error> {
    ollama.settled.get_or_try_init(|| find_out(ollama)).await
}

async fn find_out(ollama: &Ollama) -> Result<Settled, Error> {
    let with = |num_ctx: u32, reason: Option<String>| Settled {
        identity: Identity {
            context_tokens: num_ctx,
            ..ollama.provisional.clone()
        },
        reason,
    };
    let (min, max) = match ollama.options.num_ctx {
        NumCtx::Fixed(num_ctx) => return Ok(with(num_ctx, None)),
        NumCtx::Auto { min, max } => (min, max),
    };
    let facts = facts(ollama).await?;
    let chosen = ChosenFor {
        server: ollama.http.shown(),
        model: &ollama.options.model,
        digest: &facts.digest,
        max,
    };
    let session = ollama.session.as_deref();
    let kept = session.and_then(|session| session.kept(chosen));
    let (num_ctx, reason) = match kept {
        Some(num_ctx) => (num_ctx, "as in earlier sessions with this model".to_owned()),
        None => {
            let sized = sizing::size(&facts, room(ollama).await, min, max);
            if let Some(session) = session.filter(|_| sized.is_measured) {
                session.keep(chosen, sized.num_ctx);
            }
            (sized.num_ctx, sized.reason)
        }
    };
    tracing::info!(provider = %ollama.options.name, model = %ollama.options.model, num_ctx, reason, "context sized");
    Ok(with(num_ctx, Some(reason)))
}

/// Memory of the machine that the server runs on. Only this one can be asked.
pub(super) async fn room(ollama: &Ollama) -> Option<Room> {
    match &ollama.session {
        Some(session) if ollama.http.is_here() => session.room().await,
        Some(_) | None => None,
    }
}

/// What the server says of the model; nothing if it answers otherwise than as
/// Ollama does, which is no reason to fail.
pub(super) async fn facts(ollama: &Ollama) -> Result<ModelFacts, Error> {
    let asked = async { Ok((shown(ollama).await?, listed(ollama).await?)) };
    match asked.await {
        Ok((shown, listed)) => {
            let info = &shown.model_info;
            Ok(ModelFacts {
                digest: listed
                    .as_ref()
                    .map(|listed| listed.digest.clone())
                    .unwrap_or_default(),
                weights: listed.map(|listed| listed.size).filter(|size| *size > 0),
                context_length: of(info, "context_length").and_then(Value::as_u64),
                token_bytes: token_bytes(info),
            })
        }
        Err(error @ (Error::StreamBroken { .. } | Error::Refused { .. } | Error::NotOllama { .. })) => {
            tracing::debug!(%error, "the server does not say what the model needs");
            Ok(ModelFacts::default())
        }
        Err(error) => Err(error),
    }
}

/// What the server says of the model.
pub(super) async fn shown(ollama: &Ollama) -> Result<Shown, Error> {
    let model = &ollama.options.model;
    let body = serde_json::json!({ "model": model });
    let limit = ollama.options.status_timeout;
    let response = ollama.http.post("api/show", &body, Phase::Status, limit).await?;
    let response = ollama.http.accepted(response, model).await?;
    ollama.http.json(response, STATUS_BYTES_MAX).await
}

async fn listed(ollama: &Ollama) -> Result<Option<super::wire::Listed>, Error> {
    let response = ollama.http.get("api/tags", ollama.options.status_timeout).await?;
    let tags: Tags = ollama.http.status_json(response).await?;
    let model = &ollama.options.model;
    Ok(tags
        .models
        .into_iter()
        .find(|listed| same_model(&listed.name, model)))
}

/// A property of the model's architecture.
fn of<'a>(info: &'a Map<String, Value>, property: &str) -> Option<&'a Value> {
    let architecture = info.get("general.architecture")?.as_str()?;
    info.get(&format!("{architecture}.{property}"))
}

/// What one token takes in the cache: a key and a value for each head of each
/// layer. An upper bound: layers with a sliding window take less.
fn token_bytes(info: &Map<String, Value>) -> Option<u64> {
    let number = |property: &str| {
        of(info, property)
            .and_then(Value::as_u64)
            .filter(|number| *number > 0)
    };
    let layers = number("block_count")?;
    let heads_of_all = match of(info, "attention.head_count_kv") {
        None => number("attention.head_count")?.checked_mul(layers)?,
        Some(Value::Array(heads)) => heads
            .iter()
            .map(Value::as_u64)
            .try_fold(0_u64, |sum, heads| sum.checked_add(heads?))?,
        Some(heads) => heads.as_u64()?.checked_mul(layers)?,
    };
    let length = |property: &str| {
        number(property).or_else(|| Some(number("embedding_length")? / number("attention.head_count")?))
    };
    let numbers = length("attention.key_length")?.checked_add(length("attention.value_length")?)?;
    heads_of_all
        .checked_mul(numbers)?
        .checked_mul(NUMBER_BYTES)
        .filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_of_a_token() {
        fn check(info: Value, expect: Option<u64>) {
            let Value::Object(map) = info else {
                panic!("{info}")
            };
            assert_eq!(token_bytes(&map), expect, "{map:?}");
        }
        let llama = json!({
            "general.architecture": "llama", "llama.block_count": 32, "llama.attention.head_count": 32,
            "llama.attention.head_count_kv": 8, "llama.embedding_length": 4096,
        });
        check(llama.clone(), Some(131_072));
        let with = |key: &str, value: Value| {
            let mut info = llama.clone();
            info[key] = value;
            info
        };
        // Keys and values of their own lengths.
        let mut gemma = with("llama.attention.key_length", json!(256));
        gemma["llama.attention.value_length"] = json!(128);
        check(gemma, Some(32 * 8 * (256 + 128) * 2));
        // Layers that differ.
        let layers = with("llama.attention.head_count_kv", json!([8, 0, 4]));
        check(layers, Some(12 * 256 * 2));
        // Left out by the server for being long.
        check(with("llama.attention.head_count_kv", Value::Null), None);
        let mut every_head = llama.clone();
        every_head
            .as_object_mut()
            .unwrap()
            .remove("llama.attention.head_count_kv");
        check(every_head, Some(32 * 32 * 256 * 2));
        check(with("general.architecture", json!("other")), None);
        check(with("llama.block_count", json!(u64::MAX)), None);
        check(json!({}), None);
    }
}
