//! Changes that come close together, as one. Pure: time comes in.
//!
//! A save is one change; a switch of branches is thousands, and then it is
//! cheaper to look at everything once.

use std::{collections::BTreeSet, time::Duration};

use retrieval::{Change, Touch, Touched};
use tokio::time::Instant;

/// Silence after which a burst is over.
const QUIET: Duration = Duration::from_millis(20);
/// The same once everything is to be looked at: such a burst goes on for longer.
const QUIET_AFTER_MANY: Duration = Duration::from_millis(200);
/// A burst that does not end is taken after this time.
const LENGTH_MAX: Duration = Duration::from_millis(300);
/// The same once everything is to be looked at.
const LENGTH_MAX_OF_MANY: Duration = Duration::from_secs(5);
/// Single paths that are looked at one by one.
const PATHS_MAX: usize = 256;

/// Files that decide about other files.
const RULES: [&str; 5] = [
    ".gitignore",
    ".ignore",
    retrieval::walk::IGNORE_FILE,
    "CACHEDIR.TAG",
    "pyvenv.cfg",
];

/// What a changed path is to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    None,
    /// A file, or a directory.
    Path,
    /// A rule that decides which files belong.
    Rule,
    /// A commit, or a switch to another one.
    History,
}

/// What a path is, relative to the root, `/` between its parts.
pub fn meaning(path: &str) -> Meaning {
    if let Some(inside) = path.strip_prefix(".git/") {
        return match inside {
            "HEAD" | "logs/HEAD" | "packed-refs" => Meaning::History,
            "info/exclude" => Meaning::Rule,
            _ if inside.starts_with("refs/heads/") && !inside.ends_with(".lock") => Meaning::History,
            _ => Meaning::None,
        };
    }
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    if above.split('/').any(|part| part.starts_with('.')) {
        return Meaning::None;
    }
    if RULES.contains(&name) || path.is_empty() {
        return Meaning::Rule;
    }
    if name.starts_with('.') {
        return Meaning::None;
    }
    Meaning::Path
}

/// What has changed since it was last taken.
#[derive(Debug, Default)]
pub struct Burst {
    change: Change,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Burst {
    /// Something changed at `path`.
    pub fn note(&mut self, path: &str, now: Instant) {
        match meaning(path) {
            Meaning::None => return,
            Meaning::History => self.change.history = Touch::Changed,
            Meaning::Rule => self.change.files = Touched::Everything,
            Meaning::Path => match &mut self.change.files {
                Touched::Nothing => {
                    self.change.files = Touched::Paths(BTreeSet::from([path.to_owned()]));
                }
                Touched::Paths(paths) => {
                    paths.insert(path.to_owned());
                    if paths.len() > PATHS_MAX {
                        self.change.files = Touched::Everything;
                    }
                }
                Touched::Everything => {}
            },
        }
        self.at(now);
    }

    /// Something changed, and nobody knows what.
    pub fn lost(&mut self, now: Instant) {
        self.change = Change::everything();
        self.at(now);
    }

    fn at(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Whether all files are to be looked at.
    pub fn is_everything(&self) -> bool {
        self.change.files == Touched::Everything
    }

    /// When it will be over if nothing more comes; `None` where nothing came.
    pub fn due(&self) -> Option<Instant> {
        let (quiet, length_max) = match self.change.files {
            Touched::Nothing | Touched::Paths(_) => (QUIET, LENGTH_MAX),
            Touched::Everything => (QUIET_AFTER_MANY, LENGTH_MAX_OF_MANY),
        };
        Some((self.last? + quiet).min(self.first? + length_max))
    }

    /// All of it, and begins anew; `None` where nothing came.
    pub fn take(&mut self) -> Option<Change> {
        let taken = std::mem::take(self);
        taken.first.map(|_| taken.change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_paths_mean() {
        let check = |path: &str, expect: Meaning| assert_eq!(meaning(path), expect, "{path}");
        check("src/main.rs", Meaning::Path);
        check("src", Meaning::Path);
        check("src/.main.rs.swp", Meaning::None);
        check(".venv/lib/a.py", Meaning::None);
        check("a/.cache/b.rs", Meaning::None);
        check(".gitignore", Meaning::Rule);
        check("deep/down/.gitignore", Meaning::Rule);
        check(".agentic-ide-ignore", Meaning::Rule);
        check("build/CACHEDIR.TAG", Meaning::Rule);
        check(".git/info/exclude", Meaning::Rule);
        check("", Meaning::Rule);
        check(".git/HEAD", Meaning::History);
        check(".git/logs/HEAD", Meaning::History);
        check(".git/refs/heads/main", Meaning::History);
        check(".git/refs/heads/main.lock", Meaning::None);
        check(".git/index", Meaning::None);
        check(".git/objects/aa/bb", Meaning::None);
    }

    /// Milliseconds and paths; then the change and when it was due.
    fn check(notes: &[(u64, &str)], files: Touched, history: Touch, due_ms: Option<u64>) {
        let start = Instant::now();
        let mut burst = Burst::default();
        for (at_ms, path) in notes {
            burst.note(path, start + Duration::from_millis(*at_ms));
        }
        let expect = due_ms.map(|due_ms| start + Duration::from_millis(due_ms));
        assert_eq!(burst.due(), expect, "{notes:?}");
        assert_eq!(
            burst.take(),
            due_ms.map(|_| Change { files, history }),
            "{notes:?}"
        );
        assert_eq!((burst.due(), burst.take()), (None, None));
    }

    fn paths(list: &[&str]) -> Touched {
        Touched::Paths(list.iter().map(|path| (*path).to_owned()).collect())
    }

    #[test]
    fn bursts() {
        use Touch::{Changed, Same};
        check(&[], Touched::Nothing, Same, None);
        check(&[(0, ".git/index"), (1, "a/.b")], Touched::Nothing, Same, None);
        check(&[(0, "a")], paths(&["a"]), Same, Some(20));
        check(
            &[(0, "a"), (15, "b"), (16, "a")],
            paths(&["a", "b"]),
            Same,
            Some(36),
        );
        check(&[(0, ".git/HEAD")], Touched::Nothing, Changed, Some(20));
        check(
            &[(0, "a"), (5, ".gitignore")],
            Touched::Everything,
            Same,
            Some(205),
        );
        check(&[(0, ".git/HEAD"), (1, "a")], paths(&["a"]), Changed, Some(21));
        // Without an end.
        let restless: Vec<(u64, &str)> = (0..100).map(|at| (at * 10, "a")).collect();
        check(&restless, paths(&["a"]), Same, Some(300));
    }

    #[test]
    fn a_switch_of_branches_is_one_look() {
        let names: Vec<String> = (0..5_000).map(|at| format!("src/{at}.rs")).collect();
        let notes: Vec<(u64, &str)> = (0..).zip(names.iter().map(String::as_str)).collect();
        check(&notes, Touched::Everything, Touch::Same, Some(5_000));
    }

    #[test]
    fn what_is_lost_is_looked_for_everywhere() {
        let mut burst = Burst::default();
        burst.lost(Instant::now());
        assert_eq!(burst.take(), Some(Change::everything()));
    }
}
