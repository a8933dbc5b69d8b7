//! State of one workflow: the fold of its events. Lanes of groups are states
//! of the same kind within it.
//!
//! What is large is shared, so that a copy is cheap: the runtime makes one for
//! each piece of streamed text.

use std::{collections::BTreeMap, sync::Arc};

use shared::id::{CorrelationId, Seq, StageId, WorkflowId};

use crate::{
    artifact::{
        Applied, ApplyIntent, CheckReport, Context, Failure, Plan, Proposal, Selection, Task, WantedCall,
    },
    event::{GenerationTotal, LanePlan, Origin},
    graph::{Graph, Stage, StageKind},
    recheck::Recheck,
};

/// State of one workflow, or of one lane in it.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Its id.
    pub workflow: WorkflowId,
    /// The client's id.
    pub correlation: CorrelationId,
    /// What was asked for.
    pub task: Arc<Task>,
    /// The definition it is pinned to; a lane has its own stages alone.
    pub graph: Arc<Graph>,
    /// Last event.
    pub head: Seq,
    /// The event from which a shorter history stands for all before; 0 for
    /// none.
    pub base: Seq,
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
    /// Lanes of the group that runs or ran last, by name.
    pub lanes: BTreeMap<StageId, Arc<State>>,
    /// What it began from, for a lane.
    pub lane: Option<Arc<LaneOrigin>>,
    /// Where it was forked from.
    pub fork: Option<Arc<Fork>>,
    /// Last retrieved context.
    pub context: Option<Arc<Context>>,
    /// Last plan.
    pub plan: Option<Arc<Plan>>,
    /// Current proposal.
    pub proposal: Option<Arc<Proposal>>,
    /// Proposal of the iteration before, which the feedback is about.
    pub previous: Option<Arc<Proposal>>,
    /// Evidence for the current proposal.
    pub checks: Arc<Vec<CheckReport>>,
    /// What went wrong in this iteration, oldest first.
    pub failures: Arc<Vec<Failure>>,
    /// What the person asked to change, oldest first.
    pub feedback: Arc<Vec<String>>,
    /// What the person said in the middle of the work, oldest first.
    pub remarks: Arc<Vec<Remark>>,
    /// What of the proposal was accepted.
    pub selection: Option<Selection>,
    /// The last look at what would be written, where it is not what was
    /// proposed.
    pub recheck: Option<Arc<Recheck>>,
    /// What is about to be, or was, written.
    pub intent: Option<Arc<ApplyIntent>>,
    /// What was written.
    pub applied: Option<Arc<Applied>>,
    /// What the person said about running code without a sandbox, if they were
    /// asked.
    pub consent: Option<Consent>,
    /// What the person said about calls of tools by the stage that runs, oldest
    /// first.
    pub permissions: Arc<Vec<Permission>>,
    /// Restarts since a stage last ended.
    pub resumes: u32,
}

/// What a person said about a call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The event.
    pub seq: Seq,
    /// The call.
    pub call: Arc<WantedCall>,
    /// Whether it may be made, once.
    pub consent: Consent,
    /// What they said with it.
    pub words: Option<String>,
}

/// What a person said in the middle of the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The event.
    pub seq: Seq,
    /// What they said.
    pub text: String,
}

/// What a lane began from.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneOrigin {
    /// The group it belongs to.
    pub group: StageId,
    /// The item it is about, for a loop.
    pub item: Option<String>,
    /// Its place among the lanes, from 1.
    pub number: u32,
    /// How many lanes there are.
    pub of: u32,
    /// Times it has begun, from 1.
    pub run: u32,
    /// The context it began with.
    pub context: Option<Arc<Context>>,
    /// The plan it began with.
    pub plan: Option<Arc<Plan>>,
    /// The proposal it began with.
    pub proposal: Option<Arc<Proposal>>,
}

/// Where a workflow was forked from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The other workflow.
    pub from: WorkflowId,
    /// The last event they share.
    pub at: Seq,
    /// The model that goes on; none for the configured one.
    pub model: Option<String>,
}

/// What a workflow is doing.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// A stage is running.
    Running(Running),
    /// A stage is tried again later.
    Waiting {
        /// The stage.
        stage: StageId,
        /// The attempt that will begin.
        attempt: u32,
        /// Milliseconds since the Unix epoch when it begins.
        due_at_ms: u64,
    },
    /// The lanes of a group run.
    Joining(Joining),
    /// A person is asked, by this stage.
    AwaitingDecision {
        /// The stage that asks.
        stage: StageId,
        /// What it asks.
        question: Question,
        /// Milliseconds since the Unix epoch when they were asked.
        since_ms: u64,
        /// Milliseconds since the Unix epoch until which they can answer.
        until_ms: Option<u64>,
    },
    /// Nothing more will happen.
    Finished(Outcome),
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What to do with the proposal, or the plan.
    Review,
    /// What to do about a stage that failed.
    Failure,
    /// Whether a stage may run code without a sandbox. Either answer lets it go
    /// on.
    Unisolated,
    /// Whether a model may call a tool. Either answer lets it go on.
    Tool(Arc<WantedCall>),
}

/// What a person said about something that needs their leave: to run code
/// without a sandbox, to call a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It may be done.
    Given,
    /// It may not.
    Refused,
}

/// The stage that runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// The stage.
    pub stage: StageId,
    /// From 1 in each iteration.
    pub attempt: u32,
    /// The event that began it.
    pub since: Seq,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Code points that were streamed in this attempt.
    pub streamed_chars: u64,
    /// Tokens that were streamed in this attempt.
    pub streamed_tokens: u64,
    /// Where the text of this attempt comes from, if it may be gone on with.
    pub text: Option<Arc<Text>>,
}

/// The text of an attempt, which is in its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The event that begins it.
    pub from: Seq,
    /// What it comes from.
    pub origin: Origin,
    /// Set when the model has ended it.
    pub total: Option<GenerationTotal>,
}

/// The group whose lanes run.
#[derive(Debug, Clone, PartialEq)]
pub struct Joining {
    /// The group.
    pub stage: StageId,
    /// From 1 in each iteration.
    pub attempt: u32,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Its lanes, in order.
    pub planned: Arc<Vec<LanePlan>>,
    /// How lanes ended that the group has taken in.
    pub joined: BTreeMap<StageId, Joined>,
}

/// How a lane ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// What it made is in the group.
    Succeeded,
    /// It was stopped.
    Stopped,
    /// It could not go on.
    Failed(Failure),
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

impl StageStatus {
    /// The word for it, on the wire and in conditions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl StageRecord {
    /// A stage that has not begun.
    pub(crate) fn pending(stage: StageId) -> Self {
        Self {
            stage,
            status: StageStatus::Pending,
            attempts: 0,
            failed: 0,
            duration_ms: None,
        }
    }
}

impl State {
    /// The record of a stage of this list; not those of lanes.
    pub fn record(&self, stage: &StageId) -> Option<&StageRecord> {
        self.stages.iter().find(|record| record.stage == *stage)
    }

    pub(crate) fn record_mut(&mut self, stage: &StageId) -> Option<&mut StageRecord> {
        self.stages.iter_mut().find(|record| record.stage == *stage)
    }

    /// Every record, those of lanes after their group.
    pub fn records(&self) -> Vec<&StageRecord> {
        let mut found = Vec::new();
        for record in &self.stages {
            found.push(record);
            found.extend(self.lanes_of(&record.stage).into_iter().flat_map(Self::records));
        }
        found
    }

    /// The lanes of a group, in order, if they still are there.
    pub(crate) fn lanes_of(&self, group: &StageId) -> Vec<&Self> {
        let place = |lane: &Self| {
            let origin = lane.lane.as_ref().filter(|origin| origin.group == *group)?;
            Some(origin.number)
        };
        let lanes = self.lanes.values().map(AsRef::as_ref);
        let mut lanes: Vec<(u32, &Self)> = lanes.filter_map(|lane| Some((place(lane)?, lane))).collect();
        lanes.sort_by_key(|(number, _)| *number);
        lanes.into_iter().map(|(_, lane)| lane).collect()
    }

    /// The stage of this list that runs, with its definition.
    pub fn running(&self) -> Option<(&Running, &Stage)> {
        match &self.phase {
            Phase::Running(running) => Some((running, self.graph.stage(&running.stage)?)),
            Phase::Waiting { .. }
            | Phase::Joining(_)
            | Phase::AwaitingDecision { .. }
            | Phase::Finished(_) => None,
        }
    }

    /// Every stage that runs, in whatever lane, with the state it belongs to.
    pub fn working(&self) -> Vec<(&Self, &Running)> {
        match &self.phase {
            Phase::Running(running) => vec![(self, running)],
            Phase::Joining(_) => self.lanes.values().flat_map(|lane| lane.working()).collect(),
            Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => Vec::new(),
        }
    }

    /// The running stages whose text is gone on with after a restart of the
    /// process, where their model can.
    pub fn continuing(&self) -> Vec<(&Self, &Running)> {
        let mut working = self.working();
        working.retain(|(_, running)| running.text.is_some());
        working
    }

    /// The state that a running stage belongs to: the workflow's own or that
    /// of a lane.
    pub fn owner(self: &Arc<Self>, stage: &StageId) -> Option<Arc<Self>> {
        match &self.phase {
            Phase::Running(running) => (running.stage == *stage).then(|| self.clone()),
            Phase::Joining(_) => self.lanes.values().find_map(|lane| lane.owner(stage)),
            Phase::Waiting { .. } | Phase::AwaitingDecision { .. } | Phase::Finished(_) => None,
        }
    }

    /// The remarks that a model of the running stage is told of. Text that is
    /// there was written without those that came after its attempt had begun:
    /// it is gone on with only where the prompt is the same.
    pub fn remarks_told(&self) -> Vec<String> {
        let until = match &self.phase {
            Phase::Running(running) if running.text.is_some() => Some(running.since),
            Phase::Running(_)
            | Phase::Waiting { .. }
            | Phase::Joining(_)
            | Phase::AwaitingDecision { .. }
            | Phase::Finished(_) => None,
        };
        let told = |remark: &&Remark| until.is_none_or(|until| remark.seq < until);
        let remarks = self.remarks.iter().filter(told);
        remarks.map(|remark| remark.text.clone()).collect()
    }

    /// Whether the changes are being written.
    pub fn is_writing(&self) -> bool {
        self.intent.is_some()
            && self
                .running()
                .is_some_and(|(_, stage)| stage.is(StageKind::Apply))
    }

    /// Whether nothing more will happen.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }

    /// The model that the person chose, for this fork or for the whole.
    pub fn model(&self) -> Option<&str> {
        let of_fork = self.fork.as_ref().and_then(|fork| fork.model.as_deref());
        of_fork.or(self.task.choices.model.as_deref())
    }
}
