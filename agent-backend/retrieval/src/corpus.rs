//! The keyword index in this process: the files of a workspace as terms, and
//! the history of each.
//!
//! Owns what is known of every file between questions and how it is brought up
//! to date: a file that the file system says is the same is not read again, a
//! text that is known is not parsed again, and the result is the same as that
//! of a fresh index. It holds no text: what is shown is read again and cleaned
//! of credentials. How it is brought up to date is in [`refresh`], how it is
//! asked in [`signals`] and [`rank`].

pub mod check;
pub mod class;
mod contents;
mod names;
pub mod rank;
mod refresh;
mod show;
pub mod signals;
mod weights;

use std::collections::{BTreeMap, HashMap};

pub use self::check::Difference;
use self::class::Class;
use self::contents::{Content, Contents};
use self::refresh::Seen;
pub use self::refresh::Update;
use crate::analysis::Analyzer;
use crate::history::{History, View};
use crate::postings::Postings;
use crate::walk::{FileStamp, Limits, Scan, SkipReason};

/// What is gone is dropped when it is more than this share of what is there,
/// one in …
const GONE_SHARE: usize = 4;
/// … and at least this many.
const GONE_MIN: usize = 256;

/// The keyword index of a workspace.
#[derive(Debug, Default)]
pub struct Corpus {
    by_path: BTreeMap<String, u32>,
    files: Vec<File>,
    contents: Contents,
    /// Terms of the paths; the parts are files.
    paths: Postings,
    /// Everything that was looked at, also what stays out.
    seen: BTreeMap<String, Seen>,
    room: Limits,
    view: View,
    stale_view: Freshness,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Freshness {
    #[default]
    Fresh,
    Stale,
}

/// A file of the index.
#[derive(Debug)]
pub(crate) struct File {
    pub path: Box<str>,
    pub class: Class,
    /// Stays in its place when it is gone, until the next rebuild.
    pub state: State,
    pub content: u32,
    pub path_length: u32,
}

/// Whether a file is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    There,
    Gone,
}

impl Corpus {
    /// Joins the files with their history. Cheap if neither has changed.
    pub fn join(&mut self, history: &History, changed: bool) {
        if !changed && self.stale_view == Freshness::Fresh {
            return;
        }
        let places: HashMap<&str, u32> = self
            .by_path
            .iter()
            .map(|(path, at)| (path.as_str(), *at))
            .collect();
        self.view = history.view(&places, self.files.len());
        self.stale_view = Freshness::Fresh;
    }

    /// Files in the index.
    pub fn files(&self) -> usize {
        self.by_path.len()
    }

    /// Parts in the index.
    pub fn parts(&self) -> usize {
        self.by_path
            .values()
            .map(|at| self.content(*at).parts.len())
            .sum()
    }

    /// The files of the index and the count of those left out, as
    /// [`crate::walk::scan`] finds them, without reading anything.
    pub fn scan(&self) -> Scan {
        let stamps = self.by_path.iter().map(|(path, at)| FileStamp {
            path: path.clone(),
            hash: self.content(*at).key.0,
        });
        let kept = self.seen.values().filter(|seen| seen.outcome.is_ok());
        Scan {
            files: stamps.collect(),
            skipped: self.skipped(),
            bytes: kept.map(|seen| seen.bytes()).sum(),
        }
    }

    /// Files left out, counted by reason.
    pub fn skipped(&self) -> BTreeMap<SkipReason, usize> {
        let mut skipped = BTreeMap::new();
        for seen in self.seen.values() {
            if let Err(reason) = seen.outcome {
                *skipped.entry(reason).or_default() += 1;
            }
        }
        skipped
    }

    pub(crate) fn file(&self, at: u32) -> &File {
        &self.files[usize_of(at)]
    }

    /// An index that takes in less than others.
    #[cfg(test)]
    fn with_room(room: Limits) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    /// What is in the file.
    pub(crate) fn content(&self, file: u32) -> &Content {
        self.contents.get(self.file(file).content)
    }

    /// The text is now what is in the file at `path`.
    fn put(&mut self, path: &str, content: u32, analyzer: &mut Analyzer, update: &mut Update) {
        self.contents.all[usize_of(content)].holders += 1;
        let new = self.contents.get(content);
        update.indexed += 1;
        update.unparsed += usize::from(new.cut == crate::chunk::Cut::SyntaxGivenUp);
        update.parts_added += new.parts.len();
        if let Some(at) = self.by_path.get(path) {
            let old = std::mem::replace(&mut self.files[usize_of(*at)].content, content);
            update.parts_removed += self.release(old);
            return;
        }
        let at = number(self.files.len());
        let mut counts = Vec::new();
        // `to-json-schema.ts` is one name, as `toJSONSchema` is.
        let named = path.replace('-', "_");
        // The terms of the name count twice.
        let path_length = analyzer.count(&[&named, stem(&named)], &mut counts);
        self.paths.add(at, &counts);
        self.files.push(File {
            path: path.into(),
            class: Class::of(path),
            state: State::There,
            content,
            path_length,
        });
        self.by_path.insert(path.to_owned(), at);
        self.stale_view = Freshness::Stale;
    }

    /// The file at `path` is not there any more.
    fn take_out(&mut self, path: &str, update: &mut Update) {
        let Some(at) = self.by_path.remove(path) else {
            return;
        };
        let file = &mut self.files[usize_of(at)];
        file.state = State::Gone;
        let content = file.content;
        update.removed += 1;
        update.parts_removed += self.release(content);
        self.stale_view = Freshness::Stale;
    }

    /// One file less holds the text. Returns how many parts it has.
    fn release(&mut self, content: u32) -> usize {
        let content = &mut self.contents.all[usize_of(content)];
        content.holders -= 1;
        content.parts.len()
    }

    /// Drops what is gone once it is much.
    fn compact(&mut self) {
        let is_much = |gone: usize, there: usize| gone >= GONE_MIN && gone >= there / GONE_SHARE;
        let held = self
            .contents
            .all
            .iter()
            .filter(|content| content.holders > 0)
            .count();
        if is_much(self.files.len() - self.by_path.len(), self.by_path.len())
            || is_much(self.contents.all.len() - held, held)
        {
            self.rebuild();
        }
    }

    /// Drops what is gone.
    fn rebuild(&mut self) {
        let contents = self.contents.renumber();
        let mut numbers = vec![None; self.files.len()];
        let mut next = 0;
        for (at, file) in self.files.iter_mut().enumerate() {
            if file.state == State::There {
                file.content = contents[usize_of(file.content)].unwrap_or_default();
                numbers[at] = Some(next);
                next += 1;
            }
        }
        self.files.retain(|file| file.state == State::There);
        self.paths.renumber(&numbers);
        for place in self.by_path.values_mut() {
            *place = numbers[usize_of(*place)].unwrap_or_default();
        }
        self.stale_view = Freshness::Stale;
    }
}

/// The name of a file without its extensions; of one named after what its
/// directory is (`mod.rs`, `index.ts`, `__init__.py`), the directory's.
pub(crate) fn stem(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or(path);
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    match (stem, parts.next()) {
        ("mod" | "index" | "__init__" | "lib" | "main", Some(directory)) => directory,
        _ => stem,
    }
}

pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

pub(crate) fn usize_of(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
