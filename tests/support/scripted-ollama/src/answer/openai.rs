//! Chunks of a chat completion, as OpenAI streams them.

use serde_json::{Value, json};

use super::{Encoder, End, Head, Piece, Reason, Said};
use crate::clock;

/// The last line of a stream.
const DONE: &str = "[DONE]";

#[derive(Debug)]
pub(super) struct Chunks {
    head: Head,
    has_begun: bool,
}

impl Chunks {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head,
            has_begun: false,
        }
    }

    fn object(&self, kind: &str) -> Value {
        json!({
            "id": format!("chatcmpl-{:06}", self.head.request),
            "object": kind,
            "created": clock::seconds(),
            "model": self.head.model,
        })
    }

    fn chunk(&mut self, delta: &Value, finish_reason: Option<&str>) -> String {
        let mut chunk = self.object("chat.completion.chunk");
        chunk["choices"] =
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason }]);
        if self.head.wants_usage {
            chunk["usage"] = Value::Null;
        }
        self.line(&chunk.to_string())
    }

    /// The chunk in front of all others.
    fn begin(&mut self) -> String {
        if std::mem::replace(&mut self.has_begun, true) {
            return String::new();
        }
        let mut delta = json!({ "role": "assistant", "content": "", "refusal": null });
        if !self.head.calls.is_empty() {
            delta["content"] = Value::Null;
        }
        self.chunk(&delta, None)
    }

    fn call_id(&self, index: usize) -> String {
        format!("call_{:06}_{index}", self.head.request)
    }

    fn reason<'a>(&'a self, end: &'a End) -> &'a str {
        let reason = match &end.reason {
            Reason::Stop | Reason::StopSequence(_) | Reason::Refusal => "stop",
            Reason::Length => "length",
            Reason::Calls => "tool_calls",
            Reason::Blocked => "content_filter",
        };
        self.head.reason_name.as_deref().unwrap_or(reason)
    }

    fn usage(&self, end: &End) -> Value {
        let Some(prompt) = self.head.prompt_tokens else {
            return Value::Null;
        };
        let completion = end.thinking + end.said;
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": { "cached_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": end.thinking },
        })
    }
}

impl Encoder for Chunks {
    fn content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn piece(&mut self, piece: &Piece) -> String {
        let begin = self.begin();
        let delta = match piece {
            Piece::Thinking(text) => json!({ "reasoning_content": text }),
            Piece::Text(text) => json!({ "content": text }),
            Piece::Refusal(text) => json!({ "refusal": text }),
            Piece::Call {
                index,
                text,
                is_first: true,
                ..
            } => json!({ "tool_calls": [{
                "index": index,
                "id": self.call_id(*index),
                "type": "function",
                "function": { "name": self.head.calls[*index].name, "arguments": text },
            }] }),
            Piece::Call { index, text, .. } => {
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] })
            }
        };
        begin + &self.chunk(&delta, None)
    }

    fn end(&mut self, end: &End) -> String {
        let begin = self.begin();
        let reason = self.reason(end).to_owned();
        let last = self.chunk(&json!({}), Some(&reason));
        let mut usage = String::new();
        if self.head.wants_usage {
            let mut chunk = self.object("chat.completion.chunk");
            chunk["choices"] = json!([]);
            chunk["usage"] = self.usage(end);
            usage = self.line(&chunk.to_string());
        }
        begin + &last + &usage + &self.line(DONE)
    }

    fn again(&mut self, _end: &End) -> String {
        self.line(DONE)
    }

    fn line(&mut self, text: &str) -> String {
        format!("data: {text}\n\n")
    }

    fn whole(&self, said: &Said, end: &End) -> Value {
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let mut message = json!({
            "role": "assistant",
            "content": said.text,
            "refusal": text(&said.refusal),
            "annotations": [],
        });
        if !said.thinking.is_empty() {
            message["reasoning_content"] = said.thinking.as_str().into();
        }
        if !said.calls.is_empty() || !said.refusal.is_empty() {
            message["content"] = text(&said.text);
        }
        if !said.calls.is_empty() {
            let calls = self.head.calls.iter().zip(&said.calls).enumerate();
            let calls = calls.map(|(index, (call, (arguments, _)))| {
                json!({
                    "id": self.call_id(index),
                    "type": "function",
                    "function": { "name": call.name, "arguments": arguments },
                })
            });
            message["tool_calls"] = calls.collect();
        }
        let mut whole = self.object("chat.completion");
        whole["choices"] = json!([{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": self.reason(end),
        }]);
        whole["usage"] = self.usage(end);
        whole
    }
}
