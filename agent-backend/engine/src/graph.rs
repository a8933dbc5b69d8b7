//! The stage graph of a workflow: data that is read from a file, checked once,
//! and pinned to every workflow that begins with it.
//!
//! A graph is a list of stages that run one after the other. A stage is one
//! piece of work or a group; a group runs several *lanes* (branches, or the
//! same stages once for each item of a list), each a list of stages again, and
//! joins what they made.

mod check;
mod draw;
pub mod expr;
mod yaml;

use shared::id::StageId;

pub use self::{
    draw::{dot, mermaid},
    expr::{Expr, List},
    yaml::{Library, name, parse, parse_with},
};
use crate::{
    blob::BlobId,
    limits::{RETRY_DELAY_MS, RETRY_DELAY_MS_MAX, RETRY_JITTER_PERCENT},
};
use shared::error::Class;

/// A checked stage graph. Stages run in order; failures and feedback go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Name that requests give as `workflow_type`.
    pub name: String,
    /// Version of the definition, for people.
    pub version: u32,
    /// Hash of the texts it was read from; none for workflows that began
    /// before it was kept, and for lanes.
    pub source: Option<BlobId>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name, unique in the graph.
    pub id: StageId,
    /// What it does.
    pub work: Work,
    /// Whether the planner may leave it out.
    pub presence: Presence,
    /// Left out unless this holds.
    pub when: Option<Expr>,
    /// Failed attempts before the workflow gives up (or, for checks, before
    /// the person is shown the failed evidence), from 1.
    pub attempts_max: u32,
    /// For checks: the same, as long as it is running the proposal that found
    /// something, and not reading it; none for as many.
    pub run_attempts_max: Option<u32>,
    /// What happens after a failure.
    pub retry: Retry,
    /// The later stage that [`OnFailure::FallBack`] goes on with.
    pub fall_back: Option<StageId>,
    /// For checks: the stage that is tried again when they fail.
    pub retry_from: Option<StageId>,
    /// For a review: the stage that `modify` goes back to.
    pub on_modify: Option<StageId>,
    /// Milliseconds after which an attempt has failed.
    pub timeout_ms: Option<u64>,
    /// What happens to a question that nobody answers.
    pub deadline: Option<Deadline>,
    /// What models are asked as, unless as the kind has it.
    pub role: Option<String>,
    /// Whether an answer that is known already is taken.
    pub cache: bool,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// One piece of work.
    Kind(StageKind),
    /// Lanes of further stages.
    Group(Group),
}

/// Several lanes that end in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What the lanes are.
    pub lanes: Lanes,
    /// When the group has ended.
    pub join: Join,
    /// Lanes that run at once, from 1.
    pub parallel_max: u32,
}

/// The lanes of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lanes {
    /// One for each branch.
    Branches(Vec<Branch>),
    /// One for each item of a list.
    Each {
        /// The list.
        list: List,
        /// Items beyond this are left out, with a notice.
        items_max: u32,
        /// What runs for each.
        stages: Vec<Stage>,
    },
}

/// One branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its name, unique among branches and stages of the graph.
    pub id: StageId,
    /// The definition it was taken from, for a sub-workflow.
    pub workflow: Option<String>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
}

/// When a group has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// When every lane has succeeded; one failure ends them all.
    All,
    /// When the first lane has succeeded; the others are stopped.
    Any,
    /// When every lane has ended; it fails only if all of them did.
    Settled,
}

/// Whether the planner may leave a stage out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It always runs.
    Required,
    /// It runs when the plan says so.
    Optional,
}

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Another attempt, as long as there is one.
    Retry,
    /// The stage's `fall_back` goes on instead.
    FallBack,
    /// A person is asked.
    Ask,
    /// No further attempt.
    Fail,
}

/// What happens after a failure, by its class. A fatal one always ends the
/// workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// After one that may pass.
    pub transient: OnFailure,
    /// After one that the same attempt would meet again; a model that is told
    /// may do better.
    pub permanent: OnFailure,
    /// After one that a person has to put right.
    pub user: OnFailure,
    /// When no further attempt comes; none for what fits the stage: an optional
    /// one is left out, a write goes back to the review, code that could not be
    /// mended is shown with its evidence, everything else ends the workflow.
    pub exhausted: Option<OnFailure>,
    /// Waits after transient failures.
    pub backoff: Backoff,
}

/// Waits between attempts: doubled each time, with some chance taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first, in milliseconds.
    pub first_ms: u64,
    /// The longest, in milliseconds.
    pub max_ms: u64,
    /// Up to so many hundredths are taken off by chance.
    pub jitter_percent: u8,
}

/// What happens to a question that nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Milliseconds that a person has.
    pub after_ms: u64,
    /// What counts as the answer then.
    pub default: DefaultAnswer,
}

/// The answer of somebody who did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultAnswer {
    /// Take the proposal.
    Accept,
    /// Drop it.
    Reject,
}

/// One piece of work.
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
    /// Proposes what takes back what another workflow has committed, without a
    /// model. Definitions cannot name it: [`Graph::undo`] alone has it.
    Revert,
}

impl StageKind {
    /// Every kind that a definition can name, in the order a workflow usually has
    /// them.
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
            Self::Revert => "revert",
        }
    }
}

/// Where something stands in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct At {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub at: At,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let At { line, column } = self.at;
        write!(
            f,
            "line {line}, column {column}: {}: {}",
            self.message, self.advice
        )
    }
}

/// Why a definition cannot be used: everything that is wrong with it, in its
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl std::error::Error for Error {}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Name of the definition that takes back what another workflow has committed.
pub const UNDO: &str = "undo";

impl Graph {
    /// The definition of that name. Nobody is asked: whoever wants it has said so.
    pub fn undo() -> Self {
        let stage = |kind: StageKind| Stage::new(StageId::new(kind.as_str()), Work::Kind(kind));
        Self {
            name: UNDO.to_owned(),
            version: 1,
            source: None,
            stages: vec![stage(StageKind::Revert), stage(StageKind::Apply)],
        }
    }

    /// The stage of this list with this id; not those of lanes.
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == *id)
    }

    /// Its place in the order.
    pub fn position(&self, id: &StageId) -> Option<usize> {
        self.stages.iter().position(|stage| stage.id == *id)
    }

    /// Every stage, those of lanes after their group.
    pub fn all(&self) -> Vec<&Stage> {
        let mut found = Vec::new();
        for stage in &self.stages {
            stage.collect(&mut found);
        }
        found
    }

    /// The stages of one lane as a graph of its own. Those of a loop get the
    /// item's number, so that ids stay unique among all that run.
    pub(crate) fn lane(&self, group: &StageId, lane: &StageId, number: u32) -> Option<Self> {
        let stages = match &self.stage(group)?.group()?.lanes {
            Lanes::Branches(branches) => {
                let branch = branches.iter().find(|branch| branch.id == *lane)?;
                branch.stages.clone()
            }
            Lanes::Each { stages, .. } => stages.iter().map(|stage| stage.numbered(number)).collect(),
        };
        Some(Self {
            name: lane.to_string(),
            version: self.version,
            source: None,
            stages,
        })
    }
}

impl Stage {
    /// A stage with the defaults of its kind.
    pub fn new(id: StageId, work: Work) -> Self {
        Self {
            id,
            work,
            presence: Presence::Required,
            when: None,
            attempts_max: 3,
            run_attempts_max: None,
            retry: Retry::default(),
            fall_back: None,
            retry_from: None,
            on_modify: None,
            timeout_ms: None,
            role: None,
            cache: false,
            deadline: None,
        }
    }

    /// Its piece of work, if it is no group.
    pub fn kind(&self) -> Option<StageKind> {
        match &self.work {
            Work::Kind(kind) => Some(*kind),
            Work::Group(_) => None,
        }
    }

    /// Whether it is this piece of work.
    pub fn is(&self, kind: StageKind) -> bool {
        self.kind() == Some(kind)
    }

    /// Whether it asks models.
    pub fn asks_models(&self) -> bool {
        self.kind().is_some_and(|kind| match kind {
            StageKind::Retrieval
            | StageKind::Planning
            | StageKind::CodeGeneration
            | StageKind::TestGeneration => true,
            StageKind::Checks | StageKind::Review | StageKind::Apply | StageKind::Revert => false,
        })
    }

    /// Its lanes, if it is a group.
    pub fn group(&self) -> Option<&Group> {
        match &self.work {
            Work::Group(group) => Some(group),
            Work::Kind(_) => None,
        }
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Stage>) {
        found.push(self);
        if let Some(group) = self.group() {
            for stage in group.lanes.lists().into_iter().flatten() {
                stage.collect(found);
            }
        }
    }

    fn numbered(&self, number: u32) -> Self {
        let id = |id: &StageId| numbered(id, number);
        let ids = |ids: &Option<StageId>| ids.as_ref().map(id);
        let work = match &self.work {
            Work::Kind(kind) => Work::Kind(*kind),
            Work::Group(group) => Work::Group(Group {
                lanes: match &group.lanes {
                    Lanes::Branches(branches) => Lanes::Branches(
                        branches
                            .iter()
                            .map(|branch| Branch {
                                id: id(&branch.id),
                                workflow: branch.workflow.clone(),
                                stages: branch.stages.iter().map(|stage| stage.numbered(number)).collect(),
                            })
                            .collect(),
                    ),
                    // Loops within loops are refused when a definition is read.
                    Lanes::Each { .. } => group.lanes.clone(),
                },
                ..group.clone()
            }),
        };
        Self {
            id: id(&self.id),
            work,
            fall_back: ids(&self.fall_back),
            retry_from: ids(&self.retry_from),
            on_modify: ids(&self.on_modify),
            ..self.clone()
        }
    }
}

/// What stands between an id of a loop and the number of the item.
pub(crate) const NUMBER_MARK: char = ':';

/// The id for the item with this number.
pub(crate) fn numbered(id: &StageId, number: u32) -> StageId {
    StageId::new(format!("{id}{NUMBER_MARK}{number}"))
}

/// The id as the definition has it, without the number of a loop's item.
pub fn plain(id: &StageId) -> &str {
    id.as_str().split(NUMBER_MARK).next().unwrap_or_default()
}

impl Lanes {
    /// The lists of stages.
    pub fn lists(&self) -> Vec<&Vec<Stage>> {
        match self {
            Self::Branches(branches) => branches.iter().map(|branch| &branch.stages).collect(),
            Self::Each { stages, .. } => vec![stages],
        }
    }
}

impl Retry {
    /// What follows a failure of this class.
    pub fn on(&self, class: Class) -> OnFailure {
        match class {
            Class::Transient => self.transient,
            Class::Permanent => self.permanent,
            Class::User => self.user,
            Class::Fatal => OnFailure::Fail,
        }
    }

    /// Everything that may follow.
    pub(crate) fn actions(&self) -> [Option<OnFailure>; 4] {
        [
            Some(self.transient),
            Some(self.permanent),
            Some(self.user),
            self.exhausted,
        ]
    }
}

/// Frozen: histories say nothing where this is what they mean.
impl Default for Retry {
    fn default() -> Self {
        Self {
            transient: OnFailure::Retry,
            permanent: OnFailure::Retry,
            user: OnFailure::Fail,
            exhausted: None,
            backoff: Backoff {
                first_ms: RETRY_DELAY_MS,
                max_ms: RETRY_DELAY_MS_MAX,
                jitter_percent: RETRY_JITTER_PERCENT,
            },
        }
    }
}

impl Backoff {
    /// The wait after the `failed`th failure, from 1; `random` takes some off.
    pub fn delay_ms(&self, failed: u32, random: u64) -> u64 {
        let doubled = self
            .first_ms
            .saturating_mul(1 << failed.saturating_sub(1).min(20));
        let whole = doubled.min(self.max_ms);
        let most = whole / 100 * u64::from(self.jitter_percent.min(100));
        whole - random % (most + 1)
    }
}
