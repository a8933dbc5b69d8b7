//! The providers against scripted servers, over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests stop the test, as the tests themselves do"
)]

mod answers;
mod examine;
mod failures;
mod formats;
mod hosted;
mod openai;
mod responder;
mod sizing;
mod status;
mod thinking;

use std::time::Duration;

use futures::StreamExt;
use models::{ChatRequest, Chunk, ChunkStream, Error, Message, NumCtx, Ollama, OllamaOptions, Provider};
use scripted_ollama::{Outcome, Record, ScriptedOllama};

const MODEL: &str = "mistral:7b-instruct";
const EMBED_MODEL: &str = "nomic-embed-text";
const NUM_CTX: u32 = 4096;

/// A limit that a test wants to see reached.
const SHORT: Duration = Duration::from_millis(40);

fn options(url: impl Into<String>) -> OllamaOptions {
    OllamaOptions {
        url: url.into(),
        model: MODEL.to_owned(),
        num_ctx: NumCtx::Fixed(NUM_CTX),
        embed_model: Some(EMBED_MODEL.to_owned()),
        ..OllamaOptions::default()
    }
}

async fn start(script: &str) -> (ScriptedOllama, Ollama) {
    start_with(script, |options| options).await
}

async fn start_with(
    script: &str,
    change: impl FnOnce(OllamaOptions) -> OllamaOptions,
) -> (ScriptedOllama, Ollama) {
    let server = ScriptedOllama::builder()
        .model(MODEL)
        .embedding_model(EMBED_MODEL)
        .script(script);
    let server = server.start().await.unwrap();
    let ollama = Ollama::new(change(options(server.url()))).unwrap();
    (server, ollama)
}

fn ask(content: &str) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::user(content)],
        ..ChatRequest::default()
    }
}

/// Everything a stream gives: its text, then how it ends.
async fn all(mut stream: ChunkStream) -> (String, Result<models::Usage, Error>) {
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(Chunk::Token { text: piece }) => text.push_str(&piece),
            Ok(Chunk::ToolCall(call)) => panic!("an answer of text calls a tool: {call:?}"),
            Ok(Chunk::Done(usage)) => {
                assert!(stream.next().await.is_none(), "something follows the end");
                return (text, Ok(usage));
            }
            Err(error) => {
                assert!(stream.next().await.is_none(), "something follows an error");
                return (text, Err(error));
            }
        }
    }
    panic!("the stream ends without an end: {text:?}");
}

/// Asks and reads to the end, or to the error, whichever place it comes from.
async fn answer(ollama: &Ollama, request: ChatRequest) -> (String, Result<models::Usage, Error>) {
    match ollama.chat(request).await {
        Ok(stream) => all(stream).await,
        Err(error) => (String::new(), Err(error)),
    }
}

fn ended(records: &[Record]) -> bool {
    records
        .last()
        .is_some_and(|record| record.outcome != Outcome::Running)
}
