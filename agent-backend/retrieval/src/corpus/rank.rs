//! From signals to an order: files first, then the best parts of the best
//! files. Pure.

use super::class::Class;
use super::signals::{Evidence, SIGNALS, Signal, Values};
pub use super::weights::{Sums, Weights};
use super::{Corpus, State, usize_of};
use crate::chunk::Kind;
use crate::fusion::{self, Fusion};
use crate::profile::{Kinds, Profile};
use crate::search::{Near, Question};
use crate::store::Hit;

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
    /// The share of their weight at which the signals of an embedding model
    /// counted, from 0 to 1.
    pub dense_share: f32,
    /// The rank of each signal's value among all files, from 1; empty unless
    /// the ranking was to be explained.
    pub ranks: Vec<Option<u32>>,
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
    /// What speaks for it among the parts, each from 0 to 1.
    pub fit: Fit,
}

/// What speaks for a part.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fit {
    /// BM25 of its text.
    pub text: f32,
    /// BM25 of its name.
    pub symbol: f32,
    /// Nearness of its embedding.
    pub meaning: f32,
}

impl Fit {
    fn total(self) -> f32 {
        self.text + SYMBOL_WEIGHT * self.symbol + self.meaning
    }
}

/// What a question found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking {
    /// Best first.
    pub files: Vec<RankedFile>,
    /// Parts of the best files, best first.
    pub parts: Vec<RankedPart>,
}

/// Whether the ranks of every signal are wanted beside its values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// No: they take a sort for each signal.
    #[default]
    Values,
    /// Yes.
    Ranks,
}

/// What a name that fits counts beside a text that fits.
pub const SYMBOL_WEIGHT: f32 = 0.5;
/// How much less each further part of a file is worth than the one before.
const NEXT_PART: f32 = 0.6;

impl Corpus {
    /// The best files for a question and their best parts, as the best profile
    /// has it with these weights. `hits` is what the vector database found near
    /// in meaning, if it was asked. `limit` bounds files and parts alike.
    pub fn ask(&self, question: &Question, hits: &[Hit], weights: &Weights, limit: usize) -> Ranking {
        let mut profile = Profile::best();
        profile.files.weights = weights.clone();
        (profile.files.top, profile.parts.top) = (limit, limit);
        let near = Near {
            chunks: hits.to_vec(),
            ..Near::default()
        };
        self.rank(question, &near, &profile, Detail::Values, &mut |_| true)
    }

    /// The best files for a question, among those that `accept` takes, and
    /// their best parts: both phases of `profile` but for what reads text.
    /// `accept` is asked for a file only when it is its turn.
    pub fn rank(
        &self,
        question: &Question,
        near: &Near,
        profile: &Profile,
        detail: Detail,
        accept: &mut dyn FnMut(&str) -> bool,
    ) -> Ranking {
        let asked_database = [&near.chunks, &near.files, &near.terms];
        if question.terms.is_empty() && asked_database.iter().all(|hits| hits.is_empty()) {
            return Ranking::default();
        }
        let evidence = self.evidence(&question.terms, near);
        let ranks = match (detail, profile.files.fusion) {
            (Detail::Values, Fusion::Weighted | Fusion::Complement) => Vec::new(),
            (Detail::Ranks, _) | (_, Fusion::ReciprocalRank { .. }) => all_ranks(&evidence),
        };
        let mut order = self.scored(&evidence, &ranks, profile);
        // Stable: equal scores stay in the order of path.
        order.sort_by(|a, b| b.score.total_cmp(&a.score));
        let taken = order.into_iter().filter(|file| accept(&self.file(file.at).path));
        let order: Vec<Scored> = taken.take(profile.files.top).collect();
        let mut parts: Vec<RankedPart> = Vec::new();
        for file in order.iter().take(profile.parts.files) {
            self.parts_of(file.at, file.score, &evidence, profile, &mut parts);
        }
        parts.sort_by(|a, b| b.score.total_cmp(&a.score));
        parts.truncate(profile.parts.top);
        let files = order.into_iter().map(|scored| {
            let file = self.file(scored.at);
            let ranks = match detail {
                Detail::Values => Vec::new(),
                Detail::Ranks => ranks.iter().map(|column| column[usize_of(scored.at)]).collect(),
            };
            RankedFile {
                path: file.path.to_string(),
                class: file.class,
                score: scored.score,
                values: evidence.files[usize_of(scored.at)],
                dense_share: scored.dense_share,
                ranks,
            }
        });
        Ranking {
            files: files.collect(),
            parts,
        }
    }

    /// The signals of every file for a question, for measurements.
    pub fn signals(&self, question: &Question, near: &Near) -> Vec<(String, Class, Values)> {
        let evidence = self.evidence(&question.terms, near);
        let files = self.by_path.iter();
        files
            .map(|(path, at)| (path.clone(), self.file(*at).class, evidence.files[usize_of(*at)]))
            .filter(|(_, _, values)| *values != [0.0; SIGNALS])
            .collect()
    }

    /// The score of every file for which something speaks, in the order of path.
    fn scored(&self, evidence: &Evidence, ranks: &[Vec<Option<u32>>], profile: &Profile) -> Vec<Scored> {
        let weights = &profile.files.weights;
        let found = self.by_path.values().copied();
        let found = found.filter(|at| is_found(weights, &evidence.files[usize_of(*at)]));
        let sums_of = |at: u32| weights.sums(self.file(at).class, &evidence.files[usize_of(at)]);
        let weighted: Vec<(u32, Sums)> = found.map(|at| (at, sums_of(at))).collect();
        let most = weighted.iter().map(|(_, sums)| sums.sparse).fold(0.0, f32::max);
        let score = |(at, sums): (u32, Sums)| {
            let (dense_share, score) = match profile.files.fusion {
                Fusion::Weighted => (1.0, sums.sparse + sums.dense),
                Fusion::Complement => {
                    let share = fusion::complement(sums.sparse, most);
                    (share, sums.sparse + share * sums.dense)
                }
                Fusion::ReciprocalRank { k } => {
                    let class = weights.of_class(self.file(at).class);
                    (1.0, class * reciprocal(weights, ranks, at, k))
                }
            };
            Scored {
                at,
                score,
                dense_share,
            }
        };
        weighted.into_iter().map(score).collect()
    }

    fn parts_of(
        &self,
        at: u32,
        score: f32,
        evidence: &Evidence,
        profile: &Profile,
        out: &mut Vec<RankedPart>,
    ) {
        let file = self.file(at);
        debug_assert_eq!(file.state, State::There, "a file that is gone has no path");
        let fit = |part: u32| Fit {
            text: evidence.parts[usize_of(part)],
            symbol: evidence.symbols[usize_of(part)],
            meaning: evidence.meanings.get(usize_of(part)).copied().unwrap_or_default(),
        };
        let mut best: Vec<u32> = self.content(at).parts.clone().collect();
        let is_definition = |part: &u32| defines(self.contents.parts[usize_of(*part)].kind);
        match profile.parts.kinds {
            Kinds::Definitions if best.iter().any(is_definition) => best.retain(is_definition),
            Kinds::Definitions | Kinds::All => {}
        }
        best.sort_by(|a, b| fit(*b).total().total_cmp(&fit(*a).total()));
        let top = best.first().map_or(0.0, |part| fit(*part).total());
        let mut share = score;
        for (place, at) in best.into_iter().take(profile.parts.per_file).enumerate() {
            let of_best = if top > 0.0 {
                fit(at).total() / top
            } else if place == 0 {
                // Its path or its history found the file: the head stands for it.
                1.0
            } else {
                0.0
            };
            let part = &self.contents.parts[usize_of(at)];
            out.push(RankedPart {
                path: file.path.to_string(),
                kind: part.kind,
                symbol: part.symbol.as_deref().map(str::to_owned),
                start_line: part.start_line,
                end_line: part.end_line,
                score: share * of_best,
                fit: fit(at),
            });
            share *= NEXT_PART;
        }
    }
}

/// A file before it is known whether it is among the best.
struct Scored {
    at: u32,
    score: f32,
    dense_share: f32,
}

/// Whether anything that counts speaks for a file; that it is worked on does
/// not by itself.
fn is_found(weights: &Weights, values: &Values) -> bool {
    let mut signals = values.iter().zip(&weights.signals).zip(Signal::ALL);
    signals.any(|((value, weight), signal)| *value > 0.0 && *weight > 0.0 && *signal != Signal::Activity)
}

/// The ranks of every file, by signal.
fn all_ranks(evidence: &Evidence) -> Vec<Vec<Option<u32>>> {
    let column = |signal: usize| -> Vec<f32> { evidence.files.iter().map(|values| values[signal]).collect() };
    (0..SIGNALS)
        .map(|signal| fusion::ranks(&column(signal)))
        .collect()
}

fn reciprocal(weights: &Weights, ranks: &[Vec<Option<u32>>], at: u32, k: f32) -> f32 {
    let of_signal = |(column, weight): (&Vec<Option<u32>>, &f32)| {
        #[expect(clippy::cast_precision_loss, reason = "ranks far below 2^24")]
        column[usize_of(at)].map(|rank| weight / (k + rank as f32))
    };
    ranks.iter().zip(&weights.signals).filter_map(of_signal).sum()
}

fn defines(kind: Kind) -> bool {
    match kind {
        Kind::Function
        | Kind::Method
        | Kind::Class
        | Kind::Struct
        | Kind::Enum
        | Kind::Interface
        | Kind::Trait
        | Kind::Type
        | Kind::Macro => true,
        Kind::Impl | Kind::Module | Kind::Block => false,
    }
}
