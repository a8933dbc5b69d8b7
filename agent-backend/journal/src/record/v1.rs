//! Version 1 of the records: a twin of each domain type, converted by hand in
//! both directions. Field names are short because they are stored with every
//! event, and are frozen: a change of meaning is version 2.

mod artifact;
mod call;
mod graph;
mod help;
mod intent;
mod tool;
mod words;

use engine::event;
use serde::{Deserialize, Serialize};
use shared::{
    error::Code,
    id::{CorrelationId, InvalidId, Seq, StageId, WorkflowId},
};

use self::{
    artifact::{Applied, CheckReport, Context, Decision, Failure, Outcome, Plan, Proposal, Task},
    call::ModelCalled,
    graph::Graph,
    help::HelpRequested,
    intent::ApplyIntent,
    tool::ToolCalled,
    words::Level,
};
use super::Unreadable;

/// What happened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "k", deny_unknown_fields)]
pub(super) enum Event {
    #[serde(rename = "submitted")]
    Submitted {
        #[serde(rename = "wf")]
        workflow: String,
        #[serde(rename = "cor")]
        correlation: String,
        #[serde(rename = "task")]
        task: Task,
        #[serde(rename = "graph")]
        graph: Graph,
    },
    #[serde(rename = "stage_started")]
    StageStarted {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "att")]
        attempt: u32,
    },
    #[serde(rename = "streamed")]
    Streamed(Streamed),
    #[serde(rename = "context")]
    ContextRetrieved(Context),
    #[serde(rename = "plan")]
    Planned(Plan),
    #[serde(rename = "proposed")]
    Proposed(Proposal),
    #[serde(rename = "checked")]
    Checked(CheckReport),
    #[serde(rename = "rechecked")]
    Rechecked {
        of: String,
        #[serde(rename = "bad", default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<String>,
    },
    #[serde(rename = "stage_finished")]
    StageFinished {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "att")]
        attempt: u32,
        #[serde(rename = "end")]
        ending: Ending,
        #[serde(rename = "ms")]
        duration_ms: u64,
    },
    #[serde(rename = "discarded")]
    AttemptDiscarded {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "att")]
        attempt: u32,
        #[serde(rename = "why")]
        reason: String,
    },
    #[serde(rename = "decision_requested")]
    DecisionRequested {},
    #[serde(rename = "decided")]
    Decided {
        #[serde(rename = "d")]
        decision: Decision,
    },
    #[serde(rename = "iteration")]
    IterationStarted {
        #[serde(rename = "n")]
        iteration: u32,
    },
    #[serde(rename = "apply_intended")]
    ApplyIntended(ApplyIntent),
    #[serde(rename = "applied")]
    Applied(Applied),
    #[serde(rename = "resumed")]
    Resumed {},
    #[serde(rename = "attempt_resumed")]
    AttemptResumed {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "att")]
        attempt: u32,
        #[serde(rename = "tok")]
        tokens: u64,
    },
    #[serde(rename = "notice")]
    Noticed(Notice),
    #[serde(rename = "model_called")]
    ModelCalled(ModelCalled),
    #[serde(rename = "tool_called")]
    ToolCalled(ToolCalled),
    #[serde(rename = "remarked")]
    Remarked {
        #[serde(rename = "t")]
        text: String,
    },
    #[serde(rename = "finished")]
    Finished {
        #[serde(rename = "o")]
        outcome: Outcome,
    },
    #[serde(rename = "retry_scheduled")]
    RetryScheduled {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "att")]
        attempt: u32,
        #[serde(rename = "ms")]
        delay_ms: u64,
        #[serde(rename = "due")]
        due_at_ms: u64,
    },
    #[serde(rename = "help_requested")]
    HelpRequested(HelpRequested),
    #[serde(rename = "deadline_passed")]
    DeadlinePassed {
        #[serde(rename = "st")]
        stage: String,
    },
    #[serde(rename = "lanes_planned")]
    LanesPlanned {
        #[serde(rename = "st")]
        stage: String,
        lanes: Vec<LanePlan>,
    },
    #[serde(rename = "lane_started")]
    LaneStarted {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "ln")]
        lane: String,
        run: u32,
    },
    #[serde(rename = "lane")]
    Lane {
        #[serde(rename = "ln")]
        lane: String,
        #[serde(rename = "e")]
        event: Box<Event>,
    },
    #[serde(rename = "lane_joined")]
    LaneJoined {
        #[serde(rename = "st")]
        stage: String,
        #[serde(rename = "ln")]
        lane: String,
        #[serde(rename = "end")]
        ending: Ending,
    },
    #[serde(rename = "forked")]
    Forked {
        from: String,
        at: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    #[serde(rename = "continued")]
    Continued {
        #[serde(rename = "hist")]
        history: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LanePlan {
    #[serde(rename = "ln")]
    lane: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "e", deny_unknown_fields)]
pub(super) enum Ending {
    #[serde(rename = "succeeded")]
    Succeeded {},
    #[serde(rename = "skipped")]
    Skipped {
        #[serde(rename = "why")]
        reason: String,
    },
    #[serde(rename = "failed")]
    Failed {
        #[serde(rename = "fail")]
        failure: Failure,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Streamed {
    #[serde(rename = "st")]
    stage: String,
    #[serde(rename = "att")]
    attempt: u32,
    #[serde(rename = "off")]
    offset: u64,
    #[serde(rename = "t")]
    delta: String,
    #[serde(rename = "tok")]
    tokens: u64,
    #[serde(rename = "tot", default, skip_serializing_if = "Option::is_none")]
    total: Option<GenerationTotal>,
    #[serde(rename = "by", default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    #[serde(rename = "m")]
    model: String,
    #[serde(rename = "req")]
    request: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerationTotal {
    #[serde(rename = "ms")]
    duration_ms: u64,
    #[serde(rename = "in")]
    prompt_tokens: u64,
    #[serde(rename = "out")]
    generated_tokens: u64,
    #[serde(rename = "cut", default, skip_serializing_if = "is_false")]
    cut: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notice {
    #[serde(rename = "lvl")]
    level: Level,
    #[serde(rename = "code", default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(rename = "msg")]
    message: String,
}

impl From<&event::Event> for Event {
    fn from(event: &event::Event) -> Self {
        match event {
            event::Event::Submitted {
                workflow,
                correlation,
                task,
                graph,
            } => Self::Submitted {
                workflow: workflow.to_string(),
                correlation: correlation.to_string(),
                task: task.into(),
                graph: graph.into(),
            },
            event::Event::StageStarted { stage, attempt } => Self::StageStarted {
                stage: stage.to_string(),
                attempt: *attempt,
            },
            event::Event::Streamed(streamed) => Self::Streamed(streamed.into()),
            event::Event::ContextRetrieved(context) => Self::ContextRetrieved(context.into()),
            event::Event::Planned(plan) => Self::Planned(plan.into()),
            event::Event::Proposed(proposal) => Self::Proposed(proposal.into()),
            event::Event::Checked(report) => Self::Checked(report.into()),
            event::Event::Rechecked { of, problems } => Self::Rechecked {
                of: of.to_hex(),
                problems: problems.clone(),
            },
            event::Event::StageFinished {
                stage,
                attempt,
                ending,
                duration_ms,
            } => Self::StageFinished {
                stage: stage.to_string(),
                attempt: *attempt,
                ending: ending.into(),
                duration_ms: *duration_ms,
            },
            event::Event::AttemptDiscarded {
                stage,
                attempt,
                reason,
            } => Self::AttemptDiscarded {
                stage: stage.to_string(),
                attempt: *attempt,
                reason: reason.clone(),
            },
            event::Event::DecisionRequested => Self::DecisionRequested {},
            event::Event::Decided(decision) => Self::Decided {
                decision: decision.into(),
            },
            event::Event::IterationStarted { iteration } => Self::IterationStarted {
                iteration: *iteration,
            },
            event::Event::ApplyIntended(intent) => Self::ApplyIntended(intent.into()),
            event::Event::Applied(applied) => Self::Applied(applied.into()),
            event::Event::Resumed => Self::Resumed {},
            event::Event::AttemptResumed {
                stage,
                attempt,
                tokens,
            } => Self::AttemptResumed {
                stage: stage.to_string(),
                attempt: *attempt,
                tokens: *tokens,
            },
            event::Event::Noticed(notice) => Self::Noticed(notice.into()),
            event::Event::ModelCalled { stage, attempt, call } => {
                Self::ModelCalled(ModelCalled::new(stage, *attempt, call))
            }
            event::Event::ToolCalled { stage, attempt, call } => {
                Self::ToolCalled(ToolCalled::new(stage, *attempt, call))
            }
            event::Event::Remarked { text } => Self::Remarked { text: text.clone() },
            event::Event::Finished(outcome) => Self::Finished {
                outcome: outcome.into(),
            },
            event::Event::RetryScheduled {
                stage,
                attempt,
                delay_ms,
                due_at_ms,
            } => Self::RetryScheduled {
                stage: stage.to_string(),
                attempt: *attempt,
                delay_ms: *delay_ms,
                due_at_ms: *due_at_ms,
            },
            event::Event::HelpRequested { stage, question } => {
                Self::HelpRequested(HelpRequested::new(stage, question))
            }
            event::Event::DeadlinePassed { stage } => Self::DeadlinePassed {
                stage: stage.to_string(),
            },
            event::Event::LanesPlanned { stage, lanes } => Self::LanesPlanned {
                stage: stage.to_string(),
                lanes: lanes
                    .iter()
                    .map(|plan| {
                        let event::LanePlan { lane, item } = plan;
                        LanePlan {
                            lane: lane.to_string(),
                            item: item.clone(),
                        }
                    })
                    .collect(),
            },
            event::Event::LaneStarted { stage, lane, run } => Self::LaneStarted {
                stage: stage.to_string(),
                lane: lane.to_string(),
                run: *run,
            },
            event::Event::Lane { lane, event } => Self::Lane {
                lane: lane.to_string(),
                event: Box::new(event.as_ref().into()),
            },
            event::Event::LaneJoined { stage, lane, ending } => Self::LaneJoined {
                stage: stage.to_string(),
                lane: lane.to_string(),
                ending: ending.into(),
            },
            event::Event::Forked { from, at, model } => Self::Forked {
                from: from.to_string(),
                at: at.0,
                model: model.clone(),
            },
            event::Event::Continued { history } => Self::Continued {
                history: history.to_hex(),
            },
        }
    }
}

impl TryFrom<Event> for event::Event {
    type Error = Unreadable;

    fn try_from(event: Event) -> Result<Self, Unreadable> {
        Ok(match event {
            Event::Submitted {
                workflow,
                correlation,
                task,
                graph,
            } => Self::Submitted {
                workflow: WorkflowId::parse(&workflow)?,
                correlation: CorrelationId::parse(&correlation)?,
                task: task.try_into()?,
                graph: graph.try_into()?,
            },
            Event::StageStarted { stage, attempt } => Self::StageStarted {
                stage: StageId::parse(&stage)?,
                attempt,
            },
            Event::Streamed(streamed) => Self::Streamed(streamed.try_into()?),
            Event::ContextRetrieved(context) => Self::ContextRetrieved(context.try_into()?),
            Event::Planned(plan) => Self::Planned(plan.try_into()?),
            Event::Proposed(proposal) => Self::Proposed(proposal.try_into()?),
            Event::Checked(report) => Self::Checked(report.try_into()?),
            Event::Rechecked { of, problems } => Self::Rechecked {
                of: artifact::blob(&of)?,
                problems,
            },
            Event::StageFinished {
                stage,
                attempt,
                ending,
                duration_ms,
            } => Self::StageFinished {
                stage: StageId::parse(&stage)?,
                attempt,
                ending: ending.try_into()?,
                duration_ms,
            },
            Event::AttemptDiscarded {
                stage,
                attempt,
                reason,
            } => Self::AttemptDiscarded {
                stage: StageId::parse(&stage)?,
                attempt,
                reason,
            },
            Event::DecisionRequested {} => Self::DecisionRequested,
            Event::Decided { decision } => Self::Decided(decision.try_into()?),
            Event::IterationStarted { iteration } => Self::IterationStarted { iteration },
            Event::ApplyIntended(intent) => Self::ApplyIntended(intent.try_into()?),
            Event::Applied(applied) => Self::Applied(applied.into()),
            Event::Resumed {} => Self::Resumed,
            Event::AttemptResumed {
                stage,
                attempt,
                tokens,
            } => Self::AttemptResumed {
                stage: StageId::parse(&stage)?,
                attempt,
                tokens,
            },
            Event::Noticed(notice) => Self::Noticed(notice.try_into()?),
            Event::ModelCalled(called) => called.try_into()?,
            Event::ToolCalled(called) => called.try_into()?,
            Event::Remarked { text } => Self::Remarked { text },
            Event::Finished { outcome } => Self::Finished(outcome.try_into()?),
            Event::RetryScheduled {
                stage,
                attempt,
                delay_ms,
                due_at_ms,
            } => Self::RetryScheduled {
                stage: StageId::parse(&stage)?,
                attempt,
                delay_ms,
                due_at_ms,
            },
            Event::HelpRequested(requested) => requested.try_into()?,
            Event::DeadlinePassed { stage } => Self::DeadlinePassed {
                stage: StageId::parse(&stage)?,
            },
            Event::LanesPlanned { stage, lanes } => {
                let plan = |plan: LanePlan| {
                    let LanePlan { lane, item } = plan;
                    let lane = StageId::parse(&lane)?;
                    Ok::<_, Unreadable>(event::LanePlan { lane, item })
                };
                Self::LanesPlanned {
                    stage: StageId::parse(&stage)?,
                    lanes: lanes.into_iter().map(plan).collect::<Result<_, _>>()?,
                }
            }
            Event::LaneStarted { stage, lane, run } => Self::LaneStarted {
                stage: StageId::parse(&stage)?,
                lane: StageId::parse(&lane)?,
                run,
            },
            Event::Lane { lane, event } => Self::Lane {
                lane: StageId::parse(&lane)?,
                event: Box::new((*event).try_into()?),
            },
            Event::LaneJoined { stage, lane, ending } => Self::LaneJoined {
                stage: StageId::parse(&stage)?,
                lane: StageId::parse(&lane)?,
                ending: ending.try_into()?,
            },
            Event::Forked { from, at, model } => Self::Forked {
                from: WorkflowId::parse(&from)?,
                at: Seq(at),
                model,
            },
            Event::Continued { history } => Self::Continued {
                history: artifact::blob(&history)?,
            },
        })
    }
}

impl From<&event::Ending> for Ending {
    fn from(ending: &event::Ending) -> Self {
        match ending {
            event::Ending::Succeeded => Self::Succeeded {},
            event::Ending::Skipped { reason } => Self::Skipped {
                reason: reason.clone(),
            },
            event::Ending::Failed(failure) => Self::Failed {
                failure: failure.into(),
            },
        }
    }
}

impl TryFrom<Ending> for event::Ending {
    type Error = Unreadable;

    fn try_from(ending: Ending) -> Result<Self, Unreadable> {
        Ok(match ending {
            Ending::Succeeded {} => Self::Succeeded,
            Ending::Skipped { reason } => Self::Skipped { reason },
            Ending::Failed { failure } => Self::Failed(failure.try_into()?),
        })
    }
}

impl From<&event::Streamed> for Streamed {
    fn from(streamed: &event::Streamed) -> Self {
        let event::Streamed {
            stage,
            attempt,
            offset,
            delta,
            tokens,
            total,
            origin,
        } = streamed;
        Self {
            stage: stage.to_string(),
            attempt: *attempt,
            offset: *offset,
            delta: delta.clone(),
            tokens: *tokens,
            total: total.map(Into::into),
            origin: origin.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<Streamed> for event::Streamed {
    type Error = Unreadable;

    fn try_from(streamed: Streamed) -> Result<Self, Unreadable> {
        let Streamed {
            stage,
            attempt,
            offset,
            delta,
            tokens,
            total,
            origin,
        } = streamed;
        Ok(Self {
            stage: StageId::parse(&stage)?,
            attempt,
            offset,
            delta,
            tokens,
            total: total.map(Into::into),
            origin: origin.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<event::GenerationTotal> for GenerationTotal {
    fn from(total: event::GenerationTotal) -> Self {
        let event::GenerationTotal {
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cut,
        } = total;
        Self {
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cut,
        }
    }
}

impl From<GenerationTotal> for event::GenerationTotal {
    fn from(total: GenerationTotal) -> Self {
        let GenerationTotal {
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cut,
        } = total;
        Self {
            duration_ms,
            prompt_tokens,
            generated_tokens,
            cut,
        }
    }
}

impl From<&event::Origin> for Origin {
    fn from(origin: &event::Origin) -> Self {
        let event::Origin { model, request } = origin;
        Self {
            model: model.clone(),
            request: request.to_hex(),
        }
    }
}

impl TryFrom<Origin> for event::Origin {
    type Error = Unreadable;

    fn try_from(origin: Origin) -> Result<Self, Unreadable> {
        let Origin { model, request } = origin;
        Ok(Self {
            model,
            request: artifact::blob(&request)?,
        })
    }
}

impl From<&event::Notice> for Notice {
    fn from(notice: &event::Notice) -> Self {
        let event::Notice { level, code, message } = notice;
        Self {
            level: (*level).into(),
            code: code.map(|code| code.to_string()),
            message: message.clone(),
        }
    }
}

impl TryFrom<Notice> for event::Notice {
    type Error = Unreadable;

    fn try_from(notice: Notice) -> Result<Self, Unreadable> {
        let Notice { level, code, message } = notice;
        Ok(Self {
            level: level.into(),
            code: code.as_deref().map(parse_code).transpose()?,
            message,
        })
    }
}

impl From<InvalidId> for Unreadable {
    fn from(error: InvalidId) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Codes are added without a new record version, so one that is well formed
/// but not known comes from a newer program.
fn parse_code(text: &str) -> Result<Code, Unreadable> {
    if let Some(code) = Code::parse(text) {
        return Ok(code);
    }
    let well_formed =
        text.len() == 5 && text.starts_with('E') && text[1..].bytes().all(|b| b.is_ascii_digit());
    Err(if well_formed {
        Unreadable::TooNew(format!("error code {text}"))
    } else {
        Unreadable::Damaged(format!("`{text}` is no error code"))
    })
}
