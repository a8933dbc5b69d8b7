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
mod submission;
pub(crate) mod undo;
mod watch;
mod worker;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{
    Command, Graph, State,
    artifact::Decision,
    blob::Blob,
    ports::journal::{Head, ListQuery},
};
pub use servers::Servers;
pub use services::Services;
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
};
pub use submission::{Missing, Submission};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
pub use undo::Undo;
pub use watch::{Update, Watch};
pub use worker::Answers;

use crate::error::Error;

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

    /// The servers of tools that the client of a workflow has now.
    pub fn bring_servers(&self, workflow: &WorkflowId, servers: Vec<mcp::Server>) {
        self.0.services.tools.bring(workflow, servers);
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

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("active", &self.active().len())
            .finish_non_exhaustive()
    }
}
