//! What a client says in a session: a prompt, which is a turn or words for the
//! turn that runs, and steering.

use agent_client_protocol::{
    Error as AcpError,
    v1::schema::{PromptRequest, PromptResponse, StopReason},
};
use shared::error::Code;

use super::{acp_error, client::Peer, connection::Connection, steering, text, turn::Turn};
use crate::error::Error;

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
    let text = text::of(&request.prompt, &session.cwd, &session.folders()).and_then(some_text);
    let text = text.map_err(|error| acp_error(&error))?;
    let follower = connection.attend(peer, &session).await?;
    let Some(lease) = session.begin(connection.id()) else {
        let runtime = connection.hub().runtime();
        return match steering::steer(runtime, &session, &follower, text).await {
            Ok(Some(workflow)) => {
                Ok(PromptResponse::new(StopReason::EndTurn).meta(steering::told(&workflow)))
            }
            Ok(None) => {
                Err(AcpError::invalid_request()
                    .data("the turn of this session is ending: send the prompt again"))
            }
            Err(error) => Err(acp_error(&error)),
        };
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
        outcome = Box::pin(turn.run(text)) => outcome,
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
    let text = text::of(&request.prompt, &session.cwd, &session.folders()).and_then(some_text);
    let text = text.map_err(|error| acp_error(&error))?;
    let follower = connection.attend(peer, &session).await?;
    let runtime = connection.hub().runtime();
    let steered = steering::steer(runtime, &session, &follower, text).await;
    let workflow = steered.map_err(|error| acp_error(&error))?;
    Ok(steering::Steered::of(workflow.as_ref()))
}

/// Refuses a prompt that cannot be used.
pub(super) fn some_text(text: String) -> Result<String, Error> {
    if text.trim().is_empty() {
        let message = "the prompt has no text: say what should be implemented";
        return Err(Error::user(Code::QueryEmpty, message));
    }
    Ok(text)
}
