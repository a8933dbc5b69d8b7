//! What the writer does for one job inside the transaction of its group.
//! Everything that can refuse a job is asked before its first row is written,
//! so that a refused job leaves nothing behind and spares the others.

use engine::{
    blob::Blob,
    ports::journal::{Claimed, Created, Epoch, Release},
};
use rusqlite::{OptionalExtension, Transaction, params};
use shared::id::{Seq, WorkflowId};

use super::{
    query::{HEAD, head_of, run_of},
    session,
};
use crate::{
    Error,
    queue::{AppendRows, Begin, Done, Request},
    record::Row,
    words::status_text,
};

/// The answer to one job; the outer error is the storage's and ends the
/// transaction for all of them.
pub(super) fn apply(
    transaction: &Transaction<'_>,
    epoch: Epoch,
    request: &Request,
) -> Result<Result<Done, Error>, Error> {
    match request {
        Request::Begin(new) => begin(transaction, epoch, new).map(|answer| answer.map(Done::Created)),
        Request::Append(more) => {
            append(transaction, epoch, more).map(|answer| answer.map(|()| Done::Written))
        }
        Request::Claim(limit) => claim(transaction, epoch, *limit).map(|answer| answer.map(Done::Claimed)),
        Request::Delete(workflow) => {
            delete(transaction, workflow).map(|answer| answer.map(|()| Done::Written))
        }
        Request::BeginSession(new) => session::begin(transaction, new).map(|()| Ok(Done::Written)),
        Request::ChangeSession(id, at_ms, change) => {
            session::change(transaction, id, *at_ms, change).map(|answer| answer.map(|()| Done::Written))
        }
        Request::DeleteSession(id) => session::delete(transaction, id).map(|()| Ok(Done::Written)),
        Request::Settle(workflow) => {
            let sql = "UPDATE heads SET tries = 0 WHERE run = (SELECT run FROM runs WHERE workflow = ?1)";
            let changed = transaction.prepare_cached(sql)?.execute([workflow.as_str()])?;
            Ok(known(workflow, changed).map(|()| Done::Written))
        }
        Request::Release(workflow, release) => {
            // What was not set aside may be running: it is not readmitted.
            let (sql, reason) = match release {
                Release::Again => ("epoch = 0, aside = ?2 WHERE TRUE", None),
                Release::Untried => (
                    "epoch = 0, tries = max(tries - 1, 0), aside = ?2 WHERE TRUE",
                    None,
                ),
                Release::Aside { reason } => ("epoch = 0, aside = ?2 WHERE TRUE", Some(reason.as_str())),
                Release::Readmitted => ("epoch = 0, tries = 0, aside = ?2 WHERE aside IS NOT NULL", None),
            };
            let sql = format!("UPDATE heads SET {sql} AND run = (SELECT run FROM runs WHERE workflow = ?1)");
            transaction
                .prepare_cached(&sql)?
                .execute(params![workflow.as_str(), reason])?;
            Ok(Ok(Done::Written))
        }
    }
}

/// Removes a workflow and the blobs that no other one names.
fn delete(transaction: &Transaction<'_>, workflow: &WorkflowId) -> Result<Result<(), Error>, Error> {
    let known: Option<(i64, bool)> = transaction
        .prepare_cached(
            "SELECT run, status IN ('running', 'awaiting_decision') AND aside IS NULL
             FROM runs JOIN heads USING (run) WHERE workflow = ?1",
        )?
        .query_row([workflow.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (run, unfinished) = match known {
        None => {
            return Ok(Err(Error::UnknownWorkflow {
                workflow: workflow.clone(),
            }));
        }
        Some(known) => known,
    };
    if unfinished {
        return Ok(Err(Error::Unfinished {
            workflow: workflow.clone(),
        }));
    }
    for sql in [
        "DELETE FROM blobs WHERE sha256 IN (SELECT sha256 FROM named WHERE run = ?1)
             AND NOT EXISTS (SELECT 1 FROM named n WHERE n.sha256 = blobs.sha256 AND n.run <> ?1)",
        "DELETE FROM named WHERE run = ?1",
        "DELETE FROM events WHERE run = ?1",
        "DELETE FROM heads WHERE run = ?1",
        "DELETE FROM runs WHERE run = ?1",
    ] {
        transaction.prepare_cached(sql)?.execute([run])?;
    }
    Ok(Ok(()))
}

fn known(workflow: &WorkflowId, changed: usize) -> Result<(), Error> {
    if changed == 0 {
        return Err(Error::UnknownWorkflow {
            workflow: workflow.clone(),
        });
    }
    Ok(())
}

/// Unfinished workflows of earlier openings, in the order they began. One whose
/// list entry cannot be read is left out: it must not take the others with it.
fn claim(
    transaction: &Transaction<'_>,
    epoch: Epoch,
    limit: usize,
) -> Result<Result<Vec<Claimed>, Error>, Error> {
    let runs = {
        let mut statement = transaction.prepare_cached(
            "SELECT run FROM heads WHERE status IN ('running', 'awaiting_decision')
             AND epoch < ?1 AND aside IS NULL ORDER BY run LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![epoch.0, limit], |row| row.get::<_, i64>(0))?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    let mut take = transaction
        .prepare_cached("UPDATE heads SET epoch = ?2, tries = tries + 1 WHERE run = ?1 RETURNING tries")?;
    let mut entry = transaction.prepare_cached(&format!("{HEAD} WHERE run = ?1"))?;
    let mut claimed = Vec::with_capacity(runs.len());
    for run in runs {
        let tries = take.query_row(params![run, epoch.0], |row| row.get(0))?;
        let mut rows = entry.query([run])?;
        match rows.next()?.map(head_of) {
            Some(Ok(head)) => claimed.push(Claimed { head, tries }),
            Some(Err(error)) => tracing::error!(%error, code = %error.code(), "a workflow is left out"),
            None => {}
        }
    }
    Ok(Ok(claimed))
}

fn begin(transaction: &Transaction<'_>, epoch: Epoch, new: &Begin) -> Result<Result<Created, Error>, Error> {
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
        .prepare_cached(
            "INSERT INTO heads (run, head, status, updated_at_ms, epoch, tries) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        )?
        .execute(params![
            run,
            last.seq.0,
            status_text(new.status),
            last.at_ms,
            epoch.0
        ])?;
    keep(transaction, &new.blobs)?;
    insert(transaction, run, epoch, &new.rows)?;
    name(transaction, run, &new.names)?;
    Ok(Ok(Created::New))
}

fn append(
    transaction: &Transaction<'_>,
    epoch: Epoch,
    more: &AppendRows,
) -> Result<Result<(), Error>, Error> {
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
    keep(transaction, &more.blobs)?;
    insert(transaction, run, epoch, &more.rows)?;
    name(transaction, run, &more.names)?;
    if let Some(last) = more.rows.last() {
        transaction
            .prepare_cached("UPDATE heads SET head = ?2, updated_at_ms = ?3, epoch = ?4 WHERE run = ?1")?
            .execute(params![run, last.seq.0, last.at_ms, epoch.0])?;
    }
    // Apart, because it touches the index of unfinished workflows, too.
    if let Some(status) = more.status {
        transaction
            .prepare_cached("UPDATE heads SET status = ?2 WHERE run = ?1")?
            .execute(params![run, status_text(status)])?;
    }
    Ok(Ok(()))
}

fn keep(transaction: &Transaction<'_>, blobs: &[Blob]) -> Result<(), Error> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO blobs (sha256, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for blob in blobs {
        statement.execute(params![blob.id().to_hex(), blob.bytes()])?;
    }
    Ok(())
}

fn name(transaction: &Transaction<'_>, run: i64, names: &[String]) -> Result<(), Error> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO named (sha256, run) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for name in names {
        statement.execute(params![name, run])?;
    }
    Ok(())
}

/// Writes records of a workflow, which were written under `epoch`.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    run: i64,
    epoch: Epoch,
    rows: &[Row],
) -> Result<(), Error> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO events (run, seq, at_ms, v, digest, body, epoch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for row in rows {
        statement.execute(params![
            run,
            row.seq.0,
            row.at_ms,
            row.version,
            row.digest,
            row.body,
            epoch.0
        ])?;
    }
    Ok(())
}
