//! One job as statements. Each says by itself, under the lock of the row that it
//! changes, whether the workflow is at the expected event and under this
//! backend's epoch, so that a refused job writes nothing and spares the others of
//! its transaction.

use engine::{
    blob::{Blob, BlobId},
    ports::journal::{Claimed, Created, Release},
};
use shared::id::{Seq, WorkflowId};
use tokio_postgres::{Row, types::ToSql};

use super::{
    connect::Session,
    query::{self, head_of, seq_of},
    session,
};
use crate::{
    Error,
    queue::{AppendRows, Begin, Done, Request},
    record,
    words::status_text,
};

pub(super) const BEGIN: &str = "WITH begun AS (
    INSERT INTO agentic_ide.runs
        (workflow, correlation, fingerprint, workflow_type, query, workspace, created_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING run
), head AS (
    INSERT INTO agentic_ide.heads (run, head, status, updated_at_ms, epoch)
    SELECT run, $8, $9, $10, $11 FROM begun
), put AS (
    INSERT INTO agentic_ide.events (run, seq, at_ms, v, digest, body, epoch)
    SELECT begun.run, e.seq, e.at_ms, e.v, e.digest, e.body, $11 FROM begun,
        unnest($12::bigint[], $13::bigint[], $14::int[], $15::bigint[], $16::text[])
        AS e (seq, at_ms, v, digest, body)
), names AS (
    INSERT INTO agentic_ide.named (sha256, run) SELECT n.sha256, begun.run FROM begun, unnest($17::text[]) AS n (sha256)
    ON CONFLICT DO NOTHING
), blob AS (
    INSERT INTO agentic_ide.blobs (sha256, bytes)
    SELECT b.sha256, b.bytes FROM begun, unnest($18::text[], $19::bytea[]) AS b (sha256, bytes)
    ON CONFLICT DO NOTHING
) SELECT run FROM begun";

pub(super) const APPEND: &str = "WITH moved AS (
    UPDATE agentic_ide.heads h SET head = $4, updated_at_ms = COALESCE($5, h.updated_at_ms),
        status = COALESCE($6, h.status)
    FROM agentic_ide.runs r
    WHERE r.workflow = $1 AND h.run = r.run AND h.head = $2 AND h.epoch = $3 RETURNING h.run
), blob AS (
    INSERT INTO agentic_ide.blobs (sha256, bytes)
    SELECT b.sha256, b.bytes FROM moved, unnest($12::text[], $13::bytea[]) AS b (sha256, bytes)
    ON CONFLICT DO NOTHING
), put AS (
    INSERT INTO agentic_ide.events (run, seq, at_ms, v, digest, body, epoch)
    SELECT moved.run, e.seq, e.at_ms, e.v, e.digest, e.body, $3 FROM moved,
        unnest($7::bigint[], $8::bigint[], $9::int[], $10::bigint[], $11::text[])
        AS e (seq, at_ms, v, digest, body)
), names AS (
    INSERT INTO agentic_ide.named (sha256, run) SELECT n.sha256, moved.run FROM moved, unnest($14::text[]) AS n (sha256)
    ON CONFLICT DO NOTHING
) SELECT run FROM moved";

/// One backend claims at a time: another one that has just opened and claimed
/// would otherwise not be seen to live.
pub(super) const CLAIM_LOCK: &str = "SELECT pg_advisory_xact_lock(1095320646)";

/// Who was not heard of in time is dead. After a restart of the server everybody
/// gets the time of a lease to come back.
pub(super) const REAP: &str = "DELETE FROM agentic_ide.owners WHERE epoch <> $1 AND clock_timestamp() >
    GREATEST(expires_at, pg_postmaster_start_time() + $2 * interval '1 millisecond')";

/// `$3` also takes what this backend has already: the answer to an earlier claim
/// may have been lost.
pub(super) const CLAIM: &str = "WITH free AS (
    SELECT h.run FROM agentic_ide.heads h
    WHERE h.status IN ('running', 'awaiting_decision') AND h.aside IS NULL
        AND ($3 AND h.epoch = $1
            OR NOT EXISTS (SELECT 1 FROM agentic_ide.owners o WHERE o.epoch = h.epoch))
        AND EXISTS (SELECT 1 FROM agentic_ide.owners o WHERE o.epoch = $1)
    ORDER BY h.run LIMIT $2 FOR UPDATE OF h SKIP LOCKED
), taken AS (
    UPDATE agentic_ide.heads h SET epoch = $1, tries = h.tries + (h.epoch <> $1)::int
    FROM free WHERE h.run = free.run RETURNING h.*
) SELECT r.workflow, r.correlation, r.workflow_type, r.query, r.workspace, t.status, t.head,
    r.created_at_ms, t.updated_at_ms, t.aside, t.tries
FROM taken t JOIN agentic_ide.runs r USING (run) ORDER BY run";

pub(super) const SETTLE: &str = "UPDATE agentic_ide.heads h SET tries = 0 FROM agentic_ide.runs r
    WHERE r.workflow = $1 AND h.run = r.run AND h.epoch = $2 RETURNING h.run";

pub(super) const RELEASE: &str = "UPDATE agentic_ide.heads h
    SET epoch = 0, aside = $3, tries = GREATEST(h.tries - $4, 0) FROM agentic_ide.runs r
    WHERE r.workflow = $1 AND h.run = r.run AND h.epoch = $2 RETURNING h.run";

/// What was not set aside may be running.
pub(super) const READMIT: &str = "UPDATE agentic_ide.heads h SET epoch = 0, tries = 0, aside = NULL
    FROM agentic_ide.runs r
    WHERE r.workflow = $1 AND h.run = r.run AND h.aside IS NOT NULL RETURNING h.run";

/// The lock of claims, which deletions take alone and appends with contents
/// share: what is named while it is looked at stays.
pub(super) const DELETE_LOCK: &str = "SELECT pg_advisory_xact_lock(1095320647)";

pub(super) const NAME_LOCK: &str = "SELECT pg_advisory_xact_lock_shared(1095320647)";

/// One that is not there answers nothing, one that may run `false`.
pub(super) const DELETE: &str = "WITH known AS (
    SELECT h.run, (h.status NOT IN ('running', 'awaiting_decision') OR h.aside IS NOT NULL) AS over
    FROM agentic_ide.heads h JOIN agentic_ide.runs r USING (run) WHERE r.workflow = $1 FOR UPDATE OF h
), blob AS (
    DELETE FROM agentic_ide.blobs b USING agentic_ide.named n, known
    WHERE known.over AND n.run = known.run AND b.sha256 = n.sha256 AND NOT EXISTS (
        SELECT 1 FROM agentic_ide.named o WHERE o.sha256 = n.sha256 AND o.run <> n.run)
), gone AS (
    DELETE FROM agentic_ide.runs r USING known WHERE known.over AND r.run = known.run
) SELECT over FROM known";

const WHY: &str = "SELECT h.run, h.head, h.epoch FROM agentic_ide.heads h JOIN agentic_ide.runs r USING (run)
    WHERE r.workflow = $1";

const ROWS: &str = "SELECT seq, digest FROM agentic_ide.events
    WHERE run = $1 AND seq > $2 AND seq <= $3 ORDER BY seq";

const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM agentic_ide.runs WHERE workflow = $1)";

/// Values of a statement, in order.
pub(super) type Values<'a> = Vec<Box<dyn ToSql + Sync + Send + 'a>>;

/// What a job does.
pub(super) struct Statement<'a> {
    pub(super) sql: &'static str,
    pub(super) values: Values<'a>,
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    pub(super) epoch: i64,
    /// Milliseconds of a lease.
    pub(super) lease_ms: f64,
    /// The same was tried before and its answer was lost: it may have been done.
    pub(super) again: bool,
    /// The answer to an earlier claim was lost.
    pub(super) doubt: bool,
}

macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value)),*] };
}

/// The statements of a job; the last one's rows are its outcome.
pub(super) fn statements(request: &Request, writing: Writing) -> Vec<Statement<'_>> {
    let epoch = writing.epoch;
    match request {
        Request::Begin(new) => naming(&new.names, BEGIN, begin(new, epoch)),
        Request::Append(more) => naming(&more.names, APPEND, append(more, epoch)),
        Request::Delete(workflow) => vec![
            Statement {
                sql: DELETE_LOCK,
                values: Vec::new(),
            },
            Statement {
                sql: DELETE,
                values: values![workflow.as_str()],
            },
        ],
        Request::Claim(limit) => {
            let limit = if writing.doubt {
                i64::MAX
            } else {
                i64::try_from(*limit).unwrap_or(i64::MAX)
            };
            vec![
                Statement {
                    sql: CLAIM_LOCK,
                    values: Vec::new(),
                },
                Statement {
                    sql: REAP,
                    values: values![epoch, writing.lease_ms],
                },
                Statement {
                    sql: CLAIM,
                    values: values![epoch, limit, writing.doubt],
                },
            ]
        }
        Request::BeginSession(new) => session::begin(new),
        Request::ChangeSession(id, at_ms, change) => session::change(id, *at_ms, change),
        Request::DeleteSession(id) => session::delete(id),
        Request::Settle(workflow) => one(SETTLE, values![workflow.as_str(), epoch]),
        Request::Release(workflow, release) => match release {
            Release::Again => one(RELEASE, values![workflow.as_str(), epoch, None::<String>, 0_i32]),
            Release::Untried => one(RELEASE, values![workflow.as_str(), epoch, None::<String>, 1_i32]),
            Release::Aside { reason } => one(
                RELEASE,
                values![workflow.as_str(), epoch, Some(text(reason)), 0_i32],
            ),
            Release::Readmitted => one(READMIT, values![workflow.as_str()]),
        },
    }
}

pub(super) fn one<'a>(sql: &'static str, values: Values<'a>) -> Vec<Statement<'a>> {
    vec![Statement { sql, values }]
}

/// With the lock that keeps what is named from being deleted meanwhile.
fn naming<'a>(names: &[String], sql: &'static str, values: Values<'a>) -> Vec<Statement<'a>> {
    let mut statements = one(sql, values);
    if !names.is_empty() {
        statements.insert(
            0,
            Statement {
                sql: NAME_LOCK,
                values: Vec::new(),
            },
        );
    }
    statements
}

/// Postgres keeps every character in a text but this one. The event itself has
/// it, escaped.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The rules of a history hold numbers below 2^63.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn begin(new: &Begin, epoch: i64) -> Values<'_> {
    let (first, last) = (new.rows.first(), new.rows.last());
    let mut values: Values<'_> = values![
        new.workflow.as_str(),
        new.correlation.as_str(),
        new.fingerprint.to_hex(),
        text(&new.task.workflow_type),
        text(&new.task.query),
        text(&new.task.workspace),
        number(first.map_or(0, |row| row.at_ms)),
        number(last.map_or(0, |row| row.seq.0)),
        status_text(new.status),
        number(last.map_or(0, |row| row.at_ms)),
        epoch,
    ];
    values.extend(rows(&new.rows));
    values.push(Box::new(&new.names));
    values.extend(contents(&new.blobs));
    values
}

fn append(more: &AppendRows, epoch: i64) -> Values<'_> {
    let last = more.rows.last();
    let mut values: Values<'_> = values![
        more.workflow.as_str(),
        number(more.after.0),
        epoch,
        number(last.map_or(more.after.0, |row| row.seq.0)),
        last.map(|row| number(row.at_ms)),
        more.status.map(status_text),
    ];
    values.extend(rows(&more.rows));
    values.extend(contents(&more.blobs));
    values.push(Box::new(&more.names));
    values
}

/// Names and bytes, in one order everywhere, so that two backends do not wait for each
/// other.
fn contents(blobs: &[Blob]) -> Values<'_> {
    let mut blobs: Vec<(String, &[u8])> = blobs
        .iter()
        .map(|blob| (blob.id().to_hex(), blob.bytes()))
        .collect();
    blobs.sort();
    let (names, bytes): (Vec<String>, Vec<&[u8]>) = blobs.into_iter().unzip();
    values![names, bytes]
}

fn rows(rows: &[record::Row]) -> Values<'_> {
    values![
        rows.iter().map(|row| number(row.seq.0)).collect::<Vec<_>>(),
        rows.iter().map(|row| number(row.at_ms)).collect::<Vec<_>>(),
        rows.iter()
            .map(|row| i32::try_from(row.version).unwrap_or(i32::MAX))
            .collect::<Vec<_>>(),
        rows.iter().map(|row| row.digest).collect::<Vec<_>>(),
        rows.iter().map(|row| row.body.as_str()).collect::<Vec<_>>(),
    ]
}

/// What became of a job, from the rows of its last statement.
pub(super) async fn outcome(
    session: &Session,
    request: &Request,
    rows: &[Row],
    writing: Writing,
) -> Result<Done, Error> {
    match request {
        Request::Begin(_) if !rows.is_empty() => Ok(Done::Created(Created::New)),
        Request::Begin(new) => known(session, new, writing).await.map(Done::Created),
        Request::Claim(_) => claimed(rows).map(Done::Claimed),
        Request::Release(_, Release::Readmitted) | Request::BeginSession(_) | Request::DeleteSession(_) => {
            Ok(Done::Written)
        }
        Request::ChangeSession(..) if !rows.is_empty() => Ok(Done::Written),
        Request::ChangeSession(id, ..) => Err(Error::UnknownSession { session: id.clone() }),
        Request::Delete(workflow) => match rows.first().map(|row| row.try_get(0)).transpose()? {
            Some(true) => Ok(Done::Written),
            Some(false) => Err(Error::Unfinished {
                workflow: workflow.clone(),
            }),
            // The answer to the first try was lost.
            None if writing.again => Ok(Done::Written),
            None => Err(Error::UnknownWorkflow {
                workflow: workflow.clone(),
            }),
        },
        Request::Append(_) | Request::Settle(_) | Request::Release(..) if !rows.is_empty() => {
            Ok(Done::Written)
        }
        Request::Append(more) => refused(session, &more.workflow, Some(more), writing).await,
        Request::Settle(workflow) | Request::Release(workflow, _) => {
            refused(session, workflow, None, writing).await
        }
    }
}

/// A workflow that had begun before.
async fn known(session: &Session, new: &Begin, writing: Writing) -> Result<Created, Error> {
    let Some((workflow, fingerprint)) = query::known(session, &new.correlation).await? else {
        let statement = session.prepared(TAKEN).await?;
        let taken: bool = session
            .client
            .query_one(&statement, &[&new.workflow.as_str()])
            .await?
            .try_get(0)?;
        return Err(if taken {
            Error::Invalid {
                reason: format!("workflow {} has already begun", new.workflow),
            }
        } else {
            Error::Busy {
                reason: "another backend was faster, and then gave up".to_owned(),
            }
        });
    };
    Ok(if fingerprint != new.fingerprint {
        Created::Conflict(workflow)
    } else if writing.again && workflow == new.workflow {
        Created::New
    } else {
        Created::Existing(workflow)
    })
}

/// Why a workflow was not changed.
async fn refused(
    session: &Session,
    workflow: &WorkflowId,
    more: Option<&AppendRows>,
    writing: Writing,
) -> Result<Done, Error> {
    let statement = session.prepared(WHY).await?;
    let row = session
        .client
        .query_opt(&statement, &[&workflow.as_str()])
        .await?;
    let Some(row) = row else {
        return Err(Error::UnknownWorkflow {
            workflow: workflow.clone(),
        });
    };
    let (run, head, epoch): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if epoch != writing.epoch {
        return Err(Error::Fenced {
            ours: u64::try_from(writing.epoch).unwrap_or_default(),
            current: u64::try_from(epoch).unwrap_or_default(),
        });
    }
    if let Some(more) = more {
        if writing.again && is_done(session, run, more).await? {
            return Ok(Done::Written);
        }
        let head = seq_of(head)?;
        if head != more.after {
            return Err(Error::Stale {
                workflow: workflow.clone(),
                after: more.after,
                head,
            });
        }
    }
    Err(Error::Busy {
        reason: format!("workflow {workflow} was changed meanwhile"),
    })
}

/// Whether exactly these events are there.
async fn is_done(session: &Session, run: i64, more: &AppendRows) -> Result<bool, Error> {
    let Some(last) = more.rows.last() else {
        return Ok(false);
    };
    let statement = session.prepared(ROWS).await?;
    let (after, last) = (number(more.after.0), number(last.seq.0));
    let found = session.client.query(&statement, &[&run, &after, &last]).await?;
    let mut there = Vec::with_capacity(found.len());
    for row in &found {
        let (seq, digest): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        there.push((seq_of(seq)?, digest));
    }
    let ours: Vec<(Seq, i64)> = more.rows.iter().map(|row| (row.seq, row.digest)).collect();
    Ok(there == ours)
}

/// One whose list entry cannot be read is left out: it must not take the others
/// with it.
fn claimed(rows: &[Row]) -> Result<Vec<Claimed>, Error> {
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let tries: i32 = row.try_get(10)?;
        match head_of(row) {
            Ok(head) => claimed.push(Claimed {
                head,
                tries: u32::try_from(tries).unwrap_or(u32::MAX),
            }),
            Err(error) => tracing::error!(%error, code = %error.code(), "a workflow is left out"),
        }
    }
    Ok(claimed)
}

/// A fingerprint as it is stored.
pub(super) fn fingerprint_of(text: &str) -> Result<BlobId, Error> {
    BlobId::from_hex(text).ok_or_else(|| Error::DamagedRow {
        reason: format!("`{text}` is no fingerprint"),
    })
}
