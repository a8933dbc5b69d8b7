//! Made-up points and queries, the same in every run.

use qdrant_client::{
    Payload,
    qdrant::{NamedVectors, PointStruct, Vector},
};
use serde_json::json;

/// Dimensions of the dense vectors, as of a small embedding model.
pub const DIMENSIONS: usize = 384;

const TERMS: usize = 20;
const VOCABULARY: f32 = 30_000.0;
const TOPICS: u64 = 1_000;

/// SplitMix64: small, fast, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn part(&mut self) -> f32 {
        f32::from((self.next() >> 48) as u16) / 65_536.0
    }

    /// Nearly normal: the sum of four parts.
    fn normal(&mut self) -> f32 {
        (0..4).map(|_| self.part()).sum::<f32>() - 2.0
    }
}

/// Texts have topics, so vectors come in clusters and not evenly.
pub fn dense(seed: u64) -> Vec<f32> {
    let mut own = Random(seed);
    let mut topic = Random(own.next() % TOPICS);
    (0..DIMENSIONS)
        .map(|_| topic.normal() + 0.7 * own.normal())
        .collect()
}

/// Few words are in many texts and most are in few.
pub fn sparse(seed: u64) -> (Vec<u32>, Vec<f32>) {
    let mut own = Random(seed ^ 0xABCD);
    let mut terms: Vec<u32> = (0..TERMS)
        .map(|_| (own.part().powi(3) * VOCABULARY) as u32)
        .collect();
    terms.sort_unstable();
    terms.dedup();
    let values = terms.iter().map(|_| 0.5 + own.part()).collect();
    (terms, values)
}

/// What retrieval stores of a piece of code.
pub fn point(id: u64) -> PointStruct {
    let (indices, values) = sparse(id);
    let vectors = NamedVectors::default()
        .add_vector("dense", Vector::new_dense(dense(id)))
        .add_vector("bm25", Vector::new_sparse(indices, values));
    let payload =
        json!({"workspace": format!("w{}", id % 4), "path": format!("src/{}.rs", id / 20), "line": id % 20});
    PointStruct::new(id, vectors, Payload::try_from(payload).unwrap_or_default())
}

/// A seed that is no point's.
pub fn stranger(index: u64) -> u64 {
    1_000_000_000 + index
}
