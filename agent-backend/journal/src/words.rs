//! Words of list entries as every store keeps them.

use engine::ports::journal::Status;

/// The status as it is stored.
pub(crate) fn status_text(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::AwaitingDecision => "awaiting_decision",
        Status::Completed => "completed",
        Status::Rejected => "rejected",
        Status::Cancelled => "cancelled",
        Status::Failed => "failed",
    }
}

/// The status that was stored.
pub(crate) fn status_of(text: &str) -> Option<Status> {
    let all = [
        Status::Running,
        Status::AwaitingDecision,
        Status::Completed,
        Status::Rejected,
        Status::Cancelled,
        Status::Failed,
    ];
    all.into_iter().find(|status| status_text(*status) == text)
}
