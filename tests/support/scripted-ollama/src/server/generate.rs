//! From a request that is accepted to an answer that is ready to be sent, in
//! whatever format: the rule, its text, and what the request allows of it.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Server, in_place, replayed, script_error,
    stream::{Answer, Course},
};
use crate::{
    answer::{Call, Head, Piece, Reason, Variant, encoder},
    fault::Effects,
    format::Format,
    prompt::{self, Prompt},
    record::Entry,
    schema,
    script::{Counting, Endpoint, ModelSpec, Question, Respond, canonical},
    tokens,
    wire::{Asked, Choice, Message, Output},
};

/// Most of a message that a script error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 300;

/// A request that the server accepts; its messages are in the prompt.
pub(super) struct Ready {
    pub(super) endpoint: Endpoint,
    pub(super) variant: Variant,
    pub(super) asked: Asked,
    pub(super) spec: ModelSpec,
    pub(super) prompt: Prompt,
    /// Whether the model goes right after the answer.
    pub(super) unload: bool,
    pub(super) begin: Instant,
    pub(super) load: Duration,
}

pub(super) async fn answer(server: Arc<Server>, entry: Entry, ready: Ready) -> Response {
    let Ready { asked, prompt, .. } = ready;
    entry.update(|record| record.images = asked.images);
    seen(&entry, &prompt);
    let question = Question {
        endpoint: ready.endpoint,
        path: &entry.path(),
        streamed: asked.streamed,
        model: &canonical(&ready.spec.name),
        messages: &prompt.messages,
        has_format: asked.has_format(),
    };
    let (call, seeded) = server.next_call();
    let counting = match &seeded {
        Some(fault) if fault.spoils_the_call() => Counting::Passes,
        None | Some(_) => Counting::Counts,
    };
    let Some(selected) = server.select(&question, counting) else {
        return script_error(&entry, &no_rule(&question));
    };
    let respond = selected.respond;
    let said = said(&respond, entry.format, &prompt.messages, &asked);
    let mut faults = server.faults.clone();
    // A fault of the seed happens however short the answer is.
    let length = said.as_ref().map_or(0, |said| said.pieces.len());
    faults.extend(seeded.map(|fault| fault.within(length)));
    faults.extend(respond.faults());
    let effects = Effects::of(&faults);
    entry.update(|record| {
        record.rule = Some(selected.rule.clone());
        record.call = Some(call);
        record.faults = faults;
    });
    if let Some(response) = in_place(&entry, &effects.before).await {
        return response;
    }
    if let Some(exchange) = selected.exchange {
        let method = ready.endpoint.method();
        return replayed::send(entry, method, &exchange, &prompt.messages, effects.damage).await;
    }
    let said = match said {
        Ok(said) => said,
        Err(reason) => return script_error(&entry, &format!("{}: {reason}", selected.rule)),
    };
    let prompt = match effects.num_ctx {
        Some(num_ctx) => shrunk(&server, &entry, &ready.spec.name, prompt, num_ctx),
        None => prompt,
    };
    if let Some(other) = &effects.model {
        server.models().swap(&ready.spec.name, other);
    }
    let told = match effects.prompt_count {
        Some(count) => count.tokens,
        None => Some(prompt.tokens as u64),
    };
    let head = Head {
        request: entry.id,
        model: effects.model.clone().unwrap_or(asked.model),
        calls: said.calls,
        prompt_tokens: told,
        wants_usage: asked.wants_usage,
        reason_name: respond.done_reason,
        is_old: effects.is_old,
        variant: ready.variant,
    };
    let answer = Answer {
        encoder: encoder(entry.format, head),
        streamed: asked.streamed,
        course: Course {
            spec_name: ready.spec.name,
            unload: ready.unload,
            thinking: said.thinking,
            pieces: said.pieces,
            reason: said.reason,
            begin: ready.begin,
            load: ready.load,
            effects,
        },
    };
    answer.send(server, entry).await
}

/// Records what the model sees.
fn seen(entry: &Entry, prompt: &Prompt) {
    entry.update(|record| {
        record.prompt_tokens = prompt.tokens as u64;
        record.messages_dropped += prompt.dropped;
    });
}

/// The prompt that is left if the context is smaller than was asked for.
fn shrunk(server: &Server, entry: &Entry, model: &str, prompt: Prompt, num_ctx: u32) -> Prompt {
    server.models().shrink(model, num_ctx);
    if prompt.tokens <= num_ctx as usize {
        return prompt;
    }
    let prompt = prompt::fit(prompt.messages, num_ctx as usize);
    seen(entry, &prompt);
    prompt
}

/// What the model says, and why it stops.
struct Said {
    /// How many of the pieces are thinking; they come first.
    thinking: usize,
    pieces: Vec<Piece>,
    calls: Vec<Call>,
    reason: Reason,
}

/// The scripted answer within what the request allows. Fails if the script
/// breaks what the request asks for.
fn said(respond: &Respond, format: Format, messages: &[Message], asked: &Asked) -> Result<Said, String> {
    let mut calls = calls(respond, asked)?;
    // The one tool that must be called takes what the script says.
    let mut text = if calls.is_empty() || !respond.tool_calls.is_empty() {
        text(respond, messages, asked)?
    } else {
        String::new()
    };
    let mut reason = match (&respond.refusal, calls.is_empty()) {
        (Some(_), _) => Reason::Refusal,
        (None, true) => Reason::Stop,
        (None, false) => Reason::Calls,
    };
    let stops = asked.stops.iter().filter(|stop| !stop.is_empty());
    let stop = stops
        .filter_map(|stop| Some((text.find(stop.as_str())?, stop)))
        .min();
    if let Some((at, stop)) = stop {
        text.truncate(at);
        calls.clear();
        reason = Reason::StopSequence(stop.clone());
    }
    let wrap = match respond.refusal {
        Some(_) => Piece::Refusal,
        None => Piece::Text,
    };
    let mut pieces: Vec<Piece> = tokens::split(&text).into_iter().map(wrap).collect();
    for (index, call) in calls.iter().enumerate() {
        let parts = tokens::split(&call.arguments.to_string());
        let last = parts.len().saturating_sub(1);
        pieces.extend(parts.into_iter().enumerate().map(|(place, text)| Piece::Call {
            index,
            text,
            is_first: place == 0,
            is_last: place == last,
        }));
    }
    if let Some(limit) = asked.limit.filter(|limit| *limit < pieces.len()) {
        pieces.truncate(limit);
        reason = Reason::Length;
    }
    if let Some(after) = respond.blocked_after_tokens {
        if format == Format::Ollama {
            return Err("Ollama has no filter that blocks an answer".to_owned());
        }
        pieces.truncate(after);
        reason = Reason::Blocked;
    }
    let thinking = respond.thinking.as_deref().filter(|_| asked.shows_thinking);
    let thinking = thinking.map(tokens::split).unwrap_or_default();
    Ok(Said {
        thinking: thinking.len(),
        pieces: thinking.into_iter().map(Piece::Thinking).chain(pieces).collect(),
        calls,
        reason,
    })
}

/// The calls of the answer. JSON is a call of the one tool that must be called.
/// Fails if a call is not as the request allows.
fn calls(respond: &Respond, asked: &Asked) -> Result<Vec<Call>, String> {
    let mut calls: Vec<Call> = respond
        .tool_calls
        .iter()
        .map(|call| Call {
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        })
        .collect();
    if respond.breaks_format || respond.refusal.is_some() {
        return Ok(calls);
    }
    match &asked.choice {
        Choice::Free => {}
        Choice::Any if calls.is_empty() => {
            return Err("the request wants a tool to be called, the answer calls none".to_owned());
        }
        Choice::Any => {}
        Choice::Tool(name) => {
            let text = respond.text.as_deref();
            let parsed = text.and_then(|text| serde_json::from_str(text).ok());
            let json = respond.json.clone().or(parsed);
            if let Some(arguments) = json.filter(|_| calls.is_empty()) {
                calls.push(Call {
                    name: name.clone(),
                    arguments,
                });
            }
            if calls.is_empty() || calls.iter().any(|call| call.name != *name) {
                return Err(format!(
                    "the request wants the tool {name:?} to be called, and nothing else"
                ));
            }
        }
    }
    for Call { name, arguments } in &calls {
        let Some(tool) = asked.tools.iter().find(|tool| tool.name == *name) else {
            return Err(format!(
                "the answer calls the tool {name:?}, which the request does not offer"
            ));
        };
        let schema = tool.arguments.as_ref();
        if let Some(violation) = schema.and_then(|schema| schema::violation(schema, arguments)) {
            return Err(format!(
                "the arguments of the tool {name:?} do not follow its schema: {violation}"
            ));
        }
    }
    Ok(calls)
}

/// The text to send: the scripted answer, or its rest if the request ends with
/// its beginning.
fn text(respond: &Respond, messages: &[Message], asked: &Asked) -> Result<String, String> {
    if let Some(refusal) = &respond.refusal {
        return Ok(refusal.clone());
    }
    let text = match (&respond.text, &respond.json) {
        (Some(text), _) => text.clone(),
        (None, Some(json)) => json.to_string(),
        (None, None) => String::new(),
    };
    let is_free = respond.breaks_format || !respond.tool_calls.is_empty();
    if let Some(output) = asked.output.as_ref().filter(|_| !is_free) {
        let value: Value =
            serde_json::from_str(&text).map_err(|error| format!("the request asks for JSON: {error}"))?;
        if let Output::Schema(schema) = output
            && let Some(violation) = schema::violation(schema, &value)
        {
            return Err(format!(
                "the answer does not follow the request's schema: {violation}"
            ));
        }
    }
    let last = messages.last().filter(|_| asked.goes_on && !respond.begins_anew);
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
