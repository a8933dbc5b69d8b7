//! Tells one client what happens in one session: what was asked, in order, and
//! of each workflow its events as updates. What has happened and what happens
//! now come the same way, from the journal, so that a replay and the live
//! session cannot differ; and clients that follow one session do not wait for
//! each other.

mod asking;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use agent_client_protocol::v1::schema::SessionUpdate;
use engine::{Event, Outcome, Phase, Recorded, artifact::Decision};
use shared::{
    error::Code,
    id::{CorrelationId, Seq, WorkflowId},
    redact::redact,
    wire::SessionPosition,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    client::{Client, State, Stop},
    commands, editor,
    joined::{self, Held},
    pictures,
    session::{self, At, Came, ConnectionId, Entry, Mark, News, Session, What},
    settings::Offer,
    streaming::{Positions, Wish},
    terminal::Opener,
    updates::{self, Updates},
    usage::Usage,
};
use crate::{
    error::Error,
    present::{Mode, Presenter},
    runtime::{Runtime, Update},
};

/// What a client sends that is not told it again, until it is seen in the
/// journal.
const SAID_MAX: usize = 32;

/// Stands for the event of an answer that no workflow gave.
const ANSWER: Seq = Seq(1);

/// How far a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) at: At,
    pub(super) waits: Waits,
    /// How often the question was put.
    pub(super) round: u64,
}

impl Place {
    fn at(at: At) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }
}

/// What a client's question waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Waits {
    /// There is none, or its answer.
    #[default]
    Nothing,
    /// Words of the person, in place of an answer.
    Words,
    /// Somebody else's answer: this client does not give one.
    Others,
}

/// The way to one that runs.
pub(super) struct Follower {
    pub(super) place: watch::Receiver<Place>,
    /// Cancelled when it is to end.
    stop: CancellationToken,
    /// Cancelled when it may ask.
    ready: CancellationToken,
    said: Arc<Said>,
    client: Client,
}

impl Follower {
    /// Tells this client something at once.
    pub(super) fn tell(&self, update: SessionUpdate) {
        self.client.tell(update);
    }

    /// This client has said it, and needs not be told it.
    pub(super) fn said(&self, words: &str) {
        if !self.client.hears_itself() {
            self.said.add(words);
        }
    }

    /// Tells this client words of its own that the journal has nowhere; the id of that message, where
    /// messages have one.
    pub(super) fn echo(&self, words: &str) -> Option<String> {
        self.client.echo(words)
    }

    /// Tells this client what the session does now, and what it does from now on.
    pub(super) fn begin_states(&self, now: Option<State>) {
        self.client.begin_states(now);
    }

    /// Lets it ask its client.
    pub(super) fn may_ask(&self) {
        self.ready.cancel();
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

/// What runs.
pub(super) struct Following {
    runtime: Runtime,
    session: Arc<Session>,
    client: Client,
    me: ConnectionId,
    from: Mark,
    place: watch::Sender<Place>,
    stop: CancellationToken,
    ready: CancellationToken,
    said: Arc<Said>,
    _counted: session::Following,
    _edits: editor::Following,
}

/// Where updates of one entry come from.
struct Source {
    request: CorrelationId,
    workflow: Option<WorkflowId>,
    /// What of it the client was told before.
    told: (Seq, u32),
}

impl Source {
    fn of(entry: &Entry, told: (Seq, u32)) -> Self {
        let workflow = match &entry.came {
            Came::Workflow(workflow) => Some(workflow.clone()),
            Came::Nothing | Came::Answer(_) => None,
        };
        Self {
            request: entry.key.clone(),
            workflow,
            told,
        }
    }

    fn position(&self, seq: Seq, part: u32) -> SessionPosition {
        SessionPosition {
            correlation_id: self.request.clone(),
            workflow_id: self.workflow.clone(),
            seq,
            part: Some(part),
        }
    }
}

#[derive(Default)]
struct Said(Mutex<VecDeque<String>>);

impl Said {
    fn add(&self, words: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == SAID_MAX {
            said.pop_front();
        }
        // As they come back.
        said.push_back(redact(words).into_owned());
    }

    fn take(&self, words: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = said.iter().position(|other| other == words);
        found.and_then(|place| said.remove(place)).is_some()
    }
}

/// One that tells `client` everything that it was not told by `from`.
pub(super) fn new(
    runtime: Runtime,
    session: Arc<Session>,
    client: Client,
    me: ConnectionId,
    from: Mark,
) -> (Arc<Follower>, Following) {
    let (place, seen) = watch::channel(Place::default());
    let (stop, ready, said) = (
        CancellationToken::new(),
        CancellationToken::new(),
        Arc::<Said>::default(),
    );
    let follower = Follower {
        place: seen,
        stop: stop.clone(),
        ready: ready.clone(),
        said: said.clone(),
        client: client.clone(),
    };
    let following = Following {
        _counted: session.follow(),
        _edits: editor::Following::new(session.clone(), &client, me),
        runtime,
        session,
        client,
        me,
        from,
        place,
        stop,
        ready,
        said,
    };
    (Arc::new(follower), following)
}

impl Following {
    /// Runs until it is stopped or the session is deleted.
    pub(super) async fn run(self) {
        let told = tokio::select! {
            () = self.stop.cancelled() => Ok(()),
            () = self.session.deleted().cancelled() => Ok(()),
            () = self.pass_news_on() => Ok(()),
            told = Box::pin(self.entries()) => told,
        };
        if let Err(error) = told {
            tracing::warn!(%error, code = %error.code, session = %self.session.id, "a client is told no more");
        }
    }

    async fn pass_news_on(&self) {
        let mut news = self.session.news();
        // After the answer by which the client learns of the session.
        self.ready.cancelled().await;
        self.client.tell(commands::available());
        loop {
            // One that was missed is followed by a newer one.
            let Ok(News { what, known_to }) = news.recv().await else {
                continue;
            };
            if known_to == Some(self.me) {
                continue;
            }
            self.client.room().await;
            match what {
                What::Update(update) => self.client.tell(*update),
                What::Chosen => {
                    let settings = self.session.settings().borrow().clone();
                    let switches = self.client.abilities().switches;
                    for update in settings.updates(&Offer::of(&self.runtime), switches) {
                        self.client.tell(update);
                    }
                }
            }
        }
    }

    async fn entries(&self) -> Result<(), Error> {
        let mut entries = self.session.entries();
        let mut next = self.from.at.entry;
        let models = self.runtime.services().models.links().iter();
        let mut usage = Usage::new(models.map(|link| link.identity().clone()).collect());
        loop {
            let entry = match entries.wait_for(|entries| entries.len() > next).await {
                Ok(entries) => entries.get(next).cloned(),
                Err(_) => return Ok(()),
            };
            let Some(entry) = entry else { return Ok(()) };
            self.entry(next, &entry, &mut usage).await?;
            next += 1;
            self.place.send_replace(Place::at(At::begin(next)));
        }
    }

    async fn entry(&self, place: usize, entry: &Entry, usage: &mut Usage) -> Result<(), Error> {
        self.client.room().await;
        let is_mine = entry.from == Some(self.me) && !self.client.hears_itself();
        let from = Source::of(entry, self.from.of(place));
        if !is_mine {
            let mut said = vec![updates::heard(&entry.prompt)];
            if let Some(workflow) = &from.workflow {
                said.extend(pictures::of(&self.runtime, workflow).await?);
            }
            self.tell(&from, Seq::default(), said);
        }
        match &entry.came {
            Came::Workflow(workflow) => {
                editor::attach(&self.runtime, &entry.key, &self.session);
                Box::pin(self.workflow(place, workflow, &from, usage)).await
            }
            Came::Answer(answer) => {
                self.client.state(State::Running);
                self.tell(&from, ANSWER, [updates::say(answer)]);
                self.client.state(State::Idle(Stop::Ended));
                Ok(())
            }
            // Whoever asked was answered with the reason.
            Came::Nothing if is_mine => Ok(()),
            Came::Nothing => {
                self.tell(
                    &from,
                    ANSWER,
                    [updates::say("This was not begun. Send it again.")],
                );
                Ok(())
            }
        }
    }

    /// Tells what the client was not told of an event, and where it comes from.
    fn tell(&self, from: &Source, seq: Seq, updates: impl IntoIterator<Item = SessionUpdate>) {
        for (part, update) in (1..).zip(updates) {
            if (seq, part) > from.told {
                self.client.tell_from(update, || from.position(seq, part));
            }
        }
    }

    /// Tells what was held back.
    fn tell_held(&self, from: &Source, held: Option<(SessionUpdate, joined::From)>) {
        if let Some((update, (seq, part))) = held {
            self.client.tell_from(update, || from.position(seq, part));
        }
    }

    async fn workflow(
        &self,
        place: usize,
        workflow: &WorkflowId,
        from: &Source,
        usage: &mut Usage,
    ) -> Result<(), Error> {
        // From its beginning also where only the rest is told: an update says
        // what came before it.
        let begun = async {
            let watch = self.runtime.watch(workflow, Seq::default()).await?;
            Ok((watch, self.runtime.state(workflow).await?))
        };
        let (mut watch, state) = match begun.await {
            Ok(begun) => begun,
            Err(Error {
                code: Code::UnknownWorkflow,
                ..
            }) => {
                self.tell(from, ANSWER, [updates::say("What was done here was deleted.")]);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let journal = self.runtime.services().journal.clone();
        // An update in delta form needs no text from before, so none is read.
        let mut streaming = match self.client.abilities().wish {
            Wish::Updates => Some(Presenter::new(journal.clone(), watch.head().clone(), Mode::Delta)),
            Wish::Nothing => None,
        };
        let opener = Opener {
            client: self.client.clone(),
            runtime: self.runtime.clone(),
            ready: self.ready.clone(),
            workflow: workflow.clone(),
            cwd: self.session.cwd.clone(),
            is_refused: false,
        };
        let mut updates = Updates::new(journal, &state.graph, opener, usage);
        drop(state);
        self.client.state(State::Running);
        let mut stop = Stop::Ended;
        let mut asked: Option<Recorded> = None;
        let mut held = Held::default();
        let counts_pieces = self.client.abilities().positions;
        while let Some(update) = watch.next().await? {
            let Update::Event(mut recorded) = update else {
                continue;
            };
            loop {
                let seq = recorded.seq;
                // Whoever reads slowly is told later, and from the journal.
                self.client.room().await;
                let told = updates.of(&recorded.event).await?;
                if let Event::Finished(outcome) = &recorded.event {
                    stop = stopped(outcome);
                }
                if seq >= from.told.0 && !self.is_mine(&recorded.event) {
                    if let Some(presenter) = &mut streaming
                        && seq > from.told.0
                        && matches!(recorded.event, Event::Streamed(_))
                    {
                        self.client.stream(presenter.envelope(&recorded).await?);
                    }
                    for (part, update) in (1..).zip(told).filter(|(part, _)| (seq, *part) > from.told) {
                        self.tell_held(from, held.hold(update, (seq, part)));
                    }
                }
                let asks = asked.is_some() || is_asked(&recorded.event);
                // What is read back is told in larger pieces, but to who counts them.
                if counts_pieces == Positions::Untold && held.may_grow() && watch.has_read_on() && !asks {
                    break;
                }
                self.tell_held(from, held.take());
                self.place.send_replace(Place::at(At { entry: place, seq }));
                if is_asked(&recorded.event) {
                    asked = Some(recorded.clone());
                }
                let Some(question) = &asked else { break };
                if !self.is_open(workflow, question).await? {
                    asked = None;
                    break;
                }
                let put = updates.question(&question.event);
                match Box::pin(self.ask(&mut watch, workflow, question, put)).await? {
                    Some(Update::Event(later)) => {
                        self.client.state(State::Running);
                        recorded = later;
                    }
                    Some(Update::Resync { .. }) | None => break,
                }
            }
        }
        self.client.state(State::Idle(stop));
        Ok(())
    }

    /// Whether an event says again what this client has said itself.
    fn is_mine(&self, event: &Event) -> bool {
        let (Event::Remarked { text } | Event::Decided(Decision::Modify { feedback: text })) = event else {
            return false;
        };
        self.said.take(text)
    }

    /// Whether a question was not answered yet. What happens meanwhile does not
    /// answer it.
    async fn is_open(&self, workflow: &WorkflowId, asked: &Recorded) -> Result<bool, Error> {
        let state = self.runtime.state(workflow).await?;
        // One that was answered long ago was asked at another time.
        Ok(matches!(state.phase, Phase::AwaitingDecision { since_ms, .. } if since_ms == asked.at_ms))
    }
}

/// Why nothing is worked on after an outcome.
fn stopped(outcome: &Outcome) -> Stop {
    match outcome {
        Outcome::Completed | Outcome::Rejected => Stop::Ended,
        Outcome::Cancelled => Stop::Cancelled,
        Outcome::Failed(failure) => Stop::Failed {
            code: failure.code.as_str(),
            message: failure.message.clone(),
        },
    }
}

/// Whether an event asks a question.
fn is_asked(event: &Event) -> bool {
    matches!(event, Event::DecisionRequested | Event::HelpRequested { .. })
}
