//! One proposal's trials: what is run, on which copy, and how it is compared.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use language::Installed;
use sandbox::{Access, Job, Limits, Mount, Stop};

use super::{
    Bounds, Changes, Evidence, PROOF, Runner, Told, Trials,
    evidence::{Tried, none},
    place::Place,
    printed::Printed,
    skip_with,
};
use crate::{
    Workspace,
    limits::{TRIAL_FILE_BYTES_MAX, TRIAL_OUTPUT_BYTES_MAX, TRIAL_WRITTEN_BYTES_MAX},
    machine::{Machine, Tooling},
    overlay::{self, Ages, Overlay},
    project::{self, Ecosystem, Ending, Goal, Planned, Ran, Step, Verdict},
};

/// Why something is not run that a person has turned off.
pub(super) const LEFT_OUT: &str = "the configuration leaves it out (`checks`)";

/// What a run of all trials of one proposal works with.
pub(super) struct Session<'a> {
    pub(super) runner: &'a Runner,
    pub(super) bounds: Bounds,
    pub(super) workspace: &'a Workspace,
    /// The workspace's files when the trials began: all copies have the same.
    pub(super) files: &'a BTreeSet<String>,
    pub(super) machine: Machine,
    pub(super) place: Place,
    ages: Ages,
    pub(super) stop: &'a Stop,
}

impl<'a> Session<'a> {
    /// # Errors
    /// Why nothing can run.
    pub(super) fn begin(
        trials: &'a Trials,
        workspace: &'a Workspace,
        files: &'a BTreeSet<String>,
        stop: &'a Stop,
    ) -> Result<Self, String> {
        let runner = trials.runner.as_ref().map_err(String::clone)?;
        let place = Place::take(&trials.cache, workspace.root(), stop)
            .map_err(|error| format!("there is no place to build in: {error}"))?;
        Ok(Self {
            runner,
            bounds: trials.bounds,
            workspace,
            files,
            machine: Machine::here(),
            ages: Ages::read(&place.ages()),
            place,
            stop,
        })
    }

    pub(super) fn run(
        mut self,
        planned: Vec<Planned>,
        servers: &[(Ecosystem, Installed)],
        changes: &Changes,
        tell: &mut dyn FnMut(Told<'_>),
    ) -> Evidence {
        let overlay = match self.lay("proposal", changes) {
            Ok(overlay) => overlay,
            Err(error) => return Evidence::of(skip_with(servers, &planned, &error.to_string())),
        };
        let mut evidence = Evidence::default();
        for (ecosystem, installed) in servers {
            let report = self.diagnostics(*ecosystem, installed, &overlay, changes, tell);
            evidence.reports.push(report);
        }
        let mut tried = Vec::new();
        let mut broken: BTreeSet<(Ecosystem, String)> = BTreeSet::new();
        for planned in planned {
            let step = match planned {
                Planned::Skip { name, reason } => {
                    evidence.reports.push(none(&name, reason));
                    continue;
                }
                Planned::Run(step) => step,
            };
            // What does not build has no tests to run.
            if broken.contains(&(step.ecosystem, step.folder.clone())) {
                evidence
                    .reports
                    .push(none(&step.name, "it does not build".to_owned()));
                continue;
            }
            let done = self.try_step(step, &overlay, false, tell);
            let builds = done.ran.as_ref().is_ok_and(Ran::succeeded);
            if done.step.goal == Goal::Build && done.ran.is_ok() && !builds {
                broken.insert((done.step.ecosystem, done.step.folder.clone()));
            }
            tried.push(done);
        }
        drop(overlay);
        let mut baseline = None;
        for done in &tried {
            let (step, verdict) = (&done.step, self.verdict(done, &mut baseline, tell));
            evidence.push(done, &verdict);
            if step.goal == Goal::Test && done.ran.as_ref().is_ok_and(Ran::succeeded) {
                self.proof(step, changes, &mut evidence, tell);
            }
        }
        if let Err(error) = self.ages.write(&self.place.ages()) {
            tracing::warn!(%error, "the next build will begin from nothing");
        }
        evidence
    }

    /// The command of a language server, in the sandbox: it is not worth asking for
    /// leave to run it without one.
    pub(super) fn served(&self, job: &Job) -> Result<Command, String> {
        match self.runner {
            Runner::Sandbox(sandbox) => sandbox.command(job, self.stop).map_err(|error| error.to_string()),
            Runner::Bare(_) => Err("a language server is not asked without a sandbox".to_owned()),
        }
    }

    pub(super) fn lay(&mut self, name: &str, changes: &Changes) -> Result<Overlay, overlay::Error> {
        let root = self.place.copy(name);
        Overlay::lay(self.workspace, self.files, &root, changes, &mut self.ages)
    }

    fn verdict(
        &mut self,
        done: &Tried,
        baseline: &mut Option<Overlay>,
        tell: &mut dyn FnMut(Told<'_>),
    ) -> Verdict {
        let after = match &done.ran {
            Ok(after) => after,
            Err(reason) => return Verdict::Unknown(reason.clone()),
        };
        let step = &done.step;
        project::judge(step.ecosystem, step.goal, after, || {
            if baseline.is_none() {
                let laid = self.lay("baseline", &Changes::new());
                *baseline = Some(laid.map_err(|error| error.to_string())?);
            }
            let overlay = baseline.as_ref().ok_or_else(String::new)?;
            if let Some(known) = self.place.baseline(overlay.identity(), step) {
                return Ok(known);
            }
            let ran = self.try_step(step.clone(), overlay, true, tell).ran?;
            // One that was cut short may end another time.
            if matches!(ran.ending, Ending::Exited(_)) {
                self.place.keep_baseline(overlay.identity(), step, &ran);
            }
            Ok(ran)
        })
    }

    /// Whether tests that come with the change fail without it.
    fn proof(
        &mut self,
        step: &Step,
        changes: &Changes,
        evidence: &mut Evidence,
        tell: &mut dyn FnMut(Told<'_>),
    ) {
        let (tests, code): (Changes, Changes) = changes
            .clone()
            .into_iter()
            .partition(|(path, _)| step.ecosystem.is_test(path));
        let brings_tests = tests.values().any(Option::is_some);
        if !brings_tests || code.is_empty() {
            return;
        }
        let name = format!("{PROOF}-{}", step.ecosystem.as_str());
        let overlay = match self.lay("proof", &tests) {
            Ok(overlay) => overlay,
            Err(error) => return evidence.reports.push(none(&name, error.to_string())),
        };
        let mut done = self.try_step(step.clone(), &overlay, true, tell);
        done.step.name = name;
        let verdict = match &done.ran {
            Err(reason) => Verdict::Unknown(reason.clone()),
            Ok(ran) if ran.succeeded() => Verdict::Failed(
                "the tests of the change pass without it too: they do not show that it works".to_owned(),
            ),
            Ok(ran) => match ran.ending {
                Ending::Exited(_) => {
                    Verdict::Passed("the tests of the change fail without it, as they should".to_owned())
                }
                Ending::Ended(ref how) => Verdict::Unknown(how.clone()),
            },
        };
        evidence.push(&done, &verdict);
    }

    fn try_step(
        &self,
        step: Step,
        overlay: &Overlay,
        baseline: bool,
        tell: &mut dyn FnMut(Told<'_>),
    ) -> Tried {
        let command = std::iter::once(&step.program)
            .chain(&step.arguments)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        tell(Told::Begins {
            name: &step.name,
            command: &command,
            baseline,
        });
        let mut duration = Duration::ZERO;
        let mut recipe = String::new();
        let ran = self.job(&step, overlay).and_then(|job| {
            let mut printed = Printed::default();
            let mut on_output = |stream, bytes: &[u8]| tell(Told::Output(printed.push(stream, bytes)));
            let ended = self
                .runner
                .run(&job, &mut on_output, self.stop)
                .map_err(|error| error.to_string())?;
            duration = ended.duration;
            recipe = ended.recipe.to_string();
            let ending = match ended.ending {
                sandbox::Ending::Exited(status) => Ending::Exited(status),
                ended @ (sandbox::Ending::Signalled(_)
                | sandbox::Ending::TimedOut
                | sandbox::Ending::OutOfMemory
                | sandbox::Ending::WroteTooMuch
                | sandbox::Ending::Stopped) => Ending::Ended(ended.to_string()),
            };
            let output = printed.end();
            Ok(Ran { ending, output })
        });
        Tried {
            step,
            command,
            duration,
            recipe,
            mark: self.runner.mark(),
            ran,
        }
    }

    fn job(&self, step: &Step, overlay: &Overlay) -> Result<Job, String> {
        let root = self.workspace.root();
        let tooling = self.machine.tooling(step, root, &self.place.builds())?;
        let time = self.bounds.of(step.goal).ok_or(LEFT_OUT)?;
        Ok(Job {
            args: step.arguments.iter().map(Into::into).collect(),
            directory: root.join(&step.folder),
            ..self.tooled(step.ecosystem, tooling, overlay, time)?
        })
    }

    /// A job without arguments, at the workspace's root, that sees the copy and
    /// its tools.
    pub(super) fn tooled(
        &self,
        ecosystem: Ecosystem,
        tooling: Tooling,
        overlay: &Overlay,
        time: Duration,
    ) -> Result<Job, String> {
        let root = self.workspace.root();
        Ok(Job {
            mounts: mounts(overlay, root, tooling.mounts)?,
            directory: root.to_owned(),
            environment: tooling.environment,
            limits: Limits {
                time,
                memory_bytes: self.bounds.memory_bytes,
                processes: self.bounds.processes,
                file_bytes: TRIAL_FILE_BYTES_MAX,
                written_bytes: TRIAL_WRITTEN_BYTES_MAX,
                output_bytes: TRIAL_OUTPUT_BYTES_MAX,
                ..Limits::default()
            },
            language: ecosystem.language(),
            ..Job::new(tooling.program)
        })
    }
}

/// The copy in the workspace's place, what is installed there, and the tools.
fn mounts(overlay: &Overlay, root: &Path, tools: Vec<Mount>) -> Result<Vec<Mount>, String> {
    let mut mounts = vec![Mount {
        host: overlay.root().to_owned(),
        inside: root.to_owned(),
        access: Access::ReadWrite,
    }];
    mounts.extend(overlay.installed().iter().map(|folder| Mount {
        host: root.join(folder),
        inside: root.join(folder),
        access: Access::ReadOnly,
    }));
    for mount in &tools {
        if mount.access == Access::ReadWrite {
            fs::create_dir_all(&mount.host).map_err(|error| error.to_string())?;
        }
    }
    mounts.extend(tools);
    Ok(mounts)
}
