//! What a check printed, line by line, and what is searched for in it.

use std::ops::Range;

use super::diff::display;

/// Bytes of a log that are shown: its end, which says most.
pub const LOG_BYTES_MAX: usize = 8_000_000;
/// Places that a search finds at most.
const FOUND_MAX: usize = 10_000;

/// What a check printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// Lines as they are drawn.
    pub lines: Vec<String>,
    /// Characters of the longest one.
    pub width_chars: usize,
    /// What is searched for.
    query: String,
    /// Where it is: line and bytes, in order.
    lines_found: Vec<usize>,
    ranges_found: Vec<Range<usize>>,
    /// Which of them was gone to.
    at: Option<usize>,
}

impl Log {
    /// The lines of `text`; its end, where it is too long.
    pub fn new(text: &str) -> Self {
        let cut = text.len().saturating_sub(LOG_BYTES_MAX);
        let from = (cut..text.len())
            .find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
            .unwrap_or(cut);
        let left_out = text.as_bytes()[..from]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let kept = text.get(from..).unwrap_or_default();
        let mut lines = Vec::new();
        if from > 0 {
            lines.push(format!("… {left_out} lines before this are not shown"));
        }
        lines.extend(kept.lines().map(display));
        Self {
            width_chars: lines.iter().map(|line| line.chars().count()).max().unwrap_or(0),
            lines,
            ..Self::default()
        }
    }

    /// What is searched for.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Searches for `query`, whatever its case, and goes to the first place.
    pub fn search(&mut self, query: String) {
        let wanted = query.to_ascii_lowercase();
        self.query = query;
        self.lines_found.clear();
        self.ranges_found.clear();
        if !wanted.is_empty() {
            let places = self.lines.iter().enumerate().flat_map(|(line, text)| {
                // Letters of other scripts keep their length in this, so ranges stay right.
                let text = text.to_ascii_lowercase();
                let found: Vec<usize> = text.match_indices(&wanted).map(|(at, _)| at).collect();
                found.into_iter().map(move |at| (line, at))
            });
            for (line, at) in places.take(FOUND_MAX) {
                self.lines_found.push(line);
                self.ranges_found.push(at..at + wanted.len());
            }
        }
        self.at = (!self.lines_found.is_empty()).then_some(0);
    }

    /// Goes `steps` places on, around the ends.
    pub fn step(&mut self, steps: isize) {
        let count = self.lines_found.len();
        if let (Some(at), Ok(all)) = (self.at, isize::try_from(count)) {
            let at = isize::try_from(at).unwrap_or_default();
            self.at = usize::try_from((at + steps).rem_euclid(all.max(1))).ok();
        }
    }

    /// The line that was gone to.
    pub fn current(&self) -> Option<usize> {
        self.lines_found.get(self.at?).copied()
    }

    /// What was found in a line.
    pub fn found_in(&self, line: usize) -> &[Range<usize>] {
        let from = self.lines_found.partition_point(|found| *found < line);
        let to = self.lines_found.partition_point(|found| *found <= line);
        &self.ranges_found[from..to]
    }

    /// The place that was gone to, from 1, and how many there are.
    pub fn count(&self) -> (usize, usize) {
        (self.at.map_or(0, |at| at + 1), self.lines_found.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_gone_to() {
        let mut log = Log::new("Error: x\nok\nerror ERROR\n");
        let mut check = |steps: isize, expect: (Option<usize>, (usize, usize))| {
            log.step(steps);
            assert_eq!((log.current(), log.count()), expect);
        };
        check(1, (None, (0, 0)));
        log.search("error".to_owned());
        assert_eq!(log.found_in(2), [0..5, 6..11]);
        assert!(log.found_in(1).is_empty());
        let mut check = |steps: isize, expect: (Option<usize>, (usize, usize))| {
            log.step(steps);
            assert_eq!((log.current(), log.count()), expect);
        };
        check(0, (Some(0), (1, 3)));
        check(1, (Some(2), (2, 3)));
        check(2, (Some(0), (1, 3)));
        check(-1, (Some(2), (3, 3)));
        log.search("nowhere".to_owned());
        assert_eq!((log.current(), log.count()), (None, (0, 0)));
    }

    #[test]
    fn a_long_log_is_shown_from_its_end() {
        let text = "0123456789abcde\n".repeat(LOG_BYTES_MAX / 16 + 3) + "last";
        let log = Log::new(&text);
        assert_eq!(
            log.lines.first().map(String::as_str),
            Some("… 4 lines before this are not shown")
        );
        assert_eq!(log.lines.last().map(String::as_str), Some("last"));
        assert_eq!(Log::new("").lines, Vec::<String>::new());
    }
}
