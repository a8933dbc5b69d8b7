//! Asks the model for a plan: the steps, and which optional stages run.

use agents::prompt::Facts;
use engine::{Output, State};
use shared::id::StageId;

use super::{
    Desk, Done,
    ask::{self, Asked},
    estimates,
    material::{self, Material},
    retrieval::Refined,
    stream,
    toolbox::Toolbox,
};
use crate::{error::Error, runtime::services::Services};

pub(super) async fn run(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let collected = Material::collect(services, state, desk, Refined::default()).await?;
    let stages: Vec<StageId> = material::optional_stages(state)
        .into_iter()
        .map(|(stage, _)| stage)
        .collect();
    let shown = collected.borrow();
    let asking = Facts {
        feedback: &state.feedback,
        failures: &state.failures,
        ..Facts::default()
    }
    .asking();
    let answer = ask::ask(services, state, desk, Toolbox::empty(), |window| {
        let facts = shown.facts(state, window);
        let built = agents::prompt::planning(&facts, window.prompt_tokens_max);
        let mut request = stream::request(services, built.prompt);
        request.format = Some(agents::plan::schema(&stages, asking));
        request.temperature = Some(0.0);
        Asked {
            request,
            left_out: built.left_out,
        }
    })
    .await?;
    let mut plan = agents::plan::parse(&answer.text, &stages, asking)?;
    plan.estimates = estimates::of(services, state, &plan).await;
    Ok((Output::Plan(plan), Vec::new()))
}
