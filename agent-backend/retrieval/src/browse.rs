//! What can be told of a workspace beside a search: definitions, references and
//! related files, of the files as a [`Session`](crate::Session) sees them.
//!
//! Reads the files that a question needs: call it off the async threads. Must
//! never know who asks or how the answers are shown.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use shared::redact::redact;

use crate::corpus::rank::Detail;
use crate::corpus::stem;
use crate::filter::Matcher;
use crate::language::Language;
use crate::local::Local;
use crate::profile::Profile;
use crate::references::{self, Found, How};
use crate::related::{Evidence, Reason, Related, Subject};
use crate::report::Item;
use crate::search::{Near, Question};
use crate::symbols::Wanted;
use crate::walk::{self, Scan, SkipReason};

/// Files that are parsed for one question.
pub const PARSED_FILES_MAX: usize = 2_000;
/// Text that is read for one question, bytes.
pub const READ_BYTES_MAX: u64 = 256 << 20;
/// Files that vote for being similar.
const SIMILAR_MAX: usize = 20;

/// A workspace. Of the files that there were when its session was opened.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub(crate) root: &'a Path,
    pub(crate) scan: &'a Scan,
    pub(crate) local: &'a Local,
}

/// What a look through many files found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Best first.
    pub found: Vec<Found>,
    /// All that there are, also those that `found` has no room for.
    pub total: usize,
    /// Whether every file was looked at: false if it was stopped or there were
    /// too many.
    pub complete: bool,
}

/// What is known of a workspace's index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Files of the workspace that belong in an index.
    pub files: usize,
    /// Their text, bytes.
    pub bytes: u64,
    /// Files of each language.
    pub languages: BTreeMap<Language, usize>,
    /// Files left out, by reason.
    pub skipped: BTreeMap<SkipReason, usize>,
    /// Files in the index; 0 before the first search.
    pub indexed_files: usize,
    /// Pieces of code in the index.
    pub indexed_parts: usize,
    /// Commits that are known.
    pub commits: usize,
}

impl View<'_> {
    /// Where a name is defined, best first; stops when `stop` says so.
    pub fn definitions(
        &self,
        wanted: &Wanted,
        filter: &Matcher,
        top: usize,
        stop: &dyn Fn() -> bool,
    ) -> Places {
        let (found, complete) = self.through(wanted, filter, stop, |path, text| {
            references::definitions(wanted, path, text)
        });
        let found = references::meant(wanted, found);
        places(found, top, complete)
    }

    /// The text of definitions, in the same order.
    pub fn definition_items(&self, found: &[Found]) -> Vec<Item> {
        let mut texts: HashMap<&str, Option<String>> = HashMap::new();
        let mut items = Vec::new();
        for found in found {
            let Some(definition) = &found.place.definition else {
                continue;
            };
            let read = || walk::read(self.root, &found.path).ok().map(|(text, _)| text);
            let Some(text) = texts.entry(&found.path).or_insert_with(read) else {
                continue;
            };
            let rows = definition.end_line - definition.start_line + 1;
            let lines = text
                .lines()
                .skip(size(definition.start_line - 1))
                .take(size(rows));
            let lines: Vec<&str> = lines.collect();
            items.push(Item {
                path: found.path.clone(),
                start_line: definition.start_line,
                end_line: definition.start_line + u32::try_from(lines.len().max(1) - 1).unwrap_or_default(),
                symbol: Some(definition.symbol.clone()),
                score: 1.0,
                text: redact(&lines.join("\n")).into_owned(),
                explanation: None,
            });
        }
        items
    }

    /// Where a name is used and defined. Like [`View::definitions`].
    pub fn references(
        &self,
        wanted: &Wanted,
        how: How,
        filter: &Matcher,
        top: usize,
        stop: &dyn Fn() -> bool,
    ) -> Places {
        let (found, complete) = self.through(wanted, filter, stop, |path, text| {
            references::references(wanted, how, path, text)
        });
        places(references::in_order(found), top, complete)
    }

    /// Whether there is such a file among those that may be read.
    pub fn has(&self, path: &str) -> bool {
        self.scan
            .files
            .binary_search_by(|stamp| stamp.path.as_str().cmp(path))
            .is_ok()
    }

    /// The files that belong with the one at `path`, closest first; empty for
    /// a file that is not in the index.
    pub fn related(&self, path: &str, filter: &Matcher, top: usize, stop: &dyn Fn() -> bool) -> Vec<Related> {
        let Ok((text, _)) = walk::read(self.root, path) else {
            return Vec::new();
        };
        let definers = self.local.corpus.definers();
        let subject = Subject::new(path, &text, &definers);
        let mut evidence = Evidence::default();
        self.by_history(path, filter, &mut evidence);
        for (other, names) in subject.uses() {
            if filter.accepts(self.root, other) {
                evidence.add(other, Reason::Defines(names));
            }
        }
        let others = self
            .scan
            .files
            .iter()
            .filter(|stamp| stamp.path != path && filter.accepts(self.root, &stamp.path));
        let mut budget = Budget::default();
        for stamp in others {
            if stop() || budget.is_spent() {
                break;
            }
            let Ok((text, _)) = walk::read(self.root, &stamp.path) else {
                continue;
            };
            budget.read(&text);
            for reason in subject.compare(&stamp.path, &text) {
                evidence.add(&stamp.path, reason);
            }
        }
        // The name and the definitions say what it is about; the text explains.
        let question = Question::new(&format!("{}\n{text}", stem(path)));
        let mut accept = |other: &str| other != path && filter.accepts(self.root, other);
        let mut profile = Profile::best();
        profile.files.top = SIMILAR_MAX;
        let ranking =
            self.local
                .corpus
                .rank(&question, &Near::default(), &profile, Detail::Values, &mut accept);
        let best = ranking.files.first().map_or(1.0, |file| file.score);
        for file in &ranking.files {
            evidence.similar(&file.path, file.score / best);
        }
        evidence.ranked(top)
    }

    /// What is known.
    pub fn status(&self) -> Status {
        let mut languages: BTreeMap<Language, usize> = BTreeMap::new();
        for stamp in &self.scan.files {
            *languages.entry(Language::of(&stamp.path)).or_default() += 1;
        }
        Status {
            files: self.scan.files.len(),
            bytes: self.scan.bytes,
            languages,
            skipped: self.scan.skipped.clone(),
            indexed_files: self.local.corpus.files(),
            indexed_parts: self.local.corpus.parts(),
            commits: self.local.history.commits(),
        }
    }

    fn by_history(&self, path: &str, filter: &Matcher, evidence: &mut Evidence) {
        let files = &self.scan.files;
        let places: HashMap<&str, u32> = (0..)
            .zip(files)
            .map(|(at, stamp)| (stamp.path.as_str(), at))
            .collect();
        let Some(of) = places.get(path) else { return };
        let together = self.local.history.together(&places, *of);
        for (other, commits) in together.others {
            let other = &files[size(other)].path;
            if filter.accepts(self.root, other) {
                let of = together.commits;
                evidence.add(other, Reason::Together { commits, of });
            }
        }
    }

    /// Gives `read` every file that the filter takes and that holds the name.
    fn through(
        &self,
        wanted: &Wanted,
        filter: &Matcher,
        stop: &dyn Fn() -> bool,
        mut read: impl FnMut(&str, &str) -> Vec<Found>,
    ) -> (Vec<Found>, bool) {
        let mut found = Vec::new();
        let mut budget = Budget::default();
        for stamp in self
            .scan
            .files
            .iter()
            .filter(|stamp| filter.accepts(self.root, &stamp.path))
        {
            if stop() || budget.is_spent() {
                return (found, false);
            }
            let Ok((text, _)) = walk::read(self.root, &stamp.path) else {
                continue;
            };
            budget.read(&text);
            if text.contains(&wanted.name) {
                budget.parsed += 1;
                found.extend(read(&stamp.path, &text));
            }
        }
        for found in &mut found {
            found.place.text = redact(&found.place.text).into_owned();
        }
        (found, true)
    }
}

/// What one question has cost.
#[derive(Debug, Default)]
struct Budget {
    bytes: u64,
    parsed: usize,
}

impl Budget {
    fn read(&mut self, text: &str) {
        self.bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
    }

    fn is_spent(&self) -> bool {
        self.bytes >= READ_BYTES_MAX || self.parsed >= PARSED_FILES_MAX
    }
}

fn places(mut found: Vec<Found>, top: usize, complete: bool) -> Places {
    let total = found.len();
    found.truncate(top);
    Places {
        found,
        total,
        complete,
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
