//! Editors of the people who asked for workflows: what they show of files, which
//! may not be saved, and what is written through them. A port: edges know the
//! editors. All of it is in memory alone; without an editor there is the disk.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use futures::future::BoxFuture;
use shared::id::CorrelationId;
pub use tools::apply::Saved;

/// One editor. It may be gone, silent or wrong at any time; whoever asks it sets
/// a limit to the wait.
pub trait Editor: Send + Sync {
    /// The text of a file as it is shown, by its path relative to the workspace;
    /// none where the editor does not say.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Option<String>>;

    /// Gives it a text for a file, to show and to save.
    fn write<'a>(&'a self, path: &'a str, text: &'a str) -> BoxFuture<'a, Saved>;
}

/// Whoever knows the editors that follow a request.
pub trait Attached: Send + Sync {
    /// Those that are there now, in the order in which they are to be asked.
    fn editors(&self) -> Vec<Arc<dyn Editor>>;
}

/// Who knows the editors of which request.
#[derive(Default)]
pub struct Editors(Mutex<HashMap<CorrelationId, Weak<dyn Attached>>>);

impl Editors {
    /// Remembers who knows the editors of a request, for as long as they are
    /// there.
    pub fn attach(&self, request: CorrelationId, attached: Weak<dyn Attached>) {
        let mut known = self.known();
        known.retain(|_, attached| attached.strong_count() > 0);
        known.insert(request, attached);
    }

    /// The editors that follow a request.
    pub(super) fn of(&self, request: &CorrelationId) -> Vec<Arc<dyn Editor>> {
        let attached = self.known().get(request).and_then(Weak::upgrade);
        attached.map(|attached| attached.editors()).unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<CorrelationId, Weak<dyn Attached>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Editors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Editors")
            .field("requests", &self.known().len())
            .finish()
    }
}
