//! An inverted index in memory: for each term, where it is.
//!
//! Pure. Places of a file that is gone stay until [`Postings::renumber`]; who
//! reads must know which files are alive. What is alive is exact, whatever was
//! added and removed before: document frequencies are counted, not kept.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from term ids, which are hashes already.
pub(crate) type TermMap<V> = HashMap<u32, V, BuildHasherDefault<TermHasher>>;

/// Spreads a term id over 64 bits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TermHasher(u64);

impl Hasher for TermHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

/// A term in a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file's number.
    pub file: u32,
    /// The number of the part among all parts of all files.
    pub part: u32,
    /// How often the term is there.
    pub count: u32,
}

/// Terms and their places, those of one file next to each other.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    terms: TermMap<Vec<Place>>,
}

impl Postings {
    /// Adds the counted terms of a part. All parts of a file are added before
    /// the next file's.
    pub fn add(&mut self, file: u32, part: u32, counts: &[(u32, u32)]) {
        for &(term, count) in counts {
            self.terms
                .entry(term)
                .or_default()
                .push(Place { file, part, count });
        }
    }

    /// Where `term` is.
    pub fn places(&self, term: u32) -> &[Place] {
        self.terms.get(&term).map_or(&[], Vec::as_slice)
    }

    /// Drops the places of files and parts without a new number and gives the
    /// others theirs; the order must not change.
    pub fn renumber(&mut self, files: &[Option<u32>], parts: &[Option<u32>]) {
        let at = |numbers: &[Option<u32>], index: u32| {
            usize::try_from(index)
                .ok()
                .and_then(|index| numbers.get(index).copied().flatten())
        };
        self.terms.retain(|_, places| {
            places.retain_mut(|place| match (at(files, place.file), at(parts, place.part)) {
                (Some(file), Some(part)) => {
                    *place = Place { file, part, ..*place };
                    true
                }
                _ => false,
            });
            places.shrink_to_fit();
            !places.is_empty()
        });
    }
}

/// BM25's weight of a term that `holders` of `all` documents hold.
#[expect(clippy::cast_precision_loss, reason = "document counts far below 2^24")]
pub(crate) fn idf(all: usize, holders: usize) -> f32 {
    let (all, holders) = (all as f32, holders as f32);
    (1.0 + (all - holders + 0.5) / (holders + 0.5)).ln()
}

/// BM25's weight of a frequency in a document `length` times as long as the mean.
pub(crate) fn saturated(count: f32, length: f32, k1: f32, b: f32) -> f32 {
    count * (k1 + 1.0) / (count + k1 * (1.0 - b + b * length))
}
