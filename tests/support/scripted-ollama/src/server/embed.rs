//! `/api/embed`.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Server, begin, json_response, refused};
use crate::{
    embedding, record,
    script::{Endpoint, Kind, canonical},
    tokens,
    wire::{
        Refused,
        ollama::{Embed, NUM_CTX_DEFAULT, integer, keep_alive, parse},
        refuse,
    },
};

pub(super) async fn embed(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    // The rules may look at the input, so it is read before the record begins.
    let request = parse::<Embed>(&body).and_then(|request| Ok((inputs(&request.input)?, request)));
    let (model, texts) = match &request {
        Ok((texts, request)) => (canonical(&request.model), texts.clone()),
        Err(_) => (String::new(), Vec::new()),
    };
    let entry = match begin(&server, Endpoint::Embed, "/api/embed", &body, &model, &texts).await {
        Ok(entry) => entry,
        Err(response) => return response,
    };
    let answer = match request {
        Ok((texts, request)) => answer(&server, &entry, &request, texts).await,
        Err(refusal) => Err(refusal),
    };
    match answer {
        Ok(value) => {
            entry.done("none");
            json_response(200, &value)
        }
        Err(refusal) => refused(&entry, &refusal),
    }
}

fn inputs(input: &Value) -> Result<Vec<String>, Refused> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = match input {
        Value::Null => Some(Vec::new()),
        Value::String(text) if text.is_empty() => Some(Vec::new()),
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(text).collect(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    texts.map_or_else(|| refuse(400, "invalid input type"), Ok)
}

async fn answer(
    server: &Server,
    entry: &record::Entry,
    request: &Embed,
    mut texts: Vec<String>,
) -> Result<Value, Refused> {
    let begin = Instant::now();
    let keep = keep_alive(request.keep_alive.as_ref())?;
    if request.model.is_empty() {
        return refuse(400, "model is required");
    }
    let Some(spec) = server.models().pulled(&request.model).cloned() else {
        return refuse(
            404,
            format!("model {:?} not found, try pulling it first", request.model),
        );
    };
    if spec.kind != Kind::Embedding {
        return refuse(501, "this model does not support embeddings");
    }
    let num_ctx = integer(request.options.as_ref(), "num_ctx")?.and_then(|tokens| u32::try_from(tokens).ok());
    let num_ctx = num_ctx.unwrap_or(NUM_CTX_DEFAULT).min(spec.context_length);
    if !server.models().is_loaded(&spec.name, num_ctx) {
        tokio::time::sleep(Duration::from_millis(spec.load_ms)).await;
        entry.update(|record| record.loaded_model = true);
    }
    let put_out = server.models().load(&spec.name, num_ctx, keep);
    server.recorder.put_out(&put_out);
    let load = begin.elapsed();
    let mut total = 0;
    for text in &mut texts {
        let pieces = tokens::split(text);
        if pieces.len() > num_ctx as usize {
            if request.truncate == Some(false) {
                return refuse(400, "the input length exceeds the context length");
            }
            *text = pieces[..num_ctx as usize].concat();
        }
        total += pieces.len().min(num_ctx as usize);
    }
    entry.update(|record| record.prompt_tokens = total as u64);
    let dimensions = request
        .dimensions
        .filter(|wanted| *wanted > 0)
        .unwrap_or(spec.dimensions)
        .min(spec.dimensions);
    let vectors: Vec<Vec<f32>> = texts
        .iter()
        .map(|text| embedding::embed(text, dimensions))
        .collect();
    Ok(json!({
        "model": request.model,
        "embeddings": vectors,
        "total_duration": begin.elapsed().as_nanos() as u64,
        "load_duration": load.as_nanos() as u64,
        "prompt_eval_count": total,
    }))
}
