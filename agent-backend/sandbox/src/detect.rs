//! The sandbox of this machine: which engine it is, what holds, and how a job is run.

use std::{fs, path::Path, process::Command, sync::Arc};

use crate::{
    Choice, Ended, Error, Guarantee, Job, Kind, Options, Stop, Stream,
    bubblewrap::Bubblewrap,
    cgroup::{self, Controller, Group, Hierarchy},
    inside::Then,
    probe,
    run::{self, Start},
};

/// A sandbox that was found and tried. Cheap to clone; made once and kept.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Found>);

#[derive(Debug)]
struct Found {
    host: Host,
    guarantees: Vec<Guarantee>,
    /// Why engines that come before were not taken.
    passed_over: Vec<(Kind, String)>,
}

/// What jobs are run with.
#[derive(Debug)]
pub(crate) struct Host {
    bubblewrap: Bubblewrap,
    hierarchy: Option<Hierarchy>,
}

impl Sandbox {
    /// Looks for the engine that is wanted and tries what it promises, which takes less
    /// than a second with bubblewrap.
    ///
    /// # Errors
    ///
    /// [`Error::TurnedOff`], and [`Error::Unavailable`] with what is wrong with each
    /// engine.
    pub fn detect(options: &Options) -> Result<Self, Error> {
        let kinds: &[Kind] = match options.engine {
            Choice::Auto => &[Kind::Docker, Kind::Podman, Kind::Bubblewrap],
            Choice::Docker => &[Kind::Docker],
            Choice::Podman => &[Kind::Podman],
            Choice::Bubblewrap => &[Kind::Bubblewrap],
            Choice::None => return Err(Error::TurnedOff),
        };
        let mut why = Vec::new();
        for kind in kinds {
            match found(*kind, options) {
                Ok((host, guarantees)) => {
                    return Ok(Self(Arc::new(Found {
                        host,
                        guarantees,
                        passed_over: why,
                    })));
                }
                Err(reason) => why.push((*kind, reason)),
            }
        }
        Err(Error::Unavailable { why })
    }

    /// The engine.
    pub fn kind(&self) -> Kind {
        Kind::Bubblewrap
    }

    /// What it promises, and whether that holds here.
    pub fn guarantees(&self) -> &[Guarantee] {
        &self.0.guarantees
    }

    /// The engines that would have been preferred, and why they were not taken.
    pub fn passed_over(&self) -> &[(Kind, String)] {
        &self.0.passed_over
    }

    /// Runs `job` to its end, passing its output on while it comes. When this returns,
    /// nothing that the job started runs any more.
    ///
    /// # Errors
    ///
    /// [`Error::Mount`], [`Error::Setup`] and [`Error::Io`]: the program was not run. How it
    /// ended, if it was run, is no error.
    pub fn run(
        &self,
        job: &Job,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        self.0.host.run(job, &Then::Run(program(job)), on_output, stop)
    }

    /// The command that runs `job`, for whoever talks with it over standard input and
    /// output. The limits of time, output and what is written do not count, and memory is
    /// bounded for each process instead of all together; nor is the number of processes
    /// bounded for root. It must be started from a thread that lives as long as the
    /// conversation: the kernel ends the sandbox with that thread.
    ///
    /// # Errors
    ///
    /// [`Error::Mount`].
    pub fn command(&self, job: &Job) -> Result<Command, Error> {
        let words = self
            .0
            .host
            .bubblewrap
            .command_line(job, &Then::Run(program(job)), None)?;
        run::command(&words)
    }
}

pub(crate) fn program(job: &Job) -> Vec<std::ffi::OsString> {
    std::iter::once(&job.program).chain(&job.args).cloned().collect()
}

fn found(kind: Kind, options: &Options) -> Result<(Host, Vec<Guarantee>), String> {
    match kind {
        Kind::Docker | Kind::Podman => Err("not supported yet".to_owned()),
        Kind::Bubblewrap => {
            let host = Host {
                bubblewrap: Bubblewrap::find(&options.bubblewrap, &options.helper)?,
                hierarchy: hierarchy(),
            };
            let guarantees = probe::bubblewrap(&host)?;
            Ok((host, guarantees))
        }
    }
}

fn hierarchy() -> Option<Hierarchy> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let hierarchy = Hierarchy::find(Path::new(cgroup::ROOT), &own)?;
    hierarchy.sweep();
    Some(hierarchy)
}

impl Host {
    pub(crate) fn run(
        &self,
        job: &Job,
        then: &Then,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let group = self.group(job)?;
        let words = self.bubblewrap.command_line(job, then, group.as_ref())?;
        let start = Start {
            command_line: &words,
            group,
            kill: &|| {},
        };
        run::run(start, job, on_output, stop)
    }

    fn group(&self, job: &Job) -> Result<Option<Group>, Error> {
        let group = self
            .hierarchy
            .as_ref()
            .map(|hierarchy| hierarchy.group(&job.limits));
        group.transpose().map_err(Error::io("bound a job"))
    }

    /// Whether all processes of a job together are bounded by the kernel.
    pub(crate) fn bounds(&self, controller: Controller) -> bool {
        match &self.hierarchy {
            Some(Hierarchy::Unified(_, controllers)) => controllers.contains(&controller),
            Some(Hierarchy::Split(trees)) => trees.iter().any(|(other, _)| *other == controller),
            None => false,
        }
    }
}
