//! Undo: a workflow of its own that takes back what another one has committed,
//! by a new commit. The correlation id of an undo is made of the undone
//! workflow's, so that who asks twice, or after a crash, finds the same one.

use std::sync::Arc;

use engine::{
    Graph, Outcome, Phase, State,
    artifact::{Choices, Task},
    graph,
    ports::{Journal, journal::Status},
};
use shared::{
    error::{Class, Code},
    id::{CorrelationId, Seq, WorkflowId},
};

use super::{Missing, Runtime, Update};
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
    /// This one was the last, and it holds.
    Undone(WorkflowId),
    /// This one is at it.
    Underway(WorkflowId),
    /// The workflow's commit stands; the next undo would have this number.
    Not(u32),
}

async fn standing(journal: &dyn Journal, workflow: &WorkflowId) -> Result<Standing, Error> {
    for number in 1..=UNDOS_MAX {
        let Some((undo, _)) = journal.find(correlation(workflow, number)?).await? else {
            return Ok(Standing::Not(number));
        };
        let status = journal.head(undo.clone()).await?.map(|head| head.status);
        match status {
            Some(Status::Completed) => {
                // One that was itself undone is as good as none.
                match Box::pin(standing(journal, &undo)).await? {
                    Standing::Undone(_) => {}
                    Standing::Underway(_) | Standing::Not(_) => return Ok(Standing::Undone(undo)),
                }
            }
            Some(Status::Running | Status::AwaitingDecision) => return Ok(Standing::Underway(undo)),
            Some(Status::Rejected | Status::Cancelled | Status::Failed) | None => {}
        }
    }
    let message = format!("workflow `{workflow}` was undone {UNDOS_MAX} times, or could not be: use git");
    Err(Error::user(Code::UndoRefused, message))
}

/// The workflow that has taken back what this one committed, if one has.
pub(crate) async fn undone_by(journal: &dyn Journal, state: &State) -> Result<Option<WorkflowId>, Error> {
    if commit(state).is_none() {
        return Ok(None);
    }
    Ok(match standing(journal, &state.workflow).await? {
        Standing::Undone(undo) => Some(undo),
        Standing::Underway(_) | Standing::Not(_) => None,
    })
}

/// Whether a workflow has committed something that nobody has taken back.
pub(crate) async fn stands(journal: &dyn Journal, state: &State) -> Result<bool, Error> {
    Ok(commit(state).is_some() && undone_by(journal, state).await?.is_none())
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
        let workflow = match standing(journal.as_ref(), id).await? {
            Standing::Undone(undo) | Standing::Underway(undo) => undo,
            Standing::Not(number) => self.begin_undo(&original, commit, number).await?,
        };
        self.undone(workflow).await
    }

    async fn begin_undo(&self, original: &State, commit: &str, number: u32) -> Result<WorkflowId, Error> {
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
        };
        let correlation = correlation(&original.workflow, number)?;
        let begun = self.begin(correlation, task, Graph::undo(), Missing::Said, Vec::new());
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
