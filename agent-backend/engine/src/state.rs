//! State of one workflow: the fold of its events.

use shared::id::{CorrelationId, Seq, StageId, WorkflowId};

use crate::{
    artifact::{Applied, ApplyIntent, CheckReport, Context, Failure, Plan, Proposal, Selection, Task},
    graph::{Graph, Stage},
};

/// State of one workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its id.
    pub workflow: WorkflowId,
    /// The client's id.
    pub correlation: CorrelationId,
    /// What was asked for.
    pub task: Task,
    /// The definition it is pinned to.
    pub graph: Graph,
    /// Last event.
    pub head: Seq,
    /// Milliseconds since the Unix epoch of the first event.
    pub created_at_ms: u64,
    /// Milliseconds since the Unix epoch of the last event.
    pub updated_at_ms: u64,
    /// From 1; each `modify` adds one.
    pub iteration: u32,
    /// What it is doing.
    pub phase: Phase,
    /// One record for each stage of the graph, in its order.
    pub stages: Vec<StageRecord>,
    /// Last retrieved context.
    pub context: Option<Context>,
    /// Last plan.
    pub plan: Option<Plan>,
    /// Current proposal.
    pub proposal: Option<Proposal>,
    /// Proposal of the iteration before, which the feedback is about.
    pub previous: Option<Proposal>,
    /// Evidence for the current proposal.
    pub checks: Vec<CheckReport>,
    /// What went wrong in this iteration, oldest first.
    pub failures: Vec<Failure>,
    /// What the person asked to change, oldest first.
    pub feedback: Vec<String>,
    /// What of the proposal was accepted.
    pub selection: Option<Selection>,
    /// What is about to be, or was, written.
    pub intent: Option<ApplyIntent>,
    /// What was written.
    pub applied: Option<Applied>,
    /// Restarts since a stage last ended.
    pub resumes: u32,
}

/// What a workflow is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// A stage is running.
    Running(Running),
    /// A person is asked, by this stage.
    AwaitingDecision {
        /// The review stage.
        stage: StageId,
        /// Milliseconds since the Unix epoch when they were asked.
        since_ms: u64,
    },
    /// Nothing more will happen.
    Finished(Outcome),
}

/// The stage that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The stage.
    pub stage: StageId,
    /// From 1 in each iteration.
    pub attempt: u32,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Code points that were streamed in this attempt.
    pub streamed_chars: u64,
    /// Tokens that were streamed in this attempt.
    pub streamed_tokens: u64,
}

/// How a workflow ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Accepted and applied.
    Completed,
    /// The person rejected the proposal.
    Rejected,
    /// The person stopped it.
    Cancelled,
    /// It could not go on.
    Failed(Failure),
}

/// Record of one stage in the current iteration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRecord {
    /// The stage.
    pub stage: StageId,
    /// How far it is.
    pub status: StageStatus,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts that failed: only these count against the limit, so that a
    /// killed process costs no attempt.
    pub failed: u32,
    /// Milliseconds the last attempt took.
    pub duration_ms: Option<u64>,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageStatus {
    /// Not begun.
    Pending,
    /// Running.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Left out.
    Skipped,
    /// Ended without a result, or with checks that did not pass.
    Failed,
}

impl State {
    /// The record of a stage.
    pub fn record(&self, stage: &StageId) -> Option<&StageRecord> {
        self.stages.iter().find(|record| record.stage == *stage)
    }

    pub(crate) fn record_mut(&mut self, stage: &StageId) -> Option<&mut StageRecord> {
        self.stages.iter_mut().find(|record| record.stage == *stage)
    }

    /// The stage that runs, with its definition.
    pub fn running(&self) -> Option<(&Running, &Stage)> {
        match &self.phase {
            Phase::Running(running) => Some((running, self.graph.stage(&running.stage)?)),
            Phase::AwaitingDecision { .. } | Phase::Finished(_) => None,
        }
    }

    /// Whether nothing more will happen.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }
}
