//! What readers ask. Each is one statement, so that all it answers is of one
//! moment.

use engine::{
    blob::BlobId,
    event::Recorded,
    ports::journal::{Head, ListQuery},
};
use shared::id::{CorrelationId, Seq, WorkflowId};
use tokio_postgres::{Row, types::ToSql};

use super::{
    apply::fingerprint_of,
    connect::{Link, Session},
};
use crate::{Error, page::Page, record, rules, words::status_of};

const READ: &str = "SELECT h.head, e.seq, e.at_ms, e.v, e.digest, e.body
FROM agentic_ide.runs r JOIN agentic_ide.heads h USING (run)
LEFT JOIN LATERAL (
    SELECT * FROM agentic_ide.events e WHERE e.run = r.run AND e.seq > $2 ORDER BY e.seq LIMIT $3
) e ON TRUE WHERE r.workflow = $1 ORDER BY e.seq";

const BASE: &str = "SELECT (
    SELECT e.seq FROM agentic_ide.events e WHERE e.run = r.run AND starts_with(e.body, $2)
    ORDER BY e.seq DESC LIMIT 1
) FROM agentic_ide.runs r WHERE r.workflow = $1";

const FIND: &str = "SELECT workflow, fingerprint FROM agentic_ide.runs WHERE correlation = $1";

const HEAD: &str = "SELECT r.workflow, r.correlation, r.workflow_type, r.query, r.workspace, h.status,
    h.head, r.created_at_ms, h.updated_at_ms, h.aside
FROM agentic_ide.runs r JOIN agentic_ide.heads h USING (run) WHERE r.workflow = $1";

const LIST: &str = "SELECT r.workflow, r.correlation, r.workflow_type, r.query, r.workspace, h.status,
    h.head, r.created_at_ms, h.updated_at_ms, h.aside
FROM agentic_ide.runs r JOIN agentic_ide.heads h USING (run)
WHERE ($1::text IS NULL OR run < (SELECT run FROM agentic_ide.runs WHERE workflow = $1))
    AND (NOT $3 OR h.status IN ('running', 'awaiting_decision'))
ORDER BY run DESC LIMIT $2";

const BLOB: &str = "SELECT bytes FROM agentic_ide.blobs WHERE sha256 = $1";

const FINISHED: &str = "SELECT r.workflow FROM agentic_ide.runs r JOIN agentic_ide.heads h USING (run)
WHERE h.status NOT IN ('running', 'awaiting_decision') AND h.updated_at_ms < $1
ORDER BY h.updated_at_ms, run LIMIT $2";

const BYTES: &str = "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'agentic_ide' AND c.relkind = 'r'";

/// Finished workflows whose last event is older, the oldest first.
pub(super) async fn finished(link: &Link, before_ms: u64, limit: usize) -> Result<Vec<WorkflowId>, Error> {
    let (before, limit) = (
        i64::try_from(before_ms).unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = ask(link, FINISHED, &[&before, &limit]).await?;
    rows.iter().map(|row| workflow_of(row.try_get(0)?)).collect()
}

/// Bytes of all tables. What deletions left is in it until the server's own
/// vacuum has found it.
pub(super) async fn bytes(link: &Link) -> Result<u64, Error> {
    let rows = ask(link, BYTES, &[]).await?;
    let bytes: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?;
    unsigned(bytes.unwrap_or_default())
}

pub(super) async fn ask(
    link: &Link,
    sql: &'static str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let session = link.session().await?;
    let statement = session.prepared(sql).await?;
    Ok(session.client.query(&statement, values).await?)
}

/// Events after `after`: a part of the history without a gap, or an error.
pub(super) async fn read(
    link: &Link,
    workflow: &WorkflowId,
    after: Seq,
    limit: usize,
) -> Result<Vec<Recorded>, Error> {
    let (from, most) = (
        i64::try_from(after.0).unwrap_or(i64::MAX),
        i64::try_from(limit).unwrap_or(i64::MAX),
    );
    let rows = ask(link, READ, &[&workflow.as_str(), &from, &most]).await?;
    let Some(first) = rows.first() else {
        return Err(Error::UnknownWorkflow {
            workflow: workflow.clone(),
        });
    };
    let mut page = Page::new(workflow, after, seq_of(first.try_get(0)?)?, limit);
    for row in &rows {
        let Some(seq) = row.try_get::<_, Option<i64>>(1)? else {
            break;
        };
        page.take(&record::Row {
            seq: seq_of(seq)?,
            at_ms: unsigned(row.try_get(2)?)?,
            version: u32::try_from(row.try_get::<_, i32>(3)?).unwrap_or_default(),
            digest: row.try_get(4)?,
            body: row.try_get(5)?,
        })?;
    }
    page.end()
}

/// Place of the last event that stands for all before; 0 for none.
pub(super) async fn base(link: &Link, workflow: &WorkflowId) -> Result<Seq, Error> {
    let rows = ask(link, BASE, &[&workflow.as_str(), &record::CONTINUED_START]).await?;
    let Some(row) = rows.first() else {
        return Err(Error::UnknownWorkflow {
            workflow: workflow.clone(),
        });
    };
    row.try_get::<_, Option<i64>>(0)?.map_or(Ok(Seq(0)), seq_of)
}

/// The workflow that has this correlation id, with its request's fingerprint.
pub(super) async fn find(
    link: &Link,
    correlation: &CorrelationId,
) -> Result<Option<(WorkflowId, BlobId)>, Error> {
    known(link.session().await?.as_ref(), correlation).await
}

/// The same on a connection that is there.
pub(super) async fn known(
    session: &Session,
    correlation: &CorrelationId,
) -> Result<Option<(WorkflowId, BlobId)>, Error> {
    let statement = session.prepared(FIND).await?;
    let row = session
        .client
        .query_opt(&statement, &[&correlation.as_str()])
        .await?;
    row.map(|row| Ok((workflow_of(row.try_get(0)?)?, fingerprint_of(row.try_get(1)?)?)))
        .transpose()
}

/// The list entry of a workflow.
pub(super) async fn head(link: &Link, workflow: &WorkflowId) -> Result<Option<Head>, Error> {
    let rows = ask(link, HEAD, &[&workflow.as_str()]).await?;
    rows.first().map(head_of).transpose()
}

/// List entries, newest first. One that cannot be read is left out and logged.
pub(super) async fn list(link: &Link, query: &ListQuery) -> Result<Vec<Head>, Error> {
    let before = query.before.as_ref().map(WorkflowId::as_str);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let rows = ask(link, LIST, &[&before, &limit, &query.unfinished]).await?;
    let mut heads = Vec::with_capacity(rows.len());
    for row in &rows {
        match head_of(row) {
            Ok(head) => heads.push(head),
            Err(error) => tracing::error!(%error, code = %error.code(), "a workflow is left out of the list"),
        }
    }
    Ok(heads)
}

/// A row that begins with the columns of [`HEAD`].
pub(super) fn head_of(row: &Row) -> Result<Head, Error> {
    let correlation: &str = row.try_get(1)?;
    let status: &str = row.try_get(5)?;
    let damaged = |reason: String| Error::DamagedRow { reason };
    Ok(Head {
        workflow: workflow_of(row.try_get(0)?)?,
        correlation: CorrelationId::parse(correlation).map_err(|error| damaged(error.to_string()))?,
        workflow_type: row.try_get(2)?,
        query: row.try_get(3)?,
        workspace: row.try_get(4)?,
        status: status_of(status).ok_or_else(|| damaged(format!("`{status}` is no status")))?,
        head: seq_of(row.try_get(6)?)?,
        created_at_ms: unsigned(row.try_get(7)?)?,
        updated_at_ms: unsigned(row.try_get(8)?)?,
        aside: row.try_get(9)?,
    })
}

/// Contents of a blob, if they still fit its name.
pub(super) async fn blob(link: &Link, id: BlobId, name: &str) -> Result<Option<Vec<u8>>, Error> {
    let rows = ask(link, BLOB, &[&name]).await?;
    let bytes: Option<Vec<u8>> = rows.first().map(|row| row.try_get(0)).transpose()?;
    rules::blob(id, bytes)
}

fn workflow_of(text: &str) -> Result<WorkflowId, Error> {
    WorkflowId::parse(text).map_err(|error| Error::DamagedRow {
        reason: error.to_string(),
    })
}

/// A place as it is stored.
pub(super) fn seq_of(number: i64) -> Result<Seq, Error> {
    unsigned(number).map(Seq)
}

pub(super) fn unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::DamagedRow {
        reason: format!("{number} is negative"),
    })
}
