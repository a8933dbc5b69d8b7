//! `/api/chat` and `/api/generate`: checked in the order of the real
//! server, which loads the model before it looks at everything.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Server,
    generate::{Ready, answer},
    hosted::unknown_model,
    json_response, recorded, refused,
};
use crate::{
    answer::Variant,
    clock,
    format::Format,
    prompt,
    record::Entry,
    script::{Endpoint, Kind, ModelSpec, Thinks},
    wire::{
        Asked, Choice, Message, Output, Refused, Tool,
        ollama::{ChatMessage, Generation, NUM_CTX_DEFAULT, integer, keep_alive, parse},
        refuse, texts,
        thinking::{self, Wish},
    },
};

pub(super) async fn chat(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    run(server, Endpoint::Chat, Variant::Usual, body).await
}

pub(super) async fn generate(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    run(server, Endpoint::Generate, Variant::Generate, body).await
}

/// A request that the server accepts.
struct Accepted {
    asked: Asked,
    spec: ModelSpec,
    keep: Option<Duration>,
    num_ctx: u32,
    load: Duration,
}

async fn run(server: Arc<Server>, endpoint: Endpoint, variant: Variant, body: Bytes) -> Response {
    let path = match variant {
        Variant::Usual | Variant::Array => "/api/chat",
        Variant::Generate => "/api/generate",
    };
    let entry = server.recorder.begin(endpoint, path, recorded(&body));
    let begin = Instant::now();
    let mut accepted = match accept(&server, &entry, variant, &body).await {
        Ok(accepted) => accepted,
        Err(refusal) => return refused(&entry, &refusal),
    };
    if accepted.asked.messages.is_empty() {
        return load_only(&server, &entry, variant, &accepted);
    }
    let messages = std::mem::take(&mut accepted.asked.messages);
    let ready = Ready {
        endpoint,
        variant,
        asked: accepted.asked,
        spec: accepted.spec,
        prompt: prompt::fit(messages, accepted.num_ctx as usize),
        unload: accepted.keep == Some(Duration::ZERO),
        begin,
        load: accepted.load,
    };
    answer(server, entry, ready).await
}

/// Checks a request in the order of the real server, and loads the model.
async fn accept(server: &Server, entry: &Entry, variant: Variant, body: &[u8]) -> Result<Accepted, Refused> {
    let mut request: Generation = parse(body)?;
    let thinking = thinking::of_ollama(request.think.as_ref())?;
    let keep = keep_alive(request.keep_alive.as_ref())?;
    if request.model.is_empty() {
        return refuse(400, "model is required");
    }
    let Some(spec) = server.models().pulled(&request.model).cloned() else {
        return Err(unknown_model(Format::Ollama, &request.model));
    };
    match spec.kind {
        Kind::Embedding => {
            let what = match variant {
                Variant::Usual | Variant::Array => "chat",
                Variant::Generate => "generate",
            };
            return refuse(400, format!("{:?} does not support {what}", request.model));
        }
        Kind::Chat if matches!(thinking, Some(Wish::Level | Wish::Tokens)) => {
            return refuse(400, format!("{:?} does not support thinking", request.model));
        }
        Kind::Chat | Kind::Thinking => {}
    }
    images(&request)?;
    let mut asked = asked(&mut request, variant);
    asked.thinking = thinking;
    // One that takes levels always thinks.
    asked.shows_thinking = thinking != Some(Wish::Off) || spec.thinks == Thinks::Levels;
    if asked.messages.is_empty() && keep == Some(Duration::ZERO) {
        return Ok(Accepted {
            asked,
            spec,
            keep,
            num_ctx: 0,
            load: Duration::ZERO,
        });
    }
    let options = request.options.as_ref();
    let num_ctx = integer(options, "num_ctx")?.and_then(|tokens| u32::try_from(tokens).ok());
    let num_ctx = num_ctx
        .filter(|tokens| *tokens > 0)
        .unwrap_or(NUM_CTX_DEFAULT)
        .min(spec.context_length);
    let num_predict = integer(options, "num_predict")?.filter(|tokens| *tokens > 0);
    asked.limit = num_predict.and_then(|tokens| usize::try_from(tokens).ok());
    let begin = Instant::now();
    if !server.models().is_loaded(&spec.name, num_ctx) {
        tokio::time::sleep(Duration::from_millis(spec.load_ms)).await;
        entry.update(|record| record.loaded_model = true);
    }
    // A model that is to go right after the answer must stay for the answer.
    let stay = keep.filter(|keep| !keep.is_zero());
    let put_out = server.models().load(&spec.name, num_ctx, stay);
    server.recorder.put_out(&put_out);
    if !asked.messages.is_empty() {
        asked.output = output(request.format.as_ref())?;
    }
    Ok(Accepted {
        asked,
        spec,
        keep,
        num_ctx,
        load: begin.elapsed(),
    })
}

/// Pictures are base64 with its padding. A model that does not see them is not shown
/// them, and nobody is told.
fn images(request: &Generation) -> Result<(), Refused> {
    let chat = request
        .messages
        .iter()
        .flatten()
        .flat_map(|message| &message.images);
    for image in chat.chain(&request.images) {
        let bytes = image.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        if bytes.is_none_or(|bytes| bytes.is_empty()) {
            return refuse(400, "illegal base64 data at input byte 0");
        }
    }
    Ok(())
}

/// The request in no format, but for what must be checked first.
fn asked(request: &mut Generation, variant: Variant) -> Asked {
    let chat = match variant {
        Variant::Usual | Variant::Array => request.messages.take().unwrap_or_default(),
        Variant::Generate => Vec::new(),
    };
    let images = chat.iter().map(|message| message.images.len()).sum::<usize>() + request.images.len();
    let messages = match variant {
        Variant::Usual | Variant::Array => chat
            .into_iter()
            .map(|ChatMessage { message, .. }| message)
            .collect(),
        Variant::Generate => prompt_messages(request),
    };
    let tools = request.tools.drain(..).map(|tool| Tool {
        name: tool.function.name,
        arguments: tool.function.parameters,
    });
    Asked {
        tools: tools.collect(),
        choice: Choice::Free,
        model: std::mem::take(&mut request.model),
        messages,
        images,
        output: None,
        limit: None,
        stops: texts(request.options.as_ref().and_then(|options| options.get("stop"))),
        streamed: request.stream.unwrap_or(true),
        goes_on: true,
        thinking: None,
        shows_thinking: true,
        wants_usage: true,
    }
}

fn prompt_messages(request: &Generation) -> Vec<Message> {
    if request.prompt.is_empty() {
        return Vec::new();
    }
    let system = (!request.system.is_empty()).then(|| Message::new("system", request.system.as_str()));
    let user = Message::new("user", request.prompt.as_str());
    system.into_iter().chain([user]).collect()
}

/// `"json"` or a schema; the empty string is none.
fn output(format: Option<&Value>) -> Result<Option<Output>, Refused> {
    match format {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text == "json" => Ok(Some(Output::Json)),
        Some(schema @ Value::Object(_)) => Ok(Some(Output::Schema(schema.clone()))),
        Some(other) => {
            let message = format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object");
            refuse(500, message)
        }
    }
}

fn load_only(server: &Server, entry: &Entry, variant: Variant, accepted: &Accepted) -> Response {
    let reason = if accepted.keep == Some(Duration::ZERO) {
        "unload"
    } else {
        "load"
    };
    if reason == "unload" {
        server.models().unload(&accepted.spec.name);
    }
    entry.done(reason);
    let mut value = json!({
        "model": accepted.asked.model,
        "created_at": clock::stamp(Duration::ZERO),
        "done": true,
        "done_reason": reason,
    });
    match variant {
        Variant::Usual | Variant::Array => value["message"] = json!({ "role": "assistant", "content": "" }),
        Variant::Generate => value["response"] = "".into(),
    }
    json_response(200, &value)
}
