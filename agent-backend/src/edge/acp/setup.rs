//! The ways to a session and away from it: new, load, resume, close, and what is
//! chosen in it.

use std::{path::Path, sync::Arc};

use agent_client_protocol::{
    Client, Error as AcpError,
    v1::{
        ConnectionTo, Responder,
        schema::{
            CloseSessionRequest, CloseSessionResponse, LoadSessionRequest, LoadSessionResponse,
            NewSessionRequest, NewSessionResponse, ResumeSessionRequest, ResumeSessionResponse,
            SessionConfigOption, SessionId, SessionModeState, SetSessionConfigOptionRequest,
            SetSessionConfigOptionResponse, SetSessionModeRequest, SetSessionModeResponse,
        },
    },
};

use super::{
    acp_error,
    connection::Connection,
    follower::Follower,
    gone, invalid, listing,
    session::{At, Mark, Session},
    settings::{Offer, Settings},
};
use crate::error::Error;

pub(super) async fn begin(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &NewSessionRequest,
    responder: Responder<NewSessionResponse>,
) {
    let begun = async {
        connection.admit()?;
        let folders = listing::folders(&request.additional_directories)?;
        let session = connection.hub().begin(&request.cwd, folders).await?;
        let follower = connection.follow(cx, &session, At::default())?;
        Ok::<_, AcpError>((session, follower))
    };
    match begun.await {
        Ok((session, follower)) => {
            let Chosen { modes, options } = chosen(connection, &session);
            let answer = NewSessionResponse::new(SessionId::new(session.id.as_str()))
                .modes(modes)
                .config_options(options);
            gone(responder.respond(answer));
            follower.may_ask();
        }
        Err(error) => gone(responder.respond_with_error(error)),
    }
}

/// Tells the client everything that has happened in a session, then answers, and
/// then goes on telling it.
pub(super) async fn load(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    request: &LoadSessionRequest,
    responder: Responder<LoadSessionResponse>,
) {
    let loaded = async {
        connection.admit()?;
        let folders = listing::folders(&request.additional_directories)?;
        let (session, end) = there(connection, &request.session_id, &request.cwd).await?;
        use_folders(connection, &session, folders).await?;
        let follower = replay(connection, cx, &session, At::default(), end).await?;
        Ok::<_, AcpError>((session, follower))
    };
    match loaded.await {
        Ok((session, follower)) => {
            let Chosen { modes, options } = chosen(connection, &session);
            let answer = LoadSessionResponse::new().modes(modes).config_options(options);
            gone(responder.respond(answer));
            follower.may_ask();
        }
        Err(error) => gone(responder.respond_with_error(error)),
    }
}

/// Follows a session from `from` on; returns when all up to `end` was told.
pub(super) async fn replay(
    connection: &Connection,
    cx: &ConnectionTo<Client>,
    session: &Arc<Session>,
    from: impl Into<Mark>,
    end: At,
) -> Result<Arc<Follower>, AcpError> {
    let follower = connection.follow(cx, session, from)?;
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
    cx: &ConnectionTo<Client>,
    request: &ResumeSessionRequest,
    responder: Responder<ResumeSessionResponse>,
) {
    let resumed = async {
        connection.admit()?;
        let folders = listing::folders(&request.additional_directories)?;
        let (session, end) = there(connection, &request.session_id, &request.cwd).await?;
        use_folders(connection, &session, folders).await?;
        let follower = connection.follow(cx, &session, end)?;
        Ok::<_, AcpError>((session, follower))
    };
    match resumed.await {
        Ok((session, follower)) => {
            let Chosen { modes, options } = chosen(connection, &session);
            let answer = ResumeSessionResponse::new().modes(modes).config_options(options);
            gone(responder.respond(answer));
            follower.may_ask();
        }
        Err(error) => gone(responder.respond_with_error(error)),
    }
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
    let end = up_to_date(connection, &session).await?;
    Ok((session, end))
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
pub(super) async fn close(
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
    let change =
        |settings: &Settings, offer: &Offer| settings.with(&request.config_id.0, &request.value, offer);
    let session = choose(connection, &request.session_id, change).await?;
    let Chosen { options, .. } = chosen(connection, &session);
    Ok(SetSessionConfigOptionResponse::new(options))
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
