//! The thread that owns the only connection that writes. It takes one job and
//! all that wait behind it, commits once, and answers all of them: under load
//! one sync carries many appends, without load nobody waits for company.
//!
//! When nobody waits, it packs text that is over, a part at a time.
//!
//! When the storage fails it stops for good: every later job gets the same
//! error, and nothing is tried again. A sync that failed may have dropped what
//! it should have written, so that a second one would succeed and lie.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use engine::ports::journal::{Durability, Epoch};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use shared::{crash, error::Class, id::WorkflowId};
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{Counters, copier::Copier, fault, group, pack, witness::Witness};
use crate::{
    Error,
    limits::{
        BUSY_TIMEOUT_MS, CHECKPOINT_BUSY_TIMEOUT_MS, CHECKPOINT_FRAMES, FREE_PAGES_MAX, LOG_FRAMES_LEFT,
        LOG_FRAMES_LONG, LOG_FRAMES_MAX,
    },
    meter,
    queue::{self, Done, Job},
};

/// Groups between two looks whether the database can be made smaller: to look takes
/// as long as to write a row.
const SHRINK_GROUPS: u32 = 16;

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    /// Of this opening: whoever opens later has a higher one.
    epoch: Epoch,
    witness: Witness,
    counters: Arc<Counters>,
    copier: Copier,
    /// What the connection is set to.
    durability: Durability,
    /// Text that is to be packed.
    waiting: pack::Waiting,
    /// Groups since it was looked whether pages can be given back.
    since_shrink: u32,
    /// Why it has stopped, if it has.
    stopped: Option<Error>,
}

impl Writer {
    /// A writer on a connection that is set to sync every commit.
    pub(super) fn new(
        connection: Connection,
        epoch: Epoch,
        witness: Witness,
        counters: Arc<Counters>,
        copier: Copier,
    ) -> Self {
        Self {
            connection,
            epoch,
            witness,
            counters,
            copier,
            durability: Durability::Synced,
            waiting: pack::Waiting::default(),
            since_shrink: 0,
            stopped: None,
        }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = self.next(&mut queue) {
            let group = queue::collect(first, &mut queue);
            meter::waiting(queue.len());
            self.hear_of_copies();
            self.commit(group);
            // One part also under load, so that it does not grow.
            self.pack_when_due();
            self.shrink_when_due();
            self.checkpoint_when_due();
        }
        while self.pack_when_due() {}
        self.hear_of_copies();
        let Self {
            connection,
            copier,
            stopped,
            ..
        } = self;
        drop(copier);
        if stopped.is_none()
            && let Err(error) = checkpoint(&connection, Checkpoint::Truncate)
        {
            // Nothing is lost: the log is read when the journal is opened.
            tracing::warn!(%error, code = %error.code(), "the write-ahead log was not emptied at the end");
        }
    }

    /// The next job. As long as none waits, text is packed.
    fn next(&mut self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        loop {
            match queue.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {
                    if !self.pack_when_due() {
                        return queue.blocking_recv();
                    }
                    self.checkpoint_when_due();
                }
            }
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        let answers = match &self.stopped {
            Some(error) => Err(error.clone()),
            None => self.transact(&group),
        };
        match answers {
            Ok(answers) => {
                for (job, answer) in group.into_iter().zip(answers) {
                    if let Ok(done) = &answer {
                        self.waiting.note(&job.request, done);
                    }
                    self.answer(job, answer);
                }
            }
            Err(error) if fault::spares_others(&error) && group.len() > 1 => {
                for job in group {
                    self.commit(vec![job]);
                }
            }
            Err(error) => {
                self.stop_if_fatal(&error);
                for job in group {
                    self.answer(job, Err(error.clone()));
                }
            }
        }
    }

    fn transact(&mut self, group: &[Job]) -> Result<Vec<Result<Done, Error>>, Error> {
        let durability = queue::durability(group);
        let begun = tokio::time::Instant::now();
        self.set_durability(durability)?;
        let transaction = begin(&mut self.connection, self.epoch)?;
        let answers: Vec<_> = group
            .iter()
            .map(|job| group::apply(&transaction, self.epoch, &job.request))
            .collect::<Result<_, _>>()?;
        // A group of refused jobs changes nothing, and then nothing is synced.
        let synced = if durability == Durability::Synced && answers.iter().any(queue::changes) {
            Some(count_synced(&transaction)?)
        } else {
            None
        };
        let text_only = durability == Durability::Process;
        crash::point(if text_only {
            "journal:before_text"
        } else {
            "journal:before_commit"
        });
        transaction.commit()?;
        crash::point(if text_only {
            "journal:after_text"
        } else {
            "journal:after_commit"
        });
        meter::committed(begun.elapsed(), group.len(), durability);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        if let Some(commits) = synced {
            self.counters.commits_synced.fetch_add(1, Ordering::Relaxed);
            self.witness.note(commits);
            crash::point("journal:after_witness");
        }
        Ok(answers)
    }

    /// FULL syncs the whole log after a commit, with all that earlier commits
    /// left unsynced in it. NORMAL does not sync after a commit, but still
    /// before and after the log is copied, which OFF would not: see ADR 0005.
    fn set_durability(&mut self, durability: Durability) -> Result<(), Error> {
        if self.durability != durability {
            let level = match durability {
                Durability::Synced => 2,
                Durability::Process => 1,
            };
            super::schema::set(&self.connection, "synchronous", level)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn answer(&self, job: Job, answer: Result<Done, Error>) {
        self.counters.jobs.fetch_add(1, Ordering::Relaxed);
        // Nobody listens when the caller stopped waiting; what was committed
        // stays committed.
        let _ = job.reply.send(answer);
    }

    fn stop_if_fatal(&mut self, error: &Error) {
        if error.class() == Class::Fatal && self.stopped.is_none() {
            tracing::error!(%error, code = %error.code(), "the journal stops writing");
            self.stopped = Some(error.clone());
        }
    }

    /// Packs a part of one workflow's text, after the answers went out. It changes
    /// nothing that anybody reads. False where there is none.
    fn pack_when_due(&mut self) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        let Some(workflow) = self.waiting.next() else {
            return false;
        };
        match self.pack(&workflow) {
            Ok(true) => self.waiting.again(workflow),
            Ok(false) => {}
            Err(error) => {
                self.stop_if_fatal(&error);
                if self.stopped.is_none() {
                    tracing::warn!(%error, code = %error.code(), %workflow, "its text was not packed");
                }
            }
        }
        true
    }

    /// Whether there may be more to pack. Not synced: where the commit is lost, what
    /// it packed is there as it was.
    fn pack(&mut self, workflow: &WorkflowId) -> Result<bool, Error> {
        let begun = tokio::time::Instant::now();
        self.set_durability(Durability::Process)?;
        let transaction = begin(&mut self.connection, self.epoch)?;
        let Some(plan) = pack::apply(&transaction, workflow)? else {
            return Ok(false);
        };
        crash::point("journal:before_pack");
        transaction.commit()?;
        crash::point("journal:after_pack");
        let events = plan.packs.iter().map(crate::pack::Pack::count).sum();
        meter::packed(begun.elapsed(), events);
        Ok(plan.more)
    }

    /// Gives pages that deletions left back to the disk, a few at a time and only
    /// when they are a good part of the file: most are soon used again. It changes
    /// nothing that anybody reads.
    fn shrink_when_due(&mut self) {
        self.since_shrink += 1;
        if self.stopped.is_some() || self.since_shrink < SHRINK_GROUPS {
            return;
        }
        self.since_shrink = 0;
        if let Err(error) = shrink(&self.connection) {
            self.stop_if_fatal(&error);
            if self.stopped.is_none() {
                tracing::warn!(%error, code = %error.code(), "the database was not made smaller");
            }
        }
    }

    /// Has the log copied into the database when it has grown, after the answers
    /// went out.
    fn checkpoint_when_due(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        if let Err(error) = self.try_checkpoint() {
            self.not_copied(&error);
        }
    }

    /// A copy that failed may be one that was not synced.
    fn hear_of_copies(&mut self) {
        while let Some(error) = self.copier.failure() {
            self.not_copied(&error);
        }
    }

    fn not_copied(&mut self, error: &Error) {
        self.stop_if_fatal(error);
        if self.stopped.is_none() {
            tracing::warn!(%error, code = %error.code(), "the write-ahead log was not copied");
        }
    }

    fn try_checkpoint(&self) -> Result<(), Error> {
        let log = checkpoint(&self.connection, Checkpoint::Measure)?;
        let left = log.frames - log.copied;
        let long = log.frames >= LOG_FRAMES_LONG && left < LOG_FRAMES_LEFT;
        if long || log.frames >= LOG_FRAMES_MAX {
            // Readers that follow each other without a pause keep the log from
            // beginning again, so from here on they are waited for, shortly.
            self.connection
                .busy_timeout(Duration::from_millis(CHECKPOINT_BUSY_TIMEOUT_MS))?;
            let done = checkpoint(&self.connection, Checkpoint::Restart);
            self.connection
                .busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
            done?;
        } else if left >= CHECKPOINT_FRAMES {
            self.copier.copy();
        }
        Ok(())
    }
}

/// A transaction of the writer with this epoch. Dropped without a commit, it rolls
/// back.
fn begin(connection: &mut Connection, epoch: Epoch) -> Result<Transaction<'_>, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Within the transaction, so that nobody can take over before its end.
    let current = super::schema::epoch(&transaction)?;
    if current != epoch {
        return Err(Error::Fenced {
            ours: epoch.0,
            current: current.0,
        });
    }
    Ok(transaction)
}

fn shrink(connection: &Connection) -> Result<(), Error> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let free = number("freelist_count")?;
    if free < FREE_PAGES_MAX || free * 2 < number("page_count")? {
        return Ok(());
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({FREE_PAGES_MAX})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Counts this commit among the synced ones; see `witness`.
fn count_synced(transaction: &Transaction<'_>) -> Result<u64, Error> {
    let mut statement = transaction
        .prepare_cached("UPDATE synced SET commits = commits + 1 WHERE id = 1 RETURNING commits")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// What to do with the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// Only say how long it is.
    Measure,
    /// Copy what no reader needs.
    Passive,
    /// Copy all of it and begin it again, waiting for readers.
    Restart,
    /// The same, and cut the file.
    Truncate,
}

/// How long the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    /// Frames in it.
    pub(super) frames: i64,
    /// Those of them that were copied.
    pub(super) copied: i64,
}

/// Copies the log, which syncs it first and the database afterwards.
pub(super) fn checkpoint(connection: &Connection, what: Checkpoint) -> Result<Log, Error> {
    let sql = match what {
        Checkpoint::Measure => "PRAGMA wal_checkpoint(NOOP)",
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Restart => "PRAGMA wal_checkpoint(RESTART)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    Ok(connection.prepare_cached(sql)?.query_row([], |row| {
        Ok(Log {
            frames: row.get(1)?,
            copied: row.get(2)?,
        })
    })?)
}
