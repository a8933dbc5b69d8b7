//! Whether an index that was kept up to date is what a fresh one would be.
//!
//! For tests, and for whoever doubts an index. It looks at what is in the
//! index, not at how it is numbered.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};
use std::path::Path;

use rustc_hash::FxBuildHasher;

use super::{Corpus, usize_of};
use crate::postings::Postings;
use crate::walk::SkipReason;

/// Something in which two indexes differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The file, relative to the workspace.
    pub path: String,
    /// What this index says of it.
    pub here: Told,
    /// What the other one says.
    pub there: Told,
}

/// What an index says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It was never seen.
    Nothing,
    /// It stays out.
    LeftOut(SkipReason),
    /// It is in the index: a number made of its hash, parts and terms.
    Indexed(u64),
}

impl Corpus {
    /// In what this index differs from a fresh one of the files below the
    /// canonical `root`; nothing if it is right. Reads and parses everything:
    /// call it off the async threads, while nobody writes there.
    pub fn check(&self, root: &Path) -> Vec<Difference> {
        let mut fresh = Corpus::default();
        fresh.refresh(root);
        self.differences(&fresh)
    }

    /// In what this index differs from another.
    pub fn differences(&self, other: &Corpus) -> Vec<Difference> {
        let (here, there) = (self.told(), other.told());
        let mut paths: Vec<&String> = here.keys().chain(there.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        let of = |told: &BTreeMap<String, Told>, path: &str| told.get(path).copied().unwrap_or(Told::Nothing);
        let all = paths.into_iter().map(|path| Difference {
            path: path.clone(),
            here: of(&here, path),
            there: of(&there, path),
        });
        all.filter(|difference| difference.here != difference.there)
            .collect()
    }

    fn told(&self) -> BTreeMap<String, Told> {
        let mut told = BTreeMap::new();
        for (path, seen) in &self.seen {
            if let Err(reason) = seen.outcome {
                told.insert(path.clone(), Told::LeftOut(reason));
            }
        }
        let parts = self.contents.parts.len();
        let (bodies, symbols) = (
            sums(&self.contents.body, parts),
            sums(&self.contents.symbols, parts),
        );
        let paths = sums(&self.paths, self.files.len());
        for (path, at) in &self.by_path {
            let (file, content) = (self.file(*at), self.content(*at));
            let parts = content.parts.clone().map(|at| {
                let part = &self.contents.parts[usize_of(at)];
                let place = (
                    part.kind,
                    &part.symbol,
                    part.start_line,
                    part.end_line,
                    part.length,
                );
                hash(&(place, bodies[usize_of(at)], symbols[usize_of(at)]))
            });
            let parts: Vec<u64> = parts.collect();
            let about = (file.class, file.path_length, paths[usize_of(*at)]);
            let inside = (content.key, content.length, content.symbol_length);
            told.insert(path.clone(), Told::Indexed(hash(&(about, inside, parts))));
        }
        told
    }
}

/// For each part, a number made of its terms and their counts, in any order.
fn sums(postings: &Postings, parts: usize) -> Vec<u64> {
    let mut sums = vec![0_u64; parts];
    for (term, places) in postings.all() {
        for place in places {
            let sum = &mut sums[usize_of(place.part)];
            *sum = sum.wrapping_add(hash(&(term, place.count)));
        }
    }
    sums
}

fn hash(value: &impl Hash) -> u64 {
    FxBuildHasher.hash_one(value)
}
