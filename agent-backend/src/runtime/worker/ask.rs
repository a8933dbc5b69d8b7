//! Asks the models of a role until one has answered: along their chain, with
//! what each failure asks for, and with the text that is there already.

use agents::{
    budget::{LeftOut, estimate},
    failure,
};
use engine::{
    StageKind, State,
    artifact::{CallEnding, CallNext, ModelCall},
    event::{GenerationTotal, NoticeLevel, Origin},
};
use futures::StreamExt as _;
use models::{
    ChatRequest, Chunk, Finish, Identity, Message, Trouble,
    routing::{Link, Next, Step},
};
use shared::error::{Class, Code};
use tokio::time::{Instant, sleep};

use super::{
    Desk,
    draft::{self, Begun, Draft},
    material,
    runs::Place,
    stream::{self, Pieces, Stopped, Timing},
};
use crate::{error::Error, runtime::services::Services};

/// What is left of a prompt that was too long for a model, in percent.
const SHRUNK_PERCENT: u64 = 60;

/// What a prompt is made for.
#[derive(Debug)]
pub(super) struct Window<'a> {
    /// The model that reads it.
    pub model: &'a str,
    /// Most tokens of it.
    pub prompt_tokens_max: u64,
}

/// A question, made for one model.
#[derive(Debug)]
pub(super) struct Asked {
    /// What is sent.
    pub request: ChatRequest,
    /// What did not fit.
    pub left_out: Vec<LeftOut>,
}

/// Asks the models of the stage's role and collects the answer, or its rest
/// where it was broken off. `make` makes the question for each model that is asked.
pub(super) async fn ask(
    services: &Services,
    state: &State,
    desk: &Desk,
    make: impl Fn(&Window<'_>) -> Asked,
) -> Result<String, Error> {
    let role = role(state);
    let chain = services.models.chain(role);
    let mut begun = draft::read(services, state).await?;
    let place = Place::new(state, desk);
    let model = begun.as_ref().map(|begun| begun.origin.model.as_str());
    let mut run = services.runs.take(&place).unwrap_or_else(|| chain.run(model));
    let mut ledger = Ledger::new(desk, role);
    let mut told = Told::default();
    // The provider to which the prompt was too long, and its tokens.
    let mut too_long: Option<(String, u64)> = None;
    loop {
        let link = match run.next(Instant::now()) {
            Next::Ask(link) => link,
            Next::Wait(waiting) => {
                told.waiting(desk, waiting.to_string()).await;
                run.appears().await;
                continue;
            }
            Next::GiveUp(error) => return Err(returned(error)),
        };
        let _turn = link.slot().await;
        let who = link.identity();
        let whole = window(services, who);
        let shrunk = too_long
            .as_ref()
            .filter(|(provider, _)| *provider == who.provider);
        let Asked { request, left_out } = make(&Window {
            model: &who.model,
            prompt_tokens_max: shrunk.map_or(whole, |(_, sent)| sent * SHRUNK_PERCENT / 100),
        });
        let sent = whole.min(prompt_tokens(&request));
        told.left_out(desk, left_out).await;
        let mut timing = Timing::begin();
        let question = Question {
            origin: draft::origin(who, &request),
            request,
            begun: begun.take(),
        };
        let (error, kept) = match call(services, desk, &link, question, &mut timing).await {
            Ok(answer) => {
                run.answered();
                ledger.answered(&link, timing, &answer).await;
                return answer.judged();
            }
            Err(Ended::Useless(error)) => {
                run.answered();
                ledger.useless(&link, timing, &error).await;
                return Err(error);
            }
            Err(Ended::Anew(why)) => {
                services.runs.keep(place, run);
                match desk.begin_anew(why).await {}
            }
            Err(Ended::Failed { error, kept }) => (error, kept),
        };
        let random = uuid::Uuid::new_v4().as_fields().0;
        let step = run.failed(&error, Instant::now(), random);
        ledger.failed(&link, timing, &error, step).await;
        told.failed(desk, &link, &error, step).await;
        match step {
            Step::Retry { after } => sleep(after).await,
            Step::Shrink => too_long = Some((who.provider.clone(), sent)),
            Step::Next | Step::Wait => {}
            Step::GiveUp => return Err(returned(error)),
        }
        match kept {
            Kept::Nothing => {}
            Kept::Text(text) => begun = Some(text),
            Kept::Useless => {
                services.runs.keep(place, run);
                match desk.begin_anew("the model's answer broke off").await {}
            }
        }
    }
}

/// A failure that no provider mends. A request that no server would answer is
/// for a person to put right: another attempt would send the same.
fn returned(error: models::Error) -> Error {
    let trouble = error.trouble();
    let mut error = Error::from(error);
    if trouble == Trouble::Invalid {
        error.class = Class::User;
    }
    error
}

/// Asks for something that the work goes on without: nobody reads along, and
/// nobody is asked twice or waited for.
pub(super) async fn aside(
    services: &Services,
    state: &State,
    desk: &Desk,
    make: impl Fn(&Window<'_>) -> ChatRequest,
) -> Result<String, Error> {
    let role = role(state);
    let mut run = services.models.chain(role).run(None);
    let mut ledger = Ledger::new(desk, role);
    loop {
        let link = match run.next(Instant::now()) {
            Next::Ask(link) => link,
            Next::Wait(waiting) => {
                return Err(Error {
                    class: Class::Transient,
                    code: Code::NoProvider,
                    message: waiting.to_string(),
                });
            }
            Next::GiveUp(error) => return Err(error.into()),
        };
        let _turn = link.slot().await;
        let who = link.identity();
        let request = make(&Window {
            model: &who.model,
            prompt_tokens_max: window(services, who),
        });
        let mut timing = Timing::begin();
        let error = match listen(&link, request, &mut timing).await {
            Ok(answer) => {
                run.answered();
                ledger.answered(&link, timing, &answer).await;
                return answer.judged();
            }
            Err(error) => error,
        };
        let step = match run.failed(&error, Instant::now(), 0) {
            Step::Retry { .. } | Step::Shrink | Step::Wait => Step::GiveUp,
            step @ (Step::Next | Step::GiveUp) => step,
        };
        ledger.failed(&link, timing, &error, step).await;
        if step == Step::GiveUp {
            return Err(error.into());
        }
    }
}

/// One call that nobody reads along.
async fn listen(link: &Link, request: ChatRequest, timing: &mut Timing) -> Result<Answer, models::Error> {
    let mut chunks = link.provider().chat(request).await?;
    let mut text = String::new();
    while let Some(chunk) = chunks.next().await {
        match chunk? {
            Chunk::Token { text: more } => {
                timing.came();
                text.push_str(&more);
            }
            Chunk::ToolCall(_) => {}
            Chunk::Done(usage) => {
                return Ok(Answer {
                    text,
                    finish: usage.finish,
                    total: GenerationTotal {
                        duration_ms: timing.duration_ms(),
                        prompt_tokens: usage.prompt_tokens,
                        generated_tokens: usage.generated_tokens,
                        cut: usage.finish == Finish::Length,
                    },
                });
            }
        }
    }
    Err(models::Error::StreamBroken {
        reason: "it ends without its last line".to_owned(),
    })
}

/// What the stage that runs is asked as.
fn role(state: &State) -> &'static str {
    let kind = state.running().and_then(|(_, stage)| stage.kind());
    match kind {
        Some(StageKind::CodeGeneration) => "code",
        Some(StageKind::TestGeneration) => "tests",
        Some(StageKind::Checks | StageKind::Review) => "review",
        Some(StageKind::Retrieval | StageKind::Planning | StageKind::Apply) | None => "orchestrator",
    }
}

/// Tokens a prompt may have so that the answer still fits.
fn window(services: &Services, who: &Identity) -> u64 {
    u64::from(who.context_tokens.saturating_sub(services.answer_tokens_max))
}

/// Tokens of a prompt, about.
fn prompt_tokens(request: &ChatRequest) -> u64 {
    let messages = request.messages.iter().map(|message| estimate(&message.content));
    estimate(&request.system) + messages.sum::<u64>()
}

/// What is asked of one provider.
struct Question {
    request: ChatRequest,
    origin: Origin,
    begun: Option<Begun>,
}

/// A whole answer.
struct Answer {
    text: String,
    finish: Finish,
    total: GenerationTotal,
}

impl Answer {
    /// The text, if it is of use.
    fn judged(self) -> Result<String, Error> {
        let finish = match self.finish {
            Finish::Stop | Finish::ToolCalls => failure::Finish::Stop,
            Finish::Length => failure::Finish::Length,
            Finish::Refused => failure::Finish::Refused,
        };
        failure::check(&self.text, finish)?;
        Ok(self.text)
    }
}

/// Why a call came to no answer.
enum Ended {
    /// The provider failed.
    Failed {
        error: models::Error,
        /// What is left of the answer.
        kept: Kept,
    },
    /// The answer is of no use.
    Useless(Error),
    /// The text that was there counts for nothing.
    Anew(&'static str),
}

/// What is left of an answer that broke off.
enum Kept {
    /// It had not begun.
    Nothing,
    /// Its model may go on with it.
    Text(Begun),
    /// It was passed on, and nobody can go on with it.
    Useless,
}

/// One call of one provider.
async fn call(
    services: &Services,
    desk: &Desk,
    link: &Link,
    question: Question,
    timing: &mut Timing,
) -> Result<Answer, Ended> {
    let Question {
        mut request,
        origin,
        begun,
    } = question;
    let tokens_max = request.tokens_max.unwrap_or(services.answer_tokens_max);
    // The grammar that holds a model to a schema begins with each request, so
    // JSON is not gone on with.
    let goes_on = request.format.is_none();
    let (mut pieces, mut joint) = match begun {
        None => (Pieces::new(desk, goes_on.then(|| origin.clone())), None),
        Some(begun) => {
            let kept = begun.clone();
            let draft = draft::go_on(begun, link.provider().as_ref(), &origin, tokens_max).await;
            match draft.map_err(|error| Ended::Failed {
                error,
                kept: Kept::Text(kept),
            })? {
                Draft::Begun { text, tokens, joint } => {
                    let begun = u32::try_from(tokens).unwrap_or(u32::MAX);
                    request.tokens_max = Some(tokens_max.saturating_sub(begun));
                    request.messages.push(Message::assistant(joint.begun()));
                    (Pieces::after(desk, text, tokens), Some(joint))
                }
                Draft::Whole { text, total } => {
                    desk.go_on().await;
                    let finish = if total.cut { Finish::Length } else { Finish::Stop };
                    return Ok(Answer { text, finish, total });
                }
                Draft::Lost { why } => return Err(Ended::Anew(why)),
            }
        }
    };
    let deadline = Instant::now() + link.total_timeout();
    let stopped = match link.provider().chat(request).await {
        Err(error) => Stopped::Failed(error),
        Ok(chunks) => match stream::read(chunks, &mut pieces, &mut joint, timing, deadline).await {
            Err(stopped) => stopped,
            Ok(usage) => match usage.context.check() {
                // Loaded with less than was asked for, and yet all was read.
                Err(error) if !usage.context.lost() => {
                    desk.notify(NoticeLevel::Warning, Some(error.code()), error.to_string())
                        .await;
                    return Ok(whole(pieces, &usage).await);
                }
                Err(error) => Stopped::Failed(error),
                Ok(()) => return Ok(whole(pieces, &usage).await),
            },
        },
    };
    let error = match stopped {
        Stopped::Useless(error) => return Err(Ended::Useless(error)),
        Stopped::Failed(error) => error,
    };
    // Of an answer to a part of the question nothing is kept.
    let goes_on = goes_on && error.trouble() != Trouble::ContextOverflow;
    let (text, tokens) = pieces.stop().await;
    let kept = match (text.is_empty(), goes_on) {
        (true, _) => Kept::Nothing,
        (false, true) => Kept::Text(Begun {
            origin,
            text,
            tokens,
            total: None,
        }),
        (false, false) => Kept::Useless,
    };
    Err(Ended::Failed { error, kept })
}

async fn whole(pieces: Pieces<'_>, usage: &models::Usage) -> Answer {
    let cut = usage.finish == Finish::Length;
    let (text, total) = pieces.finish(usage, cut).await;
    Answer {
        text,
        finish: usage.finish,
        total,
    }
}

/// What a person has been told; nothing is told twice in a row.
#[derive(Default)]
struct Told {
    waiting: Option<String>,
    left_out: Vec<LeftOut>,
}

impl Told {
    async fn waiting(&mut self, desk: &Desk, message: String) {
        if self.waiting.as_ref() != Some(&message) {
            desk.notify(NoticeLevel::Warning, Some(Code::NoProvider), message.clone())
                .await;
            self.waiting = Some(message);
        }
    }

    async fn left_out(&mut self, desk: &Desk, left_out: Vec<LeftOut>) {
        if self.left_out != left_out {
            material::report(desk, &left_out).await;
            self.left_out = left_out;
        }
    }

    /// That somebody else answers is told where a person can do something about
    /// it.
    async fn failed(&self, desk: &Desk, link: &Link, error: &models::Error, step: Step) {
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
struct Ledger<'a> {
    desk: &'a Desk,
    role: &'a str,
    number: u32,
}

impl<'a> Ledger<'a> {
    fn new(desk: &'a Desk, role: &'a str) -> Self {
        Self {
            desk,
            role,
            number: 0,
        }
    }

    async fn answered(&mut self, link: &Link, timing: Timing, answer: &Answer) {
        let cut = answer.finish == Finish::Length;
        self.record(link, timing, CallEnding::Answered { cut }, Some(answer.total))
            .await;
    }

    /// A call that failed, and what follows.
    async fn failed(&mut self, link: &Link, timing: Timing, error: &models::Error, step: Step) {
        let ending = CallEnding::Failed {
            code: error.code(),
            reason: error.to_string(),
            next: next(step),
        };
        self.record(link, timing, ending, None).await;
    }

    async fn useless(&mut self, link: &Link, timing: Timing, error: &Error) {
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
