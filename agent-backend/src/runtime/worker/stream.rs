//! A model's answer as it comes: passed on in pieces, watched for loops, and
//! collected.

use std::time::Duration;

use agents::failure::{self, LoopDetector};
use engine::event::GenerationTotal;
use futures::StreamExt as _;
use models::{ChatRequest, Chunk, Finish, Message, Role, Usage};
use shared::error::{Class, Code};
use tokio::time::{Instant, sleep_until};

use super::Desk;
use crate::{error::Error, runtime::services::Services};

/// Shortest time between two streamed pieces. At 100 tokens a second that is
/// one piece every five tokens.
const PIECE_INTERVAL: Duration = Duration::from_millis(50);

/// Asks the model and collects the answer.
pub(super) async fn ask(services: &Services, desk: &Desk, request: ChatRequest) -> Result<String, Error> {
    let mut chunks = services.model.chat(request).await?;
    let mut pieces = Pieces::new(desk);
    let mut loops = LoopDetector::new();
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = chunks.next() => chunk,
            () = pieces.due() => {
                pieces.flush(None).await;
                continue;
            }
        };
        match chunk {
            Some(Ok(Chunk::Token { text })) => {
                if let Some(repetition) = loops.push(&text) {
                    return Err(agents::Error::from(repetition).into());
                }
                pieces.push(&text).await;
            }
            Some(Ok(Chunk::Done(usage))) => {
                report_context(desk, &usage).await;
                let finish = match usage.finish {
                    Finish::Stop => failure::Finish::Stop,
                    Finish::Length => failure::Finish::Length,
                };
                let text = pieces.finish(&usage).await;
                failure::check(&text, finish)?;
                return Ok(text);
            }
            Some(Err(error)) => return Err(error.into()),
            None => {
                let message = "the model's stream ended without its last line".to_owned();
                return Err(Error {
                    class: Class::Transient,
                    code: Code::ModelStreamBroken,
                    message,
                });
            }
        }
    }
}

/// A model that saw less than it was sent is never passed over in silence.
async fn report_context(desk: &Desk, usage: &Usage) {
    if let Err(error) = usage.context.check() {
        desk.notify(
            engine::event::NoticeLevel::Warning,
            Some(error.code()),
            error.to_string(),
        )
        .await;
    }
}

/// The request for a prompt.
pub(super) fn request(services: &Services, prompt: agents::prompt::Prompt) -> ChatRequest {
    let message = |message: agents::prompt::Message| Message {
        role: match message.role {
            agents::prompt::Role::User => Role::User,
            agents::prompt::Role::Assistant => Role::Assistant,
        },
        content: message.content,
    };
    ChatRequest {
        system: prompt.system,
        messages: prompt.messages.into_iter().map(message).collect(),
        tokens_max: Some(services.answer_tokens_max),
        ..ChatRequest::default()
    }
}

/// Text that waits to be passed on.
struct Pieces<'a> {
    desk: &'a Desk,
    text: String,
    sent: usize,
    tokens: u64,
    first: Option<Instant>,
    flushed: Option<Instant>,
}

impl<'a> Pieces<'a> {
    fn new(desk: &'a Desk) -> Self {
        Self {
            desk,
            text: String::new(),
            sent: 0,
            tokens: 0,
            first: None,
            flushed: None,
        }
    }

    async fn push(&mut self, text: &str) {
        self.first.get_or_insert_with(Instant::now);
        self.text.push_str(text);
        self.tokens += 1;
        if self.flushed.is_none_or(|at| at.elapsed() >= PIECE_INTERVAL) {
            self.flush(None).await;
        }
    }

    /// Resolves when waiting text has to go out; never when there is none.
    async fn due(&self) {
        match self.flushed {
            Some(at) if self.sent < self.text.len() => sleep_until(at + PIECE_INTERVAL).await,
            Some(_) | None => std::future::pending().await,
        }
    }

    async fn flush(&mut self, total: Option<GenerationTotal>) {
        let delta = self.text[self.sent..].to_owned();
        self.sent = self.text.len();
        self.flushed = Some(Instant::now());
        self.desk.stream(delta, self.tokens, total).await;
    }

    async fn finish(mut self, usage: &Usage) -> String {
        let duration = self.first.map(|at| at.elapsed()).unwrap_or_default();
        let total = GenerationTotal {
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            prompt_tokens: usage.prompt_tokens,
            generated_tokens: usage.generated_tokens,
        };
        self.flush(Some(total)).await;
        self.text
    }
}
