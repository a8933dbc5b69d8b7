//! The ways to a session and away from it: new, load, resume, close, and what is
//! chosen in it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use agent_client_protocol::{
    Error as AcpError, JsonRpcResponse, Protocol, Responder,
    v1::{
        self,
        schema::{
            ForkSessionRequest, ForkSessionResponse, LoadSessionRequest, LoadSessionResponse,
            NewSessionRequest, NewSessionResponse, ResumeSessionRequest, ResumeSessionResponse,
            SessionConfigOption, SessionConfigOptionValue, SessionId, SessionModeState,
            SetSessionConfigOptionRequest, SetSessionConfigOptionResponse, SetSessionModeRequest,
            SetSessionModeResponse,
        },
    },
};

use engine::Phase;
use mcp::Server;
use shared::error::Code;

use super::{
    acp_error,
    client::{Peer, State, Stop},
    connection::Connection,
    follower::Follower,
    gone, invalid, listing, servers,
    session::{At, Mark, Session},
    settings::{Offer, Settings},
    shelf,
};
use crate::error::Error;

/// A session, and who tells its client of it.
pub(super) type Open = (Arc<Session>, Arc<Follower>);

/// What every way to a session names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) id: &'a SessionId,
    pub(super) cwd: &'a Path,
    /// All of its further folders.
    pub(super) folders: &'a [PathBuf],
    /// The servers of tools that the client brings.
    pub(super) servers: &'a [Server],
}

/// Begins a session.
pub(super) async fn begun(
    connection: &Connection,
    peer: &Peer,
    cwd: &Path,
    folders: &[PathBuf],
    servers: Vec<Server>,
) -> Result<Open, AcpError> {
    connection.admit()?;
    servers::admit(connection.hub().client_servers(), &servers)?;
    let folders = listing::folders(folders)?;
    let session = connection.hub().begin(cwd, folders).await?;
    session.bring(connection.hub().runtime(), servers);
    let follower = connection.follow(peer, &session, At::default())?;
    Ok((session, follower))
}

/// Opens a session and tells everything that has happened in it.
pub(super) async fn loaded(connection: &Connection, peer: &Peer, way: Way<'_>) -> Result<Open, AcpError> {
    let (session, end) = there(connection, way).await?;
    let follower = replay(connection, peer, &session, At::default(), end).await?;
    Ok((session, follower))
}

/// Opens a session and tells what happens from now on.
pub(super) async fn resumed(connection: &Connection, peer: &Peer, way: Way<'_>) -> Result<Open, AcpError> {
    let (session, end) = there(connection, way).await?;
    let follower = connection.follow(peer, &session, end)?;
    Ok((session, follower))
}

/// Answers who comes to a session, and from then on lets it be asked.
pub(super) fn welcome<T: JsonRpcResponse, P: Protocol>(
    connection: &Connection,
    opened: Result<Open, AcpError>,
    responder: Responder<T, P>,
    answer: impl FnOnce(&Session, Chosen) -> T,
) {
    match opened {
        Ok((session, follower)) => {
            let chosen = chosen(connection, &session);
            gone(responder.respond(answer(&session, chosen)));
            // One that nothing was told of is known to do nothing.
            follower.begin_states(None);
            follower.may_ask();
        }
        Err(error) => gone(responder.respond_with_error(error)),
    }
}

/// What a session does now.
pub(super) async fn state(connection: &Connection, session: &Session) -> Result<State, AcpError> {
    let Some((_, workflow)) = session.last() else {
        return Ok(State::Idle(Stop::Before));
    };
    let is_parked = matches!(&*session.parked().borrow(), Some((parked, _)) if *parked == workflow);
    match connection.hub().runtime().state(&workflow).await {
        Ok(state) => Ok(match state.phase {
            Phase::AwaitingDecision { .. } if !is_parked => State::Asks,
            Phase::AwaitingDecision { .. } | Phase::Finished(_) => State::Idle(Stop::Before),
            Phase::Running(_) | Phase::Waiting { .. } | Phase::Joining(_) => State::Running,
        }),
        Err(error) if error.code == Code::UnknownWorkflow => Ok(State::Idle(Stop::Before)),
        Err(error) => Err(acp_error(&error)),
    }
}

pub(super) async fn begin(
    connection: &Connection,
    peer: &Peer,
    request: &NewSessionRequest,
    responder: v1::Responder<NewSessionResponse>,
) {
    let begun = async {
        let servers = servers::of_one(&request.mcp_servers)?;
        begun(
            connection,
            peer,
            &request.cwd,
            &request.additional_directories,
            servers,
        )
        .await
    };
    welcome(
        connection,
        begun.await,
        responder,
        |session, Chosen { modes, options }| {
            NewSessionResponse::new(SessionId::new(session.id.as_str()))
                .modes(modes)
                .config_options(options)
        },
    );
}

/// Tells the client everything that has happened in a session, then answers, and
/// then goes on telling it.
pub(super) async fn load(
    connection: &Connection,
    peer: &Peer,
    request: &LoadSessionRequest,
    responder: v1::Responder<LoadSessionResponse>,
) {
    let opened = async {
        let way = Way {
            id: &request.session_id,
            cwd: &request.cwd,
            folders: &request.additional_directories,
            servers: &servers::of_one(&request.mcp_servers)?,
        };
        loaded(connection, peer, way).await
    };
    welcome(
        connection,
        opened.await,
        responder,
        |_, Chosen { modes, options }| LoadSessionResponse::new().modes(modes).config_options(options),
    );
}

/// Follows a session from `from` on; returns when all up to `end` was told.
pub(super) async fn replay(
    connection: &Connection,
    peer: &Peer,
    session: &Arc<Session>,
    from: impl Into<Mark>,
    end: At,
) -> Result<Arc<Follower>, AcpError> {
    let follower = connection.follow(peer, session, from)?;
    let mut place = follower.place.clone();
    let told = place.wait_for(|place| place.at >= end).await.is_ok();
    if !told {
        let message = "the session could not be told to its end; the log says why";
        return Err(AcpError::internal_error().data(message));
    }
    Ok(follower)
}

pub(super) async fn resume(
    connection: &Connection,
    peer: &Peer,
    request: &ResumeSessionRequest,
    responder: v1::Responder<ResumeSessionResponse>,
) {
    let opened = async {
        let way = Way {
            id: &request.session_id,
            cwd: &request.cwd,
            folders: &request.additional_directories,
            servers: &servers::of_one(&request.mcp_servers)?,
        };
        resumed(connection, peer, way).await
    };
    welcome(
        connection,
        opened.await,
        responder,
        |_, Chosen { modes, options }| ResumeSessionResponse::new().modes(modes).config_options(options),
    );
}

pub(super) async fn fork(
    connection: &Connection,
    peer: &Peer,
    request: &ForkSessionRequest,
    responder: v1::Responder<ForkSessionResponse>,
) {
    let forked = async {
        let way = Way {
            id: &request.session_id,
            cwd: &request.cwd,
            folders: &request.additional_directories,
            servers: &servers::of_one(&request.mcp_servers)?,
        };
        shelf::fork(connection, peer, way).await
    };
    welcome(
        connection,
        forked.await,
        responder,
        |session, Chosen { modes, options }| {
            ForkSessionResponse::new(SessionId::new(session.id.as_str()))
                .modes(modes)
                .config_options(options)
        },
    );
}

/// What is chosen in a session, as its client is told.
pub(super) struct Chosen {
    pub(super) modes: SessionModeState,
    pub(super) options: Vec<SessionConfigOption>,
}

pub(super) fn chosen(connection: &Connection, session: &Session) -> Chosen {
    let settings = session.settings().borrow().clone();
    let offer = Offer::of(connection.hub().runtime());
    Chosen {
        modes: settings.modes(&offer),
        options: settings.options(&offer, connection.abilities().switches),
    }
}

/// A session that is there, up to date, and the place after all that has
/// happened in it.
async fn there(connection: &Connection, way: Way<'_>) -> Result<(Arc<Session>, At), AcpError> {
    let folders = listing::folders(way.folders)?;
    let session = of(connection, way).await?;
    let end = up_to_date(connection, &session).await?;
    use_folders(connection, &session, folders).await?;
    session.bring(connection.hub().runtime(), way.servers.to_vec());
    Ok((session, end))
}

/// A session about the folder that is named.
pub(super) async fn of(connection: &Connection, way: Way<'_>) -> Result<Arc<Session>, AcpError> {
    connection.admit()?;
    servers::admit(connection.hub().client_servers(), way.servers)?;
    let folder = listing::folder(way.cwd)?;
    let session = connection.hub().open(way.id).await?;
    if !is_same(&session.cwd, Path::new(&folder)) {
        let message = format!(
            "the session is about `{}`, not about `{folder}`",
            session.cwd.display()
        );
        return Err(invalid(&message));
    }
    Ok(session)
}

/// Reads what was asked elsewhere; the place after all that has happened.
pub(super) async fn up_to_date(connection: &Connection, session: &Session) -> Result<At, AcpError> {
    let runtime = connection.hub().runtime();
    let read = async {
        session.refresh(runtime).await?;
        session.end(runtime).await
    };
    read.await.map_err(|error: Error| acp_error(&error))
}

/// Whether two paths are of one folder; one that is gone has its name alone.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Whoever comes to a session names all of its further folders.
async fn use_folders(
    connection: &Connection,
    session: &Session,
    folders: Vec<String>,
) -> Result<(), AcpError> {
    let before = session.settings().borrow().clone();
    if before.folders == folders {
        return Ok(());
    }
    let settings = Settings { folders, ..before };
    let kept = session.keep(connection.hub().runtime(), settings).await;
    kept.map_err(|error| acp_error(&error))
}

/// The last who closes a session stops what goes on in it.
pub(super) async fn close(connection: &Connection, id: &SessionId) -> Result<(), AcpError> {
    let session = connection.hub().open(id).await?;
    let runs_here = session.is_run_by(connection.id());
    let own = usize::from(connection.follower(&session).is_some());
    let is_last = session.followers() <= own;
    connection.leave(&session.id);
    if runs_here || is_last {
        session.cancel(connection.hub().runtime()).await;
    }
    Ok(())
}

pub(super) async fn set_mode(
    connection: &Connection,
    request: &SetSessionModeRequest,
) -> Result<SetSessionModeResponse, AcpError> {
    let change = |settings: &Settings, offer: &Offer| settings.with_mode(&request.mode_id.0, offer);
    choose(connection, &request.session_id, change).await?;
    Ok(SetSessionModeResponse::new())
}

pub(super) async fn set_option(
    connection: &Connection,
    request: &SetSessionConfigOptionRequest,
) -> Result<SetSessionConfigOptionResponse, AcpError> {
    let set = option_set(
        connection,
        &request.session_id,
        &request.config_id.0,
        &request.value,
    );
    Ok(SetSessionConfigOptionResponse::new(set.await?))
}

/// Sets an option; all of them after that.
pub(super) async fn option_set(
    connection: &Connection,
    id: &SessionId,
    option: &str,
    value: &SessionConfigOptionValue,
) -> Result<Vec<SessionConfigOption>, AcpError> {
    let change = |settings: &Settings, offer: &Offer| settings.with(option, value, offer);
    let session = choose(connection, id, change).await?;
    let Chosen { options, .. } = chosen(connection, &session);
    Ok(options)
}

async fn choose(
    connection: &Connection,
    id: &SessionId,
    change: impl FnOnce(&Settings, &Offer) -> Result<Settings, Error>,
) -> Result<Arc<Session>, AcpError> {
    connection.admit()?;
    let runtime = connection.hub().runtime();
    let session = connection.hub().open(id).await?;
    let settings = session.settings().borrow().clone();
    let settings = change(&settings, &Offer::of(runtime)).map_err(|error| acp_error(&error))?;
    let chosen = session.choose(runtime, settings).await;
    chosen.map_err(|error| acp_error(&error))?;
    Ok(session)
}
