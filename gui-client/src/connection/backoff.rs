//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubling delays with jitter: full delays would make all windows of a
/// restarted backend come back at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Delay after the first failure, in milliseconds.
    pub first_ms: u64,
    /// Longest delay, in milliseconds.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first_ms: 250,
            max_ms: 10_000,
        }
    }
}

impl Backoff {
    /// Delay after `failures` failures before this one; `fraction`, 0 to 1,
    /// takes up to half of it away.
    pub fn delay(self, failures: u32, fraction: f64) -> Duration {
        let doubled = self
            .first_ms
            .saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
        let full = Duration::from_millis(doubled.min(self.max_ms));
        full.mul_f64(1.0 - fraction.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(failures: u32, fraction: f64, expect_ms: u64) {
        assert_eq!(
            Backoff::default().delay(failures, fraction),
            Duration::from_millis(expect_ms)
        );
    }

    #[test]
    fn delays() {
        check(0, 0.0, 250);
        check(1, 0.0, 500);
        check(4, 0.0, 4_000);
        check(6, 0.0, 10_000);
        check(1_000, 0.0, 10_000);
        check(0, 1.0, 125);
        check(6, 0.5, 7_500);
    }
}
