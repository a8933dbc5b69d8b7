//! Terminals of a client: programs that it starts and shows.

use std::{path::Path, time::Duration};

use agent_client_protocol::{
    JsonRpcRequest,
    v1::{
        ConnectionTo,
        schema::{
            CreateTerminalRequest, KillTerminalRequest, ReleaseTerminalRequest, TerminalId,
            WaitForTerminalExitRequest,
        },
    },
};
use tokio::time::timeout;

use super::{Client, ClientRole, Way};

/// Longest wait for a terminal: a client may ask its person first.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for anything else of one.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Client {
    /// Starts a program in a new terminal; none where the client does not.
    pub(in crate::edge::acp) async fn create_terminal(
        &self,
        command: &Path,
        arguments: &[String],
        cwd: &Path,
    ) -> Option<TerminalId> {
        let command = command.to_str()?;
        let request = CreateTerminalRequest::new(self.session.clone(), command)
            .args(arguments.to_vec())
            .cwd(cwd.to_owned());
        let created = self.request(request, CREATE_TIMEOUT).await?;
        Some(created.terminal_id)
    }

    /// Waits until its program has ended, for a while.
    pub(in crate::edge::acp) async fn wait_for_exit(&self, id: &TerminalId) {
        let request = WaitForTerminalExitRequest::new(self.session.clone(), id.clone());
        self.request(request, TIMEOUT).await;
    }

    /// Ends its program.
    pub(in crate::edge::acp) async fn kill_terminal(&self, id: &TerminalId) {
        let request = KillTerminalRequest::new(self.session.clone(), id.clone());
        self.request(request, TIMEOUT).await;
    }

    /// Needs it no more. What it shows stays where it is shown.
    pub(in crate::edge::acp) async fn release_terminal(&self, id: &TerminalId) {
        let request = ReleaseTerminalRequest::new(self.session.clone(), id.clone());
        self.request(request, TIMEOUT).await;
    }

    /// Asks for something of a terminal; none where that fails or takes too long.
    async fn request<R: JsonRpcRequest>(&self, request: R, longest: Duration) -> Option<R::Response> {
        let cx: &ConnectionTo<ClientRole> = match &self.way {
            Way::One(cx) => cx,
            Way::Two(_) => return None,
        };
        match timeout(longest, cx.send_request(request).block_task()).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a terminal of the client is not to be had");
                None
            }
            Err(_elapsed) => {
                tracing::debug!("the client says nothing of a terminal");
                None
            }
        }
    }
}
