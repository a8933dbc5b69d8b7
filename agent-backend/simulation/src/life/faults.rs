//! What goes wrong with the process, the power and the disk, and how it goes on.

use std::collections::BTreeMap;

use engine::{Command, blob::BlobId};
use shared::id::WorkflowId;

use super::{Life, read};
use crate::{
    audit::{self, Broken, broken},
    process::{Actor, Process},
};

impl Life<'_> {
    /// `kill -9`.
    pub(super) fn die(&mut self) {
        self.note("dies");
        self.process = None;
        self.late.clear();
        self.deaths += 1;
        for client in &mut self.clients {
            client.attached = false;
        }
    }

    pub(super) fn lose_power(&mut self) {
        self.die();
        self.zombie = None;
        let survives = usize::try_from(self.rng.below(8)).unwrap_or_default();
        self.disk.lose_power(|unsynced| unsynced.saturating_sub(survives));
        for client in &mut self.clients {
            let left = self
                .disk
                .runs
                .get(&client.workflow)
                .map_or(0, |run| run.rows.len());
            if client.seen.len() > left {
                // Told by `resync` where they come back before as many new
                // events are there; nothing is promised to those who do not.
                client.seen.clear();
            }
        }
    }

    /// The process stops (SIGSTOP, a paused machine), its lock is taken, and it
    /// goes on as if nothing had been.
    pub(super) fn replace(&mut self) -> Result<(), Broken> {
        self.note("replaced");
        self.zombie = self.process.take();
        self.deaths += 1;
        for client in &mut self.clients {
            client.attached = false;
        }
        self.restart()
    }

    /// A bit flips in one history: it is read no more, and the others are.
    pub(super) fn damage(&mut self) {
        if self.rng.percent(20) && self.disk.runs.len() > 1 {
            let place = self.rng.place(self.disk.runs.len());
            if let Some(run) = place.and_then(|place| self.disk.runs.values_mut().nth(place)) {
                run.damaged = true;
                self.note("damage");
            }
        }
    }

    /// A process begins and goes on with all that is unfinished.
    pub(super) fn restart(&mut self) -> Result<(), Broken> {
        self.note("restart");
        // Somebody has made room by then.
        self.disk.full = false;
        let mut process = Process {
            epoch: self.disk.open(),
            actors: BTreeMap::new(),
        };
        for (workflow, run) in self.disk.runs.iter().filter(|(_, run)| !run.damaged) {
            audit::history(run)?;
            match read(run) {
                Some(state) if state.is_finished() => {}
                Some(state) => {
                    process.actors.insert(workflow.clone(), Actor::new(state));
                }
                None => return broken(13, format!("{workflow} cannot be read")),
            }
        }
        let workflows: Vec<WorkflowId> = process.actors.keys().cloned().collect();
        self.process = Some(process);
        // The one that was replaced may be in the middle of something.
        if self.zombie.is_some() && self.rng.percent(50) {
            self.haunt()?;
        }
        for workflow in workflows {
            self.give(&workflow, Command::Resume)?;
        }
        Ok(())
    }

    /// A shorter history is stored, from which the next process reads.
    pub(super) fn shorten(&mut self) -> Result<(), Broken> {
        let Some(workflow) = self.any_workflow() else {
            return Ok(());
        };
        let actor = self
            .process
            .as_ref()
            .and_then(|process| process.actors.get(&workflow));
        let Some(events) = actor.and_then(|actor| actor.shorter(&self.disk)) else {
            return Ok(());
        };
        let id = BlobId::of(format!("{workflow} {}", events.len()).as_bytes());
        if let Some(run) = self.disk.runs.get_mut(&workflow) {
            run.shorter.insert(id, events);
        }
        self.give(&workflow, Command::Continue { history: id })?;
        Ok(())
    }
}
