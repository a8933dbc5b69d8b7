//! Undo: a workflow of its own that takes back what another one has committed,
//! by a new commit. The correlation id of an undo is made of the undone
//! workflow's, so that who asks twice, or after a crash, finds the same one.

use std::{path::PathBuf, sync::Arc};

use engine::{
    Graph, Outcome, Phase, State,
    artifact::{Choices, Task},
    graph,
    ports::Journal,
};
use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, WorkflowId},
};
use tools::{Workspace, apply};

use super::{Missing, Runtime, Update, replay, submission::New};
use crate::error::Error;

/// Undos of one workflow: those that failed, and those that were undone.
const UNDOS_MAX: u32 = 100;

/// Characters of the request of an undo, as it is listed.
const QUERY_CHARS: usize = 200;

/// What an undo came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// The workflow that did it.
    pub workflow: WorkflowId,
    /// The commit that takes the other one back; none where nothing of it was
    /// left.
    pub commit: Option<String>,
    /// Short name of the branch that moved.
    pub branch: Option<String>,
}

/// The `number`th undo of a workflow, from 1.
fn correlation(workflow: &WorkflowId, number: u32) -> Result<CorrelationId, Error> {
    let text = match number {
        1 => format!("undo:{workflow}"),
        _ => format!("undo:{workflow}:{number}"),
    };
    CorrelationId::parse(&text).map_err(|error| Error::internal(error.to_string()))
}

/// How the undos of a workflow stand.
enum Standing {
    /// This one is the last that holds.
    Undone(WorkflowId),
    /// This one is at it.
    Underway(WorkflowId),
    /// The workflow's commit stands; the next undo would have this number.
    Not(u32),
}

/// Where it is looked whether an undo holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// In the journal alone.
    Journal,
    /// In what is checked out as well: a commit of an undo that was reset away or
    /// reverted, or is of another branch, takes nothing back here.
    Branch,
}

async fn standing(journal: &dyn Journal, original: &State, look: Look) -> Result<Standing, Error> {
    let workflow = &original.workflow;
    let mut undone = None;
    let mut number = 1;
    while number <= UNDOS_MAX {
        let Some((id, _)) = journal.find(correlation(workflow, number)?).await? else {
            break;
        };
        number += 1;
        let undo = match replay::state(journal, &id).await {
            Ok(undo) => undo,
            Err(error) => {
                tracing::warn!(%error, undo = %id, "an undo that cannot be read counts as none");
                continue;
            }
        };
        // Anybody can choose a correlation id.
        if undo.task.choices.undoes.as_ref() != Some(workflow) {
            continue;
        }
        match &undo.phase {
            Phase::Finished(Outcome::Completed) => {
                if Box::pin(holds(journal, original, &undo, look)).await? {
                    undone = Some(id);
                } else if look == Look::Journal && commit(&undo).is_some() {
                    // It was begun because those before it did not hold.
                    undone = None;
                }
            }
            Phase::Running(_)
            | Phase::Waiting { .. }
            | Phase::Joining(_)
            | Phase::AwaitingDecision { .. } => return Ok(Standing::Underway(id)),
            Phase::Finished(Outcome::Rejected | Outcome::Cancelled | Outcome::Failed(_)) => {}
        }
    }
    Ok(undone.map_or(Standing::Not(number), Standing::Undone))
}

/// Whether a completed undo has taken something back, and nobody has taken that
/// back.
async fn holds(journal: &dyn Journal, original: &State, undo: &State, look: Look) -> Result<bool, Error> {
    let (Some(commit), Some(reverting)) = (commit(original), commit(undo)) else {
        return Ok(false);
    };
    if let Standing::Undone(_) = standing(journal, undo, look).await? {
        return Ok(false);
    }
    match look {
        Look::Journal => Ok(true),
        Look::Branch => Ok(look_up(undo, reverting, apply::stands).await?
            || !look_up(original, commit, apply::has_commit).await?),
    }
}

/// Whether this is so of a commit of a workflow, in its workspace.
async fn look_up(
    state: &State,
    commit: &str,
    is_so: fn(&Workspace, &str) -> Result<bool, tools::Error>,
) -> Result<bool, Error> {
    let (root, commit) = (PathBuf::from(&state.task.workspace), commit.to_owned());
    let look = move || is_so(&Workspace::open(&root)?, &commit);
    let looked = tokio::task::spawn_blocking(look).await;
    Ok(looked.map_err(|error| Error::internal(error.to_string()))??)
}

/// The workflow that has taken back what this one committed, if one has; as the
/// journal has it.
pub(crate) async fn undone_by(journal: &dyn Journal, state: &State) -> Result<Option<WorkflowId>, Error> {
    if commit(state).is_none() {
        return Ok(None);
    }
    Ok(match standing(journal, state, Look::Journal).await? {
        Standing::Undone(undo) => Some(undo),
        Standing::Underway(_) | Standing::Not(_) => None,
    })
}

/// Whether a workflow has committed something that nobody has taken back where it
/// is checked out.
pub(crate) async fn stands(journal: &dyn Journal, state: &State) -> Result<bool, Error> {
    if commit(state).is_none() {
        return Ok(false);
    }
    Ok(match standing(journal, state, Look::Branch).await? {
        Standing::Undone(_) => false,
        Standing::Underway(_) | Standing::Not(_) => true,
    })
}

/// What a workflow that is completed has committed.
fn commit(state: &State) -> Option<&str> {
    match &state.phase {
        Phase::Finished(Outcome::Completed) => state.applied.as_ref()?.commit.as_deref(),
        Phase::Finished(_)
        | Phase::Running(_)
        | Phase::Waiting { .. }
        | Phase::Joining(_)
        | Phase::AwaitingDecision { .. } => None,
    }
}

impl Runtime {
    /// Takes back what a workflow has committed, by a new commit on the branch
    /// that is checked out. Asked again, it is the same commit.
    ///
    /// # Errors
    /// E1022 for a workflow that has committed nothing, or whose commit is not on
    /// the branch; E1215 where later changes touch the same lines; those of
    /// applying. Nothing was written then, and it can be asked for again.
    pub async fn undo(&self, id: &WorkflowId) -> Result<Undo, Error> {
        let original = self.state(id).await?;
        let Some(commit) = commit(&original) else {
            let message = format!("workflow `{id}` has committed nothing that could be undone");
            return Err(Error::user(Code::UndoRefused, message));
        };
        let journal = self.services().journal.clone();
        let workflow = match standing(journal.as_ref(), &original, Look::Branch).await? {
            Standing::Undone(undo) | Standing::Underway(undo) => undo,
            Standing::Not(number) => self.begin_undo(&original, commit, number).await?,
        };
        self.undone(workflow).await
    }

    async fn begin_undo(&self, original: &State, commit: &str, number: u32) -> Result<WorkflowId, Error> {
        if number > UNDOS_MAX {
            let message = format!(
                "workflow `{}` was undone {UNDOS_MAX} times, or could not be: use git",
                original.workflow
            );
            return Err(Error::user(Code::UndoRefused, message));
        }
        let short: String = commit.chars().take(10).collect();
        let task = Task {
            workflow_type: graph::UNDO.to_owned(),
            query: format!("Undo {short}: {}", original.task.query)
                .chars()
                .take(QUERY_CHARS)
                .collect(),
            workspace: original.task.workspace.clone(),
            choices: Choices {
                undoes: Some(original.workflow.clone()),
                ..Choices::default()
            },
            images: Vec::new(),
        };
        let correlation = correlation(&original.workflow, number)?;
        let new = New {
            task,
            blobs: Vec::new(),
            graph: Graph::undo(),
            missing: Missing::Said,
            servers: Vec::new(),
        };
        let begun = self.begin(correlation, new);
        let (workflow, _) = begun.await?;
        Ok(workflow)
    }

    /// Waits for the end of an undo.
    async fn undone(&self, workflow: WorkflowId) -> Result<Undo, Error> {
        let mut watch = self.watch(&workflow, Seq::default()).await?;
        while let Some(update) = watch.next().await? {
            if matches!(&update, Update::Event(recorded) if recorded.event.is_last()) {
                break;
            }
        }
        let state: Arc<State> = self.state(&workflow).await?;
        let applied = state.applied.as_deref();
        match &state.phase {
            Phase::Finished(Outcome::Completed) => Ok(Undo {
                commit: applied.and_then(|applied| applied.commit.clone()),
                branch: applied.and_then(|applied| applied.branch.clone()),
                workflow,
            }),
            Phase::Finished(Outcome::Failed(failure)) => Err(Error {
                class: failure.class,
                code: failure.code,
                message: failure.message.clone(),
            }),
            Phase::Finished(Outcome::Cancelled | Outcome::Rejected) => Err(Error::user(
                Code::WorkflowFinished,
                format!("the undo, workflow `{workflow}`, was cancelled"),
            )),
            // The backend parks.
            Phase::Running(_)
            | Phase::Waiting { .. }
            | Phase::Joining(_)
            | Phase::AwaitingDecision { .. } => Err(Error {
                class: Class::Transient,
                code: Code::RunsElsewhere,
                message: format!("the undo, workflow `{workflow}`, goes on: ask again"),
            }),
        }
    }
}
