//! From one vector for each token to one for the text.

use crate::files::{Finish, Pooling};

/// Joins `rows`, vectors of `width` numbers one after the other.
pub(crate) fn pool(rows: &[f32], width: usize, finish: Finish) -> Vec<f32> {
    let mut vector = match finish.pooling {
        Pooling::First => rows.iter().take(width).copied().collect(),
        Pooling::Mean => mean(rows, width),
    };
    if finish.unit_length {
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
        }
    }
    vector
}

fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    let rows = rows.chunks_exact(width);
    let count = rows.len().max(1) as f32;
    for row in rows {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sum.iter_mut().for_each(|value| *value /= count);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooled() {
        let check = |pooling, unit_length, expect: &[f32]| {
            let finish = Finish { pooling, unit_length };
            assert_eq!(pool(&[3.0, 4.0, 9.0, 12.0], 2, finish), expect);
        };
        check(Pooling::First, false, &[3.0, 4.0]);
        check(Pooling::First, true, &[0.6, 0.8]);
        check(Pooling::Mean, false, &[6.0, 8.0]);
        check(Pooling::Mean, true, &[0.6, 0.8]);
    }

    #[test]
    fn a_vector_of_zeros_stays_finite() {
        let finish = Finish {
            pooling: Pooling::Mean,
            unit_length: true,
        };
        assert_eq!(pool(&[0.0, 0.0], 2, finish), [0.0, 0.0]);
    }
}
