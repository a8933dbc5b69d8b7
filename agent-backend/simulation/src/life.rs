//! One life: what happens, in what order, and how it ends.

mod faults;
mod people;
mod work;

use engine::{
    Command, Event, State,
    artifact::{Decision, Selection},
};
use sha2::{Digest as _, Sha256};
use shared::id::WorkflowId;

use crate::{
    audit::{self, Broken, broken},
    brain::Brain,
    client::Client,
    disk::{Disk, History},
    process::{Crash, Given, Job, Outside, Process},
    repository::Repository,
    rng::Rng,
};

/// The definition that is shipped, and one that uses everything there is.
const DEFINITIONS: [&str; 2] = [
    include_str!("../../../config/workflows/feature_implementation.yaml"),
    include_str!("../../engine/src/tests/rich.yaml"),
];

/// Steps in which things go wrong.
const STEPS: u64 = 160;

/// Steps after which a life without faults has ended.
const CALM_STEPS_MAX: u64 = 6_000;

/// Steps between two looks at everything.
const LOOK_EVERY: u64 = 8;

/// Workflows of one life, forks included.
const WORKFLOWS_MAX: usize = 4;

/// Workers that were stopped and may still come back with something.
const LATE_MAX: usize = 8;

/// What a life was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Hash of everything that happened, in order.
    pub hash: String,
    /// Events on the disk in the end.
    pub events: usize,
    /// Times a process died or was replaced.
    pub deaths: u32,
}

struct Life<'a> {
    brain: &'a dyn Brain,
    rng: Rng,
    disk: Disk,
    repository: Repository,
    process: Option<Process>,
    /// One that was stopped and replaced, and does not know.
    zombie: Option<Process>,
    late: Vec<(WorkflowId, Job)>,
    clients: Vec<Client>,
    clock_ms: u64,
    /// Whether anything goes wrong.
    calm: bool,
    deaths: u32,
    names: u64,
    trace: Sha256,
}

/// Lives the life of a seed; the invariant that broke, if one did.
pub fn live(brain: &dyn Brain, seed: u64) -> Result<Trace, Broken> {
    let mut life = Life {
        brain,
        rng: Rng::new(seed),
        disk: Disk::default(),
        repository: Repository::default(),
        process: None,
        zombie: None,
        late: Vec::new(),
        clients: Vec::new(),
        clock_ms: 1_000_000,
        calm: false,
        deaths: 0,
        names: 0,
        trace: Sha256::new(),
    };
    life.restart()?;
    life.submit();
    for step in 0..STEPS {
        life.step()?;
        if step % LOOK_EVERY == 0 {
            life.look()?;
        }
    }
    life.end()
}

impl Life<'_> {
    fn note(&mut self, what: &str) {
        self.trace.update(what.as_bytes());
        self.trace.update([0]);
    }

    fn step(&mut self) -> Result<(), Broken> {
        if self.process.is_none() {
            return self.restart();
        }
        match self.rng.below(100) {
            0..50 => self.work(),
            50..62 => self.tick(),
            62..74 => self.person(),
            74..77 => {
                self.submit();
                Ok(())
            }
            77..80 => self.fork(),
            80..85 => {
                self.follow();
                Ok(())
            }
            85..88 => self.shorten(),
            88..90 => self.come_late(),
            90..92 => {
                // The clock is set, back or forth.
                let jump = self.rng.below(4_000_000);
                self.clock_ms = (self.clock_ms + jump).saturating_sub(2_000_000);
                self.note("clock");
                Ok(())
            }
            92..94 => {
                self.disk.full = !self.disk.full;
                Ok(())
            }
            94 => {
                self.names += 1;
                self.repository.commit_by_hand(self.names);
                Ok(())
            }
            95..97 => {
                self.die();
                Ok(())
            }
            97 => {
                self.lose_power();
                Ok(())
            }
            98 => self.replace(),
            _ => {
                self.damage();
                Ok(())
            }
        }
    }

    /// Gives a command to the process that lives.
    fn give(&mut self, workflow: &WorkflowId, command: Command) -> Result<Option<Given>, Broken> {
        let crash = (!self.calm && self.rng.percent(2)).then(|| match self.rng.below(3) {
            0 => Crash::BeforeCommit,
            1 => Crash::AfterCommit,
            _ => Crash::AfterPublish,
        });
        let Some(process) = self.process.as_mut() else {
            return Ok(None);
        };
        let (epoch, mut late) = (process.epoch, Vec::new());
        let Some(actor) = process.actors.get_mut(workflow) else {
            return Ok(None);
        };
        let name = format!("{command:?}");
        let mut outside = Outside {
            brain: self.brain,
            disk: &mut self.disk,
            clients: &mut self.clients,
            clock_ms: self.clock_ms,
            random: self.rng.any(),
            crash,
        };
        let given = actor.give(epoch, &mut outside, command, &mut late)?;
        if actor.state.is_finished() {
            let state = actor.state.clone();
            if let Some(run) = self.disk.runs.get(workflow) {
                audit::memory(&state, run)?;
            }
            process.actors.remove(workflow);
        }
        self.late
            .extend(late.into_iter().map(|job| (workflow.clone(), job)));
        self.late.truncate(LATE_MAX);
        self.trace.update(name.as_bytes());
        self.trace.update(format!("{given:?}").as_bytes());
        if given == Given::Died {
            self.die();
        }
        Ok(Some(given))
    }

    fn any_workflow(&mut self) -> Option<WorkflowId> {
        let process = self.process.as_ref()?;
        let place = self.rng.place(process.actors.len())?;
        process.actors.keys().nth(place).cloned()
    }

    /// Time passes, and what is due by then happens.
    fn tick(&mut self) -> Result<(), Broken> {
        let Some(workflow) = self.any_workflow() else {
            return Ok(());
        };
        let far = self.calm || self.rng.percent(30);
        let state = self
            .process
            .as_ref()
            .and_then(|process| process.actors.get(&workflow))
            .map(|actor| &actor.state);
        let due_ms = state.and_then(engine::next_due_ms);
        self.clock_ms = match due_ms {
            Some(due_ms) if far => self.clock_ms.max(due_ms),
            Some(_) | None => self.clock_ms + self.rng.below(2_000),
        };
        self.give(&workflow, Command::Tick)?;
        Ok(())
    }

    /// Looks at everything.
    fn look(&mut self) -> Result<(), Broken> {
        for run in self.disk.runs.values() {
            audit::history(run)?;
        }
        for (workflow, actor) in self.process.iter().flat_map(|process| &process.actors) {
            if let Some(run) = self.disk.runs.get(workflow) {
                audit::memory(&actor.state, run)?;
            }
        }
        audit::clients(&self.clients, &self.disk)?;
        audit::repository(&self.repository, &self.disk)
    }

    /// Nothing goes wrong any more: everything ends.
    fn end(mut self) -> Result<Trace, Broken> {
        self.calm = true;
        self.die();
        self.zombie = None;
        self.restart()?;
        for _ in 0..CALM_STEPS_MAX {
            let Some(workflow) = self.any_workflow() else {
                break;
            };
            let state = self
                .process
                .as_ref()
                .and_then(|process| process.actors.get(&workflow))
                .map(|actor| actor.state.clone());
            let asked = state
                .as_ref()
                .is_some_and(|state| matches!(state.phase, engine::Phase::AwaitingDecision { .. }));
            if asked || state.as_ref().is_some_and(asks) {
                let decision = Decision::Accept(Selection::All);
                let given = self.give(
                    &workflow,
                    Command::Decide {
                        iteration: None,
                        decision,
                    },
                )?;
                if given == Some(Given::Refused) {
                    self.tick()?;
                }
            } else if self.rng.percent(20) {
                self.tick()?;
            } else {
                self.work()?;
            }
        }
        self.look()?;
        for client in &mut self.clients {
            client.attached = false;
            client.attach(&self.disk);
        }
        audit::clients(&self.clients, &self.disk)?;
        let mut events = 0;
        for (workflow, run) in self.disk.runs.iter().filter(|(_, run)| !run.damaged) {
            events += run.rows.len();
            let state = engine::fold(run.events());
            if state.as_ref().is_none_or(|state| !state.is_finished()) {
                return broken(
                    13,
                    format!("{workflow} has not ended: {:?}", state.map(|state| state.phase)),
                );
            }
            let message = format!("Workflow-Id: {workflow}");
            let made = self
                .repository
                .commits
                .iter()
                .filter(|commit| commit.message == message)
                .count();
            let applied = usize::from(
                run.events()
                    .any(|recorded| matches!(recorded.event, Event::Applied(_))),
            );
            if made != applied {
                return broken(15, format!("{workflow}: {made} commits, {applied} recorded"));
            }
        }
        Ok(Trace {
            hash: format!("{:x}", self.trace.finalize()),
            events,
            deaths: self.deaths,
        })
    }
}

/// Whether somebody is asked, in whatever lane.
fn asks(state: &State) -> bool {
    state
        .lanes
        .values()
        .any(|lane| matches!(lane.phase, engine::Phase::AwaitingDecision { .. }) || asks(lane))
}

/// The state as the disk has it, from a shorter history where there is one.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "some kinds are looked for among all"
)]
fn read(run: &History) -> Option<State> {
    let last = run.events().rev().find_map(|recorded| match &recorded.event {
        Event::Continued { history } => Some((recorded.seq, *history)),
        _ => None,
    });
    match last.and_then(|(seq, history)| Some((seq, run.shorter.get(&history)?))) {
        Some((seq, shorter)) => {
            let rest = run.events().filter(|recorded| recorded.seq >= seq);
            engine::fold(shorter.iter().chain(rest))
        }
        None => engine::fold(run.events()),
    }
}
