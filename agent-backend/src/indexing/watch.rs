//! Watches the files of one workspace and collects what changed.
//!
//! Directories that hold nothing of the index are not watched: a build writes
//! thousands of files that nobody asks for. The number of watches is limited by
//! the operating system; where they do not suffice, the caller is told.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use retrieval::{
    Touched,
    walk::some::{self, Paths},
};
use shared::error::{Class, Code};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{burst::Burst, machine::Problem};

/// Directories that are watched in one workspace.
const DIRECTORIES_MAX: usize = 100_000;

/// Whether each directory is watched by itself. Elsewhere the system watches a
/// whole tree at no cost, and what is not wanted is left out afterwards.
const ONE_BY_ONE: bool = cfg!(target_os = "linux");

/// How long a mark may take through the kernel.
const MARK_WAIT_MAX: Duration = Duration::from_secs(1);

/// The watch of one workspace.
#[derive(Debug)]
pub(super) struct Watch {
    root: PathBuf,
    watcher: Mutex<Option<Watcher>>,
    inbox: Arc<Inbox>,
    marks: AtomicU64,
}

#[derive(Debug)]
struct Watcher {
    system: RecommendedWatcher,
    /// A folder of our own, watched with the rest: what is written there comes
    /// after everything that happened before.
    marks: TempDir,
}

/// What was seen and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    burst: Mutex<Burst>,
    bell: Notify,
    /// The last mark that came by.
    mark: watch::Sender<u64>,
}

impl Inbox {
    pub(super) fn burst(&self) -> MutexGuard<'_, Burst> {
        self.burst.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when something came.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    fn take(&self, root: &Root, event: notify::Result<Event>) {
        let now = Instant::now();
        match event {
            Err(error) => {
                tracing::debug!(%error, "the watch of a workspace lost something");
                self.burst().lost(now);
            }
            Ok(event) if event.need_rescan() => self.burst().lost(now),
            Ok(event) if is_mere_reading(event.kind) => return,
            Ok(event) => {
                let mut burst = self.burst();
                for path in event.paths {
                    if let Some(path) = root.relative(&path) {
                        burst.note(&path, now);
                    } else if let Some(mark) = root.mark(&path) {
                        self.mark.send_replace(mark);
                    }
                }
            }
        }
        self.bell.notify_one();
    }
}

fn is_mere_reading(kind: EventKind) -> bool {
    let is_written = kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
    kind.is_access() && !is_written
}

/// Where a workspace is, and where its git directory is.
#[derive(Debug, Clone)]
struct Root {
    files: PathBuf,
    git: PathBuf,
    marks: PathBuf,
}

impl Root {
    fn of(root: &Path, marks: &Path) -> Self {
        Self {
            files: root.to_owned(),
            git: git_directory(root),
            marks: marks.to_owned(),
        }
    }

    /// The number of the mark that `path` is.
    fn mark(&self, path: &Path) -> Option<u64> {
        path.strip_prefix(&self.marks).ok()?.to_str()?.parse().ok()
    }

    /// The path as the rest of the program names it; a git directory that is
    /// elsewhere (of a second work tree) is `.git` all the same.
    fn relative(&self, path: &Path) -> Option<String> {
        let (below, prefix) = match path.strip_prefix(&self.git) {
            Ok(below) => (below, ".git/"),
            Err(_) => (path.strip_prefix(&self.files).ok()?, ""),
        };
        let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
        Some(format!("{prefix}{}", parts?.join("/")))
    }

    /// The directories that tell of commits.
    fn history(&self) -> impl Iterator<Item = PathBuf> {
        let inside = ["", "logs", "refs/heads", "info"].map(|name| self.git.join(name));
        inside.into_iter().filter(|path| path.is_dir())
    }
}

/// `.git`, or where a file of this name points to.
fn git_directory(root: &Path) -> PathBuf {
    let usual = root.join(".git");
    let pointed = std::fs::read_to_string(&usual).ok().and_then(|text| {
        let path = text.strip_prefix("gitdir:")?.trim().to_owned();
        std::fs::canonicalize(root.join(path)).ok()
    });
    pointed.unwrap_or(usual)
}

impl Watch {
    /// Watches nothing yet.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            watcher: Mutex::default(),
            inbox: Arc::default(),
            marks: AtomicU64::new(0),
        }
    }

    /// Resolves when everything that happened before has been seen (bounded,
    /// and at once where nothing is watched).
    pub(super) async fn catch_up(&self) {
        let Some(marks) = self
            .lock()
            .as_ref()
            .map(|watcher| watcher.marks.path().to_owned())
        else {
            return;
        };
        let number = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        let file = marks.join(number.to_string());
        let mut seen = self.inbox.mark.subscribe();
        if let Err(error) = tokio::fs::write(&file, "").await {
            tracing::debug!(%error, "a mark cannot be written");
            return;
        }
        let passed = seen.wait_for(|mark| *mark >= number);
        let _late = tokio::time::timeout(MARK_WAIT_MAX, passed).await.is_err();
        // The folder goes with the watch.
        let _left = tokio::fs::remove_file(&file).await;
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Watches the directories at what was touched, those that it watches
    /// already as well. Blocks. After an error nothing is watched.
    pub(super) fn cover(&self, touched: &Touched) -> Result<(), Problem> {
        let mut watcher = self.lock();
        let outcome = self.try_cover(&mut watcher, touched);
        outcome.map_err(|error| {
            *watcher = None;
            unwatched(&error)
        })
    }

    fn try_cover(&self, watcher: &mut Option<Watcher>, touched: &Touched) -> notify::Result<()> {
        let everything = Paths::from([String::new()]);
        let paths = match touched {
            Touched::Nothing => return Ok(()),
            Touched::Paths(paths) => paths,
            Touched::Everything => &everything,
        };
        let watcher = match watcher {
            Some(watcher) => watcher,
            None => watcher.insert(self.begin()?),
        };
        let root = Root::of(&self.root, watcher.marks.path());
        let watcher = &mut watcher.system;
        if !ONE_BY_ONE {
            return Ok(());
        }
        let directories = some::directories(&self.root, paths, DIRECTORIES_MAX);
        if directories.len() == DIRECTORIES_MAX {
            return Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        }
        let history = root.history().filter(|_| *touched == Touched::Everything);
        for directory in directories.into_iter().chain(history) {
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                // It went while it was looked at; its parent tells that.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn begin(&self) -> notify::Result<Watcher> {
        let marks = TempDir::new().map_err(notify::Error::io)?;
        let root = Root::of(&self.root, marks.path());
        let inbox = Arc::clone(&self.inbox);
        let mut system = notify::recommended_watcher(move |event| inbox.take(&root, event))?;
        system.watch(marks.path(), RecursiveMode::NonRecursive)?;
        if !ONE_BY_ONE {
            system.watch(&self.root, RecursiveMode::Recursive)?;
        }
        Ok(Watcher { system, marks })
    }

    /// Watches nothing any more.
    pub(super) fn stop(&self) {
        *self.lock() = None;
        self.inbox.burst().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_gone(error: &notify::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => matches!(error.kind(), NotFound | NotADirectory),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => false,
    }
}

fn unwatched(error: &notify::Error) -> Problem {
    Problem {
        class: Class::User,
        code: Code::WatchUnavailable,
        message: format!("the files cannot be watched ({error}): each request looks at all of them first"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use retrieval::{Change, Touch};

    use super::*;

    struct Fixture {
        dir: tempfile::TempDir,
        watch: Watch,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for path in ["src/deep/a.rs", "target/out.rs", ".git/logs/HEAD", "gone/b.rs"] {
                write(dir.path(), path);
            }
            fs::write(dir.path().join(".gitignore"), "target/\n").unwrap();
            let watch = Watch::new(dir.path());
            watch.cover(&Touched::Everything).unwrap();
            Self { dir, watch }
        }

        /// Waits until `wanted` has been seen.
        async fn sees(&self, wanted: &str) -> Change {
            let mut sum = Change::default();
            let waiting = async {
                loop {
                    if let Some(change) = self.watch.inbox().burst().take() {
                        super::super::machine::merge(&mut sum, change);
                    }
                    let seen = match &sum.files {
                        Touched::Paths(paths) => paths.contains(wanted),
                        Touched::Everything => true,
                        Touched::Nothing => false,
                    };
                    if seen || (wanted == ".git" && sum.history == Touch::Changed) {
                        return;
                    }
                    self.watch.inbox().rung().await;
                }
            };
            let patience = std::time::Duration::from_secs(30);
            let outcome = tokio::time::timeout(patience, waiting).await;
            assert!(outcome.is_ok(), "{wanted} was not seen: {sum:?}");
            sum
        }
    }

    fn write(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x\n").unwrap();
    }

    fn paths(list: &[&str]) -> Touched {
        Touched::Paths(list.iter().map(|path| (*path).to_owned()).collect())
    }

    #[tokio::test]
    async fn what_is_written_moved_and_removed_is_seen_and_nothing_else() {
        let fixture = Fixture::new();
        let root = fixture.dir.path();
        // Not watched, and not of the index.
        write(root, "target/more.rs");
        write(root, "src/.swap");
        drop(fs::read(root.join("src/deep/a.rs")).unwrap());
        write(root, "src/deep/a.rs");
        assert_eq!(
            fixture.sees("src/deep/a.rs").await.files,
            paths(&["src/deep/a.rs"])
        );
        fs::rename(root.join("src/deep/a.rs"), root.join("src/c.rs")).unwrap();
        let moved = fixture.sees("src/c.rs").await.files;
        assert_eq!(moved, paths(&["src/c.rs", "src/deep/a.rs"]));
        fs::remove_dir_all(root.join("gone")).unwrap();
        fixture.sees("gone").await;
        // A new directory is watched once it is covered.
        write(root, "new/d.rs");
        fixture.sees("new").await;
        fixture.watch.cover(&paths(&["new"])).unwrap();
        write(root, "new/e.rs");
        fixture.sees("new/e.rs").await;
        write(root, ".git/logs/HEAD");
        assert_eq!(fixture.sees(".git").await.history, Touch::Changed);
        write(root, ".gitignore");
        assert_eq!(fixture.sees(".gitignore").await.files, Touched::Everything);
    }

    #[tokio::test]
    async fn the_git_directory_of_a_second_work_tree_tells_of_commits() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        write(&root, "main/.git/worktrees/two/logs/HEAD");
        write(&root, "two/a.rs");
        fs::write(root.join("two/.git"), "gitdir: ../main/.git/worktrees/two\n").unwrap();
        let watch = Watch::new(&root.join("two"));
        watch.cover(&Touched::Everything).unwrap();
        let fixture = Fixture { dir, watch };
        write(&root, "main/.git/worktrees/two/logs/HEAD");
        assert_eq!(fixture.sees(".git").await.history, Touch::Changed);
    }

    #[tokio::test]
    async fn after_a_mark_everything_before_it_has_been_seen() {
        let fixture = Fixture::new();
        for number in 0..200 {
            let name = format!("src/{number}.rs");
            write(fixture.dir.path(), &name);
            fixture.watch.catch_up().await;
            let change = fixture.watch.inbox().burst().take();
            let expect = Change {
                files: paths(&[&name]),
                history: Touch::Same,
            };
            assert_eq!(change, Some(expect));
        }
        fixture.watch.stop();
        fixture.watch.catch_up().await;
    }

    #[test]
    fn a_lost_event_is_everything() {
        let inbox = Inbox::default();
        let root = Root::of(Path::new("/w"), Path::new("/marks"));
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        inbox.take(&root, Ok(lost));
        assert_eq!(inbox.burst().take(), Some(Change::everything()));
        inbox.take(&root, Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        assert_eq!(inbox.burst().take(), Some(Change::everything()));
    }
}
