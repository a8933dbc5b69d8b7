//! What speaks for a file: one number per signal, before they are weighed.
//!
//! Pure. Each signal is divided by its best value among the files, so that
//! weights mean the same in every workspace.

use super::{Corpus, State, usize_of};
use crate::bm25::SparseVector;
use crate::postings::{Place, Postings, idf, saturated};
use crate::search::{Near, Term};
use crate::store::Hit;

/// Saturation of frequencies.
const K1: f32 = 1.5;
/// Weight of the length, in bodies and parts.
const B: f32 = 0.75;
/// Saturation of frequencies in names: being named once is nearly all.
const NAME_K1: f32 = 0.8;
/// Weight of the length, in names and paths.
const NAME_B: f32 = 0.4;

macro_rules! signals {
    ($($name:ident = $text:literal, $doc:literal;)*) => {
        /// A reason for a file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Signal { $(#[doc = $doc] $name,)* }

        impl Signal {
            /// Every signal, in order.
            pub const ALL: &'static [Signal] = &[$(Signal::$name,)*];

            /// The word used in explanations and measurements.
            pub fn as_str(self) -> &'static str {
                match self { $(Signal::$name => $text,)* }
            }

            /// Whether it is of an embedding model.
            pub fn is_dense(self) -> bool {
                matches!(self, Signal::Meaning | Signal::File)
            }
        }
    };
}

signals! {
    Body = "body", "BM25 of the whole file.";
    Part = "part", "BM25 of its best part.";
    Path = "path", "BM25 of its path.";
    Symbols = "symbols", "BM25 of the names that it defines.";
    Messages = "messages", "How much more usual the question is in its commits' messages than in others'.";
    Similar = "similar", "Votes of commits whose message is like the question.";
    Activity = "activity", "How much and how recently it was worked on.";
    Meaning = "meaning", "Nearness of its nearest part's embedding, from the vector database.";
    File = "file", "Cosine of the whole file's embedding, from the vector database.";
    Terms = "terms", "BM25 of the whole file, from the vector database if it was asked.";
}

/// How many signals there are.
pub const SIGNALS: usize = 10;

/// The signals of one file, each from 0 to 1.
pub type Values = [f32; SIGNALS];

/// The signals of every file and the score of every part for a question.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// Indexed by file; zeros where the file is gone.
    pub files: Vec<Values>,
    /// BM25 of each part's text, from 0 to 1.
    pub parts: Vec<f32>,
    /// BM25 of each part's name, from 0 to 1.
    pub symbols: Vec<f32>,
    /// Nearness of meaning of each part, from 0 to 1; empty without a model.
    pub meanings: Vec<f32>,
}

/// A field's statistics over the files that are there.
struct Field {
    all: usize,
    mean: f32,
}

impl Corpus {
    /// Everything that speaks for each file.
    pub(crate) fn evidence(&self, terms: &[Term], near: &Near) -> Evidence {
        let count = self.files.len();
        let asked: Vec<(u32, f32)> = terms.iter().map(|term| (term.id, term.weight)).collect();
        let terms = &self.damped(terms)[..];
        let parts = self.contents.parts.len();
        let mut evidence = Evidence {
            files: vec![[0.0; SIGNALS]; count],
            parts: vec![0.0; parts],
            symbols: vec![0.0; parts],
            meanings: Vec::new(),
        };
        let bodies = self.bodies(terms, &mut evidence.parts);
        let symbols = self.symbols(terms, &mut evidence.symbols);
        let best = self.contents.all.iter().map(|content| {
            let range = usize_of(content.parts.start)..usize_of(content.parts.end);
            evidence.parts[range].iter().copied().fold(0.0, f32::max)
        });
        let best: Vec<f32> = best.collect();
        let of_files = |of_contents: &[f32]| -> Vec<f32> {
            let contents = self.files.iter().map(|file| match file.state {
                State::There => of_contents[usize_of(file.content)],
                State::Gone => 0.0,
            });
            contents.collect()
        };
        let (body, part, symbols) = (of_files(&bodies), of_files(&best), of_files(&symbols));
        let path = self.path_scores(terms);
        let mut history = self.view.scores(&asked);
        for scores in [&mut history.messages, &mut history.similar, &mut history.activity] {
            scores.resize(count, 0.0);
        }
        let meaning = self.meaning(&near.chunks, &mut evidence.meanings);
        // Without the database this process counts them as well.
        let terms_of_files = if near.terms.is_empty() {
            body.clone()
        } else {
            self.scores(&near.terms)
        };
        let trust = self.view.trust();
        let columns = [
            (body, 1.0),
            (part, 1.0),
            (path, 1.0),
            (symbols, 1.0),
            (history.messages, trust),
            (history.similar, trust),
            (history.activity, trust),
            (meaning, 1.0),
            (self.scores(&near.files), 1.0),
            (terms_of_files, 1.0),
        ];
        for (signal, (mut column, trust)) in columns.into_iter().enumerate() {
            normalise(&mut column);
            for (values, value) in evidence.files.iter_mut().zip(column) {
                values[signal] = value * trust;
            }
        }
        normalise(&mut evidence.parts);
        normalise(&mut evidence.symbols);
        evidence
    }

    /// The terms as they count in code: what every commit message says ("fix",
    /// "add", "support") says little about where.
    fn damped(&self, terms: &[Term]) -> Vec<Term> {
        let damped = |term: &Term| Term {
            weight: term.weight * self.view.rarity(term.id).sqrt(),
            ..*term
        };
        terms.iter().map(damped).collect()
    }

    /// BM25 of each text, and of each part.
    fn bodies(&self, terms: &[Term], parts: &mut [f32]) -> Vec<f32> {
        let field = self.field(|at| self.content(at).length);
        let total: f64 = self
            .by_path
            .values()
            .map(|at| f64::from(self.content(*at).length))
            .sum();
        let mean_part = mean(total, self.parts());
        let mut scores = vec![0.0; self.contents.all.len()];
        for term in terms {
            let places = self.alive(&self.contents.body, term.id);
            let of_contents = || places.chunk_by(|a, b| a.0 == b.0);
            let weight = term.weight * idf(field.all, self.holders(of_contents()));
            for of_content in of_contents() {
                let at = usize_of(of_content[0].0);
                let count: u32 = of_content.iter().map(|(_, place)| place.count).sum();
                let length = float(self.contents.all[at].length) / field.mean;
                scores[at] += weight * saturated(float(count), length, K1, B);
                for (_, place) in of_content {
                    let part = usize_of(place.part);
                    let length = float(self.contents.parts[part].length) / mean_part;
                    parts[part] += weight * saturated(float(place.count), length, K1, B);
                }
            }
        }
        scores
    }

    /// BM25 of the names that each text defines; for each part, the weight of
    /// the terms of its name.
    fn symbols(&self, terms: &[Term], parts: &mut [f32]) -> Vec<f32> {
        let field = self.field(|at| self.content(at).symbol_length);
        let mut scores = vec![0.0; self.contents.all.len()];
        for term in terms {
            let places = self.alive(&self.contents.symbols, term.id);
            let of_contents = || places.chunk_by(|a, b| a.0 == b.0);
            let weight = term.weight * idf(field.all, self.holders(of_contents()));
            for of_content in of_contents() {
                let at = usize_of(of_content[0].0);
                let count: u32 = of_content.iter().map(|(_, place)| place.count).sum();
                let length = float(self.contents.all[at].symbol_length) / field.mean;
                scores[at] += weight * saturated(float(count), length, NAME_K1, NAME_B);
                for (_, place) in of_content {
                    parts[usize_of(place.part)] += weight;
                }
            }
        }
        scores
    }

    /// BM25 of each file's path.
    fn path_scores(&self, terms: &[Term]) -> Vec<f32> {
        let field = self.field(|at| self.file(at).path_length);
        let mut scores = vec![0.0; self.files.len()];
        for term in terms {
            let places = self.paths.places(term.id);
            let places: Vec<Place> = places
                .filter(|place| self.file(place.part).state == State::There)
                .collect();
            let weight = term.weight * idf(field.all, places.len());
            for place in places {
                let length = float(self.file(place.part).path_length) / field.mean;
                scores[usize_of(place.part)] +=
                    weight * saturated(float(place.count), length, NAME_K1, NAME_B);
            }
        }
        scores
    }

    /// Nearness of meaning, from the farthest hit (0) to the nearest (1).
    fn meaning(&self, hits: &[Hit], parts: &mut Vec<f32>) -> Vec<f32> {
        let mut files = vec![0.0_f32; self.files.len()];
        let far = hits.iter().map(|hit| hit.score).fold(f64::INFINITY, f64::min);
        let near = hits.iter().map(|hit| hit.score).fold(f64::NEG_INFINITY, f64::max);
        if hits.is_empty() {
            return files;
        }
        parts.resize(self.contents.parts.len(), 0.0);
        for hit in hits {
            let Some(at) = self.by_path.get(&hit.record.path) else {
                continue;
            };
            let value = if near > far {
                (hit.score - far) / (near - far)
            } else {
                1.0
            };
            let value = single(value);
            files[usize_of(*at)] = files[usize_of(*at)].max(value);
            for part in self.content(*at).parts.clone() {
                if self.contents.parts[usize_of(part)].start_line == hit.record.start_line {
                    parts[usize_of(part)] = parts[usize_of(part)].max(value);
                }
            }
        }
        files
    }

    /// The score of each file that was found.
    fn scores(&self, hits: &[Hit]) -> Vec<f32> {
        let mut files = vec![0.0_f32; self.files.len()];
        for hit in hits {
            if let Some(at) = self.by_path.get(&hit.record.path) {
                files[usize_of(*at)] = single(hit.score).max(0.0);
            }
        }
        files
    }

    /// The terms of a question for a search by plain products: each times its
    /// rarity among the files that are there now.
    pub(crate) fn weighted(&self, terms: &SparseVector) -> SparseVector {
        let rarity = |term: &u32| {
            let places = self.alive(&self.contents.body, *term);
            idf(
                self.by_path.len(),
                self.holders(places.chunk_by(|a, b| a.0 == b.0)),
            )
        };
        SparseVector {
            indices: terms.indices.clone(),
            values: terms
                .indices
                .iter()
                .zip(&terms.values)
                .map(|(term, value)| value * rarity(term))
                .collect(),
        }
    }

    /// Where the term is, with the text that the part belongs to; of texts that
    /// some file holds.
    fn alive(&self, postings: &Postings, term: u32) -> Vec<(u32, Place)> {
        let places = postings.places(term);
        let placed = places.map(|place| (self.contents.parts[usize_of(place.part)].content, place));
        placed
            .filter(|(content, _)| self.contents.get(*content).holders > 0)
            .collect()
    }

    /// How many files hold the texts.
    fn holders<'a>(&self, texts: impl Iterator<Item = &'a [(u32, Place)]>) -> usize {
        texts
            .map(|places| usize_of(self.contents.get(places[0].0).holders))
            .sum()
    }

    fn field(&self, length: impl Fn(u32) -> u32) -> Field {
        let lengths = self.by_path.values().map(|at| f64::from(length(*at)));
        let all = self.by_path.len();
        Field {
            all,
            mean: mean(lengths.sum(), all),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a score needs no more digits")]
fn single(score: f64) -> f32 {
    score as f32
}

fn normalise(column: &mut [f32]) {
    let best = column.iter().copied().fold(0.0, f32::max);
    if best > 0.0 {
        for value in column {
            *value /= best;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a mean length needs no more digits"
)]
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn mean(total: f64, count: usize) -> f32 {
    (total / count.max(1) as f64).max(1.0) as f32
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^24")]
fn float(count: u32) -> f32 {
    count as f32
}
