//! The one place of this package that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; zero on a machine whose clock stands before that.
pub fn unix_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this module is the clock adapter")]
    let now = SystemTime::now();
    to_unix_ms(now)
}

/// A moment in milliseconds since 1970; zero before that.
pub fn to_unix_ms(moment: SystemTime) -> u64 {
    moment
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as `2026-11-21-09-05-00`, UTC, for file names.
pub fn file_stamp(unix_ms: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(unix_ms);
    format!("{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}")
}

/// A moment as `2026-11-21T09:05:00`, UTC, as Qdrant writes it.
pub fn iso(unix_ms: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(unix_ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Year, month, day, hour, minute and second. The calendar repeats every 400
/// years (146,097 days); years are counted from March, so that the leap day is
/// the last (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(unix_ms: u64) -> [u64; 6] {
    /// From 0000-03-01 to 1970-01-01.
    const DAYS_BEFORE: u64 = 719_468;
    let seconds = unix_ms / 1000;
    let days = seconds / 86_400 + DAYS_BEFORE;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let second = seconds % 86_400;
    [year, month, day, second / 3600, second / 60 % 60, second % 60]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unix_ms: u64, expect: &str) {
        assert_eq!(iso(unix_ms), expect);
    }

    #[test]
    fn moments_as_text() {
        check(0, "1970-01-01T00:00:00");
        check(951_782_399_999, "2000-02-28T23:59:59");
        check(951_782_400_000, "2000-02-29T00:00:00");
        check(1_709_251_200_000, "2024-03-01T00:00:00");
        check(1_795_252_500_000, "2026-11-21T09:15:00");
        assert_eq!(file_stamp(1_795_252_500_000), "2026-11-21-09-15-00");
    }
}
