//! A workflow at rest: list entries and the whole view.

use engine::{
    Outcome, Phase, State,
    artifact::{Choices, Estimate, Search, Span, StageChoice, ThoughtLevel},
    ports::{
        Journal,
        journal::{Head, Status},
    },
};
use shared::wire;

use super::{check, diff};
use crate::{error::Error, runtime::undo};

/// A list entry.
pub fn summary(head: &Head) -> wire::WorkflowSummary {
    wire::WorkflowSummary {
        workflow_id: head.workflow.clone(),
        correlation_id: head.correlation.clone(),
        workflow_type: head.workflow_type.clone(),
        user_query: head.query.clone(),
        workspace: head.workspace.clone(),
        state: match head.status {
            // As good as failed, until somebody looks.
            Status::Running | Status::AwaitingDecision if head.aside.is_some() => wire::WorkflowState::Failed,
            Status::Running => wire::WorkflowState::Running,
            Status::AwaitingDecision => wire::WorkflowState::AwaitingDecision,
            Status::Completed => wire::WorkflowState::Completed,
            Status::Rejected => wire::WorkflowState::Rejected,
            Status::Cancelled => wire::WorkflowState::Cancelled,
            Status::Failed => wire::WorkflowState::Failed,
        },
        head: head.head,
        created_at: head.created_at_ms / 1000,
        updated_at: head.updated_at_ms / 1000,
    }
}

/// Everything about one workflow.
pub async fn view(journal: &dyn Journal, state: &State) -> Result<wire::WorkflowView, Error> {
    let (phase, error) = phase(&state.phase);
    let summary = wire::WorkflowSummary {
        workflow_id: state.workflow.clone(),
        correlation_id: state.correlation.clone(),
        workflow_type: state.task.workflow_type.clone(),
        user_query: state.task.query.clone(),
        workspace: state.task.workspace.clone(),
        state: phase,
        head: state.head,
        created_at: state.created_at_ms / 1000,
        updated_at: state.updated_at_ms / 1000,
    };
    let diff = match &state.proposal {
        Some(proposal) => Some(diff::files(journal, &proposal.files).await?),
        None => None,
    };
    Ok(wire::WorkflowView {
        summary,
        choices: choices(state),
        iteration: state.iteration,
        stages: state
            .records()
            .into_iter()
            .map(|record| wire::StageView {
                stage_id: record.stage.clone(),
                status: record.status.as_str().to_owned(),
                attempt: record.attempts,
                duration_ms: record.duration_ms,
            })
            .collect(),
        plan: state
            .plan
            .iter()
            .flat_map(|plan| plan.stages.iter().map(plan_stage))
            .collect(),
        diff,
        evidence: state.checks.iter().map(check).collect(),
        commit: state.applied.as_ref().and_then(|applied| applied.commit.clone()),
        undone_by: undo::undone_by(journal, state).await?,
        undoes: state.task.choices.undoes.clone(),
        error,
    })
}

/// Seconds in place of milliseconds, never fewer than it may be.
pub(crate) fn estimate(estimate: &Estimate) -> wire::StageEstimate {
    let tokens = estimate
        .tokens
        .map(|Span { least, most }| wire::Span { least, most });
    let seconds = estimate.duration_ms.map(|Span { least, most }| wire::Span {
        least: least / 1000,
        most: most.div_ceil(1000),
    });
    wire::StageEstimate {
        stage_id: estimate.stage.clone(),
        tokens,
        seconds,
    }
}

/// What was chosen; a fork's model is its own.
fn choices(state: &State) -> wire::Choices {
    let Choices {
        model: _,
        thought_level,
        search,
        folders,
        // The view has it beside `undone_by`.
        undoes: _,
    } = &state.task.choices;
    wire::Choices {
        model: state.model().map(str::to_owned),
        thought_level: match thought_level {
            ThoughtLevel::Default => wire::ThoughtLevel::Default,
            ThoughtLevel::Off => wire::ThoughtLevel::Off,
            ThoughtLevel::Low => wire::ThoughtLevel::Low,
            ThoughtLevel::Medium => wire::ThoughtLevel::Medium,
            ThoughtLevel::High => wire::ThoughtLevel::High,
        },
        retrieval: match search {
            Search::On => wire::Retrieval::On,
            Search::Off => wire::Retrieval::Off,
        },
        folders: folders.clone(),
    }
}

pub(super) fn plan_stage(choice: &StageChoice) -> wire::PlanStage {
    wire::PlanStage {
        stage_id: choice.stage.clone(),
        run: choice.run,
        reason: choice.reason.clone(),
    }
}

fn phase(phase: &Phase) -> (wire::WorkflowState, Option<wire::ErrorBody>) {
    match phase {
        Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) => (wire::WorkflowState::Running, None),
        Phase::AwaitingDecision { .. } => (wire::WorkflowState::AwaitingDecision, None),
        Phase::Finished(Outcome::Completed) => (wire::WorkflowState::Completed, None),
        Phase::Finished(Outcome::Rejected) => (wire::WorkflowState::Rejected, None),
        Phase::Finished(Outcome::Cancelled) => (wire::WorkflowState::Cancelled, None),
        Phase::Finished(Outcome::Failed(failure)) => {
            let (code, message) = (failure.code.as_str().to_owned(), failure.message.clone());
            (
                wire::WorkflowState::Failed,
                Some(wire::ErrorBody { code, message }),
            )
        }
    }
}
