//! Runs workflows: one task for each unfinished workflow owns its state, turns
//! commands into durable events, publishes them, and starts workers whose
//! results come back as commands.
//!
//! It must never know a wire format or a transport; edges call [`Runtime`].

mod actor;
mod archive;
pub(crate) mod choices;
mod claims;
mod consent;
pub mod editor;
mod followers;
mod mailbox;
mod memory;
mod meter;
pub(crate) mod pressure;
mod replay;
mod retention;
pub mod servers;
pub mod services;
mod sight;
pub(crate) mod undo;
mod watch;
mod worker;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{
    Command, Graph, State,
    artifact::{Choices, Decision, Task, ThoughtLevel},
    blob::{Blob, BlobId},
    fold,
    ports::journal::{Created, Head, ListQuery, NewWorkflow},
};
pub use servers::Servers;
pub use services::Services;
use shared::{
    error::Code,
    id::{CorrelationId, Seq, WorkflowId},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub use undo::Undo;
pub use watch::{Update, Watch};
pub use worker::Answers;

use crate::{
    clock,
    error::Error,
    images::{self, Picture},
};

/// Events read from the journal at a time.
pub(crate) const PAGE: usize = 512;

/// Unfinished workflows that may run at once; more are refused as overload.
const ACTIVE_MAX: usize = 1_000;

/// A decision with the texts that it names.
#[derive(Debug)]
pub struct Decided {
    /// What a person decided.
    pub decision: Decision,
    /// Their own texts of files.
    pub texts: Vec<Blob>,
    /// What it holds for.
    pub scope: Scope,
}

/// What an answer holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This question.
    Once,
    /// The workspace, from now on. Only what needs permission is answered so: code
    /// without a sandbox, the call of a tool.
    Workspace,
}

impl From<Decision> for Decided {
    /// One that names no text.
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            texts: Vec::new(),
            scope: Scope::Once,
        }
    }
}

/// Everything that runs workflows. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    graphs: BTreeMap<String, Graph>,
    active: Mutex<HashMap<WorkflowId, actor::Handle>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    fatal: tokio::sync::watch::Sender<Option<Error>>,
    claims: claims::Claims,
}

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
struct New {
    task: Task,
    /// Contents that the task names.
    blobs: Vec<Blob>,
    graph: Graph,
    missing: Missing,
    servers: Vec<mcp::Server>,
}

/// What becomes of a further folder that is not there when a workflow begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is named now: the request is refused.
    Refused,
    /// It was named, and there, before: the workflow says so and goes on.
    Said,
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

impl Runtime {
    /// Joins the parts. Nothing runs until [`Runtime::resume_all`] or a submit.
    pub fn new(services: Services, graphs: BTreeMap<String, Graph>) -> Self {
        let inner = Inner {
            services: Arc::new(services),
            graphs,
            active: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            fatal: tokio::sync::watch::Sender::new(None),
            claims: claims::Claims::default(),
        };
        Self(Arc::new(inner))
    }

    /// The parts it works with.
    pub fn services(&self) -> &Arc<Services> {
        &self.0.services
    }

    /// Names of the workflow definitions.
    pub fn workflow_types(&self) -> Vec<String> {
        self.0.graphs.keys().cloned().collect()
    }

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
    async fn begin(
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

    /// The servers of tools that the client of a workflow has now.
    pub fn bring_servers(&self, workflow: &WorkflowId, servers: Vec<mcp::Server>) {
        self.0.services.tools.bring(workflow, servers);
    }

    fn check_room(&self) -> Result<(), Error> {
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

    /// State of a workflow.
    pub async fn state(&self, id: &WorkflowId) -> Result<Arc<State>, Error> {
        if let Some(handle) = self.handle(id) {
            return Ok(handle.state());
        }
        self.read_state(id).await.map(Arc::new)
    }

    /// List entries, newest first.
    pub async fn list(&self, query: ListQuery) -> Result<Vec<Head>, Error> {
        Ok(self.0.services.journal.list(query).await?)
    }

    /// Answers the pending question.
    pub async fn decide(
        &self,
        id: &WorkflowId,
        iteration: Option<u32>,
        decided: impl Into<Decided>,
    ) -> Result<(), Error> {
        let Decided {
            decision,
            texts,
            scope,
        } = decided.into();
        match scope {
            Scope::Once => {}
            Scope::Workspace => self.remember(id, &decision).await?,
        }
        self.bring(id, Command::Decide { iteration, decision }, texts)
            .await
    }

    /// Tells the models that are asked from now on. The same words count once.
    pub async fn remark(&self, id: &WorkflowId, text: String) -> Result<(), Error> {
        self.command(id, Command::Remark { text }).await
    }

    /// Stops a workflow.
    pub async fn cancel(&self, id: &WorkflowId) -> Result<(), Error> {
        self.command(id, Command::Cancel).await
    }

    async fn command(&self, id: &WorkflowId, command: Command) -> Result<(), Error> {
        self.bring(id, command, Vec::new()).await
    }

    /// A command with the contents that it names.
    async fn bring(&self, id: &WorkflowId, command: Command, blobs: Vec<Blob>) -> Result<(), Error> {
        match self.handle(id) {
            Some(handle) => handle.ask(command, blobs).await,
            None => self.not_here(id).await,
        }
    }

    /// Why nothing here takes commands for a workflow.
    async fn not_here(&self, id: &WorkflowId) -> Result<(), Error> {
        let journal = &self.0.services.journal;
        let head = journal.head(id.clone()).await?;
        let head = head.ok_or_else(|| Error::unknown_workflow(id.as_str()))?;
        if let Some(reason) = head.aside {
            return Err(Error::user(
                Code::SetAside,
                format!("workflow `{id}` was set aside: {reason}"),
            ));
        }
        if self.read_state(id).await?.is_finished() || journal.changed().is_none() {
            return Err(engine::Reject::Finished.into());
        }
        Err(Error {
            class: shared::error::Class::Transient,
            code: Code::RunsElsewhere,
            message: format!("workflow `{id}` is run by another backend: try again there, or later"),
        })
    }

    /// Events after `after`: first those on disk, then live ones.
    pub async fn watch(&self, id: &WorkflowId, after: Seq) -> Result<Watch, Error> {
        let live = self.handle(id).map(|handle| handle.subscribe());
        let head = self.0.services.journal.head(id.clone()).await?;
        let head = head.ok_or_else(|| Error::unknown_workflow(id.as_str()))?;
        Ok(Watch::new(self.0.services.journal.clone(), head, after, live))
    }

    /// Resolves when the journal can no longer be trusted: the process must end.
    pub async fn fatal(&self) -> Error {
        let mut fatal = self.0.fatal.subscribe();
        let of_a_workflow = async {
            match fatal.wait_for(Option::is_some).await {
                Ok(error) => error.clone().unwrap_or_else(|| Error::internal("stopped")),
                // The sender lives as long as `self`; nothing to report without it.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            error = of_a_workflow => error,
            error = self.0.services.journal.fenced() => error.into(),
        }
    }

    /// Stops all work without ending any workflow; they go on at the next start.
    pub async fn park(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Err(error) = self.0.services.journal.leave().await {
            tracing::warn!(%error, code = %error.code, "others take over when the lease ends");
        }
    }

    async fn read_state(&self, id: &WorkflowId) -> Result<State, Error> {
        replay::state(self.0.services.journal.as_ref(), id).await
    }

    fn start(&self, state: State, begin: actor::Begin) {
        let id = state.workflow.clone();
        let (actor, handle) = actor::Actor::new(self.0.services.clone(), state, self.0.stop.child_token());
        let count = {
            let mut active = self.active();
            if active.contains_key(&id) {
                // Claimed once more, because the answer to the first was lost.
                return;
            }
            active.insert(id.clone(), handle);
            active.len()
        };
        meter::workflows_active(count);
        let runtime = self.clone();
        self.0.tasks.spawn(async move {
            let outcome = claims::caught(actor.run(begin)).await;
            let count = {
                let mut active = runtime.active();
                active.remove(&id);
                active.len()
            };
            meter::workflows_active(count);
            match outcome {
                Ok(()) => {}
                Err(error) if error.class == shared::error::Class::Fatal => {
                    tracing::error!(workflow = %id, code = %error.code, %error, "the journal cannot be used");
                    runtime.0.fatal.send_replace(Some(error));
                }
                Err(error) if runtime.0.stop.is_cancelled() => {
                    tracing::warn!(workflow = %id, code = %error.code, %error, "stopped while parking");
                }
                Err(error) => runtime.failed(&id, &error).await,
            }
        });
    }

    fn handle(&self, id: &WorkflowId) -> Option<actor::Handle> {
        self.active().get(id).cloned()
    }

    fn active(&self) -> MutexGuard<'_, HashMap<WorkflowId, actor::Handle>> {
        // The map is changed by single inserts and removes: it is whole even
        // after a panic elsewhere.
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn check_workspace(root: &str) -> Result<(), Error> {
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

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("active", &self.active().len())
            .finish_non_exhaustive()
    }
}
