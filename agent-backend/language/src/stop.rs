//! Whether anybody still waits for what a server is asked.

use std::{fmt, sync::Arc};

/// Tells a client that it is to give up: it is asked several times a second
/// while a server is waited for.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// One that says so from when `is_stopped` does.
    pub fn when(is_stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_stopped))
    }

    /// One that never says so.
    pub fn never() -> Self {
        Self::when(|| false)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_stopped()).finish()
    }
}
