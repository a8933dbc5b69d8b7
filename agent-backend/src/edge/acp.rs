//! The Agent Client Protocol, version 1 (stable).
//!
//! Owns connections, and the sessions that they follow while they last. What
//! lasts is in the journal: sessions, what was asked in them, and workflows. The SDK
//! changes often, so nothing outside this module names it.

mod client;
mod connection;
mod follower;
mod hub;
mod listing;
mod session;
pub mod stdio;
mod steering;
mod streaming;
mod text;
mod turn;
mod updates;

use std::{path::Path, sync::Arc};

use agent_client_protocol::{
    Agent, Client, ConnectTo, Error as AcpError, JsonRpcResponse, on_receive_notification,
    on_receive_request,
    v1::{
        ConnectionTo, Responder,
        schema::{
            AgentCapabilities, AuthMethod, AuthMethodAgent, AuthenticateRequest, AuthenticateResponse,
            CancelNotification, CloseSessionRequest, CloseSessionResponse, DeleteSessionRequest,
            DeleteSessionResponse, Implementation, InitializeRequest, InitializeResponse,
            ListSessionsRequest, LoadSessionRequest, LoadSessionResponse, NewSessionRequest,
            NewSessionResponse, PromptCapabilities, PromptRequest, PromptResponse, ResumeSessionRequest,
            ResumeSessionResponse, SessionCapabilities, SessionCloseCapabilities, SessionDeleteCapabilities,
            SessionId, SessionListCapabilities, SessionResumeCapabilities, StopReason,
        },
    },
};
use agent_client_protocol_http::{AcpHttpServer, CorsOptions, ServerOptions};
use axum::Router;
pub use hub::Hub;
use shared::{
    error::{Class, Code},
    version::VERSION,
};

use self::{
    connection::Connection,
    session::{At, Session},
};
use crate::error::Error;

fn invalid(message: &str) -> AcpError {
    AcpError::invalid_params().data(message)
}

/// Our error as the protocol's, with the code where a client can read it.
fn acp_error(error: &Error) -> AcpError {
    let base = match error.class {
        Class::User => AcpError::invalid_params(),
        Class::Transient | Class::Permanent | Class::Fatal => AcpError::internal_error(),
    };
    base.data(serde_json::json!({ "code": error.code.as_str(), "message": error.message }))
}

/// `/acp`: WebSocket and streamable HTTP.
pub(super) fn routes(hub: &Hub) -> Router {
    let hub = hub.clone();
    // Origins are judged by the guard in front of every route.
    let options = ServerOptions::default()
        .with_cors(CorsOptions::allow_any_origin())
        .with_health_endpoint(false);
    AcpHttpServer::new(move || agent(hub.clone()))
        .with_options(options)
        .into_router()
}

/// The agent's side of one connection.
///
/// What takes time must not run in the dispatch loop, or the cancel of it would
/// never be read.
pub(crate) fn agent(hub: Hub) -> impl ConnectTo<Client> {
    let connection = Connection::new(hub);
    let to = || connection.clone();
    let (meeter, opener, loader, resumer, lister) = (to(), to(), to(), to(), to());
    let (closer, deleter, prompter, steerer, canceller) = (to(), to(), to(), to(), to());
    Agent
        .v1()
        .name("agentic-ide")
        .on_receive_request(
            async move |request: InitializeRequest, responder, _cx| {
                meeter.meet(&request);
                responder.respond(initialize(&request))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |_: AuthenticateRequest, responder, _cx| {
                responder.respond(AuthenticateResponse::new())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: NewSessionRequest, responder, cx| {
                let (connection, to) = (opener.clone(), cx.clone());
                cx.spawn(async move {
                    begin(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: LoadSessionRequest, responder, cx| {
                let (connection, to) = (loader.clone(), cx.clone());
                cx.spawn(async move {
                    load(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ResumeSessionRequest, responder, cx| {
                let (connection, to) = (resumer.clone(), cx.clone());
                cx.spawn(async move {
                    resume(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ListSessionsRequest, responder, cx| {
                let connection = lister.clone();
                cx.spawn(async move {
                    answer(
                        responder,
                        listing::page(connection.hub().runtime(), &request).await,
                    );
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: CloseSessionRequest, responder, cx| {
                let connection = closer.clone();
                cx.spawn(async move {
                    answer(responder, close(&connection, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: DeleteSessionRequest, responder, cx| {
                let connection = deleter.clone();
                cx.spawn(async move {
                    let deleted = connection.hub().delete(&request.session_id).await;
                    answer(responder, deleted.map(|()| DeleteSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: PromptRequest, responder, cx| {
                let (connection, to) = (prompter.clone(), cx.clone());
                cx.spawn(async move {
                    prompt(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: steering::Steer, responder, cx| {
                let (connection, to) = (steerer.clone(), cx.clone());
                cx.spawn(async move {
                    answer(responder, steer(&connection, &to, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_notification(
            async move |notification: CancelNotification, cx| {
                let connection = canceller.clone();
                cx.spawn(async move {
                    // Nothing runs in a session that nobody uses here.
                    if let Ok(session) = connection.hub().open(&notification.session_id).await {
                        session.cancel(connection.hub().runtime()).await;
                    }
                    Ok(())
                })
            },
            on_receive_notification!(),
        )
}

async fn begin(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &NewSessionRequest,
    responder: Responder<NewSessionResponse>,
) {
    let begun = async {
        one_folder(&request.additional_directories)?;
        connection.hub().begin(&request.cwd).await
    };
    match begun.await {
        Ok(session) => {
            let id = SessionId::new(session.id.as_str());
            gone(responder.respond(NewSessionResponse::new(id)));
            attend(connection, cx, &session, At::default());
        }
        Err(error) => gone(responder.respond_with_error(error)),
    }
}

/// Tells the client everything that has happened in a session, then answers, and
/// then goes on telling it.
async fn load(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &LoadSessionRequest,
    responder: Responder<LoadSessionResponse>,
) {
    let loaded = async {
        one_folder(&request.additional_directories)?;
        let (session, end) = there(connection, &request.session_id, &request.cwd).await?;
        let follower = connection.follow(cx, &session, At::default())?;
        // Where it ends before, the rest is not to be had.
        let mut place = follower.place.clone();
        let told = place.wait_for(|place| place.at >= end).await.is_ok();
        Ok((follower, told))
    };
    match loaded.await {
        Ok((follower, true)) => {
            gone(responder.respond(LoadSessionResponse::new()));
            follower.may_ask();
        }
        Ok((_, false)) => gone(responder.respond_with_error(
            AcpError::internal_error().data("the session could not be told to its end; the log says why"),
        )),
        Err(error) => gone(responder.respond_with_error(error)),
    }
}

async fn resume(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &ResumeSessionRequest,
    responder: Responder<ResumeSessionResponse>,
) {
    let resumed = async {
        one_folder(&request.additional_directories)?;
        there(connection, &request.session_id, &request.cwd).await
    };
    match resumed.await {
        Ok((session, end)) => {
            gone(responder.respond(ResumeSessionResponse::new()));
            attend(connection, cx, &session, end);
        }
        Err(error) => gone(responder.respond_with_error(error)),
    }
}

/// Follows a session whose client was answered.
fn attend(connection: &Connection, cx: &ConnectionTo<Client>, session: &Arc<Session>, from: At) {
    match connection.follow(cx, session, from) {
        Ok(follower) => follower.may_ask(),
        Err(error) => tracing::warn!(session = %session.id, ?error, "a client is not told of its session"),
    }
}

/// A session that is there, up to date, and the place after all that has
/// happened in it.
async fn there(connection: &Connection, id: &SessionId, cwd: &Path) -> Result<(Arc<Session>, At), AcpError> {
    let folder = listing::folder(cwd)?;
    let session = connection.hub().open(id).await?;
    if !is_same(&session.cwd, Path::new(&folder)) {
        let message = format!(
            "the session is about `{}`, not about `{folder}`",
            session.cwd.display()
        );
        return Err(invalid(&message));
    }
    let runtime = connection.hub().runtime();
    let read = async {
        session.refresh(runtime).await?;
        session.end(runtime).await
    };
    let end = read.await.map_err(|error| acp_error(&error))?;
    Ok((session, end))
}

/// Whether two paths are of one folder; one that is gone has its name alone.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn one_folder(others: &[std::path::PathBuf]) -> Result<(), AcpError> {
    match others {
        [] => Ok(()),
        _ => Err(invalid(
            "a session has one folder: additional directories are not supported",
        )),
    }
}

/// The last who closes a session stops what goes on in it.
async fn close(
    connection: &Connection,
    request: &CloseSessionRequest,
) -> Result<CloseSessionResponse, AcpError> {
    let session = connection.hub().open(&request.session_id).await?;
    let runs_here = session.is_run_by(connection.id());
    let own = usize::from(connection.follower(&session).is_some());
    let is_last = session.followers() <= own;
    connection.leave(&session.id);
    if runs_here || is_last {
        session.cancel(connection.hub().runtime()).await;
    }
    Ok(CloseSessionResponse::new())
}

async fn prompt(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &PromptRequest,
    responder: Responder<PromptResponse>,
) {
    let cancellation = responder.cancellation();
    let answered = async {
        let session = connection.hub().open(&request.session_id).await?;
        let follower = connection.attend(cx, &session).await?;
        let Some(lease) = session.begin(connection.id()) else {
            let runtime = connection.hub().runtime();
            return match steering::steer(runtime, &session, &follower, &request.prompt).await {
                Ok(Some(workflow)) => {
                    Ok(PromptResponse::new(StopReason::EndTurn).meta(steering::told(&workflow)))
                }
                Ok(None) => Err(AcpError::invalid_request()
                    .data("the turn of this session is ending: send the prompt again")),
                Err(error) => Err(acp_error(&error)),
            };
        };
        let turn = turn::run(connection, &session, &lease, follower, &request.prompt);
        let withdrawn = async {
            cancellation.cancelled().await;
            lease.cancel();
            std::future::pending().await
        };
        let outcome = tokio::select! {
            outcome = Box::pin(turn) => outcome,
            never = withdrawn => never,
        };
        match outcome {
            Ok(stop) => Ok(PromptResponse::new(stop)),
            Err(_) if lease.is_cancelled() => Ok(PromptResponse::new(StopReason::Cancelled)),
            Err(error) => Err(acp_error(&error)),
        }
    };
    let answered = Box::pin(answered).await;
    answer(responder, answered);
}

async fn steer(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &steering::Steer,
) -> Result<steering::Steered, AcpError> {
    let session = connection.hub().open(&request.session).await?;
    let follower = connection.attend(cx, &session).await?;
    let runtime = connection.hub().runtime();
    let steered = steering::steer(runtime, &session, &follower, &request.prompt).await;
    let workflow = steered.map_err(|error| acp_error(&error))?;
    Ok(steering::Steered::of(workflow.as_ref()))
}

fn answer<T: JsonRpcResponse>(responder: Responder<T>, outcome: Result<T, AcpError>) {
    gone(match outcome {
        Ok(answer) => responder.respond(answer),
        Err(error) => responder.respond_with_error(error),
    });
}

/// A client that went away is no error: the workflow goes on without it.
fn gone(answered: Result<(), AcpError>) {
    if let Err(error) = answered {
        tracing::debug!(%error, "the client was gone before it was answered");
    }
}

fn initialize(request: &InitializeRequest) -> InitializeResponse {
    let prompts = PromptCapabilities::new().embedded_context(true);
    let sessions = SessionCapabilities::new()
        .list(SessionListCapabilities::new())
        .resume(SessionResumeCapabilities::new())
        .close(SessionCloseCapabilities::new())
        .delete(SessionDeleteCapabilities::new());
    // The access guard has seen the token already; registries expect a method
    // that every client can use.
    let method = AuthMethodAgent::new("local", "This machine").description("No credentials are needed.");
    InitializeResponse::new(request.protocol_version)
        .agent_info(Implementation::new("agentic-ide", VERSION).title("Agentic IDE"))
        .agent_capabilities(
            AgentCapabilities::new()
                .load_session(true)
                .session_capabilities(sessions)
                .prompt_capabilities(prompts)
                .meta(streaming::offer()),
        )
        .auth_methods(vec![AuthMethod::Agent(method)])
        .meta(steering::offer())
}

/// A prompt that cannot be used.
fn empty_prompt() -> Error {
    Error::user(
        Code::QueryEmpty,
        "the prompt has no text: say what should be implemented",
    )
}
