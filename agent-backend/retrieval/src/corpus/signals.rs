//! What speaks for a file: one number per signal, before they are weighed.
//!
//! Pure. Each signal is divided by its best value among the files, so that
//! weights mean the same in every workspace.

use std::collections::HashMap;

use super::{Corpus, State, usize_of};
use crate::postings::{Place, Postings, idf, saturated};
use crate::search::Term;

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
    Messages = "messages", "BM25 of the commit messages that touched it.";
    Similar = "similar", "Votes of commits whose message is like the question.";
    Activity = "activity", "How much and how recently it was worked on.";
    Kin = "kin", "The best body among files of the same name: its header, its tests.";
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
}

/// A field's statistics over the files that are there.
struct Field {
    all: usize,
    mean: f32,
}

impl Corpus {
    /// Everything that speaks for each file.
    pub(crate) fn evidence(&self, terms: &[Term]) -> Evidence {
        let count = self.files.len();
        let mut evidence = Evidence {
            files: vec![[0.0; SIGNALS]; count],
            parts: vec![0.0; self.parts.len()],
            symbols: vec![0.0; self.parts.len()],
        };
        let mut body = vec![0.0; count];
        self.bodies(terms, &mut body, &mut evidence.parts);
        let mut path = vec![0.0; count];
        self.names(&self.paths, |at| self.files[at].path_length, terms, &mut path, None);
        let mut symbols = vec![0.0; count];
        let lengths = |at: usize| self.files[at].symbol_length;
        self.names(&self.symbols, lengths, terms, &mut symbols, Some(&mut evidence.symbols));
        let mut part = vec![0.0_f32; count];
        for (at, file) in self.files.iter().enumerate() {
            if file.state == State::There {
                let range = usize_of(file.parts.start)..usize_of(file.parts.end);
                part[at] = evidence.parts[range].iter().copied().fold(0.0, f32::max);
            }
        }
        let asked: Vec<(u32, f32)> = terms.iter().map(|term| (term.id, term.weight)).collect();
        let mut history = self.view.scores(&asked);
        for scores in [&mut history.messages, &mut history.similar, &mut history.activity] {
            scores.resize(count, 0.0);
        }
        let kin = self.kin(&body);
        let columns = [
            body,
            part,
            path,
            symbols,
            history.messages,
            history.similar,
            history.activity,
            kin,
        ];
        for (signal, mut column) in columns.into_iter().enumerate() {
            normalise(&mut column);
            for (values, value) in evidence.files.iter_mut().zip(column) {
                values[signal] = value;
            }
        }
        normalise(&mut evidence.parts);
        normalise(&mut evidence.symbols);
        evidence
    }

    fn bodies(&self, terms: &[Term], files: &mut [f32], parts: &mut [f32]) {
        let field = self.field(|at| self.files[at].length);
        let all_parts = self.parts();
        let total: f64 = self.by_path.values().map(|at| f64::from(self.file(*at).length)).sum();
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

    /// For each file the best body among the others of its name.
    fn kin(&self, body: &[f32]) -> Vec<f32> {
        let mut best: HashMap<&str, [(f32, u32); 2]> = HashMap::new();
        for at in self.by_path.values() {
            let score = body[usize_of(*at)];
            let two = best.entry(&self.file(*at).kin).or_insert([(0.0, u32::MAX); 2]);
            if score > two[0].0 {
                *two = [(score, *at), two[0]];
            } else if score > two[1].0 {
                two[1] = (score, *at);
            }
        }
        let mut kin = vec![0.0; body.len()];
        for at in self.by_path.values() {
            if let Some(two) = best.get(&*self.file(*at).kin) {
                let other = if two[0].1 == *at { two[1] } else { two[0] };
                kin[usize_of(*at)] = other.0;
            }
        }
        kin
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

#[expect(clippy::cast_possible_truncation, reason = "a mean length needs no more digits")]
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn mean(total: f64, count: usize) -> f32 {
    (total / count.max(1) as f64).max(1.0) as f32
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^24")]
fn float(count: u32) -> f32 {
    count as f32
}
