//! How a question is answered, as data: which signals order the files and by
//! what fusion, which of their parts are candidates, whether these are reranked
//! and freed of duplicates, and how many are kept.
//!
//! The stages are the same for every profile and there is one implementation of
//! each; a profile chooses among a closed set and weighs it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::corpus::class::Class;
use crate::corpus::rank::Weights;
use crate::corpus::signals::Signal;
use crate::error::Error;
use crate::fusion::Fusion;

/// Most files, parts and pairs that a profile may ask for: bounds the work of
/// one question.
const MOST: usize = 1_000;
/// Largest weight.
const WEIGHT_MAX: f32 = 100.0;
/// Longest time for the reranker.
const BUDGET_MAX: Duration = Duration::from_secs(60);

/// See the module. What is left out in a configuration is as in [`Profile::best`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Phase 1: the order of files.
    pub files: Files,
    /// Phase 2: the candidates among their parts.
    pub parts: Parts,
    /// Whether a model reads question and candidate together.
    pub rerank: Option<Rerank>,
    /// Whether candidates that say the same are dropped.
    pub dedup: Option<Dedup>,
    /// Parts kept in the end.
    pub top: usize,
}

/// Phase 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// What each signal counts, and each class of files.
    pub weights: Weights,
    /// How the signals become one number.
    pub fusion: Fusion,
    /// Files kept.
    pub top: usize,
}

/// Phase 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parts {
    /// Files whose parts are looked at, of the best.
    pub files: usize,
    /// Candidates of one file.
    pub per_file: usize,
    /// What may be a candidate.
    pub kinds: Kinds,
    /// Candidates in all.
    pub top: usize,
}

/// Which parts of a file may be candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kinds {
    /// Every chunk.
    All,
    /// Functions, methods and types; every chunk of a file that has none.
    Definitions,
}

/// A cross-encoder's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rerank {
    /// Time for it, milliseconds: as many candidates as fit are reranked.
    pub budget_ms: u64,
    /// Candidates reranked, at most.
    pub pairs: usize,
    /// What its order counts beside the one before: 1 for it alone.
    pub weight: f32,
}

/// When two candidates say the same. The later one is dropped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dedup {
    /// Cosine of their vectors from which on they do.
    pub cosine: f32,
    /// Where one has no vector: the share of common runs of five words.
    pub shingles: f32,
}

impl Default for Profile {
    fn default() -> Self {
        Self::best()
    }
}

impl Default for Files {
    fn default() -> Self {
        Profile::best().files
    }
}

impl Default for Parts {
    fn default() -> Self {
        Profile::best().parts
    }
}

impl Default for Rerank {
    fn default() -> Self {
        Self {
            budget_ms: 400,
            pairs: 30,
            weight: 1.0,
        }
    }
}

impl Default for Dedup {
    fn default() -> Self {
        Self {
            cosine: 0.99,
            shingles: 0.9,
        }
    }
}

/// The built-in profiles.
pub const NAMES: [&str; 2] = ["best", "flow6"];

impl Profile {
    /// What the measurement says is best (`docs/retrieval.md`).
    pub fn best() -> Self {
        Self {
            files: Files {
                weights: Weights::default(),
                fusion: Fusion::Complement,
                top: 50,
            },
            parts: Parts {
                files: 20,
                per_file: 4,
                kinds: Kinds::All,
                top: 50,
            },
            rerank: None,
            dedup: Some(Dedup::default()),
            top: 50,
        }
    }

    /// Two-phase retrieval as Flow 6 draws it: 0.7 meaning and 0.3 keywords for
    /// whole files, then a cross-encoder over their functions.
    pub fn flow6() -> Self {
        Self {
            files: Files {
                weights: Weights::of(&[(Signal::File, 0.7), (Signal::Terms, 0.3)], &[]),
                fusion: Fusion::Weighted,
                top: 50,
            },
            parts: Parts {
                files: 50,
                per_file: 4,
                kinds: Kinds::Definitions,
                top: 30,
            },
            rerank: Some(Rerank::default()),
            dedup: Some(Dedup {
                cosine: 0.95,
                shingles: 0.7,
            }),
            top: 20,
        }
    }

    /// A built-in profile, or one of `more`.
    pub fn named(name: &str, more: &BTreeMap<String, Self>) -> Result<Self, Error> {
        let own = more.get(name).cloned();
        let profile = own.or_else(|| match name {
            "best" => Some(Self::best()),
            "flow6" => Some(Self::flow6()),
            _ => None,
        });
        let Some(profile) = profile else {
            let names: Vec<&str> = NAMES.into_iter().chain(more.keys().map(String::as_str)).collect();
            return Err(refused(&format!(
                "there is no profile `{name}`; there are {}",
                names.join(", ")
            )));
        };
        profile.check()?;
        Ok(profile)
    }

    /// Whether it can be used.
    pub fn check(&self) -> Result<(), Error> {
        let weights = &self.files.weights;
        let all = weights.signals.iter().chain(&weights.classes);
        if !all.clone().all(|weight| (0.0..=WEIGHT_MAX).contains(weight)) {
            return Err(refused(&format!("weights go from 0 to {WEIGHT_MAX}")));
        }
        if weights.signals.iter().all(|weight| *weight == 0.0) {
            return Err(refused("at least one signal must have a weight"));
        }
        self.files.fusion.check()?;
        let counts = [
            ("files.top", self.files.top),
            ("parts.files", self.parts.files),
            ("parts.per_file", self.parts.per_file),
            ("parts.top", self.parts.top),
            ("top", self.top),
        ];
        for (name, count) in counts {
            if !(1..=MOST).contains(&count) {
                return Err(refused(&format!("`{name}` goes from 1 to {MOST}")));
            }
        }
        if let Some(rerank) = &self.rerank {
            if !(0.0..=1.0).contains(&rerank.weight) {
                return Err(refused("`rerank.weight` goes from 0 to 1"));
            }
            if rerank.pairs > MOST || Duration::from_millis(rerank.budget_ms) > BUDGET_MAX {
                return Err(refused(&format!(
                    "`rerank` takes {MOST} pairs and {} s at most",
                    BUDGET_MAX.as_secs()
                )));
            }
        }
        let shares = self.dedup.iter().flat_map(|dedup| [dedup.cosine, dedup.shingles]);
        if !shares.into_iter().all(|share| (0.0..=1.0).contains(&share)) {
            return Err(refused("`dedup` takes shares from 0 to 1"));
        }
        Ok(())
    }

    /// Whether the vector database has anything to say.
    pub fn asks_database(&self) -> bool {
        [Signal::Meaning, Signal::File, Signal::Terms]
            .into_iter()
            .any(|signal| self.files.weights.of_signal(signal) > 0.0)
    }

    /// What a part of a file of this class may be counts.
    pub fn class_weight(&self, class: Class) -> f32 {
        self.files.weights.of_class(class)
    }
}

pub(crate) fn refused(problem: &str) -> Error {
    Error::Profile {
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Profile, String> {
        let profile: Profile = serde_json::from_str(json).map_err(|error| error.to_string())?;
        profile.check().map_err(|error| error.to_string())?;
        Ok(profile)
    }

    #[test]
    fn what_is_left_out_is_as_in_best() {
        assert_eq!(read("{}"), Ok(Profile::best()));
        let mut expect = Profile::best();
        expect.files.fusion = Fusion::ReciprocalRank { k: 60.0 };
        expect.rerank = Some(Rerank {
            budget_ms: 100,
            ..Rerank::default()
        });
        let got =
            read(r#"{"files": {"fusion": {"reciprocal_rank": {"k": 60}}}, "rerank": {"budget_ms": 100}}"#);
        assert_eq!(got, Ok(expect));
    }

    #[test]
    fn profiles_read_back() {
        for name in NAMES {
            let profile = Profile::named(name, &BTreeMap::new()).unwrap();
            let json = serde_json::to_string(&profile).unwrap();
            assert_eq!(read(&json), Ok(profile), "{json}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |json: &str, expect: &str| {
            let problem = read(json).unwrap_err();
            assert!(problem.contains(expect), "{json}: {problem}");
        };
        check(r#"{"speed": 1}"#, "unknown field `speed`");
        check(
            r#"{"files": {"weights": {"signals": {"luck": 1}}}}"#,
            "no signal `luck`",
        );
        check(
            r#"{"files": {"weights": {"classes": {"luck": 1}}}}"#,
            "no class `luck`",
        );
        check(
            r#"{"files": {"weights": {"signals": {"body": -1}}}}"#,
            "weights go from 0 to 100",
        );
        check(
            r#"{"files": {"weights": {"signals": {"body": 0}}}}"#,
            "at least one signal must have a weight",
        );
        check(r#"{"files": {"fusion": {"reciprocal_rank": {"k": -1}}}}"#, "`k`");
        check(r#"{"files": {"fusion": "luck"}}"#, "unknown variant `luck`");
        check(
            r#"{"parts": {"per_file": 0}}"#,
            "`parts.per_file` goes from 1 to 1000",
        );
        check(r#"{"rerank": {"weight": 2}}"#, "`rerank.weight` goes from 0 to 1");
        check(r#"{"rerank": {"budget_ms": 100000}}"#, "60 s at most");
        check(r#"{"dedup": {"cosine": 2}}"#, "`dedup` takes shares from 0 to 1");
        let unknown = Profile::named("luck", &BTreeMap::from([("mine".to_owned(), Profile::best())]));
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "the search profile cannot be used: there is no profile `luck`; there are best, flow6, mine"
        );
    }
}
