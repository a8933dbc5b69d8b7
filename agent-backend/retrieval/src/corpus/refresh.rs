//! Brings the index up to date: what is there is listed, what the file system
//! says has changed is read, what is a new text is cut and counted.
//!
//! Owns when a file may be taken for unchanged without reading it, and the
//! threads that read. A file that changes or vanishes meanwhile is indexed as
//! it was read and looked at again the next time.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap};
use tokio::time::Instant;

use super::Corpus;
use super::contents::{Digest, Key};
use crate::analysis::Analyzer;
use crate::language::Language;
use crate::walk::{self, Limits, Scope, SkipReason, Stat};

/// Threads that read and parse.
const THREADS_MAX: usize = 8;
/// Fewer files are read without other threads.
const FILES_PER_THREAD_MIN: usize = 16;
/// After so many new texts what was kept for growth is given back.
const MANY: usize = 256;
/// Texts that wait to be taken in; bounds memory.
const QUEUE_MAX: usize = 64;
/// Longer ago than any file system's clock is coarse (FAT counts two seconds).
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// What is known of a path that was looked at.
#[derive(Debug)]
pub(crate) struct Seen {
    /// What the file system said; `None` if it was not asked.
    stat: Option<Stat>,
    /// When it was first found like this, and when it was last read.
    since: Instant,
    read_at: Instant,
    /// What the file system's clock had reached when it was last read, seconds.
    clock: i64,
    /// Whether it is in the index.
    pub outcome: Result<(), SkipReason>,
}

impl Seen {
    /// Lets time pass.
    #[cfg(test)]
    pub fn age(&mut self, by: Duration) {
        self.since -= by * 2;
        self.read_at -= by;
    }

    pub fn bytes(&self) -> u64 {
        self.stat.map_or(0, |stat| stat.bytes)
    }

    /// Whether the file is as it was read, if the file system still says `stat`.
    /// A change after the reading would have another time, unless the reading
    /// came within the same tick of the file system's clock as the change before.
    fn is_settled(&self, stat: &Stat) -> bool {
        let past = i64::try_from(SETTLED_AFTER.as_secs()).unwrap_or(i64::MAX);
        self.stat.as_ref() == Some(stat)
            && (stat.changed.0.saturating_add(past) < self.clock
                || self.read_at.saturating_duration_since(self.since) > SETTLED_AFTER)
    }
}

/// What an update did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Files whose content is new to their path.
    pub indexed: usize,
    /// Files that were looked at and are there as they were.
    pub unchanged: usize,
    /// Files that are gone.
    pub removed: usize,
    /// Files that were opened and read.
    pub read: usize,
    /// Texts that were cut and counted.
    pub parsed: usize,
    /// Parts added.
    pub parts_added: usize,
    /// Parts removed.
    pub parts_removed: usize,
    /// Files that were cut by lines because their syntax took too long.
    pub unparsed: usize,
}

/// A file that has to be read.
struct Job {
    path: String,
    /// What the file system said before it is read.
    stat: Stat,
    /// What was known of it.
    known: Option<Seen>,
}

/// When files are read: by this process's clock and by the file system's.
#[derive(Debug, Clone, Copy)]
struct Moment {
    read_at: Instant,
    clock: i64,
}

/// A file that was read.
struct Done {
    job: usize,
    outcome: Result<Key, SkipReason>,
    digest: Option<Digest>,
}

impl Corpus {
    /// Makes the index equal to the files below the canonical `root`: lists all
    /// of them and reads those that have changed since they were read. Blocks
    /// on the file system and computes, on several threads: call it off the
    /// async ones.
    pub fn refresh(&mut self, root: &Path) -> Update {
        let mut update = Update::default();
        self.look(root, None, &mut update);
        update
    }

    /// [`Corpus::refresh`] for what happened to the paths `changed` alone, as a
    /// file watcher tells them: files or directories that were written, made,
    /// moved (both names) or removed, absolute or relative to `root`, in any
    /// order, repeated or not. What lies outside of the root or in `.git` is
    /// passed over; a list of ignored files stands for everything that it is
    /// about. Paths about which nothing changed cost little and change nothing.
    ///
    /// Afterwards call [`Corpus::join`]; when HEAD may have moved,
    /// [`History::update`](crate::history::History::update) before it.
    pub fn refresh_paths(&mut self, root: &Path, changed: &[PathBuf]) -> Update {
        let scope = Scope::of(root, changed);
        // Where not everything has room, what is left out depends on the rest.
        let scope = scope.as_ref().filter(|_| !self.is_full());
        let mut update = Update::default();
        self.look(root, scope, &mut update);
        update
    }

    fn look(&mut self, root: &Path, scope: Option<&Scope>, update: &mut Update) {
        let listed = walk::list(root, scope);
        // Its clock has reached the time of the newest change that it tells of.
        let times = listed
            .iter()
            .filter_map(|entry| Some(entry.stat.as_ref().ok()?.changed.0));
        let clock = times.max().unwrap_or(i64::MIN);
        let mut limits = match scope {
            None => self.room.clone(),
            Some(scope) => self.room_beside(scope),
        };
        let mut gone = self.taken_out_of(scope);
        let mut jobs = Vec::new();
        let now = Instant::now();
        for entry in listed {
            let old = gone.remove(&entry.path);
            let admitted = entry.stat.and_then(|stat| limits.admit(&stat).map(|()| stat));
            match (admitted, old) {
                (Ok(stat), Some(old)) if scope.is_none() && old.is_settled(&stat) => {
                    update.unchanged += usize::from(old.outcome.is_ok());
                    self.seen.insert(entry.path, old);
                }
                (Ok(stat), known) => jobs.push(Job {
                    path: entry.path,
                    stat,
                    known,
                }),
                (Err(reason), _) => {
                    self.take_out(&entry.path, update);
                    let seen = Seen {
                        stat: None,
                        since: now,
                        read_at: now,
                        clock,
                        outcome: Err(reason),
                    };
                    self.seen.insert(entry.path, seen);
                }
            }
        }
        for path in gone.keys() {
            self.take_out(path, update);
        }
        let is_full = scope.is_some() && self.is_full();
        if is_full {
            // Which files have room is decided in the order of all.
            return self.look(root, None, update);
        }
        self.read(root, jobs, clock, update);
        self.compact();
    }

    /// Whether files were left out because there was no room.
    fn is_full(&self) -> bool {
        self.seen
            .values()
            .any(|seen| seen.outcome == Err(SkipReason::OverLimit))
    }

    /// How much room there is beside what is not in `scope`.
    fn room_beside(&self, scope: &Scope) -> Limits {
        let mut limits = self.room.clone();
        for (path, seen) in &self.seen {
            if let Some(stat) = seen.stat.filter(|_| !scope.holds(Path::new(path))) {
                // What is there has room.
                let _ = limits.admit(&stat);
            }
        }
        limits
    }

    /// Takes what was seen in `scope` out of the memory.
    fn taken_out_of(&mut self, scope: Option<&Scope>) -> BTreeMap<String, Seen> {
        let Some(scope) = scope else {
            return std::mem::take(&mut self.seen);
        };
        let mut taken = BTreeMap::new();
        for path in scope.paths() {
            let Some(path) = path.to_str() else { continue };
            let below = format!("{path}/");
            let range = (Bound::Included(below.as_str()), Bound::Unbounded);
            let inside = self.seen.range::<str, _>(range).map(|(path, _)| path);
            let mut paths: Vec<String> = inside
                .take_while(|path| path.starts_with(&below))
                .cloned()
                .collect();
            paths.push(path.to_owned());
            for path in paths {
                if let Some((path, seen)) = self.seen.remove_entry(&path) {
                    taken.insert(path, seen);
                }
            }
        }
        taken
    }

    /// Reads the files, on several threads if they are many, and takes in what
    /// they hold.
    fn read(&mut self, root: &Path, jobs: Vec<Job>, clock: i64, update: &mut Update) {
        let mut analyzer = Analyzer::default();
        let claimed = Claims::default();
        let known = std::mem::take(&mut self.contents.known);
        let mut fresh: FxHashMap<Key, u32> = FxHashMap::default();
        let mut read: Vec<(usize, Result<Key, SkipReason>)> = Vec::with_capacity(jobs.len());
        let mut take = |done: Done| {
            if let (Ok(key), Some(digest)) = (&done.outcome, done.digest) {
                fresh.insert(*key, self.contents.insert(*key, digest));
            }
            read.push((done.job, done.outcome));
        };
        let now = Moment {
            read_at: Instant::now(),
            clock,
        };
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(THREADS_MAX);
        let threads = threads.min(jobs.len() / FILES_PER_THREAD_MIN);
        if threads < 2 {
            for (at, job) in jobs.iter().enumerate() {
                take(load(root, at, &job.path, &known, &claimed, &mut analyzer));
            }
        } else {
            let next = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
                for _ in 0..threads {
                    let sender = sender.clone();
                    let (next, jobs, known, claimed) = (&next, &jobs, &known, &claimed);
                    scope.spawn(move || {
                        let mut analyzer = Analyzer::default();
                        loop {
                            let at = next.fetch_add(1, Ordering::Relaxed);
                            let Some(job) = jobs.get(at) else { break };
                            let done = load(root, at, &job.path, known, claimed, &mut analyzer);
                            if sender.send(done).is_err() {
                                break;
                            }
                        }
                    });
                }
                drop(sender);
                receiver.iter().for_each(&mut take);
            });
        }
        update.parsed += fresh.len();
        if fresh.len() >= MANY {
            self.contents.shrink();
        }
        self.contents.known = known;
        self.contents.known.extend(fresh);
        let mut jobs: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
        for (at, outcome) in read {
            if let Some(job) = jobs[at].take() {
                self.settle(job, outcome, now, &mut analyzer, update);
            }
        }
    }

    /// Takes note of what a file was found to hold.
    fn settle(
        &mut self,
        job: Job,
        outcome: Result<Key, SkipReason>,
        now: Moment,
        analyzer: &mut Analyzer,
        update: &mut Update,
    ) {
        let since = match job.known {
            Some(known) if known.stat == Some(job.stat) => known.since,
            Some(_) | None => now.read_at,
        };
        update.read += 1;
        match &outcome {
            Ok(key) => {
                let content = self.contents.known.get(key).copied();
                let there = self.by_path.get(&job.path).map(|at| self.file(*at).content);
                match content {
                    Some(content) if there == Some(content) => update.unchanged += 1,
                    Some(content) => self.put(&job.path, content, analyzer, update),
                    None => tracing::error!(path = job.path, "a text was read and is not known"),
                }
            }
            Err(_) => self.take_out(&job.path, update),
        }
        let seen = Seen {
            stat: Some(job.stat),
            since,
            read_at: now.read_at,
            clock: now.clock,
            outcome: outcome.map(|_| ()),
        };
        self.seen.insert(job.path, seen);
    }
}

/// Texts that a thread has begun to cut, so that no other does.
#[derive(Default)]
struct Claims(Mutex<HashSet<Key, FxBuildHasher>>);

impl Claims {
    fn claim(&self, key: Key) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }
}

fn load(
    root: &Path,
    job: usize,
    path: &str,
    known: &FxHashMap<Key, u32>,
    claims: &Claims,
    analyzer: &mut Analyzer,
) -> Done {
    let (text, hash) = match walk::read(root, path) {
        Ok(read) => read,
        Err(reason) => {
            return Done {
                job,
                outcome: Err(reason),
                digest: None,
            };
        }
    };
    let language = Language::of(path);
    let key = (hash, language);
    let is_new = !known.contains_key(&key) && claims.claim(key);
    Done {
        job,
        outcome: Ok(key),
        digest: is_new.then(|| Digest::of(language, &text, analyzer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_settled_once_its_change_was_past_when_it_was_read() {
        let dir = crate::testing::workspace(&[("a.py", "a = 1\n"), ("b.py", "b = 1\n")]);
        let stat = |path: &str| Stat::of(&std::fs::symlink_metadata(dir.path().join(path)).unwrap());
        let (a, b) = (stat("a.py"), stat("b.py"));
        let check = |read_after_s: u64, clock_after_s: i64, now: &Stat, expect: bool| {
            let since = Instant::now();
            let seen = Seen {
                stat: Some(a),
                since,
                read_at: since + Duration::from_secs(read_after_s),
                clock: a.changed.0 + clock_after_s,
                outcome: Ok(()),
            };
            assert_eq!(seen.is_settled(now), expect, "{read_after_s} {clock_after_s}");
        };
        check(0, 0, &a, false);
        check(3, 3, &a, false);
        check(4, 0, &a, true);
        check(0, 4, &a, true);
        // Another file, whatever the time.
        check(9, 9, &b, false);
    }
}
