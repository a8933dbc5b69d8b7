//! No sandbox at all: a job runs with the rights of whoever runs the backend. For
//! people who were asked and said so; nothing here asks or chooses it.
//!
//! What is left is order, not protection: the job works where its mounts are kept, with
//! an environment, a home and a folder for temporary files of its own; what it prints,
//! its time, its memory and what it writes are bounded; and when it ends, or the backend
//! does, whatever is left of its process group is killed.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    Ended, Error, Job, Stop, Stream, engine,
    inside::{Rules, Then},
    run::{self, Start, Tail},
};

/// What a job's environment has unless it says otherwise. Nothing that is not there is
/// fetched, as in a sandbox without a network.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("LANG", "C.UTF-8"),
    ("CARGO_NET_OFFLINE", "true"),
    ("PIP_NO_INDEX", "1"),
    ("npm_config_offline", "true"),
];

/// Where a job in a sandbox has its temporary files.
const TMP: &str = "/tmp";

/// Runs jobs without isolating them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bare {
    helper: PathBuf,
}

impl Bare {
    /// `helper` is the program that calls [`crate::inside::main`] when it is started with
    /// [`crate::inside::ARGUMENT`].
    pub fn new(helper: impl Into<PathBuf>) -> Self {
        Self {
            helper: helper.into(),
        }
    }

    /// Runs `job` to its end, as [`crate::Sandbox::run`] does, with the rights of this
    /// process: it can read and write whatever the person can, and reaches the network.
    /// Mounts are not made; what the job is told of them are the places on the host.
    ///
    /// # Errors
    ///
    /// [`Error::Mount`], [`Error::Setup`] and [`Error::Io`]: the program was not run.
    pub fn run(
        &self,
        job: &Job,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let own = TempDir::with_prefix("agentic-ide-").map_err(Error::io("make a folder for a job"))?;
        let places = Places::of(job, own.path())?;
        let job = places.told(job, own.path());
        let rules = Rules {
            file_bytes: Some(job.limits.file_bytes),
            ..Rules::default()
        };
        let then = Then::Watch {
            backend: std::process::id(),
            program: engine::program(&job),
        };
        let mut words = vec![self.helper.clone().into_os_string()];
        words.extend(rules.arguments(&then));
        let start = Start {
            command_line: &words,
            group: None,
            environment: &[],
            given: &job.environment,
            directory: Some(&job.directory),
            failures: &[],
            kill: &|| {},
            tail: Tail::Group,
        };
        run::run(start, &job, on_output, stop)
    }
}

/// Where on the host what a job sees is.
#[derive(Debug)]
struct Places(Vec<(PathBuf, PathBuf)>);

impl Places {
    /// Makes room for the job's own files, and links for mounts within others.
    fn of(job: &Job, own: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Io {
            what: "make a folder for a job",
            source,
        };
        let tmp = own.join("tmp");
        for folder in [tmp.clone(), own.join("home")] {
            fs::create_dir(&folder).map_err(failed)?;
        }
        let mut places = Self(vec![(PathBuf::from(TMP), tmp)]);
        for mount in &job.mounts {
            let here = places.on_host(&mount.inside);
            // A folder that is shown within another one: a link does the same, and
            // is removed with what it is in, and not what it leads to.
            let is_within = job
                .mounts
                .iter()
                .any(|other| other.inside != mount.inside && mount.inside.starts_with(&other.inside));
            if is_within && here != mount.host && here.is_dir() && !here.is_symlink() {
                fs::remove_dir(&here)
                    .and_then(|()| symlink(&mount.host, &here))
                    .map_err(|_| Error::Mount {
                        path: mount.inside.clone(),
                        reason: "something else is there",
                    })?;
            }
            places.0.push((mount.inside.clone(), mount.host.clone()));
        }
        Ok(places)
    }

    /// The place of a path: the innermost mount that shows it says.
    fn on_host(&self, path: &Path) -> PathBuf {
        let shown = self.0.iter().filter(|(inside, _)| path.starts_with(inside));
        let innermost = shown.max_by_key(|(inside, _)| inside.components().count());
        match innermost.and_then(|(inside, host)| Some((path.strip_prefix(inside).ok()?, host))) {
            Some((rest, host)) if rest.as_os_str().is_empty() => host.clone(),
            Some((rest, host)) => host.join(rest),
            None => path.to_owned(),
        }
    }

    /// The job as it is run: paths are those of the host, and the environment is whole.
    fn told(&self, job: &Job, own: &Path) -> Job {
        let mut environment: Vec<(OsString, OsString)> = ENVIRONMENT
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec();
        environment.push(("HOME".into(), own.join("home").into()));
        environment.push(("TMPDIR".into(), own.join("tmp").into()));
        for (name, value) in &job.environment {
            environment.retain(|(known, _)| known != name);
            environment.push((name.clone(), self.value(value)));
        }
        let program = Path::new(&job.program);
        Job {
            program: if program.is_absolute() {
                self.on_host(program).into()
            } else {
                job.program.clone()
            },
            directory: self.on_host(&job.directory),
            environment,
            ..job.clone()
        }
    }

    /// A path, or paths one after the other, as they are on the host.
    fn value(&self, value: &OsStr) -> OsString {
        let parts: Vec<PathBuf> = std::env::split_paths(value).collect();
        if parts.iter().any(|part| !part.is_absolute()) {
            return value.to_owned();
        }
        let parts = parts.iter().map(|part| self.on_host(part));
        // What was split can be joined.
        std::env::join_paths(parts).unwrap_or_else(|_| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Mount};

    fn places() -> (TempDir, Places) {
        let own = tempfile::tempdir().unwrap();
        let mut job = Job::new("true");
        let mount = |host: &str, inside: &str| Mount {
            host: host.into(),
            inside: inside.into(),
            access: Access::ReadOnly,
        };
        job.mounts = vec![
            mount("/copies/1", "/home/p/shop"),
            mount("/keep/cargo", "/var/cache/x/cargo"),
        ];
        let places = Places::of(&job, own.path()).unwrap();
        (own, places)
    }

    #[test]
    fn paths_are_those_of_the_host() {
        let (own, places) = places();
        let check = |value: &str, expect: &str| {
            assert_eq!(places.value(OsStr::new(value)), OsString::from(expect));
        };
        check("true", "true");
        check("/home/p/shop", "/copies/1");
        check("/home/p/shop/src", "/copies/1/src");
        check("/home/p/shopping", "/home/p/shopping");
        check("/usr/bin:/home/p/shop/bin", "/usr/bin:/copies/1/bin");
        check("/var/cache/x/cargo", "/keep/cargo");
        check("/tmp/npm", own.path().join("tmp/npm").to_str().unwrap());
        check("a:/home/p/shop", "a:/home/p/shop");
        check("", "");
    }
}
