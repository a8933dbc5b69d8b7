//! What a watcher of a workspace must know: which paths it names, and which
//! directories it has to watch.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::list::{self, Scope};
use super::relative;

/// Paths relative to the root, `/` between their parts. A path stands for
/// itself and, if it is a directory, for everything below it.
pub type Paths = BTreeSet<String>;

/// The directories at and below `paths` that may hold files of the index, the
/// root's own for an empty path; at most `limit`.
pub fn directories(root: &Path, paths: &Paths, limit: usize) -> Vec<PathBuf> {
    let (base, wanted) = (root.to_owned(), Scope::below(paths));
    let scope = wanted.clone();
    let walker = list::walker(root, move |path| {
        path.strip_prefix(&base)
            .is_ok_and(|path| scope.leads_through(path) || scope.holds(path))
    });
    let found = walker.flatten().filter_map(|entry| {
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = relative(root, entry.path()).filter(|_| is_dir)?;
        wanted.holds(Path::new(&path)).then(|| entry.into_path())
    });
    found.take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::workspace;

    #[test]
    fn directories_to_watch() {
        let dir = workspace(&[
            ("src/a.rs", "fn a() {}\n"),
            ("src/deep/b.rs", "fn b() {}\n"),
            ("build/out.rs", "fn out() {}\n"),
            ("docs/x.md", "# X\n"),
            (".gitignore", "build/\n*.log\n"),
        ]);
        let paths = |list: &[&str]| -> Paths { list.iter().map(|path| (*path).to_owned()).collect() };
        let check = |list: &[&str], limit: usize, expect: &[&str]| {
            let mut found: Vec<String> = directories(dir.path(), &paths(list), limit)
                .iter()
                .map(|path| relative(dir.path(), path).unwrap())
                .collect();
            found.sort();
            assert_eq!(found, expect, "{list:?}");
        };
        check(&[""], 100, &["", "docs", "src", "src/deep"]);
        check(&["src"], 100, &["src", "src/deep"]);
        check(&["src/a.rs"], 100, &[]);
        check(&["build"], 100, &[]);
        assert_eq!(directories(dir.path(), &paths(&[""]), 2).len(), 2);
    }
}
