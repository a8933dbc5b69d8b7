//! Asks the models of a role until one has answered: along their chain, with
//! what each failure asks for, and with the text that is there already.

use std::{pin::pin, time::Duration};

use agents::{
    budget::LeftOut,
    edit::Format,
    failure::{self, Kind, Shape},
    prompt::{Calling, Images},
};
use engine::{
    StageKind, State,
    artifact::ContextRead,
    event::{GenerationTotal, NoticeLevel, Origin},
    graph::Stage,
};
use futures::StreamExt as _;
use models::{
    ChatRequest, Chunk, Finish, Identity, Message, Thinking, ToolCall, Trouble,
    routing::{Link, Next, Slot, Step},
};
use shared::error::{Class, Code};
use tokio::time::{Instant, sleep};

use super::{
    Desk,
    answers::{Key, Known},
    draft::{self, Begun, Draft},
    ledger::{Ledger, Told},
    pictures::Pictures,
    runs::Place,
    stream::{self, Pieces, Stopped, Timing},
    thinking,
    toolbox::{self, Came, Toolbox, prompt_tokens},
};
use crate::{
    error::Error,
    runtime::{meter, services::Services},
};

/// How long a call waits for its turn before a person is told.
const TURN_TOLD: Duration = Duration::from_secs(1);

/// What is left of a prompt that was too long for a model, in percent.
const SHRUNK_PERCENT: u64 = 60;

/// Milliseconds of loading that a person is told of.
const LOAD_TOLD_MS: u64 = 1_000;

/// What a prompt is made for.
#[derive(Debug)]
pub(super) struct Window<'a> {
    /// The model that reads it.
    pub model: &'a str,
    /// How it is to write edits, if the configuration says it.
    pub edit_format: Option<Format>,
    /// Most tokens of it.
    pub prompt_tokens_max: u64,
    /// The pictures that come with it.
    pub images: Images,
    /// Whether it may call tools.
    pub calling: Calling,
}

/// A question, made for one model.
#[derive(Debug)]
pub(super) struct Asked {
    /// What is sent.
    pub request: ChatRequest,
    /// What did not fit.
    pub left_out: Vec<LeftOut>,
}

/// What came of a question.
#[derive(Debug)]
pub(super) struct Reply {
    /// The answer.
    pub text: String,
    /// What its model has read; none where the answer was known.
    pub read: Option<ContextRead>,
}

/// Asks the models of the stage's role and collects the answer, or its rest
/// where it was broken off. `make` makes the question for each model that is
/// asked, which may call `tools` before it answers.
pub(super) async fn ask(
    services: &Services,
    state: &State,
    desk: &Desk,
    mut tools: Toolbox,
    make: impl Fn(&Window<'_>) -> Asked,
) -> Result<Reply, Error> {
    let stage = state.running().map(|(_, stage)| stage);
    let role = role(stage);
    let mut begun = draft::read(services, state).await?;
    let place = Place::new(state, desk);
    let model = begun.as_ref().map(|begun| begun.origin.model.as_str());
    let pictures = Pictures::of(services, state).await?;
    let mut run = match services.runs.take(&place) {
        Some(run) => run,
        None => pictures.run(services, state, desk, role, model).await,
    };
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
        // How much it reads is known by then.
        let slot = turn(&link, desk, &mut told).await;
        let _slot = if tools.is_wanted(&link).await {
            // Servers take their time to start, and others need the model.
            drop(slot);
            tools.open(services, state, desk).await?;
            turn(&link, desk, &mut told).await
        } else {
            slot
        };
        let who = link.identity();
        let wanted = thinking::wanted(services, state, who);
        let whole = window(services, who, link.provider().grants(wanted).await);
        let shrunk = too_long
            .as_ref()
            .filter(|(provider, _)| *provider == who.provider);
        let given = tools.given(&link).await;
        let room = shrunk.map_or(whole, |(_, sent)| sent * SHRUNK_PERCENT / 100);
        pictures.check(services, role).await?;
        let shown = pictures.shown(services, run.chain(), &link, room).await;
        let Asked {
            mut request,
            left_out,
        } = make(&Window {
            model: &who.model,
            edit_format: services.models.edit_format(who),
            prompt_tokens_max: toolbox::beside(&given, room).saturating_sub(shown.tokens()),
            images: shown.counts(),
            calling: if given.is_empty() {
                Calling::No
            } else {
                Calling::Allowed
            },
        });
        request.tools = given;
        request.thinking = wanted;
        shown.attach(&mut request);
        let shape = shape(&request);
        let mut key = key(stage, who, &request).filter(|_| begun.is_none());
        if let Some(known) = find(services, key.as_ref()).await {
            let text = pass_on(desk, known).await;
            ledger.known(&link, Timing::begin()).await;
            return Ok(Reply { text, read: None });
        }
        told.left_out(desk, left_out).await;
        shown.tell(services, state, desk).await;
        let mut timing = Timing::begin();
        let mut rounds = tools.replay(who, &mut request);
        let mut sent;
        let ended = loop {
            sent = whole.min(prompt_tokens(&request));
            rounds += 1;
            let calls = if let Some(unfinished) = tools.unfinished(who, &request, rounds) {
                // It has answered, and its calls were not all made.
                unfinished
            } else {
                let question = Question {
                    origin: draft::origin(who, &request),
                    request: request.clone(),
                    begun: begun.take(),
                };
                let answer = match call(services, state, desk, &link, question, &mut timing).await {
                    Ok(answer) if answer.calls.is_empty() => break Ok(answer),
                    Ok(answer) => answer,
                    Err(ended) => break Err(ended),
                };
                ledger.answered(&link, timing, answer.total).await;
                toolbox::Answer {
                    said: answer.text,
                    calls: answer.calls,
                    round: rounds,
                }
            };
            // What tools answer another time is not known.
            key = None;
            match tools.answer(desk, who, &mut request, calls, room).await? {
                Came::Answers => {}
                Came::Question(call, turn) => {
                    services.runs.keep(place, run);
                    match desk.ask_permission(*call, turn).await {}
                }
            }
            timing = Timing::begin();
        };
        let (error, kept) = match ended {
            Ok(answer) => {
                run.answered();
                ledger.answered(&link, timing, answer.total).await;
                return useful(services, key.as_ref(), shape, answer).await;
            }
            Err(Ended::Useless(error)) => {
                meter::noticed(&[Kind::Repeats]);
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

/// Waits for the call's turn, and says so where that takes long.
async fn turn(link: &Link, desk: &Desk, told: &mut Told) -> Slot {
    let mut slot = pin!(link.slot());
    tokio::select! {
        slot = &mut slot => return slot,
        () = sleep(TURN_TOLD) => {}
    }
    if let Some(why) = link.waits_for(Instant::now()) {
        told.queued(desk, why).await;
    }
    slot.await
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
) -> Result<Reply, Error> {
    let stage = state.running().map(|(_, stage)| stage);
    let role = role(stage);
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
        // It must come soon.
        let wanted = thinking::wanted(services, state, who).briefly();
        let mut request = make(&Window {
            model: &who.model,
            edit_format: services.models.edit_format(who),
            prompt_tokens_max: window(services, who, link.provider().grants(wanted).await),
            // It is about words to search for.
            images: Images::default(),
            calling: Calling::No,
        });
        request.thinking = wanted;
        let shape = shape(&request);
        let key = key(stage, who, &request);
        if let Some(known) = find(services, key.as_ref()).await {
            ledger.known(&link, Timing::begin()).await;
            return Ok(Reply {
                text: known.text,
                read: None,
            });
        }
        let mut timing = Timing::begin();
        let error = match listen(&link, request, &mut timing).await {
            Ok(answer) => {
                run.answered();
                ledger.answered(&link, timing, answer.total).await;
                return useful(services, key.as_ref(), shape, answer).await;
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
                link.loaded(Duration::from_millis(usage.load_ms));
                if usage.context.lost() {
                    usage.context.check()?;
                }
                return Ok(Answer {
                    text,
                    calls: Vec::new(),
                    finish: usage.finish,
                    total: GenerationTotal {
                        duration_ms: timing.duration_ms(),
                        prompt_tokens: usage.prompt_tokens,
                        generated_tokens: usage.generated_tokens,
                        cut: usage.finish == Finish::Length,
                    },
                    read: Some(read(link, &usage)),
                });
            }
        }
    }
    Err(models::Error::unfinished())
}

/// The key of a question, where the stage takes known answers.
fn key(stage: Option<&Stage>, who: &Identity, request: &ChatRequest) -> Option<Key> {
    stage.filter(|stage| stage.cache).map(|_| Key::new(who, request))
}

async fn find(services: &Services, key: Option<&Key>) -> Option<Known> {
    services.answers.find(key?).await
}

/// What is asked for.
fn shape(request: &ChatRequest) -> Shape {
    match request.format {
        Some(_) => Shape::Json,
        None => Shape::Text,
    }
}

/// Counts what is wrong with an answer, and keeps one that was of use.
async fn useful(
    services: &Services,
    key: Option<&Key>,
    shape: Shape,
    answer: Answer,
) -> Result<Reply, Error> {
    meter::noticed(&failure::noticed(&answer.text, answer.finish(), shape, &[]));
    let total = answer.total;
    let reply = answer.judged()?;
    if let Some(key) = key {
        services.answers.keep(key, &reply.text, total).await;
    }
    Ok(reply)
}

/// Passes on an answer that was known already.
async fn pass_on(desk: &Desk, known: Known) -> String {
    let Known {
        text,
        prompt_tokens,
        generated_tokens,
    } = known;
    let mut pieces = Pieces::after(desk, String::new(), generated_tokens);
    pieces.push(&text).await;
    pieces.finish(prompt_tokens, generated_tokens, false).await.0
}

/// What the models of a stage are asked as.
fn role(stage: Option<&Stage>) -> &str {
    if let Some(role) = stage.and_then(|stage| stage.role.as_deref()) {
        return role;
    }
    match stage.and_then(Stage::kind) {
        Some(StageKind::CodeGeneration) => "code",
        Some(StageKind::TestGeneration) => "tests",
        Some(StageKind::Checks | StageKind::Review) => "review",
        Some(StageKind::Retrieval | StageKind::Planning | StageKind::Apply | StageKind::Revert) | None => {
            "orchestrator"
        }
    }
}

/// Tokens a prompt may have so that the answer still fits, and what is thought
/// before it.
fn window(services: &Services, who: &Identity, thinking: Thinking) -> u64 {
    let thoughts = thinking.tokens_max(who.context_tokens);
    let rest = services.answer_tokens_max.saturating_add(thoughts);
    u64::from(who.context_tokens.saturating_sub(rest))
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
    /// What the model wants to know first.
    calls: Vec<ToolCall>,
    finish: Finish,
    total: GenerationTotal,
    read: Option<ContextRead>,
}

impl Answer {
    /// How it ended, for those who judge it.
    fn finish(&self) -> failure::Finish {
        match self.finish {
            Finish::Stop | Finish::ToolCalls => failure::Finish::Stop,
            Finish::Length => failure::Finish::Length,
            Finish::Refused => failure::Finish::Refused,
        }
    }

    /// What came of it, if it is of use.
    fn judged(self) -> Result<Reply, Error> {
        failure::check(&self.text, self.finish())?;
        let Self { text, read, .. } = self;
        Ok(Reply { text, read })
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
    state: &State,
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
                    return Ok(Answer {
                        text,
                        calls: Vec::new(),
                        finish,
                        total,
                        read: None,
                    });
                }
                Draft::Lost { why } => return Err(Ended::Anew(why)),
            }
        }
    };
    let deadline = Instant::now() + link.total_timeout();
    let wanted = request.thinking;
    let chunks = link.provider().chat(request).await;
    if chunks.is_ok() {
        thinking::tell(services, state, desk, link, wanted).await;
    }
    let stopped = match chunks {
        Err(error) => Stopped::Failed(error),
        Ok(chunks) => match stream::read(chunks, &mut pieces, &mut joint, timing, deadline).await {
            Err(stopped) => stopped,
            Ok((usage, calls)) => match usage.context.check() {
                // Loaded with less than was asked for, and yet all was read.
                Err(error) if !usage.context.lost() => {
                    desk.notify(NoticeLevel::Warning, Some(error.code()), error.to_string())
                        .await;
                    return Ok(whole(services, desk, link, pieces, calls, &usage).await);
                }
                Err(error) => Stopped::Failed(error),
                Ok(()) => return Ok(whole(services, desk, link, pieces, calls, &usage).await),
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

/// What a change of models costs is told, as it was measured.
async fn loaded(services: &Services, desk: &Desk, link: &Link, load_ms: u64) {
    link.loaded(Duration::from_millis(load_ms));
    if load_ms >= LOAD_TOLD_MS {
        services.memory.loaded();
        let model = &link.identity().model;
        let message = format!("{model} had to be loaded first, which took {load_ms} ms");
        desk.notify(NoticeLevel::Info, None, message).await;
    }
}

async fn whole(
    services: &Services,
    desk: &Desk,
    link: &Link,
    pieces: Pieces<'_>,
    calls: Vec<ToolCall>,
    usage: &models::Usage,
) -> Answer {
    loaded(services, desk, link, usage.load_ms).await;
    let cut = usage.finish == Finish::Length;
    let tokens = (usage.prompt_tokens, usage.generated_tokens);
    let (text, total) = if calls.is_empty() {
        pieces.finish(tokens.0, tokens.1, cut).await
    } else {
        pieces.pause(tokens.0, tokens.1, cut).await
    };
    Answer {
        text,
        calls,
        finish: usage.finish,
        total,
        read: Some(read(link, usage)),
    }
}

fn read(link: &Link, usage: &models::Usage) -> ContextRead {
    let who = link.identity();
    let models::Context {
        requested,
        loaded,
        sent_tokens_min,
        used_tokens,
    } = usage.context;
    ContextRead {
        provider: who.provider.clone(),
        model: who.model.clone(),
        requested,
        loaded,
        sent_min: sent_tokens_min,
        used: used_tokens,
    }
}
