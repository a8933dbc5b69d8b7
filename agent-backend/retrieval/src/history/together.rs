//! Which files were changed together.

use std::collections::HashMap;

use super::History;

/// The commits of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Together {
    /// Commits that changed it.
    pub commits: u32,
    /// Index of another file, and the commits that changed both; ascending.
    pub others: Vec<(u32, u32)>,
}

impl History {
    /// The files (path to index) that were changed in the same commits as the
    /// one with the index `of`, followed through renames.
    pub fn together(&self, files: &HashMap<&str, u32>, of: u32) -> Together {
        let places = self.places(files);
        let mut together = Together::default();
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for commit in &self.commits {
            let mut now: Vec<u32> = commit
                .files
                .iter()
                .filter_map(|id| places[super::usize_of(*id)])
                .collect();
            now.sort_unstable();
            now.dedup();
            if now.contains(&of) {
                together.commits += 1;
                for other in now.into_iter().filter(|other| *other != of) {
                    *counts.entry(other).or_default() += 1;
                }
            }
        }
        together.others = counts.into_iter().collect();
        together.others.sort_unstable();
        together
    }
}
