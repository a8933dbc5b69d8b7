//! BM25 as sparse vectors (Robertson and Zaragoza, "The Probabilistic Relevance
//! Framework", 2009).
//!
//! Pure. A document's vector holds, per term, the part of BM25 that depends on
//! that document alone: the term frequency with saturation and length
//! normalisation. The inverse document frequency depends on all documents: it is
//! multiplied into the query's terms from the index in this process, which
//! knows the files that are there now, whatever was stored and deleted before
//! and whatever else is in the collection.
//!
//! The length is normalised against a constant, not against the corpus' mean:
//! with a moving mean every stored vector would become stale whenever a file
//! is added, and an index brought up to date step by step would differ from a
//! fresh one.

use std::collections::BTreeMap;

/// Saturation of the term frequency.
pub const K1: f32 = 1.5;
/// Weight of the length normalisation.
pub const B: f32 = 0.75;
/// Terms of a file of average length.
pub const AVERAGE_TERMS: f32 = 1_000.0;
/// Terms of a query that count; later ones are dropped.
pub const QUERY_TERMS_MAX: usize = 256;

/// A sparse vector: term ids, ascending and without repetition, and a positive
/// value for each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SparseVector {
    /// Term ids.
    pub indices: Vec<u32>,
    /// The value of the term at the same place.
    pub values: Vec<f32>,
}

impl SparseVector {
    /// Whether it holds no term.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    fn from_map(map: BTreeMap<u32, f32>) -> Self {
        let (indices, values) = map.into_iter().unzip();
        Self { indices, values }
    }
}

/// The id of a term: a 32-bit hash (FNV-1a folded from 64 bits), the same on
/// every machine and in every version.
///
/// Two of n distinct terms share an id with probability about n²/2³³: one pair
/// is expected at 93 000 terms. Terms that share an id count as one term, which
/// can add a wrong result but never loses a right one.
pub fn term_id(term: &str) -> u32 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = term
        .bytes()
        .fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    #[expect(clippy::cast_possible_truncation, reason = "folding to 32 bits is the point")]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

/// The vector of a document. `terms` are counted; `length` is the number of
/// terms that its length is judged by (terms added as a boost do not make a
/// document long).
pub fn document<'a>(terms: impl IntoIterator<Item = &'a str>, length: usize) -> SparseVector {
    let mut counts: BTreeMap<u32, f32> = BTreeMap::new();
    for term in terms {
        *counts.entry(term_id(term)).or_default() += 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a file's term count is far below 2^24")]
    let norm = K1 * (1.0 - B + B * length as f32 / AVERAGE_TERMS);
    for value in counts.values_mut() {
        *value = *value * (K1 + 1.0) / (*value + norm);
    }
    SparseVector::from_map(counts)
}

/// The vector of a query: each distinct term counts once.
pub fn query<'a>(terms: impl IntoIterator<Item = &'a str>) -> SparseVector {
    let ids = terms
        .into_iter()
        .take(QUERY_TERMS_MAX)
        .map(|term| (term_id(term), 1.0));
    SparseVector::from_map(ids.collect())
}

/// The product of two vectors; 0 when they share no term. With a query's terms
/// weighted by their rarity it is BM25.
pub fn product(query: &SparseVector, document: &SparseVector) -> f32 {
    let mut score = 0.0;
    let mut at = 0;
    for (id, weight) in query.indices.iter().zip(&query.values) {
        while document.indices.get(at).is_some_and(|other| other < id) {
            at += 1;
        }
        if document.indices.get(at) == Some(id) {
            score += weight * document.values[at];
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn term_ids_never_change() {
        let check = |term: &str, expect: u32| assert_eq!(term_id(term), expect, "{term}");
        check("", 0x4fd0_bfc1);
        check("a", 0x2962_30c0);
        assert_ne!(term_id("ab"), term_id("ba"));
    }

    #[test]
    fn document_values_saturate_and_shrink_with_length() {
        let value = |count: usize, length: usize| document(vec!["t"; count], length).values[0];
        let average = AVERAGE_TERMS as usize;
        // At average length one occurrence is worth exactly 1.
        assert_eq!(value(1, average), 1.0);
        assert!(value(2, average) > 1.0 && value(2, average) < 2.0);
        assert!(value(1000, average) < K1 + 1.0);
        assert!(value(1, average * 2) < 1.0);
        assert!(value(1, 1) > 1.0);
    }

    #[test]
    fn queries_count_each_term_once() {
        let vector = query(["b", "a", "b"]);
        assert_eq!(vector.values, [1.0, 1.0]);
        assert!(vector.indices.is_sorted());
        assert!(query([]).is_empty());
    }

    #[test]
    fn products_are_of_common_terms() {
        let documents = [document(["a", "b"], 2), document(["a"], 1)];
        let query = SparseVector {
            values: vec![2.0],
            ..query(["b"])
        };
        assert_eq!(product(&query, &documents[0]), 2.0 * documents[0].values[0]);
        assert_eq!(product(&query, &documents[1]), 0.0);
        assert_eq!(product(&SparseVector::default(), &documents[1]), 0.0);
    }

    proptest! {
        #[test]
        fn vectors_are_sorted_unique_and_positive(terms in prop::collection::vec("[a-d]{1,2}", 0..50)) {
            let vector = document(terms.iter().map(String::as_str), terms.len());
            prop_assert!(vector.indices.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(vector.indices.len(), vector.values.len());
            prop_assert!(vector.values.iter().all(|value| *value > 0.0 && value.is_finite()));
        }
    }
}
