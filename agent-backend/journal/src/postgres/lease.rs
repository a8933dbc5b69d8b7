//! The lease by which the others know that this backend lives: a row with an
//! end in the server's time, which is moved on again and again. Whoever finds
//! one that is over deletes it, and from then on what it stood for belongs to
//! nobody. A backend whose row is gone has been taken for dead and must end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::ports::journal::Epoch;
use tokio::sync::watch;

use super::{
    Task,
    connect::{Link, Target},
};
use crate::Error;

const TAKE: &str = "INSERT INTO agentic_ide.owners (epoch, name, expires_at)
    VALUES (nextval('agentic_ide.epochs'), $1, clock_timestamp() + $2 * interval '1 millisecond')
    RETURNING epoch";

const RENEW: &str = "UPDATE agentic_ide.owners
    SET expires_at = clock_timestamp() + $2 * interval '1 millisecond' WHERE epoch = $1";

const LEAVE: &str = "DELETE FROM agentic_ide.owners WHERE epoch = $1";

/// A renewal is tried so many times within one lease.
const RENEWALS: u32 = 3;

/// The lease of this backend.
#[derive(Debug)]
pub(super) struct Lease {
    epoch: Epoch,
    length: Duration,
    link: Arc<Link>,
    lost: watch::Receiver<bool>,
    stalled: Arc<AtomicBool>,
    _task: Task,
}

/// Milliseconds as the statements take them.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

impl Lease {
    /// Takes a lease under a new epoch and keeps it.
    pub(super) async fn take(target: &Target, name: &str, length: Duration) -> Result<(Self, Epoch), Error> {
        let link = Arc::new(Link::listening(target));
        let session = link.session().await?;
        let row = session.client.query_one(TAKE, &[&name, &millis(length)]).await?;
        let number: i64 = row.try_get(0)?;
        let epoch = Epoch(u64::try_from(number).map_err(|_| Error::Corrupt {
            reason: format!("epoch {number} is negative"),
        })?);
        let (tell, lost) = watch::channel(false);
        let stalled = Arc::new(AtomicBool::new(false));
        let keeping = keep(Arc::clone(&link), number, length, tell, Arc::clone(&stalled));
        let lease = Self {
            epoch,
            length,
            link,
            lost,
            stalled,
            _task: Task(tokio::spawn(keeping)),
        };
        Ok((lease, epoch))
    }

    /// Resolves when the others took this backend for dead.
    pub(super) async fn lost(&self) -> Error {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
        Error::Fenced {
            ours: self.epoch.0,
            current: 0,
        }
    }

    /// Moves its end on, out of turn.
    pub(super) async fn renew(&self) -> Result<(), Error> {
        let session = self.link.session().await?;
        let number = i64::try_from(self.epoch.0).unwrap_or(i64::MAX);
        session
            .client
            .execute(RENEW, &[&number, &millis(self.length)])
            .await?;
        Ok(())
    }

    /// Gives the lease back.
    pub(super) async fn leave(&self) -> Result<(), Error> {
        self.stall();
        let session = self.link.session().await?;
        let number = i64::try_from(self.epoch.0).unwrap_or(i64::MAX);
        session.client.execute(LEAVE, &[&number]).await?;
        Ok(())
    }

    /// Renews no more.
    pub(super) fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }
}

async fn keep(
    link: Arc<Link>,
    epoch: i64,
    length: Duration,
    lost: watch::Sender<bool>,
    stalled: Arc<AtomicBool>,
) {
    let pause = length / RENEWALS;
    loop {
        tokio::time::sleep(pause).await;
        if stalled.load(Ordering::Relaxed) {
            return;
        }
        let renew = async {
            let session = link.session().await?;
            Ok::<_, Error>(session.client.execute(RENEW, &[&epoch, &millis(length)]).await?)
        };
        match tokio::time::timeout(pause, renew).await {
            Ok(Ok(0)) => {
                lost.send_replace(true);
                return;
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, code = %error.code(), "the lease was not renewed"),
            Err(_) => {
                tracing::warn!("the lease was not renewed in time");
                link.forget().await;
            }
        }
    }
}
