//! What follows a failed call. Pure.

use std::time::Duration;

use crate::Trouble;

/// Spread of a wait that nobody prescribed, in percent: those that failed
/// together do not come back together.
const JITTER_PERCENT: u32 = 25;

/// How often and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Further calls of a provider that failed for a passing reason.
    pub retries: u32,
    /// Wait before the first of them; doubled for each.
    pub back_off: Duration,
    /// Longest such wait.
    pub back_off_max: Duration,
    /// Longest that a server may ask to wait before the next provider is asked
    /// instead.
    pub retry_after_max: Duration,
    /// Longest wait for any provider at all.
    pub wait_max: Duration,
    /// How often all providers are tried again that answer, and fail all the same.
    pub rounds: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 3,
            back_off: Duration::from_millis(500),
            back_off_max: Duration::from_secs(30),
            retry_after_max: Duration::from_secs(60),
            wait_max: Duration::from_secs(24 * 60 * 60),
            rounds: 2,
        }
    }
}

/// What follows a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The same provider again, after a wait.
    Retry {
        /// The wait.
        after: Duration,
    },
    /// The next provider.
    Next,
    /// The same provider with a shorter prompt.
    Shrink,
    /// All were tried; when one is there again, they are tried anew.
    Wait,
    /// No provider would answer.
    GiveUp,
}

/// A failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub trouble: Trouble,
    /// Calls of this provider that have failed, this one included.
    pub tries: u32,
    /// What the server asks for.
    pub retry_after: Option<Duration>,
    /// Whether the prompt was shortened for this provider.
    pub shrunk: bool,
    /// Any number.
    pub random: u32,
}

impl Policy {
    /// What follows, as far as this provider is concerned.
    pub(super) fn step(&self, failed: Failed) -> Step {
        match failed.trouble {
            Trouble::Network | Trouble::Overload | Trouble::RateLimit => {
                let after = failed.retry_after.unwrap_or_else(|| self.wait(failed));
                if failed.tries > self.retries || after > self.retry_after_max {
                    Step::Next
                } else {
                    Step::Retry { after }
                }
            }
            Trouble::Auth | Trouble::Unfit => Step::Next,
            Trouble::ContextOverflow if failed.shrunk => Step::Next,
            Trouble::ContextOverflow => Step::Shrink,
            Trouble::Invalid => Step::GiveUp,
        }
    }

    /// Twice as long for each failure, less a part that is chance.
    fn wait(&self, failed: Failed) -> Duration {
        let doublings = failed.tries.saturating_sub(1).min(16);
        let whole = self
            .back_off
            .saturating_mul(1 << doublings)
            .min(self.back_off_max);
        let off = u64::from(JITTER_PERCENT) * u64::from(failed.random) / u64::from(u32::MAX);
        let off = u32::try_from(off).unwrap_or(JITTER_PERCENT);
        whole - whole * off / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(trouble: Trouble, tries: u32) -> Failed {
        Failed {
            trouble,
            tries,
            retry_after: None,
            shrunk: false,
            random: 0,
        }
    }

    fn check(failed: Failed, expect: Step) {
        assert_eq!(Policy::default().step(failed), expect, "{failed:?}");
    }

    fn retry(after_ms: u64) -> Step {
        Step::Retry {
            after: Duration::from_millis(after_ms),
        }
    }

    #[test]
    fn passing_troubles_are_tried_again_three_times() {
        for trouble in [Trouble::Network, Trouble::Overload, Trouble::RateLimit] {
            check(failed(trouble, 1), retry(500));
            check(failed(trouble, 2), retry(1_000));
            check(failed(trouble, 3), retry(2_000));
            check(failed(trouble, 4), Step::Next);
        }
    }

    #[test]
    fn a_server_says_when_to_come_back() {
        let after = |seconds| Failed {
            retry_after: Some(Duration::from_secs(seconds)),
            ..failed(Trouble::RateLimit, 1)
        };
        check(after(0), retry(0));
        check(after(60), retry(60_000));
        check(after(61), Step::Next);
    }

    #[test]
    fn chance_takes_a_quarter_at_most() {
        let random = |random| Failed {
            random,
            ..failed(Trouble::Network, 2)
        };
        check(random(u32::MAX), retry(750));
        check(random(u32::MAX / 2), retry(880));
    }

    #[test]
    fn waits_have_an_end() {
        let policy = Policy {
            retries: 100,
            ..Policy::default()
        };
        assert_eq!(policy.step(failed(Trouble::Network, 40)), retry(30_000));
    }

    #[test]
    fn what_waiting_does_not_help() {
        check(failed(Trouble::Auth, 1), Step::Next);
        check(failed(Trouble::Unfit, 1), Step::Next);
        check(failed(Trouble::Invalid, 1), Step::GiveUp);
        check(failed(Trouble::ContextOverflow, 1), Step::Shrink);
        let shrunk = Failed {
            shrunk: true,
            ..failed(Trouble::ContextOverflow, 2)
        };
        check(shrunk, Step::Next);
    }
}
