//! A prompt of version 2. It is answered as soon as what was said has its place
//! in the session; what comes of it is told as the session's state.

use agent_client_protocol::{
    Error as AcpError,
    v1::schema as one,
    v2::{Responder, schema as two},
};
use shared::id::{Seq, WorkflowId};

use super::{
    super::{
        acp_error,
        client::Peer,
        connection::Connection,
        gone, invalid,
        prompt::{self, Taken},
        text,
        turn::{Origin, Turn},
    },
    updates, words,
};

/// Takes a prompt, answers it, and does what it asks for.
pub(super) async fn prompt(
    connection: &Connection,
    peer: &Peer,
    request: &two::PromptRequest,
    responder: Responder<two::PromptResponse>,
) {
    if let Err((responder, error)) = take(connection, peer, request, responder).await {
        gone(responder.respond_with_error(error));
    }
}

/// An answer that was not given yet, and what to say.
type Refused = (Responder<two::PromptResponse>, AcpError);

async fn take(
    connection: &Connection,
    peer: &Peer,
    request: &two::PromptRequest,
    responder: Responder<two::PromptResponse>,
) -> Result<(), Refused> {
    let ready = async {
        connection.admit()?;
        let id = one::SessionId::new(&*request.session_id.0);
        let session = connection.hub().open(&id).await?;
        let blocks = blocks(&request.prompt)?;
        let said = text::of(&blocks, &session.cwd, &session.folders()).and_then(text::usable);
        let said = said.map_err(|error| acp_error(&error))?;
        let follower = connection.attend(peer, &session).await?;
        Ok::<_, AcpError>((session, said, follower))
    };
    let (session, said, follower) = match ready.await {
        Ok(ready) => ready,
        Err(error) => return Err((responder, error)),
    };
    let accept = |responder: Responder<two::PromptResponse>, id: two::MessageId| {
        gone(responder.respond(two::PromptResponse::new(id)));
    };
    let text = said.text.clone();
    let lease = match prompt::take(connection, &session, &follower, &said).await {
        Ok(Taken::Turn(lease)) => lease,
        Ok(Taken::Told(workflow, after)) => {
            let id = words_of(connection, &workflow, after, &text).await;
            accept(responder, id.unwrap_or_else(updates::own_message));
            return Ok(());
        }
        Err(error) => return Err((responder, error)),
    };
    let turn = Turn {
        connection,
        session: &session,
        lease: &lease,
        follower: follower.clone(),
    };
    let about = match Box::pin(turn.begin(said)).await {
        Ok(about) => about,
        Err(error) => return Err((responder, acp_error(&error))),
    };
    let known = match about.as_ref().map(|about| &about.origin) {
        Some(Origin::Entry(place)) => session
            .key_of(*place)
            .map(|key| two::MessageId::new(key.as_str())),
        Some(Origin::Words(workflow, after)) => words_of(connection, workflow, *after, &text).await,
        Some(Origin::Nowhere) | None => None,
    };
    // What has no place in the journal is told here, and not again.
    let echoed = || follower.echo(&text).map(two::MessageId::new);
    accept(
        responder,
        known.or_else(echoed).unwrap_or_else(updates::own_message),
    );
    if let Some(about) = about
        && let Err(error) = Box::pin(turn.finish(about)).await
    {
        tracing::warn!(%error, code = %error.code, session = %session.id, "a turn broke off");
    }
    Ok(())
}

/// The message that words became.
async fn words_of(
    connection: &Connection,
    workflow: &WorkflowId,
    after: Seq,
    text: &str,
) -> Option<two::MessageId> {
    let found = words::find(connection.hub().runtime(), workflow, after, text).await;
    found.unwrap_or_else(|error| {
        tracing::warn!(%error, code = %error.code, %workflow, "words are not found again");
        None
    })
}

/// The blocks of a prompt as version 1 has them.
fn blocks(blocks: &[two::ContentBlock]) -> Result<Vec<one::ContentBlock>, AcpError> {
    blocks.iter().map(block).collect()
}

fn block(block: &two::ContentBlock) -> Result<one::ContentBlock, AcpError> {
    // What both have is the same in both.
    let same = serde_json::to_value(block).and_then(serde_json::from_value);
    same.map_err(|_| invalid("the prompt has content of an unknown kind"))
}
