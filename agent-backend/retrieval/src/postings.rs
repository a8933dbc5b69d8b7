//! An inverted index in memory: for each term, where it is.
//!
//! Pure. Places of a part that is gone stay until [`Postings::renumber`]; who
//! reads must know which parts are alive. What is alive is exact, whatever was
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

/// A term in a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the part.
    pub part: u32,
    /// How often the term is there.
    pub count: u32,
}

/// Terms and their places, ascending.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    terms: TermMap<List>,
}

/// The places of one term: the distance to the place before and the count, as
/// numbers of seven bits to a byte. Two bytes do for most.
#[derive(Debug, Default)]
struct List {
    bytes: Bytes,
    last: u32,
}

/// Bytes, of which few need no memory of their own: most terms are in few parts.
#[derive(Debug)]
enum Bytes {
    Few { length: u8, bytes: [u8; FEW] },
    Many(Vec<u8>),
}

/// As many as make a [`Bytes`] no larger than a vector.
const FEW: usize = 15;

impl Default for Bytes {
    fn default() -> Self {
        Self::Few {
            length: 0,
            bytes: [0; FEW],
        }
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Few { length, bytes } => &bytes[..usize::from(*length)],
            Self::Many(bytes) => bytes,
        }
    }

    fn push(&mut self, byte: u8) {
        match self {
            Self::Few { length, bytes } => match bytes.get_mut(usize::from(*length)) {
                Some(place) => {
                    *place = byte;
                    *length += 1;
                }
                None => {
                    let mut many = Vec::with_capacity(2 * FEW);
                    many.extend_from_slice(bytes);
                    many.push(byte);
                    *self = Self::Many(many);
                }
            },
            Self::Many(bytes) => bytes.push(byte),
        }
    }

    fn shrink(&mut self) {
        match self {
            Self::Few { .. } => {}
            Self::Many(bytes) => bytes.shrink_to_fit(),
        }
    }
}

impl List {
    fn push(&mut self, place: Place) {
        push_number(&mut self.bytes, place.part.wrapping_sub(self.last));
        push_number(&mut self.bytes, place.count);
        self.last = place.part;
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let mut bytes = self.bytes.as_slice();
        let mut part = 0_u32;
        std::iter::from_fn(move || {
            part = part.wrapping_add(take_number(&mut bytes)?);
            let count = take_number(&mut bytes)?;
            Some(Place { part, count })
        })
    }
}

fn push_number(bytes: &mut Bytes, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

impl Postings {
    /// Adds the counted terms of a part, whose number is above those before.
    pub fn add(&mut self, part: u32, counts: &[(u32, u32)]) {
        for &(term, count) in counts {
            self.terms.entry(term).or_default().push(Place { part, count });
        }
    }

    /// Where `term` is, ascending.
    pub fn places(&self, term: u32) -> impl Iterator<Item = Place> {
        self.terms.get(&term).into_iter().flat_map(List::places)
    }

    /// Every term with its places, in no order.
    pub fn all(&self) -> impl Iterator<Item = (u32, impl Iterator<Item = Place>)> {
        self.terms.iter().map(|(term, list)| (*term, list.places()))
    }

    /// Drops the places of parts without a new number and gives the others
    /// theirs; the order must not change.
    pub fn renumber(&mut self, parts: &[Option<u32>]) {
        let at = |part: u32| {
            let part = usize::try_from(part).ok()?;
            parts.get(part).copied().flatten()
        };
        self.terms.retain(|_, list| {
            let mut kept = List::default();
            for place in list.places() {
                if let Some(part) = at(place.part) {
                    kept.push(Place { part, ..place });
                }
            }
            kept.bytes.shrink();
            *list = kept;
            !list.bytes.as_slice().is_empty()
        });
    }

    /// Gives back memory that was kept for growth.
    pub fn shrink(&mut self) {
        for list in self.terms.values_mut() {
            list.bytes.shrink();
        }
        self.terms.shrink_to_fit();
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(steps in prop::collection::vec((1..u32::MAX / 64, 1..u32::MAX), 0..50), gone in any::<u64>()) {
            let mut postings = Postings::default();
            let mut expect = Vec::new();
            let mut part = 0;
            for (step, count) in steps {
                part += step;
                postings.add(part, &[(7, count)]);
                expect.push(Place { part, count });
            }
            prop_assert_eq!(postings.places(7).collect::<Vec<_>>(), expect.clone());
            prop_assert_eq!(postings.places(8).count(), 0);
            // Numbered anew, some of them gone.
            let mut small = Postings::default();
            for (at, place) in expect.iter().enumerate() {
                small.add(u32::try_from(at).unwrap(), &[(7, place.count)]);
            }
            let mut next = 0;
            let numbers: Vec<Option<u32>> = (0..expect.len())
                .map(|at| (gone >> at & 1 == 0).then(|| { next += 1; next - 1 }))
                .collect();
            small.renumber(&numbers);
            let kept = expect.iter().zip(&numbers).filter_map(|(place, number)| Some(Place { part: (*number)?, count: place.count }));
            prop_assert_eq!(small.places(7).collect::<Vec<_>>(), kept.collect::<Vec<_>>());
        }
    }
}
