//! A look at a few paths of a workspace instead of all of it, by the same
//! rules as a whole scan: both use the same walker, and this one is kept from
//! going anywhere else.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::list::{self, Scope};
use super::{Scan, relative};

/// Paths relative to the root, `/` between their parts. A path stands for
/// itself and, if it is a directory, for everything below it.
pub type Paths = BTreeSet<String>;

/// What is at `paths` now. Paths that are gone, or stay out of the index, are
/// not in the answer.
pub fn scan_some(root: &Path, paths: &Paths) -> Scan {
    let mut listed = list::list(root, Some(&Scope::below(paths)));
    listed.retain(|entry| covers(paths, &entry.path));
    super::stamps(root, listed)
}

/// Puts what was found at `paths` in the place of what the scan knew of them.
/// The files are then those of a whole scan; what was left out is counted as
/// the last whole scan counted it.
pub fn patch(scan: &mut Scan, paths: &Paths, found: Scan) {
    scan.files.retain(|file| !covers(paths, &file.path));
    scan.files.extend(found.files);
    scan.files.sort_by(|a, b| a.path.cmp(&b.path));
}

/// The directories at and below `paths` that may hold files of the index, the
/// root's own for an empty path; at most `limit`.
pub fn directories(root: &Path, paths: &Paths, limit: usize) -> Vec<PathBuf> {
    let (base, wanted) = (root.to_owned(), paths.clone());
    let whole = paths.contains("");
    let walker = list::walker(root, move |path| {
        relative(&base, path).is_some_and(|path| whole || leads_to(&wanted, &path) || covers(&wanted, &path))
    });
    let found = walker.flatten().filter_map(|entry| {
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = relative(root, entry.path()).filter(|_| is_dir)?;
        (whole || covers(paths, &path)).then(|| entry.into_path())
    });
    found.take(limit).collect()
}

/// Whether `path` is one of `paths` or below one.
pub fn covers(paths: &Paths, path: &str) -> bool {
    let mut ends = path.match_indices('/').map(|(at, _)| &path[..at]);
    paths.contains(path) || ends.any(|above| paths.contains(above))
}

/// Whether one of `paths` is below `path`.
fn leads_to(paths: &Paths, path: &str) -> bool {
    let below = format!("{path}/");
    let range = (Bound::Included(below.as_str()), Bound::Unbounded);
    paths
        .range::<str, _>(range)
        .next()
        .is_some_and(|next| next.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::{workspace, write};
    use crate::walk::scan;

    fn paths(list: &[&str]) -> Paths {
        list.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn what_a_path_stands_for() {
        let check = |list: &[&str], path: &str, covered: bool, led: bool| {
            let list = paths(list);
            assert_eq!(
                (covers(&list, path), leads_to(&list, path)),
                (covered, led),
                "{path}"
            );
        };
        check(&["a/b.rs"], "a/b.rs", true, false);
        check(&["a/b.rs"], "a", false, true);
        check(&["a"], "a/b/c.rs", true, false);
        check(&["a-b", "a/b"], "a", false, true);
        check(&["a-b"], "a", false, false);
        check(&["ab"], "a", false, false);
        check(&["a"], "ab/c", false, false);
    }

    const FILES: &[(&str, &str)] = &[
        ("src/a.rs", "fn a() {}\n"),
        ("src/deep/b.rs", "fn b() {}\n"),
        ("build/out.rs", "fn out() {}\n"),
        ("docs/x.md", "# X\n"),
        (".gitignore", "build/\n*.log\n"),
        (".env", "KEY=1\n"),
    ];

    #[test]
    fn the_rules_are_those_of_a_whole_scan() {
        let dir = workspace(FILES);
        let check = |list: &[&str], expect: &[&str]| {
            let found = scan_some(dir.path(), &paths(list));
            let found: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(found, expect, "{list:?}");
        };
        check(&["src/a.rs"], &["src/a.rs"]);
        check(&["src"], &["src/a.rs", "src/deep/b.rs"]);
        check(&["build/out.rs", "docs/x.md"], &["docs/x.md"]);
        check(&["a.log", ".env", "nowhere/c.rs"], &[]);
    }

    #[test]
    fn directories_to_watch() {
        let dir = workspace(FILES);
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

    /// An edit of the workspace: which path, and the new text or none.
    fn edits() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
        let path = prop::sample::select(vec![
            "a.rs",
            "d/a.rs",
            "d/b.py",
            "d/e/c.rs",
            "build/x.rs",
            "n.log",
            "d/.env",
            "f/g.md",
        ]);
        let text = prop::option::weighted(0.7, "[a-z]{1,8}");
        prop::collection::vec((path.prop_map(str::to_owned), text), 1..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_patched_scan_is_a_fresh_one(rounds in prop::collection::vec(edits(), 1..4)) {
            let dir = workspace(FILES);
            let mut known = scan(dir.path());
            for edits in rounds {
                let mut changed = Paths::new();
                for (path, text) in edits {
                    match text {
                        Some(text) => write(dir.path(), &path, &text),
                        // It may not be there.
                        None => drop(fs::remove_file(dir.path().join(&path))),
                    }
                    changed.insert(path);
                }
                let found = scan_some(dir.path(), &changed);
                patch(&mut known, &changed, found);
                prop_assert_eq!(&known.files, &scan(dir.path()).files);
            }
        }
    }
}
