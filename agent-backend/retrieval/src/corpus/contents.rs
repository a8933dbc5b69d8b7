//! What was written in files, wherever they are: texts by their hash, each
//! with its parts and terms, counted once however many files hold it.
//!
//! So a file that is moved, copied, or comes back with another branch costs no
//! parsing. A text that no file holds any more stays until [`Contents::renumber`].

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::{number, usize_of};
use crate::analysis::Analyzer;
use crate::chunk::{self, Cut, Kind};
use crate::identity::ContentHash;
use crate::language::Language;
use crate::postings::Postings;

/// What decides how a text is cut and counted.
pub(crate) type Key = (ContentHash, Language);

/// Texts.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub known: FxHashMap<Key, u32>,
    pub all: Vec<Content>,
    pub parts: Vec<Part>,
    /// Terms of the parts' texts.
    pub body: Postings,
    /// Terms of the parts' names.
    pub symbols: Postings,
}

/// A text.
#[derive(Debug)]
pub(crate) struct Content {
    pub key: Key,
    /// How many files hold it now.
    pub holders: u32,
    pub cut: Cut,
    pub parts: Range<u32>,
    /// Terms of all parts.
    pub length: u32,
    pub symbol_length: u32,
}

/// A part of a text: one chunk.
#[derive(Debug)]
pub(crate) struct Part {
    pub content: u32,
    pub kind: Kind,
    pub symbol: Option<Box<str>>,
    pub start_line: u32,
    pub end_line: u32,
    /// Terms.
    pub length: u32,
}

/// What [`Contents::insert`] takes in: a text cut and counted.
#[derive(Debug)]
pub(crate) struct Digest {
    cut: Cut,
    parts: Vec<Part>,
    /// The counted terms of all parts' texts and names, and how many of them
    /// belong to each.
    counts: Vec<(u32, u32)>,
    ends: Vec<(usize, usize)>,
    length: u32,
    symbol_length: u32,
}

impl Digest {
    /// Cuts a text and counts its terms.
    pub fn of(language: Language, text: &str, analyzer: &mut Analyzer) -> Self {
        let mut digest = Self {
            cut: Cut::Lines,
            parts: Vec::new(),
            counts: Vec::new(),
            ends: Vec::new(),
            length: 0,
            symbol_length: 0,
        };
        let mut last_symbol: Option<Box<str>> = None;
        digest.cut = chunk::pieces(language, text, |piece| {
            let length = analyzer.count(&[&piece.text], &mut digest.counts);
            digest.length += length;
            let body_end = digest.counts.len();
            // A name that goes on in the next part is there once.
            let is_new = |symbol: &&str| last_symbol.as_deref() != Some(*symbol);
            if let Some(symbol) = piece.symbol.filter(is_new) {
                digest.symbol_length += analyzer.count(&[symbol], &mut digest.counts);
                last_symbol = Some(symbol.into());
            }
            digest.ends.push((body_end, digest.counts.len()));
            digest.parts.push(Part {
                content: u32::MAX,
                kind: piece.kind,
                symbol: piece.symbol.map(Box::from),
                start_line: piece.start_line,
                end_line: piece.end_line,
                length,
            });
        });
        digest
    }
}

impl Contents {
    pub fn get(&self, at: u32) -> &Content {
        &self.all[usize_of(at)]
    }

    /// Takes in a text that no file holds yet. It is known by its key once the
    /// caller says so.
    pub fn insert(&mut self, key: Key, digest: Digest) -> u32 {
        let at = number(self.all.len());
        let first = number(self.parts.len());
        let mut start = 0;
        for (part, (body_end, end)) in digest.parts.into_iter().zip(digest.ends) {
            let place = number(self.parts.len());
            self.body.add(place, &digest.counts[start..body_end]);
            self.symbols.add(place, &digest.counts[body_end..end]);
            self.parts.push(Part { content: at, ..part });
            start = end;
        }
        self.all.push(Content {
            key,
            holders: 0,
            cut: digest.cut,
            parts: first..number(self.parts.len()),
            length: digest.length,
            symbol_length: digest.symbol_length,
        });
        at
    }

    /// Gives back memory that was kept for growth.
    pub fn shrink(&mut self) {
        self.all.shrink_to_fit();
        self.parts.shrink_to_fit();
        self.body.shrink();
        self.symbols.shrink();
    }

    /// Drops the texts that no file holds. Returns the new number of each old one.
    pub fn renumber(&mut self) -> Vec<Option<u32>> {
        let mut contents = vec![None; self.all.len()];
        let mut parts = vec![None; self.parts.len()];
        let (mut next, mut next_part) = (0, 0);
        for (at, content) in self.all.iter_mut().enumerate() {
            if content.holders == 0 {
                continue;
            }
            contents[at] = Some(next);
            let first = next_part;
            for part in content.parts.clone() {
                parts[usize_of(part)] = Some(next_part);
                self.parts[usize_of(part)].content = next;
                next_part += 1;
            }
            content.parts = first..next_part;
            next += 1;
        }
        self.body.renumber(&parts);
        self.symbols.renumber(&parts);
        self.all.retain(|content| content.holders > 0);
        let mut at = 0;
        self.parts.retain(|_| {
            at += 1;
            parts[at - 1].is_some()
        });
        self.known.retain(|_, at| match contents[usize_of(*at)] {
            Some(new) => {
                *at = new;
                true
            }
            None => false,
        });
        contents
    }
}
