//! The one place of this package that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; zero on a machine whose clock stands before that.
pub fn unix_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this module is the clock adapter")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
