//! OpenAI's chat completions (<https://platform.openai.com/docs/api-reference/chat>)
//! as its own servers and those that copy them speak it. Pure.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Asked,
    reader::{CALLS_MAX, Call, Fault, Next, Reader, Tally, broken, parse, token, too_many_calls},
    signed,
    thinking::Wish,
};
use crate::{Chunk, Finish, Message, Role, sse};

/// The event that ends a stream.
const DONE: &str = "[DONE]";

/// The body of a call.
pub(super) fn body(model: &str, asked: &Asked<'_>) -> Value {
    let Asked {
        request,
        tokens_max,
        wish,
        without,
    } = *asked;
    let mut messages = Vec::with_capacity(request.messages.len() + 1);
    if !request.system.is_empty() {
        messages.push(json!({"role": "system", "content": request.system}));
    }
    messages.extend(request.messages.iter().map(message));
    let mut body = json!({"model": model, "messages": messages, "stream": true});
    if !without.stream_options {
        body["stream_options"] = json!({"include_usage": true});
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let function = json!({
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            });
            json!({"type": "function", "function": function})
        });
        body["tools"] = tools.collect();
    }
    if let Some(schema) = &request.format {
        if !without.json_schema {
            let format = json!({"name": "answer", "strict": is_strict(schema), "schema": schema});
            body["response_format"] = json!({"type": "json_schema", "json_schema": format});
        } else if !without.json_object {
            body["response_format"] = json!({"type": "json_object"});
        }
    }
    if let Some(temperature) = request.temperature.filter(|_| !without.temperature) {
        body["temperature"] = super::decimal(temperature);
    }
    if let Some(tokens_max) = tokens_max {
        let name = if without.max_tokens {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        body[name] = json!(tokens_max);
    }
    if let Some(seed) = request.seed.filter(|_| !without.seed) {
        body["seed"] = json!(seed);
    }
    match wish {
        // The interface counts no tokens of thoughts.
        Wish::Unsaid | Wish::Tokens(_) => {}
        Wish::Off => body["reasoning_effort"] = json!("none"),
        Wish::Level(level) => body["reasoning_effort"] = json!(level.name()),
    }
    body
}

fn message(message: &Message) -> Value {
    let text = &message.content;
    match message.role {
        Role::System => json!({"role": "system", "content": text}),
        Role::User if message.images.is_empty() => json!({"role": "user", "content": text}),
        Role::User => {
            let mut parts = vec![json!({"type": "text", "text": text})];
            parts.extend(message.images.iter().map(|image| {
                let data = BASE64_STANDARD.encode(&image.bytes);
                let url = format!("data:{};base64,{data}", image.media_type);
                json!({"type": "image_url", "image_url": {"url": url}})
            }));
            json!({"role": "user", "content": parts})
        }
        Role::Assistant if message.tool_calls.is_empty() => json!({"role": "assistant", "content": text}),
        Role::Assistant => {
            let calls: Vec<Value> = message
                .tool_calls
                .iter()
                .map(|call| {
                    let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
                    json!({"id": signed::split(&call.id).0, "type": "function", "function": function})
                })
                .collect();
            let content = (!text.is_empty()).then_some(text);
            json!({"role": "assistant", "content": content, "tool_calls": calls})
        }
        Role::Tool => {
            let id = message.tool_call_id.as_deref().map(|id| signed::split(id).0);
            json!({"role": "tool", "tool_call_id": id, "content": text})
        }
    }
}

/// Whether a schema keeps the rules of strict mode: every object is closed and
/// requires all it has.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => is_closed(map) && map.values().all(is_strict),
        Value::Array(values) => values.iter().all(is_strict),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn is_closed(map: &Map<String, Value>) -> bool {
    if map.get("type").and_then(Value::as_str) != Some("object") {
        return true;
    }
    let properties = map.get("properties").and_then(Value::as_object);
    let required = map.get("required").and_then(Value::as_array);
    map.get("additionalProperties") == Some(&Value::Bool(false))
        && properties.is_some_and(|properties| {
            properties.keys().all(|name| {
                required.is_some_and(|required| required.iter().any(|it| it.as_str() == Some(name)))
            })
        })
}

/// Reads an answer.
#[derive(Debug, Default)]
pub(super) struct OpenAiReader {
    tally: Tally,
    calls: Vec<(Option<u64>, Call)>,
    refused: bool,
}

#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Count>,
    /// Where Groq puts it.
    #[serde(default)]
    x_groq: Option<Groq>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
    /// Of DeepSeek, vLLM, llama.cpp.
    #[serde(default)]
    reasoning_content: Option<String>,
    /// Of OpenRouter, Groq, Ollama.
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<CallPiece>>,
}

/// A text; Mistral's thinking models send parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<Value>,
}

#[derive(Deserialize)]
struct CallPiece {
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: FunctionPiece,
}

#[derive(Deserialize, Default)]
struct FunctionPiece {
    #[serde(default)]
    name: Option<String>,
    /// A piece of text; some servers send the object itself, whole.
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Groq {
    #[serde(default)]
    usage: Option<Count>,
}

#[derive(Deserialize)]
struct Count {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

impl Reader for OpenAiReader {
    fn event(&mut self, event: &sse::Event, out: &mut Vec<Chunk>) -> Result<Next, Fault> {
        if event.data.trim() == DONE {
            return Ok(Next::Over);
        }
        let piece: Piece = parse(&event.data)?;
        if let Some(error) = piece.error.filter(|error| !error.is_null()) {
            return Err(Fault::Said(json!({"error": error})));
        }
        if let Some(count) = piece.usage.or_else(|| piece.x_groq?.usage) {
            self.tally.prompt_tokens = count.prompt_tokens.or(self.tally.prompt_tokens);
            self.tally.generated_tokens = count.completion_tokens.unwrap_or(self.tally.generated_tokens);
        }
        let Some(choice) = piece.choices.into_iter().next() else {
            return Ok(Next::More);
        };
        self.delta(choice.delta.unwrap_or_default(), out)?;
        self.tally.has_begun |= !out.is_empty() || self.tally.thinking_bytes > 0 || !self.calls.is_empty();
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish(&reason, out)?;
        }
        Ok(Next::More)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl OpenAiReader {
    fn delta(&mut self, delta: Delta, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        for thinking in [delta.reasoning_content, delta.reasoning].into_iter().flatten() {
            self.tally.thinking_bytes += thinking.len() as u64;
        }
        match delta.content {
            Some(Content::Text(text)) => token(text, out),
            Some(Content::Parts(parts)) => {
                for part in parts {
                    self.tally.thinking_bytes += part.thinking.map_or(0, |it| it.to_string().len() as u64);
                    token(part.text.unwrap_or_default(), out);
                }
            }
            None => {}
        }
        if let Some(words) = delta.refusal.filter(|words| !words.is_empty()) {
            self.refused = true;
            token(words, out);
        }
        for piece in delta.tool_calls.unwrap_or_default() {
            self.call(piece)?;
        }
        Ok(())
    }

    fn call(&mut self, piece: CallPiece) -> Result<(), Fault> {
        let id = piece.id.unwrap_or_default();
        let at =
            match piece.index {
                Some(index) => self.calls.iter().position(|(known, _)| *known == Some(index)),
                // Without numbers a new id begins a new call.
                None => self.calls.len().checked_sub(1).filter(|last| {
                    id.is_empty() || self.calls.get(*last).is_some_and(|(_, call)| call.id == id)
                }),
            };
        let at = at.unwrap_or(self.calls.len());
        if at >= CALLS_MAX {
            return Err(too_many_calls());
        }
        if at == self.calls.len() {
            self.calls.push((piece.index, Call::default()));
        }
        let Some((_, call)) = self.calls.get_mut(at) else {
            return Ok(());
        };
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name.is_empty() {
            call.name = piece.function.name.unwrap_or_default();
        }
        match piece.function.arguments {
            Some(Value::String(text)) => call.push(&text),
            Some(Value::Null) | None => Ok(()),
            Some(whole) => call.push(&whole.to_string()),
        }
    }

    fn finish(&mut self, reason: &str, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        let finish = match reason {
            "stop" | "eos" | "tool_calls" | "function_call" => Finish::Stop,
            "length" | "max_tokens" => Finish::Length,
            "content_filter" => Finish::Refused,
            other => return Err(broken(format!("it ends with the reason {other}"))),
        };
        // A call that a limit cut is none; that the answer was cut is said.
        if finish == Finish::Stop {
            for (_, call) in std::mem::take(&mut self.calls) {
                out.push(Chunk::ToolCall(call.whole(self.tally.calls)?));
                self.tally.calls += 1;
            }
        }
        // Servers that copy the interface say `stop` after calls, too.
        self.tally.finish = Some(match finish {
            Finish::Stop if self.refused => Finish::Refused,
            Finish::Stop if self.tally.calls > 0 => Finish::ToolCalls,
            Finish::Stop | Finish::Length | Finish::ToolCalls | Finish::Refused => finish,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
