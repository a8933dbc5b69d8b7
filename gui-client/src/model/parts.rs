//! What a workflow consists of, as the window shows it.

use shared::{
    id::StageId,
    wire::{CheckStatus, ContextItem, NoticeLevel, PlanStage, RetrievalMode},
};

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
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// What it said.
    pub output: String,
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
