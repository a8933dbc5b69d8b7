//! One workspace's task: feeds the machine, does what it says.

use std::{path::PathBuf, sync::Arc, time::Duration};

use retrieval::{Change, Touched};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Index,
    known::Known,
    machine::{Command, Effect, Input, Machine, Problem, Status},
    watch::Watch,
};
use crate::error::Error;

/// A look at everything takes at most one part in … of the time, however
/// restless the files are.
const LOOK_SHARE: u32 = 4;
/// Longest rest after a look at everything.
const REST_MAX: Duration = Duration::from_secs(30);

/// What all workspaces share.
pub(super) struct Shared {
    pub index: Arc<dyn Index>,
    pub known: Known,
    /// One workspace embeds at a time.
    pub turn: Semaphore,
    pub stop: CancellationToken,
}

/// What the task gets.
#[derive(Debug)]
pub(super) enum Message {
    /// A command; answered when it has been obeyed.
    Command(Command, oneshot::Sender<()>),
    /// Answered when everything that changed before is in the keyword index.
    Settle(oneshot::Sender<()>),
    /// From work of the task's own.
    Work(Work),
}

/// What its own work says.
#[derive(Debug)]
pub(super) enum Work {
    /// A look ended, and how long it took.
    Looked {
        number: u64,
        input: Input,
        took: Duration,
    },
    /// From a run over the vectors.
    Embedding {
        number: u64,
        input: Input,
    },
    Other(Input),
}

/// A handle on the task.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub messages: mpsc::UnboundedSender<Message>,
    pub status: watch::Receiver<Status>,
}

pub(super) struct Actor {
    root: PathBuf,
    shared: Arc<Shared>,
    machine: Machine,
    watch: Arc<Watch>,
    status: watch::Sender<Status>,
    inbox: mpsc::UnboundedReceiver<Message>,
    back: mpsc::UnboundedSender<Message>,
    begun: Instant,
    due: Option<Instant>,
    /// No look at everything before this.
    rest_until: Instant,
    looks: u64,
    runs: u64,
    run: Option<AbortHandle>,
    /// Who waits for the keyword index.
    settling: Vec<oneshot::Sender<()>>,
    /// Who waits for a removal.
    deleting: Vec<oneshot::Sender<()>>,
}

impl Actor {
    pub(super) fn start(root: PathBuf, shared: Arc<Shared>) -> Handle {
        let machine = Machine::new(shared.known.wish(&root));
        let (back, inbox) = mpsc::unbounded_channel();
        let status = watch::Sender::new(machine.status());
        let handle = Handle {
            messages: back.clone(),
            status: status.subscribe(),
        };
        let now = Instant::now();
        let actor = Self {
            watch: Arc::new(Watch::new(&root)),
            root,
            shared,
            machine,
            status,
            inbox,
            back,
            begun: now,
            due: None,
            rest_until: now,
            looks: 0,
            runs: 0,
            run: None,
            settling: Vec::new(),
            deleting: Vec::new(),
        };
        tokio::spawn(actor.run());
        handle
    }

    async fn run(mut self) {
        let stop = self.shared.stop.clone();
        let watch = Arc::clone(&self.watch);
        loop {
            let burst_over = self.burst_over();
            let due = self.due;
            tokio::select! {
                () = stop.cancelled() => break,
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => break,
                },
                () = watch.inbox().rung() => {}
                () = at(burst_over) => self.flush().await,
                () = at(due) => {
                    self.due = None;
                    self.feed(Input::Due).await;
                }
            }
        }
        self.stop_embedding();
        self.watch.stop();
    }

    /// When what was seen is looked at.
    fn burst_over(&self) -> Option<Instant> {
        let burst = self.watch.inbox().burst();
        let due = burst.due()?;
        Some(if burst.is_everything() {
            due.max(self.rest_until)
        } else {
            due
        })
    }

    async fn flush(&mut self) {
        let change = self.watch.inbox().burst().take();
        if let Some(change) = change {
            self.feed(Input::Changed(change)).await;
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Command(command, done) => {
                self.feed(Input::Command(command)).await;
                if command == Command::Delete {
                    self.deleting.push(done);
                } else {
                    // Whoever asked may have gone.
                    let _gone = done.send(());
                }
            }
            Message::Settle(done) => {
                self.watch.catch_up().await;
                self.flush().await;
                self.settling.push(done);
            }
            Message::Work(Work::Looked { number, input, took }) => {
                if number == self.looks {
                    self.rest_until = Instant::now() + took.saturating_mul(LOOK_SHARE).min(REST_MAX);
                    self.feed(input).await;
                }
            }
            Message::Work(Work::Embedding { number, input }) => {
                if number == self.runs {
                    self.feed(input).await;
                }
            }
            Message::Work(Work::Other(input)) => self.feed(input).await,
        }
        if self.machine.is_settled() {
            tell(&mut self.settling);
        }
        if self.machine.is_closed() {
            tell(&mut self.deleting);
        }
    }

    async fn feed(&mut self, input: Input) {
        for effect in self.machine.take(input) {
            self.act(effect).await;
        }
        let now = self.machine.status();
        self.status.send_if_modified(|told| {
            let news = *told != now;
            if news {
                *told = now;
            }
            news
        });
    }

    async fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Look(change) => {
                // Before the look: what is closed has forgotten it.
                self.shared.index.embedding(&self.root, self.machine.embedding());
                self.look(change);
            }
            Effect::Embed => self.embed(),
            Effect::StopEmbedding => self.stop_embedding(),
            Effect::Wait(time) => self.due = Some(Instant::now() + time),
            Effect::Remember(wish) => {
                self.shared.index.embedding(&self.root, self.machine.embedding());
                let (shared, root) = (Arc::clone(&self.shared), self.root.clone());
                let written = tokio::task::spawn_blocking(move || shared.known.remember(&root, wish));
                if let Ok(Err(error)) = written.await {
                    tracing::warn!(%error, "what is wanted of an index cannot be written down");
                }
            }
            Effect::Forget => {
                let (shared, root, back) = (Arc::clone(&self.shared), self.root.clone(), self.back.clone());
                tokio::spawn(async move {
                    let outcome = shared.index.forget(&root).await.map_err(problem);
                    send(&back, Work::Other(Input::Forgotten(outcome)));
                });
            }
            Effect::Close => {
                // A look that is going on counts for nothing any more.
                self.looks += 1;
                self.due = None;
                self.watch.stop();
                self.shared.index.close(&self.root);
            }
        }
    }

    fn look(&mut self, change: Change) {
        self.looks += 1;
        let number = self.looks;
        let (shared, root, back, watch) = (
            Arc::clone(&self.shared),
            self.root.clone(),
            self.back.clone(),
            Arc::clone(&self.watch),
        );
        tokio::spawn(async move {
            let begun = Instant::now();
            // Watched before it is looked at: what changes in between is seen.
            let touched = change.files.clone();
            let covered = tokio::task::spawn_blocking(move || watch.cover(&touched)).await;
            let watched = covered.unwrap_or(Ok(()));
            let outcome = shared.index.catch_up(&root, change.clone()).await;
            if watched.is_err() {
                shared.index.unwatch(&root).await;
            }
            send(&back, Work::Other(Input::Watched(watched)));
            let took = match change.files {
                Touched::Everything => begun.elapsed(),
                Touched::Nothing | Touched::Paths(_) => Duration::ZERO,
            };
            let input = Input::Looked(outcome.map_err(problem));
            send(&back, Work::Looked { number, input, took });
        });
    }

    fn embed(&mut self) {
        self.runs += 1;
        let number = self.runs;
        let (shared, root, back, begun) = (
            Arc::clone(&self.shared),
            self.root.clone(),
            self.back.clone(),
            self.begun,
        );
        let task = tokio::spawn(async move {
            // Never closed.
            let _turn = shared.turn.acquire().await;
            let tell = |progress| {
                let at_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                let input = Input::Progress { progress, at_ms };
                send(&back, Work::Embedding { number, input });
            };
            let outcome = shared.index.embed(&root, &tell).await;
            let input = Input::Embedded(outcome.map_err(problem));
            send(&back, Work::Embedding { number, input });
        });
        self.run = Some(task.abort_handle());
    }

    fn stop_embedding(&mut self) {
        self.runs += 1;
        if let Some(run) = self.run.take() {
            run.abort();
        }
    }
}

fn problem(error: Error) -> Problem {
    Problem {
        class: error.class,
        code: error.code,
        message: error.message,
    }
}

fn send(back: &mpsc::UnboundedSender<Message>, work: Work) {
    // The task ends only with the whole program.
    let _ended = back.send(Message::Work(work));
}

fn tell(waiting: &mut Vec<oneshot::Sender<()>>) {
    for done in waiting.drain(..) {
        // Whoever asked may have gone.
        let _gone = done.send(());
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
