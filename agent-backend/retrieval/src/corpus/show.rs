//! The text of what was found, read from the files as they are now.

use std::collections::HashMap;
use std::path::Path;

use shared::redact::redact;

use super::Corpus;
use super::rank::RankedPart;
use crate::report::Item;
use crate::walk;

impl Corpus {
    /// The parts with their text, credentials replaced, in the same order. A
    /// file that has changed since is left out: its lines are elsewhere now.
    /// Reads: call it off the async threads.
    pub fn items(&self, root: &Path, parts: &[RankedPart]) -> Vec<Item> {
        let mut texts: HashMap<&str, Option<String>> = HashMap::new();
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            let text = texts
                .entry(&part.path)
                .or_insert_with(|| self.text(root, &part.path));
            let Some(text) = text else { continue };
            let lines = text
                .lines()
                .skip(usize::try_from(part.start_line.saturating_sub(1)).unwrap_or(usize::MAX))
                .take(usize::try_from(part.end_line - part.start_line + 1).unwrap_or(usize::MAX));
            let text = lines.collect::<Vec<_>>().join("\n");
            items.push(Item {
                path: part.path.clone(),
                start_line: part.start_line,
                end_line: part.end_line,
                symbol: part.symbol.clone(),
                score: f64::from(part.score),
                text: redact(&text).into_owned(),
                explanation: None,
            });
        }
        items
    }

    fn text(&self, root: &Path, path: &str) -> Option<String> {
        let known = self.content(*self.by_path.get(path)?).key.0;
        let (text, hash) = walk::read(root, path).ok()?;
        (hash == known).then_some(text)
    }
}
