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

    /// Whether the next update was read already.
    pub fn has_read_on(&self) -> bool {
        !self.from_disk.is_empty()
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

#[cfg(test)]
mod tests {
    use engine::{
        artifact::Task,
        blob::BlobId,
        graph::Graph,
        ports::journal::{Append, Durability, NewWorkflow},
    };
    use futures::FutureExt as _;
    use proptest::prelude::*;
    use shared::id::{CorrelationId, WorkflowId};

    use super::*;

    /// So few that a follower that does not read falls behind at once.
    const PLACES: usize = 2;

    /// What happens next.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// An event reaches the journal and then the followers, as many times.
        Write(usize),
        /// An event reaches the journal alone so far.
        Commit,
        /// The follower takes what it can get, so many times at most.
        Read(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1_usize..6).prop_map(Step::Write),
            Just(Step::Commit),
            (1_usize..4).prop_map(Step::Read),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// A workflow, and who follows it.
    struct Run {
        journal: ::journal::memory::Journal,
        tell: broadcast::Sender<Recorded>,
        /// Committed and not yet told.
        untold: VecDeque<Recorded>,
        head: Seq,
    }

    impl Run {
        async fn begin() -> Self {
            let run = Self {
                journal: ::journal::memory::Journal::new(),
                tell: broadcast::channel(PLACES).0,
                untold: VecDeque::new(),
                head: Seq(1),
            };
            let event = Event::Submitted {
                workflow: Self::id(),
                correlation: CorrelationId::new("c"),
                task: Task {
                    workflow_type: "t".to_owned(),
                    query: "q".to_owned(),
                    workspace: "/w".to_owned(),
                    choices: engine::artifact::Choices::default(),
                    images: Vec::new(),
                },
                graph: Graph {
                    name: "t".to_owned(),
                    version: 1,
                    source: None,
                    stages: Vec::new(),
                },
            };
            let new = NewWorkflow {
                workflow: Self::id(),
                correlation: CorrelationId::new("c"),
                fingerprint: BlobId::of(b""),
                events: vec![Recorded {
                    seq: run.head,
                    at_ms: 1,
                    event,
                }],
                blobs: Vec::new(),
                status: Status::Running,
            };
            run.journal.create(new).await.unwrap();
            run
        }

        fn id() -> WorkflowId {
            WorkflowId::new("w")
        }

        async fn commit(&mut self) {
            let after = self.head;
            self.head = after.next();
            let event = Recorded {
                seq: self.head,
                at_ms: self.head.0,
                event: Event::Resumed,
            };
            let append = Append {
                workflow: Self::id(),
                after,
                events: vec![event.clone()],
                blobs: Vec::new(),
                status: None,
                durability: Durability::Process,
            };
            self.journal.append(append).await.unwrap();
            self.untold.push_back(event);
        }

        fn publish(&mut self) {
            for event in self.untold.drain(..) {
                let _nobody_follows = self.tell.send(event);
            }
        }

        async fn follow(&self, after: Seq) -> Watch {
            let live = self.tell.subscribe();
            let head = self.journal.head(Self::id()).await.unwrap().unwrap();
            Watch::new(Arc::new(self.journal.share()), head, after, Some(live))
        }
    }

    /// What it gets without waiting.
    fn take(watch: &mut Watch, seen: &mut Vec<Seq>) -> bool {
        match watch.next().now_or_never() {
            Some(update) => match update.unwrap() {
                Some(Update::Event(event)) => {
                    seen.push(event.seq);
                    true
                }
                other => panic!("{other:?}"),
            },
            None => false,
        }
    }

    async fn play(before: Vec<Step>, after: u64, steps: Vec<Step>) {
        let mut run = Run::begin().await;
        let mut follower: Option<Watch> = None;
        let mut seen = Vec::new();
        let begins = before.len();
        let mut from = Seq(0);
        for (number, step) in before.into_iter().chain(steps).enumerate() {
            if number == begins {
                from = Seq(after.min(run.head.0));
                follower = Some(run.follow(from).await);
            }
            match step {
                Step::Write(times) => {
                    for _ in 0..times {
                        run.commit().await;
                        run.publish();
                    }
                }
                Step::Commit => run.commit().await,
                Step::Read(times) => {
                    if let Some(watch) = &mut follower {
                        for _ in 0..times {
                            take(watch, &mut seen);
                        }
                    }
                }
            }
        }
        run.publish();
        let mut watch = match follower {
            Some(watch) => watch,
            None => run.follow(from).await,
        };
        while take(&mut watch, &mut seen) {}
        assert_eq!(seen, (from.0 + 1..=run.head.0).map(Seq).collect::<Vec<_>>());
    }

    proptest! {
        /// However writing and reading interleave, from wherever it begins.
        #[test]
        fn a_follower_gets_each_event_once_and_in_order(
            before in steps(), after in 0_u64..30, then in steps(),
        ) {
            play(before, after, then).now_or_never().unwrap();
        }
    }
}
