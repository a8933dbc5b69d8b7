//! The work of one stage: calls a model, searches, checks or writes, and says
//! what came of it. A worker keeps nothing: it reads the state it was started
//! with and reports through its [`Desk`].

mod answers;
mod apply;
mod ask;
mod checks;
mod draft;
mod estimates;
mod folders;
mod generation;
mod ledger;
mod material;
mod pictures;
mod planning;
mod questions;
mod retrieval;
mod revert;
mod runs;
mod shown;
mod stream;
mod thinking;
mod toolbox;

use std::{convert::Infallible, sync::Arc};

use engine::{
    Command, Output, StageKind, State,
    artifact::{ApplyIntent, ModelCall, ToolCall, WantedCall},
    blob::{Blob, BlobId},
    event::{Notice, NoticeLevel},
};
use shared::{error::Code, id::StageId};
use tokio::sync::{mpsc, oneshot};

pub use self::{answers::Answers, runs::Runs, thinking::Said};
use super::{
    mailbox::{Message, Reply},
    services::Services,
};
use crate::error::Error;

/// What to work on.
#[derive(Debug)]
pub(super) struct Job {
    pub stage: StageId,
    pub attempt: u32,
    pub task: Task,
}

/// The kind of work.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    /// Do a stage.
    Stage(StageKind),
    /// Write what the recorded intent says.
    WriteApply,
}

/// Where a worker reports.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    back: mpsc::Sender<Message>,
    stage: StageId,
    attempt: u32,
}

impl Desk {
    pub(super) fn new(back: mpsc::Sender<Message>, stage: StageId, attempt: u32) -> Self {
        Self { back, stage, attempt }
    }

    async fn send(&self, command: Command, blobs: Vec<Blob>) {
        self.post(command, blobs, Reply::Nobody).await;
    }

    async fn post(&self, command: Command, blobs: Vec<Blob>, reply: Reply) {
        let message = Message {
            command,
            blobs,
            reply,
        };
        // The mailbox closes only when the workflow has finished or is parked;
        // a result that comes after that counts for nothing.
        let _closed = self.back.send(message).await;
    }

    /// The other end is dropped when the piece is durable.
    async fn stream(&self, piece: stream::Piece) -> oneshot::Receiver<Infallible> {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        let stream::Piece {
            delta,
            tokens,
            total,
            origin,
        } = piece;
        let command = Command::StreamText {
            stage,
            attempt,
            delta,
            tokens,
            total,
            origin,
        };
        let (written, done) = oneshot::channel();
        self.post(command, Vec::new(), Reply::Worker(written)).await;
        done
    }

    /// A program printed this.
    async fn print(&self, delta: String) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        self.send(
            Command::StreamText {
                stage,
                attempt,
                delta,
                tokens: 0,
                total: None,
                origin: None,
            },
            Vec::new(),
        )
        .await;
    }

    /// The model goes on with the text of the attempt.
    async fn go_on(&self) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        self.send(Command::ContinueText { stage, attempt }, Vec::new())
            .await;
    }

    /// The text of the attempt counts for nothing, and another attempt begins.
    /// Never returns: what works on this one is stopped.
    async fn begin_anew(&self, reason: &str) -> Infallible {
        let (stage, attempt, reason) = (self.stage.clone(), self.attempt, reason.to_owned());
        self.send(
            Command::RestartText {
                stage,
                attempt,
                reason,
            },
            Vec::new(),
        )
        .await;
        std::future::pending().await
    }

    /// A model was asked, with or without success.
    async fn called(&self, call: ModelCall) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        self.send(Command::ReportCall { stage, attempt, call }, Vec::new())
            .await;
    }

    /// A model has called a tool, or is about to; `blobs` are what that names.
    /// Returns when it is durable: what a model is told must not have to be asked for again.
    async fn used(&self, call: ToolCall, blobs: Vec<Blob>) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        let command = Command::ReportTool { stage, attempt, call };
        let (written, done) = oneshot::channel();
        self.post(command, blobs, Reply::Worker(written)).await;
        let _closed = done.await;
    }

    /// A person is asked whether a tool may be called; `turn` is the answer of
    /// the model. Never returns: what works on this attempt is stopped, and
    /// another one goes on with what they say.
    async fn ask_permission(&self, call: WantedCall, turn: Blob) -> Infallible {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        let command = Command::AskPermission { stage, attempt, call };
        self.send(command, vec![turn]).await;
        std::future::pending().await
    }

    async fn notify(&self, level: NoticeLevel, code: Option<Code>, message: String) {
        self.send(Command::Notify(Notice { level, code, message }), Vec::new())
            .await;
    }

    async fn intend(&self, intent: ApplyIntent, blobs: Vec<Blob>) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        self.send(
            Command::IntendApply {
                stage,
                attempt,
                intent,
            },
            blobs,
        )
        .await;
    }

    /// What would be written was checked; whether the workflow goes on with
    /// it, it decides.
    async fn recheck(&self, of: BlobId, evidence: checks::Evidence, problems: Vec<String>) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        let checks::Evidence { reports, logs, .. } = evidence;
        self.send(
            Command::Recheck {
                stage,
                attempt,
                of,
                reports,
                problems,
            },
            logs,
        )
        .await;
    }

    async fn complete(&self, output: Output, blobs: Vec<Blob>) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        self.send(
            Command::CompleteStage {
                stage,
                attempt,
                output,
            },
            blobs,
        )
        .await;
    }

    pub(super) async fn fail(&self, error: Error) {
        let (stage, attempt) = (self.stage.clone(), self.attempt);
        self.send(
            Command::FailStage {
                stage,
                attempt,
                failure: error.into(),
            },
            Vec::new(),
        )
        .await;
    }
}

/// The state as a worker sees it: within the run for one item of a loop, the
/// request says which part of it is meant.
pub(super) fn focus(state: Arc<State>) -> Arc<State> {
    let Some(item) = state.lane.as_ref().and_then(|lane| {
        let item = lane.item.as_ref()?;
        Some(format!(
            "{}\n\nThis is part {} of {}. Do only what concerns `{item}`; the other parts are done separately.",
            state.task.query, lane.number, lane.of
        ))
    }) else {
        return state;
    };
    let mut focused = State::clone(&state);
    Arc::make_mut(&mut focused.task).query = item;
    Arc::new(focused)
}

/// Does the job and reports its end, whatever it is.
pub(super) async fn run(services: Arc<Services>, state: Arc<State>, job: Job, desk: Desk) {
    let services = match state.model().map(|name| services.with_model(name)) {
        Some(Ok(other)) => Arc::new(other),
        Some(Err(error)) => return desk.fail(error).await,
        None => services,
    };
    let outcome = match job.task {
        Task::WriteApply => Box::pin(apply::write(&services, &state, &desk)).await.map(Some),
        Task::Stage(kind) => match kind {
            StageKind::Retrieval => Box::pin(retrieval::run(&services, &state, &desk)).await.map(Some),
            StageKind::Planning => Box::pin(planning::run(&services, &state, &desk)).await.map(Some),
            StageKind::CodeGeneration => {
                Box::pin(generation::run(&services, &state, &desk, generation::What::Code))
                    .await
                    .map(Some)
            }
            StageKind::TestGeneration => {
                Box::pin(generation::run(&services, &state, &desk, generation::What::Tests))
                    .await
                    .map(Some)
            }
            StageKind::Checks => Box::pin(checks::run(&services, &state, &desk)).await.map(Some),
            // The intent comes back as an action of its own.
            StageKind::Apply => Box::pin(apply::plan(&services, &state, &desk))
                .await
                .map(|()| None),
            StageKind::Revert => Box::pin(revert::run(&services, &state)).await.map(Some),
            // A person works on it.
            StageKind::Review => Ok(None),
        },
    };
    match outcome {
        Ok(Some((output, blobs))) => desk.complete(output, blobs).await,
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(workflow = %state.workflow, stage = %job.stage, attempt = job.attempt,
                code = %error.code, %error, "stage failed");
            desk.fail(error).await;
        }
    }
}

type Done = (Output, Vec<Blob>);

/// Runs blocking work without holding up the others.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::internal(format!("a worker panicked: {error}"))),
    }
}

async fn open(state: &State) -> Result<tools::Workspace, Error> {
    let root = state.task.workspace.clone();
    blocking(move || Ok(tools::Workspace::open(std::path::Path::new(&root))?)).await
}

/// Contents of a blob that an event named.
async fn blob(services: &Services, id: BlobId) -> Result<Vec<u8>, Error> {
    services.journal.blob(id).await?.ok_or_else(|| Error {
        class: shared::error::Class::Fatal,
        code: Code::JournalCorrupt,
        message: format!("the journal lacks the blob {}", id.to_hex()),
    })
}

async fn text_blob(services: &Services, id: BlobId) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&blob(services, id).await?).into_owned())
}
