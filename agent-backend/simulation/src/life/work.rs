//! What workers come back with, in time, late, twice, or after their process was
//! replaced.

use engine::{Command, Output, StageKind, State, limits::PERMISSIONS_MAX};
use shared::{error::Class, id::WorkflowId};

use super::Life;
use crate::{
    audit::{Broken, broken},
    outputs::{self, HALF_THOUGHT},
    process::{Given, Job, Outside, Task},
};

impl Life<'_> {
    /// A worker does something.
    pub(super) fn work(&mut self) -> Result<(), Broken> {
        if self.zombie.is_some() && self.rng.percent(30) {
            return self.haunt();
        }
        let Some(workflow) = self.any_workflow() else {
            return Ok(());
        };
        let Some((job, state)) = self.any_job(&workflow) else {
            return Ok(());
        };
        let Some(command) = self.command(&job, &state) else {
            return Ok(());
        };
        // A worker may have died on the way, after what it did.
        if self.process.is_none() {
            return Ok(());
        }
        let again = !self.calm && self.rng.percent(3);
        self.give(&workflow, command.clone())?;
        if again && matches!(command, Command::CompleteStage { .. }) {
            let twice = self.give(&workflow, command)?;
            if let Some(Given::Done(_)) = twice {
                return broken(4, format!("{workflow}: the same result was taken twice"));
            }
        }
        Ok(())
    }

    pub(super) fn any_job(&mut self, workflow: &WorkflowId) -> Option<(Job, State)> {
        let actor = self.process.as_ref()?.actors.get(workflow)?;
        let place = self.rng.place(actor.jobs.len())?;
        Some((actor.jobs.get(place)?.clone(), actor.state.clone())).filter(|(job, _)| !job.silent)
    }

    /// What a worker comes back with next.
    pub(super) fn command(&mut self, job: &Job, state: &State) -> Option<Command> {
        let (stage, attempt) = (job.stage.clone(), job.attempt);
        let kind = match job.task {
            Task::Write => return self.write(job, state),
            Task::Stage(StageKind::Apply) => {
                let intent = outputs::intent(state, self.repository.head());
                if !self.calm && self.rng.percent(20) {
                    let objects = self.rng.percent(50);
                    return Some(outputs::recheck(stage, attempt, &intent, objects));
                }
                return Some(Command::IntendApply {
                    stage,
                    attempt,
                    intent,
                });
            }
            Task::Stage(kind) => kind,
        };
        if job.continues {
            self.change_job(state, job, |job| job.continues = false);
            return Some(if self.calm || self.rng.percent(70) {
                Command::ContinueText { stage, attempt }
            } else {
                let reason = "another model".to_owned();
                Command::RestartText {
                    stage,
                    attempt,
                    reason,
                }
            });
        }
        let may_ask =
            state.consent.is_none() && state.running().is_some_and(|(running, _)| running.stage == stage);
        if kind == StageKind::Checks && may_ask && !self.calm && self.rng.percent(20) {
            let failure = outputs::needs_permission();
            return Some(Command::FailStage {
                stage,
                attempt,
                failure,
            });
        }
        let may_want = state.lane.is_none()
            && state.permissions.len() < PERMISSIONS_MAX
            && state.running().is_some_and(|(running, _)| running.stage == stage);
        if kind == StageKind::CodeGeneration && may_want && !self.calm && self.rng.percent(10) {
            let call = outputs::wanted();
            return Some(Command::AskPermission { stage, attempt, call });
        }
        let fails = |class| Command::FailStage {
            stage: stage.clone(),
            attempt,
            failure: outputs::failure(class),
        };
        match self.rng.below(100) {
            _ if self.calm => {}
            0..45
                if matches!(
                    kind,
                    StageKind::Planning | StageKind::CodeGeneration | StageKind::TestGeneration
                ) =>
            {
                let working = state.working();
                let running = working.iter().find(|(_, running)| running.stage == stage);
                let (text, tokens) = running.map_or((None, 0), |(_, running)| {
                    (running.text.clone(), running.streamed_tokens)
                });
                let origin = (kind != StageKind::Planning && tokens == 0 && text.is_none())
                    .then(|| outputs::origin(&stage));
                return Some(Command::StreamText {
                    stage,
                    attempt,
                    delta: HALF_THOUGHT.to_owned(),
                    tokens: tokens + 1,
                    total: None,
                    origin,
                });
            }
            45..51 => return Some(fails(Class::Transient)),
            51..54 => return Some(fails(Class::Permanent)),
            54 => return Some(fails(Class::User)),
            55..57 => {
                // It stops early and says nothing, as if it worked.
                self.change_job(state, job, |job| job.silent = true);
                return None;
            }
            57..59 => {
                let reason = "another provider".to_owned();
                return Some(Command::RestartText {
                    stage,
                    attempt,
                    reason,
                });
            }
            59..61 => {
                let call = outputs::call();
                return Some(Command::ReportCall { stage, attempt, call });
            }
            61..63 => {
                let call = outputs::tool();
                return Some(Command::ReportTool { stage, attempt, call });
            }
            _ => {}
        }
        let conflict = self.rng.percent(30);
        let failed = !self.calm && self.rng.percent(25);
        let output = outputs::output(kind, &stage, conflict, failed)?;
        Some(Command::CompleteStage {
            stage,
            attempt,
            output,
        })
    }

    pub(super) fn change_job(&mut self, state: &State, job: &Job, change: impl Fn(&mut Job)) {
        let actor = self
            .process
            .as_mut()
            .and_then(|process| process.actors.get_mut(&state.workflow));
        let jobs = actor.map(|actor| actor.jobs.as_mut_slice()).unwrap_or_default();
        jobs.iter_mut()
            .filter(|known| known.stage == job.stage)
            .for_each(change);
    }

    /// Writes what the recorded intent says; the process may die before and
    /// after the branch has moved.
    pub(super) fn write(&mut self, job: &Job, state: &State) -> Option<Command> {
        let (stage, attempt) = (job.stage.clone(), job.attempt);
        let intent = state.intent.as_deref()?.clone();
        if !self.calm && self.rng.percent(15) {
            self.die();
            return None;
        }
        let done = self
            .repository
            .apply(&intent, self.brain.compares_before_it_swaps());
        if !self.calm && self.rng.percent(15) {
            self.die();
            return None;
        }
        Some(match done {
            Ok(applied) => Command::CompleteStage {
                stage,
                attempt,
                output: Output::Applied(applied),
            },
            Err(_moved) => Command::FailStage {
                stage,
                attempt,
                failure: outputs::failure(Class::Transient),
            },
        })
    }

    /// The replaced process goes on: what it appends is refused, and then it
    /// ends; what it writes is what its intent said.
    pub(super) fn haunt(&mut self) -> Result<(), Broken> {
        let Some(mut zombie) = self.zombie.take() else {
            return Ok(());
        };
        let Some(workflow) = self
            .rng
            .place(zombie.actors.len())
            .and_then(|place| zombie.actors.keys().nth(place).cloned())
        else {
            return Ok(());
        };
        let Some(actor) = zombie.actors.get_mut(&workflow) else {
            return Ok(());
        };
        let Some(job) = self
            .rng
            .place(actor.jobs.len())
            .and_then(|place| actor.jobs.get(place).cloned())
        else {
            return Ok(());
        };
        let state = actor.state.clone();
        let command = match (job.task, &state.intent) {
            (Task::Write, Some(intent)) => {
                // The effect of an intent that is durable, by whoever.
                let done = self
                    .repository
                    .apply(intent, self.brain.compares_before_it_swaps());
                done.ok().map(|applied| Command::CompleteStage {
                    stage: job.stage.clone(),
                    attempt: job.attempt,
                    output: Output::Applied(applied),
                })
            }
            (Task::Write, None) => None,
            (Task::Stage(kind), _) => {
                outputs::output(kind, &job.stage, false, false).map(|output| Command::CompleteStage {
                    stage: job.stage.clone(),
                    attempt: job.attempt,
                    output,
                })
            }
        };
        let Some(command) = command else { return Ok(()) };
        let mut nobody = Vec::new();
        let mut outside = Outside {
            brain: self.brain,
            disk: &mut self.disk,
            clients: &mut nobody,
            clock_ms: self.clock_ms,
            random: self.rng.any(),
            crash: None,
        };
        let given = actor.give(zombie.epoch, &mut outside, command, &mut Vec::new())?;
        self.note(&format!("zombie {given:?}"));
        match given {
            Given::Done(events) if !events.is_empty() => {
                broken(3, format!("{workflow}: a replaced process has written"))
            }
            Given::Done(_) | Given::Refused | Given::Full | Given::Died => Ok(()),
        }
    }

    /// A worker that was stopped comes back after all.
    pub(super) fn come_late(&mut self) -> Result<(), Broken> {
        let Some(place) = self.rng.place(self.late.len()) else {
            return Ok(());
        };
        let (workflow, job) = self.late.remove(place);
        let Task::Stage(kind) = job.task else {
            return Ok(());
        };
        let Some(output) = outputs::output(kind, &job.stage, false, false) else {
            return Ok(());
        };
        let actor = self
            .process
            .as_ref()
            .and_then(|process| process.actors.get(&workflow));
        let counts = actor.is_some_and(|actor| {
            let working = actor.state.working();
            working
                .iter()
                .any(|(_, running)| running.stage == job.stage && running.attempt == job.attempt)
        });
        let command = Command::CompleteStage {
            stage: job.stage.clone(),
            attempt: job.attempt,
            output,
        };
        match self.give(&workflow, command)? {
            // Another iteration counts its attempts from 1 again.
            Some(Given::Done(_)) if !counts => {
                broken(4, format!("{workflow}: a late result of {} counted", job.stage))
            }
            _ => Ok(()),
        }
    }
}
