//! A model's answer as it comes: passed on in pieces, watched for loops, and
//! collected.

use std::time::Duration;

use agents::{
    continuation::{Joined, Joint},
    failure::{self, LoopDetector},
};
use engine::{
    State,
    event::{GenerationTotal, Origin},
};
use futures::StreamExt as _;
use models::{ChatRequest, Chunk, Finish, Message, Role, Usage};
use shared::error::{Class, Code};
use tokio::time::{Instant, sleep_until};

use super::{
    Desk,
    draft::{self, Draft},
};
use crate::{error::Error, runtime::services::Services};

/// Shortest time between two streamed pieces. At 100 tokens a second that is
/// one piece every five tokens.
const PIECE_INTERVAL: Duration = Duration::from_millis(50);

/// Most tokens of a streamed piece: what a fast model wrote is not lost with
/// the process for long.
const PIECE_TOKENS_MAX: u64 = 32;

/// Asks the model and collects the answer, or its rest where the process ended
/// in the middle of it.
pub(super) async fn ask(
    services: &Services,
    state: &State,
    desk: &Desk,
    mut request: ChatRequest,
) -> Result<String, Error> {
    let origin = draft::origin(services, &request);
    let tokens_max = request.tokens_max.unwrap_or(services.answer_tokens_max);
    let (mut pieces, mut joint) = match draft::read(services, state, &origin, tokens_max).await? {
        // The grammar that holds a model to a schema begins with each request,
        // so JSON is not gone on with.
        Draft::None => (
            Pieces::new(desk, request.format.is_none().then_some(origin)),
            None,
        ),
        Draft::Begun { text, tokens, joint } => {
            let begun = u32::try_from(tokens).unwrap_or(u32::MAX);
            request.tokens_max = Some(tokens_max.saturating_sub(begun));
            request.messages.push(Message::assistant(joint.begun()));
            (Pieces::after(desk, text, tokens), Some(joint))
        }
        Draft::Whole { text, total } => {
            desk.go_on().await;
            failure::check(&text, finish(total.cut))?;
            return Ok(text);
        }
        Draft::Lost { why } => match desk.begin_anew(why).await {},
    };
    let mut loops = LoopDetector::new();
    if let Some(repetition) = loops.push(&pieces.text) {
        return Err(agents::Error::from(repetition).into());
    }
    let mut chunks = services.model.chat(request).await?;
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
                pieces.count();
                match joint.as_mut().map(|joint| joint.push(&text)) {
                    None => pieces.push(&text).await,
                    Some(joined) => pieces.join(joined, &mut joint).await,
                }
            }
            // No stage offers tools yet.
            Some(Ok(Chunk::ToolCall(_))) => {}
            Some(Ok(Chunk::Done(usage))) => {
                report_context(desk, &usage).await;
                if let Some(joined) = joint.as_ref().map(Joint::end) {
                    pieces.join(joined, &mut joint).await;
                }
                let cut = match usage.finish {
                    Finish::Stop | Finish::ToolCalls | Finish::Refused => false,
                    Finish::Length => true,
                };
                let text = pieces.finish(&usage, cut).await;
                failure::check(&text, finish(cut))?;
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

fn finish(cut: bool) -> failure::Finish {
    if cut {
        failure::Finish::Length
    } else {
        failure::Finish::Stop
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
struct Pieces<'a> {
    desk: &'a Desk,
    text: String,
    sent: usize,
    tokens: u64,
    tokens_sent: u64,
    /// Told with the first piece.
    origin: Option<Origin>,
    first: Option<Instant>,
    flushed: Option<Instant>,
}

impl<'a> Pieces<'a> {
    fn new(desk: &'a Desk, origin: Option<Origin>) -> Self {
        Self {
            origin,
            ..Self::after(desk, String::new(), 0)
        }
    }

    /// What comes after a text that was passed on by an earlier process.
    fn after(desk: &'a Desk, text: String, tokens: u64) -> Self {
        Self {
            desk,
            sent: text.len(),
            text,
            tokens,
            tokens_sent: tokens,
            origin: None,
            first: None,
            flushed: None,
        }
    }

    /// One more token.
    fn count(&mut self) {
        self.tokens += 1;
    }

    async fn push(&mut self, text: &str) {
        self.first.get_or_insert_with(Instant::now);
        self.text.push_str(text);
        let late = self.flushed.is_none_or(|at| at.elapsed() >= PIECE_INTERVAL);
        if late || self.tokens - self.tokens_sent >= PIECE_TOKENS_MAX {
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
    async fn due(&self) {
        match self.flushed {
            Some(at) if self.sent < self.text.len() => sleep_until(at + PIECE_INTERVAL).await,
            Some(_) | None => std::future::pending().await,
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
        self.desk.stream(piece).await;
    }

    async fn finish(mut self, usage: &Usage, cut: bool) -> String {
        let duration = self.first.map(|at| at.elapsed()).unwrap_or_default();
        let total = GenerationTotal {
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            prompt_tokens: usage.prompt_tokens,
            generated_tokens: usage.generated_tokens,
            cut,
        };
        self.flush(Some(total)).await;
        self.text
    }
}
