//! Packing of text in the database: which workflows have some, and one part of
//! one workflow in one transaction.
//!
//! The rows of a pack's events and the pack are exchanged within the
//! transaction, so that a reader, and a process that opens the file after this
//! one was killed, finds the ones or the other.

use std::collections::{HashSet, VecDeque};

use engine::ports::journal::Epoch;
use rusqlite::{OptionalExtension, Transaction, params};
use shared::id::{Seq, WorkflowId};

use super::group;
use crate::{
    Error,
    limits::PACK_WAITING_MAX,
    pack::{Packer, Plan},
    queue::{Done, Request, Texts},
    record::Row,
};

/// Workflows with text that is not packed. Only a hint: what is not packed is
/// read as well.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Those that got text, which something else may follow. What was claimed may
    /// have some from before.
    open: HashSet<WorkflowId>,
    /// Those whose text was followed by something else.
    due: VecDeque<WorkflowId>,
}

impl Waiting {
    /// Something was committed.
    pub(super) fn note(&mut self, request: &Request, done: &Done) {
        match request {
            Request::Begin(new) => self.written(&new.workflow, new.texts),
            // A status alone follows nothing.
            Request::Append(more) if more.rows.is_empty() => {}
            Request::Append(more) => self.written(&more.workflow, more.texts),
            Request::Delete(workflow) | Request::Release(workflow, _) => {
                self.open.remove(workflow);
            }
            Request::Claim(_) => {
                if let Done::Claimed(claimed) = done {
                    claimed
                        .iter()
                        .for_each(|claimed| self.grew(&claimed.head.workflow));
                }
            }
            Request::Settle(_)
            | Request::BeginSession(_)
            | Request::ChangeSession(..)
            | Request::DeleteSession(_) => {}
        }
    }

    fn written(&mut self, workflow: &WorkflowId, texts: Texts) {
        match texts {
            Texts::Only => self.grew(workflow),
            Texts::None => {
                if self.open.remove(workflow) {
                    self.again(workflow.clone());
                }
            }
            Texts::Some => {
                self.again(workflow.clone());
                // It may be the last thing in it.
                self.grew(workflow);
            }
        }
    }

    fn grew(&mut self, workflow: &WorkflowId) {
        if self.open.len() < PACK_WAITING_MAX && !self.open.contains(workflow) {
            self.open.insert(workflow.clone());
        }
    }

    /// There is more of it.
    pub(super) fn again(&mut self, workflow: WorkflowId) {
        if self.due.len() < PACK_WAITING_MAX {
            self.due.push_back(workflow);
        }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Option<WorkflowId> {
        self.due.pop_front()
    }
}

/// Packs what one commit takes of a workflow's text; none where nothing is
/// changed.
pub(super) fn apply(transaction: &Transaction<'_>, workflow: &WorkflowId) -> Result<Option<Plan>, Error> {
    let known: Option<(i64, u64)> = transaction
        .prepare_cached("SELECT run, packed FROM runs JOIN heads USING (run) WHERE workflow = ?1")?
        .query_row([workflow.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((run, packed)) = known else {
        return Ok(None);
    };
    let plan = plan(transaction, workflow, run, Seq(packed))?;
    if plan.settled == Seq(packed) {
        return Ok(None);
    }
    for pack in &plan.packs {
        let removed = transaction
            .prepare_cached("DELETE FROM events WHERE run = ?1 AND seq BETWEEN ?2 AND ?3")?
            .execute(params![run, pack.first.0, pack.row.seq.0])?;
        if removed as u64 != pack.count() {
            return Err(Error::Corrupt {
                reason: format!(
                    "{removed} of {} events of workflow {workflow} could be removed",
                    pack.count()
                ),
            });
        }
        group::insert(
            transaction,
            run,
            Epoch(pack.epoch),
            std::slice::from_ref(&pack.row),
        )?;
    }
    transaction
        .prepare_cached("UPDATE heads SET packed = ?2 WHERE run = ?1")?
        .execute(params![run, plan.settled.0])?;
    Ok(Some(plan))
}

fn plan(transaction: &Transaction<'_>, workflow: &WorkflowId, run: i64, packed: Seq) -> Result<Plan, Error> {
    let mut statement = transaction.prepare_cached(
        "SELECT seq, at_ms, v, digest, body, epoch FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![run, packed.0])?;
    let mut packer = Packer::new(workflow, packed);
    while !packer.is_full()
        && let Some(row) = rows.next()?
    {
        let record = Row {
            seq: Seq(row.get(0)?),
            at_ms: row.get(1)?,
            version: row.get(2)?,
            digest: row.get(3)?,
            body: row.get(4)?,
        };
        packer.take(&record, row.get(5)?);
    }
    Ok(packer.plan())
}
