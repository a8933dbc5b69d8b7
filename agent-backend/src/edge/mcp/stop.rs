//! A word to work that nobody waits for any more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Clones share the word.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Tells the work to end.
    pub(super) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells the work to end when what this gives is dropped.
    pub(super) fn when_dropped(&self) -> Guard {
        Guard(self.clone())
    }

    /// Whether it was told to.
    pub(super) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// See [`Stop::when_dropped`].
#[derive(Debug)]
pub(super) struct Guard(Stop);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.now();
    }
}
