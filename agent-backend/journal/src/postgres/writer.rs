//! The task that writes. It takes one job and all that wait behind it, sends
//! them as one transaction in one go, and answers all of them after its commit.
//!
//! When the connection breaks before the answer, nobody knows whether the commit
//! was done. Then the group waits for the server and is sent again, and what had
//! been done is recognised: an append by the events that it wrote, a new workflow
//! by its id.

use std::{pin::Pin, sync::Arc, task::Poll, time::Duration};

use engine::ports::journal::{Durability, Epoch};
use shared::error::Class;
use tokio::sync::mpsc;
use tokio_postgres::Row;

use super::{
    apply::{self, Writing},
    bell::Bell,
    connect::{Link, Session},
    lease,
};
use crate::{
    Error, meter,
    queue::{self, Done, Job, Request},
};

/// Between two tries to reach the server again.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Writer {
    link: Link,
    writing: Writing,
    bell: Arc<Bell>,
    /// Why it has stopped, if it has.
    stopped: Option<Error>,
}

type Answers = Vec<Result<Done, Error>>;

/// How far a transaction came before it failed.
enum Failed {
    /// Nothing was sent, or all of it was undone.
    Undone(Error),
    /// Perhaps it was committed.
    Unknown(Error),
}

impl Writer {
    pub(super) fn new(link: Link, epoch: Epoch, lease: Duration, bell: Arc<Bell>) -> Self {
        let writing = Writing {
            epoch: i64::try_from(epoch.0).unwrap_or(i64::MAX),
            lease_ms: lease::millis(lease),
            again: false,
            doubt: false,
        };
        Self {
            link,
            writing,
            bell,
            stopped: None,
        }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.recv().await {
            let group = queue::collect(first, &mut queue);
            meter::waiting(queue.len());
            self.commit(group).await;
        }
    }

    async fn commit(&mut self, group: Vec<Job>) {
        let answers = match &self.stopped {
            Some(error) => Err(error.clone()),
            None => self.transact(&group).await,
        };
        match answers {
            Ok(answers) => {
                if answers.iter().any(queue::changes) {
                    self.bell.ring();
                }
                for (job, answer) in group.into_iter().zip(answers) {
                    if let Err(error) = &answer {
                        self.stop_if_fatal(error);
                    }
                    // Nobody listens when the caller stopped waiting.
                    let _ = job.reply.send(answer);
                }
            }
            // Perhaps one of them was too large, or two waited for each other.
            Err(error) if group.len() > 1 && spares_others(&error) => {
                for job in group {
                    Box::pin(self.commit(vec![job])).await;
                }
            }
            Err(error) => {
                self.stop_if_fatal(&error);
                for job in group {
                    let _ = job.reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn stop_if_fatal(&mut self, error: &Error) {
        if error.class() == Class::Fatal && self.stopped.is_none() {
            tracing::error!(%error, code = %error.code(), "the journal stops writing");
            self.stopped = Some(error.clone());
        }
    }

    async fn transact(&mut self, group: &[Job]) -> Result<Answers, Error> {
        let mut writing = self.writing;
        loop {
            let begun = tokio::time::Instant::now();
            match attempt(&self.link, group, writing).await {
                Ok(answers) => {
                    meter::committed(begun.elapsed(), group.len(), queue::durability(group));
                    let claims = group.iter().any(|job| matches!(job.request, Request::Claim(_)));
                    self.writing.doubt &= !claims;
                    return Ok(answers);
                }
                Err(Failed::Undone(error)) => {
                    if matches!(error, Error::Away { .. }) {
                        self.link.forget().await;
                        if writing.again {
                            tokio::time::sleep(PAUSE).await;
                            continue;
                        }
                    }
                    return Err(error);
                }
                Err(Failed::Unknown(error)) => {
                    tracing::warn!(%error, code = %error.code(), "the answer to a commit was lost");
                    self.link.forget().await;
                    writing.again = true;
                    writing.doubt |= group.iter().any(|job| matches!(job.request, Request::Claim(_)));
                    self.writing.doubt = writing.doubt;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Whether other jobs of the same group can still succeed, each by itself.
fn spares_others(error: &Error) -> bool {
    matches!(
        error,
        Error::Full { .. } | Error::Busy { .. } | Error::DamagedRow { .. } | Error::Invalid { .. }
    )
}

async fn attempt(link: &Link, group: &[Job], writing: Writing) -> Result<Answers, Failed> {
    let session = link.session().await.map_err(Failed::Undone)?;
    // Prepared before anything is sent, so that all is sent in one go.
    let mut jobs = Vec::with_capacity(group.len());
    for job in group {
        let mut prepared = Vec::new();
        for statement in apply::statements(&job.request, writing) {
            let known = session.prepared(statement.sql).await.map_err(Failed::Undone)?;
            prepared.push((known, statement.values));
        }
        jobs.push(prepared);
    }
    let begin = match queue::durability(group) {
        Durability::Synced => "BEGIN",
        // Handed to the server, which flushes it a moment later.
        Durability::Process => "BEGIN; SET LOCAL synchronous_commit = off",
    };
    let rows = pipeline(&session, begin, &jobs).await.map_err(|error| {
        if matches!(error, Error::Away { .. }) {
            Failed::Unknown(error)
        } else {
            Failed::Undone(error)
        }
    })?;
    let mut answers = Vec::with_capacity(group.len());
    for (job, rows) in group.iter().zip(&rows) {
        match apply::outcome(&session, &job.request, rows, writing).await {
            // It is committed; only what it was is not known.
            Err(error @ Error::Away { .. }) => return Err(Failed::Unknown(error)),
            answer => answers.push(answer),
        }
    }
    Ok(answers)
}

type Prepared<'a> = Vec<(tokio_postgres::Statement, apply::Values<'a>)>;

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, tokio_postgres::Error>> + Send + 'a>>;

/// Sends the whole transaction before it waits for the first answer. The rows
/// of each job's last statement.
async fn pipeline(session: &Session, begin: &str, jobs: &[Prepared<'_>]) -> Result<Vec<Vec<Row>>, Error> {
    let client = &session.client;
    let mut sending: Vec<Sending<'_>> = Vec::new();
    sending.push(Box::pin(async {
        client.batch_execute(begin).await.map(|()| Vec::new())
    }));
    for (statement, values) in jobs.iter().flatten() {
        sending.push(Box::pin(async move {
            let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = values
                .iter()
                .map(|value| &**value as &(dyn tokio_postgres::types::ToSql + Sync))
                .collect();
            client.query(statement, &values).await
        }));
    }
    sending.push(Box::pin(async {
        client.batch_execute("COMMIT").await.map(|()| Vec::new())
    }));
    let mut answers = in_order(sending).await.into_iter();
    // After the first error the server refuses the rest, and undoes all at the end.
    let mut failed = None;
    let mut next = || match answers.next() {
        Some(Ok(rows)) => rows,
        Some(Err(error)) => {
            failed.get_or_insert(error);
            Vec::new()
        }
        None => Vec::new(),
    };
    next();
    let rows = jobs
        .iter()
        .map(|job| job.iter().fold(Vec::new(), |_, _| next()))
        .collect();
    next();
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(rows),
    }
}

/// Polls all of them, the earlier ones first, so that they are sent in order.
async fn in_order<T>(mut running: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *slot = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}
