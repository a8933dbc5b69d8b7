//! A process: it owns the states of the workflows that are not over, and does
//! for each command what the backend does: decide, write, apply, tell, act.

use std::collections::BTreeMap;

use engine::{
    Action, Command, Ctx, Event, Recorded, StageKind, State,
    history::{compact, may_continue},
};
use shared::id::{StageId, WorkflowId};

use crate::{
    audit::{Broken, broken},
    brain::Brain,
    client::Client,
    disk::{Disk, Refused},
};

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A stage.
    Stage(StageKind),
    /// Writing what the intent says.
    Write,
}

/// A worker.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its stage.
    pub stage: StageId,
    /// Its attempt.
    pub attempt: u32,
    /// What it does.
    pub task: Task,
    /// Whether it has to say first whether the text so far is gone on with.
    pub continues: bool,
    /// Whether it says nothing any more.
    pub silent: bool,
}

/// A workflow in memory.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Its state.
    pub state: State,
    /// Its workers.
    pub jobs: Vec<Job>,
}

/// A process that runs workflows.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its number among those that opened the journal.
    pub epoch: u64,
    /// Its workflows.
    pub actors: BTreeMap<WorkflowId, Actor>,
}

/// Where a process is killed within one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Nothing is written.
    BeforeCommit,
    /// It is written, and nobody knows.
    AfterCommit,
    /// Clients know, and nothing is done.
    AfterPublish,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// Its events are durable.
    Done(Vec<Recorded>),
    /// It was refused.
    Refused,
    /// The disk is full: nothing happened.
    Full,
    /// The process is dead.
    Died,
}

/// What a process finds outside of it.
pub struct Outside<'a> {
    /// The engine.
    pub brain: &'a dyn Brain,
    /// The journal.
    pub disk: &'a mut Disk,
    /// Those who follow.
    pub clients: &'a mut Vec<Client>,
    /// The clock, in milliseconds since the Unix epoch, right or wrong.
    pub clock_ms: u64,
    /// Any number.
    pub random: u64,
    /// Whether and where the process is killed.
    pub crash: Option<Crash>,
}

impl std::fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside")
            .field("clock_ms", &self.clock_ms)
            .finish_non_exhaustive()
    }
}

/// Gives events their place and time.
pub fn number(state: &State, at_ms: u64, events: Vec<Event>) -> Vec<Recorded> {
    let mut seq = state.head;
    let one = |event| {
        seq = seq.next();
        Recorded { seq, at_ms, event }
    };
    events.into_iter().map(one).collect()
}

fn is_text(events: &[Recorded]) -> bool {
    events
        .iter()
        .all(|recorded| matches!(recorded.event.innermost(), Event::Streamed(_)))
}

impl Actor {
    /// A workflow with this state, and nobody at work.
    pub fn new(state: State) -> Self {
        Self {
            state,
            jobs: Vec::new(),
        }
    }

    /// The time by which things are due.
    pub fn now_ms(&self, clock_ms: u64) -> u64 {
        engine::now_ms(&self.state, clock_ms)
    }

    /// Gives a command. `late` gets the workers that were stopped.
    pub fn give(
        &mut self,
        epoch: u64,
        outside: &mut Outside<'_>,
        command: Command,
        late: &mut Vec<Job>,
    ) -> Result<Given, Broken> {
        let ctx = Ctx {
            now_ms: self.now_ms(outside.clock_ms),
            random: outside.random,
        };
        let Ok(events) = outside.brain.decide(&self.state, command, &ctx) else {
            return Ok(Given::Refused);
        };
        if events.is_empty() {
            return Ok(Given::Done(Vec::new()));
        }
        let events = number(&self.state, ctx.now_ms, events);
        let workflow = self.state.workflow.clone();
        if !outside.brain.waits_for_the_disk() {
            publish(outside, &workflow, &events)?;
        }
        if outside.crash == Some(Crash::BeforeCommit) {
            return Ok(Given::Died);
        }
        let synced = !is_text(&events);
        let fenced = outside.brain.is_fenced();
        match outside
            .disk
            .append(&workflow, epoch, events.clone(), synced, fenced)
        {
            Ok(()) => {}
            Err(Refused::Full) => return Ok(Given::Full),
            Err(Refused::Stale | Refused::Fenced) => return Ok(Given::Died),
        }
        if outside.crash == Some(Crash::AfterCommit) {
            return Ok(Given::Died);
        }
        for recorded in &events {
            outside.brain.advance(&mut self.state, recorded);
        }
        publish(outside, &workflow, &events)?;
        if outside.crash == Some(Crash::AfterPublish) {
            return Ok(Given::Died);
        }
        self.act(outside.brain, &events, late);
        Ok(Given::Done(events))
    }

    /// Starts and stops workers.
    pub fn act(&mut self, brain: &dyn Brain, events: &[Recorded], late: &mut Vec<Job>) {
        let working = self.state.working();
        let counts = |job: &Job| {
            working
                .iter()
                .any(|(_, running)| running.stage == job.stage && running.attempt == job.attempt)
        };
        let (kept, stopped) = std::mem::take(&mut self.jobs).into_iter().partition(counts);
        self.jobs = kept;
        late.extend::<Vec<Job>>(stopped);
        for recorded in events {
            for action in brain.react(&self.state, &recorded.event) {
                let (stage, attempt, task) = match action {
                    Action::RunStage { stage, attempt, kind } => (stage, attempt, Task::Stage(kind)),
                    Action::WriteApply { stage, attempt } => (stage, attempt, Task::Write),
                };
                let texts = self.state.continuing();
                let continues = texts.iter().any(|(_, running)| running.stage == stage);
                self.jobs.retain(|job| job.stage != stage);
                self.jobs.push(Job {
                    stage,
                    attempt,
                    task,
                    continues,
                    silent: false,
                });
            }
        }
    }

    /// The shorter history that can stand for all there is, if one can.
    pub fn shorter(&self, disk: &Disk) -> Option<Vec<Recorded>> {
        let run = disk
            .runs
            .get(&self.state.workflow)
            .filter(|_| may_continue(&self.state))?;
        Some(compact(run.events().cloned()))
    }
}

/// Invariant 1: what anybody is told is on the disk.
fn publish(outside: &mut Outside<'_>, workflow: &WorkflowId, events: &[Recorded]) -> Result<(), Broken> {
    let run = outside.disk.runs.get(workflow);
    for recorded in events {
        let on_disk = run.is_some_and(|run| {
            let mut rows = run.rows.iter().rev();
            rows.any(|row| row.recorded == *recorded)
                && (is_text(events) || run.synced >= usize::try_from(recorded.seq.0).unwrap_or(usize::MAX))
        });
        if !on_disk {
            return broken(
                1,
                format!("{workflow} {} was told before it was durable", recorded.seq),
            );
        }
    }
    for client in outside.clients.iter_mut() {
        for recorded in events {
            client.take(workflow, recorded);
        }
    }
    Ok(())
}
