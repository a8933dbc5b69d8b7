//! What the stages after a plan are likely to take: reads what the last
//! workflows of the same workspace took.

use agents::estimate::{Growth, Past, estimates};
use engine::{
    StageKind, State,
    artifact::{Estimate, Plan},
    ports::journal::{Head, ListQuery, Status},
};
use shared::id::{Seq, StageId};

use crate::{error::Error, runtime::services::Services};

/// Earlier workflows that are looked at.
const PAST_MAX: usize = 10;

/// Workflows among which they are looked for.
const LISTED_MAX: usize = 100;

/// Events of one of them that are read; pieces of text are most of them.
const EVENTS_MAX: usize = 5_000;

/// For the stages that are left after the plan. A history that cannot be read is
/// no reason to have no plan.
pub(super) async fn of(services: &Services, state: &State, plan: &Plan) -> Vec<Estimate> {
    let past = past(services, state).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "earlier workflows could not be read");
        Vec::new()
    });
    estimates(plan, &stages(state, plan), &past)
}

/// Those in which a model or a machine works and nobody is waited for.
fn stages(state: &State, plan: &Plan) -> Vec<(StageId, Growth)> {
    let is_left_out = |stage: &StageId| {
        let choices = plan.stages.iter();
        choices
            .filter(|choice| !choice.run)
            .any(|choice| choice.stage == *stage)
    };
    let stages = state.graph.stages.iter().filter(|stage| !is_left_out(&stage.id));
    stages
        .filter_map(|stage| {
            let growth = match stage.kind()? {
                StageKind::CodeGeneration | StageKind::TestGeneration => Growth::Files,
                StageKind::Checks => Growth::Nothing,
                StageKind::Retrieval
                | StageKind::Planning
                | StageKind::Review
                | StageKind::Apply
                | StageKind::Revert => return None,
            };
            Some((stage.id.clone(), growth))
        })
        .collect()
}

async fn past(services: &Services, state: &State) -> Result<Vec<Past>, Error> {
    let query = ListQuery {
        limit: LISTED_MAX,
        ..ListQuery::default()
    };
    let is_alike = |head: &Head| {
        head.workspace == state.task.workspace
            && head.workflow_type == state.task.workflow_type
            && head.status == Status::Completed
    };
    let mut heads = services.journal.list(query).await?;
    heads.retain(is_alike);
    let mut past = Vec::new();
    for head in heads.iter().take(PAST_MAX) {
        let events = services
            .journal
            .read(head.workflow.clone(), Seq(0), EVENTS_MAX)
            .await?;
        past.push(Past::of(events.iter().map(|recorded| &recorded.event)));
    }
    Ok(past)
}
