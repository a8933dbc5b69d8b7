//! Methods of our own, `_agentic_ide/…`: workflows as every other interface
//! shows them, and a session from a position on.

use agent_client_protocol::{
    Error as AcpError, JsonRpcRequest, JsonRpcResponse,
    v1::{
        Responder,
        schema::{ResumeSessionResponse, SessionId},
    },
};
use serde::{Deserialize, Serialize};
use shared::wire::{
    SessionPosition, SessionReplayRequest, WorkflowDecideRequest, WorkflowGetRequest, WorkflowListRequest,
    WorkflowPage, WorkflowView,
};

use super::{
    acp_error,
    client::Peer,
    connection::Connection,
    invalid,
    session::{At, Came, Mark, Session},
    setup::{self, Chosen, Open},
};
use crate::{
    edge::{convert, rest},
    error::Error,
    present,
    runtime::Runtime,
};

/// Their names, below the vendor's.
pub(super) const METHODS: [&str; 4] = [
    "workflow/get",
    "workflow/list",
    "workflow/decide",
    "session/replay",
];

/// Asks for a workflow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcRequest)]
#[request(method = "_agentic_ide/workflow/get", response = Got)]
#[serde(transparent)]
pub(super) struct Get(WorkflowGetRequest);

/// As `GET /api/workflow/{id}` has it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcResponse)]
#[serde(transparent)]
pub(super) struct Got(WorkflowView);

/// Asks for workflows, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcRequest)]
#[request(method = "_agentic_ide/workflow/list", response = Listed)]
#[serde(transparent)]
pub(super) struct List(WorkflowListRequest);

/// As `GET /api/workflows` has it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcResponse)]
#[serde(transparent)]
pub(super) struct Listed(WorkflowPage);

/// Answers the question of a workflow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcRequest)]
#[request(method = "_agentic_ide/workflow/decide", response = Done)]
#[serde(transparent)]
pub(super) struct Decide(WorkflowDecideRequest);

/// It is done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcResponse)]
pub(super) struct Done {}

/// Asks for everything in a session after a position.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcRequest)]
#[request(method = "_agentic_ide/session/replay", response = ResumeSessionResponse)]
#[serde(transparent)]
pub(super) struct Replay(SessionReplayRequest);

pub(super) async fn get(connection: &Connection, request: &Get) -> Result<Got, AcpError> {
    connection.admit()?;
    let runtime = connection.hub().runtime();
    let got = async {
        let id = convert::workflow_id(&request.0.workflow_id)?;
        let state = runtime.state(&id).await?;
        present::view(runtime.services().journal.as_ref(), &state).await
    };
    got.await.map(Got).map_err(|error: Error| acp_error(&error))
}

pub(super) async fn list(connection: &Connection, request: &List) -> Result<Listed, AcpError> {
    connection.admit()?;
    let List(WorkflowListRequest { limit, cursor }) = request;
    let page = rest::page(connection.hub().runtime(), *limit, cursor.as_deref()).await;
    page.map(Listed).map_err(|error| acp_error(&error))
}

pub(super) async fn decide(connection: &Connection, request: Decide) -> Result<Done, AcpError> {
    connection.admit()?;
    let Decide(WorkflowDecideRequest {
        workflow_id,
        decision,
    }) = request;
    let decided = async {
        let id = convert::workflow_id(&workflow_id)?;
        let decision = convert::decision(decision)?;
        connection.hub().runtime().decide(&id, None, decision).await
    };
    decided.await.map_err(|error: Error| acp_error(&error))?;
    Ok(Done {})
}

/// Tells the client what came after a position, then answers as a resume does,
/// and then goes on telling it.
pub(super) async fn replay(
    connection: &Connection,
    peer: &Peer,
    request: &Replay,
    responder: Responder<ResumeSessionResponse>,
) {
    let followed = followed(connection, peer, &request.0).await;
    setup::welcome(connection, followed, responder, |_, Chosen { modes, options }| {
        ResumeSessionResponse::new().modes(modes).config_options(options)
    });
}

pub(super) async fn followed(
    connection: &Connection,
    peer: &Peer,
    request: &SessionReplayRequest,
) -> Result<Open, AcpError> {
    connection.admit()?;
    let id = SessionId::new(request.session_id.as_str());
    let session = connection.hub().open(&id).await?;
    let end = setup::up_to_date(connection, &session).await?;
    let from = match &request.after {
        Some(after) => mark(connection.hub().runtime(), &session, after).await?,
        None => At::default().into(),
    };
    let follower = setup::replay(connection, peer, &session, from, end).await?;
    Ok((session, follower))
}

/// The place of a position, which must be one of this session.
async fn mark(runtime: &Runtime, session: &Session, after: &SessionPosition) -> Result<Mark, AcpError> {
    let Some((entry, request)) = session.place_of(&after.correlation_id) else {
        let message = format!("request `{}` is none of this session", after.correlation_id);
        return Err(invalid(&message));
    };
    if let Came::Workflow(workflow) = &request.came {
        let head = runtime.services().journal.head(workflow.clone()).await;
        let head = head.map_err(|error| acp_error(&error.into()))?;
        if let Some(head) = head.filter(|head| head.head < after.seq) {
            let message = format!(
                "the last event of workflow `{workflow}` is {}; {} is beyond it: drop what you have and replay all",
                head.head, after.seq
            );
            return Err(invalid(&message));
        }
    }
    Ok(Mark {
        at: At {
            entry,
            seq: after.seq,
        },
        parts: after.part.unwrap_or(u32::MAX),
    })
}
