//! What the writer does for one job inside the transaction of its group.
//! Everything that can refuse a job is asked before its first row is written,
//! so that a refused job leaves nothing behind and spares the others.

use engine::{
    artifact::Task,
    blob::{Blob, BlobId},
    ports::journal::{Created, Status},
};
use rusqlite::{OptionalExtension, Transaction, params};
use shared::id::{CorrelationId, Seq, WorkflowId};

use super::query::{run_of, status_text};
use crate::{Error, record::Row};

/// What is to be written.
#[derive(Debug)]
pub(super) enum Request {
    /// A new workflow.
    Begin(Begin),
    /// More of one.
    Append(AppendRows),
}

/// A new workflow.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) workflow: WorkflowId,
    pub(super) correlation: CorrelationId,
    pub(super) fingerprint: BlobId,
    pub(super) task: Task,
    pub(super) rows: Vec<Row>,
    pub(super) status: Status,
}

/// More of a workflow.
#[derive(Debug)]
pub(super) struct AppendRows {
    pub(super) workflow: WorkflowId,
    pub(super) after: Seq,
    pub(super) rows: Vec<Row>,
    pub(super) blobs: Vec<Blob>,
    pub(super) status: Option<Status>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// Of a new workflow.
    Created(Created),
    /// Of an append.
    Appended,
}

/// The answer to one job; the outer error is the storage's and ends the
/// transaction for all of them.
pub(super) fn apply(transaction: &Transaction<'_>, request: &Request) -> Result<Result<Done, Error>, Error> {
    match request {
        Request::Begin(new) => begin(transaction, new).map(|answer| answer.map(Done::Created)),
        Request::Append(more) => append(transaction, more).map(|answer| answer.map(|()| Done::Appended)),
    }
}

fn begin(transaction: &Transaction<'_>, new: &Begin) -> Result<Result<Created, Error>, Error> {
    let known: Option<(String, String)> = transaction
        .prepare_cached("SELECT workflow, fingerprint FROM runs WHERE correlation = ?1")?
        .query_row([new.correlation.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((workflow, fingerprint)) = known {
        return Ok(run_of(&workflow, &fingerprint).map(|(workflow, fingerprint)| {
            if fingerprint == new.fingerprint {
                Created::Existing(workflow)
            } else {
                Created::Conflict(workflow)
            }
        }));
    }
    let taken: bool = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE workflow = ?1)")?
        .query_row([new.workflow.as_str()], |row| row.get(0))?;
    if taken {
        return Ok(Err(Error::Invalid {
            reason: format!("workflow {} has already begun", new.workflow),
        }));
    }
    let (Some(first), Some(last)) = (new.rows.first(), new.rows.last()) else {
        return Ok(Err(Error::Invalid {
            reason: format!("workflow {} begins with nothing", new.workflow),
        }));
    };
    transaction
        .prepare_cached(
            "INSERT INTO runs (workflow, correlation, fingerprint, workflow_type, query, workspace, created_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            new.workflow.as_str(),
            new.correlation.as_str(),
            new.fingerprint.to_hex(),
            new.task.workflow_type,
            new.task.query,
            new.task.workspace,
            first.at_ms,
        ])?;
    let run = transaction.last_insert_rowid();
    transaction
        .prepare_cached("INSERT INTO heads (run, head, status, updated_at_ms) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![run, last.seq.0, status_text(new.status), last.at_ms])?;
    insert(transaction, run, &new.rows)?;
    Ok(Ok(Created::New))
}

fn append(transaction: &Transaction<'_>, more: &AppendRows) -> Result<Result<(), Error>, Error> {
    let known: Option<(i64, u64)> = transaction
        .prepare_cached("SELECT run, head FROM runs JOIN heads USING (run) WHERE workflow = ?1")?
        .query_row([more.workflow.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((run, head)) = known else {
        return Ok(Err(Error::UnknownWorkflow {
            workflow: more.workflow.clone(),
        }));
    };
    if head != more.after.0 {
        return Ok(Err(Error::Stale {
            workflow: more.workflow.clone(),
            after: more.after,
            head: Seq(head),
        }));
    }
    let mut blobs = transaction
        .prepare_cached("INSERT INTO blobs (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for blob in &more.blobs {
        blobs.execute(params![blob.id().to_hex(), blob.bytes()])?;
    }
    insert(transaction, run, &more.rows)?;
    if let Some(last) = more.rows.last() {
        transaction
            .prepare_cached("UPDATE heads SET head = ?2, updated_at_ms = ?3 WHERE run = ?1")?
            .execute(params![run, last.seq.0, last.at_ms])?;
    }
    // Apart, because it touches the index of unfinished workflows, too.
    if let Some(status) = more.status {
        transaction
            .prepare_cached("UPDATE heads SET status = ?2 WHERE run = ?1")?
            .execute(params![run, status_text(status)])?;
    }
    Ok(Ok(()))
}

fn insert(transaction: &Transaction<'_>, run: i64, rows: &[Row]) -> Result<(), Error> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO events (run, seq, at_ms, v, digest, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for row in rows {
        statement.execute(params![
            run,
            row.seq.0,
            row.at_ms,
            row.version,
            row.digest,
            row.body
        ])?;
    }
    Ok(())
}
