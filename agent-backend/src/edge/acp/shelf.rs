//! What is done with a session as a whole: it is copied, named, put away and asked
//! after. Unstable methods of the protocol that other agents have.

use std::sync::Arc;

use agent_client_protocol::{
    Error as AcpError,
    v1::schema::{SessionId, SessionStatus},
};
use shared::redact::redact;

use super::{
    acp_error,
    client::Peer,
    connection::Connection,
    invalid, listing,
    session::Session,
    settings::{Settings, Shelf},
    setup::{self, Open, Way},
};

/// Whether somebody uses a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Here, on some connection.
    Open,
    /// Nobody does.
    Saved,
}

impl From<Use> for SessionStatus {
    fn from(used: Use) -> Self {
        match used {
            Use::Open => Self::Open,
            Use::Saved => Self::Saved,
        }
    }
}

/// Begins a session with the history of another one, as far as that is over. The
/// other one is not changed.
pub(super) async fn fork(connection: &Connection, peer: &Peer, way: Way<'_>) -> Result<Open, AcpError> {
    let folders = listing::folders(way.folders)?;
    let of = setup::of(connection, way).await?;
    setup::up_to_date(connection, &of).await?;
    let fork = connection.hub().fork(&of, folders).await?;
    fork.bring(connection.hub().runtime(), way.servers.to_vec());
    // What was asked before is known, as after a resume.
    let end = setup::up_to_date(connection, &fork).await?;
    let follower = connection.follow(peer, &fork, end)?;
    Ok((fork, follower))
}

/// Names a session; its name as it is kept.
pub(super) async fn set_title(
    connection: &Connection,
    id: &SessionId,
    title: &str,
) -> Result<String, AcpError> {
    connection.admit()?;
    let session = connection.hub().open(id).await?;
    let title = listing::title(&redact(title));
    if title.is_empty() {
        return Err(invalid("the title is empty"));
    }
    let renamed = session.rename(connection.hub().runtime(), title.clone()).await;
    renamed.map_err(|error| acp_error(&error))?;
    Ok(title)
}

/// Puts a session away, and ends what goes on in it, or gets it back.
pub(super) async fn put(connection: &Connection, id: &SessionId, shelf: Shelf) -> Result<(), AcpError> {
    connection.admit()?;
    let session = connection.hub().open(id).await?;
    let settings = Settings {
        shelf,
        ..session.settings().borrow().clone()
    };
    let kept = session.keep(connection.hub().runtime(), settings).await;
    kept.map_err(|error| acp_error(&error))?;
    match shelf {
        Shelf::Desk => {}
        Shelf::Archive => {
            connection.leave(&session.id);
            connection.hub().put_out(&session.id).await;
        }
    }
    Ok(())
}

/// Whether somebody uses a session; the session, if so.
pub(super) async fn status(connection: &Connection, id: &SessionId) -> Result<(Use, Arc<Session>), AcpError> {
    connection.admit()?;
    let known = shared::id::SessionId::parse(&id.0).ok();
    let used = known.and_then(|id| connection.hub().find(&id));
    match used {
        Some(session) => Ok((Use::Open, session)),
        None => Ok((Use::Saved, connection.hub().open(id).await?)),
    }
}
