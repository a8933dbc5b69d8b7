//! The index of one workspace in this process: its words and its history.
//!
//! Owns how it is brought up to date, and that nothing is lost by whoever stops
//! waiting: readers share it, and a look at the files ends even if nobody waits
//! for its end. It must never know a model or a database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::corpus::{Corpus, Update};
use crate::error::Error;
use crate::history::History;
use crate::index;
use crate::walk::Scan;

/// The index between questions.
pub(crate) type Shared = Arc<RwLock<Local>>;
/// The index while it is asked.
pub(crate) type Reading = OwnedRwLockReadGuard<Local>;
/// The index while it is brought up to date.
pub(crate) type Writing = OwnedRwLockWriteGuard<Local>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Local {
    pub corpus: Corpus,
    pub history: History,
    /// The files, while somebody watches them and says what changes.
    pub live: Option<Arc<Scan>>,
}

/// Which files are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    Nothing,
    Paths(Vec<PathBuf>),
    Everything,
}

/// Whether something may have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Touch {
    /// It has not.
    #[default]
    Same,
    /// It may have.
    Changed,
}

/// The index as the workspace is now, and its files: after a look at them,
/// unless somebody watches.
pub(crate) async fn current(local: &Shared, root: &Path) -> Result<(Reading, Arc<Scan>), Error> {
    let reading = Arc::clone(local).read_owned().await;
    if let Some(scan) = reading.live.clone() {
        return Ok((reading, scan));
    }
    drop(reading);
    let writing = Arc::clone(local).write_owned().await;
    if let Some(scan) = writing.live.clone() {
        return Ok((writing.downgrade(), scan));
    }
    let (writing, _, scan) = Local::refresh(writing, root, Look::Everything, Touch::Changed).await?;
    Ok((writing.downgrade(), scan))
}

impl Local {
    /// Makes the index equal to the workspace by a look at some of its files,
    /// and its history too, if that may have changed. Returns what was done and
    /// the files that there are.
    pub async fn refresh(
        mut local: Writing,
        root: &Path,
        look: Look,
        history: Touch,
    ) -> Result<(Writing, Update, Arc<Scan>), Error> {
        let news = match history {
            Touch::Changed => local.history.update(root).await,
            Touch::Same => false,
        };
        let root: Arc<Path> = root.into();
        index::blocking(move || {
            // What breaks off half done leaves an empty index, not a wrong one.
            let mut index = std::mem::take(&mut *local);
            let update = match look {
                Look::Nothing => Update::default(),
                Look::Paths(paths) => index.corpus.refresh_paths(&root, &paths),
                Look::Everything => index.corpus.refresh(&root),
            };
            index.corpus.join(&index.history, news);
            let scan = Arc::new(index.corpus.scan());
            *local = index;
            (local, update, scan)
        })
        .await
    }
}
