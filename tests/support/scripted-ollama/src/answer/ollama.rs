//! Lines of JSON, as `/api/chat` and `/api/generate` send them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, Encoder, End, Head, Piece, Reason, Said, Variant};
use crate::clock;

#[derive(Debug)]
pub(super) struct Lines {
    head: Head,
}

impl Lines {
    pub(super) fn new(head: Head) -> Self {
        Self { head }
    }

    /// A line with nothing in it.
    fn blank(&self) -> Value {
        let mut line = json!({
            "model": self.head.model,
            "created_at": clock::stamp(Duration::ZERO),
            "done": false,
        });
        match self.head.variant {
            Variant::Usual | Variant::Array => {
                line["message"] = json!({ "role": "assistant", "content": "" })
            }
            Variant::Generate => line["response"] = "".into(),
        }
        line
    }

    fn fill(&self, line: &mut Value, text: &str, thinking: &str) {
        let (place, key) = match self.head.variant {
            Variant::Usual | Variant::Array => (&mut line["message"], "content"),
            Variant::Generate => (line, "response"),
        };
        place[key] = text.into();
        if !thinking.is_empty() {
            place["thinking"] = thinking.into();
        }
    }

    fn done(&self, mut line: Value, end: &End) -> Value {
        let reason = match &end.reason {
            Reason::Length => "length",
            Reason::Stop | Reason::StopSequence(_) | Reason::Calls | Reason::Refusal | Reason::Blocked => {
                "stop"
            }
        };
        line["done"] = true.into();
        if !self.head.is_old {
            line["done_reason"] = self.head.reason_name.as_deref().unwrap_or(reason).into();
        }
        line["total_duration"] = nanos(end.spent.all);
        line["load_duration"] = nanos(end.spent.load);
        if let Some(tokens) = self.head.prompt_tokens {
            line["prompt_eval_count"] = tokens.into();
        }
        line["prompt_eval_duration"] = nanos(end.spent.prompt);
        line["eval_count"] = (end.thinking + end.said).into();
        line["eval_duration"] = nanos(end.spent.generation);
        if self.head.variant == Variant::Generate {
            line["context"] = json!([1, 2, 3]);
        }
        line
    }
}

impl Encoder for Lines {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn piece(&mut self, piece: &Piece) -> String {
        let mut line = self.blank();
        match piece {
            Piece::Thinking(text) => self.fill(&mut line, "", text),
            Piece::Text(text) | Piece::Refusal(text) => self.fill(&mut line, text, ""),
            Piece::Call { is_last: false, .. } => return String::new(),
            Piece::Call { index, .. } => {
                line["message"]["tool_calls"] = json!([call(&self.head.calls[*index])])
            }
        }
        self.line(&line.to_string())
    }

    fn end(&mut self, end: &End) -> String {
        let line = self.done(self.blank(), end).to_string();
        self.line(&line)
    }

    fn again(&mut self, end: &End) -> String {
        self.end(end)
    }

    fn line(&mut self, text: &str) -> String {
        format!("{text}\n")
    }

    fn whole(&self, said: &Said, end: &End) -> Value {
        let mut line = self.blank();
        self.fill(&mut line, &(said.text.clone() + &said.refusal), &said.thinking);
        let calls = self
            .head
            .calls
            .iter()
            .zip(&said.calls)
            .filter(|(_, (_, is_whole))| *is_whole);
        let calls: Vec<Value> = calls.map(|(one, _)| call(one)).collect();
        if !calls.is_empty() {
            line["message"]["tool_calls"] = calls.into();
        }
        self.done(line, end)
    }
}

fn call(call: &Call) -> Value {
    json!({ "function": { "name": call.name, "arguments": call.arguments } })
}

fn nanos(duration: Duration) -> Value {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).into()
}
