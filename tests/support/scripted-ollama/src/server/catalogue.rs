//! The models as OpenAI, Anthropic and Google list them.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Server, begin,
    hosted::{anthropic_key, gemini_key, openai_key, unknown_model},
    json_response, refused,
};
use crate::{
    format::Format,
    script::{Endpoint, Kind, ModelSpec},
    wire::Refused,
};

/// When all models were made; nobody asks.
const CREATED: u64 = 1_735_689_600;
const CREATED_AT: &str = "2025-01-01T00:00:00Z";

/// Most tokens of an answer that Google's list tells.
const OUTPUT_TOKENS_MAX: u32 = 8_192;

/// `/v1/models`: Anthropic's if the header of its version is there.
pub(super) async fn v1(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    if headers.contains_key("anthropic-version") {
        let allowed = anthropic_key(&server.keys, &headers);
        return list(
            &server,
            Endpoint::AnthropicModels,
            "/v1/models",
            allowed,
            anthropic,
        )
        .await;
    }
    let allowed = openai_key(&server.keys, &headers);
    list(&server, Endpoint::Models, "/v1/models", allowed, openai).await
}

pub(super) async fn gemini(
    State(server): State<Arc<Server>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let allowed = gemini_key(&server.keys, &headers, query.as_deref().unwrap_or_default());
    list(
        &server,
        Endpoint::GeminiModels,
        "/v1beta/models",
        allowed,
        |specs| Ok(json!({ "models": specs.iter().map(gemini_model).collect::<Vec<_>>() })),
    )
    .await
}

pub(super) async fn gemini_one(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let allowed = gemini_key(&server.keys, &headers, query.as_deref().unwrap_or_default());
    let path = format!("/v1beta/models/{name}");
    list(&server, Endpoint::GeminiModels, &path, allowed, |specs| {
        let found = specs.iter().find(|spec| spec.name == name);
        found
            .map(gemini_model)
            .ok_or_else(|| unknown_model(Format::Gemini, &name))
    })
    .await
}

async fn list(
    server: &Server,
    endpoint: Endpoint,
    path: &str,
    allowed: Result<(), Refused>,
    write: impl FnOnce(&[ModelSpec]) -> Result<Value, Refused>,
) -> Response {
    let entry = match begin(server, endpoint, path, &Bytes::new(), "", &[]).await {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let specs: Vec<ModelSpec> = server.models().all_pulled().cloned().collect();
    match allowed.and_then(|()| write(&specs)) {
        Ok(value) => {
            entry.done("none");
            json_response(200, &value)
        }
        Err(refusal) => refused(&entry, &refusal),
    }
}

fn openai(specs: &[ModelSpec]) -> Result<Value, Refused> {
    let models = specs.iter().map(
        |spec| json!({ "id": spec.name, "object": "model", "created": CREATED, "owned_by": "scripted" }),
    );
    Ok(json!({ "object": "list", "data": models.collect::<Vec<_>>() }))
}

fn anthropic(specs: &[ModelSpec]) -> Result<Value, Refused> {
    let specs: Vec<&ModelSpec> = specs.iter().filter(|spec| spec.kind != Kind::Embedding).collect();
    let models = specs.iter().map(|spec| {
        json!({ "type": "model", "id": spec.name, "display_name": spec.name, "created_at": CREATED_AT })
    });
    Ok(json!({
        "data": models.collect::<Vec<_>>(),
        "has_more": false,
        "first_id": specs.first().map(|spec| &spec.name),
        "last_id": specs.last().map(|spec| &spec.name),
    }))
}

fn gemini_model(spec: &ModelSpec) -> Value {
    let methods: &[&str] = match spec.kind {
        Kind::Chat | Kind::Thinking => &["generateContent", "countTokens"],
        Kind::Embedding => &["embedContent"],
    };
    json!({
        "name": format!("models/{}", spec.name),
        "version": "001",
        "displayName": spec.name,
        "inputTokenLimit": spec.context_length,
        "outputTokenLimit": OUTPUT_TOKENS_MAX,
        "supportedGenerationMethods": methods,
        "thinking": spec.kind == Kind::Thinking,
    })
}
