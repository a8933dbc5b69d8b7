//! `/v1/embeddings`, checked as the servers of that interface check it. The
//! vectors come in reverse order, because the interface promises none.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Server, begin, hosted, json_response, refused};
use crate::{
    embedding,
    format::Format,
    script::{Endpoint, Kind},
    wire::{Refused, ollama::parse, refuse},
};

/// Most texts in one request.
const INPUTS_MAX: usize = 2_048;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    model: String,
    input: Vec<String>,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

pub(super) async fn embeddings(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = parse::<Request>(&body);
    let (model, texts) = match &request {
        Ok(request) => (request.model.clone(), request.input.clone()),
        Err(_) => (String::new(), Vec::new()),
    };
    let entry = match begin(
        &server,
        Endpoint::Embeddings,
        "/v1/embeddings",
        &body,
        &model,
        &texts,
    )
    .await
    {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let answer = hosted::openai_key(&server.keys, &headers)
        .and(request)
        .and_then(|request| answer(&server, &request));
    match answer {
        Ok(value) => {
            entry.done("none");
            json_response(200, &value)
        }
        Err(refusal) => refused(&entry, &refusal),
    }
}

fn answer(server: &Server, request: &Request) -> Result<Value, Refused> {
    if request.input.is_empty() || request.input.len() > INPUTS_MAX {
        return refuse(400, "'input' is out of range");
    }
    if request.input.iter().any(String::is_empty) {
        return refuse(400, "'input' cannot be an empty string");
    }
    if !matches!(request.encoding_format.as_deref(), None | Some("float")) {
        return refuse(400, "this server knows the encoding format `float` alone");
    }
    let Some(spec) = server.models().pulled(&request.model).cloned() else {
        return Err(hosted::unknown_model(Format::OpenAi, &request.model));
    };
    if spec.kind != Kind::Embedding {
        return refuse(400, "this model does not support embeddings");
    }
    let dimensions = request.dimensions.unwrap_or(spec.dimensions);
    if dimensions == 0 || dimensions > spec.dimensions {
        return refuse(400, "'dimensions' is out of range");
    }
    let rows = request.input.iter().enumerate().rev().map(|(index, text)| {
        json!({
            "object": "embedding",
            "index": index,
            "embedding": embedding::embed(text, dimensions),
        })
    });
    Ok(json!({
        "object": "list",
        "data": rows.collect::<Vec<_>>(),
        "model": request.model,
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    }))
}
