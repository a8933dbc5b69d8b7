//! What readers ask.

use engine::{
    blob::BlobId,
    event::Recorded,
    ports::journal::{Head, ListQuery},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::id::{CorrelationId, Seq, WorkflowId};

use crate::{Error, page::Page, record, rules, words::status_of};

/// Columns of a list entry, in the order [`head_of`] reads them.
pub(super) const HEAD: &str =
    "SELECT workflow, correlation, workflow_type, query, workspace, status, head, created_at_ms,
    updated_at_ms, aside FROM runs JOIN heads USING (run)";

/// Events after `after`: a part of the history without a gap, or an error.
pub(super) fn read(
    connection: &mut Connection,
    workflow: &WorkflowId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Recorded>, Error> {
    // One transaction, so that head and events are of the same commit.
    let transaction = connection.transaction()?;
    let run: Option<(i64, u64)> = transaction
        .prepare_cached("SELECT run, head FROM runs JOIN heads USING (run) WHERE workflow = ?1")?
        .query_row([workflow.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((run, head)) = run else {
        return Err(Error::UnknownWorkflow {
            workflow: workflow.clone(),
        });
    };
    let mut statement = transaction.prepare_cached(
        "SELECT seq, at_ms, v, digest, body FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    // A record holds one event or more, so that no more records are needed.
    let records = i64::try_from(limit).unwrap_or(i64::MAX);
    let after_number = i64::try_from(after.0).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![run, after_number, records])?;
    let mut page = Page::new(workflow, after, Seq(head), limit);
    while !page.is_full()
        && let Some(row) = rows.next()?
    {
        page.take(&record::Row {
            seq: Seq(row.get(0)?),
            at_ms: row.get(1)?,
            version: row.get(2)?,
            digest: row.get(3)?,
            body: row.get(4)?,
        })?;
    }
    page.end()
}

/// Place of the last event that stands for all before; 0 for none.
///
/// The search goes backwards over at most as many events as a history has
/// before it is shortened, and decodes none of them.
pub(super) fn base(connection: &mut Connection, workflow: &WorkflowId) -> Result<Seq, Error> {
    let run: Option<i64> = connection
        .prepare_cached("SELECT run FROM runs WHERE workflow = ?1")?
        .query_row([workflow.as_str()], |row| row.get(0))
        .optional()?;
    let Some(run) = run else {
        return Err(Error::UnknownWorkflow {
            workflow: workflow.clone(),
        });
    };
    // GLOB and not LIKE: letters of the text have one case. Only the beginning
    // tells the kind; the same words may stand within another event.
    let base: Option<u64> = connection
        .prepare_cached("SELECT seq FROM events WHERE run = ?1 AND body GLOB ?2 ORDER BY seq DESC LIMIT 1")?
        .query_row(params![run, record::CONTINUED_GLOB], |row| row.get(0))
        .optional()?;
    Ok(Seq(base.unwrap_or_default()))
}

/// The workflow that has this correlation id, with its request's fingerprint.
pub(super) fn find(
    connection: &mut Connection,
    correlation: &CorrelationId,
) -> Result<Option<(WorkflowId, BlobId)>, Error> {
    let known: Option<(String, String)> = connection
        .prepare_cached("SELECT workflow, fingerprint FROM runs WHERE correlation = ?1")?
        .query_row([correlation.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    known
        .map(|(workflow, fingerprint)| run_of(&workflow, &fingerprint))
        .transpose()
}

/// A workflow and its request's fingerprint as they are stored.
pub(super) fn run_of(workflow: &str, fingerprint: &str) -> Result<(WorkflowId, BlobId), Error> {
    let workflow = WorkflowId::parse(workflow).map_err(|error| Error::DamagedRow {
        reason: error.to_string(),
    })?;
    let fingerprint = BlobId::from_hex(fingerprint).ok_or_else(|| Error::DamagedRow {
        reason: format!("`{fingerprint}` is no fingerprint"),
    })?;
    Ok((workflow, fingerprint))
}

/// The list entry of a workflow.
pub(super) fn head(connection: &mut Connection, workflow: &WorkflowId) -> Result<Option<Head>, Error> {
    let mut statement = connection.prepare_cached(&format!("{HEAD} WHERE workflow = ?1"))?;
    let mut rows = statement.query([workflow.as_str()])?;
    rows.next()?.map(head_of).transpose()
}

/// List entries, newest first. One that cannot be read is left out and logged:
/// it must not take the others with it.
pub(super) fn list(connection: &mut Connection, query: &ListQuery) -> Result<Vec<Head>, Error> {
    let unfinished = if query.unfinished {
        "AND status IN ('running', 'awaiting_decision')"
    } else {
        ""
    };
    let mut statement = connection.prepare_cached(&format!(
        "{HEAD} WHERE (?1 IS NULL OR run < (SELECT run FROM runs WHERE workflow = ?1)) {unfinished}
         ORDER BY run DESC LIMIT ?2"
    ))?;
    let before = query.before.as_ref().map(WorkflowId::as_str);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![before, limit])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        match head_of(row) {
            Ok(head) => heads.push(head),
            Err(error) => tracing::error!(%error, code = %error.code(), "a workflow is left out of the list"),
        }
    }
    Ok(heads)
}

/// A row of [`HEAD`].
pub(super) fn head_of(row: &Row<'_>) -> Result<Head, Error> {
    let workflow = WorkflowId::parse(&row.get::<_, String>(0)?);
    let correlation = CorrelationId::parse(&row.get::<_, String>(1)?);
    let status: String = row.get(5)?;
    let damaged = |reason: String| Error::DamagedRow { reason };
    Ok(Head {
        workflow: workflow.map_err(|error| damaged(error.to_string()))?,
        correlation: correlation.map_err(|error| damaged(error.to_string()))?,
        workflow_type: row.get(2)?,
        query: row.get(3)?,
        workspace: row.get(4)?,
        status: status_of(&status).ok_or_else(|| damaged(format!("`{status}` is no status")))?,
        aside: row.get(9)?,
        head: Seq(row.get(6)?),
        created_at_ms: row.get(7)?,
        updated_at_ms: row.get(8)?,
    })
}

/// Finished workflows whose last event is older, the oldest first.
pub(super) fn finished(
    connection: &mut Connection,
    before_ms: u64,
    limit: usize,
) -> Result<Vec<WorkflowId>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT workflow FROM runs JOIN heads USING (run)
         WHERE status NOT IN ('running', 'awaiting_decision') AND updated_at_ms < ?1
         ORDER BY updated_at_ms, run LIMIT ?2",
    )?;
    let (before, limit) = (
        i64::try_from(before_ms).unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let mut rows = statement.query(params![before, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let workflow: String = row.get(0)?;
        found.push(WorkflowId::parse(&workflow).map_err(|error| Error::DamagedRow {
            reason: error.to_string(),
        })?);
    }
    Ok(found)
}

/// Bytes of the database, without its free pages.
pub(super) fn bytes(connection: &mut Connection) -> Result<u64, Error> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let (pages, free, size) = (
        number("page_count")?,
        number("freelist_count")?,
        number("page_size")?,
    );
    Ok(pages.saturating_sub(free) * size)
}

/// Contents of a blob, if they still fit its name.
pub(super) fn blob(connection: &mut Connection, id: BlobId) -> Result<Option<Vec<u8>>, Error> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM blobs WHERE sha256 = ?1")?
        .query_row([id.to_hex()], |row| row.get(0))
        .optional()?;
    rules::blob(id, bytes)
}
