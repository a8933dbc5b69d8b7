//! The Agent Client Protocol, version 1 (stable) and, for clients that ask for it,
//! version 2 (draft).
//!
//! Owns connections, and the sessions that they follow while they last. What
//! lasts is in the journal: sessions, what was asked in them, and workflows. The SDK
//! changes often, so nothing outside this module names it.

mod answers;
mod called;
mod client;
mod commands;
mod connection;
mod editor;
mod extension;
mod follower;
mod hub;
mod joined;
mod listing;
mod pictures;
mod prompt;
mod servers;
mod session;
mod settings;
mod setup;
mod shelf;
pub mod stdio;
mod steering;
mod streaming;
mod terminal;
mod text;
mod transport;
mod turn;
mod updates;
mod usage;
mod v2;

use std::time::Duration;

use agent_client_protocol::{
    Agent, Client, ConnectTo, Error as AcpError, JsonRpcResponse, Protocol, Responder,
    on_receive_notification, on_receive_request,
    v1::schema::{
        AgentAuthCapabilities, AgentCapabilities, ArchiveSessionRequest, ArchiveSessionResponse, AuthMethod,
        AuthMethodAgent, AuthenticateRequest, AuthenticateResponse, CancelNotification, CloseSessionRequest,
        CloseSessionResponse, DeleteSessionRequest, DeleteSessionResponse, ForkSessionRequest,
        Implementation, InitializeRequest, InitializeResponse, ListSessionsRequest, ListSessionsResponse,
        LoadSessionRequest, LogoutCapabilities, LogoutRequest, LogoutResponse, McpCapabilities,
        NewSessionRequest, PromptCapabilities, PromptRequest, ResumeSessionRequest,
        SessionAdditionalDirectoriesCapabilities, SessionArchiveCapabilities, SessionCapabilities,
        SessionCloseCapabilities, SessionDeleteCapabilities, SessionForkCapabilities, SessionId,
        SessionListCapabilities, SessionResumeCapabilities, SessionStatusCapabilities, SessionStatusRequest,
        SessionStatusResponse, SessionTitleCapabilities, SetSessionConfigOptionRequest,
        SetSessionModeRequest, SetSessionTitleRequest, SetSessionTitleResponse, UnarchiveSessionRequest,
        UnarchiveSessionResponse,
    },
};
use axum::Router;
pub use hub::Hub;
use shared::{error::Class, version::VERSION};
pub use transport::SAME_FILES;

use self::{
    client::{Abilities, Peer},
    connection::Connection,
    follower::Waits,
    settings::Shelf,
};
use crate::{config::ClientServers, error::Error};

/// The one method of authentication.
const AUTH_METHOD: &str = "local";

/// Longest wait of a client that connects for a model server's word on whether its model
/// sees.
const SIGHT_LIMIT: Duration = Duration::from_millis(500);

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
    transport::routes(hub)
}

/// The agent's side of one connection, in the version that its client asks for:
/// the newest of ours that is not newer.
fn agent(connection: &Connection) -> impl ConnectTo<Client> + use<> {
    Agent
        .protocol_router()
        .with_v1(agent_of_one(connection))
        .with_v2(v2::agent(connection))
}

/// The same in version 1.
///
/// What takes time must not run in the dispatch loop, or the cancel of it would
/// never be read.
fn agent_of_one(connection: &Connection) -> impl ConnectTo<Client> + use<> {
    let to = || connection.clone();
    let (meeter, enterer, leaver) = (to(), to(), to());
    let (opener, loader, resumer, lister, closer, deleter) = (to(), to(), to(), to(), to(), to());
    let (getter, pager, decider, replayer) = (to(), to(), to(), to());
    let (moder, optioner, prompter, steerer, canceller) = (to(), to(), to(), to(), to());
    let (forker, titler, archiver, unarchiver, stater) = (to(), to(), to(), to(), to());
    Agent
        .v1()
        .name("agentic-ide")
        .on_receive_request(
            async move |request: InitializeRequest, responder, cx| {
                meeter.meet(Abilities::of(&request, meeter.machine()));
                let connection = meeter.clone();
                cx.spawn(async move {
                    let sees = sees_images(&connection).await;
                    let servers = connection.hub().client_servers();
                    gone(responder.respond(initialize(&request, servers, sees)));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: AuthenticateRequest, responder, _cx| {
                if &*request.method_id.0 != AUTH_METHOD {
                    return responder
                        .respond_with_error(invalid("there is no such method of authentication"));
                }
                enterer.sign_in();
                responder.respond(AuthenticateResponse::new())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |_: LogoutRequest, responder, _cx| {
                leaver.sign_out();
                responder.respond(LogoutResponse::new())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: NewSessionRequest, responder, cx| {
                let (connection, to) = (opener.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    setup::begin(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: LoadSessionRequest, responder, cx| {
                let (connection, to) = (loader.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    setup::load(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ResumeSessionRequest, responder, cx| {
                let (connection, to) = (resumer.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    setup::resume(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ListSessionsRequest, responder, cx| {
                let connection = lister.clone();
                cx.spawn(async move {
                    answer(responder, list(&connection, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: CloseSessionRequest, responder, cx| {
                let connection = closer.clone();
                cx.spawn(async move {
                    let closed = setup::close(&connection, &request.session_id).await;
                    answer(responder, closed.map(|()| CloseSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: DeleteSessionRequest, responder, cx| {
                let connection = deleter.clone();
                cx.spawn(async move {
                    let deleted = delete(&connection, &request.session_id).await;
                    answer(responder, deleted.map(|()| DeleteSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ForkSessionRequest, responder, cx| {
                let (connection, peer) = (forker.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    setup::fork(&connection, &peer, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: SetSessionTitleRequest, responder, cx| {
                let connection = titler.clone();
                cx.spawn(async move {
                    let titled = shelf::set_title(&connection, &request.session_id, &request.title).await;
                    answer(responder, titled.map(SetSessionTitleResponse::new));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: ArchiveSessionRequest, responder, cx| {
                let connection = archiver.clone();
                cx.spawn(async move {
                    let put = shelf::put(&connection, &request.session_id, Shelf::Archive).await;
                    answer(responder, put.map(|()| ArchiveSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: UnarchiveSessionRequest, responder, cx| {
                let connection = unarchiver.clone();
                cx.spawn(async move {
                    let put = shelf::put(&connection, &request.session_id, Shelf::Desk).await;
                    answer(responder, put.map(|()| UnarchiveSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: SessionStatusRequest, responder, cx| {
                let connection = stater.clone();
                cx.spawn(async move {
                    let status = shelf::status(&connection, &request.session_id).await;
                    answer(
                        responder,
                        status.map(|(used, _)| SessionStatusResponse::new(used.into())),
                    );
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: SetSessionModeRequest, responder, cx| {
                let connection = moder.clone();
                cx.spawn(async move {
                    answer(responder, setup::set_mode(&connection, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: SetSessionConfigOptionRequest, responder, cx| {
                let connection = optioner.clone();
                cx.spawn(async move {
                    answer(responder, setup::set_option(&connection, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: PromptRequest, responder, cx| {
                let (connection, to) = (prompter.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    let cancellation = responder.cancellation();
                    let withdrawn = async { cancellation.cancelled().await };
                    let said = Box::pin(prompt::prompt(&connection, &to, &request, withdrawn)).await;
                    answer(responder, said);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: steering::Steer, responder, cx| {
                let (connection, to) = (steerer.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    answer(responder, prompt::steer(&connection, &to, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: extension::Get, responder, cx| {
                let connection = getter.clone();
                cx.spawn(async move {
                    answer(responder, extension::get(&connection, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: extension::List, responder, cx| {
                let connection = pager.clone();
                cx.spawn(async move {
                    answer(responder, extension::list(&connection, &request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: extension::Decide, responder, cx| {
                let connection = decider.clone();
                cx.spawn(async move {
                    answer(responder, extension::decide(&connection, request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: extension::Replay, responder, cx| {
                let (connection, to) = (replayer.clone(), Peer::One(cx.clone()));
                cx.spawn(async move {
                    extension::replay(&connection, &to, &request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_notification(
            async move |notification: CancelNotification, cx| {
                let connection = canceller.clone();
                cx.spawn(async move {
                    cancel(&connection, &notification.session_id).await;
                    Ok(())
                })
            },
            on_receive_notification!(),
        )
}

async fn list(
    connection: &Connection,
    request: &ListSessionsRequest,
) -> Result<ListSessionsResponse, AcpError> {
    connection.admit()?;
    listing::page(connection.hub().runtime(), request).await
}

async fn delete(connection: &Connection, id: &SessionId) -> Result<(), AcpError> {
    connection.admit()?;
    connection.hub().delete(id).await
}

/// Nothing runs in a session that is not there.
async fn cancel(connection: &Connection, id: &SessionId) {
    if let Ok(session) = connection.hub().open(id).await {
        let runtime = connection.hub().runtime();
        session.cancel(runtime).await;
        // The client may have refused to answer first, and so ended its turn.
        session.turn_over().await;
        let follower = connection.follower(&session);
        if follower.is_some_and(|follower| follower.place.borrow().waits == Waits::Others) {
            session.give_up(runtime).await;
        }
    }
}

fn answer<T: JsonRpcResponse, P: Protocol>(responder: Responder<T, P>, outcome: Result<T, AcpError>) {
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

/// Whether prompts may have pictures, as far as that is known soon: whoever connects
/// does not wait for a slow server.
async fn sees_images(connection: &Connection) -> bool {
    let runtime = connection.hub().runtime();
    runtime.sees_images(None, SIGHT_LIMIT).await
}

fn initialize(request: &InitializeRequest, servers: ClientServers, sees: bool) -> InitializeResponse {
    let prompts = PromptCapabilities::new().embedded_context(true).image(sees);
    let sessions = SessionCapabilities::new()
        .list(SessionListCapabilities::new())
        .resume(SessionResumeCapabilities::new())
        .close(SessionCloseCapabilities::new())
        .additional_directories(SessionAdditionalDirectoriesCapabilities::new())
        .delete(SessionDeleteCapabilities::new())
        .fork(SessionForkCapabilities::new())
        .title(SessionTitleCapabilities::new())
        .archive(SessionArchiveCapabilities::new())
        .status(SessionStatusCapabilities::new());
    // The access guard has seen the token already; registries expect a method
    // that every client can use.
    let method = AuthMethodAgent::new(AUTH_METHOD, "This machine").description("No credentials are needed.");
    InitializeResponse::new(request.protocol_version)
        .agent_info(Implementation::new("agentic-ide", VERSION).title("Agentic IDE"))
        .agent_capabilities(
            AgentCapabilities::new()
                .load_session(true)
                .auth(AgentAuthCapabilities::new().logout(LogoutCapabilities::new()))
                .session_capabilities(sessions)
                .prompt_capabilities(prompts)
                .mcp_capabilities(McpCapabilities::new().http(servers != ClientServers::None))
                .meta(streaming::offer()),
        )
        .auth_methods(vec![AuthMethod::Agent(method)])
        .meta(steering::offer())
}
