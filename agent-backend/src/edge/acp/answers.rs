//! Commands that need no workflow, answered at once as text.

use std::{fmt::Write as _, path::Path};

use shared::{error::Code, id::WorkflowId};

use crate::{
    edge::convert,
    error::Error,
    indexing::Command,
    runtime::{Runtime, undo},
};

/// Places of one answer.
const PLACES_MAX: usize = 20;

/// Code about `query` in the folder, and then in the further ones.
pub(super) async fn search(
    runtime: &Runtime,
    root: &Path,
    folders: &[String],
    query: &str,
) -> Result<String, Error> {
    let mut text = places(runtime, root, Path::new(""), query).await?;
    for folder in folders.iter().map(Path::new) {
        let _infallible = write!(text, "\nIn {}:\n\n", folder.display());
        match places(runtime, folder, folder, query).await {
            Ok(found) => text.push_str(&found),
            Err(error) => {
                let _infallible = writeln!(text, "_{error}_");
            }
        }
    }
    Ok(text)
}

/// Places in one folder, their paths behind `before`.
async fn places(runtime: &Runtime, root: &Path, before: &Path, query: &str) -> Result<String, Error> {
    let services = runtime.services();
    services.indexing.settle(root).await?;
    let found = Box::pin(services.search.retrieve(root, query)).await?;
    let mut text = String::new();
    for notice in &found.notices {
        let _infallible = writeln!(text, "_{}_\n", notice.message);
    }
    for item in found.ranked.iter().take(PLACES_MAX) {
        let path = before.join(&item.path);
        let place = format!("{}:{}-{}", path.display(), item.start_line, item.end_line);
        let _infallible = match &item.symbol {
            Some(symbol) => writeln!(text, "- `{place}` {symbol}"),
            None => writeln!(text, "- `{place}`"),
        };
    }
    if found.ranked.is_empty() {
        text.push_str("Nothing was found.");
    }
    Ok(text)
}

/// The commit that takes back what a workflow has committed: the one that is named,
/// or the last of the session's that has committed something and stands.
pub(super) async fn undo(
    runtime: &Runtime,
    workflows: &[WorkflowId],
    named: Option<&str>,
) -> Result<String, Error> {
    let workflow = match named {
        Some(id) => convert::workflow_id(id)?,
        None => match last_that_stands(runtime, workflows).await? {
            Some(workflow) => workflow,
            None => {
                return Ok("Nothing in this session has committed anything that could be undone.".to_owned());
            }
        },
    };
    let undone = runtime.undo(&workflow).await?;
    let place = undone
        .branch
        .map(|branch| format!(" on {branch}"))
        .unwrap_or_default();
    Ok(match undone.commit {
        Some(commit) => format!("Undone by commit {commit}{place}."),
        None => "Nothing of it was left to undo.".to_owned(),
    })
}

async fn last_that_stands(runtime: &Runtime, workflows: &[WorkflowId]) -> Result<Option<WorkflowId>, Error> {
    for workflow in workflows.iter().rev() {
        let state = match runtime.state(workflow).await {
            Ok(state) => state,
            Err(error) if error.code == Code::UnknownWorkflow => continue,
            Err(error) => return Err(error),
        };
        let journal = runtime.services().journal.as_ref();
        if undo::stands(journal, &state).await? {
            return Ok(Some(workflow.clone()));
        }
    }
    Ok(None)
}

/// The index of the folder after its files were looked at again.
pub(super) async fn index(runtime: &Runtime, root: &Path) -> Result<String, Error> {
    let indexing = &runtime.services().indexing;
    indexing.settle(root).await?;
    let described = indexing.command(root, Command::Rescan).await?;
    indexing.settle(root).await?;
    let described = indexing.status(&described.workspace).await?;
    let status = described.status;
    Ok(format!(
        "{} files, {} pieces: {}",
        status.files,
        status.chunks,
        status.detail()
    ))
}
