//! Notices while a model writes that it goes round in circles.
//!
//! For every period up to [`PERIOD_CHARS_MAX`] it counts how long the text has
//! been equal to itself that many characters before. A period that holds for
//! [`REPEATS_MIN`] rounds and [`REPEATED_CHARS_MIN`] characters is a loop.

use crate::{Error, answer::one_line};

/// Longest repeated text that is noticed, in characters.
pub const PERIOD_CHARS_MAX: usize = 600;

/// Rounds that make a loop, the first one not counted.
const REPEATS_MIN: usize = 5;

/// Repeated characters that make a loop: rulers, tables of zeros and lists of
/// equal lines are shorter.
const REPEATED_CHARS_MIN: usize = 800;

/// Characters of the repeated text that are reported.
const SAMPLE_CHARS_MAX: usize = 80;

/// A loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repetition {
    /// The repeated text, shortened to one line.
    pub sample: String,
    /// Length of the repeated text, in characters.
    pub period_chars: usize,
    /// How often it was seen in a row.
    pub times: usize,
}

impl From<Repetition> for Error {
    fn from(repetition: Repetition) -> Self {
        Self::Repeats {
            sample: repetition.sample,
            times: repetition.times,
        }
    }
}

/// Reads a stream piece by piece. About [`PERIOD_CHARS_MAX`] comparisons per
/// character and a fixed amount of memory.
#[derive(Debug, Clone)]
pub struct LoopDetector {
    /// The last characters, a ring.
    ring: Vec<char>,
    next: usize,
    /// For each period, how long the text has been equal to itself.
    equal: Vec<u32>,
}

impl Default for LoopDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl LoopDetector {
    /// A detector that has read nothing.
    pub fn new() -> Self {
        Self {
            ring: vec!['\0'; PERIOD_CHARS_MAX],
            next: 0,
            equal: vec![0; PERIOD_CHARS_MAX],
        }
    }

    /// Reads on. The loop is reported as soon as it is one, with the shortest
    /// period; afterwards the detector begins anew.
    pub fn push(&mut self, text: &str) -> Option<Repetition> {
        for c in text.chars() {
            if let Some(period) = self.step(c) {
                let repetition = self.report(period);
                *self = Self::new();
                return Some(repetition);
            }
        }
        None
    }

    fn step(&mut self, c: char) -> Option<usize> {
        // The ring from the newest character backwards, in two straight runs.
        // Without a branch in the loop: it runs for every character of every model.
        let (older, newer) = self.ring.split_at(self.next);
        let (near, far) = self.equal.split_at_mut(older.len());
        let mut longest = 0;
        for (run, equal) in [(older, near), (newer, far)] {
            for (known, equal) in run.iter().rev().zip(equal) {
                *equal = (*equal + 1) * u32::from(*known == c);
                longest = longest.max(*equal);
            }
        }
        let found = if longest as usize >= REPEATED_CHARS_MIN {
            self.looping()
        } else {
            None
        };
        self.ring[self.next] = c;
        self.next = (self.next + 1) % PERIOD_CHARS_MAX;
        found
    }

    /// The shortest period that has held for long enough.
    fn looping(&self) -> Option<usize> {
        let mut periods = self.equal.iter().zip(1_usize..);
        periods
            .find(|(equal, period)| **equal as usize >= (period * REPEATS_MIN).max(REPEATED_CHARS_MIN))
            .map(|(_, period)| period)
    }

    fn report(&self, period: usize) -> Repetition {
        let start = self.next + PERIOD_CHARS_MAX - period;
        let round: String = (0..period)
            .map(|index| self.ring[(start + index) % PERIOD_CHARS_MAX])
            .collect();
        let times = self
            .equal
            .get(period - 1)
            .map_or(0, |equal| *equal as usize / period + 1);
        Repetition {
            sample: one_line(&round, SAMPLE_CHARS_MAX),
            period_chars: period,
            times,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in pieces of `piece` characters.
    fn read(text: &str, piece: usize) -> Option<Repetition> {
        let mut detector = LoopDetector::new();
        let chars: Vec<char> = text.chars().collect();
        chars
            .chunks(piece)
            .find_map(|chunk| detector.push(&chunk.iter().collect::<String>()))
    }

    #[track_caller]
    fn check(text: &str, period: Option<usize>) {
        let whole = read(text, usize::MAX);
        assert_eq!(
            whole.as_ref().map(|found| found.period_chars),
            period,
            "{text:.60}"
        );
        assert_eq!(whole, read(text, 3), "in pieces");
    }

    #[test]
    fn loops() {
        let line = "    return self.items.get(key, default)\n";
        check(&line.repeat(60), Some(line.len()));
        check(&"\n".repeat(2_000), Some(1));
        check(&"äö".repeat(2_000), Some(2));
        let function: String = (0..12)
            .map(|n| format!("line {n} of a function that is long\n"))
            .collect();
        check(
            &format!("intro\n{}", function.repeat(8)),
            Some(function.chars().count()),
        );
    }

    #[test]
    fn texts_that_are_no_loops() {
        check("", None);
        check(&"=".repeat(200), None);
        check(&"0, ".repeat(100), None);
        check(&"    },\n".repeat(40), None);
        let cases: String = (0..400)
            .map(|n| format!("    check({n}, {});\n", n * 7))
            .collect();
        check(&cases, None);
        check(&include_str!("../edit/parse.rs").repeat(2), None);
    }

    #[test]
    fn what_is_reported() {
        let found = read(&"again and ".repeat(100), 7);
        assert_eq!(
            found,
            Some(Repetition {
                sample: "again and".into(),
                period_chars: 10,
                times: 81
            })
        );
    }
}
