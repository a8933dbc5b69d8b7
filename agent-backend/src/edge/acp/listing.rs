//! Sessions in lists: their names, their times, and pages of them.

use std::path::{Path, PathBuf};

use agent_client_protocol::{
    Error as AcpError,
    v1::schema::{
        ListSessionsRequest, ListSessionsResponse, SessionArchiveFilter, SessionId as WireId, SessionInfo,
    },
};
use engine::ports::sessions::{Session, SessionQuery};
use shared::id::SessionId;

use super::{
    acp_error, invalid,
    settings::{Settings, Shelf},
};
use crate::runtime::{Runtime, choices};

/// Sessions of one page.
const PAGE: usize = 50;

/// Characters of a name.
const TITLE_CHARS_MAX: usize = 80;

/// What a session is called whose first request is `prompt`.
pub(super) fn title(prompt: &str) -> String {
    let first = prompt
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    if first.chars().count() <= TITLE_CHARS_MAX {
        return first.to_owned();
    }
    let mut title: String = first.chars().take(TITLE_CHARS_MAX - 1).collect();
    title.push('…');
    title
}

/// Milliseconds since the Unix epoch, as the protocol writes a moment (ISO 8601);
/// none for what is no moment.
pub(super) fn moment(at_ms: u64) -> Option<String> {
    let at_ms = i64::try_from(at_ms).ok()?;
    jiff::Timestamp::from_millisecond(at_ms)
        .ok()
        .map(|moment| moment.to_string())
}

/// A page of sessions, the newest first. A cursor is the last one of the page
/// before.
pub(super) async fn page(
    runtime: &Runtime,
    request: &ListSessionsRequest,
) -> Result<ListSessionsResponse, AcpError> {
    let journal = &runtime.services().journal;
    let workspace = match &request.cwd {
        Some(cwd) => Some(folder(cwd)?),
        None => None,
    };
    let before = match &request.cursor {
        Some(cursor) => {
            let id = SessionId::parse(cursor).map_err(|_| invalid("the cursor is none of ours"))?;
            let known = journal
                .session(id.clone())
                .await
                .map_err(|error| acp_error(&error.into()))?;
            known.ok_or_else(|| invalid("the cursor's session was deleted: list from the beginning"))?;
            Some(id)
        }
        None => None,
    };
    let wanted = shelves(request.archived.as_ref())?;
    let mut query = SessionQuery {
        workspace,
        before,
        // One more, to know whether there is a next page.
        limit: PAGE + 1,
        ..SessionQuery::default()
    };
    let mut found = Vec::new();
    while found.len() <= PAGE {
        let read = journal.list_sessions(query.clone()).await;
        let read = read.map_err(|error| acp_error(&error.into()))?;
        let Some(last) = read.last() else { break };
        query.before = Some(last.id.clone());
        let read = read.into_iter().map(|session| {
            let settings = Settings::read(&session.settings);
            (session, settings)
        });
        found.extend(read.filter(|(_, settings)| wanted.contains(&settings.shelf)));
    }
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let cursor = found
        .last()
        .filter(|_| more)
        .map(|(last, _)| last.id.as_str().to_owned());
    let sessions = found.into_iter().map(info).collect();
    Ok(ListSessionsResponse::new(sessions).next_cursor(cursor))
}

/// Where the sessions are that a client wants to see.
fn shelves(filter: Option<&SessionArchiveFilter>) -> Result<&'static [Shelf], AcpError> {
    match filter {
        None | Some(SessionArchiveFilter::Exclude) => Ok(&[Shelf::Desk]),
        Some(SessionArchiveFilter::Include) => Ok(&[Shelf::Desk, Shelf::Archive]),
        Some(SessionArchiveFilter::Only) => Ok(&[Shelf::Archive]),
        Some(_) => Err(invalid("`archived` is exclude, include or only")),
    }
}

fn info((session, settings): (Session, Settings)) -> SessionInfo {
    let folders = settings.folders.into_iter();
    SessionInfo::new(WireId::new(session.id.as_str()), session.workspace)
        .additional_directories(folders.map(PathBuf::from).collect::<Vec<_>>())
        .title(session.title)
        .updated_at(moment(session.updated_at_ms))
        .archived(settings.shelf == Shelf::Archive)
}

/// The path of a session's folder as text.
pub(super) fn folder(cwd: &Path) -> Result<String, AcpError> {
    choices::plain(cwd, "cwd").map_err(|error| invalid(&error.message))
}

/// Further folders of a session as text, each once and there.
pub(super) fn folders(others: &[PathBuf]) -> Result<Vec<String>, AcpError> {
    let there = |folders: Vec<String>| {
        folders.iter().try_for_each(|folder| choices::is_there(folder))?;
        Ok(folders)
    };
    choices::folders(others)
        .and_then(there)
        .map_err(|error| invalid(&error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_called_like_its_first_request() {
        let check = |prompt: &str, expect: &str| assert_eq!(title(prompt), expect, "{prompt:?}");
        check("add login", "add login");
        check("\n  add login  \nwith tokens", "add login");
        check(&"ä".repeat(80), &"ä".repeat(80));
        check(&"ä".repeat(81), &format!("{}…", "ä".repeat(79)));
    }

    #[test]
    fn moments_are_written_as_the_protocol_wants_them() {
        let check = |at_ms: u64, expect: Option<&str>| assert_eq!(moment(at_ms).as_deref(), expect);
        check(0, Some("1970-01-01T00:00:00Z"));
        check(1_234_567_890_123, Some("2009-02-13T23:31:30.123Z"));
        check(u64::MAX, None);
    }

    #[test]
    fn folders_are_compared_by_their_plain_path() {
        let check = |path: &str, expect: Option<&str>| {
            assert_eq!(folder(Path::new(path)).ok().as_deref(), expect, "{path}");
        };
        check("/w/a/", Some("/w/a"));
        check("/w//a/.", Some("/w/a"));
        check("w/a", None);
    }
}
