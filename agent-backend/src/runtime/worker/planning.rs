//! Asks the model for a plan: the steps, and which optional stages run.

use engine::{Output, Presence, StageKind, State};
use shared::id::StageId;

use super::{
    Desk, Done,
    generation::{self, Material},
    stream,
};
use crate::{error::Error, runtime::services::Services};

pub(super) async fn run(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let material = Material::collect(services, state).await?;
    let built = agents::prompt::planning(
        &material.borrow().facts(state),
        generation::prompt_tokens_max(services),
    );
    generation::report(desk, &built.left_out).await;
    let stages: Vec<StageId> = optional_stages(state)
        .into_iter()
        .map(|(stage, _)| stage)
        .collect();
    let mut request = stream::request(services, built.prompt);
    request.format = Some(agents::plan::schema(&stages));
    request.temperature = Some(0.0);
    let answer = stream::ask(services, desk, request).await?;
    let plan = agents::plan::parse(&answer, &stages)?;
    Ok((Output::Plan(plan), Vec::new()))
}

/// The stages that the planner may leave out, with what they do.
pub(super) fn optional_stages(state: &State) -> Vec<(StageId, &'static str)> {
    let stages = state
        .graph
        .stages
        .iter()
        .filter(|stage| stage.presence == Presence::Optional);
    stages
        .map(|stage| (stage.id.clone(), description(stage.kind)))
        .collect()
}

fn description(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Retrieval => "find relevant code",
        StageKind::Planning => "plan",
        StageKind::CodeGeneration => "write the code",
        StageKind::TestGeneration => "write automated tests for the new code",
        StageKind::Checks => "check the syntax and formatting of the new code",
        StageKind::Review => "ask the person",
        StageKind::Apply => "write and commit",
    }
}
