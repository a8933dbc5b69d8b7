//! A real Qdrant: as a child that is started, watched and stopped, or somebody
//! else's that is only watched.
//!
//! Carries out what the [`supervisor`](crate::supervisor) decides. It must never
//! know about the embedded engine.

pub mod copies;
pub mod orphan;
mod probe;
pub mod process;
pub mod program;

use std::{path::PathBuf, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, Result},
    supervisor::{self, Action, Event, Limits, State, Stop, Subject},
};

pub use probe::Probe;
use process::Child;

/// How often the answers are looked at.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// How long a child may take to end before it is killed.
const END_TIME_MAX: Duration = Duration::from_secs(20);

/// What is known at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where the state machine stands.
    pub state: State,
    /// The child's process, if there is one.
    pub pid: Option<u32>,
    /// Why it is not ready, if so.
    pub detail: String,
}

impl Snapshot {
    /// Before anything happened.
    pub fn new() -> Self {
        let (state, _) = supervisor::start(Subject::Remote, 0);
        Self {
            state,
            pid: None,
            detail: String::new(),
        }
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new()
    }
}

/// How a child is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its folder: configuration, storage and the record of the child.
    pub folder: PathBuf,
}

/// Watches until `stop`, keeping `snapshot` up to date. With `launch` it also
/// starts the program, starts it again when it ends, and ends it at the end.
///
/// # Errors
/// [`Error::Qdrant`] when the child failed too often.
pub async fn run(
    launch: Option<Launch>,
    probe: Probe,
    limits: Limits,
    snapshot: watch::Sender<Snapshot>,
    stop: CancellationToken,
) -> Result<()> {
    let subject = if launch.is_some() {
        Subject::Child
    } else {
        Subject::Remote
    };
    let begun = Instant::now();
    let now_ms = || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut probes = tokio::time::interval(PROBE_INTERVAL);
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut worker = Worker { launch, child: None };
    let (mut state, mut actions) = supervisor::start(subject, now_ms());
    let mut told = String::new();
    loop {
        let mut failed = None;
        for action in actions.drain(..) {
            failed = worker.carry_out(&action).await.or(failed);
        }
        let (event, detail) = match failed {
            Some(reason) => (Event::Ended(reason.clone()), reason),
            None => {
                publish(&snapshot, &state, worker.pid(), None);
                if let State::Stopped(stop) = state {
                    return match stop {
                        Stop::Requested => Ok(()),
                        Stop::GaveUp(reason) => {
                            Err(Error::Qdrant(format!("Qdrant ends again and again: {reason}")))
                        }
                    };
                }
                tokio::select! {
                    // An order given twice is better late than a child that is
                    // started again while everything stops.
                    biased;
                    () = stop.cancelled() => (Event::StopRequested, String::new()),
                    reason = worker.ended() => (Event::Ended(reason.clone()), reason),
                    _ = probes.tick() => {
                        let (next, more) = supervisor::step(state, &Event::Tick, subject, &limits, now_ms());
                        state = next;
                        actions = more;
                        if !actions.is_empty() {
                            continue;
                        }
                        tokio::select! {
                            biased;
                            () = stop.cancelled() => (Event::StopRequested, String::new()),
                            answer = probe.ready() => match answer {
                                Ok(()) => (Event::Answered, String::new()),
                                Err(reason) => (Event::Silent, reason),
                            },
                        }
                    }
                }
            }
        };
        let before = state.to_string();
        (state, actions) = supervisor::step(state, &event, subject, &limits, now_ms());
        let after = state.to_string();
        // Before it is told: whoever read the line may ask for the status at once.
        publish(&snapshot, &state, worker.pid(), Some(detail.clone()));
        if before != after {
            tracing::info!(from = before, to = after, detail, "Qdrant");
        } else if event == Event::Silent && detail != told {
            // Once for each reason, so that who mistyped an address need not wait
            // for the patience to end.
            match subject {
                // It answers nobody before it has loaded its data.
                Subject::Child => tracing::info!(state = after, detail, "Qdrant is not ready"),
                Subject::Remote => tracing::warn!(state = after, detail, "Qdrant is not ready"),
            }
        }
        told = detail;
    }
}

fn publish(snapshot: &watch::Sender<Snapshot>, state: &State, pid: Option<u32>, detail: Option<String>) {
    snapshot.send_modify(|known| {
        known.state = state.clone();
        known.pid = pid;
        if let Some(detail) = detail {
            known.detail = detail;
        }
    });
}

struct Worker {
    launch: Option<Launch>,
    child: Option<Child>,
}

impl Worker {
    fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// Returns why it failed, if it did.
    async fn carry_out(&mut self, action: &Action) -> Option<String> {
        match action {
            Action::Start => {
                let launch = self.launch.as_ref()?;
                match Child::start(launch).await {
                    Ok(child) => {
                        tracing::info!(pid = child.pid(), program = %launch.program.display(), "started Qdrant");
                        self.child = Some(child);
                        None
                    }
                    Err(error) => Some(error.to_string()),
                }
            }
            Action::End => {
                if let Some(child) = self.child.take() {
                    child.end(END_TIME_MAX).await;
                }
                None
            }
            Action::Kill => {
                if let Some(child) = &mut self.child {
                    child.kill();
                }
                None
            }
        }
    }

    /// Waits for the child's end and says how it ended; forever without one.
    async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => {
                let reason = child.ended().await;
                self.child = None;
                reason
            }
            None => std::future::pending().await,
        }
    }
}
