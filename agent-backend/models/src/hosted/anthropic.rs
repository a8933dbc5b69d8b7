//! Anthropic's Messages (<https://docs.anthropic.com/en/api/messages>). Pure.
//!
//! An answer that must follow a schema is asked for as the call of a tool that
//! takes just that: every model of theirs can do it, whereas their own
//! structured output is of some models only and refuses parts of JSON Schema.
//! What that call is given is passed on as text.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    adapt::Without,
    reader::{ARGUMENTS_BYTES_MAX, Call, Fault, Next, Reader, Tally, broken, parse, token},
};
use crate::{ChatRequest, Chunk, Finish, Message, Role, sse, tokens_likely};

/// The tool that stands for an answer by a schema.
const ANSWER_TOOL: &str = "answer";

/// Tokens that an answer always gets.
const ANSWER_TOKENS_MIN: u64 = 1024;

/// The body of a call.
pub(super) fn body(model: &str, context_tokens: u32, request: &ChatRequest, without: Without) -> Value {
    let mut body = json!({
        "model": model,
        "messages": messages(&request.messages),
        "stream": true,
        "max_tokens": request.tokens_max.unwrap_or_else(|| tokens_max(model, context_tokens, request)),
    });
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
        let choice = if tools.is_empty() {
            json!({"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": true})
        } else {
            json!({"type": "any"})
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
    if let Some(temperature) = request.temperature.filter(|_| !without.temperature) {
        body["temperature"] = super::decimal(temperature);
    }
    body
}

/// The interface wants a limit in each request: what the model can write, as
/// far as the context has room beside the prompt.
fn tokens_max(model: &str, context_tokens: u32, request: &ChatRequest) -> u32 {
    let most: u64 = if model.contains("claude-3-5") || model.contains("claude-3-7") {
        8192
    } else if model.contains("claude-3") {
        4096
    } else {
        32_000
    };
    let messages: u64 = request.messages.iter().map(|it| tokens_likely(&it.content)).sum();
    let prompt = tokens_likely(&request.system) + messages;
    let room = u64::from(context_tokens).saturating_sub(prompt + prompt / 4);
    u32::try_from(most.min(room).max(ANSWER_TOKENS_MIN)).unwrap_or(u32::MAX)
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
            "tool_use_id": message.tool_call_id,
            "content": message.content,
        });
        return vec![result];
    }
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
    parts.extend(
        message.tool_calls.iter().map(
            |call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}),
        ),
    );
    parts
}

/// Reads an answer.
#[derive(Debug, Default)]
pub(super) struct AnthropicReader {
    tally: Tally,
    /// Whether the answer itself comes as a call.
    by_schema: bool,
    /// What was said beside that call: the answer, if the call never comes.
    /// Servers that copy the interface cannot all force a call.
    aside: String,
    has_answered: bool,
    block: Block,
}

/// What is being written.
#[derive(Debug, Default)]
enum Block {
    #[default]
    Other,
    Call(Call),
    /// The call that is the answer.
    Answer,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        content_block: BlockStart,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    ContentBlockStop,
    MessageDelta {
        delta: Stop,
        #[serde(default)]
        usage: Option<Count>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, and what there may be one day.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Option<Count>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockStart {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Stop {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Count {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

impl AnthropicReader {
    /// A reader of the answer to `request`.
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self {
            by_schema: request.format.is_some(),
            ..Self::default()
        }
    }

    fn count(&mut self, count: &Count) {
        if let Some(input) = count.input_tokens {
            // What came from the cache is counted apart.
            let cached = [count.cache_creation_input_tokens, count.cache_read_input_tokens];
            self.tally.prompt_tokens = Some(input + cached.iter().flatten().sum::<u64>());
        }
        self.tally.generated_tokens = count.output_tokens.unwrap_or(self.tally.generated_tokens);
    }

    fn begin(&mut self, start: BlockStart, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        self.block = match start {
            BlockStart::Text { text } => {
                self.text(text, out)?;
                Block::Other
            }
            BlockStart::ToolUse { name, .. } if self.by_schema && name == ANSWER_TOOL => {
                self.has_answered = true;
                Block::Answer
            }
            BlockStart::ToolUse { id, name } => Block::Call(Call::new(id, name)),
            BlockStart::Other => Block::Other,
        };
        Ok(())
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        match delta {
            Delta::Text { text } => self.text(text, out)?,
            Delta::InputJson { partial_json } => match &mut self.block {
                Block::Call(call) => call.push(&partial_json)?,
                Block::Answer => token(partial_json, out),
                Block::Other => {}
            },
            Delta::Thinking { thinking } => self.tally.thinking_bytes += thinking.len() as u64,
            Delta::Other => {}
        }
        Ok(())
    }

    fn text(&mut self, text: String, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        if !self.by_schema {
            token(text, out);
        } else if self.aside.len() + text.len() > ARGUMENTS_BYTES_MAX {
            return Err(broken(format!(
                "it says more than {ARGUMENTS_BYTES_MAX} bytes in front of its answer"
            )));
        } else {
            self.aside.push_str(&text);
        }
        Ok(())
    }

    fn stop(&mut self, reason: &str, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        let aside = std::mem::take(&mut self.aside);
        if !self.has_answered && self.tally.calls == 0 {
            token(aside, out);
        }
        self.tally.finish = Some(match reason {
            "end_turn" | "stop_sequence" => Finish::Stop,
            "tool_use" if self.tally.calls == 0 => Finish::Stop,
            "tool_use" => Finish::ToolCalls,
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "refusal" => Finish::Refused,
            other => return Err(broken(format!("it ends with the reason {other}"))),
        });
        Ok(())
    }
}

impl Reader for AnthropicReader {
    fn event(&mut self, event: &sse::Event, out: &mut Vec<Chunk>) -> Result<Next, Fault> {
        match parse(&event.data)? {
            Piece::MessageStart { message } => {
                if let Some(count) = message.usage {
                    self.count(&count);
                }
            }
            Piece::ContentBlockStart { content_block } => self.begin(content_block, out)?,
            Piece::ContentBlockDelta { delta } => {
                self.tally.has_begun = true;
                self.delta(delta, out)?;
            }
            Piece::ContentBlockStop => {
                if let Block::Call(call) = std::mem::take(&mut self.block) {
                    out.push(Chunk::ToolCall(call.whole(self.tally.calls)?));
                    self.tally.one_more_call()?;
                }
            }
            Piece::MessageDelta { delta, usage } => {
                if let Some(count) = usage {
                    self.count(&count);
                }
                if let Some(reason) = delta.stop_reason {
                    self.stop(&reason, out)?;
                }
            }
            Piece::MessageStop => return Ok(Next::Over),
            Piece::Error { error } => return Err(Fault::Said(json!({"error": error}))),
            Piece::Other => {}
        }
        Ok(Next::More)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}

#[cfg(test)]
mod tests;
