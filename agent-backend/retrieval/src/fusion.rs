//! Several rankings of the same things as one. Pure.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::profile::refused;

/// How the signals of a file become one number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fusion {
    /// The sum of the signals, each divided by its best value, times its weight.
    Weighted,
    /// The same, but the signals of an embedding model complement the others:
    /// they count the less, the more the others already say for a file. They
    /// count whole where the others say nothing, and nothing for the file for
    /// which the others say most, so that a model changes what comes after the
    /// place that words and history are sure of.
    Complement,
    /// Reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009): the sum of
    /// weight / (k + rank), ranks from 1, over the signals that found the file.
    ReciprocalRank {
        /// How little first places stand out; 60 in the paper.
        k: f32,
    },
}

impl Fusion {
    /// Whether it can be used.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Weighted | Self::Complement => Ok(()),
            Self::ReciprocalRank { k } if (0.0..=10_000.0).contains(k) => Ok(()),
            Self::ReciprocalRank { .. } => Err(refused("`k` of the fusion goes from 0 to 10000")),
        }
    }
}

/// The share at which the signals of an embedding model count for a file, from
/// 0 to 1. `said` is what the other signals say for it, `most` what they say
/// for the file for which they say most; both with the weight of its class.
pub(crate) fn complement(said: f32, most: f32) -> f32 {
    if most > 0.0 {
        (1.0 - said / most).clamp(0.0, 1.0)
    } else {
        1.0
    }
}

/// The rank of each value among all of them, from 1; `None` for what was not
/// found (0). Equal values have the same rank, that of the first of them.
pub fn ranks(values: &[f32]) -> Vec<Option<u32>> {
    let mut found: Vec<f32> = values.iter().copied().filter(|value| *value > 0.0).collect();
    found.sort_by(|a, b| b.total_cmp(a));
    let rank = |value: &f32| {
        let before = found.partition_point(|other| other > value);
        (*value > 0.0).then(|| u32::try_from(before + 1).unwrap_or(u32::MAX))
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_complements_what_is_said() {
        let check = |said: f32, most: f32, expect: f32| {
            let got = complement(said, most);
            assert!((got - expect).abs() < 1e-6, "{said} of {most}: {got}");
        };
        check(0.0, 4.0, 1.0);
        check(1.0, 4.0, 0.75);
        check(4.0, 4.0, 0.0);
        // Nothing is said for any file: the model alone decides.
        check(0.0, 0.0, 1.0);
    }

    #[test]
    fn values_are_ranked() {
        let check = |values: &[f32], expect: &[Option<u32>]| assert_eq!(ranks(values), expect);
        check(&[], &[]);
        check(&[0.0, 0.0], &[None, None]);
        check(&[0.2, 0.9, 0.0, 0.5], &[Some(3), Some(1), None, Some(2)]);
        check(&[0.5, 0.9, 0.5, 0.1], &[Some(2), Some(1), Some(2), Some(4)]);
    }
}
