//! Builds and tests a proposal in a sandbox, on a copy of the workspace, and
//! compares with what the same commands say without it. Only what the proposal
//! breaks counts; tests that come with it are tried on the old code too.
//!
//! What runs sees the copy in the workspace's place, the machine's own tools,
//! and what the project has installed, read-only; no network, no other file.

mod diagnostics;
mod place;
mod printed;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use engine::{
    artifact::{CheckReport, CheckStatus},
    blob::{Blob, BlobId},
};
use language::Installed;
use sandbox::{Access, Job, Limits, Mount, Network, Sandbox, Stop};

use self::{place::Place, printed::Printed};
use crate::{
    Workspace,
    limits::{
        BUILD_TIMEOUT, CHECK_OUTPUT_BYTES_MAX, DIAGNOSTICS_TIMEOUT, TEST_TIMEOUT, TRIAL_EVIDENCE_BYTES_MAX,
        TRIAL_FILE_BYTES_MAX, TRIAL_LOG_BYTES_MAX, TRIAL_OUTPUT_BYTES_MAX, TRIAL_WRITTEN_BYTES_MAX,
    },
    machine::Machine,
    overlay::{self, Ages, Overlay},
    process,
    project::{self, Ecosystem, Ending, Goal, Planned, Ran, Step, Tree, Verdict},
};

pub use crate::overlay::Changes;

/// Name of the check whether tests that come with the change need it.
pub(crate) const PROOF: &str = "new-tests";

/// What trials need.
#[derive(Debug)]
pub struct Trials {
    /// Where they run; why nowhere, in words for a person.
    pub sandbox: Result<Sandbox, String>,
    /// Folder for copies and for what builds leave for the next one.
    pub cache: PathBuf,
    /// What one command may take.
    pub bounds: Bounds,
}

/// What one command may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Longest build; none to leave builds out.
    pub build: Option<Duration>,
    /// Longest run of the tests; none to leave them out.
    pub test: Option<Duration>,
    /// Longest wait for a language server; none to ask none.
    pub diagnostics: Option<Duration>,
    /// Most memory, in bytes.
    pub memory_bytes: u64,
    /// Most processes and threads.
    pub processes: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            build: Some(BUILD_TIMEOUT),
            test: Some(TEST_TIMEOUT),
            diagnostics: Some(DIAGNOSTICS_TIMEOUT),
            memory_bytes: 4 * 1024 * 1024 * 1024,
            processes: 1024,
        }
    }
}

impl Bounds {
    fn of(&self, goal: Goal) -> Option<Duration> {
        match goal {
            Goal::Build => self.build,
            Goal::Test => self.test,
        }
    }
}

/// What is told while trials run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A command begins.
    Begins {
        /// The check's name.
        name: &'a str,
        /// The command.
        command: &'a str,
        /// Whether it runs on the code without the change.
        baseline: bool,
    },
    /// It printed this.
    Output(&'a [u8]),
}

/// One step with what came of it.
struct Tried {
    step: Step,
    command: String,
    duration: Duration,
    /// The exact command line, sandbox included.
    recipe: String,
    ran: Result<Ran, String>,
}

/// The evidence that running a proposal gives.
#[derive(Debug, Default)]
pub struct Evidence {
    /// One for each step, and for each that was left out.
    pub reports: Vec<CheckReport>,
    /// The logs that they name.
    pub logs: Vec<Blob>,
}

impl Evidence {
    fn of(reports: Vec<CheckReport>) -> Self {
        Self {
            reports,
            logs: Vec::new(),
        }
    }

    fn push(&mut self, done: &Tried, verdict: &Verdict) {
        let log = done.ran.as_ref().ok().map(|ran| Blob::new(log(done, ran)));
        self.reports
            .push(report(done, verdict, log.as_ref().map(Blob::id)));
        self.logs.extend(log);
    }
}

/// Builds and tests the workspace with these changes; `trials` is asked only if
/// there is something to run. Never fails: what cannot be tried is a skipped
/// check that says why.
pub fn run<'a>(
    trials: impl FnOnce() -> &'a Trials,
    workspace: &Workspace,
    changes: &Changes,
    stop: &Stop,
    tell: &mut dyn FnMut(Told<'_>),
) -> Evidence {
    let planned = match plan(workspace, changes) {
        Ok(planned) => planned,
        Err(error) => return Evidence::of(vec![none("build", error.to_string())]),
    };
    let runs = |planned: &Planned| matches!(planned, Planned::Run(_));
    let servers = diagnostics::servers(workspace.root(), &planned, changes);
    if !planned.iter().any(runs) && servers.is_empty() {
        return Evidence::of(skip_all(&planned, ""));
    }
    match Session::begin(trials(), workspace, stop) {
        Ok(session) => session.run(planned, &servers, changes, tell),
        Err(reason) => Evidence::of(skip_with(&servers, &planned, &reason)),
    }
}

/// What [`run`] would try of a proposal that is wrong at first sight.
pub fn left_out(workspace: &Workspace, changes: &Changes) -> Evidence {
    let planned = plan(workspace, changes).unwrap_or_default();
    let servers = diagnostics::servers(workspace.root(), &planned, changes);
    Evidence::of(skip_with(
        &servers,
        &planned,
        "not tried: another check says what to mend first",
    ))
}

/// What a run of all trials of one proposal works with.
struct Session<'a> {
    sandbox: &'a Sandbox,
    bounds: Bounds,
    workspace: &'a Workspace,
    machine: Machine,
    place: Place,
    ages: Ages,
    stop: &'a Stop,
}

impl<'a> Session<'a> {
    /// # Errors
    /// Why nothing can run.
    fn begin(trials: &'a Trials, workspace: &'a Workspace, stop: &'a Stop) -> Result<Self, String> {
        let sandbox = trials.sandbox.as_ref().map_err(String::clone)?;
        let place = Place::take(&trials.cache, workspace.root(), stop)
            .map_err(|error| format!("there is no place to build in: {error}"))?;
        Ok(Self {
            sandbox,
            bounds: trials.bounds,
            workspace,
            machine: Machine::here(),
            ages: Ages::read(&place.ages()),
            place,
            stop,
        })
    }

    fn run(
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

    fn lay(&mut self, name: &str, changes: &Changes) -> Result<Overlay, overlay::Error> {
        let root = self.place.copy(name);
        Overlay::lay(self.workspace, &root, changes, &mut self.ages)
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
                .sandbox
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
            ran,
        }
    }

    fn job(&self, step: &Step, overlay: &Overlay) -> Result<Job, String> {
        let root = self.workspace.root();
        let tooling = self.machine.tooling(step, root, &self.place.builds())?;
        let time = self
            .bounds
            .of(step.goal)
            .ok_or_else(|| "the configuration leaves it out (`checks`)".to_owned())?;
        Ok(Job {
            program: tooling.program.into(),
            args: step.arguments.iter().map(Into::into).collect(),
            mounts: mounts(overlay, root, tooling.mounts)?,
            directory: root.join(&step.folder),
            environment: tooling.environment,
            network: Network::Off,
            limits: Limits {
                time,
                memory_bytes: self.bounds.memory_bytes,
                processes: self.bounds.processes,
                file_bytes: TRIAL_FILE_BYTES_MAX,
                written_bytes: TRIAL_WRITTEN_BYTES_MAX,
                output_bytes: TRIAL_OUTPUT_BYTES_MAX,
                ..Limits::default()
            },
            language: step.ecosystem.language(),
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

/// The steps that the change calls for, by the workspace as it will be.
fn plan(workspace: &Workspace, changes: &Changes) -> Result<Vec<Planned>, overlay::Error> {
    let mut paths = overlay::listed(workspace)?;
    paths.retain(|path| {
        workspace
            .root()
            .join(path)
            .symlink_metadata()
            .is_ok_and(|found| found.is_file())
    });
    for (path, contents) in changes {
        if contents.is_some() {
            paths.insert(path.clone());
        } else {
            paths.remove(path);
        }
    }
    let read = |path: &str| match changes.get(path) {
        Some(contents) => contents
            .as_ref()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        None => fs::read_to_string(workspace.root().join(path)).ok(),
    };
    let installed = |path: &str| workspace.root().join(path).exists();
    let tree = Tree {
        paths: &paths,
        read: &read,
        installed: &installed,
    };
    let changed: Vec<String> = changes.keys().cloned().collect();
    Ok(project::plan(&tree, &changed))
}

/// The same with the servers that are not asked for the same reason.
fn skip_with(servers: &[(Ecosystem, Installed)], planned: &[Planned], because: &str) -> Vec<CheckReport> {
    servers
        .iter()
        .map(|(_, installed)| none(&diagnostics::name(installed.server), because.to_owned()))
        .chain(skip_all(planned, because))
        .collect()
}

/// A report for each, with the reason that holds for those that could run.
fn skip_all(planned: &[Planned], because: &str) -> Vec<CheckReport> {
    let skip = |planned: &Planned| match planned {
        Planned::Run(step) => none(&step.name, because.to_owned()),
        Planned::Skip { name, reason } => none(name, reason.clone()),
    };
    planned.iter().map(skip).collect()
}

fn none(name: &str, reason: String) -> CheckReport {
    CheckReport {
        name: name.to_owned(),
        status: CheckStatus::Skipped,
        command: None,
        exit_status: None,
        duration_ms: 0,
        output: reason,
        log: None,
    }
}

fn report(done: &Tried, verdict: &Verdict, log: Option<BlobId>) -> CheckReport {
    let (status, words) = match verdict {
        Verdict::Passed(words) => (CheckStatus::Passed, words),
        Verdict::Failed(words) => (CheckStatus::Failed, words),
        Verdict::Unknown(words) => (CheckStatus::Skipped, words),
    };
    let mut output = words.clone();
    let end = done
        .ran
        .as_ref()
        .map(|ran| tail(&ran.output, TRIAL_EVIDENCE_BYTES_MAX))
        .unwrap_or_default();
    if !end.is_empty() {
        output.push_str("\n\n");
        output.push_str(end);
    }
    CheckReport {
        name: done.step.name.clone(),
        status,
        command: Some(done.command.clone()),
        exit_status: done.ran.as_ref().ok().and_then(|ran| match ran.ending {
            Ending::Exited(status) => Some(status),
            Ending::Ended(_) => None,
        }),
        duration_ms: u64::try_from(done.duration.as_millis()).unwrap_or(u64::MAX),
        output: process::complaint(output.as_bytes(), CHECK_OUTPUT_BYTES_MAX),
        log,
    }
}

/// How it was run, and what it printed.
fn log(done: &Tried, ran: &Ran) -> Vec<u8> {
    let printed = tail(&ran.output, TRIAL_LOG_BYTES_MAX);
    let cut = if printed.len() < ran.output.trim_end().len() {
        "(the beginning is left out)\n"
    } else {
        ""
    };
    format!("$ {}\n{cut}{printed}\n# {}\n", done.recipe, ran.words()).into_bytes()
}

/// The end of an output, from the beginning of a line.
fn tail(output: &str, bytes_max: usize) -> &str {
    let output = output.trim_end();
    let mut from = output.len().saturating_sub(bytes_max);
    if from == 0 {
        return output;
    }
    while !output.is_char_boundary(from) {
        from += 1;
    }
    let end = &output[from..];
    end.split_once('\n').map_or(end, |(_, rest)| rest)
}
