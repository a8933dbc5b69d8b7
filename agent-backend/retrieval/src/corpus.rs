//! The keyword index in this process: the files of a workspace as terms, and
//! the history of each.
//!
//! Owns what is known of every file between questions and how it is brought up
//! to date: files whose hash has not changed are not read again, and the result
//! is the same as that of a fresh index. It holds no text: what is shown is read
//! again and cleaned of credentials. How it is asked is in [`signals`] and
//! [`rank`].

pub mod class;
pub mod rank;
mod show;
pub mod signals;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use self::class::Class;
use crate::analysis::{self, Analyzer};
use crate::chunk::{self, Cut, Kind};
use crate::history::{History, View};
use crate::identity::ContentHash;
use crate::language::Language;
use crate::postings::Postings;
use crate::walk::{self, Scan, SkipReason};

/// The index is rebuilt when more of its files are gone than this share of
/// those that are there, one in …
const GONE_SHARE: usize = 4;
/// … and at least this many.
const GONE_MIN: usize = 256;

/// The keyword index of a workspace.
#[derive(Debug, Default)]
pub struct Corpus {
    by_path: BTreeMap<String, u32>,
    files: Vec<File>,
    parts: Vec<Part>,
    body: Postings,
    symbols: Postings,
    paths: Postings,
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
    pub hash: ContentHash,
    pub class: Class,
    /// Stays in its place when it is gone, until the next rebuild.
    pub state: State,
    /// Its parts, the first and how many.
    pub parts: std::ops::Range<u32>,
    /// Terms of all parts.
    pub length: u32,
    pub path_length: u32,
    pub symbol_length: u32,
}

/// Whether a file is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    There,
    Gone,
}

/// A part of a file: one chunk.
#[derive(Debug)]
pub(crate) struct Part {
    pub kind: Kind,
    pub symbol: Option<Box<str>>,
    pub start_line: u32,
    pub end_line: u32,
    /// Terms.
    pub length: u32,
}

/// What an update did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Files read and indexed.
    pub indexed: usize,
    /// Files that were there as they are.
    pub unchanged: usize,
    /// Files that are gone.
    pub removed: usize,
    /// Parts added.
    pub parts_added: usize,
    /// Parts removed.
    pub parts_removed: usize,
    /// Files that were cut by lines because their syntax took too long.
    pub unparsed: usize,
    /// Files that changed under the scan in a way that keeps them out.
    pub skipped: BTreeMap<SkipReason, usize>,
}

impl Corpus {
    /// Makes the index equal to the files at `root` as `scan` found them.
    /// Reads and parses: call it off the async threads.
    pub fn update(&mut self, root: &Path, scan: &Scan) -> Update {
        let mut update = Update::default();
        let mut analyzer = Analyzer::default();
        let mut old = std::mem::take(&mut self.by_path);
        for stamp in &scan.files {
            let known = old.remove(&stamp.path);
            if let Some(at) = known.filter(|at| self.file(*at).hash == stamp.hash) {
                update.unchanged += 1;
                self.by_path.insert(stamp.path.clone(), at);
                continue;
            }
            if let Some(at) = known {
                update.parts_removed += self.remove(at);
            }
            match walk::read(root, &stamp.path) {
                Ok((text, hash)) => self.add(&stamp.path, &text, hash, &mut analyzer, &mut update),
                Err(reason) => *update.skipped.entry(reason).or_default() += 1,
            }
        }
        for at in old.into_values() {
            update.removed += 1;
            update.parts_removed += self.remove(at);
        }
        if update.indexed + update.removed > 0 || !update.skipped.is_empty() {
            self.stale_view = Freshness::Stale;
        }
        self.compact();
        update
    }

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
        self.by_path.values().map(|at| self.file(*at).parts.len()).sum()
    }

    pub(crate) fn file(&self, at: u32) -> &File {
        &self.files[usize_of(at)]
    }

    fn add(
        &mut self,
        path: &str,
        text: &str,
        hash: ContentHash,
        analyzer: &mut Analyzer,
        update: &mut Update,
    ) {
        let at = number(self.files.len());
        let first = number(self.parts.len());
        let cut = chunk::chunk(Language::of(path), text);
        update.indexed += 1;
        update.unparsed += usize::from(cut.cut == Cut::SyntaxGivenUp);
        let (mut length, mut symbol_length) = (0, 0);
        let mut last_symbol: Option<String> = None;
        for chunk in cut.chunks {
            let part = number(self.parts.len());
            let counts = analyzer.counts(&chunk.text);
            let terms = total(&counts);
            length += terms;
            self.body.add(at, part, &counts);
            if let Some(symbol) = &chunk.symbol
                && last_symbol.as_ref() != Some(symbol)
            {
                let counts = analyzer.counts(symbol);
                symbol_length += total(&counts);
                self.symbols.add(at, part, &counts);
                last_symbol = chunk.symbol.clone();
            }
            self.parts.push(Part {
                kind: chunk.kind,
                symbol: chunk.symbol.map(String::into_boxed_str),
                start_line: chunk.start_line,
                end_line: chunk.end_line,
                length: terms,
            });
        }
        let path_counts = path_counts(path, analyzer);
        self.paths.add(at, first, &path_counts);
        update.parts_added += self.parts.len() - usize_of(first);
        self.files.push(File {
            path: path.into(),
            hash,
            class: Class::of(path),
            state: State::There,
            parts: first..number(self.parts.len()),
            length,
            path_length: total(&path_counts),
            symbol_length,
        });
        self.by_path.insert(path.to_owned(), at);
    }

    fn remove(&mut self, at: u32) -> usize {
        let file = &mut self.files[usize_of(at)];
        file.state = State::Gone;
        file.parts.len()
    }

    /// Drops what is gone once it is much.
    fn compact(&mut self) {
        let gone = self.files.len() - self.by_path.len();
        if gone >= GONE_MIN && gone >= self.by_path.len() / GONE_SHARE {
            self.rebuild();
        }
    }

    /// Drops what is gone.
    fn rebuild(&mut self) {
        let mut file_numbers = vec![None; self.files.len()];
        let mut part_numbers = vec![None; self.parts.len()];
        let (mut files, mut parts) = (0, 0);
        for (at, file) in self.files.iter_mut().enumerate() {
            match file.state {
                State::Gone => continue,
                State::There => {}
            }
            file_numbers[at] = Some(files);
            files += 1;
            let first = parts;
            for part in file.parts.clone() {
                part_numbers[usize_of(part)] = Some(parts);
                parts += 1;
            }
            file.parts = first..parts;
        }
        for postings in [&mut self.body, &mut self.symbols, &mut self.paths] {
            postings.renumber(&file_numbers, &part_numbers);
        }
        self.files.retain(|file| file.state == State::There);
        let mut at = 0;
        self.parts.retain(|_| {
            at += 1;
            part_numbers[at - 1].is_some()
        });
        for place in self.by_path.values_mut() {
            *place = file_numbers[usize_of(*place)].unwrap_or_default();
        }
        self.stale_view = Freshness::Stale;
    }
}

/// The terms of a path; those of its name count twice.
fn path_counts(path: &str, analyzer: &mut Analyzer) -> Vec<(u32, u32)> {
    let mut ids = Vec::new();
    analyzer.terms(path, &mut ids);
    analyzer.terms(stem(path), &mut ids);
    analysis::count(ids)
}

/// The name of a file without its extensions; of one named after what its
/// directory is (`mod.rs`, `index.ts`, `__init__.py`), the directory's.
fn stem(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or(path);
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    match (stem, parts.next()) {
        ("mod" | "index" | "__init__" | "lib" | "main", Some(directory)) => directory,
        _ => stem,
    }
}

fn total(counts: &[(u32, u32)]) -> u32 {
    counts.iter().map(|(_, count)| count).sum()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

pub(crate) fn usize_of(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
