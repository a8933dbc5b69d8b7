//! An index as it is told on the wire.

use shared::wire::{IndexProgress, IndexState, IndexView};

use crate::indexing::{Described, State};

/// The index as JSON has it.
pub fn index(described: &Described) -> IndexView {
    let Described { workspace, status } = described;
    let progress = status.progress.map(|now| IndexProgress {
        files_done: count(now.files_done),
        files_total: count(now.files_total),
        chunks_done: count(now.chunks_done),
        files_per_second: status.rate,
        seconds_left: status.seconds_left,
    });
    IndexView {
        workspace: workspace.display().to_string(),
        state: match status.state {
            State::Idle => IndexState::Idle,
            State::Scanning => IndexState::Scanning,
            State::Indexing => IndexState::Indexing,
            State::Paused => IndexState::Paused,
            State::Waiting => IndexState::Waiting,
            State::Ready => IndexState::Ready,
            State::Failed => IndexState::Failed,
            State::Deleting => IndexState::Deleting,
        },
        files: count(status.files),
        chunks: count(status.chunks),
        progress,
        code: status
            .problem
            .as_ref()
            .map(|problem| problem.code.as_str().to_owned()),
        detail: status.detail(),
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
