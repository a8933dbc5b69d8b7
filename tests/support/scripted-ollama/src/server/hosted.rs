//! The services that are called with a key: OpenAI's format, Anthropic's and
//! Google's. Their models are always there, and what is too long is refused.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, header},
    response::Response,
};
use bytes::Bytes;

use super::{
    Server,
    generate::{Ready, answer},
    recorded, refused,
};
use crate::{
    answer::Variant,
    format::Format,
    prompt::Prompt,
    record::Entry,
    script::{Endpoint, Keys, Kind, ModelSpec, Thinks},
    wire::{Asked, Refused, anthropic, gemini, openai, refuse, thinking::Wish},
};

/// Versions of Anthropic's API.
const ANTHROPIC_VERSIONS: &[&str] = &["2023-01-01", "2023-06-01"];

pub(super) async fn chat_completions(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = recorded(&body);
    let entry = server
        .recorder
        .begin(Endpoint::ChatCompletions, "/v1/chat/completions", body.clone());
    let asked = openai_key(&server.keys, &headers).and_then(|()| openai::read(&body));
    run(server, entry, Endpoint::ChatCompletions, asked, Variant::Usual).await
}

pub(super) async fn messages(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    let body = recorded(&body);
    let entry = server
        .recorder
        .begin(Endpoint::Messages, "/v1/messages", body.clone());
    let asked = anthropic_key(&server.keys, &headers).and_then(|()| anthropic::read(&body));
    run(server, entry, Endpoint::Messages, asked, Variant::Usual).await
}

/// `MODEL:generateContent` and `MODEL:streamGenerateContent`.
pub(super) async fn gemini(
    State(server): State<Arc<Server>>,
    Path(call): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = recorded(&body);
    let path = format!("/v1beta/models/{call}");
    let entry = server
        .recorder
        .begin(Endpoint::GenerateContent, &path, body.clone());
    let query = query.unwrap_or_default();
    let asked = gemini_key(&server.keys, &headers, &query).and_then(|()| match call.rsplit_once(':') {
        Some((model, "generateContent")) => gemini::read(model, false, &body),
        Some((model, "streamGenerateContent")) => gemini::read(model, true, &body),
        None | Some(_) => refuse(404, format!("{path} was not found on this server")),
    });
    let variant = match parameter(&query, "alt") {
        Some("sse") => Variant::Usual,
        None | Some(_) => Variant::Array,
    };
    run(server, entry, Endpoint::GenerateContent, asked, variant).await
}

async fn run(
    server: Arc<Server>,
    entry: Entry,
    endpoint: Endpoint,
    asked: Result<Asked, Refused>,
    variant: Variant,
) -> Response {
    let begin = tokio::time::Instant::now();
    let accepted = asked.and_then(|mut asked| {
        let spec = model(&server, entry.format, &asked.model)?;
        thinks(entry.format, &spec, asked.thinking)?;
        let prompt = Prompt::whole(std::mem::take(&mut asked.messages));
        fits(entry.format, &spec, prompt.tokens)?;
        Ok((asked, spec, prompt))
    });
    let (asked, spec, prompt) = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => return refused(&entry, &refusal),
    };
    let ready = Ready {
        endpoint,
        variant,
        asked,
        spec,
        prompt,
        unload: false,
        begin,
        load: std::time::Duration::ZERO,
    };
    answer(server, entry, ready).await
}

/// The model of this name, if it answers.
fn model(server: &Server, format: Format, name: &str) -> Result<ModelSpec, Refused> {
    let found = server.models().pulled(name).cloned();
    match (found, format) {
        (Some(spec), _) if spec.kind != Kind::Embedding => Ok(spec),
        (Some(_), Format::OpenAi) => {
            let message = "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did \
                           you mean to use v1/completions?";
            Err(Refused::new(404, message).param("model").code(""))
        }
        (Some(_) | None, _) => Err(unknown_model(format, name)),
    }
}

pub(super) fn unknown_model(format: Format, name: &str) -> Refused {
    let message = match format {
        Format::Ollama => format!("model {name:?} not found, try pulling it first"),
        Format::OpenAi => {
            format!("The model `{name}` does not exist or you do not have access to it.")
        }
        Format::Anthropic => format!("model: {name}"),
        Format::Gemini => format!(
            "models/{name} is not found for API version v1beta, or is not supported for generateContent. Call \
             ListModels to see the list of available models and their supported methods."
        ),
    };
    Refused::new(404, message)
}

/// Refuses what the model cannot be told of its thinking.
fn thinks(format: Format, spec: &ModelSpec, wish: Option<Wish>) -> Result<(), Refused> {
    let Some(wish) = wish else { return Ok(()) };
    let is_taken = match spec.thinks {
        Thinks::Anything => true,
        Thinks::Levels => wish == Wish::Level,
        Thinks::Tokens => wish != Wish::Level,
        Thinks::Nothing => false,
    };
    if is_taken {
        return Ok(());
    }
    let message = match (format, wish, spec.thinks) {
        (Format::Ollama | Format::OpenAi, Wish::Off, Thinks::Levels) => {
            "Unsupported value: 'reasoning_effort' does not support 'none' with this model. Supported values are: \
             'low', 'medium', and 'high'."
        }
        (Format::Ollama | Format::OpenAi, ..) => "Unrecognized request argument supplied: reasoning_effort",
        (Format::Anthropic, Wish::Off, _) => "\"thinking.type.disabled\" is not supported for this model.",
        (Format::Anthropic, Wish::Level, _) => "adaptive thinking is not supported on this model",
        (Format::Anthropic, Wish::Tokens, _) => {
            "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \
             \"output_config.effort\" to control thinking behavior."
        }
        (Format::Gemini, Wish::Off, Thinks::Levels) => {
            "Budget 0 is invalid. This model only works in thinking mode."
        }
        (Format::Gemini, Wish::Level, _) => "Thinking level is not supported for this model.",
        (Format::Gemini, ..) => "Thinking is not supported for this model.",
    };
    refuse(400, message)
}

/// Refuses what is longer than the model's context.
fn fits(format: Format, spec: &ModelSpec, tokens: usize) -> Result<(), Refused> {
    let most = spec.context_length as usize;
    if tokens <= most {
        return Ok(());
    }
    Err(match format {
        Format::Ollama | Format::OpenAi => {
            let message = format!(
                "This model's maximum context length is {most} tokens. However, your messages resulted in {tokens} \
                 tokens. Please reduce the length of the messages."
            );
            Refused::new(400, message)
                .param("messages")
                .code("context_length_exceeded")
        }
        Format::Anthropic => Refused::new(
            400,
            format!("prompt is too long: {tokens} tokens > {most} maximum"),
        ),
        Format::Gemini => {
            let message = format!(
                "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({most})."
            );
            Refused::new(400, message)
        }
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A parameter of a query.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}

/// Without a key that is demanded, none is needed: local servers want none.
pub(super) fn openai_key(keys: &Keys, headers: &HeaderMap) -> Result<(), Refused> {
    let Some(key) = &keys.openai else { return Ok(()) };
    let sent = text(headers, header::AUTHORIZATION.as_str());
    match sent.and_then(|sent| sent.strip_prefix("Bearer ")) {
        Some(sent) if sent == key => Ok(()),
        // The whole key comes back, as it does from servers that do not mask
        // it: a client must not repeat what it is told.
        Some(sent) => Err(Refused::new(
            401,
            format!(
                "Incorrect API key provided: {sent}. You can find your API key at \
                 https://platform.openai.com/account/api-keys."
            ),
        )
        .secret(sent)),
        None => Err(Refused::new(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer \
             auth (i.e. Authorization: Bearer YOUR_KEY).",
        )
        .code("")),
    }
}

pub(super) fn anthropic_key(keys: &Keys, headers: &HeaderMap) -> Result<(), Refused> {
    let sent = text(headers, "x-api-key").filter(|sent| !sent.is_empty());
    match (sent, &keys.anthropic) {
        (None, _) => return refuse(401, "x-api-key header is required"),
        (Some(sent), Some(key)) if sent != key => return refuse(401, "invalid x-api-key"),
        (Some(_), _) => {}
    }
    match text(headers, "anthropic-version") {
        None => refuse(400, "anthropic-version: header is required"),
        Some(version) if ANTHROPIC_VERSIONS.contains(&version) => Ok(()),
        Some(version) => refuse(
            400,
            format!("anthropic-version: \"{version}\" is not a valid version"),
        ),
    }
}

pub(super) fn gemini_key(keys: &Keys, headers: &HeaderMap, query: &str) -> Result<(), Refused> {
    let sent = text(headers, "x-goog-api-key").or_else(|| parameter(query, "key"));
    match (sent.filter(|sent| !sent.is_empty()), &keys.gemini) {
        (None, _) => refuse(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API.",
        ),
        (Some(sent), Some(key)) if sent != key => {
            Err(Refused::new(400, "API key not valid. Please pass a valid API key.").code("API_KEY_INVALID"))
        }
        (Some(_), _) => Ok(()),
    }
}
