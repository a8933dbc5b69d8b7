//! The Agent Client Protocol, version 1 (stable).
//!
//! Owns sessions and turns. A session outlives its connection; the workflow
//! behind a turn outlives both, because it lives in the journal. The SDK
//! changes often, so nothing outside this module names it.

pub mod stdio;
mod steering;
mod streaming;
mod text;
mod turn;
mod updates;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use agent_client_protocol::{
    Agent, Client, ConnectTo, Error as AcpError, ErrorCode, on_receive_notification, on_receive_request,
    v1::schema::{
        AgentCapabilities, AuthMethod, AuthMethodAgent, AuthenticateRequest, AuthenticateResponse,
        CancelNotification, Implementation, InitializeRequest, InitializeResponse, NewSessionRequest,
        NewSessionResponse, PromptCapabilities, PromptRequest, PromptResponse, SessionId, StopReason,
    },
};
use agent_client_protocol_http::{AcpHttpServer, CorsOptions, ServerOptions};
use axum::Router;
use shared::{
    error::{Class, Code},
    version::VERSION,
};

use crate::{error::Error, runtime::Runtime};

/// Sessions that are kept; the oldest without a turn is forgotten beyond that.
const SESSIONS_MAX: usize = 1_000;

/// All sessions of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    runtime: Runtime,
    sessions: Mutex<HashMap<String, Arc<turn::Session>>>,
}

impl Hub {
    /// A hub over `runtime`.
    pub fn new(runtime: Runtime) -> Self {
        Self(Arc::new(Inner {
            runtime,
            sessions: Mutex::default(),
        }))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Arc<turn::Session>>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, cwd: PathBuf) -> Result<SessionId, AcpError> {
        if !cwd.is_absolute() {
            return Err(invalid(&format!(
                "cwd `{}` is not an absolute path",
                cwd.display()
            )));
        }
        if !cwd.is_dir() {
            return Err(invalid(&format!("cwd `{}` is not a directory", cwd.display())));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let mut sessions = self.sessions();
        if sessions.len() >= SESSIONS_MAX {
            // Ids are ordered by time.
            let idle = sessions
                .iter()
                .filter(|(_, session)| session.is_idle())
                .map(|(id, _)| id)
                .min()
                .cloned();
            match idle {
                Some(oldest) => drop(sessions.remove(&oldest)),
                None => return Err(AcpError::internal_error().data("too many sessions have a running turn")),
            }
        }
        sessions.insert(id.clone(), Arc::new(turn::Session::new(cwd)));
        Ok(SessionId::new(id))
    }

    fn session(&self, id: &SessionId) -> Result<Arc<turn::Session>, AcpError> {
        let known = self.sessions().get(&*id.0).cloned();
        known.ok_or_else(|| {
            AcpError::new(
                ErrorCode::RESOURCE_NOT_FOUND,
                format!("there is no session `{id}` in this process"),
            )
        })
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("sessions", &self.sessions().len())
            .finish()
    }
}

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
pub(crate) fn agent(hub: Hub) -> impl ConnectTo<Client> {
    let (opener, prompter, steerer, canceller) = (hub.clone(), hub.clone(), hub.clone(), hub);
    // Capabilities belong to the connection, and the first answer stands.
    let wished: Arc<OnceLock<streaming::Wish>> = Arc::default();
    let wish = wished.clone();
    Agent
        .v1()
        .name("agentic-ide")
        .on_receive_request(
            async move |request: InitializeRequest, responder, _cx| {
                wished.get_or_init(|| streaming::wish(&request));
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
            async move |request: NewSessionRequest, responder, _cx| match opener.open(request.cwd) {
                Ok(id) => responder.respond(NewSessionResponse::new(id)),
                Err(error) => responder.respond_with_error(error),
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: PromptRequest, responder, cx| {
                let session = match prompter.session(&request.session_id) {
                    Ok(session) => session,
                    Err(error) => return responder.respond_with_error(error),
                };
                let runtime = prompter.0.runtime.clone();
                let Some(lease) = session.begin() else {
                    return cx.spawn(async move {
                        let steered = steering::steer(&runtime, &session, &request.prompt).await;
                        let answered = match steered {
                            Ok(Some(workflow)) => {
                                let answer = PromptResponse::new(StopReason::EndTurn);
                                responder.respond(answer.meta(steering::told(&workflow)))
                            }
                            Ok(None) => responder.respond_with_error(
                                AcpError::invalid_request()
                                    .data("the turn of this session is ending: send the prompt again"),
                            ),
                            Err(error) => responder.respond_with_error(acp_error(&error)),
                        };
                        gone(answered);
                        Ok(())
                    });
                };
                // The turn must not run in the dispatch loop, or its own cancel
                // would never be read; and an error returned from a spawned task
                // would end the whole connection.
                let task_cx = cx.clone();
                let wish = wish.get().copied().unwrap_or_default();
                cx.spawn(async move {
                    let client = turn::Client::new(task_cx, request.session_id.clone(), wish);
                    let outcome =
                        Box::pin(turn::run(&runtime, &session, &lease, &client, &request.prompt)).await;
                    let answered = match outcome {
                        Ok(stop) => responder.respond(PromptResponse::new(stop)),
                        Err(_) if lease.is_cancelled() => {
                            responder.respond(PromptResponse::new(StopReason::Cancelled))
                        }
                        Err(error) => responder.respond_with_error(acp_error(&error)),
                    };
                    gone(answered);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: steering::Steer, responder, cx| {
                let session = match steerer.session(&request.session) {
                    Ok(session) => session,
                    Err(error) => return responder.respond_with_error(error),
                };
                let runtime = steerer.0.runtime.clone();
                cx.spawn(async move {
                    let steered = steering::steer(&runtime, &session, &request.prompt).await;
                    gone(match steered {
                        Ok(workflow) => responder.respond(steering::Steered::of(workflow.as_ref())),
                        Err(error) => responder.respond_with_error(acp_error(&error)),
                    });
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_notification(
            async move |notification: CancelNotification, _cx| {
                if let Ok(session) = canceller.session(&notification.session_id) {
                    session.cancel();
                }
                Ok(())
            },
            on_receive_notification!(),
        )
}

/// A client that went away is no error: the workflow goes on without it.
fn gone(answered: Result<(), AcpError>) {
    if let Err(error) = answered {
        tracing::debug!(%error, "the client was gone before it was answered");
    }
}

fn initialize(request: &InitializeRequest) -> InitializeResponse {
    let prompts = PromptCapabilities::new().embedded_context(true);
    // The access guard has seen the token already; registries expect a method
    // that every client can use.
    let method = AuthMethodAgent::new("local", "This machine").description("No credentials are needed.");
    InitializeResponse::new(request.protocol_version)
        .agent_info(Implementation::new("agentic-ide", VERSION).title("Agentic IDE"))
        .agent_capabilities(
            AgentCapabilities::new()
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
