//! The event that everything streams, and its bodies.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    call::ModelCall,
    question::{Decision, Question},
    tool::ToolCall,
};
use crate::id::{CorrelationId, Seq, StageId, WorkflowId};

/// One event of one workflow. `seq` orders a workflow's events, 1, 2, 3 …
/// without a gap; `timestamp` is for people and never orders anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Position in the workflow.
    pub seq: Seq,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The client's own id of the request.
    pub correlation_id: CorrelationId,
    /// Seconds since the Unix epoch when the event was recorded.
    pub timestamp: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened, told apart by `type`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// Text that a model is writing: at most one every 5 tokens or 50 ms.
    AgentStreamingUpdate {
        /// The stage that writes.
        stage_id: StageId,
        /// 1 for the first attempt at this stage in this iteration.
        attempt: u32,
        /// The new text.
        delta: String,
        /// Where `delta` begins in the whole text, in Unicode code points.
        offset: u64,
        /// The whole text so far, `delta` included; left out with `mode=delta`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial_result: Option<String>,
        /// Tokens generated so far in this attempt.
        tokens_so_far: u64,
        /// Whether this is the attempt's last update.
        is_final: bool,
        /// Totals, on the final update only.
        metrics: Option<Metrics>,
    },
    /// The workflow as a whole moved on.
    WorkflowState {
        /// The new state.
        state: WorkflowState,
        /// 1 for the first iteration; each `modify` adds one.
        iteration: u32,
    },
    /// A stage began.
    StageStarted {
        /// The stage.
        stage_id: StageId,
        /// Attempt at it, from 1.
        attempt: u32,
        /// Iteration it belongs to.
        iteration: u32,
    },
    /// A stage ended.
    StageFinished {
        /// The stage.
        stage_id: StageId,
        /// Attempt at it, from 1.
        attempt: u32,
        /// How it ended.
        outcome: StageOutcome,
        /// Time since it began, in milliseconds.
        duration_ms: u64,
        /// Why it was skipped or failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What an attempt wrote so far no longer counts; another one begins.
    AttemptDiscarded {
        /// The stage.
        stage_id: StageId,
        /// The discarded attempt.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// After a restart of the backend the model goes on with what the attempt
    /// has written: the text so far counts, and the next update follows it.
    AttemptResumed {
        /// The stage.
        stage_id: StageId,
        /// The attempt that goes on.
        attempt: u32,
        /// Tokens of the attempt that are not generated again.
        resumed_at_token: u64,
    },
    /// The context that was found for the model.
    RetrievalResult {
        /// How it was searched.
        mode: RetrievalMode,
        /// What was packed, best first.
        items: Vec<ContextItem>,
        /// Estimated tokens of the packed context.
        tokens: u64,
    },
    /// What the planner decided.
    Plan {
        /// One sentence.
        summary: String,
        /// Steps of the implementation, in order.
        steps: Vec<String>,
        /// Which optional stages run, and why.
        stages: Vec<PlanStage>,
        /// What the stages that follow are likely to take.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        estimates: Vec<StageEstimate>,
    },
    /// One check of the proposal ended.
    CheckResult {
        /// Name of the check, for example `syntax`.
        name: String,
        /// How it ended.
        status: CheckStatus,
        /// The command that was run, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
        /// The status with which the command ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_status: Option<i32>,
        /// Time it took, in milliseconds.
        duration_ms: u64,
        /// What it said, shortened.
        output: String,
        /// Whether there is a log with all that it said.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        has_log: bool,
    },
    /// A proposal is there to look at.
    DiffReady {
        /// Iteration that made it.
        iteration: u32,
        /// Its files.
        files: Vec<FileDiff>,
    },
    /// A person has to decide before the workflow goes on.
    DecisionNeeded {
        /// Iteration that is asked about.
        iteration: u32,
        /// What may be answered.
        options: Vec<Decision>,
        /// What the answer is about.
        #[serde(default)]
        question: Question,
    },
    /// A person decided.
    DecisionTaken {
        /// What they chose.
        decision: Decision,
        /// What they wrote with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        feedback: Option<String>,
    },
    /// The proposal is in the workspace.
    Applied {
        /// Id of the commit; none where the workspace has no repository.
        commit: Option<String>,
        /// Branch that moved; none with a detached HEAD or without repository.
        branch: Option<String>,
        /// Paths that were written or removed, relative to the workspace.
        paths: Vec<String>,
    },
    /// The workflow ended without a result.
    Failed {
        /// `E1001` …; see `docs/errors/`.
        code: String,
        /// What went wrong.
        message: String,
    },
    /// Something a person should know; the workflow goes on.
    Notice {
        /// How important.
        level: NoticeLevel,
        /// `E1001` … where one fits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// What to know.
        message: String,
    },
    /// A model was asked: one try at one provider, and what came of it.
    ModelCalled {
        /// The stage.
        stage_id: StageId,
        /// The attempt.
        attempt: u32,
        /// The call.
        call: ModelCall,
    },
    /// A model called a tool in the middle of its answer.
    ToolCalled {
        /// The stage.
        stage_id: StageId,
        /// The attempt.
        attempt: u32,
        /// The call.
        call: ToolCall,
    },
    /// A person said something in the middle of the work; each model that is
    /// asked from then on is told.
    Remarked {
        /// What they said.
        text: String,
    },
    /// This client's position does not exist here, or it fell behind: it must
    /// drop what it has and read from `after=0`. Carries the head as its seq.
    Resync {
        /// Why.
        reason: String,
    },
}

/// Totals of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Seconds from the first to the last token.
    pub generation_time_sec: f64,
    /// Tokens a second.
    pub tokens_per_sec: f64,
}

/// State of a workflow as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowState {
    /// A stage is running or about to.
    Running,
    /// A person has to decide.
    AwaitingDecision,
    /// Accepted and applied.
    Completed,
    /// The person rejected the proposal.
    Rejected,
    /// The person cancelled it.
    Cancelled,
    /// It ended with an error.
    Failed,
}

impl WorkflowState {
    /// Whether nothing more will happen.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Running | Self::AwaitingDecision => false,
            Self::Completed | Self::Rejected | Self::Cancelled | Self::Failed => true,
        }
    }
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageOutcome {
    /// With a result.
    Succeeded,
    /// The plan left it out.
    Skipped,
    /// With an error, or with checks that did not pass.
    Failed,
}

/// How context was searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalMode {
    /// Embeddings and keywords, fused.
    Hybrid,
    /// Keywords alone: there is no embedding model.
    Keyword,
    /// Keywords in memory: the vector database did not answer.
    LocalKeyword,
    /// Not at all: the person did not want it.
    Off,
}

/// One packed piece of context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextItem {
    /// Path relative to the workspace, `/` between parts.
    pub path: String,
    /// First line, from 1.
    pub start_line: u32,
    /// Last line, included.
    pub end_line: u32,
    /// Name of the function, class or method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Fused score; larger is better, comparable within one result only.
    pub score: f64,
    /// The questions that found it, where more than the request was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found_by: Vec<String>,
}

/// What the plan says of one optional stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanStage {
    /// The stage.
    pub stage_id: StageId,
    /// Whether it runs.
    pub run: bool,
    /// Why.
    pub reason: String,
}

/// What a stage is likely to take, by what it took in earlier workflows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageEstimate {
    /// The stage.
    pub stage_id: StageId,
    /// Tokens that models write; absent where no model wrote before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Span>,
    /// Seconds; absent where there is no figure yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Span>,
}

/// From the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

/// For a person: `code: 300 to 500 tokens, 2 to 4 s`.
impl fmt::Display for StageEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.stage_id)?;
        match (self.tokens, self.seconds) {
            (None, None) => f.write_str("no figure yet"),
            (Some(tokens), None) => write!(f, "{tokens} tokens"),
            (None, Some(seconds)) => write!(f, "{seconds} s"),
            (Some(tokens), Some(seconds)) => write!(f, "{tokens} tokens, {seconds} s"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            return write!(f, "about {}", self.least);
        }
        write!(f, "{} to {}", self.least, self.most)
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Nothing to object to.
    Passed,
    /// The proposal has a problem.
    Failed,
    /// Not run; the output says why.
    Skipped,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Create,
    /// Its contents change.
    Edit,
    /// It is removed.
    Delete,
}

/// One file of a proposal, with both whole texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDiff {
    /// Path relative to the workspace, `/` between parts.
    pub path: String,
    /// What happens to it.
    pub change: ChangeKind,
    /// Text before; none for a new file.
    pub old_text: Option<String>,
    /// Text after; none for a removed file.
    pub new_text: Option<String>,
    /// Lines added.
    pub lines_added: u32,
    /// Lines removed.
    pub lines_removed: u32,
    /// The parts that can be accepted one by one, in order: their positions here
    /// are their indexes in a decision. None where nothing can be told apart, as
    /// in an empty file, and from a backend that is older than they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hunks: Vec<Hunk>,
}

/// Where a hunk lies, with the unchanged lines around it: the numbers of the
/// `@@` line of a unified diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Hunk {
    /// First line of the text before, from 1; the line before it where
    /// `old_lines` is 0.
    pub old_start: u32,
    /// Lines of the text before.
    pub old_lines: u32,
    /// First line of the text after, as `old_start`.
    pub new_start: u32,
    /// Lines of the text after.
    pub new_lines: u32,
}

/// How important a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something is worse than it could be.
    Warning,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_update_looks_as_documented() {
        let event = Envelope {
            seq: Seq(17),
            workflow_id: WorkflowId::new("w1"),
            correlation_id: CorrelationId::new("req_xyz"),
            timestamp: 1_234_567_890,
            body: Body::AgentStreamingUpdate {
                stage_id: StageId::new("code_generation"),
                attempt: 1,
                delta: " b):".to_owned(),
                offset: 20,
                partial_result: Some("def calculate_sum(a, b):".to_owned()),
                tokens_so_far: 10,
                is_final: false,
                metrics: None,
            },
        };
        let json = serde_json::json!({
            "type": "agent_streaming_update", "seq": 17, "workflow_id": "w1", "correlation_id": "req_xyz",
            "stage_id": "code_generation", "attempt": 1, "delta": " b):", "offset": 20,
            "partial_result": "def calculate_sum(a, b):", "tokens_so_far": 10, "is_final": false,
            "timestamp": 1_234_567_890_u64, "metrics": null,
        });
        assert_eq!(serde_json::to_value(&event).unwrap(), json);
        assert_eq!(serde_json::from_value::<Envelope>(json).unwrap(), event);
    }
}
