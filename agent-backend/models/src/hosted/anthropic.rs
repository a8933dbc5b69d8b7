//! Anthropic's Messages (<https://docs.anthropic.com/en/api/messages>). Pure.
//!
//! An answer that must follow a schema is asked for as the call of a tool that
//! takes just that: every model of theirs can do it, whereas their own
//! structured output is of some models only and refuses parts of JSON Schema.
//! What that call is given is passed on as text. While it thinks, a model cannot
//! be held to a call, and is asked for it.
//!
//! Thoughts that led to a call go back with its answer, as the interface wants it:
//! [`super::signed`].

mod reader;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use super::{Asked, signed, thinking::Wish};
use crate::{ChatRequest, Message, Role, tokens_likely};
pub(super) use reader::AnthropicReader;

/// The tool that stands for an answer by a schema.
const ANSWER_TOOL: &str = "answer";

/// Tokens that an answer always gets.
const ANSWER_TOKENS_MIN: u32 = 1024;

/// Fewest tokens that the interface takes for thoughts.
const THOUGHT_TOKENS_MIN: u32 = 1024;

/// The body of a call.
pub(super) fn body(model: &str, context_tokens: u32, asked: &Asked<'_>) -> Value {
    let Asked {
        request,
        tokens_max,
        without,
        ..
    } = *asked;
    let answer = request.tokens_max.unwrap_or(ANSWER_TOKENS_MIN);
    let mut tokens_max = match tokens_max {
        Some(tokens_max) => tokens_max.min(most(model)).max(answer),
        None => room(model, context_tokens, request),
    };
    let wish = wish(asked);
    let thinks = match wish {
        Wish::Unsaid | Wish::Off => false,
        Wish::Level(_) | Wish::Tokens(_) => true,
    };
    let mut body = json!({
        "model": model,
        "messages": messages(&request.messages),
        "stream": true,
    });
    match wish {
        Wish::Unsaid => {}
        Wish::Off => body["thinking"] = json!({"type": "disabled"}),
        Wish::Level(level) => {
            body["thinking"] = json!({"type": "adaptive"});
            body["output_config"] = json!({"effort": level.name()});
        }
        Wish::Tokens(level) => {
            let room = tokens_max.saturating_sub(answer);
            let tokens = level.tokens().min(room).max(THOUGHT_TOKENS_MIN);
            tokens_max = tokens_max.max(tokens.saturating_add(answer));
            body["thinking"] = json!({"type": "enabled", "budget_tokens": tokens});
        }
    }
    body["max_tokens"] = json!(tokens_max);
    if !request.system.is_empty() {
        body["system"] = json!(request.system);
    }
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.parameters,
            })
        })
        .collect();
    if let Some(schema) = &request.format {
        let choice = match (tools.is_empty(), thinks) {
            (true, false) => json!({"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": true}),
            (true, true) => json!({"type": "auto", "disable_parallel_tool_use": true}),
            (false, false) => json!({"type": "any"}),
            (false, true) => json!({"type": "auto"}),
        };
        tools.push(json!({
            "name": ANSWER_TOOL,
            "description": "Gives the answer.",
            "input_schema": schema,
        }));
        body["tool_choice"] = choice;
    }
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    // A model that thinks takes none.
    if let Some(temperature) = request.temperature.filter(|_| !without.temperature && !thinks) {
        body["temperature"] = super::decimal(temperature);
    }
    body
}

/// What is said of thinking. With a beginning to go on with there is none.
fn wish(asked: &Asked<'_>) -> Wish {
    let last = asked.request.messages.last();
    match asked.wish {
        Wish::Level(_) | Wish::Tokens(_) if last.is_some_and(|last| last.role == Role::Assistant) => {
            Wish::Unsaid
        }
        Wish::Unsaid | Wish::Off | Wish::Level(_) | Wish::Tokens(_) => asked.wish,
    }
}

/// Most tokens that a model writes.
fn most(model: &str) -> u32 {
    if model.contains("claude-3-5") || model.contains("claude-3-7") {
        8192
    } else if model.contains("claude-3") {
        4096
    } else {
        32_000
    }
}

/// The interface wants a limit in each request: what the model can write, as
/// far as the context has room beside the prompt.
fn room(model: &str, context_tokens: u32, request: &ChatRequest) -> u32 {
    let messages: u64 = request.messages.iter().map(|it| tokens_likely(&it.content)).sum();
    let prompt = tokens_likely(&request.system) + messages;
    let room = u64::from(context_tokens).saturating_sub(prompt + prompt / 4);
    let room = u32::try_from(room).unwrap_or(u32::MAX);
    most(model).min(room).max(ANSWER_TOKENS_MIN)
}

/// The turns, alternating: two messages of one side are one turn here.
fn messages(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<Value>)> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = match message.role {
            Role::System | Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let parts = parts(message, at + 1 == messages.len());
        match turns.last_mut() {
            Some((last, all)) if *last == role => all.extend(parts),
            _ => turns.push((role, parts)),
        }
    }
    turns
        .into_iter()
        .filter(|(_, parts)| !parts.is_empty())
        .map(|(role, parts)| json!({"role": role, "content": parts}))
        .collect()
}

fn parts(message: &Message, is_last: bool) -> Vec<Value> {
    let mut parts = Vec::new();
    if message.role == Role::Tool {
        let result = json!({
            "type": "tool_result",
            "tool_use_id": message.tool_call_id.as_deref().map(|id| signed::split(id).0),
            "content": message.content,
        });
        return vec![result];
    }
    let mut calls = message.tool_calls.iter().map(|call| {
        let (id, behind) = signed::split(&call.id);
        let thoughts = behind.and_then(thoughts).unwrap_or_default();
        let part = json!({"type": "tool_use", "id": id, "name": call.name, "input": call.arguments});
        (thoughts, part)
    });
    // A turn of a model that thinks begins with a thought.
    let first = calls.next();
    let (begin, first) = first.map_or((Vec::new(), None), |(thoughts, part)| (thoughts, Some(part)));
    parts.extend(begin);
    parts.extend(message.images.iter().map(|image| {
        let data = BASE64_STANDARD.encode(&image.bytes);
        json!({"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": data}})
    }));
    // A beginning for the model must not end in blanks.
    let text = if is_last && message.role == Role::Assistant {
        message.content.trim_end()
    } else {
        message.content.as_str()
    };
    if !text.trim().is_empty() {
        parts.push(json!({"type": "text", "text": text}));
    }
    parts.extend(first);
    for (thoughts, part) in calls {
        parts.extend(thoughts);
        parts.push(part);
    }
    parts
}

/// The id of a call with the blocks of thoughts that led to it.
fn with_thoughts(id: &str, thoughts: Vec<Value>) -> String {
    signed::join(
        id,
        &BASE64_URL_SAFE_NO_PAD.encode(Value::Array(thoughts).to_string()),
    )
}

/// The blocks of thoughts behind the id of a call; none where another server put
/// something else there.
fn thoughts(behind: &str) -> Option<Vec<Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(behind).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests;
