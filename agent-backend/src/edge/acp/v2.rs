//! Version 2 of the Agent Client Protocol (draft), for a client that asks for it.
//!
//! Owns what differs from version 1: the names of its methods, its types, and
//! that a prompt is answered when it is taken and its end is a state of the
//! session. What a session is and does, it shares with version 1, which never
//! depends on anything here but the client's other side.

mod client;
mod prompt;
mod setup;
mod updates;
mod words;

use agent_client_protocol::{
    Agent, Client as ClientRole, ConnectTo, JsonRpcRequest, on_receive_notification, on_receive_request,
    v1::schema as one, v2::schema as two,
};
pub(super) use client::Client;
use serde::{Deserialize, Serialize};
use shared::{version::VERSION, wire::SessionReplayRequest};

use super::{
    AUTH_METHOD, answer,
    client::{Abilities, Choices, Files, Forms, Notices, Peer},
    connection::Connection,
    extension, gone, invalid, servers,
    settings::{Shelf, Switches},
    shelf, steering, streaming,
    terminal::Terminals,
};
use crate::config::ClientServers;

/// Asks for everything in a session after a position.
#[derive(Debug, Clone, Serialize, Deserialize, JsonRpcRequest)]
#[request(method = "_agentic_ide/session/replay", response = two::ResumeSessionResponse)]
#[serde(transparent)]
struct Replay(SessionReplayRequest);

/// The agent's side of one connection. What takes time must not run in the
/// dispatch loop.
pub(super) fn agent(connection: &Connection) -> impl ConnectTo<ClientRole> + use<> {
    let to = || connection.clone();
    let (meeter, enterer, leaver) = (to(), to(), to());
    let (opener, resumer, lister, closer, deleter) = (to(), to(), to(), to(), to());
    let (getter, pager, decider, replayer) = (to(), to(), to(), to());
    let (optioner, prompter, steerer, canceller) = (to(), to(), to(), to());
    let (forker, titler, archiver, unarchiver, stater) = (to(), to(), to(), to(), to());
    Agent
        .v2()
        .name("agentic-ide")
        .on_receive_request(
            async move |request: two::InitializeRequest, responder, cx| {
                meeter.meet(abilities(&request));
                let connection = meeter.clone();
                cx.spawn(async move {
                    let sees = super::sees_images(&connection).await;
                    let servers = connection.hub().client_servers();
                    gone(responder.respond(initialize(&request, servers, sees)));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::LoginAuthRequest, responder, _cx| {
                if &*request.method_id.0 != AUTH_METHOD {
                    return responder
                        .respond_with_error(invalid("there is no such method of authentication"));
                }
                enterer.sign_in();
                responder.respond(two::LoginAuthResponse::new())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |_: two::LogoutAuthRequest, responder, _cx| {
                leaver.sign_out();
                responder.respond(two::LogoutAuthResponse::new())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::NewSessionRequest, responder, cx| {
                let (connection, peer) = (opener.clone(), Peer::Two(cx.clone()));
                cx.spawn(async move {
                    setup::begin(&connection, &peer, request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::ResumeSessionRequest, responder, cx| {
                let (connection, peer) = (resumer.clone(), Peer::Two(cx.clone()));
                cx.spawn(async move {
                    setup::resume(&connection, &peer, request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::ListSessionsRequest, responder, cx| {
                let connection = lister.clone();
                cx.spawn(async move {
                    answer(responder, setup::list(&connection, request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::CloseSessionRequest, responder, cx| {
                let connection = closer.clone();
                cx.spawn(async move {
                    let closed = super::setup::close(&connection, &id(&request.session_id)).await;
                    answer(responder, closed.map(|()| two::CloseSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::DeleteSessionRequest, responder, cx| {
                let connection = deleter.clone();
                cx.spawn(async move {
                    let deleted = super::delete(&connection, &id(&request.session_id)).await;
                    answer(responder, deleted.map(|()| two::DeleteSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::ForkSessionRequest, responder, cx| {
                let (connection, peer) = (forker.clone(), Peer::Two(cx.clone()));
                cx.spawn(async move {
                    setup::fork(&connection, &peer, request, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::SetSessionTitleRequest, responder, cx| {
                let connection = titler.clone();
                cx.spawn(async move {
                    let titled =
                        shelf::set_title(&connection, &id(&request.session_id), &request.title).await;
                    answer(responder, titled.map(two::SetSessionTitleResponse::new));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::ArchiveSessionRequest, responder, cx| {
                let connection = archiver.clone();
                cx.spawn(async move {
                    let put = shelf::put(&connection, &id(&request.session_id), Shelf::Archive).await;
                    answer(responder, put.map(|()| two::ArchiveSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::UnarchiveSessionRequest, responder, cx| {
                let connection = unarchiver.clone();
                cx.spawn(async move {
                    let put = shelf::put(&connection, &id(&request.session_id), Shelf::Desk).await;
                    answer(responder, put.map(|()| two::UnarchiveSessionResponse::new()));
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::SessionStatusRequest, responder, cx| {
                let connection = stater.clone();
                cx.spawn(async move {
                    answer(
                        responder,
                        setup::status(&connection, &id(&request.session_id)).await,
                    );
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::SetSessionConfigOptionRequest, responder, cx| {
                let connection = optioner.clone();
                cx.spawn(async move {
                    answer(responder, setup::set_option(&connection, request).await);
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: two::PromptRequest, responder, cx| {
                let (connection, peer) = (prompter.clone(), Peer::Two(cx.clone()));
                cx.spawn(async move {
                    Box::pin(prompt::prompt(&connection, &peer, &request, responder)).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: steering::Steer, responder, cx| {
                let (connection, peer) = (steerer.clone(), Peer::Two(cx.clone()));
                cx.spawn(async move {
                    answer(
                        responder,
                        super::prompt::steer(&connection, &peer, &request).await,
                    );
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
            async move |request: Replay, responder, cx| {
                let (connection, peer) = (replayer.clone(), Peer::Two(cx.clone()));
                cx.spawn(async move {
                    let followed = extension::followed(&connection, &peer, &request.0).await;
                    setup::resumed(&connection, followed, responder).await;
                    Ok(())
                })
            },
            on_receive_request!(),
        )
        .on_receive_notification(
            async move |notification: two::CancelSessionNotification, cx| {
                let connection = canceller.clone();
                cx.spawn(async move {
                    super::cancel(&connection, &id(&notification.session_id)).await;
                    Ok(())
                })
            },
            on_receive_notification!(),
        )
}

fn id(id: &two::SessionId) -> one::SessionId {
    one::SessionId::new(&*id.0)
}

/// What a client says of itself. All of them know notices and switches.
fn abilities(request: &two::InitializeRequest) -> Abilities {
    let capabilities = &request.capabilities;
    let elicitation = capabilities.elicitation.as_ref();
    let meta = capabilities.meta.as_ref();
    Abilities {
        wish: streaming::wish(meta),
        positions: streaming::positions(meta),
        notices: Notices::Notices,
        forms: match elicitation.and_then(|elicitation| elicitation.form.as_ref()) {
            Some(_) => Forms::Fills,
            None => Forms::None,
        },
        // Nobody is known to speak this version and not to.
        choices: Choices::Each,
        switches: Switches::Boolean,
        // This version has no files.
        files: Files::None,
        terminals: Terminals::Thoughts,
    }
}

fn initialize(
    request: &two::InitializeRequest,
    servers: ClientServers,
    sees: bool,
) -> two::InitializeResponse {
    let prompts = two::PromptCapabilities::new()
        .embedded_context(two::PromptEmbeddedContextCapabilities::new())
        .image(sees.then(two::PromptImageCapabilities::new));
    let sessions = two::SessionCapabilities::new()
        .prompt(prompts)
        .mcp(servers::told_two(servers))
        .delete(two::SessionDeleteCapabilities::new())
        .additional_directories(two::SessionAdditionalDirectoriesCapabilities::new())
        .fork(two::SessionForkCapabilities::new())
        .title(two::SessionTitleCapabilities::new())
        .archive(two::SessionArchiveCapabilities::new())
        .status(two::SessionStatusCapabilities::new());
    let method = two::AuthMethodAgent::new(AUTH_METHOD, "This machine")
        .description("No credentials are needed.".to_owned());
    let info = two::Implementation::new("agentic-ide", VERSION).title("Agentic IDE".to_owned());
    two::InitializeResponse::new(request.protocol_version, info)
        .capabilities(
            two::AgentCapabilities::new()
                .session(sessions)
                .auth(two::AgentAuthCapabilities::new())
                .meta(streaming::offer()),
        )
        .auth_methods(vec![two::AuthMethod::Agent(method)])
        .meta(steering::offer())
}
