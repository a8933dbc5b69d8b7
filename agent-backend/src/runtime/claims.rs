//! Which unfinished workflows this process runs: it claims what nobody has, and
//! sets aside what cannot be run, so that the others go on.

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::{
    Recorded,
    ports::journal::{Claimed, Release},
};
use futures::FutureExt as _;
use shared::{
    error::{Class, Code},
    id::{Seq, WorkflowId},
};
use tokio::sync::Notify;

use super::{ACTIVE_MAX, PAGE, Runtime, actor, meter};
use crate::error::Error;

/// How often a workflow is tried before it is set aside.
const TRIES_MAX: u32 = 3;

/// How often a workflow is claimed without getting as far as to run, before it
/// is held to end the process. More than its failures, because people and tests
/// kill processes for other reasons.
const STARTS_MAX: u32 = 10;

/// Between two looks for workflows that others left behind.
const CLAIM_PAUSE: Duration = Duration::from_secs(1);

/// Folder in the data folder for what could be read of workflows that were set
/// aside.
pub(crate) const ASIDE: &str = "aside";

/// What is known of claims.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Failures of workflows in this process.
    failures: Mutex<HashMap<WorkflowId, u32>>,
    /// Something was given up and can be claimed again.
    again: Notify,
    watching: AtomicBool,
}

impl Runtime {
    /// Goes on with everything unfinished that nobody has, and from here on
    /// with what others leave behind. A workflow that cannot be run is set
    /// aside after three tries.
    pub async fn resume_all(&self) -> Result<usize, Error> {
        let resumed = self.claim_all().await?;
        if !self.0.claims.watching.swap(true, Ordering::Relaxed) {
            let runtime = self.clone();
            self.0.tasks.spawn(async move { runtime.keep_claiming().await });
        }
        Ok(resumed)
    }

    async fn keep_claiming(&self) {
        let shared = self.services().journal.changed().is_some();
        loop {
            let pause = async {
                if shared {
                    tokio::time::sleep(CLAIM_PAUSE).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.0.stop.cancelled() => return,
                () = self.0.claims.again.notified() => {}
                () = pause => {}
            }
            match self.claim_all().await {
                Ok(0) => {}
                Ok(resumed) => tracing::info!(resumed, "taken over"),
                // The store is away; what waits there waits.
                Err(error) if error.class == Class::Transient => {
                    tracing::warn!(%error, code = %error.code, "nothing can be claimed");
                }
                Err(error) => {
                    tracing::error!(%error, code = %error.code, "nothing can be claimed");
                    if error.class == Class::Fatal {
                        self.0.fatal.send_replace(Some(error));
                        return;
                    }
                }
            }
        }
    }

    async fn claim_all(&self) -> Result<usize, Error> {
        let journal = &self.services().journal;
        let shared = journal.changed().is_some();
        let mut resumed = 0;
        loop {
            // Alone, nobody else could run what is too much.
            let room = if shared {
                ACTIVE_MAX.saturating_sub(self.active().len())
            } else {
                PAGE
            };
            if room == 0 {
                return Ok(resumed);
            }
            let claimed = journal.claim(room.min(PAGE)).await?;
            if claimed.is_empty() {
                return Ok(resumed);
            }
            for claimed in claimed {
                if self.take(claimed).await? {
                    resumed += 1;
                }
            }
        }
    }

    /// Whether it runs from here on.
    async fn take(&self, claimed: Claimed) -> Result<bool, Error> {
        let Claimed { head, tries } = claimed;
        let id = head.workflow;
        if tries > STARTS_MAX {
            let message = format!("{STARTS_MAX} backends ended while they read it");
            self.set_aside(&id, message).await;
            return Ok(false);
        }
        match caught(self.read_state(&id)).await {
            Ok(state) => {
                self.start(state, actor::Begin::Resumed { tries });
                Ok(true)
            }
            Err(error) if error.class == Class::Transient => {
                tracing::warn!(workflow = %id, code = %error.code, %error, "cannot be read yet");
                // Beside: the store may be away for a while.
                let runtime = self.clone();
                self.0
                    .tasks
                    .spawn(async move { runtime.give_up(&id, Release::Untried).await });
                Ok(false)
            }
            Err(error) if error.class == Class::Fatal => Err(error),
            Err(error) => {
                self.failed(&id, &error).await;
                Ok(false)
            }
        }
    }

    /// A workflow could not be read, or its task ended in a way that nobody
    /// foresaw.
    pub(super) async fn failed(&self, id: &WorkflowId, error: &Error) {
        if error.class == Class::Transient {
            // The store was away while it was read: no fault of its own.
            tracing::warn!(workflow = %id, code = %error.code, %error, "a workflow rests");
            return self.give_up(id, Release::Untried).await;
        }
        let failures = {
            let mut failures = self.failures();
            let count = failures.entry(id.clone()).or_default();
            *count += 1;
            *count
        };
        tracing::error!(workflow = %id, code = %error.code, %error, failures, "a workflow failed");
        if failures >= TRIES_MAX {
            self.set_aside(id, format!("{}: {error}", error.code)).await;
        } else {
            self.give_up(id, Release::Again).await;
        }
    }

    async fn set_aside(&self, id: &WorkflowId, reason: String) {
        let code = Code::SetAside;
        match self.rescue(id).await {
            Ok(path) => tracing::error!(workflow = %id, %code, reason, %path, "set aside"),
            Err(error) => tracing::error!(workflow = %id, %code, reason, %error, "set aside, without a copy"),
        }
        meter::set_aside();
        self.give_up(id, Release::Aside { reason }).await;
    }

    /// Tells the journal, as soon as it can be told: a workflow that nobody runs
    /// and nobody may claim would stand still.
    async fn give_up(&self, id: &WorkflowId, release: Release) {
        let journal = &self.services().journal;
        while let Err(error) = journal.release(id.clone(), release.clone()).await {
            match error.class {
                Class::Transient if !self.0.stop.is_cancelled() => {
                    tracing::warn!(workflow = %id, code = %error.code, %error, "not given up yet");
                    tokio::select! {
                        () = self.0.stop.cancelled() => return,
                        () = tokio::time::sleep(CLAIM_PAUSE) => {}
                    }
                }
                Class::Fatal => {
                    self.0.fatal.send_replace(Some(error.into()));
                    return;
                }
                Class::Transient | Class::Permanent | Class::User => {
                    tracing::error!(workflow = %id, code = %error.code, %error, "cannot be given up");
                    return;
                }
            }
        }
        self.0.claims.again.notify_one();
    }

    /// Has a workflow that was set aside tried anew.
    pub async fn readmit(&self, id: &WorkflowId) -> Result<(), Error> {
        let journal = &self.services().journal;
        let head = journal.head(id.clone()).await?;
        let head = head.ok_or_else(|| Error::unknown_workflow(id.as_str()))?;
        if head.aside.is_none() {
            let message = format!("workflow `{id}` was not set aside");
            return Err(Error::user(Code::InvalidRequest, message));
        }
        self.failures().remove(id);
        journal.release(id.clone(), Release::Readmitted).await?;
        // At once, so that the next command finds it running. What cannot be
        // claimed now is not lost.
        if let Err(error) = self.claim_all().await {
            tracing::warn!(workflow = %id, %error, code = %error.code, "readmitted, and not yet claimed");
            self.0.claims.again.notify_one();
        }
        Ok(())
    }

    /// Writes what can be read of a workflow to a file; its path.
    async fn rescue(&self, id: &WorkflowId) -> Result<String, Error> {
        let events = self.readable(id).await;
        let text = journal::history::encode(id, &events)?;
        let dir = self.services().data_dir.join(ASIDE);
        let path = dir.join(format!("{id}.jsonl"));
        let write = |dir: &Path, path: &Path| {
            std::fs::create_dir_all(dir)?;
            std::fs::write(path, text)
        };
        write(&dir, &path).map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
        Ok(path.display().to_string())
    }

    /// The events before the first that cannot be read.
    async fn readable(&self, id: &WorkflowId) -> Vec<Recorded> {
        let mut found: Vec<Recorded> = Vec::new();
        let mut page = PAGE;
        loop {
            let after = found.last().map_or(Seq::default(), |last| last.seq);
            match self.services().journal.read(id.clone(), after, page).await {
                Ok(events) if events.is_empty() => return found,
                Ok(events) => found.extend(events),
                // One of them: up to it they are read one by one.
                Err(_) if page > 1 => page = 1,
                Err(_) => return found,
            }
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<WorkflowId, u32>> {
        // Changed by single inserts and removes.
        self.0
            .claims
            .failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Turns a panic into an error, so that it ends one workflow and no other.
pub(super) async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => Err(Error::internal(format!("a bug: {}", message(panic.as_ref())))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked")
}
