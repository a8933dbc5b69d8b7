//! What has happened. Each event is one line of a workflow's history, with one
//! wire event; the doc comment of each says when it is legal.

use shared::id::{CorrelationId, Seq, StageId, WorkflowId};

use crate::{
    artifact::{
        Applied, ApplyIntent, CheckReport, Context, Decision, Failure, FileChange, ModelCall, Plan, Proposal,
        Selection, Task, ToolCall, WantedCall,
    },
    blob::BlobId,
    graph::Graph,
    state::Outcome,
};

/// An event with its place and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Place in the workflow, from 1.
    pub seq: Seq,
    /// Milliseconds since the Unix epoch; for people, never for order.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// First event of a workflow, and only that.
    Submitted {
        /// Its id.
        workflow: WorkflowId,
        /// The client's id.
        correlation: CorrelationId,
        /// What was asked for.
        task: Task,
        /// The definition it is pinned to.
        graph: Graph,
    },
    /// A stage began; legal while running.
    StageStarted {
        /// The stage.
        stage: StageId,
        /// From 1 in each iteration.
        attempt: u32,
    },
    /// A model wrote text; legal while that attempt runs.
    Streamed(Streamed),
    /// Context was found; legal while a retrieval stage runs.
    ContextRetrieved(Context),
    /// The planner answered; legal while a planning stage runs.
    Planned(Plan),
    /// A proposal was made or replaced; legal while a generating stage runs, or
    /// one that takes back.
    Proposed(Proposal),
    /// One check ended; legal while a checks stage runs, and while an apply
    /// stage looks at what it would write.
    Checked(CheckReport),
    /// What would be written is not what was checked before: the checks right
    /// before this are about it. Legal while an apply stage runs, before it
    /// intends anything.
    Rechecked {
        /// [`identity`](crate::recheck::identity) of what would be written.
        of: BlobId,
        /// Problems that the evidence of before does not have; with any,
        /// nothing is written until the person was asked again.
        problems: Vec<String>,
    },
    /// A stage ended, or was left out.
    StageFinished {
        /// The stage.
        stage: StageId,
        /// The attempt that ended; 0 when it never ran.
        attempt: u32,
        /// How it ended.
        ending: Ending,
        /// Milliseconds since it began.
        duration_ms: u64,
    },
    /// What the attempt wrote no longer counts; another one follows.
    AttemptDiscarded {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// A person is asked; legal while a review stage runs.
    DecisionRequested,
    /// A person answered; legal while they are asked.
    Decided(Decision),
    /// Another iteration begins with the feedback that was given.
    IterationStarted {
        /// From 2.
        iteration: u32,
    },
    /// What is about to be written; legal while an apply stage runs, before
    /// anything is written.
    ApplyIntended(ApplyIntent),
    /// It is written; legal after the intent.
    Applied(Applied),
    /// The backend was restarted while the workflow was running.
    Resumed,
    /// After a restart the model goes on with the text that the attempt had
    /// written; legal while that attempt runs.
    AttemptResumed {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// Tokens of the attempt that need not be generated again.
        tokens: u64,
    },
    /// Something a person should know.
    Noticed(Notice),
    /// A model was asked: one try at one provider, and what came of it; legal
    /// while that attempt runs.
    ModelCalled {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// The call.
        call: ModelCall,
    },
    /// A model called a tool in the middle of its answer; legal while that
    /// attempt runs. What it writes next begins a text of its own. A call that
    /// may change something is here twice: before it is made, and with what
    /// came of it.
    ToolCalled {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// The call.
        call: ToolCall,
    },
    /// A person said something in the middle of the work; takes effect at the
    /// next call of a model. Legal until the changes are being written.
    Remarked {
        /// What they said.
        text: String,
    },
    /// A stage failed for a passing reason and is tried again later; legal
    /// after its end.
    RetryScheduled {
        /// The stage.
        stage: StageId,
        /// The attempt that will begin.
        attempt: u32,
        /// The wait, in milliseconds, with what chance took off.
        delay_ms: u64,
        /// Milliseconds since the Unix epoch when it begins.
        due_at_ms: u64,
    },
    /// A person is asked about a stage: after its end about its failure, while
    /// it runs for their leave.
    HelpRequested {
        /// The stage.
        stage: StageId,
        /// What they are asked.
        question: Help,
    },
    /// Nobody answered in time; the default answer follows.
    DeadlinePassed {
        /// The stage that asks.
        stage: StageId,
    },
    /// A group knows its lanes; legal while it runs.
    LanesPlanned {
        /// The group.
        stage: StageId,
        /// The lanes, in order.
        lanes: Vec<LanePlan>,
    },
    /// A lane began, or began again with what the others have made.
    LaneStarted {
        /// The group.
        stage: StageId,
        /// The lane.
        lane: StageId,
        /// From 1.
        run: u32,
    },
    /// Something happened in a lane; legal after its beginning.
    Lane {
        /// The lane.
        lane: StageId,
        /// What happened. `Finished` ends the lane, not the workflow.
        event: Box<Event>,
    },
    /// A lane has ended and the group has what it made.
    LaneJoined {
        /// The group.
        stage: StageId,
        /// The lane.
        lane: StageId,
        /// How it ended.
        ending: Ending,
    },
    /// The workflow began with the history of another one up to an event.
    Forked {
        /// The other one.
        from: WorkflowId,
        /// The last event that was taken over.
        at: Seq,
        /// The model that goes on; none for the configured one.
        model: Option<String>,
    },
    /// Everything before can be read from a shorter history, which leads to
    /// the same state. Legal while no text is being streamed.
    Continued {
        /// The shorter history.
        history: BlobId,
    },
    /// Last event of a workflow.
    Finished(Outcome),
}

/// A lane that a group will run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanePlan {
    /// Its name, unique in the workflow.
    pub lane: StageId,
    /// The item of the list it is about, for a loop.
    pub item: Option<String>,
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a result.
    Succeeded,
    /// It was left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Without a result, or with checks that did not pass.
    Failed(Failure),
}

impl Event {
    /// What happened, in whatever lane.
    pub fn innermost(&self) -> &Self {
        let mut event = self;
        while let Self::Lane { event: inner, .. } = event {
            event = inner;
        }
        event
    }

    /// Contents that it names, so that they stay.
    pub fn blobs(&self) -> Vec<BlobId> {
        let of = |files: &[FileChange]| -> Vec<BlobId> {
            files
                .iter()
                .flat_map(|file| [file.old, file.new])
                .flatten()
                .collect()
        };
        match self.innermost() {
            Self::Submitted { task, .. } => task.images.iter().map(|image| image.blob).collect(),
            Self::ContextRetrieved(context) => vec![context.packed],
            Self::Proposed(proposal) => of(&proposal.files),
            Self::ApplyIntended(intent) => of(&intent.files),
            Self::Continued { history } => vec![*history],
            Self::Decided(Decision::Accept(Selection::Files(files))) => {
                files.iter().filter_map(|file| file.text).collect()
            }
            Self::Checked(report) => report.log.into_iter().collect(),
            Self::ToolCalled { call, .. } => [Some(call.result), call.begun].into_iter().flatten().collect(),
            Self::HelpRequested {
                question: Help::Tool(call),
                ..
            } => vec![call.turn],
            Self::StageStarted { .. }
            | Self::Streamed(_)
            | Self::Planned(_)
            | Self::Rechecked { .. }
            | Self::StageFinished { .. }
            | Self::AttemptDiscarded { .. }
            | Self::DecisionRequested
            | Self::Decided(_)
            | Self::IterationStarted { .. }
            | Self::Applied(_)
            | Self::Resumed
            | Self::AttemptResumed { .. }
            | Self::Noticed(_)
            | Self::ModelCalled { .. }
            | Self::Remarked { .. }
            | Self::RetryScheduled { .. }
            | Self::HelpRequested {
                question: Help::Failure | Help::Unisolated,
                ..
            }
            | Self::DeadlinePassed { .. }
            | Self::LanesPlanned { .. }
            | Self::LaneStarted { .. }
            | Self::Lane { .. }
            | Self::LaneJoined { .. }
            | Self::Forked { .. }
            | Self::Finished(_) => Vec::new(),
        }
    }

    /// Whether it is the last event of a workflow.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finished(_))
    }
}

/// What a person is asked about a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Help {
    /// What to do about its failure.
    Failure,
    /// Whether it may run code without a sandbox.
    Unisolated,
    /// Whether its model may call a tool.
    Tool(Box<WantedCall>),
}

/// Text that a model wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// The stage that writes.
    pub stage: StageId,
    /// The attempt that writes.
    pub attempt: u32,
    /// Where `delta` begins in the whole text, in Unicode code points.
    pub offset: u64,
    /// The new text.
    pub delta: String,
    /// Tokens of the attempt so far.
    pub tokens: u64,
    /// Set on the last one.
    pub total: Option<GenerationTotal>,
    /// Set on the first one, if the text may be gone on with.
    pub origin: Option<Origin>,
}

/// What an attempt's text comes from. Another model, or the same one with
/// another prompt, must not go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The model's name.
    pub model: String,
    /// Hash of everything that it was asked.
    pub request: BlobId,
}

/// Totals of one generation; of its last part, where a restart cut it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerationTotal {
    /// Milliseconds from the first to the last token.
    pub duration_ms: u64,
    /// Tokens of the prompt, as the model server counted them.
    pub prompt_tokens: u64,
    /// Tokens of the answer, as the model server counted them.
    pub generated_tokens: u64,
    /// Whether a limit cut the answer off.
    pub cut: bool,
}

/// Something a person should know; the workflow goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How important.
    pub level: NoticeLevel,
    /// The page that explains it.
    pub code: Option<shared::error::Code>,
    /// What to know.
    pub message: String,
}

/// How important a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something is worse than it could be.
    Warning,
}
