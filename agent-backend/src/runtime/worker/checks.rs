//! Collects evidence for the proposal.

use engine::{Output, State};
use tools::checks::Timeouts;

use super::{Done, apply::contents};
use crate::{error::Error, runtime::services::Services};

pub(super) async fn run(services: &Services, state: &State) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    let files = state
        .proposal
        .as_ref()
        .map(|proposal| proposal.files.clone())
        .unwrap_or_default();
    let contents = contents(services, &files).await?;
    let reports = super::blocking(move || {
        Ok(tools::checks::run(
            &workspace,
            &files,
            &|id| contents.get(&id).cloned(),
            Timeouts::default(),
        ))
    })
    .await?;
    let blocking = reports.iter().filter(|report| tools::checks::blocks(report));
    let problems = blocking
        .map(|report| format!("{}: {}", report.name, report.output))
        .collect();
    Ok((Output::Checks { reports, problems }, Vec::new()))
}
