//! Terminals that the client itself has: in each it runs this program, which
//! follows what a check prints. That takes a client on this machine.

use std::path::PathBuf;

use agent_client_protocol::v1::schema::{TerminalId, ToolCallContent};
use engine::{Phase, State};
use shared::id::{StageId, WorkflowId};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{super::client::Client, Ended};
use crate::{runtime::Runtime, spool::Spool};

/// Opens terminals of one client, for one workflow.
pub(in crate::edge::acp) struct Opener {
    pub(in crate::edge::acp) client: Client,
    pub(in crate::edge::acp) runtime: Runtime,
    /// Cancelled when the client may be asked.
    pub(in crate::edge::acp) ready: CancellationToken,
    pub(in crate::edge::acp) workflow: WorkflowId,
    pub(in crate::edge::acp) cwd: PathBuf,
    /// Whether the client has refused one: it is asked no more.
    pub(in crate::edge::acp) is_refused: bool,
}

impl Opener {
    /// A terminal for what a stage prints. None where the client refuses it, and
    /// for what is told later than it happened.
    pub(in crate::edge::acp) async fn open(&mut self, stage: &StageId) -> Option<Own> {
        if self.is_refused || !self.ready.is_cancelled() {
            return None;
        }
        let state = self.runtime.state(&self.workflow).await.ok()?;
        if !runs(&state, stage) {
            return None;
        }
        let opened = self.create().await;
        self.is_refused = opened.is_none();
        opened
    }

    async fn create(&self) -> Option<Own> {
        let program = std::env::current_exe().ok()?;
        let spool = Spool::create(&self.runtime.services().data_dir).await;
        let spool = spool
            .inspect_err(|error| tracing::warn!(%error, "a terminal cannot be fed"))
            .ok()?;
        let arguments = spool.arguments();
        let id = self
            .client
            .create_terminal(&program, &arguments, &self.cwd)
            .await?;
        let client = self.client.clone();
        Some(Own(Some(Box::new(Open { client, id, spool }))))
    }
}

/// Whether a stage runs now, in the workflow or in a part of it.
fn runs(state: &State, stage: &StageId) -> bool {
    matches!(&state.phase, Phase::Running(running) if running.stage == *stage)
        || state.lanes.values().any(|lane| runs(lane, stage))
}

/// A terminal of the client. One that is dropped before its end is killed.
pub(in crate::edge::acp) struct Own(Option<Box<Open>>);

struct Open {
    client: Client,
    id: TerminalId,
    spool: Spool,
}

impl Own {
    /// The terminal, as part of what a tool call shows.
    pub(in crate::edge::acp) fn content(&self) -> Option<ToolCallContent> {
        let open = self.0.as_ref()?;
        Some(super::content(&open.id.0))
    }

    /// Something is printed.
    pub(in crate::edge::acp) async fn print(&mut self, text: &str) {
        let Some(open) = &mut self.0 else { return };
        if let Err(error) = open.spool.print(text).await {
            tracing::warn!(%error, "a terminal shows no more");
            drop(Self(self.0.take()));
        }
    }

    /// Nothing is printed any more.
    pub(in crate::edge::acp) fn end(mut self, ended: Ended) {
        let Some(mut open) = self.0.take() else { return };
        tokio::spawn(async move {
            if let Err(error) = open.spool.end(ended.code()).await {
                tracing::warn!(%error, "a terminal does not say how it ended");
            }
            open.client.wait_for_exit(&open.id).await;
            open.client.release_terminal(&open.id).await;
        });
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let (Some(open), Ok(runtime)) = (self.0.take(), Handle::try_current()) else {
            return;
        };
        runtime.spawn(async move {
            open.client.kill_terminal(&open.id).await;
            open.client.release_terminal(&open.id).await;
        });
    }
}
