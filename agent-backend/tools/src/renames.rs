//! Which removed file a new one was, told as git tells it: by what they say.
//!
//! A proposal knows new, changed and removed files and no renamed ones. A new
//! file that was another one keeps its mode, line endings and byte-order mark.

use crate::{diff, text};

/// A removed file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Removed<'a> {
    /// Its path.
    pub(crate) path: &'a str,
    /// What it says.
    pub(crate) text: &'a str,
}

/// The index of the removed file that a new one with this text was: the one
/// with the most lines in common, at least half of the longer one's. Of equal
/// ones, the first that has the same name, or else the first.
pub(crate) fn source(path: &str, new: &str, removed: &[Removed<'_>]) -> Option<usize> {
    let new = text::plain(new);
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let mut best: Option<(u64, bool, usize)> = None;
    for (index, file) in removed.iter().enumerate() {
        let old = text::plain(file.text);
        let (_, gone) = diff::counts(&old, &new);
        let (old, new) = (old.lines().count() as u64, new.lines().count() as u64);
        let kept = old.saturating_sub(u64::from(gone));
        // Nothing says that two empty files have to do with each other.
        let is_like = kept > 0 && 2 * kept >= old.max(new);
        let same_name = name(file.path) == name(path);
        if is_like && best.is_none_or(|(most, named, _)| (kept, same_name) > (most, named)) {
            best = Some((kept, same_name, index));
        }
    }
    best.map(|(.., index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likest_removed_file_is_meant() {
        let check = |path: &str, new: &str, removed: &[(&str, &str)], expect: Option<usize>| {
            let removed: Vec<Removed<'_>> = removed
                .iter()
                .map(|(path, text)| Removed { path, text })
                .collect();
            assert_eq!(source(path, new, &removed), expect, "{path} {new:?} {removed:?}");
        };
        check("b", "1\n2\n", &[("a", "1\n2\n")], Some(0));
        check("b", "1\n2\n", &[("a", "\u{feff}1\r\n2\r\n")], Some(0));
        check("b", "1\n2\n", &[("a", "1\n3\n")], Some(0));
        check("b", "1\n2\n3\n", &[("a", "1\n4\n5\n")], None);
        check("b", "1\n2\n", &[("a", "1\n2\n3\n4\n5\n")], None);
        check("b", "1\n2\n", &[("a", "1\n3\n"), ("c", "1\n2\n")], Some(1));
        check("x/b", "1\n", &[("a", "1\n"), ("y/b", "1\n")], Some(1));
        check("b", "", &[("a", "")], None);
        check("b", "1\n", &[], None);
    }
}
