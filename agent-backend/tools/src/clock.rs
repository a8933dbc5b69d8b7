//! The only place of this crate that asks what time it is.

use std::time::Duration;

/// Time since the Unix epoch, for times of files.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock adapter: times of copied files"
)]
pub(crate) fn since_epoch() -> Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
