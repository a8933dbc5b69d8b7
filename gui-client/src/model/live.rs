//! Text that a model is writing, kept as lines so that showing the visible
//! ones costs the same however long the text is.

use shared::{id::StageId, wire::Body};

use super::{
    diff::{LINE_CHARS_MAX, display_within},
    syntax::Language,
};

/// The text of one attempt at one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// The stage that writes.
    pub stage_id: StageId,
    /// Attempt at it, from 1.
    pub attempt: u32,
    /// Lines as shown; the last one is being written.
    pub lines: Vec<String>,
    /// Lines from which on the text is of this language: what a model fences in.
    pub fences: Vec<(usize, Language)>,
    /// Where the newest update began: line, and byte in that line.
    pub fresh: (usize, usize),
    /// Tokens so far.
    pub tokens: u64,
    /// Tokens a second; none until it can be told.
    pub rate: Option<f64>,
    /// Seconds it took, once it is done and known.
    pub seconds: Option<f64>,
    /// Whether the last update came.
    pub done: bool,
    /// Code points received, which is what offsets count.
    chars: u64,
    /// Code points received of the last line.
    line_chars: usize,
    /// Second and tokens of the first update, for the rate.
    first: Option<(u64, u64)>,
}

impl Live {
    /// An empty text.
    pub fn new(stage_id: StageId, attempt: u32) -> Self {
        Self {
            stage_id,
            attempt,
            lines: vec![String::new()],
            fences: Vec::new(),
            fresh: (0, 0),
            tokens: 0,
            rate: None,
            seconds: None,
            done: false,
            chars: 0,
            line_chars: 0,
            first: None,
        }
    }

    /// Takes an `agent_streaming_update`; other bodies change nothing.
    pub fn take(&mut self, body: &Body, timestamp: u64) {
        let Body::AgentStreamingUpdate {
            delta,
            offset,
            partial_result,
            tokens_so_far,
            is_final,
            metrics,
            ..
        } = body
        else {
            return;
        };
        match partial_result {
            // The text does not continue ours: the whole one is at hand.
            Some(whole) if *offset != self.chars => {
                self.lines = vec![String::new()];
                self.fences.clear();
                self.chars = 0;
                self.line_chars = 0;
                self.push(whole);
            }
            Some(_) | None => self.push(delta),
        }
        self.tokens = *tokens_so_far;
        self.done = *is_final;
        let (second, tokens) = *self.first.get_or_insert((timestamp, *tokens_so_far));
        let elapsed = timestamp.saturating_sub(second);
        if elapsed > 0 {
            self.rate = Some(ratio(tokens_so_far.saturating_sub(tokens), elapsed));
        }
        if let Some(metrics) = metrics {
            self.rate = Some(metrics.tokens_per_sec);
            self.seconds = Some(metrics.generation_time_sec);
        }
    }

    fn push(&mut self, text: &str) {
        self.chars += text.chars().count() as u64;
        let last = self.lines.len().saturating_sub(1);
        self.fresh = (last, self.lines.last().map_or(0, String::len));
        for (index, part) in text.split('\n').enumerate() {
            if index > 0 {
                self.note_fence();
                self.lines.push(String::new());
                self.line_chars = 0;
            }
            // What is beyond that was said to be left out, once.
            if self.line_chars <= LINE_CHARS_MAX
                && let Some(line) = self.lines.last_mut()
            {
                line.push_str(&display_within(part, LINE_CHARS_MAX - self.line_chars));
            }
            self.line_chars += part.chars().count();
        }
    }

    /// The last line is whole now: remembers it if it begins or ends a fence.
    fn note_fence(&mut self) {
        let Some(mark) = self.lines.last().and_then(|line| line.trim().strip_prefix("```")) else {
            return;
        };
        let language = if mark.is_empty() {
            Language::Answer
        } else {
            Language::of_fence(mark)
        };
        self.fences.push((self.lines.len(), language));
    }

    /// What line `at` is written in.
    pub fn language(&self, at: usize) -> Language {
        let after = self.fences.partition_point(|(from, _)| *from <= at);
        let fence = after.checked_sub(1).and_then(|index| self.fences.get(index));
        fence.map_or(Language::Answer, |(_, language)| *language)
    }
}

#[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
fn ratio(tokens: u64, seconds: u64) -> f64 {
    tokens as f64 / seconds as f64
}

#[cfg(test)]
mod tests {
    use shared::wire::Metrics;

    use super::*;

    fn update(delta: &str, offset: u64, whole: Option<&str>, tokens: u64, metrics: Option<Metrics>) -> Body {
        Body::AgentStreamingUpdate {
            stage_id: StageId::new("code_generation"),
            attempt: 1,
            delta: delta.to_owned(),
            offset,
            partial_result: whole.map(str::to_owned),
            tokens_so_far: tokens,
            is_final: metrics.is_some(),
            metrics,
        }
    }

    fn check(updates: &[(u64, Body)], lines: &[&str], fresh: (usize, usize), rate: Option<f64>) {
        let mut live = Live::new(StageId::new("code_generation"), 1);
        for (second, body) in updates {
            live.take(body, *second);
        }
        assert_eq!(
            (live.lines, live.fresh, live.rate),
            (lines.iter().map(|line| (*line).to_owned()).collect(), fresh, rate)
        );
    }

    #[test]
    fn updates() {
        check(&[], &[""], (0, 0), None);
        check(
            &[(1, update("def f(", 0, None, 5, None))],
            &["def f("],
            (0, 0),
            None,
        );
        check(
            &[
                (1, update("def f(", 0, None, 5, None)),
                (3, update("a):\n\treturn", 6, None, 15, None)),
            ],
            &["def f(a):", "    return"],
            (0, 6),
            Some(5.0),
        );
        // A line without an end is shown up to where it can be read.
        let long = "x".repeat(LINE_CHARS_MAX - 1);
        check(
            &[
                (1, update(&long, 0, None, 5, None)),
                (1, update("yzz", 1_999, None, 6, None)),
                (1, update(&"z".repeat(1_000_000), 2_002, None, 7, None)),
                (1, update("\nb", 1_002_002, None, 8, None)),
            ],
            &[&format!("{long}y … (line shortened)"), "b"],
            (0, LINE_CHARS_MAX + " … (line shortened)".len()),
            None,
        );
        // A hole is filled from the whole text.
        check(
            &[(1, update("z", 3, Some("xy\nz"), 9, None))],
            &["xy", "z"],
            (0, 0),
            None,
        );
        let metrics = Metrics {
            generation_time_sec: 3.5,
            tokens_per_sec: 22.3,
        };
        check(
            &[(1, update("x", 0, None, 78, Some(metrics)))],
            &["x"],
            (0, 0),
            Some(22.3),
        );
    }
}
