//! An event as the fold takes it.

use std::sync::Arc;

use shared::wire::{Body, Envelope};

use super::diff::FileView;

/// An event, and what takes time to find out from it: whoever brings the event
/// does so, and folding it in never holds the window up.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// As the backend sent it.
    pub envelope: Envelope,
    /// The files of a proposal, compared line by line; none of any other event.
    pub files: Arc<[FileView]>,
}

impl Event {
    /// Whether making it of `envelope` may take long.
    pub fn is_costly(envelope: &Envelope) -> bool {
        matches!(envelope.body, Body::DiffReady { .. })
    }
}

impl From<Envelope> for Event {
    fn from(envelope: Envelope) -> Self {
        let files = if let Body::DiffReady { files, .. } = &envelope.body {
            files.iter().map(FileView::new).collect()
        } else {
            Arc::default()
        };
        Self { envelope, files }
    }
}
