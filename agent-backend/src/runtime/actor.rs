//! One workflow: a task that owns its state. Commands come in through a
//! bounded mailbox, events go to the journal first and then to watchers.

use std::{collections::HashMap, sync::Arc, time::Duration};

use engine::{
    Action, Command, Ctx, Event, Outcome, Phase, Recorded, State,
    blob::Blob,
    decide, history,
    ports::journal::{Append, Durability, Status},
    react,
};
use shared::{
    crash,
    error::Class,
    id::{Seq, StageId},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    followers::Followers,
    mailbox::{self, Message, Reply},
    meter,
    services::Services,
    worker,
};
use crate::{clock, error::Error};

/// Wait before an append is tried again while the journal cannot take it: the
/// disk is full, or another program holds the database.
const JOURNAL_WAIT: Duration = Duration::from_secs(1);

/// Longest sleep for a timer: the wall clock may be set while it sleeps, and
/// decides.
const TIMER_SLEEP_MAX: Duration = Duration::from_secs(30);

/// How an actor begins.
#[derive(Debug)]
pub(super) enum Begin {
    /// With these first events, which are durable already.
    New(Vec<Recorded>),
    /// After a restart of the process, or another one's death.
    Resumed {
        /// How often it was claimed since it last got this far.
        tries: u32,
    },
}

/// The way to a running workflow. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    mailbox: mpsc::Sender<Message>,
    state: watch::Receiver<Arc<State>>,
    followers: Followers,
}

impl Handle {
    /// Sends a command and waits until it is durable or refused.
    pub(super) async fn ask(&self, command: Command, blobs: Vec<Blob>) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let message = Message {
            command,
            blobs,
            reply: Reply::Person(reply),
        };
        // Both ends close only when the workflow has finished or is parked.
        self.mailbox
            .send(message)
            .await
            .map_err(|_| engine::Reject::Finished)?;
        answer.await.map_err(|_| engine::Reject::Finished)?
    }

    /// Sends a command that nobody waits for; whether there was room for it.
    pub(super) fn tell(&self, command: Command) -> bool {
        let message = Message {
            command,
            blobs: Vec::new(),
            reply: Reply::Nobody,
        };
        self.mailbox.try_send(message).is_ok()
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Recorded> {
        self.followers.join()
    }
}

/// Gives events their place and time.
pub(super) fn record(after: Seq, at_ms: u64, events: Vec<Event>) -> Vec<Recorded> {
    let mut seq = after;
    let number = |event| {
        seq = seq.next();
        Recorded { seq, at_ms, event }
    };
    events.into_iter().map(number).collect()
}

pub(super) struct Actor {
    services: Arc<Services>,
    state: Arc<State>,
    mailbox: mpsc::Receiver<Message>,
    back: mpsc::WeakSender<Message>,
    published: watch::Sender<Arc<State>>,
    followers: Followers,
    /// Cancelled when the process parks.
    stop: CancellationToken,
    /// The attempt that is worked on at each stage that runs; cancelled when
    /// its result no longer counts.
    work: HashMap<StageId, (u32, CancellationToken)>,
}

impl Actor {
    pub(super) fn new(services: Arc<Services>, state: State, stop: CancellationToken) -> (Self, Handle) {
        let (sender, mailbox) = mpsc::channel(mailbox::MESSAGES_MAX);
        let state = Arc::new(state);
        let (published, receiver) = watch::channel(state.clone());
        let followers = Followers::default();
        let back = sender.downgrade();
        let handle = Handle {
            mailbox: sender,
            state: receiver,
            followers: followers.clone(),
        };
        (
            Self {
                services,
                state,
                mailbox,
                back,
                published,
                followers,
                stop,
                work: HashMap::new(),
            },
            handle,
        )
    }

    /// Runs until the workflow has finished, the process parks, or the journal
    /// refuses.
    pub(super) async fn run(mut self, begin: Begin) -> Result<(), Error> {
        match begin {
            Begin::New(events) => {
                for event in &events {
                    self.publish(event);
                }
                self.act(&events);
            }
            Begin::Resumed { tries } => {
                let _already_told = self.handle(Command::Resume, Vec::new(), Patience::Wait).await?;
                // Rarely, because it costs a sync for each workflow at a start.
                if tries > 1 {
                    let settled = self.services.journal.settle(self.state.workflow.clone()).await;
                    match settled.map_err(Error::from) {
                        Ok(()) => {}
                        // It is said again at the next start.
                        Err(error) if error.class == Class::Transient => {
                            tracing::debug!(workflow = %self.state.workflow, %error, "not settled");
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        while !self.state.is_finished() {
            if history::should_continue(&self.state) {
                self.shorten().await?;
            }
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = due(engine::next_due_ms(&self.state), self.now_ms()) => {
                    let _always_taken = self.handle(Command::Tick, Vec::new(), Patience::Wait).await?;
                    continue;
                }
                message = self.mailbox.recv() => message,
            };
            let Some(Message {
                command,
                blobs,
                reply,
            }) = message
            else {
                return Ok(());
            };
            let patience = match &reply {
                Reply::Person(_) => Patience::Refuse,
                Reply::Worker(_) | Reply::Nobody => Patience::Wait,
            };
            let outcome = self.handle(command, blobs, patience).await?;
            match reply {
                // A person who no longer waits for the answer is not an error.
                Reply::Person(reply) => drop(reply.send(outcome)),
                Reply::Worker(_) | Reply::Nobody => {
                    if let Err(error) = outcome {
                        // Results of attempts that no longer count end here.
                        tracing::debug!(workflow = %self.state.workflow, %error, "refused");
                    }
                }
            }
        }
        Ok(())
    }

    /// The outer error ends the actor, the inner one answers the command.
    async fn handle(
        &mut self,
        command: Command,
        blobs: Vec<Blob>,
        patience: Patience,
    ) -> Result<Result<(), Error>, Error> {
        let now_ms = self.now_ms();
        let random = uuid::Uuid::new_v4().as_u64_pair().1;
        let events = match decide(&self.state, command, &Ctx { now_ms, random }) {
            Ok(events) if events.is_empty() => return Ok(Ok(())),
            Ok(events) => record(self.state.head, now_ms, events),
            Err(reject) => return Ok(Err(reject.into())),
        };
        // What is large in a state is shared: the copy is cheap.
        let mut after = State::clone(&self.state);
        for event in &events {
            engine::advance(&mut after, event);
        }
        let status = status(&after);
        let append = Append {
            workflow: self.state.workflow.clone(),
            after: self.state.head,
            durability: durability(&events),
            events: events.clone(),
            blobs,
            status: (status != self::status(&self.state)).then_some(status),
        };
        let begun = Instant::now();
        if let Err(refused) = self.append(append, patience).await? {
            return Ok(Err(refused));
        }
        crash::point("runtime:after_append");
        meter::appended(&events, begun.elapsed());
        self.state = Arc::new(after);
        self.published.send_replace(self.state.clone());
        for event in &events {
            self.publish(event);
        }
        crash::point("runtime:before_actions");
        self.act(&events);
        Ok(Ok(()))
    }

    fn now_ms(&self) -> u64 {
        engine::now_ms(&self.state, clock::now_ms())
    }

    /// Stores a shorter history, from which the next start can read.
    async fn shorten(&mut self) -> Result<(), Error> {
        let (workflow, base) = (self.state.workflow.clone(), self.state.base);
        let blob = super::replay::shorter(self.services.journal.as_ref(), &workflow, base).await?;
        let command = Command::Continue { history: blob.id() };
        let _always_taken = self.handle(command, vec![blob], Patience::Wait).await?;
        Ok(())
    }

    async fn append(&self, append: Append, patience: Patience) -> Result<Result<(), Error>, Error> {
        loop {
            let outcome = self.services.journal.append(append.clone()).await;
            self.services.pressure.note(&outcome);
            let error = match outcome {
                Ok(()) => return Ok(Ok(())),
                Err(error) => Error::from(error),
            };
            match (error.class, patience) {
                (Class::Transient, Patience::Refuse) => return Ok(Err(error)),
                (Class::Transient, Patience::Wait) => {
                    tracing::warn!(workflow = %self.state.workflow, code = %error.code, %error, "paused");
                    tokio::select! {
                        () = self.stop.cancelled() => return Err(error),
                        () = tokio::time::sleep(JOURNAL_WAIT) => {}
                    }
                }
                (Class::Permanent | Class::User | Class::Fatal, _) => return Err(error),
            }
        }
    }

    fn publish(&self, event: &Recorded) {
        self.followers.tell(event);
    }

    fn act(&mut self, events: &[Recorded]) {
        let state = self.state.clone();
        let working = state.working();
        self.work.retain(|stage, (attempt, work)| {
            let counts = working
                .iter()
                .any(|(_, running)| running.stage == *stage && running.attempt == *attempt);
            if !counts {
                work.cancel();
            }
            counts
        });
        for recorded in events {
            for action in react(&state, &recorded.event) {
                self.start(action);
            }
        }
    }

    fn start(&mut self, action: Action) {
        let job = match action {
            Action::RunStage { stage, attempt, kind } => worker::Job {
                stage,
                attempt,
                task: worker::Task::Stage(kind),
            },
            Action::WriteApply { stage, attempt } => worker::Job {
                stage,
                attempt,
                task: worker::Task::WriteApply,
            },
        };
        let (Some(back), Some(owner)) = (self.back.upgrade(), self.state.owner(&job.stage)) else {
            return;
        };
        let work = self.stop.child_token();
        let before = self.work.insert(job.stage.clone(), (job.attempt, work.clone()));
        if let Some((_, before)) = before {
            before.cancel();
        }
        let desk = worker::Desk::new(back, job.stage.clone(), job.attempt);
        let (services, state) = (self.services.clone(), worker::focus(owner));
        tokio::spawn(async move {
            // Dropping the worker at a cancel closes its connections.
            let failed = desk.clone();
            let running = super::claims::caught(async {
                worker::run(services, state, job, desk).await;
                Ok(())
            });
            if let Some(Err(error)) = work.run_until_cancelled(running).await {
                failed.fail(error).await;
            }
        });
    }
}

/// Resolves when it is worth looking whether something is due.
async fn due(due_ms: Option<u64>, now_ms: u64) {
    match due_ms {
        Some(due_ms) => {
            let wait = Duration::from_millis(due_ms.saturating_sub(now_ms));
            tokio::time::sleep(wait.min(TIMER_SLEEP_MAX)).await;
        }
        None => std::future::pending().await,
    }
}

/// What to do while the journal cannot take anything.
#[derive(Debug, Clone, Copy)]
enum Patience {
    /// A person waits for the answer: say so.
    Refuse,
    /// A worker's result must not be lost: try again until it is taken.
    Wait,
}

fn durability(events: &[Recorded]) -> Durability {
    let text_only = events
        .iter()
        .all(|recorded| matches!(recorded.event.innermost(), Event::Streamed(_)));
    if text_only {
        Durability::Process
    } else {
        Durability::Synced
    }
}

/// Status for the list.
pub(super) fn status(state: &State) -> Status {
    match &state.phase {
        Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) => Status::Running,
        Phase::AwaitingDecision { .. } => Status::AwaitingDecision,
        Phase::Finished(Outcome::Completed) => Status::Completed,
        Phase::Finished(Outcome::Rejected) => Status::Rejected,
        Phase::Finished(Outcome::Cancelled) => Status::Cancelled,
        Phase::Finished(Outcome::Failed(_)) => Status::Failed,
    }
}
