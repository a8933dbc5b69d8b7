//! The only place of this crate that reads a clock: how long is left.

use std::time::{Duration, Instant};

/// A moment until which something is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    began: Instant,
    patience: Duration,
}

impl Deadline {
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock adapter: measures the time-outs of servers"
    )]
    pub(crate) fn after(patience: Duration) -> Self {
        Self {
            began: Instant::now(),
            patience,
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.patience.saturating_sub(self.began.elapsed())
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn passed(&self) -> bool {
        self.left().is_zero()
    }
}
