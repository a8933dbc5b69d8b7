//! The clock and the source of new ids: the only place of this crate that
//! reads the time of day or makes up randomness, so that tests control both.

use std::time::{SystemTime, UNIX_EPOCH};

use shared::id::CorrelationId;

/// What the window takes from outside itself.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Seconds since the Unix epoch.
    pub now: fn() -> u64,
    /// An id that was never used before.
    pub new_id: fn() -> CorrelationId,
}

impl Clock {
    /// The real ones.
    pub fn system() -> Self {
        Self {
            now,
            new_id: || CorrelationId::new(uuid::Uuid::new_v4().to_string()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A number from 0 (included) to 1 (excluded), different each time.
pub fn fraction() -> f64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    // The upper bits of a random id are random; 2^32 steps are plenty.
    let high = u32::try_from(high >> 32).unwrap_or(0);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}
