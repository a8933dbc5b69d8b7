//! Why a result is where it is, as data: every number that led to its place.

use crate::corpus::class::Class;
use crate::corpus::rank::{RankedFile, RankedPart, SYMBOL_WEIGHT};
use crate::corpus::signals::Signal;
use crate::profile::Profile;

/// The reasons for one result.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What spoke for its file.
    pub signals: Vec<Component>,
    /// What the file is for.
    pub class: Class,
    /// What files of this class count.
    pub class_weight: f32,
    /// The file's score: the signals fused, times the weight of its class.
    pub file_score: f32,
    /// The file's place, from 1.
    pub file_rank: usize,
    /// What spoke for this part of the file: `text`, `symbol`, `meaning`.
    pub part: Vec<Component>,
    /// Its score before it was reranked.
    pub part_score: f32,
    /// Its place among all parts before it was reranked, from 1.
    pub part_rank: usize,
    /// What the reranking model said of it.
    pub rerank: Option<Reranked>,
    /// Later results that were dropped because they say the same.
    pub duplicates: Vec<Duplicate>,
}

/// One number that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Component {
    /// What it is.
    pub name: &'static str,
    /// From 0 to 1, 1 for the best of this question.
    pub value: f32,
    /// Its place among all files, from 1; none where it is 0, or for parts.
    pub rank: Option<u32>,
    /// What it counts.
    pub weight: f32,
}

/// What a reranking model said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reranked {
    /// The model's own number.
    pub score: f32,
    /// The place it gives, from 1.
    pub rank: usize,
}

/// A result that was dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// Its file.
    pub path: String,
    /// Its first line.
    pub start_line: u32,
    /// How alike the two are, from 0 to 1.
    pub likeness: f32,
    /// How that was told.
    pub by: By,
}

/// How two results were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The cosine of their embeddings.
    Embedding,
    /// Their common runs of words.
    Shingles,
}

impl By {
    /// The word used in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Shingles => "shingles",
        }
    }
}

impl Explanation {
    /// Of the part at place `part_rank` of the file at place `file_rank`.
    pub(crate) fn new(
        profile: &Profile,
        (file_rank, file): (usize, &RankedFile),
        (part_rank, part): (usize, &RankedPart),
    ) -> Self {
        let weights = &profile.files.weights;
        let mut signals = Vec::new();
        for (at, signal) in Signal::ALL.iter().enumerate() {
            signals.push(Component {
                name: signal.as_str(),
                value: file.values[at],
                rank: file.ranks.get(at).copied().flatten(),
                weight: weights.of_signal(*signal) * if signal.is_dense() { file.dense_share } else { 1.0 },
            });
        }
        let of_part = |name, value, weight| Component {
            name,
            value,
            rank: None,
            weight,
        };
        Self {
            signals,
            class: file.class,
            class_weight: weights.of_class(file.class),
            file_score: file.score,
            file_rank,
            part: vec![
                of_part("text", part.fit.text, 1.0),
                of_part("symbol", part.fit.symbol, SYMBOL_WEIGHT),
                of_part("meaning", part.fit.meaning, 1.0),
            ],
            part_score: part.score,
            part_rank,
            rerank: None,
            duplicates: Vec::new(),
        }
    }
}
