//! Reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009), as the vector
//! database computes it: the sum over the lists of `1 / (K + rank)`, ranks from
//! 0. Pure; the in-memory store uses it.

use std::collections::HashMap;
use std::hash::Hash;

/// Qdrant's constant. It is small: first places weigh much more than later ones.
pub const K: f64 = 2.0;

/// Fuses ranked lists; best first, ties in the order of first appearance.
pub fn rrf<T: Copy + Eq + Hash>(lists: &[Vec<T>]) -> Vec<(T, f64)> {
    let mut order: Vec<T> = Vec::new();
    let mut scores: HashMap<T, f64> = HashMap::new();
    for list in lists {
        for (rank, item) in list.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
            let score = 1.0 / (K + rank as f64);
            *scores.entry(*item).or_insert_with(|| {
                order.push(*item);
                0.0
            }) += score;
        }
    }
    let mut fused: Vec<(T, f64)> = order.into_iter().map(|item| (item, scores[&item])).collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_fused() {
        let check = |lists: &[Vec<u8>], expect: &[(u8, f64)]| assert_eq!(rrf(lists), expect);
        check(&[], &[]);
        check(&[vec![1, 2]], &[(1, 0.5), (2, 1.0 / 3.0)]);
        check(
            &[vec![1, 2], vec![2, 1]],
            &[(1, 0.5 + 1.0 / 3.0), (2, 1.0 / 3.0 + 0.5)],
        );
        check(
            &[vec![1, 2, 3], vec![3]],
            &[(3, 0.25 + 0.5), (1, 0.5), (2, 1.0 / 3.0)],
        );
    }
}
