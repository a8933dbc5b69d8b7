//! What can be asked of a workflow, by people and by the runtime's workers.

use shared::{
    error::{Class, Code},
    id::{Seq, StageId},
};

use crate::{
    artifact::{
        Applied, ApplyIntent, CheckReport, Context, Decision, Failure, ModelCall, Plan, Proposal, ToolCall,
        WantedCall,
    },
    blob::BlobId,
    event::{GenerationTotal, Notice, Origin},
};

/// What is known at the moment of a decision. The engine has no clock and no
/// randomness.
#[derive(Debug, Clone, Copy)]
pub struct Ctx {
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// Any number; what is made of it is in the events.
    pub random: u64,
}

/// A request to a workflow that exists.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A worker ended its stage with a result.
    CompleteStage {
        /// The stage.
        stage: StageId,
        /// The attempt it worked on.
        attempt: u32,
        /// The result.
        output: Output,
    },
    /// A worker ended its stage without a result.
    FailStage {
        /// The stage.
        stage: StageId,
        /// The attempt it worked on.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// A model wrote more text.
    StreamText {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// The new text.
        delta: String,
        /// Tokens of the attempt so far.
        tokens: u64,
        /// Set on the last one.
        total: Option<GenerationTotal>,
        /// Set on the first one, if the text may be gone on with.
        origin: Option<Origin>,
    },
    /// After a restart the model goes on with the attempt's text.
    ContinueText {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
    },
    /// The attempt begins its text anew: another provider or try took over.
    RestartText {
        /// The stage.
        stage: StageId,
        /// The attempt whose text no longer counts.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// The apply worker is about to write.
    IntendApply {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// What it will write.
        intent: ApplyIntent,
    },
    /// The apply worker has checked what it would write, because that is not
    /// what was checked before.
    Recheck {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// [`identity`](crate::recheck::identity) of what it would write.
        of: BlobId,
        /// The evidence.
        reports: Vec<CheckReport>,
        /// Problems that the evidence of before does not have.
        problems: Vec<String>,
    },
    /// A model was asked, with or without success.
    ReportCall {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// What came of it.
        call: ModelCall,
    },
    /// A model has called a tool.
    ReportTool {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// What came of it.
        call: ToolCall,
    },
    /// A model wants to call a tool that a person has to allow first. What
    /// works on the attempt is stopped; another one goes on with the answer.
    AskPermission {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// What it would call.
        call: WantedCall,
    },
    /// A worker has something to tell.
    Notify(Notice),
    /// A person says something in the middle of the work; the next model that
    /// is asked is told. The same words count once.
    Remark {
        /// What they say.
        text: String,
    },
    /// A person answers.
    Decide {
        /// The iteration they looked at; `None` for "the one that is shown".
        iteration: Option<u32>,
        /// The answer.
        decision: Decision,
    },
    /// A person stops the workflow.
    Cancel,
    /// The backend has started again.
    Resume,
    /// Time has passed: whatever is due by now happens.
    Tick,
    /// A shorter history that leads to the same state is stored under this id.
    Continue {
        /// The shorter history.
        history: BlobId,
    },
}

/// Result of a stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Of a retrieval stage.
    Context(Context),
    /// Of a planning stage.
    Plan(Plan),
    /// Of a generating stage: the whole proposal, what came before included.
    Proposal(Proposal),
    /// Of a checks stage.
    Checks {
        /// The evidence.
        reports: Vec<CheckReport>,
        /// What has to be mended before a person should be asked; empty for a
        /// proposal that holds. Not every failed check is one: wrong formatting
        /// is evidence, but no reason to write the code again.
        problems: Vec<String>,
        /// How the problems were found.
        found_by: FoundBy,
    },
    /// Of an apply stage.
    Applied(Applied),
}

/// How problems of a proposal were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// By looking at its text.
    Reading,
    /// By building it or running its tests.
    Running,
}

/// Why a command was refused. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// The text is empty.
    #[error("the request is empty: say what should be implemented")]
    QueryEmpty,
    /// The text is too long.
    #[error(
        "the request has {bytes} bytes; at most {max} are accepted: shorten it, or put the details in a file of the workspace"
    )]
    QueryTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// `modify` came without saying what to change.
    #[error("`modify` needs feedback that says what to change")]
    FeedbackEmpty,
    /// A remark says nothing.
    #[error("the remark is empty: say what the model should know")]
    RemarkEmpty,
    /// Too many remarks: each of them is in every later prompt.
    #[error("the workflow has had {max} remarks: stop it, and begin a new one that says everything")]
    TooManyRemarks {
        /// The limit.
        max: usize,
    },
    /// No model is asked any more.
    #[error("the changes are being written: no model is asked any more that could be told")]
    RemarkTooLate,
    /// No decision is pending.
    #[error("the workflow is not waiting for a decision")]
    NoDecisionPending,
    /// The decision is about an older iteration.
    #[error(
        "the decision is about iteration {asked}, but iteration {current} is shown now: look at the new diff"
    )]
    OtherIteration {
        /// What the person saw.
        asked: u32,
        /// What is shown.
        current: u32,
    },
    /// A selection names a file or hunk that the proposal does not have.
    #[error("the proposal has no file `{path}`")]
    UnknownFile {
        /// The path.
        path: String,
    },
    /// A selection that takes nothing.
    #[error("the selection is empty: reject the proposal instead")]
    SelectionEmpty,
    /// Too many rounds.
    #[error("the workflow has had {max} iterations; accept or reject, and begin a new one")]
    TooManyIterations {
        /// The limit.
        max: u32,
    },
    /// A part of a proposal was chosen where there is none.
    #[error(
        "the question is about a failed stage: accept tries it again, modify tries it with your words, reject ends the workflow"
    )]
    NothingToSelect,
    /// Words where none are asked for.
    #[error("the question is whether something may be done: accept or reject")]
    YesOrNo,
    /// Hunks of a text that is replaced.
    #[error("`{path}` is accepted with a text of its own: leave `hunks` out")]
    HunksOfOwnText {
        /// The file.
        path: String,
    },
    /// Too many attempts at a stage that keeps failing.
    #[error("the stage has had {max} attempts; reject, and begin a new workflow")]
    TooManyAttempts {
        /// The limit.
        max: u32,
    },
    /// It is over.
    #[error("the workflow has already finished")]
    Finished,
    /// Once files are being written, only finishing is safe.
    #[error("the changes are being written; the workflow can no longer be stopped")]
    Applying,
    /// A result of an attempt that no longer counts.
    #[error("attempt {attempt} at `{stage}` no longer counts (head {head})")]
    Stale {
        /// The stage.
        stage: StageId,
        /// The attempt.
        attempt: u32,
        /// Where the workflow is.
        head: Seq,
    },
}

impl Reject {
    /// The page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::QueryEmpty => Code::QueryEmpty,
            Self::QueryTooLong { .. } => Code::QueryTooLong,
            Self::FeedbackEmpty
            | Self::RemarkEmpty
            | Self::TooManyRemarks { .. }
            | Self::RemarkTooLate
            | Self::UnknownFile { .. }
            | Self::SelectionEmpty
            | Self::HunksOfOwnText { .. }
            | Self::YesOrNo
            | Self::NothingToSelect => Code::InvalidRequest,
            Self::NoDecisionPending | Self::OtherIteration { .. } | Self::Stale { .. } => {
                Code::DecisionNotPending
            }
            Self::TooManyIterations { .. } | Self::TooManyAttempts { .. } | Self::Applying => {
                Code::InvalidRequest
            }
            Self::Finished => Code::WorkflowFinished,
        }
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        Class::User
    }
}
