//! Deleting workflows: one by one when a person says so, and finished ones by
//! age and size when the configuration does. What is deleted by itself is
//! exported first where a folder is named. A thread of requests goes after the
//! last of its workflows.

use std::{path::Path, time::Duration};

use engine::ports::sessions::SessionQuery;
use shared::{
    error::{Class, Code},
    id::{SessionId, WorkflowId},
};

use super::Runtime;
use crate::{clock, config::Retention, error::Error};

/// Between two looks at what is old.
const PAUSE: Duration = Duration::from_secs(600);

/// Workflows that are looked at together.
const PAGE: usize = 64;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Runtime {
    /// Deletes a workflow that is finished or set aside.
    pub async fn delete(&self, id: &WorkflowId) -> Result<(), Error> {
        self.services().journal.delete(id.clone()).await?;
        tracing::info!(workflow = %id, "deleted");
        Ok(())
    }

    /// Keeps to the configured age and size until the process parks.
    pub fn keep(&self, retention: Retention) {
        if retention.days.is_none() && retention.megabytes.is_none() {
            return;
        }
        let runtime = self.clone();
        self.0.tasks.spawn(async move {
            loop {
                if let Err(error) = runtime.sweep(&retention).await {
                    tracing::warn!(%error, code = %error.code, "old workflows were not deleted");
                }
                tokio::select! {
                    () = runtime.0.stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        });
    }

    async fn sweep(&self, retention: &Retention) -> Result<(), Error> {
        let journal = &self.services().journal;
        if let Some(days) = retention.days {
            let before_ms = clock::now_ms().saturating_sub(u64::from(days).saturating_mul(DAY_MS));
            loop {
                let old = journal.finished(before_ms, PAGE).await?;
                if old.is_empty() {
                    break;
                }
                for id in &old {
                    self.retire(id, retention).await?;
                }
            }
            self.sweep_sessions(before_ms).await?;
        }
        if let Some(megabytes) = retention.megabytes {
            while journal.bytes().await? > megabytes.saturating_mul(1024 * 1024) {
                // One at a time: the next may not be needed.
                let Some(id) = journal.finished(u64::MAX, 1).await?.pop() else {
                    tracing::warn!(megabytes, "what is unfinished takes more than was allowed");
                    break;
                };
                self.retire(&id, retention).await?;
            }
        }
        Ok(())
    }

    /// A thread goes after its last workflow.
    async fn sweep_sessions(&self, before_ms: u64) -> Result<(), Error> {
        let journal = &self.services().journal;
        let mut query = SessionQuery {
            unchanged_since_ms: Some(before_ms),
            limit: PAGE,
            ..SessionQuery::default()
        };
        let mut over = Vec::new();
        loop {
            let page = journal.list_sessions(query.clone()).await?;
            for session in &page {
                if self.is_over(session.id.clone()).await? {
                    over.push(session.id.clone());
                }
            }
            match page.last() {
                Some(last) => query.before = Some(last.id.clone()),
                None => break,
            }
        }
        // Only now, because the next page is found by the last one of a page.
        for id in over {
            tracing::info!(session = %id, "the session was deleted");
            journal.delete_session(id).await?;
        }
        Ok(())
    }

    /// Whether nothing that was begun in a thread is there.
    async fn is_over(&self, session: SessionId) -> Result<bool, Error> {
        let journal = &self.services().journal;
        for entry in journal.entries(session).await? {
            if journal.find(entry.request()).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn retire(&self, id: &WorkflowId, retention: &Retention) -> Result<(), Error> {
        if self.0.stop.is_cancelled() {
            return Err(Error {
                class: Class::Transient,
                code: Code::Internal,
                message: "the backend stops".to_owned(),
            });
        }
        if let Some(folder) = &retention.export_dir {
            let text = self.export(id).await?;
            write(folder, id, &text).map_err(|error| {
                let message = format!("{}: {error}", folder.display());
                Error::user(Code::ConfigInvalid, message)
            })?;
        }
        self.delete(id).await
    }
}

/// On the disk before what it is a copy of goes.
fn write(folder: &Path, id: &WorkflowId, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let (path, half) = (
        folder.join(format!("{id}.jsonl")),
        folder.join(format!("{id}.tmp")),
    );
    std::fs::write(&half, text)?;
    std::fs::File::open(&half)?.sync_all()?;
    std::fs::rename(&half, &path)?;
    std::fs::File::open(folder)?.sync_all()
}
