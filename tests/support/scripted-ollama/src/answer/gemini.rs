//! Chunks of generated content, as Google streams them: server-sent events, or
//! one JSON array.

use serde_json::{Value, json};

use super::{Encoder, End, Head, Piece, Reason, Said, Variant};

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

    fn response(&self, parts: &[Value], finish: Option<&str>, thinking: u64, said: u64) -> Value {
        let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        let mut usage = json!({});
        if let Some(prompt) = self.head.prompt_tokens {
            usage = json!({ "promptTokenCount": prompt, "totalTokenCount": prompt + thinking + said });
            if finish.is_some() {
                usage["candidatesTokenCount"] = said.into();
                if thinking > 0 {
                    usage["thoughtsTokenCount"] = thinking.into();
                }
            }
        }
        json!({
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": self.head.model,
            "responseId": format!("resp_{:06}", self.head.request),
        })
    }

    fn call(&self, index: usize) -> Value {
        let call = &self.head.calls[index];
        let id = format!("fc_{:06}_{index}", self.head.request);
        json!({ "functionCall": { "id": id, "name": call.name, "args": call.arguments } })
    }

    fn reason<'a>(&'a self, end: &'a End) -> &'a str {
        let reason = match &end.reason {
            Reason::Stop | Reason::StopSequence(_) | Reason::Calls | Reason::Refusal => "STOP",
            Reason::Length => "MAX_TOKENS",
            Reason::Blocked => "SAFETY",
        };
        self.head.reason_name.as_deref().unwrap_or(reason)
    }

    /// The last chunk. A prompt that is blocked has no candidate at all.
    fn last(&self, end: &End, parts: &[Value]) -> Value {
        let mut last = self.response(parts, Some(self.reason(end)), end.thinking, end.said);
        if end.reason == Reason::Blocked && end.said == 0 {
            last["promptFeedback"] = json!({ "blockReason": "SAFETY" });
            if let Some(fields) = last.as_object_mut() {
                fields.remove("candidates");
            }
        }
        last
    }
}

impl Encoder for Chunks {
    fn content_type(&self) -> &'static str {
        match self.head.variant {
            Variant::Array => "application/json; charset=UTF-8",
            Variant::Usual | Variant::Generate => "text/event-stream",
        }
    }

    fn piece(&mut self, piece: &Piece) -> String {
        let part = match piece {
            Piece::Thinking(text) => json!({ "text": text, "thought": true }),
            Piece::Text(text) | Piece::Refusal(text) => json!({ "text": text }),
            Piece::Call { is_last: false, .. } => return String::new(),
            Piece::Call { index, .. } => self.call(*index),
        };
        let chunk = self.response(&[part], None, 0, 0).to_string();
        self.line(&chunk)
    }

    fn end(&mut self, end: &End) -> String {
        let last = self.again(end);
        match self.head.variant {
            Variant::Array => last + "]",
            Variant::Usual | Variant::Generate => last,
        }
    }

    fn again(&mut self, end: &End) -> String {
        let last = self.last(end, &[json!({ "text": "" })]).to_string();
        self.line(&last)
    }

    fn line(&mut self, text: &str) -> String {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match self.head.variant {
            Variant::Array if is_first => format!("[{text}"),
            Variant::Array => format!("\n,\r\n{text}"),
            Variant::Usual | Variant::Generate => format!("data: {text}\r\n\r\n"),
        }
    }

    fn whole(&self, said: &Said, end: &End) -> Value {
        let mut parts = Vec::new();
        if !said.thinking.is_empty() {
            parts.push(json!({ "text": said.thinking, "thought": true }));
        }
        let text = said.text.clone() + &said.refusal;
        let calls = said
            .calls
            .iter()
            .enumerate()
            .filter(|(_, (_, is_whole))| *is_whole);
        let calls: Vec<Value> = calls.map(|(index, _)| self.call(index)).collect();
        if !text.is_empty() || calls.is_empty() {
            parts.push(json!({ "text": text }));
        }
        parts.extend(calls);
        self.last(end, &parts)
    }
}
