//! How alike two lines are, with a cheap bound that spares most comparisons.

/// Longest line that is compared, in characters.
const CHARS_MAX: usize = 1_000;

/// A line prepared for comparison; white space at its end does not count.
pub(super) struct Profile {
    chars: Vec<char>,
    counts: [u16; 64],
    digits: String,
}

impl Profile {
    pub(super) fn of(line: &str) -> Self {
        let chars: Vec<char> = line.trim_end().chars().collect();
        let mut counts = [0; 64];
        for c in &chars {
            let slot = &mut counts[*c as usize % 64];
            *slot = u16::saturating_add(*slot, 1);
        }
        Self {
            counts,
            digits: chars.iter().filter(|c| c.is_numeric()).collect(),
            chars,
        }
    }

    /// Never less than the similarity.
    pub(super) fn bound(&self, other: &Self) -> f32 {
        let (a, b) = (self.chars.len(), other.chars.len());
        if a + b == 0 {
            return 1.0;
        }
        let by_length = 2.0 * a.min(b) as f32 / (a + b) as f32;
        if by_length < 0.5 {
            return by_length;
        }
        let common: u32 = self
            .counts
            .iter()
            .zip(&other.counts)
            .map(|(a, b)| u32::from(*a.min(b)))
            .sum();
        2.0 * common as f32 / (a + b) as f32
    }

    /// Twice the common characters over all characters: 1 for equal lines, 0
    /// for lines that are too long to be compared.
    pub(super) fn similarity(&self, other: &Self) -> f32 {
        if self.chars == other.chars {
            return 1.0;
        }
        if self.chars.len().max(other.chars.len()) > CHARS_MAX {
            return 0.0;
        }
        let ops = similar::capture_diff_slices(similar::Algorithm::Myers, &self.chars, &other.chars);
        similar::get_diff_ratio(&ops, self.chars.len(), other.chars.len())
    }

    /// Whether the lines are as similar as that and hold the same digits:
    /// `x = 10` is not `x = 20`, however long the lines are.
    pub(super) fn is_like(&self, other: &Self, similarity_min: f32) -> bool {
        self.digits == other.digits && self.similarity(other) >= similarity_min
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_bound_is_never_less(a in "[a-e \u{141}]{0,30}", b in "[a-e \u{141}]{0,30}") {
            let (a, b) = (Profile::of(&a), Profile::of(&b));
            prop_assert!(a.bound(&b) >= a.similarity(&b) - 1e-6);
        }
    }
}
