//! Following one workflow: events from disk until they are used up, then live
//! ones, without a gap or a duplicate; where another backend runs the workflow,
//! the disk is all there is, and is looked at again and again. A watcher that falls behind goes back
//! to the disk; it never slows the workflow down.

use std::{collections::VecDeque, sync::Arc};

use engine::{
    Event, Recorded,
    ports::{
        Journal,
        journal::{Head, Status},
    },
};
use shared::id::Seq;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{PAGE, meter};
use crate::error::Error;

/// What a watcher gets next.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every one is an event")]
pub enum Update {
    /// The next event.
    Event(Recorded),
    /// The position that was asked for is beyond the head: start again from 0.
    Resync {
        /// The head.
        head: Seq,
    },
}

/// A position in one workflow's events.
pub struct Watch {
    journal: Arc<dyn Journal>,
    head: Head,
    last: Seq,
    from_disk: VecDeque<Recorded>,
    /// Whether the disk may have events that are not in `from_disk`.
    behind: bool,
    live: Option<broadcast::Receiver<Recorded>>,
    resync: bool,
    ended: bool,
}

impl Watch {
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        head: Head,
        after: Seq,
        live: Option<broadcast::Receiver<Recorded>>,
    ) -> Self {
        let resync = after > head.head;
        Self {
            journal,
            head,
            last: after,
            from_disk: VecDeque::new(),
            behind: true,
            live,
            resync,
            ended: false,
        }
    }

    /// List entry of the workflow when watching began.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next update; `None` after the workflow's last event.
    pub async fn next(&mut self) -> Result<Option<Update>, Error> {
        if self.ended {
            return Ok(None);
        }
        if self.resync {
            self.ended = true;
            return Ok(Some(Update::Resync { head: self.head.head }));
        }
        loop {
            if let Some(event) = self.from_disk.pop_front() {
                return Ok(Some(self.pass(event)));
            }
            if self.behind {
                let page = self
                    .journal
                    .read(self.head.workflow.clone(), self.last, PAGE)
                    .await?;
                self.behind = page.len() == PAGE;
                self.from_disk.extend(page);
                continue;
            }
            let Some(live) = &mut self.live else {
                // Whoever runs it writes where this one reads.
                if self.head.aside.is_none()
                    && matches!(self.head.status, Status::Running | Status::AwaitingDecision)
                    && let Some(changed) = self.journal.changed()
                {
                    changed.await;
                    self.behind = true;
                    continue;
                }
                self.ended = true;
                return Ok(None);
            };
            match live.recv().await {
                Ok(event) if event.seq == self.last.next() => {
                    meter::client_behind(live.len());
                    return Ok(Some(self.pass(event)));
                }
                // Already read from disk.
                Ok(event) if event.seq <= self.last => {}
                Ok(_) | Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => {
                    // The workflow is over or parked; the disk has the rest.
                    self.live = None;
                    self.behind = true;
                }
            }
        }
    }

    fn pass(&mut self, event: Recorded) -> Update {
        self.last = event.seq;
        self.ended = matches!(event.event, Event::Finished(_));
        Update::Event(event)
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("workflow", &self.head.workflow)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
