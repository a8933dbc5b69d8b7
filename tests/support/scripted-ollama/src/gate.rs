//! Holds chunks back until a test lets them go.

use std::sync::Arc;

use tokio::sync::watch;

#[derive(Debug, Default)]
struct State {
    closed: bool,
    permits: u64,
}

/// The gate in front of every line of every streamed answer, the last line
/// included. Open until it is closed. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate {
    state: Arc<watch::Sender<State>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::new(watch::Sender::new(State::default())),
        }
    }

    /// Nothing passes any more, except what was released.
    pub fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }

    /// Lets the next `lines` lines pass, whether they wait already or not.
    pub fn release(&self, lines: u64) {
        self.state.send_modify(|state| state.permits += lines);
    }

    /// Everything passes again.
    pub fn open(&self) {
        self.state.send_modify(|state| *state = State::default());
    }

    /// Waits until one line may pass.
    pub(crate) async fn pass(&self) {
        let mut changes = self.state.subscribe();
        loop {
            let mut passed = false;
            self.state.send_if_modified(|state| {
                let taken = state.closed && state.permits > 0;
                if taken {
                    state.permits -= 1;
                }
                passed = taken || !state.closed;
                taken
            });
            // The sender lives in `self`, so waiting for a change cannot fail.
            if passed || changes.changed().await.is_err() {
                return;
            }
        }
    }
}
