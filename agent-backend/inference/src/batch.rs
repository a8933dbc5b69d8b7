//! Which texts run together: few at a time and of about one length, so that
//! little is spent on padding and memory stays bounded.

use crate::tokens::Tokens;

/// Tokens of one batch, padding included.
const TOKENS_MAX: usize = 4_096;

/// The places of the texts in order of length, longest first, in batches of at
/// most `texts_max`.
pub(crate) fn batches(texts: &[Tokens], texts_max: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(texts[*place].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for place in order {
        match batches.last_mut() {
            // The first of a batch is its longest.
            Some(batch)
                if batch.len() < texts_max && (batch.len() + 1) * texts[batch[0]].len() <= TOKENS_MAX =>
            {
                batch.push(place);
            }
            Some(_) | None => batches.push(vec![place]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_first_and_few_at_a_time() {
        let check = |lengths: &[usize], texts_max: usize, expect: &[&[usize]]| {
            let texts: Vec<Tokens> = lengths
                .iter()
                .map(|length| Tokens {
                    ids: vec![0; *length],
                    kinds: vec![0; *length],
                    cut: false,
                })
                .collect();
            assert_eq!(batches(&texts, texts_max), expect);
        };
        check(&[], 8, &[]);
        check(&[1, 3, 2], 8, &[&[1, 2, 0]]);
        check(&[1, 3, 2], 2, &[&[1, 2], &[0]]);
        check(&[2_048, 2_048, 2_048, 10], 8, &[&[0, 1], &[2, 3]]);
        check(&[8_000, 1], 8, &[&[0], &[1]]);
    }
}
