//! Decides what happens to the watched Qdrant: a pure state machine.
//!
//! It is told what happened and when, and answers with the next state and what
//! is to be done. It knows no process, no socket and no clock, so every
//! transition is a line in a table below.

use std::fmt;

/// Whose Qdrant it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A child of the launcher, which may start and stop it.
    Child,
    /// Somebody else's, which it may only watch.
    Remote,
}

/// How patient the launcher is. All times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A child that is not ready by then is killed.
    pub start_ms_max: u64,
    /// Failed probes in a row after which a ready child is killed.
    pub failures_max: u32,
    /// Wait before the first restart; each further one doubles it.
    pub backoff_ms_min: u64,
    /// Longest wait before a restart.
    pub backoff_ms_max: u64,
    /// A child that was ready for so long has earned a short wait again.
    pub settled_ms: u64,
    /// Starts in a row that may fail before the launcher gives up.
    pub attempts_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Loading a large collection from a cold disk takes minutes.
            start_ms_max: 300_000,
            failures_max: 6,
            backoff_ms_min: 500,
            backoff_ms_max: 30_000,
            settled_ms: 60_000,
            attempts_max: 10,
        }
    }
}

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Started and not yet ready.
    Starting {
        /// When.
        since_ms: u64,
        /// How many starts came before without success.
        attempt: u32,
    },
    /// Answers.
    Ready {
        /// Since when.
        since_ms: u64,
        /// How many starts it took.
        attempt: u32,
    },
    /// Ran, and does not answer.
    Degraded {
        /// Since when.
        since_ms: u64,
        /// Failed probes in a row.
        failures: u32,
        /// How many starts came before.
        attempt: u32,
    },
    /// Ended; will be started again.
    Backoff {
        /// When.
        until_ms: u64,
        /// How many starts came before.
        attempt: u32,
    },
    /// Ended for good.
    Stopped(Stop),
}

/// Why it ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was asked to.
    Requested,
    /// It failed too often; the last reason.
    GaveUp(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A probe was answered.
    Answered,
    /// A probe was not.
    Silent,
    /// The child ended or could not be started.
    Ended(String),
    /// Time passed.
    Tick,
    /// The launcher is to stop.
    StopRequested,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start the child.
    Start,
    /// Ask the child to end and wait for it.
    End,
    /// End the child at once.
    Kill,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting { .. } => "starting",
            Self::Ready { .. } => "ready",
            Self::Degraded { .. } => "degraded",
            Self::Backoff { .. } => "backoff",
            Self::Stopped(_) => "stopped",
        })
    }
}

/// The first state, with what is to be done.
pub fn start(subject: Subject, now_ms: u64) -> (State, Vec<Action>) {
    let actions = match subject {
        Subject::Child => vec![Action::Start],
        Subject::Remote => Vec::new(),
    };
    (
        State::Starting {
            since_ms: now_ms,
            attempt: 0,
        },
        actions,
    )
}

/// The state after `event`, with what is to be done.
pub fn step(
    state: State,
    event: &Event,
    subject: Subject,
    limits: &Limits,
    now_ms: u64,
) -> (State, Vec<Action>) {
    if let State::Stopped(_) = state {
        return (state, Vec::new());
    }
    match event {
        Event::StopRequested => {
            let running = !matches!(state, State::Backoff { .. });
            let actions = if running && subject == Subject::Child {
                vec![Action::End]
            } else {
                Vec::new()
            };
            (State::Stopped(Stop::Requested), actions)
        }
        Event::Answered => (answered(state, now_ms), Vec::new()),
        Event::Silent => silent(state, subject, limits, now_ms),
        Event::Ended(reason) => (ended(state, reason, limits, now_ms), Vec::new()),
        Event::Tick => tick(state, subject, limits, now_ms),
    }
}

fn answered(state: State, now_ms: u64) -> State {
    match state {
        State::Starting { attempt, .. } | State::Degraded { attempt, .. } => State::Ready {
            since_ms: now_ms,
            attempt,
        },
        // A late answer of a child that has ended means nothing.
        State::Ready { .. } | State::Backoff { .. } | State::Stopped(_) => state,
    }
}

fn silent(state: State, subject: Subject, limits: &Limits, now_ms: u64) -> (State, Vec<Action>) {
    match state {
        State::Ready { since_ms, attempt } => {
            let attempt = if settled(since_ms, limits, now_ms) {
                0
            } else {
                attempt
            };
            (
                State::Degraded {
                    since_ms: now_ms,
                    failures: 1,
                    attempt,
                },
                Vec::new(),
            )
        }
        State::Degraded {
            since_ms,
            failures,
            attempt,
        } => {
            let failures = failures.saturating_add(1);
            let hopeless = failures == limits.failures_max && subject == Subject::Child;
            let actions = if hopeless { vec![Action::Kill] } else { Vec::new() };
            (
                State::Degraded {
                    since_ms,
                    failures,
                    attempt,
                },
                actions,
            )
        }
        State::Starting { .. } | State::Backoff { .. } | State::Stopped(_) => (state, Vec::new()),
    }
}

fn ended(state: State, reason: &str, limits: &Limits, now_ms: u64) -> State {
    let attempt = match &state {
        State::Starting { attempt, .. } | State::Degraded { attempt, .. } => attempt + 1,
        State::Ready { since_ms, .. } if settled(*since_ms, limits, now_ms) => 1,
        State::Ready { attempt, .. } => attempt + 1,
        State::Backoff { .. } | State::Stopped(_) => return state,
    };
    if attempt >= limits.attempts_max {
        return State::Stopped(Stop::GaveUp(reason.to_owned()));
    }
    State::Backoff {
        until_ms: now_ms.saturating_add(backoff_ms(attempt, limits)),
        attempt,
    }
}

fn tick(state: State, subject: Subject, limits: &Limits, now_ms: u64) -> (State, Vec<Action>) {
    match state {
        State::Backoff { until_ms, attempt } if now_ms >= until_ms => (
            State::Starting {
                since_ms: now_ms,
                attempt,
            },
            vec![Action::Start],
        ),
        State::Starting { since_ms, attempt } if now_ms.saturating_sub(since_ms) >= limits.start_ms_max => {
            match subject {
                // Its end is what moves the state on.
                Subject::Child => (
                    State::Starting {
                        since_ms: now_ms,
                        attempt,
                    },
                    vec![Action::Kill],
                ),
                Subject::Remote => (
                    State::Degraded {
                        since_ms: now_ms,
                        failures: 1,
                        attempt,
                    },
                    Vec::new(),
                ),
            }
        }
        State::Starting { .. }
        | State::Ready { .. }
        | State::Degraded { .. }
        | State::Backoff { .. }
        | State::Stopped(_) => (state, Vec::new()),
    }
}

fn settled(since_ms: u64, limits: &Limits, now_ms: u64) -> bool {
    now_ms.saturating_sub(since_ms) >= limits.settled_ms
}

/// The wait before start number `attempt`, which is at least one.
fn backoff_ms(attempt: u32, limits: &Limits) -> u64 {
    let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
    limits
        .backoff_ms_min
        .saturating_mul(doubled)
        .min(limits.backoff_ms_max)
}

#[cfg(test)]
mod tests;
