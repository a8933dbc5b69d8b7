//! What the commits of a workspace say about its files: the messages of those
//! that touched a file, the files of similar ones, how often and how recently.
//!
//! Owns how history is read (bounded, only what is new, never past HEAD) and
//! how it scores. Where there is none (no git, no repository, no commit, a
//! shallow clone's one commit) the scores are zero and nothing fails.

mod git;
mod log;
mod together;

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use self::git::Head;
use self::log::Entry;
pub use self::log::message;
use crate::analysis::Analyzer;
use crate::postings::{TermMap, idf, saturated};

/// Commits that touch more files say little about each of them.
const COMMIT_FILES_MAX: usize = 40;
/// How often a path is followed through renames.
const RENAMES_MAX: usize = 8;
/// The weight of a commit halves when this many came after it.
const HALF_LIFE_COMMITS: f32 = 500.0;
/// How many commits of the usual kind every file is taken to have had.
const PRIOR_COMMITS: f32 = 10.0;
/// So many commits are few: what they say counts half.
const FEW_COMMITS: f32 = 50.0;
/// Similar commits that vote.
const NEIGHBOURS: usize = 60;
/// Saturation of a term's frequency in a message.
const K1: f32 = 1.5;
/// Weight of the length of a message.
const B: f32 = 0.5;

/// The history of a workspace.
#[derive(Debug, Default)]
pub struct History {
    head: Option<Head>,
    /// Newest first.
    commits: VecDeque<Commit>,
    paths: Vec<String>,
    path_ids: HashMap<String, u32>,
}

#[derive(Debug)]
struct Commit {
    /// None if it touched too many.
    files: Vec<u32>,
    terms: Vec<(u32, u32)>,
    /// Old path, new path.
    renames: Vec<(u32, u32)>,
}

/// A commit in its own words.
#[derive(Debug, PartialEq)]
struct Told<'h> {
    files: Vec<&'h str>,
    terms: &'h [(u32, u32)],
    renames: Vec<(&'h str, &'h str)>,
}

/// How the history of each file answers a question. Indexed like the files it
/// was asked for; all scores are 0 or more.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Scores {
    /// How much more usual the question's words are in the messages that
    /// touched the file than in all messages: the log of the ratio, smoothed.
    pub messages: Vec<f32>,
    /// Votes of similar commits.
    pub similar: Vec<f32>,
    /// How much and how recently it was worked on.
    pub activity: Vec<f32>,
}

/// The history as it concerns the files that there are: ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct View {
    commits: Vec<ViewCommit>,
    postings: TermMap<Vec<(u32, f32)>>,
    length_mean: f32,
    activity: Vec<f32>,
    /// Weights of the commits of each file.
    worked: Vec<f32>,
}

#[derive(Debug)]
struct ViewCommit {
    files: Vec<u32>,
    length: f32,
    weight: f32,
}

impl History {
    /// Reads what is new. Returns whether anything changed.
    pub async fn update(&mut self, root: &Path) -> bool {
        let head = git::head(root).await;
        if head == self.head {
            return false;
        }
        let Some(head) = head else {
            *self = Self::default();
            return true;
        };
        let since = match &self.head {
            Some(old) if old.depth == head.depth && git::is_on_top(root, &old.id, &head.id).await => {
                Some(old.id.clone())
            }
            Some(_) | None => None,
        };
        let Some(entries) = git::commits(root, &head.id, since.as_deref()).await else {
            tracing::warn!(root = %root.display(), "the history cannot be read; the search goes on without it");
            *self = Self::default();
            return true;
        };
        if since.is_none() {
            *self = Self::default();
        }
        let mut analyzer = Analyzer::default();
        // Oldest first, so that the newest ends up in front.
        for entry in entries.into_iter().rev() {
            self.push(&entry, &mut analyzer);
        }
        self.commits.truncate(git::COMMITS_MAX);
        self.head = Some(head);
        true
    }

    /// Commits that are known and say something about files.
    pub fn commits(&self) -> usize {
        self.commits
            .iter()
            .filter(|commit| !commit.files.is_empty())
            .count()
    }

    /// Whether this is what a fresh reading gives: the checker of a history that
    /// was kept up to date.
    pub async fn check(&self, root: &Path) -> bool {
        let mut fresh = Self::default();
        fresh.update(root).await;
        self.head == fresh.head && self.told().eq(fresh.told())
    }

    /// What is known of each commit, however its files are numbered.
    fn told(&self) -> impl Iterator<Item = Told<'_>> {
        let path = |id: &u32| self.paths[usize_of(*id)].as_str();
        self.commits.iter().map(move |commit| Told {
            files: commit.files.iter().map(path).collect(),
            terms: &commit.terms,
            renames: commit
                .renames
                .iter()
                .map(|(old, new)| (path(old), path(new)))
                .collect(),
        })
    }

    fn push(&mut self, entry: &Entry, analyzer: &mut Analyzer) {
        let renames = entry.renames.iter();
        let renames = renames
            .map(|(old, new)| (self.path(old), self.path(new)))
            .collect();
        let mut commit = Commit {
            files: Vec::new(),
            terms: Vec::new(),
            renames,
        };
        if (1..=COMMIT_FILES_MAX).contains(&entry.paths.len()) {
            commit.files = entry.paths.iter().map(|path| self.path(path)).collect();
            analyzer.count(&[&entry.message], &mut commit.terms);
        }
        self.commits.push_front(commit);
    }

    fn path(&mut self, path: &str) -> u32 {
        if let Some(id) = self.path_ids.get(path) {
            return *id;
        }
        let id = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        self.paths.push(path.to_owned());
        self.path_ids.insert(path.to_owned(), id);
        id
    }

    /// How the history concerns `files` (path to index below `count`).
    pub(crate) fn view(&self, files: &HashMap<&str, u32>, count: usize) -> View {
        let places = self.places(files);
        let mut view = View {
            activity: vec![0.0; count],
            worked: vec![0.0; count],
            ..View::default()
        };
        let telling = self.commits.iter().filter(|commit| !commit.files.is_empty());
        for (age, commit) in telling.enumerate() {
            let mut now: Vec<u32> = commit
                .files
                .iter()
                .filter_map(|id| places[usize_of(*id)])
                .collect();
            now.sort_unstable();
            now.dedup();
            if now.is_empty() {
                continue;
            }
            view.push(age, commit, now);
        }
        view.finish();
        view
    }

    /// For each path that history knows, the file that it is now.
    fn places(&self, files: &HashMap<&str, u32>) -> Vec<Option<u32>> {
        let mut renamed: HashMap<u32, u32> = HashMap::new();
        for (old, new) in self.commits.iter().rev().flat_map(|commit| &commit.renames) {
            renamed.insert(*old, *new);
            // A file that is there again is followed no further.
            renamed.remove(new);
        }
        (0..u32::try_from(self.paths.len()).unwrap_or(u32::MAX))
            .map(|id| self.place(id, files, &renamed))
            .collect()
    }

    /// The file that is now what `path` was.
    fn place(&self, path: u32, files: &HashMap<&str, u32>, renamed: &HashMap<u32, u32>) -> Option<u32> {
        let mut at = path;
        for _ in 0..RENAMES_MAX {
            if let Some(file) = files.get(self.paths[usize_of(at)].as_str()) {
                return Some(*file);
            }
            at = *renamed.get(&at)?;
        }
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^24")]
impl View {
    fn push(&mut self, age: usize, commit: &Commit, files: Vec<u32>) {
        let at = u32::try_from(self.commits.len()).unwrap_or(u32::MAX);
        let mut length = 0.0;
        for &(term, count) in &commit.terms {
            self.postings.entry(term).or_default().push((at, count as f32));
            length += count as f32;
        }
        let recent = HALF_LIFE_COMMITS / (HALF_LIFE_COMMITS + age as f32);
        // Of a commit of many files each is less what it is about.
        let weight = 1.0 / (commit.files.len() as f32).sqrt();
        for file in &files {
            self.activity[usize_of(*file)] += recent * weight;
            self.worked[usize_of(*file)] += weight;
        }
        self.commits.push(ViewCommit {
            files,
            length,
            weight,
        });
    }

    fn finish(&mut self) {
        let total: f32 = self.commits.iter().map(|commit| commit.length).sum();
        self.length_mean = total / self.commits.len().max(1) as f32;
        for activity in &mut self.activity {
            *activity = activity.ln_1p();
        }
    }

    /// How far the history can be trusted beside the text, from 0 (there is
    /// none) to nearly 1.
    pub fn trust(&self) -> f32 {
        let known = self.commits.len() as f32;
        known / (known + FEW_COMMITS)
    }

    /// How rare a term is in messages, from 0 (in every one) to 1 (in none). A
    /// few commits say little about it, and none say 1.
    pub fn rarity(&self, term: u32) -> f32 {
        let all = self.commits.len() as f32 + FEW_COMMITS;
        let holders = self.postings.get(&term).map_or(0, Vec::len) as f32 + 1.0;
        (all / holders).ln() / all.ln()
    }

    /// Scores the files for a query of weighted terms.
    pub fn scores(&self, terms: &[(u32, f32)]) -> Scores {
        let files = self.activity.len();
        let mut scores = Scores {
            messages: vec![0.0; files],
            similar: vec![0.0; files],
            activity: self.activity.clone(),
        };
        let mut similarity = vec![0.0_f32; self.commits.len()];
        let mut frequency = vec![0.0_f32; files];
        let mut touched: Vec<u32> = Vec::new();
        for &(term, weight) in terms {
            let Some(postings) = self.postings.get(&term) else {
                continue;
            };
            let idf = idf(self.commits.len(), postings.len());
            let usual = (postings.len() as f32 + 1.0) / (self.commits.len() as f32 + 2.0);
            for &(commit, count) in postings {
                let at = &self.commits[usize_of(commit)];
                let near = saturated(count, at.length / self.length_mean, K1, B);
                similarity[usize_of(commit)] += weight * idf * near;
                for file in &at.files {
                    let so_far = &mut frequency[usize_of(*file)];
                    if *so_far == 0.0 {
                        touched.push(*file);
                    }
                    *so_far += at.weight;
                }
            }
            for file in touched.drain(..) {
                let count = std::mem::take(&mut frequency[usize_of(file)]);
                let share = (count + PRIOR_COMMITS * usual) / (self.worked[usize_of(file)] + PRIOR_COMMITS);
                scores.messages[usize_of(file)] += weight * (share / usual).ln().max(0.0);
            }
        }
        self.vote(&similarity, &mut scores.similar);
        scores
    }

    fn vote(&self, similarity: &[f32], votes: &mut [f32]) {
        let mut order: Vec<u32> = (0..u32::try_from(similarity.len()).unwrap_or(u32::MAX))
            .filter(|at| similarity[usize_of(*at)] > 0.0)
            .collect();
        // Of equal ones the newer, which comes first.
        let rank = |a: &u32, b: &u32| {
            similarity[usize_of(*b)]
                .total_cmp(&similarity[usize_of(*a)])
                .then(a.cmp(b))
        };
        if order.len() > NEIGHBOURS {
            order.select_nth_unstable_by(NEIGHBOURS, rank);
            order.truncate(NEIGHBOURS);
        }
        order.sort_unstable_by(rank);
        let best = order.first().map_or(1.0, |at| similarity[usize_of(*at)]);
        for at in order {
            let near = similarity[usize_of(at)] / best;
            let commit = &self.commits[usize_of(at)];
            for file in &commit.files {
                votes[usize_of(*file)] += near * near * commit.weight;
            }
        }
    }
}

fn usize_of(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
