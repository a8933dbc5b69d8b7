//! `undo`: takes back what a workflow has committed.

use clap::Args;

use super::{
    Exit,
    backend::{Backend, Unfinished},
    print, workflows,
};
use crate::{config::Config, error::Error};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Id of the workflow
    workflow: String,
}

pub(super) async fn run(config: Config, named: Option<String>, arguments: Arguments) -> Result<Exit, Error> {
    let id = workflows::parse(&arguments.workflow)?;
    let backend = Backend::find(&config, named, Unfinished::Leave).await?;
    let undone = backend.client.undo(&id).await;
    backend.close().await;
    let undone = undone?;
    let place = undone
        .branch
        .map(|branch| format!(" on {branch}"))
        .unwrap_or_default();
    match undone.commit {
        Some(commit) => print(&format!("undone by commit {commit}{place}"))?,
        None => print("nothing of it was left to undo")?,
    }
    Ok(Exit::Done)
}
