//! Domain to wire, by hand: what a client sees of an event or a state.
//!
//! The mapping of events needs a memory (text so far, iteration), which
//! [`Presenter`] keeps for one watched workflow.

mod call;
mod diff;
mod index;
mod memory;
mod sandbox;
mod search;
mod view;

use std::{collections::HashMap, sync::Arc};

pub(crate) use call::call;
pub(crate) use diff::files;
use engine::{
    Event, Outcome, Recorded,
    artifact::{self, CheckReport},
    event::{self, Ending, Streamed},
    ports::{Journal, journal::Head},
};
pub use index::index;
pub use memory::memory;
pub use sandbox::sandbox;
pub use search::search;
use shared::{
    error::Code,
    id::{Seq, StageId},
    wire::{self, Body, Envelope},
};
pub(crate) use view::estimate;
pub use view::{summary, view};

use crate::error::Error;

/// Whether updates carry the whole text so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `partial_result` is there.
    Full,
    /// Only `delta`.
    Delta,
}

/// Turns the events of one workflow, in order, into wire events.
pub struct Presenter {
    journal: Arc<dyn Journal>,
    head: Head,
    mode: Mode,
    iteration: u32,
    /// Text so far of each stage that writes: several may, side by side.
    texts: HashMap<StageId, Text>,
}

/// What an attempt has written.
#[derive(Debug, Default)]
struct Text {
    attempt: u32,
    text: String,
}

impl Presenter {
    /// For a client that has nothing yet.
    pub fn new(journal: Arc<dyn Journal>, head: Head, mode: Mode) -> Self {
        Self {
            journal,
            head,
            mode,
            iteration: 1,
            texts: HashMap::new(),
        }
    }

    /// For a client that has everything up to `after`.
    pub async fn after(journal: Arc<dyn Journal>, head: Head, mode: Mode, after: Seq) -> Result<Self, Error> {
        let mut presenter = Self::new(journal, head, mode);
        let mut at = Seq::default();
        while at < after {
            let page = presenter
                .journal
                .read(presenter.head.workflow.clone(), at, crate::runtime::PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            at = last.seq;
            for recorded in page.iter().filter(|recorded| recorded.seq <= after) {
                presenter.remember(&recorded.event);
            }
        }
        Ok(presenter)
    }

    fn remember(&mut self, event: &Event) {
        match event {
            Event::IterationStarted { iteration } => self.iteration = *iteration,
            Event::Streamed(Streamed {
                stage,
                attempt,
                delta,
                ..
            }) => {
                let text = self.texts.entry(stage.clone()).or_default();
                if text.attempt != *attempt {
                    text.attempt = *attempt;
                    text.text.clear();
                }
                if self.mode == Mode::Full {
                    text.text.push_str(delta);
                }
            }
            // A new run of the same attempt number (another iteration) begins
            // with an empty text.
            Event::StageStarted { stage, .. } => {
                self.texts.remove(stage);
            }
            Event::StageFinished { stage, .. } => {
                self.texts.remove(stage);
            }
            Event::Lane { event, .. } => self.remember(event),
            Event::Submitted { .. }
            | Event::ContextRetrieved(_)
            | Event::Planned(_)
            | Event::Proposed(_)
            | Event::Checked(_)
            | Event::Rechecked { .. }
            | Event::AttemptDiscarded { .. }
            | Event::DecisionRequested
            | Event::Decided(_)
            | Event::ApplyIntended(_)
            | Event::Applied(_)
            | Event::Resumed
            | Event::AttemptResumed { .. }
            | Event::Noticed(_)
            | Event::ModelCalled { .. }
            | Event::ToolCalled { .. }
            | Event::Remarked { .. }
            | Event::RetryScheduled { .. }
            | Event::HelpRequested { .. }
            | Event::DeadlinePassed { .. }
            | Event::LanesPlanned { .. }
            | Event::LaneStarted { .. }
            | Event::LaneJoined { .. }
            | Event::Forked { .. }
            | Event::Continued { .. }
            | Event::Finished(_) => {}
        }
    }

    /// The wire event for the next recorded one. Dropping the future changes
    /// nothing: all waiting is done before anything is remembered.
    pub async fn envelope(&mut self, recorded: &Recorded) -> Result<Envelope, Error> {
        let files = if let Event::Proposed(proposal) = &recorded.event {
            diff::files(self.journal.as_ref(), &proposal.files).await?
        } else {
            Vec::new()
        };
        self.remember(&recorded.event);
        let body = self.body(&recorded.event, files);
        Ok(self.wrap(recorded.seq, recorded.at_ms, body))
    }

    /// The wire event that tells a client to begin again.
    pub fn resync(&self, head: Seq) -> Envelope {
        let reason =
            format!("the position asked for is beyond the last event ({head}): read again from after=0");
        self.wrap(head, self.head.updated_at_ms, Body::Resync { reason })
    }

    fn wrap(&self, seq: Seq, at_ms: u64, body: Body) -> Envelope {
        Envelope {
            seq,
            workflow_id: self.head.workflow.clone(),
            correlation_id: self.head.correlation.clone(),
            timestamp: at_ms / 1000,
            body,
        }
    }

    /// `files` are those of a proposal.
    fn body(&self, event: &Event, files: Vec<wire::FileDiff>) -> Body {
        match event {
            Event::Submitted { .. } => Body::WorkflowState {
                state: wire::WorkflowState::Running,
                iteration: 1,
            },
            Event::StageStarted { stage, attempt } => Body::StageStarted {
                stage_id: stage.clone(),
                attempt: *attempt,
                iteration: self.iteration,
            },
            Event::Streamed(streamed) => self.update(streamed),
            Event::ContextRetrieved(context) => retrieval(context),
            Event::Planned(plan) => Body::Plan {
                summary: plan.summary.clone(),
                steps: plan.steps.clone(),
                stages: plan.stages.iter().map(view::plan_stage).collect(),
                estimates: plan.estimates.iter().map(view::estimate).collect(),
            },
            Event::Proposed(_) => Body::DiffReady {
                iteration: self.iteration,
                files,
            },
            Event::Checked(report) => check(report),
            Event::Rechecked { problems, .. } => info(rechecked(problems)),
            Event::StageFinished {
                stage,
                attempt,
                ending,
                duration_ms,
            } => {
                let (outcome, reason) = match ending {
                    Ending::Succeeded => (wire::StageOutcome::Succeeded, None),
                    Ending::Skipped { reason } => (wire::StageOutcome::Skipped, Some(reason.clone())),
                    Ending::Failed(failure) => (
                        wire::StageOutcome::Failed,
                        Some(format!("{}: {}", failure.code, failure.message)),
                    ),
                };
                let (stage_id, attempt, duration_ms) = (stage.clone(), *attempt, *duration_ms);
                Body::StageFinished {
                    stage_id,
                    attempt,
                    outcome,
                    duration_ms,
                    reason,
                }
            }
            Event::AttemptDiscarded {
                stage,
                attempt,
                reason,
            } => Body::AttemptDiscarded {
                stage_id: stage.clone(),
                attempt: *attempt,
                reason: reason.clone(),
            },
            Event::AttemptResumed {
                stage,
                attempt,
                tokens,
            } => Body::AttemptResumed {
                stage_id: stage.clone(),
                attempt: *attempt,
                resumed_at_token: *tokens,
            },
            Event::DecisionRequested => self.needed(wire::Question::Review),
            Event::Decided(decision) => {
                let (decision, feedback) = match decision {
                    artifact::Decision::Accept(_) => (wire::Decision::Accept, None),
                    artifact::Decision::Reject { feedback } => (wire::Decision::Reject, feedback.clone()),
                    artifact::Decision::Modify { feedback } => {
                        (wire::Decision::Modify, Some(feedback.clone()))
                    }
                };
                Body::DecisionTaken { decision, feedback }
            }
            Event::IterationStarted { iteration } => Body::WorkflowState {
                state: wire::WorkflowState::Running,
                iteration: *iteration,
            },
            Event::ApplyIntended(intent) => {
                let what = if intent.commit.is_some() {
                    "writing and committing"
                } else {
                    "writing"
                };
                info(format!("{what} {} file(s)", intent.files.len()))
            }
            Event::Applied(applied) => Body::Applied {
                commit: applied.commit.clone(),
                branch: applied.branch.clone(),
                paths: applied.paths.clone(),
            },
            Event::Resumed => info("the backend was restarted; the workflow goes on".to_owned()),
            Event::Noticed(notice) => Body::Notice {
                level: match notice.level {
                    event::NoticeLevel::Info => wire::NoticeLevel::Info,
                    event::NoticeLevel::Warning => wire::NoticeLevel::Warning,
                },
                code: notice.code.map(Code::as_str).map(str::to_owned),
                message: notice.message.clone(),
            },
            Event::ModelCalled { stage, attempt, call } => Body::ModelCalled {
                stage_id: stage.clone(),
                attempt: *attempt,
                call: self::call(call),
            },
            Event::ToolCalled { stage, attempt, call } => call::tool_called(stage, *attempt, call),
            Event::Remarked { text } => Body::Remarked { text: text.clone() },
            Event::Finished(outcome) => self.finished(outcome),
            Event::RetryScheduled {
                stage,
                attempt,
                delay_ms,
                ..
            } => info(format!(
                "attempt {attempt} at `{stage}` begins in {} s",
                seconds(*delay_ms)
            )),
            Event::HelpRequested { stage, question } => {
                let stage_id = stage.clone();
                self.needed(match question {
                    event::Help::Failure => wire::Question::Failure { stage_id },
                    event::Help::Unisolated => wire::Question::Unisolated { stage_id },
                    event::Help::Tool(call) => {
                        let call = call::wanted(call);
                        wire::Question::ToolCall { stage_id, call }
                    }
                })
            }
            Event::DeadlinePassed { stage } => info(format!(
                "nobody answered `{stage}` in time: its default answer counts"
            )),
            Event::LanesPlanned { stage, lanes } => {
                let name = |plan: &event::LanePlan| match &plan.item {
                    Some(item) => format!("{} ({item})", plan.lane),
                    None => plan.lane.to_string(),
                };
                let names: Vec<String> = lanes.iter().map(name).collect();
                info(format!(
                    "`{stage}` has {} part(s): {}",
                    lanes.len(),
                    names.join(", ")
                ))
            }
            Event::LaneStarted { lane, run, .. } => match run {
                1 => info(format!("part `{lane}` begins")),
                _ => info(format!("part `{lane}` begins again")),
            },
            // The end of a part is not that of the workflow.
            Event::Lane { lane, event } if matches!(**event, Event::Finished(_)) => {
                info(format!("part `{lane}` has ended"))
            }
            Event::Lane { lane, event } if matches!(**event, Event::Proposed(_)) => {
                info(format!("part `{lane}` has a proposal"))
            }
            Event::Lane { event, .. } => self.body(event, files),
            Event::LaneJoined { lane, ending, .. } => match ending {
                Ending::Succeeded => info(format!("part `{lane}` is done")),
                Ending::Skipped { reason } => info(format!("part `{lane}`: {reason}")),
                Ending::Failed(failure) => Body::Notice {
                    level: wire::NoticeLevel::Warning,
                    code: Some(failure.code.as_str().to_owned()),
                    message: format!("part `{lane}` failed: {}", failure.message),
                },
            },
            Event::Forked { from, at, model } => {
                let model = model.as_ref().map(|model| format!(", with model `{model}`"));
                info(format!(
                    "forked from workflow `{from}` at event {at}{}",
                    model.unwrap_or_default()
                ))
            }
            Event::Continued { .. } => info("the history goes on from a shorter one".to_owned()),
        }
    }

    fn needed(&self, question: wire::Question) -> Body {
        let mut options = vec![wire::Decision::Accept, wire::Decision::Reject];
        match question {
            wire::Question::Review | wire::Question::Failure { .. } => options.push(wire::Decision::Modify),
            wire::Question::Unisolated { .. } | wire::Question::ToolCall { .. } => {}
        }
        Body::DecisionNeeded {
            iteration: self.iteration,
            options,
            question,
        }
    }

    fn finished(&self, outcome: &Outcome) -> Body {
        let state = match outcome {
            Outcome::Completed => wire::WorkflowState::Completed,
            Outcome::Rejected => wire::WorkflowState::Rejected,
            Outcome::Cancelled => wire::WorkflowState::Cancelled,
            Outcome::Failed(failure) => {
                let (code, message) = (failure.code.as_str().to_owned(), failure.message.clone());
                return Body::Failed { code, message };
            }
        };
        Body::WorkflowState {
            state,
            iteration: self.iteration,
        }
    }

    fn update(&self, streamed: &Streamed) -> Body {
        Body::AgentStreamingUpdate {
            stage_id: streamed.stage.clone(),
            attempt: streamed.attempt,
            delta: streamed.delta.clone(),
            offset: streamed.offset,
            partial_result: (self.mode == Mode::Full).then(|| {
                let text = self.texts.get(&streamed.stage);
                text.map(|text| text.text.clone()).unwrap_or_default()
            }),
            tokens_so_far: streamed.tokens,
            is_final: streamed.total.is_some(),
            metrics: streamed.total.map(|total| metrics(total, streamed.tokens)),
        }
    }
}

impl std::fmt::Debug for Presenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presenter")
            .field("workflow", &self.head.workflow)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of tokens and milliseconds are far below 2^52"
)]
fn metrics(total: event::GenerationTotal, streamed: u64) -> wire::Metrics {
    let tokens = if total.generated_tokens > 0 {
        total.generated_tokens
    } else {
        streamed
    };
    let seconds = total.duration_ms as f64 / 1000.0;
    let tokens_per_sec = if seconds > 0.0 {
        tokens as f64 / seconds
    } else {
        0.0
    };
    wire::Metrics {
        generation_time_sec: seconds,
        tokens_per_sec,
    }
}

/// Seconds with one decimal.
fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

fn info(message: String) -> Body {
    Body::Notice {
        level: wire::NoticeLevel::Info,
        code: None,
        message,
    }
}

fn retrieval(context: &artifact::Context) -> Body {
    Body::RetrievalResult {
        mode: match context.mode {
            artifact::RetrievalMode::Hybrid => wire::RetrievalMode::Hybrid,
            artifact::RetrievalMode::Keyword => wire::RetrievalMode::Keyword,
            artifact::RetrievalMode::LocalKeyword => wire::RetrievalMode::LocalKeyword,
            artifact::RetrievalMode::Off => wire::RetrievalMode::Off,
        },
        items: context
            .items
            .iter()
            .map(|item| wire::ContextItem {
                path: item.path.clone(),
                start_line: item.start_line,
                end_line: item.end_line,
                symbol: item.symbol.clone(),
                score: item.score,
                found_by: item.found_by.clone(),
            })
            .collect(),
        tokens: context.tokens,
    }
}

/// The outcome of a look at what would be written.
pub(crate) fn rechecked(problems: &[String]) -> String {
    let what = "what would be written is not what was shown: it was checked again";
    match problems.len() {
        0 => format!("{what}, and nothing new is wrong with it"),
        new => format!("{what}, and {new} check(s) object that did not before"),
    }
}

pub(crate) fn check(report: &CheckReport) -> Body {
    Body::CheckResult {
        name: report.name.clone(),
        status: match report.status {
            artifact::CheckStatus::Passed => wire::CheckStatus::Passed,
            artifact::CheckStatus::Failed => wire::CheckStatus::Failed,
            artifact::CheckStatus::Skipped => wire::CheckStatus::Skipped,
        },
        command: report.command.clone(),
        exit_status: report.exit_status,
        duration_ms: report.duration_ms,
        output: report.output.clone(),
        has_log: report.log.is_some(),
    }
}
