//! What the window knows about one workflow, as a pure fold of its events:
//! the same events give the same state, live or replayed after a restart.
//!
//! It must never know a socket, a widget, a colour or the time of day.

pub mod diff;
mod event;
pub mod layout;
pub mod live;
pub mod log;
mod parts;
mod permission;
pub mod selection;
pub mod syntax;

use std::sync::Arc;

use shared::{
    id::{Seq, StageId, WorkflowId},
    wire::{
        Body, CallEnding, Decision, Envelope, ModelCall, NoticeLevel, Question, Span, StageOutcome,
        WorkflowState, WorkflowView,
    },
};

use diff::FileView;
use live::Live;

pub use event::Event;
pub use parts::{Applied, Check, Folded, ModelUse, Notice, Phase, Plan, Retrieval, Stage, StageStatus};
pub use permission::Permission;

/// Notices kept; older ones are dropped first.
pub const NOTICES_MAX: usize = 50;

/// One workflow as the window shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// The workflow.
    pub id: WorkflowId,
    /// What was asked for; empty until it is known.
    pub query: String,
    /// Workspace on the backend's machine; empty until it is known.
    pub workspace: String,
    /// Last event that was folded in.
    pub head: Seq,
    /// Where it stands.
    pub phase: Phase,
    /// Iteration, from 1.
    pub iteration: u32,
    /// Stages of this iteration, in order.
    pub stages: Vec<Stage>,
    /// Feedback given with `modify`, oldest first.
    pub feedback: Vec<String>,
    /// What was said during the work, oldest first.
    pub remarks: Vec<String>,
    /// The models that were asked, in the order in which they first were.
    pub models: Vec<ModelUse>,
    /// What the planner decided.
    pub plan: Option<Plan>,
    /// The context that was found.
    pub retrieval: Option<Retrieval>,
    /// Text that is being written, or was written last.
    pub live: Option<Live>,
    /// Checks of the proposal, in order.
    pub checks: Vec<Check>,
    /// The proposed diff, one entry a file.
    pub files: Arc<[FileView]>,
    /// Whether the proposal was accepted, so that what begins now writes it.
    pub accepted: bool,
    /// What a person should know, oldest first.
    pub notices: Vec<Notice>,
}

impl Workflow {
    /// A workflow of which nothing is known but its id and the request.
    pub fn new(id: WorkflowId, query: String, workspace: String) -> Self {
        Self {
            id,
            query,
            workspace,
            head: Seq::default(),
            phase: Phase::Submitted,
            iteration: 1,
            stages: Vec::new(),
            feedback: Vec::new(),
            remarks: Vec::new(),
            models: Vec::new(),
            plan: None,
            retrieval: None,
            live: None,
            checks: Vec::new(),
            files: Arc::default(),
            accepted: false,
            notices: Vec::new(),
        }
    }

    /// Takes from a snapshot what events do not carry: the request, the
    /// workspace and the stages whose turn has not come.
    pub fn learn(&mut self, view: &WorkflowView) {
        if self.id != view.summary.workflow_id {
            return;
        }
        self.query.clone_from(&view.summary.user_query);
        self.workspace.clone_from(&view.summary.workspace);
        let mut known = std::mem::take(&mut self.stages);
        for stage in &view.stages {
            let position = known.iter().position(|known| known.id == stage.stage_id);
            self.stages.push(match position {
                Some(position) => known.remove(position),
                None => Stage {
                    id: stage.stage_id.clone(),
                    attempt: 0,
                    status: StageStatus::Pending,
                    began: None,
                },
            });
        }
        self.stages.append(&mut known);
    }

    /// Whether a person may answer `decision` now.
    pub fn may(&self, decision: Decision) -> bool {
        match &self.phase {
            Phase::Review { options, .. } => options.contains(&decision),
            Phase::Submitted
            | Phase::Running
            | Phase::Decided(_)
            | Phase::Completed(_)
            | Phase::Rejected
            | Phase::Cancelled
            | Phase::Failed { .. } => false,
        }
    }

    /// The stage that failed and that a person is asked about, with the reason.
    pub fn failure_asked(&self) -> Option<(&StageId, &str)> {
        let Phase::Review {
            question: Question::Failure { stage_id },
            ..
        } = &self.phase
        else {
            return None;
        };
        let reason = self.stages.iter().find_map(|stage| match &stage.status {
            StageStatus::Failed(_, reason) if stage.id == *stage_id => Some(reason.as_str()),
            StageStatus::Failed(..)
            | StageStatus::Pending
            | StageStatus::Running(_)
            | StageStatus::Succeeded(_)
            | StageStatus::Skipped(_) => None,
        });
        Some((stage_id, reason.unwrap_or_default()))
    }

    /// How many seconds a stage is likely to take, where there is a figure.
    pub fn seconds_expected(&self, id: &StageId) -> Option<Span> {
        let estimates = &self.plan.as_ref()?.estimates;
        estimates
            .iter()
            .find(|estimate| estimate.stage_id == *id)?
            .seconds
    }

    /// Whether a stage is at work, so that time is to be shown as it goes by.
    pub fn is_working(&self) -> bool {
        let running = |stage: &Stage| matches!(stage.status, StageStatus::Running(_));
        self.stages.iter().any(running)
    }

    /// Folds one event in.
    pub fn fold(&mut self, event: &Event) -> Folded {
        let Event { envelope, files } = event;
        if envelope.workflow_id != self.id {
            return Folded::Ignored;
        }
        if let Body::Resync { .. } = envelope.body {
            let stages = std::mem::take(&mut self.stages);
            *self = Self::new(
                self.id.clone(),
                std::mem::take(&mut self.query),
                std::mem::take(&mut self.workspace),
            );
            self.stages = stages.into_iter().map(pending).collect();
            return Folded::Restarted;
        }
        if envelope.seq <= self.head {
            return Folded::Ignored;
        }
        if envelope.seq != self.head.next() {
            return Folded::Gap;
        }
        self.head = envelope.seq;
        self.take(envelope, files);
        Folded::Yes
    }

    fn take(&mut self, event: &Envelope, files: &Arc<[FileView]>) {
        match &event.body {
            Body::AgentStreamingUpdate {
                stage_id, attempt, ..
            } => {
                let same = |live: &Live| live.stage_id == *stage_id && live.attempt == *attempt && !live.done;
                if !self.live.as_ref().is_some_and(same) {
                    self.live = Some(Live::new(stage_id.clone(), *attempt));
                }
                if let Some(live) = &mut self.live {
                    live.take(&event.body, event.timestamp);
                }
            }
            Body::WorkflowState { state, iteration } => self.take_state(*state, *iteration),
            Body::StageStarted {
                stage_id,
                attempt,
                iteration,
            } => {
                self.begin_iteration(*iteration);
                let status = StageStatus::Running(event.timestamp);
                // Whoever goes on from there would write without being asked.
                let began = (!self.accepted).then_some(event.seq);
                self.set_stage(stage_id, *attempt, status, began);
            }
            Body::StageFinished {
                stage_id,
                attempt,
                outcome,
                duration_ms,
                reason,
            } => {
                let reason = reason.clone().unwrap_or_default();
                let status = match outcome {
                    StageOutcome::Succeeded => StageStatus::Succeeded(*duration_ms),
                    StageOutcome::Skipped => StageStatus::Skipped(reason),
                    StageOutcome::Failed => StageStatus::Failed(*duration_ms, reason),
                };
                self.set_stage(stage_id, *attempt, status, None);
            }
            Body::AttemptDiscarded {
                stage_id,
                attempt,
                reason,
            } => {
                if self
                    .live
                    .as_ref()
                    .is_some_and(|live| live.stage_id == *stage_id && live.attempt == *attempt)
                {
                    self.live = None;
                }
                let message = format!("{stage_id}: attempt {attempt} was discarded: {reason}");
                self.notice(Notice {
                    level: NoticeLevel::Warning,
                    code: None,
                    message,
                });
            }
            Body::AttemptResumed {
                stage_id,
                resumed_at_token,
                ..
            } => {
                let message = format!("{stage_id}: the model goes on after {resumed_at_token} tokens");
                self.notice(Notice {
                    level: NoticeLevel::Info,
                    code: None,
                    message,
                });
            }
            Body::RetrievalResult { mode, items, tokens } => {
                self.retrieval = Some(Retrieval {
                    mode: *mode,
                    items: items.clone(),
                    tokens: *tokens,
                });
            }
            Body::Plan {
                summary,
                steps,
                stages,
                estimates,
            } => {
                self.plan = Some(Plan {
                    summary: summary.clone(),
                    steps: steps.clone(),
                    stages: stages.clone(),
                    estimates: estimates.clone(),
                });
            }
            Body::CheckResult {
                name,
                status,
                command,
                exit_status,
                duration_ms,
                output,
                has_log,
            } => {
                let check = Check {
                    name: name.clone(),
                    status: *status,
                    command: command.clone(),
                    exit_status: *exit_status,
                    duration_ms: *duration_ms,
                    output: output.clone(),
                    has_log: *has_log,
                };
                match self.checks.iter_mut().find(|known| known.name == *name) {
                    Some(known) => *known = check,
                    None => self.checks.push(check),
                }
            }
            Body::DiffReady { iteration, .. } => {
                self.begin_iteration(*iteration);
                self.files = Arc::clone(files);
            }
            Body::DecisionNeeded {
                iteration,
                options,
                question,
            } => {
                self.begin_iteration(*iteration);
                self.accepted = false;
                self.phase = Phase::Review {
                    iteration: *iteration,
                    options: options.clone(),
                    question: question.clone(),
                };
            }
            Body::DecisionTaken { decision, feedback } => {
                if *decision == Decision::Modify {
                    self.feedback.push(feedback.clone().unwrap_or_default());
                }
                let is_asked = matches!(
                    &self.phase,
                    Phase::Review {
                        question: Question::Review,
                        ..
                    }
                );
                self.accepted = is_asked && *decision == Decision::Accept && !self.files.is_empty();
                self.phase = Phase::Decided(*decision);
            }
            Body::Applied {
                commit,
                branch,
                paths,
            } => {
                let applied = Applied {
                    commit: commit.clone(),
                    branch: branch.clone(),
                    paths: paths.clone(),
                };
                self.phase = Phase::Completed(applied);
            }
            Body::Failed { code, message } => {
                self.phase = Phase::Failed {
                    code: code.clone(),
                    message: message.clone(),
                };
            }
            Body::Notice { level, code, message } => {
                self.notice(Notice {
                    level: *level,
                    code: code.clone(),
                    message: message.clone(),
                });
            }
            Body::ModelCalled { call, .. } => self.count(call),
            Body::ToolCalled { call, .. } => self.notice(Notice {
                level: if call.is_error {
                    NoticeLevel::Warning
                } else {
                    NoticeLevel::Info
                },
                code: None,
                message: call.to_string(),
            }),
            Body::Remarked { text } => self.remarks.push(text.clone()),
            // Handled before the position is looked at.
            Body::Resync { .. } => {}
        }
    }

    fn take_state(&mut self, state: WorkflowState, iteration: u32) {
        self.begin_iteration(iteration);
        match state {
            WorkflowState::Running => self.phase = Phase::Running,
            // What may be answered comes with `decision_needed`.
            WorkflowState::AwaitingDecision => {}
            WorkflowState::Completed => {
                if !matches!(self.phase, Phase::Completed(_)) {
                    self.phase = Phase::Completed(Applied::default());
                }
            }
            WorkflowState::Rejected => self.phase = Phase::Rejected,
            WorkflowState::Cancelled => self.phase = Phase::Cancelled,
            WorkflowState::Failed => {
                if !matches!(self.phase, Phase::Failed { .. }) {
                    self.phase = Phase::Failed {
                        code: String::new(),
                        message: "The workflow failed.".to_owned(),
                    };
                }
            }
        }
        if self.phase.is_terminal() {
            self.stop_stages();
        }
    }

    /// A later iteration drops what belonged to the one before, but keeps the
    /// plan and the context, which it uses again.
    fn begin_iteration(&mut self, iteration: u32) {
        if iteration <= self.iteration {
            return;
        }
        self.iteration = iteration;
        self.stages = std::mem::take(&mut self.stages)
            .into_iter()
            .map(pending)
            .collect();
        self.live = None;
        self.checks.clear();
        self.files = Arc::default();
        self.accepted = false;
        self.phase = Phase::Running;
    }

    /// `began` is the event if it begins now.
    fn set_stage(&mut self, id: &StageId, attempt: u32, status: StageStatus, began: Option<Seq>) {
        let known = self.stages.iter_mut().find(|known| known.id == *id);
        let stage = Stage {
            id: id.clone(),
            attempt,
            status,
            began: began.or(known.as_ref().and_then(|known| known.began)),
        };
        match known {
            Some(known) => *known = stage,
            None => {
                // Stages that are waiting come after the one that runs.
                let next = |known: &Stage| known.status == StageStatus::Pending;
                let position = self.stages.iter().position(next).unwrap_or(self.stages.len());
                self.stages.insert(position, stage);
            }
        }
    }

    fn stop_stages(&mut self) {
        for stage in &mut self.stages {
            if let StageStatus::Running(_) = stage.status {
                stage.status = StageStatus::Skipped("stopped".to_owned());
            }
        }
    }

    fn count(&mut self, call: &ModelCall) {
        let known = |known: &ModelUse| known.provider == call.provider && known.model == call.model;
        match self.models.iter_mut().find(|model| known(model)) {
            Some(model) => model.count(call),
            None => {
                let mut model = ModelUse {
                    provider: call.provider.clone(),
                    model: call.model.clone(),
                    ..ModelUse::default()
                };
                model.count(call);
                self.models.push(model);
            }
        }
        if let CallEnding::Failed { code, .. } = &call.ending {
            self.notice(Notice {
                level: NoticeLevel::Warning,
                code: Some(code.clone()),
                message: call.to_string(),
            });
        }
    }

    fn notice(&mut self, notice: Notice) {
        if self.notices.len() == NOTICES_MAX {
            self.notices.remove(0);
        }
        self.notices.push(notice);
    }
}

fn pending(stage: Stage) -> Stage {
    Stage {
        id: stage.id,
        attempt: 0,
        status: StageStatus::Pending,
        began: None,
    }
}
