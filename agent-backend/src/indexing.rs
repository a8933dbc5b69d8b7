//! Keeps the indexes of workspaces up to date: watches the files, follows the
//! changes, embeds in the background, and says how far it is.
//!
//! What happens to one index is a pure table ([`machine`]); one task for each
//! workspace feeds it and does what it says. Searches do not go through here:
//! they are answered from what this keeps. It must never know a wire format.

mod actor;
mod burst;
mod known;
pub mod machine;
mod pace;
pub mod quiet;
pub mod vectors;
mod watch;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use retrieval::{CaughtUp, Change, Embedding, Progress};
use shared::error::{Class, Code};
use tokio::sync::{Semaphore, oneshot, watch as latest};
use tokio_util::sync::CancellationToken;

use self::actor::{Actor, Handle, Message, Shared};
pub use self::machine::{Command, Embedded, Problem, State, Status};
use crate::error::Error;

/// Workspaces that are kept up to date at once; of more, the one that was asked
/// for least recently rests.
const OPEN_MAX: usize = 16;
/// Longest wait of a request for vectors; it is answered by keywords then.
const VECTORS_WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest wait of a request for the keyword index.
const KEYWORDS_WAIT_MAX: Duration = Duration::from_secs(120);
/// Vectors are waited for until at most one file in … is without.
const BEHIND_SHARE: usize = 10;

/// What is kept up to date. Workspaces come as canonical paths.
#[async_trait]
pub trait Index: Send + Sync {
    /// Makes the keyword index equal to the files by a look at what may have
    /// changed; questions are answered from it, without a look of their own.
    async fn catch_up(&self, root: &Path, change: Change) -> Result<CaughtUp, Error>;
    /// From now on every question looks at the files first.
    async fn unwatch(&self, root: &Path);
    /// Whether a question may embed what the database lacks.
    fn embedding(&self, root: &Path, may: Embedding);
    /// Brings the vectors up to date. May be dropped at any point; what is
    /// stored stays stored.
    async fn embed(
        &self,
        root: &Path,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Embedded, Error>;
    /// Removes everything that is stored of a workspace, which may be gone.
    async fn forget(&self, root: &Path) -> Result<(), Error>;
    /// Frees the memory that a workspace takes.
    fn close(&self, root: &Path);
}

/// The indexes of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct Indexing(Arc<Inner>);

impl std::fmt::Debug for Indexing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexing")
            .field("workspaces", &self.lock().by_root.len())
            .finish()
    }
}

struct Inner {
    shared: Arc<Shared>,
    workspaces: Mutex<Workspaces>,
}

#[derive(Debug, Default)]
struct Workspaces {
    by_root: HashMap<PathBuf, Entry>,
    /// Counts what is asked.
    asked: u64,
}

#[derive(Debug)]
struct Entry {
    handle: Handle,
    /// When it was last asked for.
    asked: u64,
}

/// An index and its workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Canonical path.
    pub workspace: PathBuf,
    /// What is known.
    pub status: Status,
}

impl Indexing {
    /// Keeps nothing yet. What is wanted across restarts is in `data_dir`.
    pub fn new(index: Arc<dyn Index>, data_dir: &Path) -> Self {
        let shared = Shared {
            index,
            known: known::Known::read(data_dir),
            turn: Semaphore::new(1),
            stop: CancellationToken::new(),
        };
        Self(Arc::new(Inner {
            shared: Arc::new(shared),
            workspaces: Mutex::default(),
        }))
    }

    /// Goes on with the workspaces that were kept when the last process ended.
    pub fn resume_all(&self) -> usize {
        let known = self.0.shared.known.all();
        for root in &known {
            // Nobody waits for the answer.
            let (done, _answer) = oneshot::channel();
            let _sent = self
                .handle(root)
                .messages
                .send(Message::Command(Command::Open, done));
        }
        known.len()
    }

    /// Obeys a command; returns when it has been. A workspace that is gone can
    /// be cancelled and deleted.
    pub async fn command(&self, root: &Path, command: Command) -> Result<Described, Error> {
        let root = self.resolve(root, command).await?;
        let handle = self.handle(&root);
        match command {
            Command::Open | Command::Pause | Command::Resume | Command::Rescan => self.rest_others(&root),
            Command::Cancel | Command::Delete => {}
        }
        let (done, obeyed) = oneshot::channel();
        let sent = handle.messages.send(Message::Command(command, done));
        if sent.is_err() || obeyed.await.is_err() {
            return Err(stopped());
        }
        let status = handle.status.borrow().clone();
        match (command, &status.problem) {
            (Command::Delete, Some(problem)) => Err(Error {
                class: problem.class,
                code: problem.code,
                message: problem.message.clone(),
            }),
            _ => Ok(Described {
                workspace: root,
                status,
            }),
        }
    }

    /// Prepares for a question: opens the workspace and waits until the index
    /// has what was changed before, and (bounded) until it has vectors.
    pub async fn settle(&self, root: &Path) -> Result<(), Error> {
        let root = self.resolve(root, Command::Open).await?;
        let handle = self.handle(&root);
        self.rest_others(&root);
        let (done, _answer) = oneshot::channel();
        let (settled, looked) = oneshot::channel();
        for message in [Message::Command(Command::Open, done), Message::Settle(settled)] {
            handle.messages.send(message).map_err(|_| stopped())?;
        }
        // Whatever happened, the question is answered from what there is.
        let _late = tokio::time::timeout(KEYWORDS_WAIT_MAX, looked).await;
        let mut status = handle.status.clone();
        let vectors = status.wait_for(|status| !is_worth_waiting_for(status));
        let _late = tokio::time::timeout(VECTORS_WAIT_MAX, vectors).await.is_err();
        Ok(())
    }

    /// What is known of an index; for an empty path of the one asked for last.
    pub async fn status(&self, root: &Path) -> Result<Described, Error> {
        if root.as_os_str().is_empty() && self.last().is_none() {
            return Ok(Described {
                workspace: PathBuf::new(),
                status: Status::idle(),
            });
        }
        let (workspace, status) = self.follow(root).await?;
        let status = status.borrow().clone();
        Ok(Described { workspace, status })
    }

    /// The same, now and at each change.
    pub async fn follow(&self, root: &Path) -> Result<(PathBuf, latest::Receiver<Status>), Error> {
        let root = if root.as_os_str().is_empty() {
            self.last().ok_or_else(|| {
                let message = "no workspace has been indexed yet: name one";
                Error::user(Code::InvalidRequest, message)
            })?
        } else {
            self.resolve(root, Command::Cancel).await?
        };
        let status = self.handle(&root).status;
        Ok((root, status))
    }

    /// Every index there is, by path.
    pub fn list(&self) -> Vec<Described> {
        let mut list: Vec<Described> = self
            .lock()
            .by_root
            .iter()
            .map(|(root, entry)| Described {
                workspace: root.clone(),
                status: entry.handle.status.borrow().clone(),
            })
            .collect();
        list.sort_by(|a, b| a.workspace.cmp(&b.workspace));
        list
    }

    /// Stops all work; it goes on at the next start.
    pub fn park(&self) {
        self.0.shared.stop.cancel();
    }

    /// The canonical path. Of a workspace that is gone, the path as it is
    /// known, for commands that need no files.
    async fn resolve(&self, root: &Path, command: Command) -> Result<PathBuf, Error> {
        let asked = root.to_owned();
        let found = tokio::task::spawn_blocking(move || retrieval::walk::canonical_root(&asked)).await;
        let found = found.map_err(|error| Error::internal(error.to_string()))?;
        match (found, command) {
            (Ok(root), _) => Ok(root),
            (Err(_), Command::Cancel | Command::Delete)
                if root.is_absolute() && (self.lock().by_root.contains_key(root) || self.is_known(root)) =>
            {
                Ok(root.to_owned())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    fn is_known(&self, root: &Path) -> bool {
        self.0.shared.known.all().iter().any(|known| known == root)
    }

    fn handle(&self, root: &Path) -> Handle {
        let mut workspaces = self.lock();
        workspaces.asked += 1;
        let asked = workspaces.asked;
        let shared = &self.0.shared;
        let entry = workspaces
            .by_root
            .entry(root.to_owned())
            .or_insert_with(|| Entry {
                handle: Actor::start(root.to_owned(), Arc::clone(shared)),
                asked,
            });
        entry.asked = asked;
        entry.handle.clone()
    }

    /// Lets the workspace that was asked for least recently rest where there
    /// are too many beside `root`.
    fn rest_others(&self, root: &Path) {
        let workspaces = self.lock();
        let mut open: Vec<(&PathBuf, &Entry)> = workspaces
            .by_root
            .iter()
            .filter(|(path, entry)| *path != root && entry.handle.status.borrow().state != State::Idle)
            .collect();
        open.sort_by_key(|(_, entry)| entry.asked);
        let too_many = (open.len() + 1).saturating_sub(OPEN_MAX);
        for (path, entry) in open.into_iter().take(too_many) {
            tracing::info!(workspace = %path.display(), "rests: too many workspaces are kept up to date");
            // Nobody waits for the answer.
            let (done, _answer) = oneshot::channel();
            let _sent = entry
                .handle
                .messages
                .send(Message::Command(Command::Cancel, done));
        }
    }

    fn last(&self) -> Option<PathBuf> {
        let workspaces = self.lock();
        let last = workspaces.by_root.iter().max_by_key(|(_, entry)| entry.asked);
        last.map(|(root, _)| root.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Workspaces> {
        self.0.workspaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_worth_waiting_for(status: &Status) -> bool {
    status.state == State::Indexing && status.missing.saturating_mul(BEHIND_SHARE) > status.files
}

fn stopped() -> Error {
    Error {
        class: Class::Transient,
        code: Code::BackendUnreachable,
        message: "the backend is stopping".to_owned(),
    }
}

#[cfg(test)]
mod tests;
