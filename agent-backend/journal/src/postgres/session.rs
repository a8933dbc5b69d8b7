//! Threads of requests: the statements that change them, and what readers ask.
//! Each statement can be sent twice: what an entry's key stands for is written
//! once.

use engine::ports::sessions::{Entry, Session, SessionChange, SessionQuery};
use shared::id::{CorrelationId, InvalidId, SessionId};
use tokio_postgres::Row;

use super::{
    apply::{Statement, Values, number, one, text},
    connect::Link,
    query::{ask, unsigned},
};
use crate::Error;

const BEGIN: &str = "INSERT INTO agentic_ide.sessions
    (session, workspace, title, settings, created_at_ms, updated_at_ms)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

/// The update takes the row, and so tells the place that nobody else has.
const ENTER: &str = "WITH touched AS (
    UPDATE agentic_ide.sessions SET updated_at_ms = $2, entries = entries + 1
    WHERE session = $1 RETURNING number, entries
), put AS (
    INSERT INTO agentic_ide.session_entries (number, position, key, prompt, answer)
    SELECT number, entries, $3, $4, $5 FROM touched ON CONFLICT (key) DO NOTHING
) SELECT number FROM touched";

const TITLE: &str = "UPDATE agentic_ide.sessions SET updated_at_ms = $2, title = $3
    WHERE session = $1 RETURNING number";

const SET: &str = "UPDATE agentic_ide.sessions SET updated_at_ms = $2, settings = $3
    WHERE session = $1 RETURNING number";

const DELETE: &str = "DELETE FROM agentic_ide.sessions WHERE session = $1";

const READ: &str = "SELECT session, workspace, title, settings, created_at_ms, updated_at_ms
    FROM agentic_ide.sessions WHERE session = $1";

const LIST: &str = "SELECT session, workspace, title, settings, created_at_ms, updated_at_ms
    FROM agentic_ide.sessions
    WHERE ($1::text IS NULL OR workspace = $1)
        AND ($2::text IS NULL OR number < (SELECT number FROM agentic_ide.sessions WHERE session = $2))
        AND ($3::bigint IS NULL OR updated_at_ms < $3)
    ORDER BY number DESC LIMIT $4";

const ENTRIES: &str = "SELECT e.key, e.prompt, e.answer FROM agentic_ide.sessions s
    LEFT JOIN agentic_ide.session_entries e USING (number) WHERE s.session = $1 ORDER BY e.position";

pub(super) fn begin(new: &Session) -> Vec<Statement<'_>> {
    let values: Values<'_> = vec![
        Box::new(new.id.as_str()),
        Box::new(text(&new.workspace)),
        Box::new(new.title.as_deref().map(text)),
        Box::new(text(&new.settings)),
        Box::new(number(new.created_at_ms)),
        Box::new(number(new.updated_at_ms)),
    ];
    one(BEGIN, values)
}

pub(super) fn change<'a>(id: &'a SessionId, at_ms: u64, change: &'a SessionChange) -> Vec<Statement<'a>> {
    let mut values: Values<'_> = vec![Box::new(id.as_str()), Box::new(number(at_ms))];
    match change {
        SessionChange::Entered(entry) => {
            values.push(Box::new(entry.key.as_str()));
            values.push(Box::new(text(&entry.prompt)));
            values.push(Box::new(entry.answer.as_deref().map(text)));
            one(ENTER, values)
        }
        SessionChange::Titled(title) => {
            values.push(Box::new(text(title)));
            one(TITLE, values)
        }
        SessionChange::Set(settings) => {
            values.push(Box::new(text(settings)));
            one(SET, values)
        }
    }
}

pub(super) fn delete(id: &SessionId) -> Vec<Statement<'_>> {
    one(DELETE, vec![Box::new(id.as_str())])
}

pub(super) async fn read(link: &Link, id: &SessionId) -> Result<Option<Session>, Error> {
    let rows = ask(link, READ, &[&id.as_str()]).await?;
    rows.first().map(session_of).transpose()
}

pub(super) async fn list(link: &Link, query: &SessionQuery) -> Result<Vec<Session>, Error> {
    let before = query.before.as_ref().map(SessionId::as_str);
    let unchanged = query.unchanged_since_ms.map(number);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let rows = ask(link, LIST, &[&query.workspace, &before, &unchanged, &limit]).await?;
    rows.iter().map(session_of).collect()
}

pub(super) async fn entries(link: &Link, id: &SessionId) -> Result<Vec<Entry>, Error> {
    let rows = ask(link, ENTRIES, &[&id.as_str()]).await?;
    if rows.is_empty() {
        return Err(Error::UnknownSession { session: id.clone() });
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        // A thread in which nothing was asked is one row of nothing.
        let Some(key) = row.try_get::<_, Option<&str>>(0)? else {
            break;
        };
        found.push(Entry {
            key: CorrelationId::parse(key).map_err(|error| damaged(&error))?,
            prompt: row.try_get(1)?,
            answer: row.try_get(2)?,
        });
    }
    Ok(found)
}

fn session_of(row: &Row) -> Result<Session, Error> {
    Ok(Session {
        id: SessionId::parse(row.try_get(0)?).map_err(|error| damaged(&error))?,
        workspace: row.try_get(1)?,
        title: row.try_get(2)?,
        settings: row.try_get(3)?,
        created_at_ms: unsigned(row.try_get(4)?)?,
        updated_at_ms: unsigned(row.try_get(5)?)?,
    })
}

fn damaged(error: &InvalidId) -> Error {
    Error::DamagedRow {
        reason: error.to_string(),
    }
}
