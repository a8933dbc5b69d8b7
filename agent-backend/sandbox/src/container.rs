//! Docker and Podman: the command line of a container for a job, and whether an engine
//! can be used at all.
//!
//! The helper runs inside as it does with bubblewrap, so the image needs a C library that
//! it can be started with. Nothing is pulled: an image that is not there is named.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit};

use crate::{
    Access, Ended, Ending, Error, Job, Kind, Language, Limits, Network, Options, Stop, Stream,
    bubblewrap::{ENVIRONMENT, HELPER, check, on_path},
    images,
    inside::{Rules, Then, canary},
    names,
    run::{self, Start, Tail},
};

/// How long an engine may take to answer.
const ASK: Duration = Duration::from_secs(10);

/// Open files of a container; engines ask for more than may be had.
const OPEN_FILES_MAX: u64 = 4096;

/// Processes of the container's user, those outside of it included: the container's own are
/// bounded otherwise.
const USER_PROCESSES_MAX: u64 = 4096;

/// What an engine's client needs of our environment.
const CLIENT_ENVIRONMENT: &[&str] = &[
    "CONTAINER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// What an engine's own failures begin with.
const FAILURES: &[&str] = &["docker: ", "Error: ", "Error response from daemon"];

/// An engine that answers, and the image that it has.
#[derive(Debug)]
pub(crate) struct Container {
    kind: Kind,
    program: PathBuf,
    helper: PathBuf,
    base: String,
    /// The identity of the base image, part of what the others are made of.
    base_id: String,
    /// Images that are taken for a language as they are.
    named: BTreeMap<Language, String>,
    /// Another runtime than the engine's own.
    runtime: Option<&'static str>,
    is_rootless: bool,
    /// The image of each language, made when it is first needed; or why it could not be made,
    /// which takes long enough once.
    images: Mutex<BTreeMap<Language, Result<String, Refusal>>>,
}

impl Container {
    /// Asks the engine; an error says what is wrong with it, for a person.
    pub(crate) fn find(kind: Kind, program: &Path, options: &Options) -> Result<Self, String> {
        let Some(program) = on_path(program) else {
            return Err("not installed".to_owned());
        };
        let mut found = Self {
            kind,
            program,
            helper: options.helper.clone(),
            base: options.image.clone(),
            base_id: String::new(),
            named: options.images.clone(),
            runtime: None,
            is_rootless: false,
            images: Mutex::default(),
        };
        let about = match kind {
            Kind::Docker => found.ask(&["info", "--format", "{{.SecurityOptions}} {{.ServerVersion}}"]),
            Kind::Podman | Kind::Bubblewrap => {
                found.ask(&["info", "--format", "rootless={{.Host.Security.Rootless}}"])
            }
        };
        let about = about.map_err(|reason| format!("it does not answer: {reason}"))?;
        found.is_rootless = about.contains("rootless=true") || about.contains("name=rootless");
        found.base_id = found.identity(&options.image).map_err(|missing| {
            let Refusal { image, detail } = missing;
            format!("it has no image {image} ({detail})")
        })?;
        found.sweep();
        Ok(found)
    }

    /// The same with another runtime, where that is installed.
    pub(crate) fn with_runtime(self, runtime: &'static str) -> Option<Self> {
        on_path(Path::new(runtime))?;
        Some(Self {
            runtime: Some(runtime),
            ..self
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether limits are those of an engine that may set them.
    pub(crate) fn is_rootless(&self) -> bool {
        self.is_rootless
    }

    /// What a command of the engine says.
    fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut job = Job::new(&self.program);
        job.limits = Limits {
            time: ASK,
            ..job.limits
        };
        let line: Vec<OsString> = std::iter::once(self.program.clone().into())
            .chain(words.iter().map(OsString::from))
            .collect();
        let ended = self
            .client(&line, &job, &|| {}, &mut |_, _| {}, &Stop::default())
            .map_err(|error| error.to_string())?;
        if ended.ending.is_success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let first = said.trim().lines().next().unwrap_or_default();
        Err(format!("{}: {first}", ended.ending))
    }

    fn client(
        &self,
        line: &[OsString],
        job: &Job,
        kill: &dyn Fn(),
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let start = Start {
            command_line: line,
            group: None,
            environment: CLIENT_ENVIRONMENT,
            given: &[],
            directory: None,
            kill,
            failures: FAILURES,
            tail: Tail::Namespace,
        };
        run::run(start, job, on_output, stop)
    }

    /// Removes what backends left that were killed.
    fn sweep(&self) {
        let filter = format!("name={}", names::PREFIX);
        let names = self.ask(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        for name in names.unwrap_or_default().lines() {
            if names::is_left(name) {
                let _gone = self.ask(&["rm", "--force", name]);
            }
        }
    }

    /// Runs a job in a container of its own, which is gone afterwards.
    pub(crate) fn run(
        &self,
        job: &Job,
        then: &Then,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Ended, Error> {
        let image = self.image(job.language, on_output, stop)?;
        let name = names::fresh();
        let line = self.command_line(job, then, &name, &image, Conversation::No)?;
        let _removed = Removal {
            engine: self,
            name: &name,
        };
        let kill = || {
            let _gone = self.ask(&["kill", &name]);
        };
        let mut ended = self.client(&line, job, &kill, on_output, stop)?;
        if matches!(ended.ending, Ending::Exited(_) | Ending::Signalled(_)) && !ended.ending.is_success() {
            let out_of_memory = self.ask(&["inspect", "--format", "{{.State.OOMKilled}}", &name]);
            if out_of_memory.is_ok_and(|said| said == "true") {
                ended.ending = Ending::OutOfMemory;
            }
        }
        Ok(ended)
    }

    /// The command line of a conversation, whose container removes itself.
    pub(crate) fn conversation(&self, job: &Job, then: &Then, stop: &Stop) -> Result<Vec<OsString>, Error> {
        let image = self.image(job.language, &mut |_, _| {}, stop)?;
        self.command_line(job, then, &names::fresh(), &image, Conversation::Yes)
    }

    /// What the client needs of our environment.
    pub(crate) fn environment() -> &'static [&'static str] {
        CLIENT_ENVIRONMENT
    }

    fn command_line(
        &self,
        job: &Job,
        then: &Then,
        name: &str,
        image: &str,
        conversation: Conversation,
    ) -> Result<Vec<OsString>, Error> {
        check(&job.mounts)?;
        let limits = &job.limits;
        let mut words: Vec<OsString> = vec![self.program.clone().into()];
        let mut add = |some: &[&str]| words.extend(some.iter().map(OsString::from));
        if let (Kind::Podman, Some(runtime)) = (self.kind, self.runtime) {
            add(&["--runtime", runtime]);
        }
        add(&["run", "--name", name, "--pull", "never", "--hostname", "sandbox"]);
        if conversation == Conversation::Yes {
            add(&["--rm", "--interactive"]);
        }
        match job.network {
            Network::Off => add(&["--network", "none"]),
            Network::On => add(&["--network", "host"]),
        }
        add(&[
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
        ]);
        if self.kind == Kind::Podman {
            add(&["--read-only-tmpfs=false"]);
        }
        let tmp = limits.tmp_bytes;
        add(&[
            "--tmpfs",
            &format!("/tmp:rw,exec,nosuid,nodev,size={tmp},mode=1777"),
        ]);
        add(&["--shm-size", &tmp.to_string()]);
        if matches!(then, Then::Canary(_)) {
            add(&[
                "--tmpfs",
                &format!("{}:rw,size={tmp},mode=1777", canary::UNFENCED),
            ]);
        }
        let memory = limits.memory_bytes.to_string();
        add(&["--memory", &memory, "--memory-swap", &memory]);
        add(&[
            "--cpus",
            &limits.cpus.to_string(),
            "--pids-limit",
            &limits.processes.to_string(),
        ]);
        // Labels would keep the mounts from it, and changing those of a workspace is not ours.
        add(&["--security-opt", "label=disable"]);
        words.extend(bounds());
        self.user(&mut words);
        let given = ENVIRONMENT
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        // Where programs are is the image's to say.
        let given = given.filter(|(name, _)| name != "PATH");
        let missing = given.filter(|(name, _)| job.environment.iter().all(|(other, _)| other != name));
        for (name, value) in missing.chain(job.environment.iter().cloned()) {
            let mut word = name;
            word.push("=");
            word.push(value);
            words.extend(["--env".into(), word]);
        }
        mount(&mut words, &self.helper, Path::new(HELPER), Access::ReadOnly)?;
        for each in &job.mounts {
            mount(&mut words, &each.host, &each.inside, each.access)?;
        }
        words.extend(["--workdir".into(), job.directory.clone().into()]);
        words.extend(["--entrypoint".into(), HELPER.into(), image.into()]);
        words.extend(self.rules(job).arguments(then));
        Ok(words)
    }

    /// Files that are made inside belong to whoever runs the backend.
    fn user(&self, words: &mut Vec<OsString>) {
        let me = fs::metadata("/proc/self").map_or((0, 0), |about| (about.uid(), about.gid()));
        match (self.kind, self.is_rootless) {
            (Kind::Podman | Kind::Bubblewrap, true) => words.push("--userns=keep-id".into()),
            // Its root is the person.
            (Kind::Docker, true) => words.extend(["--user", "0:0"].map(OsString::from)),
            (_, false) => words.extend(["--user".into(), format!("{}:{}", me.0, me.1).into()]),
        }
    }

    fn rules(&self, job: &Job) -> Rules {
        let writable = job
            .mounts
            .iter()
            .filter(|mount| mount.access == Access::ReadWrite);
        Rules {
            writable: writable.map(|mount| mount.inside.clone()).collect(),
            // What an engine without privileges may not bound.
            data_bytes: self.is_rootless.then_some(job.limits.memory_bytes),
            processes: None,
            file_bytes: Some(job.limits.file_bytes),
        }
    }

    /// The image for a language, made from the base image if it is not there.
    fn image(
        &self,
        language: Language,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<String, Error> {
        if let Some(named) = self.named.get(&language) {
            self.identity(named)?;
            return Ok(named.clone());
        }
        let Some(text) = images::containerfile(language, &self.base) else {
            return Ok(self.base.clone());
        };
        // Held while it is made, so that it is made once.
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = images.get(&language) {
            return Ok(known.clone()?);
        }
        let tag = images::tag(&text, &self.base_id);
        let made = match self.identity(&tag) {
            Ok(_) => Ok(tag),
            Err(_) => self.build(&text, &tag, on_output, stop)?.map(|()| tag),
        };
        // To be stopped says nothing about the image.
        if made.is_ok() || !stop.is_stopped() {
            images.insert(language, made.clone());
        }
        Ok(made?)
    }

    /// The identity of an image that is there.
    fn identity(&self, image: &str) -> Result<String, Refusal> {
        self.ask(&["image", "inspect", "--format", "{{.Id}}", image])
            .map_err(|_| Refusal {
                image: image.to_owned(),
                detail: format!("`{} pull {image}`", self.kind),
            })
    }

    fn build(
        &self,
        text: &str,
        tag: &str,
        on_output: &mut dyn FnMut(Stream, &[u8]),
        stop: &Stop,
    ) -> Result<Result<(), Refusal>, Error> {
        let folder = tempfile::tempdir().map_err(Error::io("create its files"))?;
        let file = folder.path().join("Containerfile");
        fs::write(&file, text).map_err(Error::io("create its files"))?;
        let mut line: Vec<OsString> = vec![self.program.clone().into()];
        if let (Kind::Podman, Some(runtime)) = (self.kind, self.runtime) {
            line.extend(["--runtime", runtime].map(OsString::from));
        }
        line.push("build".into());
        if self.kind == Kind::Podman {
            line.extend(bounds());
        }
        line.extend(["--tag", tag, "--file"].map(OsString::from));
        line.extend([file.into(), folder.path().into()]);
        let mut job = Job::new(&self.program);
        job.limits.time = images::BUILD_TIME;
        let ended = self.client(&line, &job, &|| {}, on_output, stop)?;
        if ended.ending.is_success() {
            return Ok(Ok(()));
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.trim().lines().next_back().unwrap_or_default();
        Ok(Err(Refusal {
            image: tag.to_owned(),
            detail: format!("{}: {last}", ended.ending),
        }))
    }
}

/// An image that is not there or could not be made, and what to do, or the engine's last words.
#[derive(Debug, Clone)]
struct Refusal {
    image: String,
    detail: String,
}

impl From<Refusal> for Error {
    fn from(Refusal { image, detail }: Refusal) -> Self {
        Self::Image { image, detail }
    }
}

/// Whether a program is talked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conversation {
    Yes,
    No,
}

/// A container that is removed whatever happens.
struct Removal<'a> {
    engine: &'a Container,
    name: &'a str,
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        if let Err(reason) = self.engine.ask(&["rm", "--force", self.name]) {
            tracing::warn!(name = self.name, reason, "a container was not removed");
        }
    }
}

/// Without these, engines ask for more than a bounded backend may give.
fn bounds() -> Vec<OsString> {
    let bounds = [
        ("nofile", Resource::RLIMIT_NOFILE, OPEN_FILES_MAX),
        ("nproc", Resource::RLIMIT_NPROC, USER_PROCESSES_MAX),
    ];
    let words = bounds.into_iter().flat_map(|(bound, resource, max)| {
        let value = getrlimit(resource).map_or(max, |(_, hard)| hard.min(max));
        ["--ulimit".into(), format!("{bound}={value}:{value}").into()]
    });
    words.collect()
}

fn mount(words: &mut Vec<OsString>, host: &Path, inside: &Path, access: Access) -> Result<(), Error> {
    // The engines read this as a line of comma-separated values.
    let is_plain = |path: &Path| path.to_str().is_some_and(|text| !text.contains([',', '"', '\n']));
    if let Some(path) = [host, inside].into_iter().find(|path| !is_plain(path)) {
        return Err(Error::Mount {
            path: path.to_owned(),
            reason: "an engine of containers takes no comma, quote or unreadable letter in a path",
        });
    }
    let readonly = match access {
        Access::ReadOnly => ",readonly",
        Access::ReadWrite => "",
    };
    let text = format!(
        "type=bind,source={},target={}{readonly}",
        host.display(),
        inside.display()
    );
    words.extend(["--mount".into(), text.into()]);
    Ok(())
}
