//! Threads of requests: what the writer and the readers do with them.

use engine::ports::sessions::{Entry, Session, SessionChange, SessionQuery};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use shared::id::{CorrelationId, SessionId};

use crate::Error;

/// Columns of a thread, in the order [`session_of`] reads them.
const SESSION: &str =
    "SELECT session, workspace, title, settings, created_at_ms, updated_at_ms FROM sessions";

pub(super) fn begin(transaction: &Transaction<'_>, new: &Session) -> Result<(), Error> {
    transaction
        .prepare_cached(
            "INSERT INTO sessions (session, workspace, title, settings, created_at_ms, updated_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            new.id.as_str(),
            new.workspace,
            new.title,
            new.settings,
            new.created_at_ms,
            new.updated_at_ms,
        ])?;
    Ok(())
}

pub(super) fn change(
    transaction: &Transaction<'_>,
    id: &SessionId,
    at_ms: u64,
    change: &SessionChange,
) -> Result<Result<(), Error>, Error> {
    let mut touch = transaction.prepare_cached(
        "UPDATE sessions SET updated_at_ms = ?2 WHERE session = ?1 RETURNING number, entries",
    )?;
    let known: Option<(i64, i64)> = touch
        .query_row(params![id.as_str(), at_ms], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, entries)) = known else {
        return Ok(Err(Error::UnknownSession { session: id.clone() }));
    };
    match change {
        SessionChange::Entered(entry) => {
            let added = transaction
                .prepare_cached(
                    "INSERT INTO session_entries (number, position, key, prompt, answer)
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING",
                )?
                .execute(params![
                    number,
                    entries,
                    entry.key.as_str(),
                    entry.prompt,
                    entry.answer
                ])?;
            if added > 0 {
                transaction
                    .prepare_cached("UPDATE sessions SET entries = entries + 1 WHERE number = ?1")?
                    .execute([number])?;
            }
        }
        SessionChange::Titled(title) => {
            transaction
                .prepare_cached("UPDATE sessions SET title = ?2 WHERE number = ?1")?
                .execute(params![number, title])?;
        }
        SessionChange::Set(settings) => {
            transaction
                .prepare_cached("UPDATE sessions SET settings = ?2 WHERE number = ?1")?
                .execute(params![number, settings])?;
        }
    }
    Ok(Ok(()))
}

pub(super) fn delete(transaction: &Transaction<'_>, id: &SessionId) -> Result<(), Error> {
    transaction
        .prepare_cached("DELETE FROM sessions WHERE session = ?1")?
        .execute([id.as_str()])?;
    Ok(())
}

pub(super) fn read(connection: &mut Connection, id: &SessionId) -> Result<Option<Session>, Error> {
    let mut statement = connection.prepare_cached(&format!("{SESSION} WHERE session = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(session_of).transpose()
}

pub(super) fn list(connection: &mut Connection, query: &SessionQuery) -> Result<Vec<Session>, Error> {
    let mut statement = connection.prepare_cached(&format!(
        "{SESSION} WHERE (?1 IS NULL OR workspace = ?1)
         AND (?2 IS NULL OR number < (SELECT number FROM sessions WHERE session = ?2))
         AND (?3 IS NULL OR updated_at_ms < ?3) ORDER BY number DESC LIMIT ?4"
    ))?;
    let mut rows = statement.query(params![
        query.workspace,
        query.before.as_ref().map(SessionId::as_str),
        query
            .unchanged_since_ms
            .map(|at_ms| i64::try_from(at_ms).unwrap_or(i64::MAX)),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(session_of(row)?);
    }
    Ok(found)
}

pub(super) fn entries(connection: &mut Connection, id: &SessionId) -> Result<Vec<Entry>, Error> {
    // One transaction, so that both answers are of the same commit.
    let transaction = connection.transaction()?;
    let number: Option<i64> = transaction
        .prepare_cached("SELECT number FROM sessions WHERE session = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(number) = number else {
        return Err(Error::UnknownSession { session: id.clone() });
    };
    let mut statement = transaction.prepare_cached(
        "SELECT key, prompt, answer FROM session_entries WHERE number = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([number])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Entry {
            key: CorrelationId::parse(&row.get::<_, String>(0)?).map_err(|error| damaged(&error))?,
            prompt: row.get(1)?,
            answer: row.get(2)?,
        });
    }
    Ok(found)
}

fn session_of(row: &Row<'_>) -> Result<Session, Error> {
    Ok(Session {
        id: SessionId::parse(&row.get::<_, String>(0)?).map_err(|error| damaged(&error))?,
        workspace: row.get(1)?,
        title: row.get(2)?,
        settings: row.get(3)?,
        created_at_ms: row.get(4)?,
        updated_at_ms: row.get(5)?,
    })
}

fn damaged(error: &shared::id::InvalidId) -> Error {
    Error::DamagedRow {
        reason: error.to_string(),
    }
}
