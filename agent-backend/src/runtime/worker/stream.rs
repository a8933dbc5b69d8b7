//! A model's answer as it comes: passed on in pieces, watched for loops, and
//! collected. What is done when it breaks off is not known here.

use std::{convert::Infallible, time::Duration};

use agents::{
    continuation::{Joined, Joint},
    failure::LoopDetector,
};
use engine::event::{GenerationTotal, Origin};
use futures::StreamExt as _;
use models::{ChatRequest, Chunk, ChunkStream, Message, Phase, Role, ToolCall, Usage};
use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::{Instant, sleep_until},
};

use super::Desk;
use crate::{error::Error, runtime::services::Services};

/// Shortest time between two streamed pieces. Up to 200 tokens a second each
/// token goes out as it comes; a faster model fills pieces.
const PIECE_INTERVAL: Duration = Duration::from_millis(5);

/// Most tokens that wait for the piece before them to be written: what a fast
/// model wrote is not lost with the process for long.
const PIECE_TOKENS_MAX: u64 = 32;

/// Why reading an answer ended before the answer did.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The provider failed.
    Failed(models::Error),
    /// The answer is of no use: another try at it would be the same.
    Useless(Error),
}

/// When an answer came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    begun: Instant,
    first: Option<Instant>,
}

impl Timing {
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            first: None,
        }
    }

    /// A token came.
    pub fn came(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    /// Milliseconds from the call to its first token.
    pub fn first_token_ms(&self) -> Option<u64> {
        Some(millis(self.first?.duration_since(self.begun)))
    }

    /// Milliseconds since the call.
    pub fn duration_ms(&self) -> u64 {
        millis(self.begun.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Reads an answer to its end and passes it on, at most until `deadline`; what
/// it calls beside is given back. `joint` is where it meets the text that was
/// there before.
pub(super) async fn read(
    mut chunks: ChunkStream,
    pieces: &mut Pieces<'_>,
    joint: &mut Option<Joint>,
    timing: &mut Timing,
    deadline: Instant,
) -> Result<(Usage, Vec<ToolCall>), Stopped> {
    let mut calls = Vec::new();
    let mut loops = LoopDetector::new();
    let useless = |repetition| Stopped::Useless(agents::Error::from(repetition).into());
    if let Some(repetition) = loops.push(&pieces.text) {
        return Err(useless(repetition));
    }
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = chunks.next() => chunk,
            () = pieces.due() => {
                pieces.flush(None).await;
                continue;
            }
            () = sleep_until(deadline) => {
                return Err(Stopped::Failed(models::Error::Timeout {
                    phase: Phase::Total,
                    limit_ms: timing.duration_ms(),
                }));
            }
        };
        match chunk {
            Some(Ok(Chunk::Token { text })) => {
                timing.came();
                if let Some(repetition) = loops.push(&text) {
                    return Err(useless(repetition));
                }
                pieces.count();
                match joint.as_mut().map(|joint| joint.push(&text)) {
                    None => pieces.push(&text).await,
                    Some(joined) => pieces.join(joined, joint).await,
                }
            }
            Some(Ok(Chunk::ToolCall(call))) => {
                timing.came();
                calls.push(call);
            }
            Some(Ok(Chunk::Done(usage))) => {
                if let Some(joined) = joint.as_ref().map(Joint::end) {
                    pieces.join(joined, joint).await;
                }
                return Ok((usage, calls));
            }
            Some(Err(error)) => return Err(Stopped::Failed(error)),
            None => return Err(Stopped::Failed(models::Error::unfinished())),
        }
    }
}

/// The request for a prompt.
pub(super) fn request(services: &Services, prompt: agents::prompt::Prompt) -> ChatRequest {
    let message = |message: agents::prompt::Message| {
        let role = match message.role {
            agents::prompt::Role::User => Role::User,
            agents::prompt::Role::Assistant => Role::Assistant,
        };
        Message::new(role, message.content)
    };
    ChatRequest {
        system: prompt.system,
        messages: prompt.messages.into_iter().map(message).collect(),
        tokens_max: Some(services.answer_tokens_max),
        ..ChatRequest::default()
    }
}

/// Text that is passed on.
#[derive(Debug)]
pub(super) struct Piece {
    pub delta: String,
    pub tokens: u64,
    pub total: Option<GenerationTotal>,
    pub origin: Option<Origin>,
}

/// Text that waits to be passed on.
pub(super) struct Pieces<'a> {
    desk: &'a Desk,
    text: String,
    sent: usize,
    tokens: u64,
    tokens_sent: u64,
    /// Told with the first piece.
    origin: Option<Origin>,
    first: Option<Instant>,
    flushed: Option<Instant>,
    /// Closes when the last piece is durable. The next one waits for that, so
    /// that pieces grow as fast as the journal is slow.
    writing: Option<oneshot::Receiver<Infallible>>,
}

impl<'a> Pieces<'a> {
    pub fn new(desk: &'a Desk, origin: Option<Origin>) -> Self {
        Self {
            origin,
            ..Self::after(desk, String::new(), 0)
        }
    }

    /// What comes after a text that was passed on by an earlier process.
    pub fn after(desk: &'a Desk, text: String, tokens: u64) -> Self {
        Self {
            desk,
            sent: text.len(),
            text,
            tokens,
            tokens_sent: tokens,
            origin: None,
            first: None,
            flushed: None,
            writing: None,
        }
    }

    /// One more token.
    fn count(&mut self) {
        self.tokens += 1;
    }

    pub async fn push(&mut self, text: &str) {
        self.first.get_or_insert_with(Instant::now);
        self.text.push_str(text);
        let late = self.flushed.is_none_or(|at| at.elapsed() >= PIECE_INTERVAL);
        let still = |writing: &mut oneshot::Receiver<_>| writing.try_recv() == Err(TryRecvError::Empty);
        if !self.writing.as_mut().is_some_and(still) {
            self.writing = None;
        }
        if late && self.writing.is_none() || self.tokens - self.tokens_sent >= PIECE_TOKENS_MAX {
            self.flush(None).await;
        }
    }

    /// Takes what is known of how the rest joins the text so far.
    async fn join(&mut self, joined: Joined, joint: &mut Option<Joint>) {
        match joined {
            Joined::Waiting => {}
            Joined::Text(text) => {
                *joint = None;
                self.desk.go_on().await;
                if !text.is_empty() {
                    self.push(&text).await;
                }
            }
            Joined::Anew => match self
                .desk
                .begin_anew("the model did not go on with its answer")
                .await {},
        }
    }

    /// Resolves when waiting text has to go out; never when there is none.
    async fn due(&mut self) {
        let Some(at) = self.flushed.filter(|_| self.sent < self.text.len()) else {
            return std::future::pending().await;
        };
        sleep_until(at + PIECE_INTERVAL).await;
        if let Some(writing) = &mut self.writing {
            let _closed = writing.await;
            self.writing = None;
        }
    }

    async fn flush(&mut self, total: Option<GenerationTotal>) {
        let delta = self.text[self.sent..].to_owned();
        self.sent = self.text.len();
        self.tokens_sent = self.tokens;
        self.flushed = Some(Instant::now());
        let piece = Piece {
            delta,
            tokens: self.tokens,
            total,
            origin: self.origin.take(),
        };
        self.writing = Some(self.desk.stream(piece).await);
    }

    /// Passes on what waits, and gives all of the text with its tokens.
    pub async fn stop(mut self) -> (String, u64) {
        if self.sent < self.text.len() {
            self.flush(None).await;
        }
        (self.text, self.tokens)
    }

    /// Passes on the end, and gives all of the text.
    pub async fn finish(
        mut self,
        prompt_tokens: u64,
        generated_tokens: u64,
        cut: bool,
    ) -> (String, GenerationTotal) {
        let total = self.total(prompt_tokens, generated_tokens, cut);
        self.flush(Some(total)).await;
        (self.text, total)
    }

    /// As [`Pieces::finish`], of an answer that more is to follow: who reads
    /// along is not told of an end.
    pub async fn pause(
        self,
        prompt_tokens: u64,
        generated_tokens: u64,
        cut: bool,
    ) -> (String, GenerationTotal) {
        let total = self.total(prompt_tokens, generated_tokens, cut);
        (self.stop().await.0, total)
    }

    fn total(&self, prompt_tokens: u64, generated_tokens: u64, cut: bool) -> GenerationTotal {
        let duration = self.first.map(|at| at.elapsed()).unwrap_or_default();
        GenerationTotal {
            duration_ms: millis(duration),
            prompt_tokens,
            generated_tokens,
            cut,
        }
    }
}
