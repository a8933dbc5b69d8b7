//! The only place of this crate that reads a clock: how long something took,
//! and what time it is.

use std::time::Duration;

/// A running measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock adapter: measures time-outs of child processes"
    )]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn elapsed_ms(self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Time since the Unix epoch, for times of files.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock adapter: times of copied files"
)]
pub(crate) fn since_epoch() -> Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
