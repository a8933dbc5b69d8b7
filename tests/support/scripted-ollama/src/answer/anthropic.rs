//! Events of a message, as Anthropic streams them.

use serde_json::{Value, json};

use super::{Encoder, End, Head, Piece, Reason, Said};
use crate::{format::Format, wire::Refused};

/// What signs a block of thinking. Real ones are longer; nobody reads them.
const SIGNATURE: &str = "c2NyaXB0ZWQgdGhpbmtpbmc=";

/// A block of content under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Thinking,
    Text,
    Call(usize),
}

#[derive(Debug)]
pub(super) struct Events {
    head: Head,
    has_begun: bool,
    open: Option<Block>,
    blocks: usize,
}

impl Events {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            has_begun: false,
            open: None,
            blocks: 0,
        }
    }

    fn message(&self, content: &Value, reason: &Value, stop: &Value, output: u64) -> Value {
        json!({
            "id": format!("msg_{:06}", self.head.request),
            "type": "message",
            "role": "assistant",
            "model": self.head.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": stop,
            "usage": self.usage(output),
        })
    }

    fn usage(&self, output: u64) -> Value {
        let mut usage = json!({
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output,
        });
        if let Some(tokens) = self.head.prompt_tokens {
            usage["input_tokens"] = tokens.into();
        }
        usage
    }

    fn call_id(&self, index: usize) -> String {
        format!("toolu_{:06}_{index}", self.head.request)
    }

    fn begin(&mut self) -> String {
        if std::mem::replace(&mut self.has_begun, true) {
            return String::new();
        }
        let message = self.message(&json!([]), &Value::Null, &Value::Null, 1);
        event("message_start", json!({ "message": message }))
    }

    /// Closes the block under way if `block` is another one, and opens that.
    fn enter(&mut self, block: Block) -> String {
        if self.open == Some(block) {
            return String::new();
        }
        let closed = self.close();
        let content = match block {
            Block::Thinking => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            Block::Text => json!({ "type": "text", "text": "" }),
            Block::Call(index) => json!({
                "type": "tool_use",
                "id": self.call_id(index),
                "name": self.head.calls[index].name,
                "input": {},
            }),
        };
        let start = json!({ "index": self.blocks, "content_block": content });
        self.open = Some(block);
        let mut opened = closed + &event("content_block_start", start);
        if self.blocks == 0 {
            opened += &event("ping", json!({}));
        }
        opened
    }

    fn close(&mut self) -> String {
        let Some(block) = self.open.take() else {
            return String::new();
        };
        let index = self.blocks;
        self.blocks += 1;
        let mut closed = String::new();
        if block == Block::Thinking {
            let delta = json!({ "type": "signature_delta", "signature": SIGNATURE });
            closed = event("content_block_delta", json!({ "index": index, "delta": delta }));
        }
        closed + &event("content_block_stop", json!({ "index": index }))
    }

    fn reason<'a>(&'a self, end: &'a End) -> (&'a str, Value) {
        let (reason, stop) = match &end.reason {
            Reason::Stop => ("end_turn", Value::Null),
            Reason::StopSequence(text) => ("stop_sequence", text.as_str().into()),
            Reason::Length => ("max_tokens", Value::Null),
            Reason::Calls => ("tool_use", Value::Null),
            Reason::Refusal | Reason::Blocked => ("refusal", Value::Null),
        };
        (self.head.reason_name.as_deref().unwrap_or(reason), stop)
    }
}

impl Encoder for Events {
    fn content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn piece(&mut self, piece: &Piece) -> String {
        let begin = self.begin();
        let (block, delta) = match piece {
            Piece::Thinking(text) => (
                Block::Thinking,
                json!({ "type": "thinking_delta", "thinking": text }),
            ),
            Piece::Text(text) | Piece::Refusal(text) => {
                (Block::Text, json!({ "type": "text_delta", "text": text }))
            }
            Piece::Call { index, text, .. } => {
                let delta = json!({ "type": "input_json_delta", "partial_json": text });
                (Block::Call(*index), delta)
            }
        };
        let opened = self.enter(block);
        let delta = json!({ "index": self.blocks, "delta": delta });
        begin + &opened + &event("content_block_delta", delta)
    }

    fn end(&mut self, end: &End) -> String {
        let begin = self.begin();
        let closed = self.close();
        let (reason, stop) = self.reason(end);
        let delta = json!({
            "delta": { "stop_reason": reason, "stop_sequence": stop },
            "usage": { "output_tokens": end.thinking + end.said },
        });
        begin + &closed + &event("message_delta", delta) + &self.again(end)
    }

    fn again(&mut self, _end: &End) -> String {
        event("message_stop", json!({}))
    }

    fn line(&mut self, text: &str) -> String {
        format!("event: content_block_delta\ndata: {text}\n\n")
    }

    fn whole(&self, said: &Said, end: &End) -> Value {
        let mut content = Vec::new();
        if !said.thinking.is_empty() {
            content.push(json!({ "type": "thinking", "thinking": said.thinking, "signature": SIGNATURE }));
        }
        for text in [&said.text, &said.refusal] {
            if !text.is_empty() {
                content.push(json!({ "type": "text", "text": text }));
            }
        }
        for (index, (call, (_, is_whole))) in self.head.calls.iter().zip(&said.calls).enumerate() {
            let input = if *is_whole {
                call.arguments.clone()
            } else {
                json!({})
            };
            content.push(
                json!({ "type": "tool_use", "id": self.call_id(index), "name": call.name, "input": input }),
            );
        }
        let (reason, stop) = self.reason(end);
        self.message(&content.into(), &reason.into(), &stop, end.thinking + end.said)
    }

    fn error(&mut self, format: Format, refused: &Refused, request: u64) -> String {
        let error = format.error(refused, request);
        format!("event: error\ndata: {error}\n\n")
    }
}

/// An event whose data repeats its name.
fn event(name: &str, mut data: Value) -> String {
    data["type"] = name.into();
    format!("event: {name}\ndata: {data}\n\n")
}
