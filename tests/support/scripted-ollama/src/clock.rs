//! The one place that reads the wall clock: real servers stamp their answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;

/// Now, as Ollama prints it, plus `ahead`.
pub(crate) fn stamp(ahead: Duration) -> String {
    rfc3339(now().saturating_add(ahead))
}

/// Now, in seconds since 1970, as OpenAI has it.
pub(crate) fn seconds() -> u64 {
    now().as_secs()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock adapter; no behaviour depends on the value"
)]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// RFC 3339 in UTC with nanoseconds.
fn rfc3339(since_epoch: Duration) -> String {
    let days = since_epoch.as_secs() / SECONDS_PER_DAY;
    let second = since_epoch.as_secs() % SECONDS_PER_DAY;
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since_epoch.subsec_nanos()
    )
}

/// Year, month and day of a count of days since 1970-01-01 (H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps() {
        fn check(seconds: u64, expect: &str) {
            assert_eq!(rfc3339(Duration::from_secs(seconds)), expect);
        }
        check(0, "1970-01-01T00:00:00.000000000Z");
        check(951_782_399, "2000-02-28T23:59:59.000000000Z");
        check(951_782_400, "2000-02-29T00:00:00.000000000Z");
        check(1_234_567_890, "2009-02-13T23:31:30.000000000Z");
    }
}
