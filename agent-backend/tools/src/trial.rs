//! Builds and tests a proposal in a sandbox, on a copy of the workspace, and
//! compares with what the same commands say without it. Only what the proposal
//! breaks counts; tests that come with it are tried on the old code too.
//!
//! What runs sees the copy in the workspace's place, the machine's own tools,
//! and what the project has installed, read-only; no network, no other file.
//! Where a person has allowed it to run without a sandbox, it runs on the copy,
//! and what it says is marked.

mod dependents;
mod diagnostics;
mod evidence;
mod place;
mod printed;
pub mod question;
mod session;

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use engine::artifact::CheckReport;
use language::Installed;
use sandbox::{Bare, Ended, Job, Sandbox, Stop, Stream};

pub use self::evidence::Evidence;
use self::{evidence::none, session::Session};
use crate::{
    Workspace,
    limits::{BUILD_TIMEOUT, DIAGNOSTICS_TIMEOUT, TEST_TIMEOUT},
    overlay,
    project::{self, Ecosystem, Goal, Planned, Tree},
};

pub use crate::overlay::Changes;

/// Name of the check whether tests that come with the change need it.
pub(crate) const PROOF: &str = "new-tests";

/// What trials need.
#[derive(Debug)]
pub struct Trials {
    /// Where they run; why nowhere, in words for a person.
    pub runner: Result<Runner, String>,
    /// Folder for copies and for what builds leave for the next one.
    pub cache: PathBuf,
    /// What one command may take.
    pub bounds: Bounds,
}

/// What runs the commands.
#[derive(Debug, Clone)]
pub enum Runner {
    /// A sandbox.
    Sandbox(Sandbox),
    /// Nothing that isolates them: the person was asked, and allowed it.
    Bare(Bare),
}

impl Runner {
    fn run(
        &self,
        job: &Job,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, sandbox::Error> {
        match self {
            Self::Sandbox(sandbox) => sandbox.run(job, on_output, stop),
            Self::Bare(bare) => bare.run(job, on_output, stop),
        }
    }

    /// What is said with everything that was run so.
    fn mark(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => "",
            Self::Bare(_) => "not isolated; ",
        }
    }
}

/// What would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Builds and tests.
    Commands,
    /// Language servers alone.
    Servers,
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

/// Builds and tests the workspace with these changes; `trials` is asked only if
/// there is something to run. What cannot be tried is a skipped check that says
/// why.
///
/// # Errors
/// Those of `trials`, before anything has run.
pub fn run<'a, E>(
    trials: impl FnOnce(Wanted) -> Result<&'a Trials, E>,
    workspace: &Workspace,
    changes: &Changes,
    stop: &Stop,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Evidence, E> {
    let files = match overlay::listed(workspace) {
        Ok(files) => files,
        Err(error) => return Ok(Evidence::of(vec![none("build", error.to_string())])),
    };
    let planned = plan(workspace, &files, changes);
    let runs = |planned: &Planned| matches!(planned, Planned::Run(_));
    let servers = diagnostics::servers(workspace.root(), changes);
    let wanted = match (planned.iter().any(runs), servers.is_empty()) {
        (true, _) => Wanted::Commands,
        (false, false) => Wanted::Servers,
        (false, true) => return Ok(Evidence::of(skip_all(&planned, ""))),
    };
    let trials = trials(wanted)?;
    let servers = diagnostics::where_nothing_is_built(servers, &planned, trials.bounds);
    Ok(match Session::begin(trials, workspace, &files, stop) {
        Ok(session) => session.run(planned, &servers, changes, tell),
        Err(reason) => Evidence::of(skip_with(&servers, &planned, &reason)),
    })
}

/// What [`run`] would try within these bounds of a proposal that is wrong at
/// first sight.
pub fn left_out(bounds: Bounds, workspace: &Workspace, changes: &Changes) -> Evidence {
    let files = overlay::listed(workspace).unwrap_or_default();
    let planned = plan(workspace, &files, changes);
    let servers = diagnostics::servers(workspace.root(), changes);
    let servers = diagnostics::where_nothing_is_built(servers, &planned, bounds);
    Evidence::of(skip_with(
        &servers,
        &planned,
        "not tried: another check says what to mend first",
    ))
}

/// The steps that the change calls for, by the workspace as it will be. `files`
/// are those that it has.
fn plan(workspace: &Workspace, files: &BTreeSet<String>, changes: &Changes) -> Vec<Planned> {
    let is_file = |path: &&String| {
        let found = workspace.root().join(path).symlink_metadata();
        found.is_ok_and(|found| found.is_file())
    };
    let mut paths: BTreeSet<String> = files.iter().filter(is_file).cloned().collect();
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
    project::plan(&tree, &changed)
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
