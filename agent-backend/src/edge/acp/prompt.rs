//! What a client says in a session: a prompt, which is a turn or words for the
//! turn that runs, and steering.

use std::{sync::Arc, time::Duration};

use agent_client_protocol::{
    Error as AcpError,
    v1::schema::{PromptRequest, PromptResponse, StopReason},
};
use shared::id::{Seq, WorkflowId};
use tokio::time::timeout;

use super::{
    acp_error,
    client::Peer,
    connection::Connection,
    follower::Follower,
    session::{Lease, Session},
    steering,
    text::{self, Said},
    turn::Turn,
};

/// Longest wait for the end of a turn whose work is over.
const TURN_END: Duration = Duration::from_secs(5);

/// What becomes of what was said.
pub(super) enum Taken {
    /// A turn of its own.
    Turn(Lease),
    /// Words for the workflow of the turn that runs, told after this event.
    Told(WorkflowId, Seq),
}

/// Finds the place of what was said. A client may have been told that the work
/// is over a moment before its turn is: the next turn waits for that.
pub(super) async fn take(
    connection: &Connection,
    session: &Arc<Session>,
    follower: &Follower,
    said: &Said,
) -> Result<Taken, AcpError> {
    let runtime = connection.hub().runtime();
    loop {
        if let Some(lease) = session.begin(connection.id()) {
            return Ok(Taken::Turn(lease));
        }
        let words = text::words(said.clone()).map_err(|error| acp_error(&error))?;
        let told = steering::steer(runtime, session, follower, words).await;
        if let Some((workflow, after)) = told.map_err(|error| acp_error(&error))? {
            return Ok(Taken::Told(workflow, after));
        }
        timeout(TURN_END, session.turn_over()).await.map_err(|_| {
            AcpError::invalid_request()
                .data("another turn of this session runs: send the prompt when it is over")
        })?;
    }
}

/// Answers a prompt when its turn is over. `withdrawn` resolves when the client
/// does not want it any more.
pub(super) async fn prompt(
    connection: &Connection,
    peer: &Peer,
    request: &PromptRequest,
    withdrawn: impl Future<Output = ()>,
) -> Result<PromptResponse, AcpError> {
    connection.admit()?;
    let session = connection.hub().open(&request.session_id).await?;
    let said = text::of(&request.prompt, &session.cwd, &session.folders()).and_then(text::usable);
    let said = said.map_err(|error| acp_error(&error))?;
    let follower = connection.attend(peer, &session).await?;
    let lease = match take(connection, &session, &follower, &said).await? {
        Taken::Turn(lease) => lease,
        Taken::Told(workflow, _) => {
            return Ok(PromptResponse::new(StopReason::EndTurn).meta(steering::told(&workflow)));
        }
    };
    let turn = Turn {
        connection,
        session: &session,
        lease: &lease,
        follower,
    };
    let withdrawn = async {
        withdrawn.await;
        lease.cancel();
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = Box::pin(turn.run(said)) => outcome,
        never = withdrawn => never,
    };
    match outcome {
        Ok(stop) => Ok(PromptResponse::new(stop)),
        Err(_) if lease.is_cancelled() => Ok(PromptResponse::new(StopReason::Cancelled)),
        Err(error) => Err(acp_error(&error)),
    }
}

pub(super) async fn steer(
    connection: &Connection,
    peer: &Peer,
    request: &steering::Steer,
) -> Result<steering::Steered, AcpError> {
    connection.admit()?;
    let session = connection.hub().open(&request.session).await?;
    let said = text::of(&request.prompt, &session.cwd, &session.folders()).and_then(text::usable);
    let text = said.and_then(text::words);
    let text = text.map_err(|error| acp_error(&error))?;
    let follower = connection.attend(peer, &session).await?;
    let runtime = connection.hub().runtime();
    let steered = steering::steer(runtime, &session, &follower, text).await;
    let told = steered.map_err(|error| acp_error(&error))?;
    Ok(steering::Steered::of(told.as_ref().map(|(workflow, _)| workflow)))
}
