//! Requests for workflows: each begins one, or finds the one that it has begun.

use std::path::Path;

use engine::{
    Graph,
    artifact::{Choices, Task, ThoughtLevel},
    blob::{Blob, BlobId},
    fold,
    ports::journal::{Created, NewWorkflow},
};
use shared::{
    error::Code,
    id::{CorrelationId, Seq, WorkflowId},
};

use super::{ACTIVE_MAX, Runtime, actor, meter};
use crate::{
    clock,
    error::Error,
    images::{self, Picture},
};

/// A request for a new workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Name of a definition.
    pub workflow_type: String,
    /// What to do.
    pub query: String,
    /// Pictures that belong to it.
    pub images: Vec<Picture>,
    /// The client's id; made up when none.
    pub correlation: Option<CorrelationId>,
    /// Absolute path; the configured one when none.
    pub workspace: Option<String>,
    /// What else was chosen.
    pub choices: Choices,
    /// What becomes of a further folder that is not there.
    pub missing: Missing,
    /// Servers of tools that the client has, beside those of the configuration.
    pub servers: Vec<mcp::Server>,
}

/// A workflow that is to begin.
pub(super) struct New {
    pub(super) task: Task,
    /// Contents that the task names.
    pub(super) blobs: Vec<Blob>,
    pub(super) graph: Graph,
    pub(super) missing: Missing,
    pub(super) servers: Vec<mcp::Server>,
}

/// What becomes of a further folder that is not there when a workflow begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is named now: the request is refused.
    Refused,
    /// It was named, and there, before: the workflow says so and goes on.
    Said,
}

impl Runtime {
    /// Begins a workflow, or finds the one that this correlation id has.
    pub async fn submit(&self, submission: Submission) -> Result<(WorkflowId, CorrelationId), Error> {
        let graph = self.0.graphs.get(&submission.workflow_type).ok_or_else(|| {
            let known: Vec<&str> = self.0.graphs.keys().map(String::as_str).collect();
            let asked: String = submission.workflow_type.chars().take(80).collect();
            let message = format!(
                "there is no workflow type `{asked}`; there is: {}",
                known.join(", ")
            );
            Error::user(Code::UnknownWorkflowType, message)
        })?;
        let correlation = submission
            .correlation
            .unwrap_or_else(|| CorrelationId::new(format!("req_{}", uuid::Uuid::now_v7())));
        let workspace = self.workspace(submission.workspace.as_deref())?;
        images::check(&submission.images)?;
        let task = Task {
            workflow_type: submission.workflow_type,
            query: submission.query,
            workspace,
            choices: submission.choices,
            images: submission.images.iter().map(Picture::image).collect(),
        };
        let new = New {
            task,
            blobs: submission
                .images
                .into_iter()
                .map(Picture::into_contents)
                .collect(),
            graph: graph.clone(),
            missing: submission.missing,
            servers: submission.servers,
        };
        self.begin(correlation, new).await
    }

    /// Begins this, or finds what the correlation id has.
    pub(super) async fn begin(
        &self,
        correlation: CorrelationId,
        new: New,
    ) -> Result<(WorkflowId, CorrelationId), Error> {
        let New {
            task,
            blobs,
            graph,
            missing,
            servers,
        } = new;
        let id = WorkflowId::new(uuid::Uuid::now_v7().to_string());
        let fingerprint = fingerprint(&task);
        let ctx = engine::Ctx {
            now_ms: clock::now_ms(),
            random: 0,
        };
        let events = engine::submit(id.clone(), correlation.clone(), task.clone(), graph, &ctx)?;
        // After the request itself is known to be good, so that a repeated
        // submit of a finished workflow is answered whatever became of its folders.
        let known = self.known(&correlation, fingerprint).await?;
        if let Some(workflow) = known {
            return Ok((workflow, correlation));
        }
        check_workspace(&task.workspace).await?;
        self.check_choices(&task.choices, missing).await?;
        if !task.images.is_empty() {
            self.check_sight(task.choices.model.as_deref()).await?;
        }
        self.check_room()?;
        let events = actor::record(Seq::default(), ctx.now_ms, events);
        let new = NewWorkflow {
            workflow: id.clone(),
            correlation: correlation.clone(),
            fingerprint,
            status: engine::ports::journal::Status::Running,
            events: events.clone(),
            blobs,
        };
        let created = self.0.services.journal.create(new).await;
        self.0.services.pressure.note(&created);
        match created? {
            Created::New => {
                let state = fold(&events).ok_or_else(|| Error::internal("a new workflow has no state"))?;
                shared::crash::point("runtime:after_create");
                meter::workflow_started();
                self.0.services.tools.bring(&id, servers);
                self.start(state, actor::Begin::New(events));
                Ok((id, correlation))
            }
            Created::Existing(workflow) => Ok((workflow, correlation)),
            Created::Conflict(workflow) => Err(conflict(&correlation, &workflow)),
        }
    }

    pub(super) fn check_room(&self) -> Result<(), Error> {
        if self.active().len() < ACTIVE_MAX {
            return Ok(());
        }
        let message = format!("{ACTIVE_MAX} workflows are unfinished; finish or cancel some, then try again");
        Err(Error {
            class: shared::error::Class::Transient,
            code: Code::Overloaded,
            message,
        })
    }

    async fn known(
        &self,
        correlation: &CorrelationId,
        fingerprint: BlobId,
    ) -> Result<Option<WorkflowId>, Error> {
        match self.0.services.journal.find(correlation.clone()).await? {
            None => Ok(None),
            Some((workflow, known)) if known == fingerprint => Ok(Some(workflow)),
            Some((workflow, _)) => Err(conflict(correlation, &workflow)),
        }
    }

    fn workspace(&self, asked: Option<&str>) -> Result<String, Error> {
        let path = match (asked, &self.0.services.default_workspace) {
            (Some(path), _) if !path.is_empty() => Path::new(path),
            (_, Some(path)) => path,
            (_, None) => {
                let message = "the request names no workspace and none is configured: send `workspace`";
                return Err(Error::user(Code::InvalidRequest, message));
            }
        };
        if !path.is_absolute() {
            let message = format!("the workspace `{}` is not an absolute path", path.display());
            return Err(Error::user(Code::WorkspaceNotADirectory, message));
        }
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::user(Code::WorkspaceUnreadable, "the workspace's path is not UTF-8"))
    }
}

/// What tells a request from another one.
fn fingerprint(task: &Task) -> BlobId {
    let Task {
        workflow_type,
        query,
        workspace,
        choices,
        images,
    } = task;
    let mut text = format!("{workflow_type}\0{workspace}\0{query}");
    for image in images {
        text.push_str(&format!("\0image {}", image.blob.to_hex()));
    }
    // As ever, where nothing was chosen.
    if *choices != Choices::default() {
        let Choices {
            model,
            thought_level,
            search,
            folders,
            undoes,
        } = choices;
        text.push_str(&format!("\0{model:?}\0{search:?}\0{folders:?}"));
        // As before there were levels, where none was chosen.
        if *thought_level != ThoughtLevel::Default {
            text.push_str(&format!("\0{thought_level:?}"));
        }
        if let Some(undoes) = undoes {
            text.push_str(&format!("\0{undoes}"));
        }
    }
    BlobId::of(text.as_bytes())
}

pub(super) async fn check_workspace(root: &str) -> Result<(), Error> {
    let root = root.to_owned();
    let opened = tokio::task::spawn_blocking(move || tools::Workspace::open(Path::new(&root)).map(drop));
    Ok(opened
        .await
        .map_err(|error| Error::internal(error.to_string()))??)
}

fn conflict(correlation: &CorrelationId, workflow: &WorkflowId) -> Error {
    let message = format!(
        "the correlation id `{correlation}` belongs to workflow `{workflow}`, which had another request: \
         use a new id"
    );
    Error::user(Code::CorrelationConflict, message)
}
