//! Lists what is in a workspace, all of it or below some paths, without
//! opening a file.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::{Walk, WalkBuilder};

use super::policy::{self, SkipReason};
use super::{DEPTH_MAX, IGNORE_FILE};

/// Entries looked at; what follows is left out, so that a directory of
/// millions of pictures costs neither time nor memory without bound.
const ENTRIES_MAX: usize = 1_000_000;

/// What the file system says of a file. As long as it says the same, the bytes
/// are the same, once the time of the change is past: within one tick of the
/// file system's clock a file may change twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub bytes: u64,
    /// Seconds and nanoseconds of the last change of the file or its inode,
    /// which no program can set.
    pub changed: (i64, i64),
    modified: (i64, i64),
    /// Device and number.
    inode: (u64, u64),
}

impl Stat {
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
    }
}

/// A file, link or whatever else is no directory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Relative to the root, with `/` between its parts; of a name that is not
    /// UTF-8 or cannot be read, something that names nothing else.
    pub path: String,
    /// Why it stays out, as far as can be told without opening it.
    pub stat: Result<Stat, SkipReason>,
}

/// Paths of a workspace that something happened to, and what is below them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Relative to the root.
    paths: BTreeSet<PathBuf>,
}

impl Scope {
    /// What `changed` (absolute or relative to `root`) says about the files
    /// below the canonical `root`; `None` if it is everything. What is ignored
    /// may change with a list of ignored files, for all that is beside it.
    pub fn of(root: &Path, changed: &[PathBuf]) -> Option<Self> {
        let mut scope = Self::default();
        for path in changed {
            let relative = if path.is_absolute() {
                match path.strip_prefix(root) {
                    Ok(relative) => relative,
                    Err(_) => continue,
                }
            } else {
                path
            };
            let normal = |part| matches!(part, std::path::Component::Normal(_));
            if !relative.components().all(normal) {
                return None;
            }
            let is_git = relative.starts_with(".git");
            if is_git && relative != Path::new(".git/info/exclude") {
                continue;
            }
            let decides = relative.file_name().is_some_and(|name| {
                is_git
                    || [".gitignore", ".ignore", IGNORE_FILE, "CACHEDIR.TAG", "pyvenv.cfg"]
                        .iter()
                        .any(|other| name == *other)
            });
            let relative = match relative.parent() {
                Some(parent) if decides && !is_git => parent,
                Some(_) if decides => Path::new(""),
                _ => relative,
            };
            if relative.as_os_str().is_empty() {
                return None;
            }
            scope.paths.insert(relative.to_owned());
        }
        Some(scope)
    }

    /// What is at `paths` (relative to the root) and below them.
    pub fn below(paths: &BTreeSet<String>) -> Self {
        Self {
            paths: paths.iter().map(PathBuf::from).collect(),
        }
    }

    /// Whether `path` (relative) is one of the paths or below one.
    pub fn holds(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.paths.contains(above))
    }

    /// Whether one of the paths is `path` or below it.
    pub fn leads_through(&self, path: &Path) -> bool {
        let from = (Bound::Included(path), Bound::Unbounded);
        let next = self.paths.range::<Path, _>(from).next();
        next.is_some_and(|next| next.starts_with(path))
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }
}

/// What is at the canonical `root`, or in `scope` of it, ordered by path.
pub(crate) fn list(root: &Path, scope: Option<&Scope>) -> Vec<Entry> {
    let (base, wanted) = (root.to_owned(), scope.cloned().map(Arc::new));
    let walker = walker(root, move |path| {
        let relative = path.strip_prefix(&base).unwrap_or(path);
        let wants = |scope: &Arc<Scope>| scope.leads_through(relative) || scope.holds(relative);
        wanted.as_ref().is_none_or(wants)
    });
    let mut entries = Vec::new();
    for found in walker {
        if entries.len() >= ENTRIES_MAX {
            tracing::warn!(root = %root.display(), "the workspace has more entries than are looked at");
            break;
        }
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "an entry of the workspace cannot be read");
                let path = path_of(&error).and_then(|path| super::relative(root, path));
                entries.push(Entry {
                    path: path.unwrap_or_else(|| format!("\u{0}{error}")),
                    stat: Err(SkipReason::Unreadable),
                });
                continue;
            }
        };
        if found.depth() == 0 || found.file_type().is_some_and(|kind| kind.is_dir()) {
            continue;
        }
        entries.push(match super::relative(root, found.path()) {
            Some(path) => Entry {
                stat: stat(&path, &found),
                path,
            },
            None => Entry {
                path: format!("\u{0}{:?}", found.path()),
                stat: Err(SkipReason::NotUtf8),
            },
        });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    entries
}

/// The path that an error is about.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::Partial(_)
        | ignore::Error::Io(_)
        | ignore::Error::Glob { .. }
        | ignore::Error::UnrecognizedFileType(_)
        | ignore::Error::InvalidDefinition => None,
    }
}

fn stat(path: &str, entry: &ignore::DirEntry) -> Result<Stat, SkipReason> {
    policy::name(path)?;
    let metadata = entry.metadata().map_err(|_| SkipReason::Unreadable)?;
    super::admit(path, &metadata)?;
    Ok(Stat::of(&metadata))
}

/// A walker that leaves out what `keep` does not want.
pub(super) fn walker(root: &Path, keep: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Walk {
    WalkBuilder::new(root)
        // Hidden files are looked at one by one, so that secrets are counted.
        .hidden(false)
        .require_git(false)
        // What is indexed must not depend on whose machine it is.
        .git_global(false)
        .follow_links(false)
        .max_depth(Some(DEPTH_MAX))
        .add_custom_ignore_filename(IGNORE_FILE)
        .filter_entry(move |entry| {
            let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
            let foreign = || is_dir && policy::is_foreign_directory(entry.path());
            entry.depth() == 0 || keep(entry.path()) && !foreign()
        })
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_touches() {
        let check = |changed: &[&str], expect: Option<&[&str]>| {
            let changed: Vec<PathBuf> = changed.iter().map(PathBuf::from).collect();
            let paths = expect.map(|paths| Scope {
                paths: paths.iter().map(PathBuf::from).collect(),
            });
            assert_eq!(Scope::of(Path::new("/w"), &changed), paths, "{changed:?}");
        };
        check(&[], Some(&[]));
        check(&["a.py", "/w/src/b.py"], Some(&["a.py", "src/b.py"]));
        // Outside, or the repository's own business.
        check(&["/x/a.py", ".git/index", ".git/refs/heads/main"], Some(&[]));
        // What is ignored may be another.
        check(&["src/.gitignore"], Some(&["src"]));
        check(&["src/.agentic-ide-ignore"], Some(&["src"]));
        check(&["build/CACHEDIR.TAG"], Some(&["build"]));
        check(&[".gitignore"], None);
        check(&[".git/info/exclude"], None);
        // The workspace itself, or nobody knows what.
        check(&["/w"], None);
        check(&["a/../../b"], None);
    }

    #[test]
    fn a_scope_holds_what_is_below_and_leads_through_what_is_above() {
        let scope = Scope::of(Path::new("/w"), &["a/b".into(), "a/b-c/d".into()]).unwrap();
        let check = |path: &str, expect: (bool, bool)| {
            let path = Path::new(path);
            assert_eq!(
                (scope.holds(path), scope.leads_through(path)),
                expect,
                "{}",
                path.display()
            );
        };
        check("a", (false, true));
        check("a/b", (true, true));
        check("a/b/c", (true, false));
        check("a/b-c", (false, true));
        check("a/b-c/d/e", (true, false));
        check("a/bc", (false, false));
        check("ab", (false, false));
    }
}
