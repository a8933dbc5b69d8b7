//! What is told of the calls of models: each is an event, and a person hears
//! what they can do something about.

use agents::budget::LeftOut;
use engine::{
    artifact::{CallEnding, CallNext, ModelCall},
    event::{GenerationTotal, NoticeLevel},
};
use models::{
    Trouble,
    routing::{Link, Step},
};
use shared::error::Code;

use super::{Desk, material, stream::Timing};
use crate::error::Error;

/// What a person has been told; nothing is told twice in a row.
#[derive(Debug, Default)]
pub(super) struct Told {
    waiting: Option<String>,
    left_out: Vec<LeftOut>,
}

impl Told {
    /// That nobody is there to ask.
    pub async fn waiting(&mut self, desk: &Desk, message: String) {
        self.waits(desk, NoticeLevel::Warning, Some(Code::NoProvider), message)
            .await;
    }

    /// That it is not its turn yet.
    pub async fn queued(&mut self, desk: &Desk, message: String) {
        self.waits(desk, NoticeLevel::Info, None, message).await;
    }

    async fn waits(&mut self, desk: &Desk, level: NoticeLevel, code: Option<Code>, message: String) {
        if self.waiting.as_ref() != Some(&message) {
            desk.notify(level, code, message.clone()).await;
            self.waiting = Some(message);
        }
    }

    pub async fn left_out(&mut self, desk: &Desk, left_out: Vec<LeftOut>) {
        if self.left_out != left_out {
            material::report(desk, &left_out).await;
            self.left_out = left_out;
        }
    }

    /// That somebody else answers is told where a person can do something about
    /// it.
    pub async fn failed(&self, desk: &Desk, link: &Link, error: &models::Error, step: Step) {
        let mends_itself = match error.trouble() {
            Trouble::Auth | Trouble::Unfit => false,
            Trouble::Network
            | Trouble::RateLimit
            | Trouble::Overload
            | Trouble::ContextOverflow
            | Trouble::Invalid => true,
        };
        if step == Step::Next && !mends_itself {
            let message = format!("{} is left out: {error}", link.identity().provider);
            desk.notify(NoticeLevel::Warning, Some(error.code()), message)
                .await;
        }
    }
}

/// Records each call of an attempt.
pub(super) struct Ledger<'a> {
    desk: &'a Desk,
    role: &'a str,
    number: u32,
}

impl<'a> Ledger<'a> {
    pub fn new(desk: &'a Desk, role: &'a str) -> Self {
        Self {
            desk,
            role,
            number: 0,
        }
    }

    pub async fn answered(&mut self, link: &Link, timing: Timing, total: GenerationTotal) {
        let cut = total.cut;
        self.record(link, timing, CallEnding::Answered { cut }, Some(total))
            .await;
    }

    /// Nobody had to be asked.
    pub async fn known(&mut self, link: &Link, timing: Timing) {
        self.record(link, timing, CallEnding::FromCache, None).await;
    }

    /// A call that failed, and what follows.
    pub async fn failed(&mut self, link: &Link, timing: Timing, error: &models::Error, step: Step) {
        let ending = CallEnding::Failed {
            code: error.code(),
            reason: error.to_string(),
            next: next(step),
        };
        self.record(link, timing, ending, None).await;
    }

    pub async fn useless(&mut self, link: &Link, timing: Timing, error: &Error) {
        let ending = CallEnding::Failed {
            code: error.code,
            reason: error.message.clone(),
            next: CallNext::GiveUp,
        };
        self.record(link, timing, ending, None).await;
    }

    async fn record(
        &mut self,
        link: &Link,
        timing: Timing,
        ending: CallEnding,
        total: Option<GenerationTotal>,
    ) {
        self.number += 1;
        let (prompt_tokens, generated_tokens) =
            total.map_or((0, 0), |total| (total.prompt_tokens, total.generated_tokens));
        let who = link.identity();
        self.desk
            .called(ModelCall {
                role: self.role.to_owned(),
                provider: who.provider.clone(),
                model: who.model.clone(),
                number: self.number,
                ending,
                first_token_ms: timing.first_token_ms(),
                duration_ms: timing.duration_ms(),
                prompt_tokens,
                generated_tokens,
                cost_microdollars: link.cost(prompt_tokens, generated_tokens),
            })
            .await;
    }
}

fn next(step: Step) -> CallNext {
    match step {
        Step::Retry { after } => CallNext::Retry {
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        },
        Step::Next => CallNext::NextProvider,
        Step::Shrink => CallNext::Shrink,
        Step::Wait => CallNext::Wait,
        Step::GiveUp => CallNext::GiveUp,
    }
}
