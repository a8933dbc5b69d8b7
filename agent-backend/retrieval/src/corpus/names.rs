//! The names that the files of the index define.

use std::collections::HashMap;

use super::{Corpus, usize_of};

impl Corpus {
    /// Whether the file at `path` is in the index.
    pub fn contains(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// Each function, type or macro that a file defines, by its unqualified
    /// name, with the files that do, in order.
    pub fn definers(&self) -> HashMap<&str, Vec<&str>> {
        let mut definers: HashMap<&str, Vec<&str>> = HashMap::new();
        for (path, at) in &self.by_path {
            for part in self.content(*at).parts.clone() {
                let Some(symbol) = &self.contents.parts[usize_of(part)].symbol else {
                    continue;
                };
                let name = symbol.rsplit(['.', ':']).next().unwrap_or(symbol);
                let files = definers.entry(name).or_default();
                if files.last() != Some(&path.as_str()) {
                    files.push(path);
                }
            }
        }
        definers
    }
}
