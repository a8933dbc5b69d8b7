//! One session while somebody uses it: what was asked in it, the turn that
//! runs, and what all who follow it must know. What is to last is in the
//! journal; this can be made again from there at any time.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use agent_client_protocol::v1::schema::{SessionInfoUpdate, SessionUpdate};
use engine::{
    Phase,
    ports::{
        journal::Status,
        sessions::{Entry as Stored, SessionChange},
    },
};
use mcp::Server;
use shared::{
    error::Code,
    id::{CorrelationId, Seq, SessionId, WorkflowId},
    redact::redact,
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::{
    editor::{self, Editors},
    listing,
    settings::{Offer, Settings},
};
use crate::{
    clock,
    error::Error,
    images::Picture,
    runtime::{Missing, Runtime, Submission},
};

/// Requests of one session; a new one is to be begun beyond that.
const ENTRIES_MAX: usize = 1_000;

/// News that a follower may not have read yet; it misses what is older.
const NEWS_MAX: usize = 64;

/// Who is on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionId(pub(super) u64);

/// One session.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) cwd: PathBuf,
    title: Mutex<Option<String>>,
    settings: watch::Sender<Settings>,
    /// The servers of tools that its client has brought.
    servers: Mutex<Vec<Server>>,
    entries: watch::Sender<Vec<Arc<Entry>>>,
    turn: Mutex<Option<Turn>>,
    /// The question that waits for words, in place of an answer.
    parked: watch::Sender<Option<Question>>,
    /// How often the open question was to be put again.
    rounds: watch::Sender<u64>,
    news: broadcast::Sender<News>,
    followers: AtomicUsize,
    pub(super) editors: Editors,
    /// Cancelled when the session is deleted.
    deleted: CancellationToken,
}

/// A question of a workflow, by the event that asked it.
pub(super) type Question = (WorkflowId, Seq);

/// What is not in the journal of a workflow.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) what: What,
    /// Who needs not be told.
    pub(super) known_to: Option<ConnectionId>,
}

/// What is new.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// This.
    Update(Box<SessionUpdate>),
    /// What is chosen, which each client is told in its own way.
    Chosen,
}

/// Something that was asked.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: CorrelationId,
    pub(super) prompt: String,
    /// Who asked it, where that is known: it needs not be told.
    pub(super) from: Option<ConnectionId>,
    pub(super) came: Came,
}

/// Work that is to begin.
pub(super) struct Work<'a> {
    pub(super) definition: &'a str,
    /// What it is to do.
    pub(super) query: String,
    /// What the person said.
    pub(super) prompt: String,
    /// What they showed.
    pub(super) images: Vec<Picture>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Came {
    /// A workflow began.
    Workflow(WorkflowId),
    /// Nothing did.
    Nothing,
    /// It was answered at once.
    Answer(String),
}

/// A turn that runs.
struct Turn {
    by: ConnectionId,
    cancelled: CancellationToken,
    /// The workflow it is about, once that is known.
    workflow: watch::Sender<Option<WorkflowId>>,
}

/// The right to run a turn; given back when dropped.
pub(super) struct Lease {
    session: Arc<Session>,
    cancelled: CancellationToken,
}

impl Lease {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    pub(super) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    pub(super) fn cancel(&self) {
        self.cancelled.cancel();
    }

    pub(super) fn works_on(&self, workflow: &WorkflowId) {
        if let Some(turn) = lock(&self.session.turn).as_ref() {
            turn.workflow.send_replace(Some(workflow.clone()));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.session.turn).take();
    }
}

/// Counts a follower for as long as it is held.
pub(super) struct Following(Arc<Session>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// The session as the journal has it.
    pub(super) async fn read(
        runtime: &Runtime,
        stored: engine::ports::sessions::Session,
    ) -> Result<Arc<Self>, Error> {
        let session = Self {
            id: stored.id,
            cwd: stored.workspace.into(),
            title: Mutex::new(stored.title),
            settings: watch::Sender::new(Settings::read(&stored.settings)),
            servers: Mutex::default(),
            entries: watch::Sender::default(),
            turn: Mutex::default(),
            parked: watch::Sender::default(),
            rounds: watch::Sender::default(),
            news: broadcast::Sender::new(NEWS_MAX),
            followers: AtomicUsize::default(),
            editors: Editors::default(),
            deleted: CancellationToken::new(),
        };
        session.refresh(runtime).await?;
        Ok(Arc::new(session))
    }

    /// Reads what was asked elsewhere meanwhile.
    pub(super) async fn refresh(&self, runtime: &Runtime) -> Result<(), Error> {
        let journal = &runtime.services().journal;
        for stored in journal.entries(self.id.clone()).await? {
            if self.entries.borrow().iter().any(|entry| entry.key == stored.key) {
                continue;
            }
            let request = stored.request();
            let came = match stored.answer {
                Some(answer) => Came::Answer(answer),
                None => match journal.find(request).await? {
                    Some((workflow, _)) => Came::Workflow(workflow),
                    None => Came::Nothing,
                },
            };
            self.push(Entry {
                key: stored.key,
                prompt: stored.prompt,
                from: None,
                came,
            });
        }
        Ok(())
    }

    /// What was asked, as it grows.
    pub(super) fn entries(&self) -> watch::Receiver<Vec<Arc<Entry>>> {
        self.entries.subscribe()
    }

    /// The place of the last entry and its workflow, if it began one.
    pub(super) fn last(&self) -> Option<(usize, WorkflowId)> {
        let entries = self.entries.borrow();
        let last = entries.last()?;
        match &last.came {
            Came::Workflow(workflow) => Some((entries.len() - 1, workflow.clone())),
            Came::Nothing | Came::Answer(_) => None,
        }
    }

    /// The workflows of the session, the oldest first.
    pub(super) fn workflows(&self) -> Vec<WorkflowId> {
        let entries = self.entries.borrow();
        let of = |entry: &Arc<Entry>| match &entry.came {
            Came::Workflow(workflow) => Some(workflow.clone()),
            Came::Nothing | Came::Answer(_) => None,
        };
        entries.iter().filter_map(of).collect()
    }

    /// The request at a place.
    pub(super) fn key_of(&self, place: usize) -> Option<CorrelationId> {
        self.entries.borrow().get(place).map(|entry| entry.key.clone())
    }

    /// The place of a request, and what came of it.
    pub(super) fn place_of(&self, key: &CorrelationId) -> Option<(usize, Arc<Entry>)> {
        let entries = self.entries.borrow();
        let mut all = entries.iter().enumerate();
        all.find(|(_, entry)| entry.key == *key)
            .map(|(place, entry)| (place, entry.clone()))
    }

    /// The place after everything that has happened so far.
    pub(super) async fn end(&self, runtime: &Runtime) -> Result<At, Error> {
        let all = At::begin(self.entries.borrow().len());
        let Some((entry, workflow)) = self.last() else {
            return Ok(all);
        };
        let head = runtime.services().journal.head(workflow).await?;
        Ok(match head {
            Some(head) if matches!(head.status, Status::Running | Status::AwaitingDecision) => At {
                entry,
                seq: head.head,
            },
            Some(_) | None => all,
        })
    }

    fn push(&self, entry: Entry) -> usize {
        let mut place = 0;
        self.entries.send_modify(|entries| {
            place = entries.len();
            entries.push(Arc::new(entry));
        });
        place
    }

    /// Begins a workflow of a definition; its place and its id. What was asked is
    /// written first: whoever dies in between leaves a request without a
    /// workflow, and never a workflow that nobody finds.
    pub(super) async fn begin_work(
        self: &Arc<Self>,
        runtime: &Runtime,
        work: Work<'_>,
        from: ConnectionId,
    ) -> Result<(usize, WorkflowId), Error> {
        let Work {
            definition,
            query,
            prompt,
            images,
        } = work;
        fits(&query)?;
        let choices = self.settings.borrow().choices(&Offer::of(runtime))?;
        if !images.is_empty() {
            runtime.check_sight(choices.model.as_deref()).await?;
        }
        // The workflow says that something was left out.
        let prompt = redact(&prompt).into_owned();
        let key = self.enter(runtime, &prompt, None).await?;
        // Its first step may ask already.
        editor::attach(runtime, &key, self);
        let submission = Submission {
            workflow_type: definition.to_owned(),
            query,
            images,
            correlation: Some(key.clone()),
            workspace: Some(self.cwd.to_string_lossy().into_owned()),
            choices,
            missing: Missing::Said,
            servers: lock(&self.servers).clone(),
        };
        let begun = runtime.submit(submission).await;
        let came = match &begun {
            Ok((workflow, _)) => Came::Workflow(workflow.clone()),
            Err(_) => Came::Nothing,
        };
        let place = self.push(Entry {
            key,
            prompt,
            from: Some(from),
            came,
        });
        begun.map(|(workflow, _)| (place, workflow))
    }

    /// The servers of tools that its client has, for what is asked from now on
    /// and for what runs. They are nowhere but in memory.
    pub(super) fn bring(&self, runtime: &Runtime, servers: Vec<Server>) {
        if let Some((_, workflow)) = self.last() {
            runtime.bring_servers(&workflow, servers.clone());
        }
        *lock(&self.servers) = servers;
    }

    /// Keeps what was answered without a workflow; its place.
    pub(super) async fn answered(
        &self,
        runtime: &Runtime,
        prompt: String,
        answer: String,
        from: ConnectionId,
    ) -> Result<usize, Error> {
        let [prompt, answer] = [prompt, answer].map(|words| redact(&words).into_owned());
        let key = self.enter(runtime, &prompt, Some(answer.clone())).await?;
        Ok(self.push(Entry {
            key,
            prompt,
            from: Some(from),
            came: Came::Answer(answer),
        }))
    }

    /// What is chosen.
    pub(super) fn settings(&self) -> watch::Receiver<Settings> {
        self.settings.subscribe()
    }

    /// Its name, once it has one.
    pub(super) fn title(&self) -> Option<String> {
        lock(&self.title).clone()
    }

    /// Its further folders.
    pub(super) fn folders(&self) -> Vec<String> {
        self.settings.borrow().folders.clone()
    }

    /// Chooses something else, and tells everybody.
    pub(super) async fn choose(&self, runtime: &Runtime, settings: Settings) -> Result<(), Error> {
        self.keep(runtime, settings).await?;
        self.send(What::Chosen, None);
        Ok(())
    }

    /// The same, of what clients are not told.
    pub(super) async fn keep(&self, runtime: &Runtime, settings: Settings) -> Result<(), Error> {
        let change = SessionChange::Set(settings.text());
        let journal = &runtime.services().journal;
        journal
            .change_session(self.id.clone(), clock::now_ms(), change)
            .await?;
        self.settings.send_replace(settings);
        Ok(())
    }

    /// Puts the open question to everybody once more; the number of that round.
    pub(super) fn ask_again(&self) -> u64 {
        self.parked.send_replace(None);
        let mut round = 0;
        self.rounds.send_modify(|rounds| {
            *rounds += 1;
            round = *rounds;
        });
        round
    }

    pub(super) fn rounds(&self) -> watch::Receiver<u64> {
        self.rounds.subscribe()
    }

    async fn enter(
        &self,
        runtime: &Runtime,
        prompt: &str,
        answer: Option<String>,
    ) -> Result<CorrelationId, Error> {
        if self.entries.borrow().len() >= ENTRIES_MAX {
            let message = format!("the session has {ENTRIES_MAX} requests: begin a new one");
            return Err(Error::user(Code::InvalidRequest, message));
        }
        // Also of a command that is answered at once: it is kept as well.
        fits(prompt)?;
        let journal = &runtime.services().journal;
        let key = CorrelationId::new(uuid::Uuid::now_v7().to_string());
        let now_ms = clock::now_ms();
        let entry = Stored {
            key: key.clone(),
            prompt: prompt.to_owned(),
            answer,
        };
        let change = SessionChange::Entered(entry);
        journal.change_session(self.id.clone(), now_ms, change).await?;
        let named = lock(&self.title).is_some();
        if !named {
            let title = listing::title(prompt);
            let change = SessionChange::Titled(title.clone());
            journal.change_session(self.id.clone(), now_ms, change).await?;
            *lock(&self.title) = Some(title);
            self.announce(self.info(now_ms));
        }
        Ok(key)
    }

    /// Names it, and tells everybody.
    pub(super) async fn rename(&self, runtime: &Runtime, title: String) -> Result<(), Error> {
        let journal = &runtime.services().journal;
        let now_ms = clock::now_ms();
        let change = SessionChange::Titled(title.clone());
        journal.change_session(self.id.clone(), now_ms, change).await?;
        *lock(&self.title) = Some(title);
        self.announce(self.info(now_ms));
        Ok(())
    }

    /// Its name, as clients are told it.
    pub(super) fn info(&self, at_ms: u64) -> SessionUpdate {
        let info = SessionInfoUpdate::new().updated_at(listing::moment(at_ms));
        SessionUpdate::SessionInfoUpdate(match lock(&self.title).clone() {
            Some(title) => info.title(title),
            None => info,
        })
    }

    /// Tells everybody what is not in the journal of a workflow.
    pub(super) fn announce(&self, update: SessionUpdate) {
        self.announce_to_others(update, None);
    }

    /// The same, but for one who knows it already.
    pub(super) fn announce_to_others(&self, update: SessionUpdate, known_to: Option<ConnectionId>) {
        self.send(What::Update(Box::new(update)), known_to);
    }

    fn send(&self, what: What, known_to: Option<ConnectionId>) {
        // Nobody follows: whoever comes reads it from the journal.
        let _nobody = self.news.send(News { what, known_to });
    }

    pub(super) fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// A question is left open: the next prompt is the answer.
    pub(super) fn park(&self, question: Question) {
        self.parked.send_replace(Some(question));
    }

    pub(super) fn parked(&self) -> watch::Receiver<Option<Question>> {
        self.parked.subscribe()
    }

    /// Waits until the turn that runs is over.
    pub(super) async fn turn_over(&self) {
        let running = lock(&self.turn).as_ref().map(|turn| turn.workflow.subscribe());
        // Its end drops the other half.
        if let Some(mut running) = running {
            while running.changed().await.is_ok() {}
        }
    }

    /// Begins a turn; `None` while one runs.
    pub(super) fn begin(self: &Arc<Self>, by: ConnectionId) -> Option<Lease> {
        let mut turn = lock(&self.turn);
        if turn.is_some() {
            return None;
        }
        let cancelled = CancellationToken::new();
        *turn = Some(Turn {
            by,
            cancelled: cancelled.clone(),
            workflow: watch::Sender::default(),
        });
        Some(Lease {
            session: self.clone(),
            cancelled,
        })
    }

    /// Stops the turn that runs; where none does, the workflow that goes on
    /// without one. A question stays open.
    pub(super) async fn cancel(&self, runtime: &Runtime) {
        if let Some(turn) = lock(&self.turn).as_ref() {
            turn.cancelled.cancel();
            return;
        }
        let Some((_, workflow)) = self.last() else {
            return;
        };
        let phase = runtime.state(&workflow).await.map(|state| state.phase.clone());
        match phase {
            Ok(Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_)) => {
                if let Err(error) = runtime.cancel(&workflow).await {
                    tracing::debug!(%workflow, %error, "not cancelled");
                }
            }
            Ok(Phase::AwaitingDecision { .. } | Phase::Finished(_)) => {}
            Err(error) => tracing::debug!(%workflow, %error, "not cancelled"),
        }
    }

    /// Waits until the turn that this client runs now is stopped; forever, if it
    /// runs none.
    pub(super) fn stopped(&self, client: ConnectionId) -> impl Future<Output = ()> + use<> {
        let turn = lock(&self.turn);
        let stopped = turn.as_ref().filter(|turn| turn.by == client);
        let stopped = stopped.map(|turn| turn.cancelled.clone());
        async move {
            match stopped {
                Some(stopped) => stopped.cancelled_owned().await,
                None => std::future::pending().await,
            }
        }
    }

    /// Cancels the workflow whose question nobody is to answer any more.
    pub(super) async fn give_up(&self, runtime: &Runtime) {
        let Some((_, workflow)) = self.last() else {
            return;
        };
        let asks = matches!(
            runtime.state(&workflow).await.map(|state| state.phase.clone()),
            Ok(Phase::AwaitingDecision { .. })
        );
        if asks && let Err(error) = runtime.cancel(&workflow).await {
            tracing::debug!(%workflow, %error, "not cancelled");
        }
    }

    /// The workflow of the turn that runs, as soon as it is known; none where
    /// no turn runs, or it ends before.
    pub(super) async fn works_on(&self) -> Option<WorkflowId> {
        let mut workflow = lock(&self.turn).as_ref()?.workflow.subscribe();
        workflow.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Whether a turn runs that this connection began.
    pub(super) fn is_run_by(&self, connection: ConnectionId) -> bool {
        lock(&self.turn)
            .as_ref()
            .is_some_and(|turn| turn.by == connection)
    }

    /// Who asked for what is worked on, where that is known.
    pub(super) fn asked_by(&self) -> Option<ConnectionId> {
        let by = lock(&self.turn).as_ref().map(|turn| turn.by);
        by.or_else(|| self.entries.borrow().last()?.from)
    }

    pub(super) fn follow(self: &Arc<Self>) -> Following {
        self.followers.fetch_add(1, Ordering::Relaxed);
        Following(self.clone())
    }

    /// How many follow it, from here and from other connections.
    pub(super) fn followers(&self) -> usize {
        self.followers.load(Ordering::Relaxed)
    }

    /// Ends it for everybody who follows it.
    pub(super) fn delete(&self) {
        self.deleted.cancel();
    }

    pub(super) fn deleted(&self) -> &CancellationToken {
        &self.deleted
    }
}

fn fits(text: &str) -> Result<(), Error> {
    let max = engine::limits::QUERY_BYTES_MAX;
    if text.len() > max {
        let message = format!("the prompt has {} bytes; {max} are allowed", text.len());
        return Err(Error::user(Code::QueryTooLong, message));
    }
    Ok(())
}

/// A place in a session: everything before `entry`, and of `entry` itself the
/// events up to `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct At {
    pub(super) entry: usize,
    pub(super) seq: Seq,
}

impl At {
    /// Before an entry.
    pub(super) fn begin(entry: usize) -> Self {
        Self {
            entry,
            seq: Seq::default(),
        }
    }
}

/// What a client was told, to the update: everything before `at`, and of `at`
/// itself so many updates. Of an entry, the request itself is event 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) at: At,
    pub(super) parts: u32,
}

impl Mark {
    /// What of an entry was told, as event and updates.
    pub(super) fn of(self, entry: usize) -> (Seq, u32) {
        match self.at.entry == entry {
            true => (self.at.seq, self.parts),
            false => (Seq::default(), 0),
        }
    }
}

impl From<At> for Mark {
    fn from(at: At) -> Self {
        let parts = if at.seq == Seq::default() { 0 } else { u32::MAX };
        Self { at, parts }
    }
}
