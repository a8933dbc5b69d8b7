//! `/api/chat` and `/api/generate`: from a request to an answer that is ready
//! to be streamed.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Server, in_place, json_response, recorded, refused, script_error,
    stream::{Answer, Shape},
};
use crate::{
    clock, prompt,
    record::Entry,
    schema,
    script::{Endpoint, Kind, ModelSpec, Question, Respond, canonical},
    tokens,
    wire::{Generation, Message, NUM_CTX_DEFAULT, Refused, integer, keep_alive, parse, refuse},
};

/// Most of a message that a script error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 300;

pub(super) async fn chat(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    run(server, Endpoint::Chat, Shape::Chat, body).await
}

pub(super) async fn generate(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    run(server, Endpoint::Generate, Shape::Generate, body).await
}

/// A request that the server accepts.
struct Accepted {
    request: Generation,
    spec: ModelSpec,
    messages: Vec<Message>,
    keep: Option<Duration>,
    num_ctx: u32,
    num_predict: Option<usize>,
    load: Duration,
}

async fn run(server: Arc<Server>, endpoint: Endpoint, shape: Shape, body: Bytes) -> Response {
    let entry = server.recorder.begin(endpoint, recorded(&body));
    let begin = Instant::now();
    let mut accepted = match accept(&server, &entry, shape, &body).await {
        Ok(accepted) => accepted,
        Err(refusal) => return refused(&entry, &refusal),
    };
    if accepted.messages.is_empty() {
        return load_only(&server, &entry, shape, &accepted);
    }
    let prompt = prompt::fit(std::mem::take(&mut accepted.messages), accepted.num_ctx as usize);
    entry.update(|record| {
        record.prompt_tokens = prompt.tokens as u64;
        record.messages_dropped = prompt.dropped;
    });
    let question = Question {
        endpoint,
        model: &canonical(&accepted.spec.name),
        messages: &prompt.messages,
        has_format: accepted.request.format.is_some(),
    };
    let Some(selected) = server.select(&question) else {
        return script_error(&entry, &no_rule(&question));
    };
    entry.update(|record| record.rule = Some(selected.rule.clone()));
    if let Some(response) = in_place(&entry, &selected.respond).await {
        return response;
    }
    let text = match text(
        &selected.respond,
        &prompt.messages,
        accepted.request.format.as_ref(),
    ) {
        Ok(text) => text,
        Err(reason) => return script_error(&entry, &format!("{}: {reason}", selected.rule)),
    };
    let mut pieces = tokens::split(&text);
    let cut = accepted.num_predict.filter(|max| *max < pieces.len());
    pieces.truncate(cut.unwrap_or(pieces.len()));
    let answer = Answer {
        shape,
        model: accepted.request.model,
        spec_name: accepted.spec.name,
        unload: accepted.keep == Some(Duration::ZERO),
        pieces,
        reason: if cut.is_some() { "length" } else { "stop" },
        prompt_tokens: prompt.tokens,
        begin,
        load: accepted.load,
        respond: selected.respond,
        streamed: accepted.request.stream.unwrap_or(true),
    };
    answer.send(server, entry).await
}

/// Checks a request in the order of the real server, and loads the model.
async fn accept(server: &Server, entry: &Entry, shape: Shape, body: &[u8]) -> Result<Accepted, Refused> {
    let mut request: Generation = parse(body)?;
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
    match spec.kind {
        Kind::Embedding => {
            let what = match shape {
                Shape::Chat => "chat",
                Shape::Generate => "generate",
            };
            return refuse(400, format!("{:?} does not support {what}", request.model));
        }
        Kind::Chat if wants_thinking(request.think.as_ref()) => {
            return refuse(400, format!("{:?} does not support thinking", request.model));
        }
        Kind::Chat | Kind::Thinking => {}
    }
    let messages = match shape {
        Shape::Chat => request.messages.take().unwrap_or_default(),
        Shape::Generate => prompt_messages(&request),
    };
    if messages.is_empty() && keep == Some(Duration::ZERO) {
        return Ok(Accepted {
            request,
            spec,
            messages,
            keep,
            num_ctx: 0,
            num_predict: None,
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
    let num_predict = num_predict.and_then(|tokens| usize::try_from(tokens).ok());
    let begin = Instant::now();
    if !server.models().is_loaded(&spec.name, num_ctx) {
        tokio::time::sleep(Duration::from_millis(spec.load_ms)).await;
        entry.update(|record| record.loaded_model = true);
    }
    // A model that is to go right after the answer must stay for the answer.
    let stay = keep.filter(|keep| !keep.is_zero());
    server.models().load(&spec.name, num_ctx, stay);
    if !messages.is_empty() {
        known_format(&mut request)?;
    }
    Ok(Accepted {
        request,
        spec,
        messages,
        keep,
        num_ctx,
        num_predict,
        load: begin.elapsed(),
    })
}

fn wants_thinking(think: Option<&Value>) -> bool {
    think.is_some_and(|think| *think != Value::Bool(false))
}

fn prompt_messages(request: &Generation) -> Vec<Message> {
    if request.prompt.is_empty() {
        return Vec::new();
    }
    let message = |role: &str, content: &str| Message {
        role: role.to_owned(),
        content: content.to_owned(),
    };
    let system = (!request.system.is_empty()).then(|| message("system", &request.system));
    system
        .into_iter()
        .chain([message("user", &request.prompt)])
        .collect()
}

/// `"json"` or a schema; the empty string is none.
fn known_format(request: &mut Generation) -> Result<(), Refused> {
    match &request.format {
        None | Some(Value::Object(_)) => Ok(()),
        Some(Value::String(text)) if text == "json" => Ok(()),
        Some(Value::String(text)) if text.is_empty() => {
            request.format = None;
            Ok(())
        }
        Some(other) => {
            let message = format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object");
            refuse(500, message)
        }
    }
}

fn load_only(server: &Server, entry: &Entry, shape: Shape, accepted: &Accepted) -> Response {
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
        "model": accepted.request.model,
        "created_at": clock::stamp(Duration::ZERO),
        "done": true,
        "done_reason": reason,
    });
    match shape {
        Shape::Chat => value["message"] = json!({ "role": "assistant", "content": "" }),
        Shape::Generate => value["response"] = "".into(),
    }
    json_response(200, &value)
}

/// The text to send: the scripted answer, or its rest if the request ends with
/// its beginning. Fails if the script breaks what the request asks for.
fn text(respond: &Respond, messages: &[Message], format: Option<&Value>) -> Result<String, String> {
    let text = match (&respond.text, &respond.json) {
        (Some(text), _) => text.clone(),
        (None, Some(json)) => json.to_string(),
        (None, None) => String::new(),
    };
    if let Some(format) = format.filter(|_| !respond.breaks_format) {
        let value: Value =
            serde_json::from_str(&text).map_err(|error| format!("the request asks for JSON: {error}"))?;
        if let Some(violation) = schema::violation(format, &value) {
            return Err(format!(
                "the answer does not follow the request's schema: {violation}"
            ));
        }
    }
    let last = messages.last().filter(|_| !respond.begins_anew);
    match last.filter(|message| message.role == "assistant") {
        None => Ok(text),
        Some(begun) => match text.strip_prefix(&begun.content) {
            Some(rest) => Ok(rest.to_owned()),
            None => Err(format!(
                "the answer does not begin with the request's {:?}",
                quoted(&begun.content)
            )),
        },
    }
}

fn no_rule(question: &Question<'_>) -> String {
    let last = question
        .messages
        .iter()
        .rev()
        .find(|message| message.role == "user");
    let last = last.map_or("", |message| message.content.as_str());
    let format = if question.has_format { "with" } else { "without" };
    format!(
        "no rule fits: {:?}, model {}, {format} format, {} messages, last of the user: {:?}",
        question.endpoint,
        question.model,
        question.messages.len(),
        quoted(last)
    )
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}
