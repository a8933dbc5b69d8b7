//! Messages that wait for the stream that takes them. A stream that breaks off
//! leaves them to the next one.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use super::flow::Receipt;

/// A message as text, and what it counts as.
pub(super) struct Letter {
    pub(super) text: String,
    pub(super) receipt: Receipt,
}

/// What waits for one stream. How much that is, is bounded by who sends it
/// (`flow.rs`).
#[derive(Default)]
pub(super) struct Mailbox {
    letters: Mutex<VecDeque<Letter>>,
    more: Notify,
    is_leased: AtomicBool,
}

impl Mailbox {
    fn letters(&self) -> MutexGuard<'_, VecDeque<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, letter: Letter) {
        self.letters().push_back(letter);
        self.more.notify_one();
    }

    /// The right to take what waits; none while somebody has it.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let was_leased = self.is_leased.swap(true, Ordering::AcqRel);
        (!was_leased).then(|| Lease(self.clone()))
    }

    pub(super) fn is_leased(&self) -> bool {
        self.is_leased.load(Ordering::Acquire)
    }
}

/// The right to take what waits.
pub(super) struct Lease(Arc<Mailbox>);

impl Lease {
    pub(super) async fn next(&self) -> Letter {
        loop {
            if let Some(letter) = self.try_next() {
                return letter;
            }
            self.0.more.notified().await;
        }
    }

    pub(super) fn try_next(&self) -> Option<Letter> {
        self.0.letters().pop_front()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.is_leased.store(false, Ordering::Release);
    }
}
