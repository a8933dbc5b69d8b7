//! What a workflow consists of, as the window shows it.

use shared::{
    id::{Seq, StageId},
    wire::{
        CallEnding, CheckStatus, ContextItem, Decision, ModelCall, NoticeLevel, PlanStage, Question,
        RetrievalMode, StageEstimate,
    },
};

/// Where a workflow stands. Only `Review` can be decided on.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Nothing came from the backend yet.
    Submitted,
    /// Stages are running.
    Running,
    /// A person has to decide about `iteration`.
    Review {
        /// The iteration that is asked about.
        iteration: u32,
        /// What may be answered.
        options: Vec<Decision>,
        /// What the answer is about.
        question: Question,
    },
    /// The person decided; the backend is carrying it out.
    Decided(Decision),
    /// The proposal is in the workspace.
    Completed(Applied),
    /// The person rejected it.
    Rejected,
    /// The person cancelled it.
    Cancelled,
    /// It ended with an error.
    Failed {
        /// `E1001` …
        code: String,
        /// What went wrong.
        message: String,
    },
}

impl Phase {
    /// Whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Submitted | Self::Running | Self::Review { .. } | Self::Decided(_) => false,
            Self::Completed(_) | Self::Rejected | Self::Cancelled | Self::Failed { .. } => true,
        }
    }
}

/// What folding an event in did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// The state moved on.
    Yes,
    /// The event was known already, or is of another workflow.
    Ignored,
    /// Events are missing before it; nothing was changed.
    Gap,
    /// Everything was dropped: events follow from the first one on.
    Restarted,
}

/// What was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Id of the commit; none where the workspace has no repository.
    pub commit: Option<String>,
    /// Branch that moved.
    pub branch: Option<String>,
    /// Paths that changed.
    pub paths: Vec<String>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The stage.
    pub id: StageId,
    /// Attempt, from 1; 0 while it is pending.
    pub attempt: u32,
    /// Where it stands.
    pub status: StageStatus,
    /// The event with which it began last, if it has and a new workflow may go on
    /// from there.
    pub began: Option<Seq>,
}

/// Where a stage stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageStatus {
    /// Its turn has not come.
    Pending,
    /// Since this second after the Unix epoch.
    Running(u64),
    /// With a result, after this many milliseconds.
    Succeeded(u64),
    /// The plan left it out.
    Skipped(String),
    /// With an error, after this many milliseconds.
    Failed(u64, String),
}

/// What the planner decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One sentence.
    pub summary: String,
    /// Steps, in order.
    pub steps: Vec<String>,
    /// Optional stages and why they run or not.
    pub stages: Vec<PlanStage>,
    /// What the stages that follow are likely to take.
    pub estimates: Vec<StageEstimate>,
}

/// The context that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Retrieval {
    /// How it was searched.
    pub mode: RetrievalMode,
    /// What was packed, best first.
    pub items: Vec<ContextItem>,
    /// Estimated tokens.
    pub tokens: u64,
}

/// One check of the proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Name.
    pub name: String,
    /// How it ended.
    pub status: CheckStatus,
    /// The command, if it was one.
    pub command: Option<String>,
    /// The status with which it ended by itself.
    pub exit_status: Option<i32>,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// What it said.
    pub output: String,
    /// Whether the backend has all that it printed.
    pub has_log: bool,
}

/// What one model of one provider was asked, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelUse {
    /// The provider's name in the backend's configuration.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// Calls that had an answer.
    pub answered: u32,
    /// Calls that failed.
    pub failed: u32,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub generated_tokens: u64,
    /// Millionths of a dollar; none where no price is known.
    pub cost_microdollars: Option<u64>,
}

impl ModelUse {
    /// Counts a call in.
    pub(super) fn count(&mut self, call: &ModelCall) {
        match call.ending {
            CallEnding::Answered { .. } | CallEnding::FromCache => self.answered += 1,
            CallEnding::Failed { .. } => self.failed += 1,
        }
        self.prompt_tokens += call.prompt_tokens;
        self.generated_tokens += call.generated_tokens;
        if let Some(cost) = call.cost_microdollars {
            *self.cost_microdollars.get_or_insert_default() += cost;
        }
    }
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How important.
    pub level: NoticeLevel,
    /// `E1001` … where one fits.
    pub code: Option<String>,
    /// What to know.
    pub message: String,
}
