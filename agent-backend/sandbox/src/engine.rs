//! What runs jobs: bubblewrap with control groups, or containers.

use std::{ffi::OsString, fs, path::Path, process::Command};

use crate::{
    Ended, Error, Guarantee, Job, Kind, Options, Stop, Stream,
    bubblewrap::Bubblewrap,
    cgroup::{Controller, Conversations, Group, Hierarchy},
    container::Container,
    inside::Then,
    probe,
    run::{self, Start, Tail},
};

/// The runtime that is tried where the engine's own does not work: `crun` refuses some
/// machines' control groups.
const OTHER_RUNTIME: &str = "runc";

#[derive(Debug)]
pub(crate) enum Engine {
    Bubblewrap {
        bubblewrap: Bubblewrap,
        hierarchy: Option<Hierarchy>,
        conversations: Conversations,
    },
    Container(Container),
}

impl Engine {
    /// The engine of this kind, if it can be used, and what holds with it.
    pub(crate) fn find(kind: Kind, options: &Options) -> Result<(Self, Vec<Guarantee>), String> {
        let program = match kind {
            Kind::Docker => &options.docker,
            Kind::Podman => &options.podman,
            Kind::Bubblewrap => {
                let hierarchy = hierarchy(&options.control_groups);
                let has_groups = hierarchy.is_some();
                let found = Self::bubblewrap(options, hierarchy);
                // A group can be made in places where nobody may be moved into it.
                return if has_groups {
                    found.or_else(|_| Self::bubblewrap(options, None))
                } else {
                    found
                };
            }
        };
        let engine = Self::Container(Container::find(kind, program, options)?);
        match (probe::promises(&engine), engine) {
            (Ok(guarantees), engine) => Ok((engine, guarantees)),
            (Err(reason), Self::Container(container)) if kind == Kind::Podman => {
                let Some(container) = container.with_runtime(OTHER_RUNTIME) else {
                    return Err(reason);
                };
                let engine = Self::Container(container);
                let guarantees = probe::promises(&engine)?;
                Ok((engine, guarantees))
            }
            (Err(reason), _) => Err(reason),
        }
    }

    fn bubblewrap(options: &Options, hierarchy: Option<Hierarchy>) -> Result<(Self, Vec<Guarantee>), String> {
        let engine = Self::Bubblewrap {
            bubblewrap: Bubblewrap::find(&options.bubblewrap, &options.helper)?,
            hierarchy,
            conversations: Conversations::default(),
        };
        let guarantees = probe::promises(&engine)?;
        Ok((engine, guarantees))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Bubblewrap { .. } => Kind::Bubblewrap,
            Self::Container(container) => container.kind(),
        }
    }

    pub(crate) fn run(
        &self,
        job: &Job,
        then: &Then,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        match self {
            Self::Bubblewrap {
                bubblewrap,
                hierarchy,
                ..
            } => {
                let group = group(hierarchy.as_ref(), job)?;
                let words = bubblewrap.command_line(job, then, group.as_ref())?;
                let start = Start {
                    command_line: &words,
                    group,
                    environment: &[],
                    given: &[],
                    directory: None,
                    failures: &[],
                    kill: &|| {},
                    tail: Tail::Namespace,
                };
                run::run(start, job, on_output, stop)
            }
            Self::Container(container) => container.run(job, then, on_output, stop),
        }
    }

    pub(crate) fn command(&self, job: &Job, stop: &Stop) -> Result<Command, Error> {
        let then = Then::Run(program(job));
        match self {
            Self::Bubblewrap {
                bubblewrap,
                hierarchy,
                conversations,
            } => {
                let group = group(hierarchy.as_ref(), job)?;
                let command = run::command(&bubblewrap.command_line(job, &then, group.as_ref())?, &[])?;
                if let Some(group) = group {
                    conversations.keep(group);
                }
                Ok(command)
            }
            Self::Container(container) => run::command(
                &container.conversation(job, &then, stop)?,
                Container::environment(),
            ),
        }
    }

    /// Whether all processes of a job together are bounded by the kernel.
    pub(crate) fn bounds(&self, controller: Controller) -> bool {
        match self {
            Self::Bubblewrap { hierarchy, .. } => match hierarchy {
                Some(Hierarchy::Unified(_, controllers)) => controllers.contains(&controller),
                Some(Hierarchy::Split(trees)) => trees.iter().any(|(other, _)| *other == controller),
                None => false,
            },
            Self::Container(container) => !container.is_rootless(),
        }
    }
}

/// A job's program and what it is called with.
pub(crate) fn program(job: &Job) -> Vec<OsString> {
    std::iter::once(&job.program).chain(&job.args).cloned().collect()
}

fn group(hierarchy: Option<&Hierarchy>, job: &Job) -> Result<Option<Group>, Error> {
    let group = hierarchy.map(|hierarchy| hierarchy.group(&job.limits));
    group.transpose().map_err(Error::io("bound a job"))
}

fn hierarchy(root: &Path) -> Option<Hierarchy> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let hierarchy = Hierarchy::find(root, &own)?;
    hierarchy.sweep();
    Some(hierarchy)
}
