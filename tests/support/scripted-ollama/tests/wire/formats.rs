//! The same question in every format, for what must hold in all of them.

use futures::StreamExt;
use reqwest::Response;
use scripted_ollama::{Format, ScriptedOllama};
use serde_json::{Value, json};

use super::{MODEL, post_with};

pub(crate) const ALL: [Format; 4] = [Format::Ollama, Format::OpenAi, Format::Anthropic, Format::Gemini];

/// Asks for an answer that is streamed.
pub(crate) async fn ask(server: &ScriptedOllama, format: Format, content: &str) -> Response {
    send(server, format, content, true).await
}

/// Asks for an answer in one piece.
pub(crate) async fn ask_whole(server: &ScriptedOllama, format: Format, content: &str) -> Response {
    send(server, format, content, false).await
}

async fn send(server: &ScriptedOllama, format: Format, content: &str, stream: bool) -> Response {
    let (path, headers, body) = request(format, content, stream);
    post_with(server, &path, headers, body).await
}

type Headers = &'static [(&'static str, &'static str)];

pub(crate) fn request(format: Format, content: &str, stream: bool) -> (String, Headers, Value) {
    let messages = json!([{"role": "user", "content": content}]);
    let body = json!({"model": MODEL, "stream": stream, "messages": messages});
    match format {
        Format::Ollama => ("/api/chat".to_owned(), &[], body),
        Format::OpenAi => {
            let mut body = body;
            if stream {
                body["stream_options"] = json!({"include_usage": true});
            }
            ("/v1/chat/completions".to_owned(), &[], body)
        }
        Format::Anthropic => {
            let mut body = body;
            body["max_tokens"] = json!(1000);
            let headers = &[("x-api-key", "any"), ("anthropic-version", "2023-06-01")];
            ("/v1/messages".to_owned(), headers, body)
        }
        Format::Gemini => {
            let method = if stream {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            let body = json!({"contents": [{"role": "user", "parts": [{"text": content}]}]});
            (
                format!("/v1beta/models/{MODEL}:{method}"),
                &[("x-goog-api-key", "any")],
                body,
            )
        }
    }
}

/// What came back, as far as it came.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) status: u16,
    pub(crate) writes: Vec<Vec<u8>>,
    pub(crate) broke: bool,
}

pub(crate) async fn read(response: Response) -> Read {
    let status = response.status().as_u16();
    let mut stream = response.bytes_stream();
    let (mut writes, mut broke) = (Vec::new(), false);
    while let Some(write) = stream.next().await {
        match write {
            Ok(write) => writes.push(write.to_vec()),
            Err(_) => broke = true,
        }
    }
    Read {
        status,
        writes,
        broke,
    }
}

impl Read {
    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.writes.concat()).into_owned()
    }

    /// The JSON in it, line by line.
    fn values(&self) -> Vec<Value> {
        let body = self.body();
        let lines = body
            .lines()
            .map(|line| line.strip_prefix("data: ").unwrap_or(line));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The text of the answer.
    pub(crate) fn text(&self) -> String {
        let places = [
            "/message/content",
            "/choices/0/delta/content",
            "/choices/0/message/content",
            "/delta/text",
            "/content/0/text",
            "/candidates/0/content/parts/0/text",
        ];
        let of = |value: Value| {
            places
                .iter()
                .find_map(|place| value.pointer(place)?.as_str().map(str::to_owned))
        };
        self.values().into_iter().filter_map(of).collect()
    }

    /// How often the end is told.
    pub(crate) fn ends(&self, format: Format) -> usize {
        let mark = match format {
            Format::Ollama => "\"done\":true",
            Format::OpenAi => "data: [DONE]",
            Format::Anthropic => "event: message_stop",
            Format::Gemini => "\"finishReason\"",
        };
        self.body().matches(mark).count()
    }

    /// The models that the answer names.
    pub(crate) fn models(&self) -> Vec<String> {
        let places = ["/model", "/message/model", "/modelVersion"];
        let of = |value: Value| {
            places
                .iter()
                .find_map(|place| value.pointer(place)?.as_str().map(str::to_owned))
        };
        let mut models: Vec<String> = self.values().into_iter().filter_map(of).collect();
        models.dedup();
        models
    }

    /// The counts of the prompt that the answer tells.
    pub(crate) fn prompt_tokens(&self) -> Vec<u64> {
        let places = [
            "/prompt_eval_count",
            "/usage/prompt_tokens",
            "/usage/input_tokens",
            "/message/usage/input_tokens",
            "/usageMetadata/promptTokenCount",
        ];
        let of = |value: Value| places.iter().find_map(|place| value.pointer(place)?.as_u64());
        let mut counts: Vec<u64> = self.values().into_iter().filter_map(of).collect();
        counts.dedup();
        counts
    }
}
