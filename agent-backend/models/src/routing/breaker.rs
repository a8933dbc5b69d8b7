//! A circuit breaker: a provider that keeps failing is left alone for a while,
//! and then tried with one call before all others. Pure: the time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open the circuit.
const FAILURES_MAX: u32 = 5;

/// How long an open circuit rests; doubled each time the trial fails.
const REST: Duration = Duration::from_secs(15);

/// Longest rest.
const REST_MAX: Duration = Duration::from_secs(300);

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Open,
    /// Not before then.
    Resting {
        /// When a trial is due.
        until: Instant,
    },
}

/// The circuit of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Calls pass.
    Closed { failures: u32 },
    /// No call passes.
    Resting { until: Instant, rest: Duration },
    /// One call was let through to see. It may never come to an end, so
    /// another one follows after a rest.
    Trial { since: Instant, rest: Duration },
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed { failures: 0 },
        }
    }

    /// Whether a call may be made; the first one after a rest is the trial.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        let (until, rest) = match self.state {
            State::Closed { .. } => return Admission::Open,
            State::Resting { until, rest } => (until, rest),
            State::Trial { since, rest } => (since + rest, rest),
        };
        if now < until {
            return Admission::Resting { until };
        }
        self.state = State::Trial { since: now, rest };
        Admission::Open
    }

    /// Whether calls pass without being a trial.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// A call was answered.
    pub(super) fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call failed in a way that speaks against the provider.
    pub(super) fn failed(&mut self, now: Instant) {
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < FAILURES_MAX => State::Closed {
                failures: failures + 1,
            },
            State::Closed { .. } => State::Resting {
                until: now + REST,
                rest: REST,
            },
            State::Trial { rest, .. } => {
                let rest = (rest * 2).min(REST_MAX);
                State::Resting {
                    until: now + rest,
                    rest,
                }
            }
            // The answer to a call from before the rest.
            State::Resting { until, rest } => State::Resting { until, rest },
        };
    }

    /// The provider was seen to be there: the next call is the trial.
    pub(super) fn seen(&mut self, now: Instant) {
        if let State::Resting { rest, .. } | State::Trial { rest, .. } = self.state {
            self.state = State::Resting { until: now, rest };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(at: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.admit(at), Admission::Open);
            breaker.failed(at);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.admit(now), Admission::Resting { until: now + REST });
        let mut other = Breaker::new();
        for _ in 1..FAILURES_MAX {
            other.failed(now);
        }
        other.succeeded();
        other.failed(now);
        assert_eq!(other.admit(now), Admission::Open);
        assert!(other.is_closed());
    }

    #[test]
    fn one_trial_after_the_rest() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + REST;
        assert_eq!(breaker.admit(later), Admission::Open);
        // The trial has not ended.
        assert_eq!(breaker.admit(later), Admission::Resting { until: later + REST });
        breaker.succeeded();
        assert_eq!(breaker.admit(later), Admission::Open);
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_failed_trial_rests_twice_as_long() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut rest = REST;
        for _ in 0..10 {
            now += rest;
            assert_eq!(breaker.admit(now), Admission::Open);
            breaker.failed(now);
            rest = (rest * 2).min(REST_MAX);
            assert_eq!(breaker.admit(now), Admission::Resting { until: now + rest });
        }
        assert_eq!(rest, REST_MAX);
    }

    #[test]
    fn a_trial_that_never_ends_is_followed_by_another() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.admit(now + REST), Admission::Open);
        assert_eq!(breaker.admit(now + REST + REST), Admission::Open);
    }

    #[test]
    fn one_that_is_seen_is_tried_at_once() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.seen(now);
        assert_eq!(breaker.admit(now), Admission::Open);
        assert!(!breaker.is_closed());
        let mut closed = Breaker::new();
        closed.seen(now);
        assert!(closed.is_closed());
    }
}
