//! Drops results that say what a better one says. Pure.

use std::collections::HashSet;

use crate::bm25;
use crate::explain::{By, Duplicate};
use crate::profile::Dedup;
use crate::report::Item;
use crate::tokenize;

/// Words in a row that are compared where there are no vectors.
const SHINGLE: usize = 5;
/// Fewer shared words than this are chance: short accessors look alike.
const SHINGLES_MIN: usize = 8;

/// A result and, if the database gave it, its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The result.
    pub item: Item,
    /// Its embedding.
    pub vector: Option<Vec<f32>>,
}

/// The candidates, best first, of which none says what one before it says, and
/// for each what was dropped for its sake.
pub fn unique(candidates: Vec<Candidate>, dedup: &Dedup) -> Vec<(Item, Vec<Duplicate>)> {
    let mut kept: Vec<(Candidate, HashSet<u64>, Vec<Duplicate>)> = Vec::new();
    for candidate in candidates {
        let own = shingles(&candidate.item.text);
        let same = kept.iter_mut().find_map(|(other, theirs, duplicates)| {
            likeness((&candidate, &own), (other, theirs), dedup).map(|found| (found, duplicates))
        });
        match same {
            Some(((likeness, by), duplicates)) => duplicates.push(Duplicate {
                path: candidate.item.path,
                start_line: candidate.item.start_line,
                likeness,
                by,
            }),
            None => kept.push((candidate, own, Vec::new())),
        }
    }
    kept.into_iter()
        .map(|(candidate, _, duplicates)| (candidate.item, duplicates))
        .collect()
}

/// How alike two candidates are, if it is enough.
fn likeness(
    (a, a_shingles): (&Candidate, &HashSet<u64>),
    (b, b_shingles): (&Candidate, &HashSet<u64>),
    dedup: &Dedup,
) -> Option<(f32, By)> {
    let (value, by, least) = match (&a.vector, &b.vector) {
        (Some(a), Some(b)) => (cosine(a, b), By::Embedding, dedup.cosine),
        _ => {
            if a_shingles.len().min(b_shingles.len()) < SHINGLES_MIN {
                return None;
            }
            (jaccard(a_shingles, b_shingles), By::Shingles, dedup.shingles)
        }
    };
    (value >= least).then_some((value, by))
}

/// The runs of words of a text, as hashes.
fn shingles(text: &str) -> HashSet<u64> {
    let words: Vec<u32> = tokenize::words(text).map(bm25::term_id).collect();
    let hash = |run: &[u32]| {
        let mix = |hash: u64, word: &u32| (hash ^ u64::from(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        run.iter().fold(0, mix)
    };
    words.windows(SHINGLE).map(hash).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^24")]
fn jaccard(a: &HashSet<u64>, b: &HashSet<u64>) -> f32 {
    let common = a.intersection(b).count();
    common as f32 / (a.len() + b.len() - common).max(1) as f32
}

/// The cosine of two vectors; 0 if one is zero or they differ in length.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return 0.0;
    }
    let norms = product(a, a).sqrt() * product(b, b).sqrt();
    if norms > 0.0 { product(a, b) / norms } else { 0.0 }
}

/// The scalar product, in sums that the processor can keep side by side.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Numbers that are multiplied at a time.
const LANES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(path: &str, text: &str, vector: Option<Vec<f32>>) -> Candidate {
        Candidate {
            item: Item {
                path: path.to_owned(),
                start_line: 1,
                end_line: 1,
                text: text.to_owned(),
                ..Item::default()
            },
            vector,
        }
    }

    /// The paths that are kept, each with those dropped for it.
    #[track_caller]
    fn check(candidates: Vec<Candidate>, expect: &[(&str, &[(&str, By)])]) {
        let dedup = Dedup {
            cosine: 0.95,
            shingles: 0.7,
        };
        let got = unique(candidates, &dedup);
        let got: Vec<(&str, Vec<(&str, By)>)> = got
            .iter()
            .map(|(item, dropped)| {
                let dropped = dropped
                    .iter()
                    .map(|duplicate| (duplicate.path.as_str(), duplicate.by));
                (item.path.as_str(), dropped.collect())
            })
            .collect();
        let expect: Vec<(&str, Vec<(&str, By)>)> = expect
            .iter()
            .map(|(path, dropped)| (*path, dropped.to_vec()))
            .collect();
        assert_eq!(got, expect);
    }

    const LONG: &str = "def apply_rate_limit(user, limit):\n    count = store.increment(user.id, window=60)\n    \
                        if count > limit:\n        raise TooManyRequests(user.id)\n";

    #[test]
    fn what_says_the_same_is_dropped() {
        let other = LONG.replace("def apply_rate_limit", "def check_quota");
        check(vec![], &[]);
        // By words.
        check(
            vec![
                candidate("a", LONG, None),
                candidate("b", "def unrelated(): pass", None),
                candidate("c", &other, None),
            ],
            &[("a", &[("c", By::Shingles)]), ("b", &[])],
        );
        // By meaning, whatever the words.
        check(
            vec![
                candidate("a", "x", Some(vec![1.0, 0.0])),
                candidate("b", "y", Some(vec![0.99, 0.05])),
                candidate("c", "x", Some(vec![0.0, 1.0])),
            ],
            &[("a", &[("b", By::Embedding)]), ("c", &[])],
        );
        // By words if one has no vector.
        check(
            vec![
                candidate("a", LONG, Some(vec![1.0, 0.0])),
                candidate("b", LONG, None),
            ],
            &[("a", &[("b", By::Shingles)])],
        );
    }

    #[test]
    fn short_texts_are_not_compared_by_their_words() {
        let text = "def get(self): return self.name";
        check(
            vec![candidate("a", text, None), candidate("b", text, None)],
            &[("a", &[]), ("b", &[])],
        );
    }
}
