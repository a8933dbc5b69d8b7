//! A streamed answer: lines in, chunks out.

use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt;
use reqwest::Response;
use serde_json::{Map, Value};

use super::{
    Ollama, same_model, settle, thinking,
    wire::{ChatLine, LineCall, LineFunction},
};
use crate::{
    CALLS_MAX, ChatRequest, Chunk, ChunkStream, Context, Error, Finish, ToolCall, Usage, context,
    http::{next_piece, server_text},
    ndjson, request,
};

/// Longest line of a stream, in bytes. A line is a token or two; this leaves
/// room for a server that sends a whole answer in one.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;

pub(super) async fn chat(ollama: &Ollama, request: ChatRequest) -> Result<ChunkStream, Error> {
    request::check(&request)?;
    let num_ctx = settle::settle(ollama).await?.identity.context_tokens;
    let context = Context {
        requested: num_ctx,
        loaded: ollama.loaded_context(),
        sent_tokens_min: context::request_tokens_min(&request),
        used_tokens: None,
    };
    // What cannot fit is refused here: the server would cut it and say nothing.
    // A loaded context that is too small was reported by the preload.
    Context {
        loaded: None,
        ..context
    }
    .check()?;
    let response = thinking::send(ollama, num_ctx, &request).await?;
    let answer = Answer {
        model: ollama.options.model.clone(),
        context,
        thinking_bytes: 0,
        calls: 0,
    };
    Ok(chunks(response, ollama.options.idle_timeout, answer))
}

/// Reads the body as it comes. The response lives in the stream, so dropping
/// the stream closes the connection and Ollama stops generating.
fn chunks(mut response: Response, idle_timeout: Duration, mut answer: Answer) -> ChunkStream {
    try_stream! {
        let mut decoder = ndjson::Decoder::new(LINE_BYTES_MAX);
        loop {
            while let Some(line) = decoder.next_line().map_err(Error::broken)? {
                let mut step = answer.line(line)?;
                let is_over = step.usage.is_some();
                for chunk in step.chunks() {
                    yield chunk;
                }
                if is_over {
                    return;
                }
            }
            let Some(piece) = next_piece(&mut response, idle_timeout).await? else { break };
            decoder.push(&piece);
        }
        let rest = decoder.remainder().ok_or_else(Error::unfinished)?;
        let mut step = answer.line(rest)?;
        let is_over = step.usage.is_some();
        for chunk in step.chunks() {
            yield chunk;
        }
        if !is_over {
            Err(Error::unfinished())?;
        }
    }
    .boxed()
}

/// What is known of an answer so far.
struct Answer {
    /// The model that was asked.
    model: String,
    context: Context,
    thinking_bytes: u64,
    /// Calls of tools so far.
    calls: usize,
}

/// What one line adds.
#[derive(Debug, PartialEq, Default)]
struct Step {
    text: Option<String>,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
}

impl Step {
    fn chunks(&mut self) -> Vec<Chunk> {
        let text = self.text.take().map(|text| Chunk::Token { text });
        let calls = self.calls.drain(..).map(Chunk::ToolCall);
        text.into_iter()
            .chain(calls)
            .chain(self.usage.take().map(Chunk::Done))
            .collect()
    }
}

impl Answer {
    fn line(&mut self, line: &[u8]) -> Result<Step, Error> {
        let line: ChatLine =
            serde_json::from_slice(line).map_err(|error| Error::broken(format!("broken JSON: {error}")))?;
        if let Some(message) = line.error {
            return Err(Error::broken(server_text(&message)));
        }
        if let Some(answered) = line.model.filter(|name| !same_model(name, &self.model)) {
            return Err(Error::WrongModel {
                asked: self.model.clone(),
                answered: server_text(&answered),
            });
        }
        self.thinking_bytes += line.message.thinking.map_or(0, |thinking| thinking.len() as u64);
        let text = Some(line.message.content).filter(|text| !text.is_empty());
        let mut calls = Vec::new();
        for call in line.message.tool_calls.unwrap_or_default() {
            calls.push(self.call(call)?);
        }
        if !line.done {
            return Ok(Step {
                text,
                calls,
                usage: None,
            });
        }
        let finish = match line.done_reason.as_deref() {
            Some("stop" | "tool_calls") | None if self.calls > 0 => Finish::ToolCalls,
            // Servers before 0.4 give no reason.
            Some("stop") | None => Finish::Stop,
            Some("length") => Finish::Length,
            Some(other) => {
                return Err(Error::broken(format!(
                    "it ends with the reason {}",
                    server_text(other)
                )));
            }
        };
        // A count of zero means that the prompt came from the server's cache:
        // it says nothing about what was cut.
        let used_tokens = line.prompt_eval_count.filter(|count| *count > 0);
        let usage = Usage {
            prompt_tokens: used_tokens.unwrap_or(0),
            generated_tokens: line.eval_count,
            thinking_bytes: self.thinking_bytes,
            duration_ms: line.total_duration / NANOS_PER_MILLI,
            load_ms: line.load_duration / NANOS_PER_MILLI,
            finish,
            context: Context {
                used_tokens,
                ..self.context
            },
        };
        if let Err(error) = usage.context.check() {
            tracing::warn!(%error, "context mismatch");
        }
        Ok(Step {
            text,
            calls,
            usage: Some(usage),
        })
    }

    fn call(&mut self, call: LineCall) -> Result<ToolCall, Error> {
        if self.calls >= CALLS_MAX {
            return Err(Error::broken(format!("it calls more than {CALLS_MAX} tools")));
        }
        let LineFunction { name, arguments } = call.function;
        let arguments = arguments.unwrap_or_else(|| Value::Object(Map::new()));
        if !arguments.is_object() {
            return Err(Error::broken(format!("the arguments for {name} are no object")));
        }
        let id = call
            .id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("call_{}", self.calls));
        self.calls += 1;
        Ok(ToolCall { id, name, arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: Result<Step, &str>) {
        let broken = |reason: &str| Error::StreamBroken {
            reason: reason.to_owned(),
        };
        judge(line, &expect.map_err(broken));
    }

    fn judge(line: &str, expect: &Result<Step, Error>) {
        let mut answer = Answer {
            model: "mistral".to_owned(),
            context: Context::default(),
            thinking_bytes: 3,
            calls: 0,
        };
        assert_eq!(&answer.line(line.as_bytes()), expect);
    }

    #[test]
    fn who_answers() {
        let line = |model: &str| format!(r#"{{"model":"{model}","message":{{"content":"hi"}}}}"#);
        let said = Step {
            text: Some("hi".to_owned()),
            ..Step::default()
        };
        judge(&line("Mistral:latest"), &Ok(said));
        judge(
            &line("llama3"),
            &Err(Error::WrongModel {
                asked: "mistral".to_owned(),
                answered: "llama3".to_owned(),
            }),
        );
    }

    #[test]
    fn lines() {
        let usage = Usage {
            prompt_tokens: 26,
            generated_tokens: 7,
            thinking_bytes: 3,
            duration_ms: 10,
            load_ms: 6,
            finish: Finish::Length,
            context: Context {
                used_tokens: Some(26),
                ..Context::default()
            },
        };
        check(
            r#"{"message":{"role":"assistant","content":"hi"},"done":false}"#,
            Ok(Step {
                text: Some("hi".to_owned()),
                ..Step::default()
            }),
        );
        check(
            r#"{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
            Ok(Step::default()),
        );
        let call = |id: &str| ToolCall {
            id: id.to_owned(),
            name: "read".to_owned(),
            arguments: serde_json::json!({"p": 1}),
        };
        check(
            r#"{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"read","arguments":{"p":1}}},{"id":"x","function":{"name":"read","arguments":{"p":1}}}]},"done":false}"#,
            Ok(Step {
                calls: vec![call("call_0"), call("x")],
                ..Step::default()
            }),
        );
        check(
            r#"{"message":{"tool_calls":[{"function":{"name":"read","arguments":"{"}}]}}"#,
            Err("the arguments for read are no object"),
        );
        check(
            r#"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":10706818,"load_duration":6338219,"prompt_eval_count":26,"eval_count":7}"#,
            Ok(Step {
                usage: Some(usage),
                ..Step::default()
            }),
        );
        check(
            r#"{"error":"an error was encountered"}"#,
            Err("an error was encountered"),
        );
        check(
            r#"{"done":true,"done_reason":"load"}"#,
            Err("it ends with the reason load"),
        );
        check(
            "{",
            Err("broken JSON: EOF while parsing an object at line 1 column 1"),
        );
    }
}
