//! Proposes what takes back what another workflow has committed: for each file
//! that it wrote, the contents from before. No model is asked.

use engine::{
    Output, State,
    artifact::{FileChange, Proposal},
};
use shared::id::WorkflowId;

use super::Done;
use crate::{
    error::Error,
    runtime::{replay, services::Services},
};

/// What an undo takes back.
pub(super) struct Undone {
    /// The workflow that committed it.
    pub(super) workflow: WorkflowId,
    /// The commit.
    pub(super) commit: String,
    /// First line of its message.
    pub(super) subject: String,
    files: Vec<FileChange>,
}

impl Undone {
    /// What this workflow undoes; none for one that undoes nothing.
    pub(super) async fn by(services: &Services, state: &State) -> Result<Option<Self>, Error> {
        let Some(workflow) = &state.task.choices.undoes else {
            return Ok(None);
        };
        let original = replay::state(services.journal.as_ref(), workflow).await?;
        let commit = original
            .applied
            .as_ref()
            .and_then(|applied| applied.commit.clone());
        let (Some(commit), Some(intent)) = (commit, original.intent.as_deref()) else {
            return Err(Error::internal(format!(
                "workflow `{workflow}` has committed nothing"
            )));
        };
        let message = intent.commit.as_ref().map(|intent| intent.message.as_str());
        Ok(Some(Self {
            workflow: workflow.clone(),
            commit,
            subject: message
                .and_then(|message| message.lines().next())
                .unwrap_or_default()
                .to_owned(),
            files: intent.files.iter().map(reversed).collect(),
        }))
    }
}

fn reversed(file: &FileChange) -> FileChange {
    FileChange {
        path: file.path.clone(),
        old: file.new,
        new: file.old,
        lines_added: file.lines_removed,
        lines_removed: file.lines_added,
    }
}

pub(super) async fn run(services: &Services, state: &State) -> Result<Done, Error> {
    let undone = Undone::by(services, state)
        .await?
        .ok_or_else(|| Error::internal("there is nothing to undo"))?;
    let workspace = super::open(state).await?;
    let commit = undone.commit.clone();
    super::blocking(move || Ok(tools::apply::require_commit(&workspace, &commit)?)).await?;
    let proposal = Proposal {
        summary: state.task.query.clone(),
        files: undone.files,
        reads: Vec::new(),
    };
    Ok((Output::Proposal(proposal), Vec::new()))
}
