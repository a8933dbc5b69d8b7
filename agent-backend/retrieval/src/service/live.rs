//! The index of a workspace that somebody watches.
//!
//! Who watches says what may have changed ([`Service::catch_up`]); questions
//! are then answered from what is known, without a look at the files. Vectors
//! follow on their own ([`Service::embed`]) and hold no question up. Owns the
//! difference between the two; must never know how changes are noticed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Kept, Service, canonical, scan};
use crate::error::Error;
use crate::identity::WorkspaceId;
use crate::index::{self, Manifest, Target};
use crate::local::{Local, Look, Touch};
use crate::report::{IndexReport, Progress};
use crate::walk::{Scan, some::Paths};

/// Meaning is searched while at most one file in … lacks vectors or has old
/// ones: those that have them would be put first for no reason of theirs.
const BEHIND_SHARE: usize = 10;

/// What may have changed in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Its files.
    pub files: Touched,
    /// Its commits.
    pub history: Touch,
}

/// Which files may have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Touched {
    /// None.
    #[default]
    Nothing,
    /// What is at these paths, or below them.
    Paths(Paths),
    /// Any: look at all of them.
    Everything,
}

impl Change {
    /// Nothing is known: look at everything.
    pub fn everything() -> Self {
        Self {
            files: Touched::Everything,
            history: Touch::Changed,
        }
    }
}

/// What the keyword index holds after a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Files in it.
    pub files: usize,
    /// Chunks in it.
    pub parts: usize,
    /// Files that were new or had changed.
    pub indexed: usize,
    /// Files that were gone.
    pub removed: usize,
}

/// How many files lack vectors or have old ones, as far as anybody has looked.
#[derive(Debug, Default)]
pub(super) struct Behind(Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    files: usize,
    /// Of the database, see [`Store::generation`](crate::store::Store::generation).
    generation: Option<String>,
}

impl Behind {
    fn set(&self, files: usize, generation: Option<&str>) {
        *self.seen() = Some(Seen {
            files,
            generation: generation.map(str::to_owned),
        });
    }

    fn add(&self, files: usize) {
        if let Some(seen) = &mut *self.seen() {
            seen.files = seen.files.saturating_add(files);
        }
    }

    /// Whether this is of another life of the database, which may have lost
    /// something since.
    pub(super) fn is_of_before(&self, generation: &str) -> bool {
        self.seen()
            .as_ref()
            .is_some_and(|seen| seen.generation.as_deref() != Some(generation))
    }

    /// The files that are embedded of `all`, where they are too few to search by.
    pub(super) fn too_few(&self, all: usize) -> Option<usize> {
        let behind = self.seen().as_ref().map_or(all, |seen| seen.files.min(all));
        (behind.saturating_mul(BEHIND_SHARE) > all).then_some(all - behind)
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Brings the vectors up to date with `scan`; `known` is what this holds of
    /// them. It is `None` after an error.
    pub(super) async fn update(
        &self,
        target: &Target<'_>,
        scan: &Scan,
        known: &mut Option<Manifest>,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<IndexReport, Error> {
        let manifest = index::look(target, known.take()).await?;
        let generation = manifest.generation().map(str::to_owned);
        let tell = |now: Progress| {
            let left = now.files_total.saturating_sub(now.files_done);
            self.behind.set(left, generation.as_deref());
            progress(now);
        };
        let (report, manifest) = index::update(target, scan, manifest, &tell).await?;
        *known = Some(manifest);
        Ok(report)
    }
}

/// Whether a question about a watched workspace may embed what the database
/// turns out to lack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Embedding {
    /// It may, in the time that it has.
    #[default]
    Allowed,
    /// Whoever watches wants nothing to be embedded.
    Paused,
}

/// An [`Embedding`] that may change.
#[derive(Debug, Default)]
pub(super) struct May(AtomicBool);

impl May {
    fn set(&self, may: Embedding) {
        self.0.store(may == Embedding::Paused, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Embedding {
        if self.0.load(Ordering::Relaxed) {
            Embedding::Paused
        } else {
            Embedding::Allowed
        }
    }
}

impl Service {
    /// Makes the keyword index equal to the workspace by a look at what may
    /// have changed, and answers from it until the next call, without a look of
    /// its own, or until [`Service::unwatch`]. The first call looks at
    /// everything, whatever it is told.
    pub async fn catch_up(&self, root: &Path, change: Change) -> Result<CaughtUp, Error> {
        let kept = self.kept(root);
        let mut local = Arc::clone(&kept.local).write_owned().await;
        // Whatever goes wrong: the next question, or the next call, looks.
        let known = local.live.take();
        let root = canonical(root).await?;
        let (look, history) = match (change.files, known) {
            (_, None) => (Look::Everything, Touch::Changed),
            (Touched::Nothing, Some(_)) => (Look::Nothing, change.history),
            (Touched::Paths(paths), Some(_)) => {
                let paths = paths.into_iter().map(PathBuf::from).collect();
                (Look::Paths(paths), change.history)
            }
            (Touched::Everything, Some(_)) => (Look::Everything, change.history),
        };
        let (mut local, update, scan) = Local::refresh(local, &root, look, history).await?;
        kept.behind.add(update.indexed);
        local.live = Some(scan);
        Ok(CaughtUp {
            files: local.corpus.files(),
            parts: local.corpus.parts(),
            indexed: update.indexed,
            removed: update.removed,
        })
    }

    /// From now on every question looks at the files first.
    pub async fn unwatch(&self, root: &Path) {
        self.kept(root).local.write().await.live = None;
    }

    /// Whether questions about a watched workspace may embed.
    pub fn embedding(&self, root: &Path, may: Embedding) {
        self.kept(root).may.set(may);
    }

    /// Brings the vectors up to date with what the last look found, however
    /// long it takes; questions are answered meanwhile. `None` without a model.
    /// May be dropped at any point: what is stored stays stored, and the next
    /// call goes on from there.
    pub async fn embed(
        &self,
        root: &Path,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Option<IndexReport>, Error> {
        let Some(embedder) = self.embedder() else {
            return Ok(None);
        };
        let kept = self.kept(root);
        let known = kept.local.read().await.live.clone();
        let root = canonical(root).await?;
        let scan = match known {
            Some(known) => known,
            None => Arc::new(scan(&root).await?),
        };
        let mut hybrid = kept.hybrid.lock().await;
        self.health().await?;
        let workspace = WorkspaceId::of(&root);
        let target = Target {
            store: &*self.inner.stores.hybrid,
            files: Some(&*self.inner.stores.files),
            embedder: Some(&*embedder),
            workspace: &workspace,
            root: &root,
            deadline: None,
        };
        kept.update(&target, &scan, &mut hybrid, progress).await.map(Some)
    }

    /// Removes everything that is stored of a workspace, whatever model made
    /// it, and forgets it. `root` may be gone.
    pub async fn forget(&self, root: &Path) -> Result<(), Error> {
        self.inner.stores.keyword.forget(&WorkspaceId::of(root)).await?;
        self.close(root);
        Ok(())
    }

    /// Frees the memory that a workspace takes. What is stored stays.
    pub fn close(&self, root: &Path) {
        self.roots().remove(root);
    }
}

#[cfg(test)]
mod tests;
