//! What speaks for a file: one number per signal, before they are weighed.
//!
//! Pure. Each signal is divided by its best value among the files, so that
//! weights mean the same in every workspace.

use super::{Corpus, State, usize_of};
use crate::postings::{Place, Postings, idf, saturated};
use crate::search::Term;
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
    Meaning = "meaning", "Similarity of the embeddings, from the vector database.";
}

/// How many signals there are.
pub const SIGNALS: usize = 8;

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
    pub(crate) fn evidence(&self, terms: &[Term], hits: &[Hit]) -> Evidence {
        let count = self.files.len();
        let asked: Vec<(u32, f32)> = terms.iter().map(|term| (term.id, term.weight)).collect();
        let terms = &self.damped(terms)[..];
        let mut evidence = Evidence {
            files: vec![[0.0; SIGNALS]; count],
            parts: vec![0.0; self.parts.len()],
            symbols: vec![0.0; self.parts.len()],
            meanings: Vec::new(),
        };
        let mut body = vec![0.0; count];
        self.bodies(terms, &mut body, &mut evidence.parts);
        let mut path = vec![0.0; count];
        self.names(
            &self.paths,
            |at| self.files[at].path_length,
            terms,
            &mut path,
            None,
        );
        let mut symbols = vec![0.0; count];
        let lengths = |at: usize| self.files[at].symbol_length;
        self.names(
            &self.symbols,
            lengths,
            terms,
            &mut symbols,
            Some(&mut evidence.symbols),
        );
        let mut part = vec![0.0_f32; count];
        for (at, file) in self.files.iter().enumerate() {
            if file.state == State::There {
                let range = usize_of(file.parts.start)..usize_of(file.parts.end);
                part[at] = evidence.parts[range].iter().copied().fold(0.0, f32::max);
            }
        }
        let mut history = self.view.scores(&asked);
        for scores in [&mut history.messages, &mut history.similar, &mut history.activity] {
            scores.resize(count, 0.0);
        }
        let meaning = self.meaning(hits, &mut evidence.meanings);
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

    fn bodies(&self, terms: &[Term], files: &mut [f32], parts: &mut [f32]) {
        let field = self.field(|at| self.files[at].length);
        let all_parts = self.parts();
        let total: f64 = self
            .by_path
            .values()
            .map(|at| f64::from(self.file(*at).length))
            .sum();
        let mean_part = mean(total, all_parts);
        for term in terms {
            let places = self.alive(&self.body, term.id);
            let weight = term.weight * idf(field.all, holders(&places));
            for of_file in places.chunk_by(|a, b| a.file == b.file) {
                let at = usize_of(of_file[0].file);
                let count: u32 = of_file.iter().map(|place| place.count).sum();
                let length = float(self.files[at].length) / field.mean;
                files[at] += weight * saturated(float(count), length, K1, B);
                for place in of_file {
                    let part = usize_of(place.part);
                    let length = float(self.parts[part].length) / mean_part;
                    parts[part] += weight * saturated(float(place.count), length, K1, B);
                }
            }
        }
    }

    fn names(
        &self,
        postings: &Postings,
        length: impl Fn(usize) -> u32,
        terms: &[Term],
        files: &mut [f32],
        mut parts: Option<&mut Vec<f32>>,
    ) {
        let field = self.field(&length);
        for term in terms {
            let places = self.alive(postings, term.id);
            let weight = term.weight * idf(field.all, holders(&places));
            for of_file in places.chunk_by(|a, b| a.file == b.file) {
                let at = usize_of(of_file[0].file);
                let count: u32 = of_file.iter().map(|place| place.count).sum();
                let relative = float(length(at)) / field.mean;
                files[at] += weight * saturated(float(count), relative, NAME_K1, NAME_B);
                if let Some(parts) = parts.as_deref_mut() {
                    for place in of_file {
                        parts[usize_of(place.part)] += weight;
                    }
                }
            }
        }
    }

    /// Nearness of meaning, from the farthest hit (0) to the nearest (1).
    fn meaning(&self, hits: &[Hit], parts: &mut Vec<f32>) -> Vec<f32> {
        let mut files = vec![0.0_f32; self.files.len()];
        let far = hits.iter().map(|hit| hit.score).fold(f64::INFINITY, f64::min);
        let near = hits.iter().map(|hit| hit.score).fold(f64::NEG_INFINITY, f64::max);
        if hits.is_empty() {
            return files;
        }
        parts.resize(self.parts.len(), 0.0);
        for hit in hits {
            let Some(at) = self.by_path.get(&hit.record.path) else {
                continue;
            };
            let value = if near > far {
                (hit.score - far) / (near - far)
            } else {
                1.0
            };
            #[expect(clippy::cast_possible_truncation, reason = "a share needs no more digits")]
            let value = value as f32;
            files[usize_of(*at)] = files[usize_of(*at)].max(value);
            for part in self.file(*at).parts.clone() {
                if self.parts[usize_of(part)].start_line == hit.record.start_line {
                    parts[usize_of(part)] = parts[usize_of(part)].max(value);
                }
            }
        }
        files
    }

    fn alive(&self, postings: &Postings, term: u32) -> Vec<Place> {
        let places = postings.places(term).iter();
        places
            .filter(|place| self.file(place.file).state == State::There)
            .copied()
            .collect()
    }

    fn field(&self, length: impl Fn(usize) -> u32) -> Field {
        let lengths = self.by_path.values().map(|at| f64::from(length(usize_of(*at))));
        let all = self.by_path.len();
        Field {
            all,
            mean: mean(lengths.sum(), all),
        }
    }
}

fn holders(places: &[Place]) -> usize {
    places.chunk_by(|a, b| a.file == b.file).count()
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
