//! What people do: ask, answer, follow, fork.

use std::collections::BTreeMap;

use engine::{
    Command, Recorded,
    artifact::{Decision, Selection, Task as Request},
    blob::BlobId,
    graph,
    history::{self, NewFork},
};
use shared::id::{CorrelationId, Seq, WorkflowId};

use super::{DEFINITIONS, Life, WORKFLOWS_MAX};
use crate::{
    audit::{Broken, broken},
    client::Client,
    disk::{History, Row},
    process::Actor,
};

impl Life<'_> {
    /// A person answers, or has had enough.
    pub(super) fn person(&mut self) -> Result<(), Broken> {
        let Some(workflow) = self.any_workflow() else {
            return Ok(());
        };
        let decision = match self.rng.below(20) {
            0..10 => Decision::Accept(Selection::All),
            10 => Decision::Reject { feedback: None },
            11..18 => Decision::Modify {
                feedback: "more".to_owned(),
            },
            18 => {
                self.give(&workflow, Command::Cancel)?;
                return Ok(());
            }
            _ => {
                let text = format!("remark {}", self.rng.below(30));
                self.give(&workflow, Command::Remark { text })?;
                return Ok(());
            }
        };
        let iteration = self.rng.percent(10).then_some(7);
        self.give(&workflow, Command::Decide { iteration, decision })?;
        Ok(())
    }

    /// A request comes, for the first time or again, or another one under the
    /// same correlation id.
    pub(super) fn submit(&mut self) {
        let again = self.rng.place(self.disk.runs.len() + 1);
        let known = again
            .and_then(|place| self.disk.runs.values().nth(place))
            .map(|run| (run.correlation.clone(), run.fingerprint));
        if let Some((correlation, fingerprint)) = known {
            // Existing, or a conflict: nothing begins either way.
            let runs = self
                .disk
                .runs
                .values()
                .filter(|run| run.correlation == correlation && run.fingerprint == fingerprint);
            debug_assert_eq!(runs.count(), 1);
            return;
        }
        if self.disk.runs.len() >= WORKFLOWS_MAX || self.disk.full {
            return;
        }
        self.names += 1;
        let (workflow, correlation) = (
            WorkflowId::new(format!("w{}", self.names)),
            CorrelationId::new(format!("c{}", self.names)),
        );
        let definition = self.rng.place(DEFINITIONS.len()).unwrap_or_default();
        let Ok(graph) = graph::parse(DEFINITIONS[definition]) else {
            return;
        };
        let task = Request {
            workflow_type: graph.name.clone(),
            query: "add login".to_owned(),
            workspace: "/w".to_owned(),
            choices: engine::artifact::Choices::default(),
            images: Vec::new(),
        };
        let ctx = engine::Ctx {
            now_ms: self.clock_ms,
            random: self.rng.any(),
        };
        let Ok(events) = engine::submit(workflow.clone(), correlation.clone(), task, graph, &ctx) else {
            return;
        };
        let recorded: Vec<Recorded> = (1..)
            .zip(events)
            .map(|(seq, event)| Recorded {
                seq: Seq(seq),
                at_ms: ctx.now_ms,
                event,
            })
            .collect();
        self.begin(workflow, correlation, &recorded);
    }

    /// A workflow is on the disk, and the process takes it up.
    pub(super) fn begin(&mut self, workflow: WorkflowId, correlation: CorrelationId, events: &[Recorded]) {
        self.note(&format!("begins {workflow}"));
        let Some(process) = self.process.as_mut() else {
            return;
        };
        let Some(state) = engine::fold(events) else {
            return;
        };
        let epoch = process.epoch;
        let run = History {
            correlation,
            fingerprint: BlobId::of(workflow.as_str().as_bytes()),
            synced: events.len(),
            rows: events
                .iter()
                .map(|recorded| Row {
                    recorded: recorded.clone(),
                    epoch,
                })
                .collect(),
            damaged: false,
            shorter: BTreeMap::new(),
        };
        self.disk.runs.insert(workflow.clone(), run);
        let mut actor = Actor::new(state);
        actor.act(self.brain, events, &mut Vec::new());
        process.actors.insert(workflow, actor);
    }

    /// A workflow begins where another one was.
    pub(super) fn fork(&mut self) -> Result<(), Broken> {
        if self.disk.runs.len() >= WORKFLOWS_MAX || self.disk.full {
            return Ok(());
        }
        let Some(place) = self.rng.place(self.disk.runs.len()) else {
            return Ok(());
        };
        let Some((from, run)) = self.disk.runs.iter().nth(place).filter(|(_, run)| !run.damaged) else {
            return Ok(());
        };
        let Some(at) = self.rng.place(run.rows.len()) else {
            return Ok(());
        };
        self.names += 1;
        let (workflow, correlation) = (
            WorkflowId::new(format!("w{}", self.names)),
            CorrelationId::new(format!("c{}", self.names)),
        );
        let new = NewFork {
            workflow: workflow.clone(),
            correlation: correlation.clone(),
            from: from.clone(),
            at: run.rows[at].recorded.seq,
            model: None,
            now_ms: self.clock_ms.max(run.rows[at].recorded.at_ms),
        };
        let shared: Vec<Recorded> = run.events().take(at + 1).cloned().collect();
        let Ok(events) = history::fork(shared, &new) else {
            return Ok(());
        };
        if engine::fold(&events).is_none_or(|state| {
            state
                .working()
                .iter()
                .any(|(_, running)| running.streamed_chars > 0)
        }) {
            return broken(9, format!("{workflow} was forked with text of a stream"));
        }
        self.begin(workflow.clone(), correlation, &events);
        // It was not at work yet: it goes on as after a restart.
        self.give(&workflow, Command::Resume)?;
        Ok(())
    }

    /// Somebody begins to follow, is cut off, or comes back.
    pub(super) fn follow(&mut self) {
        let Some(workflow) = self.any_workflow() else {
            return;
        };
        let count = self.clients.len();
        let place = self.rng.place(count + 1).unwrap_or_default();
        match self.clients.get_mut(place) {
            Some(client) if client.attached => client.attached = false,
            Some(client) => client.attach(&self.disk),
            None if count < WORKFLOWS_MAX => {
                let mut client = Client::new(workflow);
                client.attach(&self.disk);
                self.clients.push(client);
            }
            None => {}
        }
    }
}
