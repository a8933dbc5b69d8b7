//! When memory is too full: two thresholds that are told once when they are
//! crossed upwards. Pure.

/// How far the use must fall below a threshold, in percent of all memory,
/// before crossing it counts again: it wavers.
const HYSTERESIS_PERCENT: f64 = 5.0;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// There is room, or nobody knows.
    Normal,
    /// Another model may not fit.
    Warning,
    /// Models will be put out of memory, or fail.
    Critical,
}

impl Level {
    /// The word for it, on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The thresholds and the side of them that was seen last.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    warning: f64,
    critical: f64,
    level: Level,
}

impl Alarm {
    /// Nothing was seen yet. Thresholds in percent.
    pub fn new(warning: u8, critical: u8) -> Self {
        Self {
            warning: f64::from(warning),
            critical: f64::from(critical),
            level: Level::Normal,
        }
    }

    /// On which side of the thresholds the memory is.
    pub fn level(&self) -> Level {
        self.level
    }

    /// So much is used, in percent; what has been crossed upwards by that.
    /// Nothing changes where nobody knows.
    pub fn see(&mut self, percentage: Option<f64>) -> Option<Level> {
        let used = percentage?;
        // A threshold that is crossed already is left a little below it.
        let margin = |level| {
            if self.level >= level {
                HYSTERESIS_PERCENT
            } else {
                0.0
            }
        };
        let now = if used >= self.critical - margin(Level::Critical) {
            Level::Critical
        } else if used >= self.warning - margin(Level::Warning) {
            Level::Warning
        } else {
            Level::Normal
        };
        let before = std::mem::replace(&mut self.level, now);
        (now > before).then_some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crossing_is_told_once() {
        use Level::{Critical, Normal, Warning};
        let mut alarm = Alarm::new(70, 90);
        let mut check = |used: f64, told: Option<Level>, level: Level| {
            assert_eq!((alarm.see(Some(used)), alarm.level()), (told, level), "{used}");
        };
        check(69.9, None, Normal);
        check(70.0, Some(Warning), Warning);
        check(75.0, None, Warning);
        // It wavers.
        check(66.0, None, Warning);
        check(71.0, None, Warning);
        check(64.9, None, Normal);
        check(71.0, Some(Warning), Warning);
        check(90.0, Some(Critical), Critical);
        check(86.0, None, Critical);
        check(84.0, None, Warning);
        check(90.0, Some(Critical), Critical);
        check(10.0, None, Normal);
        // Both at once are one thing to say.
        check(99.0, Some(Critical), Critical);
    }

    #[test]
    fn what_nobody_knows_changes_nothing() {
        let mut alarm = Alarm::new(70, 90);
        assert_eq!(alarm.see(Some(80.0)), Some(Level::Warning));
        assert_eq!((alarm.see(None), alarm.level()), (None, Level::Warning));
    }
}
