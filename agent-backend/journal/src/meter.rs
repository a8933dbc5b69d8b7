//! The journal's metrics: every name in one place.

use std::time::Duration;

use engine::ports::journal::Durability;
use metrics::{counter, gauge, histogram};

/// A group was committed.
pub(crate) fn committed(took: Duration, jobs: usize, durability: Durability) {
    let durability = match durability {
        Durability::Process => "process",
        Durability::Synced => "synced",
    };
    histogram!("agentic_ide_journal_commit_seconds", "durability" => durability).record(took.as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    histogram!("agentic_ide_journal_group_jobs").record(jobs as f64);
    if durability == "synced" {
        counter!("agentic_ide_journal_syncs_total").increment(1);
    }
}

/// So many jobs wait for the writer.
pub(crate) fn waiting(jobs: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    gauge!("agentic_ide_journal_queue_jobs").set(jobs as f64);
}

/// Text was packed: so many events.
pub(crate) fn packed(took: Duration, events: u64) {
    histogram!("agentic_ide_journal_pack_seconds").record(took.as_secs_f64());
    counter!("agentic_ide_journal_packed_events_total").increment(events);
}
