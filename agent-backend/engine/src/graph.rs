//! The stage graph of a workflow: data that is read from a file, validated
//! once, and pinned to every workflow that begins with it.

mod yaml;

use std::collections::HashSet;

use shared::id::StageId;
pub use yaml::parse;

use crate::limits::{ATTEMPTS_MAX, STAGES_MAX};

/// A validated stage graph. Stages run in order; failures and feedback go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Name that requests give as `workflow_type`.
    pub name: String,
    /// Version of the definition, for people.
    pub version: u32,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub id: StageId,
    /// What it does.
    pub kind: StageKind,
    /// Whether the planner may leave it out.
    pub presence: Presence,
    /// Failed attempts before the workflow gives up (or, for checks, before
    /// the person is shown the failed evidence), from 1.
    pub attempts_max: u32,
    /// For checks: the stage that is tried again when they fail.
    pub retry_from: Option<StageId>,
    /// For a review: the stage that `modify` goes back to.
    pub on_modify: Option<StageId>,
}

/// Whether the planner may leave a stage out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It always runs.
    Required,
    /// It runs when the plan says so.
    Optional,
}

/// What a stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageKind {
    /// Finds relevant code.
    Retrieval,
    /// Decides steps and optional stages.
    Planning,
    /// Writes the code.
    CodeGeneration,
    /// Writes tests for the proposal.
    TestGeneration,
    /// Collects evidence for the proposal.
    Checks,
    /// Asks the person.
    Review,
    /// Writes and commits.
    Apply,
}

impl StageKind {
    /// Every kind, in the order a workflow usually has them.
    pub const ALL: [Self; 7] = [
        Self::Retrieval,
        Self::Planning,
        Self::CodeGeneration,
        Self::TestGeneration,
        Self::Checks,
        Self::Review,
        Self::Apply,
    ];

    /// The kind as definitions write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retrieval => "retrieval",
            Self::Planning => "planning",
            Self::CodeGeneration => "code_generation",
            Self::TestGeneration => "test_generation",
            Self::Checks => "checks",
            Self::Review => "review",
            Self::Apply => "apply",
        }
    }
}

/// Why a definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the YAML of a definition; the message has line and column.
    #[error("the workflow definition cannot be read: {0}")]
    Syntax(String),
    /// A rule is broken.
    #[error("workflow `{workflow}`: {problem}")]
    Invalid {
        /// Name of the definition.
        workflow: String,
        /// What is wrong.
        problem: String,
    },
}

impl Graph {
    /// Checks the rules that hold for every graph.
    pub fn validate(self) -> Result<Self, Error> {
        match self.problem() {
            None => Ok(self),
            Some(problem) => Err(Error::Invalid {
                workflow: self.name,
                problem,
            }),
        }
    }

    fn problem(&self) -> Option<String> {
        if self.stages.is_empty() || self.stages.len() > STAGES_MAX {
            return Some(format!(
                "it has {} stages; 1 to {STAGES_MAX} are possible",
                self.stages.len()
            ));
        }
        let mut seen = HashSet::new();
        let mut kinds = HashSet::new();
        for stage in &self.stages {
            let id = &stage.id;
            if seen.contains(id) {
                return Some(format!("stage `{id}` is there twice"));
            }
            if !(1..=ATTEMPTS_MAX).contains(&stage.attempts_max) {
                return Some(format!("stage `{id}`: attempts_max must be 1 to {ATTEMPTS_MAX}"));
            }
            for (key, target) in [("retry_from", &stage.retry_from), ("on_modify", &stage.on_modify)] {
                if let Some(target) = target
                    && !seen.contains(target)
                {
                    return Some(format!(
                        "stage `{id}`: {key} names `{target}`, which is no earlier stage"
                    ));
                }
            }
            let needs = |kind: StageKind| (!kinds.contains(&kind)).then_some(kind);
            let missing = match stage.kind {
                StageKind::Retrieval => None,
                StageKind::Planning => None,
                StageKind::CodeGeneration => needs(StageKind::Retrieval),
                StageKind::TestGeneration | StageKind::Checks | StageKind::Review => {
                    needs(StageKind::CodeGeneration)
                }
                StageKind::Apply => needs(StageKind::Review),
            };
            if let Some(missing) = missing {
                return Some(format!(
                    "stage `{id}` needs a stage of kind `{}` before it",
                    missing.as_str()
                ));
            }
            let optional = stage.presence == Presence::Optional;
            if optional && !matches!(stage.kind, StageKind::TestGeneration | StageKind::Checks) {
                return Some(format!(
                    "stage `{id}`: a stage of kind `{}` cannot be optional",
                    stage.kind.as_str()
                ));
            }
            if optional && !kinds.contains(&StageKind::Planning) {
                return Some(format!(
                    "stage `{id}` is optional, but no planning stage before it can decide"
                ));
            }
            if stage.kind == StageKind::Review && stage.on_modify.is_none() {
                return Some(format!("stage `{id}`: a review needs on_modify"));
            }
            seen.insert(id);
            kinds.insert(stage.kind);
        }
        None
    }

    /// The stage with this id.
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == *id)
    }

    /// Its place in the order.
    pub fn position(&self, id: &StageId) -> Option<usize> {
        self.stages.iter().position(|stage| stage.id == *id)
    }
}
