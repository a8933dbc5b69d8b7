//! The ways to a session of version 2, and what is asked of one. The work is that of
//! version 1; the types and what they are called are this version's.

use std::path::PathBuf;

use agent_client_protocol::{
    Error as AcpError,
    v1::schema as one,
    v2::{Responder, schema as two},
};

use super::{
    super::{
        client::Peer,
        commands,
        connection::Connection,
        invalid, listing, servers,
        setup::{self, Chosen, Open, Way},
        shelf::{self, Use},
    },
    client, id, updates,
};

pub(super) async fn begin(
    connection: &Connection,
    peer: &Peer,
    request: two::NewSessionRequest,
    responder: Responder<two::NewSessionResponse>,
) {
    let cwd = request.cwd.into_inner();
    let folders = paths(request.additional_directories);
    let begun = async {
        let servers = servers::of_two(&request.mcp_servers)?;
        setup::begun(connection, peer, &cwd, &folders, servers).await
    };
    setup::welcome(connection, begun.await, responder, |session, chosen| {
        let (options, commands) = told(chosen);
        two::NewSessionResponse::new(session.id.as_str())
            .config_options(options)
            .available_commands(commands)
    });
}

pub(super) async fn fork(
    connection: &Connection,
    peer: &Peer,
    request: two::ForkSessionRequest,
    responder: Responder<two::ForkSessionResponse>,
) {
    let id = id(&request.session_id);
    let cwd = request.cwd.into_inner();
    let folders = paths(request.additional_directories);
    let forked = async {
        let way = Way {
            id: &id,
            cwd: &cwd,
            folders: &folders,
            servers: &servers::of_two(&request.mcp_servers)?,
        };
        shelf::fork(connection, peer, way).await
    };
    setup::welcome(connection, forked.await, responder, |session, chosen| {
        let (options, commands) = told(chosen);
        two::ForkSessionResponse::new(session.id.as_str())
            .config_options(options)
            .available_commands(commands)
    });
}

pub(super) async fn status(
    connection: &Connection,
    id: &one::SessionId,
) -> Result<two::SessionStatusResponse, AcpError> {
    let (used, session) = shelf::status(connection, id).await?;
    let status = match used {
        Use::Open => two::SessionStatus::Open,
        Use::Saved => two::SessionStatus::Saved,
    };
    let now = setup::state(connection, &session).await?;
    Ok(two::SessionStatusResponse::new(status).state(client::state_of(&now)))
}

pub(super) async fn resume(
    connection: &Connection,
    peer: &Peer,
    request: two::ResumeSessionRequest,
    responder: Responder<two::ResumeSessionResponse>,
) {
    let id = id(&request.session_id);
    let cwd = request.cwd.into_inner();
    let folders = paths(request.additional_directories);
    let opened = async {
        let way = Way {
            id: &id,
            cwd: &cwd,
            folders: &folders,
            servers: &servers::of_two(&request.mcp_servers)?,
        };
        match request.replay_from {
            None => setup::resumed(connection, peer, way).await,
            Some(two::ReplayFrom::Start(_)) => setup::loaded(connection, peer, way).await,
            Some(_) => Err(invalid("replayFrom is `start`, or left out")),
        }
    };
    resumed(connection, opened.await, responder).await;
}

/// Tells what the session does, then answers, and then lets its questions be put.
pub(super) async fn resumed(
    connection: &Connection,
    opened: Result<Open, AcpError>,
    responder: Responder<two::ResumeSessionResponse>,
) {
    let stated = async {
        let (session, follower) = opened?;
        let now = setup::state(connection, &session).await?;
        follower.begin_states(Some(now));
        Ok::<_, AcpError>((session, follower))
    };
    setup::welcome(connection, stated.await, responder, |_, chosen| {
        let (options, commands) = told(chosen);
        two::ResumeSessionResponse::new()
            .config_options(options)
            .available_commands(commands)
    });
}

pub(super) async fn list(
    connection: &Connection,
    request: two::ListSessionsRequest,
) -> Result<two::ListSessionsResponse, AcpError> {
    connection.admit()?;
    let asked = one::ListSessionsRequest::new()
        .cwd(request.cwd.map(two::AbsolutePath::into_inner))
        .cursor(request.cursor.map(|cursor| cursor.0.as_ref().to_owned()))
        .archived(request.archived.map(filter));
    let page = listing::page(connection.hub().runtime(), &asked).await?;
    let info = |info: one::SessionInfo| {
        two::SessionInfo::new(info.session_id.0, info.cwd)
            .additional_directories(info.additional_directories)
            .title(info.title)
            .updated_at(info.updated_at)
            .archived(info.archived)
    };
    let sessions = page.sessions.into_iter().map(info).collect();
    Ok(two::ListSessionsResponse::new(sessions)
        .next_cursor(page.next_cursor.map(two::SessionListCursor::new)))
}

fn filter(filter: two::SessionArchiveFilter) -> one::SessionArchiveFilter {
    match filter {
        two::SessionArchiveFilter::Exclude => one::SessionArchiveFilter::Exclude,
        two::SessionArchiveFilter::Include => one::SessionArchiveFilter::Include,
        two::SessionArchiveFilter::Only => one::SessionArchiveFilter::Only,
        two::SessionArchiveFilter::Other(other) => one::SessionArchiveFilter::Other(other),
        _ => one::SessionArchiveFilter::Other(String::new()),
    }
}

pub(super) async fn set_option(
    connection: &Connection,
    request: two::SetSessionConfigOptionRequest,
) -> Result<two::SetSessionConfigOptionResponse, AcpError> {
    let value = match request.value {
        two::SessionConfigOptionValue::Id { value } => one::SessionConfigOptionValue::value_id(value.0),
        two::SessionConfigOptionValue::Boolean { value } => one::SessionConfigOptionValue::boolean(value),
        two::SessionConfigOptionValue::Other(_) | _ => {
            return Err(invalid("the value is of an unknown kind"));
        }
    };
    let id = id(&request.session_id);
    let options = setup::option_set(connection, &id, &request.config_id.0, &value).await?;
    Ok(two::SetSessionConfigOptionResponse::new(updates::options(
        options,
    )))
}

/// What can be chosen in a session and said to it, as its client is told.
fn told(chosen: Chosen) -> (Vec<two::SessionConfigOption>, Vec<two::AvailableCommand>) {
    let commands = if let one::SessionUpdate::AvailableCommandsUpdate(update) = commands::available() {
        updates::commands(update)
    } else {
        Vec::new()
    };
    (updates::options(chosen.options), commands)
}

fn paths(paths: Vec<two::AbsolutePath>) -> Vec<PathBuf> {
    paths.into_iter().map(two::AbsolutePath::into_inner).collect()
}
