//! How fast something gets on, and how long the rest will take. Pure: time
//! comes in with each note.

/// After this time a change of speed shows fully, nearly (63 %), seconds.
const MEMORY_SECONDS: f64 = 10.0;
/// Notes that follow closer are taken together, milliseconds.
const STEP_MS: u64 = 250;

/// The speed of one run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    last: Option<(u64, usize)>,
    per_second: Option<f64>,
}

impl Pace {
    /// `done` of `total` things are done at `at_ms`.
    #[expect(clippy::cast_precision_loss, reason = "a speed needs no more digits")]
    pub fn note(&mut self, at_ms: u64, done: usize, total: usize) {
        let Some((before_ms, before)) = self.last else {
            self.last = Some((at_ms, done));
            return;
        };
        let passed_ms = at_ms.saturating_sub(before_ms);
        if passed_ms < STEP_MS && done < total {
            return;
        }
        self.last = Some((at_ms, done));
        let seconds = passed_ms.max(1) as f64 / 1_000.0;
        let now = done.saturating_sub(before) as f64 / seconds;
        let weight = 1.0 - (-seconds / MEMORY_SECONDS).exp();
        self.per_second = Some(match self.per_second {
            None => now,
            Some(so_far) => so_far + weight * (now - so_far),
        });
    }

    /// Things a second, once that is known.
    pub fn rate(&self) -> Option<f64> {
        self.per_second
    }

    /// Seconds that `left` more things take, where they get on at all.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, of a number above zero"
    )]
    pub fn seconds_for(&self, left: usize) -> Option<u64> {
        let rate = self.per_second.filter(|rate| *rate > 0.0)?;
        Some((left as f64 / rate).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_rest() {
        let check = |notes: &[(u64, usize)], rate: Option<f64>, left: Option<u64>| {
            let mut pace = Pace::default();
            for (at_ms, done) in notes {
                pace.note(*at_ms, *done, 100);
            }
            let rounded = pace.rate().map(|rate| (rate * 10.0).round() / 10.0);
            assert_eq!((rounded, pace.seconds_for(30)), (rate, left), "{notes:?}");
        };
        check(&[], None, None);
        check(&[(0, 0)], None, None);
        check(&[(0, 0), (1_000, 10)], Some(10.0), Some(3));
        // Too close together to tell.
        check(&[(0, 0), (10, 10)], None, None);
        check(&[(0, 0), (1_000, 10), (1_010, 11)], Some(10.0), Some(3));
        // Standing still: slower and slower, and never done.
        check(&[(0, 0), (1_000, 10), (11_000, 10)], Some(3.7), Some(9));
        check(&[(0, 5), (1_000, 5)], Some(0.0), None);
        // A clock that goes back.
        check(&[(5_000, 0), (1_000, 100)], Some(100_000.0), Some(1));
        // Many equal steps.
        check(
            &[(0, 0), (1_000, 2), (2_000, 4), (60_000, 120)],
            Some(2.0),
            Some(15),
        );
    }
}
