//! One turn: a prompt begins a workflow (or answers the last one with
//! feedback), the workflow's events go out as updates, the review is asked as
//! a permission request, and the turn ends when the workflow does or waits for
//! the person's words.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use agent_client_protocol::{
    Client as ClientRole,
    v1::{
        ConnectionTo,
        schema::{
            ContentBlock, PermissionOption, PermissionOptionKind, RequestPermissionOutcome,
            RequestPermissionRequest, SessionId, SessionNotification, SessionUpdate, StopReason,
            ToolCallUpdate,
        },
    },
};
use engine::{
    Event,
    artifact::{Decision, Selection},
};
use shared::{
    id::{Seq, WorkflowId},
    wire::Envelope,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    empty_prompt,
    streaming::{StreamingUpdate, Wish},
    text,
    updates::{self, Updates},
};
use crate::{
    error::Error,
    present::{Mode, Presenter},
    runtime::{Runtime, Submission, Update},
};

/// Definition that prompts begin.
const WORKFLOW_TYPE: &str = "feature_implementation";

const ACCEPT: &str = "accept";
const REJECT: &str = "reject";
const MODIFY: &str = "modify";

/// A turn that runs.
struct Turn {
    cancelled: CancellationToken,
    /// The workflow it is about, once that is known.
    workflow: watch::Sender<Option<WorkflowId>>,
}

/// One session.
pub(super) struct Session {
    cwd: PathBuf,
    turn: Mutex<Option<Turn>>,
    /// The workflow that the next prompt gives feedback to, with the last event
    /// that the client has seen.
    awaiting: Mutex<Option<(WorkflowId, Seq)>>,
}

/// The right to run a turn; given back when dropped.
pub(super) struct Lease {
    session: std::sync::Arc<Session>,
    cancelled: CancellationToken,
}

impl Lease {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.session.turn).take();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    pub(super) fn new(cwd: PathBuf) -> Self {
        Self {
            cwd,
            turn: Mutex::default(),
            awaiting: Mutex::default(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        lock(&self.turn).is_none()
    }

    /// Begins a turn; `None` while one runs.
    pub(super) fn begin(self: &std::sync::Arc<Self>) -> Option<Lease> {
        let mut turn = lock(&self.turn);
        if turn.is_some() {
            return None;
        }
        let cancelled = CancellationToken::new();
        *turn = Some(Turn {
            cancelled: cancelled.clone(),
            workflow: watch::Sender::default(),
        });
        Some(Lease {
            session: self.clone(),
            cancelled,
        })
    }

    /// Stops the turn that runs, if one does.
    pub(super) fn cancel(&self) {
        if let Some(turn) = lock(&self.turn).as_ref() {
            turn.cancelled.cancel();
        }
    }

    /// The workflow of the turn that runs, as soon as it is known; none where
    /// no turn runs, or it ends before.
    pub(super) async fn works_on(&self) -> Option<WorkflowId> {
        let mut workflow = lock(&self.turn).as_ref()?.workflow.subscribe();
        workflow.wait_for(Option::is_some).await.ok()?.clone()
    }

    fn begins_work_on(&self, workflow: &WorkflowId) {
        if let Some(turn) = lock(&self.turn).as_ref() {
            turn.workflow.send_replace(Some(workflow.clone()));
        }
    }
}

/// The other side of the connection.
pub(super) struct Client {
    cx: ConnectionTo<ClientRole>,
    session: SessionId,
    wish: Wish,
}

impl Client {
    pub(super) fn new(cx: ConnectionTo<ClientRole>, session: SessionId, wish: Wish) -> Self {
        Self { cx, session, wish }
    }

    fn tell(&self, update: SessionUpdate) {
        let notification = SessionNotification::new(self.session.clone(), update);
        if let Err(error) = self.cx.send_notification(notification) {
            // The workflow goes on; the client finds it again when it is back.
            tracing::debug!(%error, "an update could not be sent");
        }
    }

    fn stream(&self, event: Envelope) {
        let session = self.session.clone();
        if let Err(error) = self.cx.send_notification(StreamingUpdate { session, event }) {
            tracing::debug!(%error, "a streaming update could not be sent");
        }
    }

    /// Asks for a decision; `None` when the client refuses to answer, is gone,
    /// or cancelled the turn.
    async fn ask(&self, call: ToolCallUpdate) -> Option<Answer> {
        let option = |id: &'static str, name: &str, kind| PermissionOption::new(id, name, kind);
        let options = vec![
            option(ACCEPT, "Accept and commit", PermissionOptionKind::AllowOnce),
            option(REJECT, "Reject", PermissionOptionKind::RejectOnce),
            option(MODIFY, "Request changes", PermissionOptionKind::RejectOnce),
        ];
        let request = RequestPermissionRequest::new(self.session.clone(), call, options);
        let response = match self.cx.send_request(request).block_task().await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "a permission request was not answered");
                return None;
            }
        };
        let RequestPermissionOutcome::Selected(selected) = response.outcome else {
            return None;
        };
        match &*selected.option_id.0 {
            ACCEPT => Some(Answer::Accept),
            REJECT => Some(Answer::Reject),
            MODIFY => Some(Answer::Modify),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Accept,
    Reject,
    Modify,
}

/// Runs one turn to its end.
pub(super) async fn run(
    runtime: &Runtime,
    session: &Session,
    lease: &Lease,
    client: &Client,
    prompt: &[ContentBlock],
) -> Result<StopReason, Error> {
    let text = text::of(prompt);
    if text.trim().is_empty() {
        return Err(empty_prompt());
    }
    let (workflow, after) = begin(runtime, session, text).await?;
    session.begins_work_on(&workflow);
    let follow = Box::pin(follow(runtime, session, client, &workflow, after));
    match lease.cancelled.run_until_cancelled(follow).await {
        Some(outcome) => outcome,
        None => {
            // A workflow that ended a moment ago refuses, which is as good.
            if let Err(error) = runtime.cancel(&workflow).await {
                tracing::debug!(%workflow, %error, "not cancelled");
            }
            Ok(StopReason::Cancelled)
        }
    }
}

/// Begins a workflow, or gives feedback to the one that waits for it.
async fn begin(runtime: &Runtime, session: &Session, text: String) -> Result<(WorkflowId, Seq), Error> {
    let awaiting = lock(&session.awaiting).take();
    if let Some((workflow, after)) = awaiting {
        let decision = Decision::Modify {
            feedback: text.clone(),
        };
        match runtime.decide(&workflow, None, decision).await {
            Ok(()) => return Ok((workflow, after)),
            // Somebody else has answered meanwhile: the text is a new request.
            Err(error) => tracing::debug!(%workflow, %error, "feedback came too late"),
        }
    }
    let workspace = session.cwd.to_string_lossy().into_owned();
    let submission = Submission {
        workflow_type: WORKFLOW_TYPE.to_owned(),
        query: text,
        correlation: None,
        workspace: Some(workspace),
    };
    let (workflow, _) = runtime.submit(submission).await?;
    Ok((workflow, Seq::default()))
}

async fn follow(
    runtime: &Runtime,
    session: &Session,
    client: &Client,
    workflow: &WorkflowId,
    after: Seq,
) -> Result<StopReason, Error> {
    let mut watch = runtime.watch(workflow, after).await?;
    let state = runtime.state(workflow).await?;
    let journal = runtime.services().journal.clone();
    // An update in delta form needs no text from before, so none is read.
    let mut streaming = match client.wish {
        Wish::Updates => Some(Presenter::new(journal.clone(), watch.head().clone(), Mode::Delta)),
        Wish::Nothing => None,
    };
    let mut updates = Updates::new(journal, session.cwd.clone(), &state);
    while let Some(update) = watch.next().await? {
        let Update::Event(mut recorded) = update else {
            continue;
        };
        loop {
            if let Some(presenter) = &mut streaming
                && matches!(recorded.event, Event::Streamed(_))
            {
                client.stream(presenter.envelope(&recorded).await?);
            }
            for update in updates.of(&recorded.event).await? {
                client.tell(update);
            }
            if !matches!(
                recorded.event,
                Event::DecisionRequested | Event::HelpRequested { .. }
            ) {
                break;
            }
            // Another client may answer first; then the question is moot here.
            let next = tokio::select! {
                biased;
                next = watch.next() => next?,
                answer = client.ask(updates.question(&recorded.event)) => {
                    match answer {
                        Some(Answer::Accept) => decide(runtime, workflow, Decision::Accept(Selection::All)).await?,
                        Some(Answer::Reject) => decide(runtime, workflow, Decision::Reject { feedback: None }).await?,
                        Some(Answer::Modify) => {
                            *lock(&session.awaiting) = Some((workflow.clone(), recorded.seq));
                            client.tell(updates::say("What should be changed? Your next message is the feedback."));
                            return Ok(StopReason::EndTurn);
                        }
                        None => {
                            *lock(&session.awaiting) = Some((workflow.clone(), recorded.seq));
                            return Ok(StopReason::Cancelled);
                        }
                    }
                    break;
                }
            };
            match next {
                Some(Update::Event(later)) => recorded = later,
                Some(Update::Resync { .. }) | None => break,
            }
        }
    }
    Ok(StopReason::EndTurn)
}

/// Somebody else's answer that came first stands.
async fn decide(runtime: &Runtime, workflow: &WorkflowId, decision: Decision) -> Result<(), Error> {
    match runtime.decide(workflow, None, decision).await {
        Err(error) if error.code == shared::error::Code::DecisionNotPending => Ok(()),
        outcome => outcome,
    }
}
