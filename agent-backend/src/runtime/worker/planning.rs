//! Asks the model for a plan: the steps, and which optional stages run.

use engine::{Output, State};
use shared::id::StageId;

use super::{
    Desk, Done,
    ask::{self, Asked},
    material::{self, Material},
    retrieval::Refined,
    stream,
};
use crate::{error::Error, runtime::services::Services};

pub(super) async fn run(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let collected = Material::collect(services, state, Refined::default()).await?;
    let stages: Vec<StageId> = material::optional_stages(state)
        .into_iter()
        .map(|(stage, _)| stage)
        .collect();
    let shown = collected.borrow();
    let asking = shown.facts(state, "", None).asking();
    let answer = ask::ask(services, state, desk, |window| {
        let facts = shown.facts(state, window.model, window.edit_format);
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
    let plan = agents::plan::parse(&answer.text, &stages, asking)?;
    Ok((Output::Plan(plan), Vec::new()))
}
