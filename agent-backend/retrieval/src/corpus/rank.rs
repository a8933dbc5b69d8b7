//! From signals to an order: files first, then the best parts of the best
//! files. Pure.

use super::class::Class;
use super::signals::{Evidence, SIGNALS, Signal, Values};
use super::{Corpus, State, usize_of};
use crate::chunk::Kind;
use crate::search::Question;
use crate::store::Hit;

/// What each signal counts, and each class of files.
///
/// The defaults were found on eight repositories (`docs/retrieval.md`), each
/// also left out in turn; halving or doubling any one of them changes nDCG@10
/// by .02 at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Indexed like [`Signal::ALL`].
    pub signals: Values,
    /// Indexed like [`Class::ALL`].
    pub classes: [f32; 6],
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            signals: [1.0, 1.3, 0.7, 0.3, 0.7, 0.6, 0.1, 1.0],
            classes: [1.0, 0.25, 0.25, 0.25, 0.25, 0.4],
        }
    }
}

impl Weights {
    /// Without some signals, to see what they are worth.
    #[must_use]
    pub fn without(mut self, signals: &[Signal]) -> Self {
        for (weight, signal) in self.signals.iter_mut().zip(Signal::ALL) {
            if signals.contains(signal) {
                *weight = 0.0;
            }
        }
        self
    }

    /// The weighted sum for a file of this class.
    pub fn score(&self, class: Class, values: &Values) -> f32 {
        let sum: f32 = self
            .signals
            .iter()
            .zip(values)
            .map(|(weight, value)| weight * value)
            .sum();
        let class = Class::ALL.iter().position(|other| *other == class);
        sum * class.map_or(1.0, |at| self.classes[at])
    }
}

/// A file and why it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedFile {
    /// Path relative to the workspace.
    pub path: String,
    /// What it is for.
    pub class: Class,
    /// Higher is better; comparable within one answer.
    pub score: f32,
    /// Each signal, from 0 to 1, indexed like [`Signal::ALL`].
    pub values: Values,
}

/// A part of a file and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedPart {
    /// Path relative to the workspace.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The definition it belongs to.
    pub symbol: Option<String>,
    /// First line, counted from 1.
    pub start_line: u32,
    /// Last line, inclusive.
    pub end_line: u32,
    /// Higher is better; comparable within one answer.
    pub score: f32,
}

/// What a question found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking {
    /// Best first.
    pub files: Vec<RankedFile>,
    /// Parts of the best files, best first.
    pub parts: Vec<RankedPart>,
}

/// Files whose parts are looked at.
const FILES_WITH_PARTS: usize = 20;
/// Parts taken of one file.
const PARTS_PER_FILE: usize = 4;
/// What a name that fits counts beside a text that fits.
const SYMBOL_WEIGHT: f32 = 0.5;
/// How much less each further part of a file is worth than the one before.
const NEXT_PART: f32 = 0.6;

impl Corpus {
    /// The best files for a question and their best parts. `hits` is what the
    /// vector database found near in meaning, if it was asked. `limit` bounds
    /// files and parts alike.
    pub fn ask(&self, question: &Question, hits: &[Hit], weights: &Weights, limit: usize) -> Ranking {
        if question.terms.is_empty() && hits.is_empty() {
            return Ranking::default();
        }
        let evidence = self.evidence(&question.terms, hits);
        let mut order: Vec<(f32, u32)> = Vec::new();
        for at in self.by_path.values() {
            let values = &evidence.files[usize_of(*at)];
            let matched = values
                .iter()
                .zip(Signal::ALL)
                .any(|(value, signal)| *value > 0.0 && *signal != Signal::Activity);
            if matched {
                order.push((weights.score(self.file(*at).class, values), *at));
            }
        }
        // Stable: equal scores stay in the order of path.
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order.truncate(limit);
        let mut parts: Vec<RankedPart> = Vec::new();
        for (score, at) in order.iter().take(FILES_WITH_PARTS) {
            self.parts_of(*at, *score, &evidence, &mut parts);
        }
        parts.sort_by(|a, b| b.score.total_cmp(&a.score));
        parts.truncate(limit);
        let files = order.into_iter().map(|(score, at)| {
            let file = self.file(at);
            RankedFile {
                path: file.path.to_string(),
                class: file.class,
                score,
                values: evidence.files[usize_of(at)],
            }
        });
        Ranking {
            files: files.collect(),
            parts,
        }
    }

    /// The signals of every file for a question, for measurements.
    pub fn signals(&self, question: &Question) -> Vec<(String, Class, Values)> {
        let evidence = self.evidence(&question.terms, &[]);
        let files = self.by_path.iter();
        files
            .map(|(path, at)| (path.clone(), self.file(*at).class, evidence.files[usize_of(*at)]))
            .filter(|(_, _, values)| *values != [0.0; SIGNALS])
            .collect()
    }

    fn parts_of(&self, at: u32, score: f32, evidence: &Evidence, out: &mut Vec<RankedPart>) {
        let file = self.file(at);
        debug_assert_eq!(file.state, State::There, "a file that is gone has no path");
        let value = |part: u32| {
            let meaning = evidence.meanings.get(usize_of(part)).copied().unwrap_or_default();
            evidence.parts[usize_of(part)] + SYMBOL_WEIGHT * evidence.symbols[usize_of(part)] + meaning
        };
        let mut best: Vec<u32> = self.content(at).parts.clone().collect();
        best.sort_by(|a, b| value(*b).total_cmp(&value(*a)));
        let top = best.first().map_or(0.0, |part| value(*part));
        let mut share = score;
        for at in best.into_iter().take(PARTS_PER_FILE) {
            let fit = if top > 0.0 { value(at) / top } else { 0.0 };
            let part = &self.contents.parts[usize_of(at)];
            out.push(RankedPart {
                path: file.path.to_string(),
                kind: part.kind,
                symbol: part.symbol.as_deref().map(str::to_owned),
                start_line: part.start_line,
                end_line: part.end_line,
                score: share * fit,
            });
            share *= NEXT_PART;
        }
    }
}
