//! The journal in memory, for tests: the same rules, no durability. Several
//! handles may share one store, as several backends share a database.

mod session;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use engine::{
    blob::{Blob, BlobId},
    event::{Event, Recorded},
    ports::{
        self, BoxFuture,
        journal::{Append, Claimed, Created, Epoch, Head, ListQuery, NewWorkflow, Release, Status},
    },
};
use shared::id::{CorrelationId, Seq, WorkflowId};

use crate::{Error, rules};

/// A journal that lasts as long as a handle of it is held.
#[derive(Debug)]
pub struct Journal {
    epoch: Epoch,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// In the order they began.
    runs: Vec<Run>,
    blobs: HashMap<BlobId, Vec<u8>>,
    /// In the order they began.
    threads: Vec<session::Thread>,
    /// The last one that was given out.
    epoch: u64,
    /// Those whose holders live.
    alive: BTreeSet<Epoch>,
}

#[derive(Debug)]
struct Run {
    head: Head,
    fingerprint: BlobId,
    events: Vec<Recorded>,
    /// Of who has it.
    epoch: Epoch,
    tries: u32,
}

impl Default for Journal {
    fn default() -> Self {
        Self::handle(Arc::default())
    }
}

impl Journal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another holder of the same store.
    #[must_use]
    pub fn share(&self) -> Self {
        Self::handle(Arc::clone(&self.inner))
    }

    /// Takes this holder for dead, as others do when its lease ends.
    pub fn expire(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.alive.remove(&self.epoch);
    }

    fn handle(inner: Arc<Mutex<Inner>>) -> Self {
        let epoch = {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.epoch += 1;
            let epoch = Epoch(inner.epoch);
            inner.alive.insert(epoch);
            epoch
        };
        Self { epoch, inner }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> Result<T, Error>) -> Result<T, ports::Error> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(f(&mut inner)?)
    }
}

impl Inner {
    fn run(&mut self, workflow: &WorkflowId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.head.workflow == *workflow)
    }

    fn create(&mut self, epoch: Epoch, new: NewWorkflow) -> Result<Created, Error> {
        let task = rules::begin(&new)?.clone();
        if let Some(run) = self
            .runs
            .iter()
            .find(|run| run.head.correlation == new.correlation)
        {
            let workflow = run.head.workflow.clone();
            return Ok(if run.fingerprint == new.fingerprint {
                Created::Existing(workflow)
            } else {
                Created::Conflict(workflow)
            });
        }
        if self.run(&new.workflow).is_some() {
            return Err(Error::Invalid {
                reason: format!("workflow {} has already begun", new.workflow),
            });
        }
        self.keep(new.blobs);
        let at_ms = |recorded: Option<&Recorded>| recorded.map_or(0, |recorded| recorded.at_ms);
        let head = Head {
            workflow: new.workflow,
            correlation: new.correlation,
            workflow_type: task.workflow_type,
            query: task.query,
            workspace: task.workspace,
            status: new.status,
            aside: None,
            head: new.events.last().map_or(Seq(0), |last| last.seq),
            created_at_ms: at_ms(new.events.first()),
            updated_at_ms: at_ms(new.events.last()),
        };
        self.runs.push(Run {
            head,
            fingerprint: new.fingerprint,
            events: new.events,
            epoch,
            tries: 0,
        });
        Ok(Created::New)
    }

    fn append(&mut self, epoch: Epoch, append: Append) -> Result<(), Error> {
        rules::append(&append)?;
        let Some(run) = self.run(&append.workflow) else {
            return Err(Error::UnknownWorkflow {
                workflow: append.workflow,
            });
        };
        run.fence(epoch)?;
        if run.head.head != append.after {
            let head = run.head.head;
            return Err(Error::Stale {
                workflow: append.workflow,
                after: append.after,
                head,
            });
        }
        if let Some(last) = append.events.last() {
            run.head.head = last.seq;
            run.head.updated_at_ms = last.at_ms;
        }
        if let Some(status) = append.status {
            run.head.status = status;
        }
        run.events.extend(append.events);
        self.keep(append.blobs);
        Ok(())
    }

    fn keep(&mut self, blobs: Vec<Blob>) {
        for blob in blobs {
            self.blobs
                .entry(blob.id())
                .or_insert_with(|| blob.bytes().to_vec());
        }
    }

    fn claim(&mut self, epoch: Epoch, limit: usize) -> Vec<Claimed> {
        let Self { runs, alive, .. } = self;
        let free =
            |run: &&mut Run| run.head.aside.is_none() && unfinished(&run.head) && !alive.contains(&run.epoch);
        let take = |run: &mut Run| {
            run.epoch = epoch;
            run.tries += 1;
            Claimed {
                head: run.head.clone(),
                tries: run.tries,
            }
        };
        runs.iter_mut().filter(free).take(limit).map(take).collect()
    }

    fn delete(&mut self, workflow: WorkflowId) -> Result<(), Error> {
        let run = self.run(&workflow).ok_or_else(|| Error::UnknownWorkflow {
            workflow: workflow.clone(),
        })?;
        if unfinished(&run.head) && run.head.aside.is_none() {
            return Err(Error::Unfinished { workflow });
        }
        self.runs.retain(|run| run.head.workflow != workflow);
        let events = self.runs.iter().flat_map(|run| &run.events);
        let named: BTreeSet<BlobId> = events.flat_map(|recorded| recorded.event.blobs()).collect();
        self.blobs.retain(|id, _| named.contains(id));
        Ok(())
    }

    fn finished(&self, before_ms: u64, limit: usize) -> Vec<WorkflowId> {
        let old = |head: &&Head| !unfinished(head) && head.updated_at_ms < before_ms;
        let mut heads: Vec<&Head> = self.runs.iter().map(|run| &run.head).filter(old).collect();
        heads.sort_by_key(|head| head.updated_at_ms);
        heads
            .into_iter()
            .take(limit)
            .map(|head| head.workflow.clone())
            .collect()
    }

    /// The workflow, if this holder has it.
    fn held(&mut self, epoch: Epoch, workflow: WorkflowId) -> Result<&mut Run, Error> {
        let run = self.run(&workflow).ok_or(Error::UnknownWorkflow { workflow })?;
        run.fence(epoch)?;
        Ok(run)
    }

    fn release(&mut self, epoch: Epoch, workflow: WorkflowId, release: Release) -> Result<(), Error> {
        if release == Release::Readmitted {
            // What was not set aside may be running.
            if let Some(run) = self.run(&workflow).filter(|run| run.head.aside.is_some()) {
                (run.tries, run.head.aside) = (0, None);
            }
            return Ok(());
        }
        let run = self.held(epoch, workflow)?;
        run.epoch = NOBODY;
        if release == Release::Untried {
            run.tries = run.tries.saturating_sub(1);
        }
        if let Release::Aside { reason } = release {
            run.head.aside = Some(reason);
        }
        Ok(())
    }

    fn list(&self, query: &ListQuery) -> Vec<Head> {
        let older_than = match &query.before {
            None => self.runs.len(),
            Some(before) => self
                .runs
                .iter()
                .position(|run| run.head.workflow == *before)
                .unwrap_or_default(),
        };
        let wanted = |head: &&Head| !query.unfinished || unfinished(head);
        let newest_first = self.runs.iter().take(older_than).rev().map(|run| &run.head);
        newest_first.filter(wanted).take(query.limit).cloned().collect()
    }
}

/// The epoch of workflows that were given up.
const NOBODY: Epoch = Epoch(0);

impl Run {
    fn fence(&self, epoch: Epoch) -> Result<(), Error> {
        if self.epoch == epoch {
            return Ok(());
        }
        Err(Error::Fenced {
            ours: epoch.0,
            current: self.epoch.0,
        })
    }
}

fn unfinished(head: &Head) -> bool {
    matches!(head.status, Status::Running | Status::AwaitingDecision)
}

impl ports::Journal for Journal {
    fn create(&self, new: NewWorkflow) -> BoxFuture<'_, Result<Created, ports::Error>> {
        Box::pin(async move { self.with(|inner| inner.create(self.epoch, new)) })
    }

    fn find(
        &self,
        correlation: CorrelationId,
    ) -> BoxFuture<'_, Result<Option<(WorkflowId, BlobId)>, ports::Error>> {
        Box::pin(async move {
            self.with(|inner| {
                let run = inner.runs.iter().find(|run| run.head.correlation == correlation);
                Ok(run.map(|run| (run.head.workflow.clone(), run.fingerprint)))
            })
        })
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { self.with(|inner| inner.append(self.epoch, append)) })
    }

    fn read(
        &self,
        workflow: WorkflowId,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Recorded>, ports::Error>> {
        Box::pin(async move {
            self.with(|inner| match inner.run(&workflow) {
                Some(run) => {
                    let wanted = run.events.iter().filter(|recorded| recorded.seq > after);
                    Ok(wanted.take(limit).cloned().collect())
                }
                None => Err(Error::UnknownWorkflow { workflow }),
            })
        })
    }

    fn base(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Seq, ports::Error>> {
        Box::pin(async move {
            self.with(|inner| match inner.run(&workflow) {
                Some(run) => {
                    let continued = |recorded: &&Recorded| matches!(recorded.event, Event::Continued { .. });
                    let last = run.events.iter().rev().find(continued);
                    Ok(last.map_or(Seq::default(), |recorded| recorded.seq))
                }
                None => Err(Error::UnknownWorkflow { workflow }),
            })
        })
    }

    fn head(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<Option<Head>, ports::Error>> {
        Box::pin(async move { self.with(|inner| Ok(inner.run(&workflow).map(|run| run.head.clone()))) })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<Head>, ports::Error>> {
        Box::pin(async move { self.with(|inner| Ok(inner.list(&query))) })
    }

    fn blob(&self, id: BlobId) -> BoxFuture<'_, Result<Option<Vec<u8>>, ports::Error>> {
        Box::pin(async move { self.with(|inner| Ok(inner.blobs.get(&id).cloned())) })
    }

    fn claim(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Claimed>, ports::Error>> {
        Box::pin(async move { self.with(|inner| Ok(inner.claim(self.epoch, limit))) })
    }

    fn settle(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { self.with(|inner| inner.held(self.epoch, workflow).map(|run| run.tries = 0)) })
    }

    fn release(&self, workflow: WorkflowId, release: Release) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { self.with(|inner| inner.release(self.epoch, workflow, release)) })
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), ports::Error>> {
        self.expire();
        Box::pin(std::future::ready(Ok(())))
    }

    fn delete(&self, workflow: WorkflowId) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(async move { self.with(|inner| inner.delete(workflow)) })
    }

    fn finished(&self, before_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<WorkflowId>, ports::Error>> {
        Box::pin(async move { self.with(|inner| Ok(inner.finished(before_ms, limit))) })
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, ports::Error>> {
        Box::pin(
            async move { self.with(|inner| Ok(inner.blobs.values().map(|bytes| bytes.len() as u64).sum())) },
        )
    }

    fn room(&self) -> BoxFuture<'_, Result<(), ports::Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn changed(&self) -> Option<BoxFuture<'_, ()>> {
        None
    }

    fn fenced(&self) -> BoxFuture<'_, ports::Error> {
        Box::pin(std::future::pending())
    }
}
