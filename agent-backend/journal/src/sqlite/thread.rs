//! Threads that are waited for.

use std::thread::{self, JoinHandle};

/// A thread that is waited for when this is dropped. Whatever makes it end
/// must have been dropped before.
#[derive(Debug)]
pub(super) struct Joined(Option<JoinHandle<()>>);

impl Joined {
    /// Starts a thread.
    pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map(|handle| Self(Some(handle)))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take()
            && handle.join().is_err()
        {
            tracing::error!("a thread of the journal panicked");
        }
    }
}
