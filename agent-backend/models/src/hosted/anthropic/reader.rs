//! The events of Anthropic's answers. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::reader::{ARGUMENTS_BYTES_MAX, Call, Fault, Next, Reader, Tally, broken, parse, token},
    ANSWER_TOOL, with_thoughts,
};
use crate::{ChatRequest, Chunk, Finish, sse};

/// Reads an answer.
#[derive(Debug, Default)]
pub(in super::super) struct AnthropicReader {
    tally: Tally,
    /// Whether the answer itself comes as a call.
    by_schema: bool,
    /// What was said beside that call: the answer, if the call never comes.
    /// Servers that copy the interface cannot all force a call.
    aside: String,
    has_answered: bool,
    block: Block,
    /// Thoughts since the last call, for the next one; of a request without tools
    /// nobody needs them.
    thoughts: Vec<Value>,
    thought_bytes: usize,
    keeps_thoughts: bool,
}

/// What is being written.
#[derive(Debug, Default)]
enum Block {
    #[default]
    Other,
    Call(Call),
    /// The call that is the answer.
    Answer,
    /// A thought, and what signs it.
    Thought {
        thinking: String,
        signature: String,
    },
    /// A thought that the server does not show.
    Redacted {
        data: String,
    },
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
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        data: String,
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
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
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
    pub(in super::super) fn new(request: &ChatRequest) -> Self {
        Self {
            by_schema: request.format.is_some(),
            keeps_thoughts: !request.tools.is_empty(),
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
            BlockStart::Thinking { thinking, signature } => {
                self.tally.thinking_bytes += thinking.len() as u64;
                self.thought(thinking.len() + signature.len())?;
                Block::Thought { thinking, signature }
            }
            BlockStart::RedactedThinking { data } => {
                self.thought(data.len())?;
                Block::Redacted { data }
            }
            BlockStart::Other => Block::Other,
        };
        Ok(())
    }

    /// So many bytes more of thoughts.
    fn thought(&mut self, bytes: usize) -> Result<(), Fault> {
        self.thought_bytes += bytes;
        if self.keeps_thoughts && self.thought_bytes > ARGUMENTS_BYTES_MAX {
            return Err(broken(format!(
                "it thinks more than {ARGUMENTS_BYTES_MAX} bytes in front of its calls"
            )));
        }
        Ok(())
    }

    /// A block is whole.
    fn end(&mut self, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        let thought = match std::mem::take(&mut self.block) {
            Block::Other | Block::Answer => return Ok(()),
            Block::Call(call) => {
                let mut call = call.whole(self.tally.calls)?;
                if !self.thoughts.is_empty() {
                    call.id = with_thoughts(&call.id, std::mem::take(&mut self.thoughts));
                }
                out.push(Chunk::ToolCall(call));
                return self.tally.one_more_call();
            }
            Block::Thought { thinking, signature } => {
                json!({"type": "thinking", "thinking": thinking, "signature": signature})
            }
            Block::Redacted { data } => json!({"type": "redacted_thinking", "data": data}),
        };
        if self.keeps_thoughts {
            self.thoughts.push(thought);
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<Chunk>) -> Result<(), Fault> {
        match delta {
            Delta::Text { text } => self.text(text, out)?,
            Delta::InputJson { partial_json } => match &mut self.block {
                Block::Call(call) => call.push(&partial_json)?,
                Block::Answer => token(partial_json, out),
                Block::Other | Block::Thought { .. } | Block::Redacted { .. } => {}
            },
            Delta::Thinking { thinking: more } => {
                self.tally.thinking_bytes += more.len() as u64;
                self.thought(more.len())?;
                if let Block::Thought { thinking, .. } = &mut self.block {
                    thinking.push_str(&more);
                }
            }
            Delta::Signature { signature: more } => {
                self.thought(more.len())?;
                if let Block::Thought { signature, .. } = &mut self.block {
                    signature.push_str(&more);
                }
            }
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
            Piece::ContentBlockStop => self.end(out)?,
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
