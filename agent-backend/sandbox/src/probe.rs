//! Tries what a sandbox promises: a canary inside does what is forbidden, beside
//! something that does not end.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    },
    process, thread,
    time::Duration,
};

use shared::clock::Stopwatch;

use crate::{
    Ended, Ending, Error, Guarantee, Held, Job, Kind, Limits, Promise, Stop,
    cgroup::Controller,
    engine::{self, Engine},
    inside::{Then, canary::Bait},
};

/// How long the canary may take; it needs a tenth of a second.
const CANARY_TIME: Duration = Duration::from_secs(10);

/// What escapes a kill sleeps so long, in seconds, and holds the output open.
const ENDLESS_SLEEP: &str = "60";
/// When it must be gone at the latest, on a machine that is very busy.
const ENDLESS_GONE: Duration = Duration::from_secs(30);

const MIB: u64 = 1 << 20;
const CANARY_MEMORY_BYTES: u64 = 64 * MIB;
const CANARY_HOG_BYTES: usize = 96 << 20;
const CANARY_PROCESSES: u32 = 24;
const CANARY_TMP_BYTES: usize = 1 << 20;
const CANARY_FILE_BYTES: u64 = 8 * MIB;

/// What holds with an engine; an error if nothing can be run at all, or if a promise is
/// broken without which nothing may be.
pub(crate) fn promises(engine: &Engine) -> Result<Vec<Guarantee>, String> {
    let (said, endless) = thread::scope(|scope| {
        let endless = scope.spawn(|| endless(engine));
        let said = canary(engine);
        (said, endless.join())
    });
    let said = said?;
    let time = endless.map_err(|_| "the canary panicked".to_owned())?;
    let found = |promise: Promise| match promise {
        Promise::TimeLimit => time.clone(),
        Promise::CpuLimit => cpu(engine),
        Promise::MemoryLimit if !engine.bounds(Controller::Memory) => memory_without_group(&said),
        Promise::ProcessLimit if !engine.bounds(Controller::Pids) => processes_without_group(&said),
        Promise::NetworkOff
        | Promise::RootReadOnly
        | Promise::HomeHidden
        | Promise::PrivateTmp
        | Promise::ProcessesHidden
        | Promise::NoPrivileges
        | Promise::NoNamespaces
        | Promise::SystemCalls
        | Promise::PathRules
        | Promise::FileLimit
        | Promise::MemoryLimit
        | Promise::ProcessLimit => tell(&said, promise),
    };
    let guarantees: Vec<Guarantee> = Promise::ALL
        .iter()
        .map(|promise| Guarantee::new(*promise, found(*promise)))
        .collect();
    let broken = guarantees.iter().find_map(|guarantee| match &guarantee.held {
        Held::No(reason) if is_vital(guarantee.promise) => Some(format!("{}: {reason}", guarantee.promise)),
        Held::No(_) | Held::Yes => None,
    });
    broken.map_or(Ok(guarantees), Err)
}

/// Without these it is no sandbox.
fn is_vital(promise: Promise) -> bool {
    match promise {
        Promise::NetworkOff
        | Promise::RootReadOnly
        | Promise::HomeHidden
        | Promise::PrivateTmp
        | Promise::ProcessesHidden
        | Promise::NoPrivileges
        | Promise::NoNamespaces
        | Promise::SystemCalls
        | Promise::TimeLimit => true,
        Promise::PathRules
        | Promise::MemoryLimit
        | Promise::ProcessLimit
        | Promise::CpuLimit
        | Promise::FileLimit => false,
    }
}

/// What the canary said of a promise.
fn tell(said: &str, promise: Promise) -> Held {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix(promise.key())?.strip_prefix('='));
    match line {
        Some("") => Held::Yes,
        Some(reason) => Held::No(reason.to_owned()),
        None => Held::No("it could not be tried".to_owned()),
    }
}

fn canary(engine: &Engine) -> Result<String, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    let name = format!("agentic-ide-canary-{}-{port}", process::id());
    let _abstract = SocketAddr::from_abstract_name(&name)
        .and_then(|address| UnixListener::bind_addr(&address))
        .map_err(|error| error.to_string())?;
    let file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let bait = Bait {
        port,
        abstract_name: name.into(),
        host_pid: i32::try_from(process::id()).unwrap_or(0),
        host_file: file.path().to_owned(),
        processes: usize::try_from(CANARY_PROCESSES).unwrap_or(usize::MAX),
        hog_bytes: CANARY_HOG_BYTES,
        hidden: match engine.kind() {
            Kind::Bubblewrap => vec!["/root".into(), "/home".into()],
            // The image's own, if they are there.
            Kind::Docker | Kind::Podman => Vec::new(),
        },
        tmp_bytes: CANARY_TMP_BYTES,
        file_bytes: CANARY_FILE_BYTES,
    };
    let mut job = Job::new("canary");
    job.limits = Limits {
        time: CANARY_TIME,
        memory_bytes: CANARY_MEMORY_BYTES,
        processes: CANARY_PROCESSES,
        file_bytes: CANARY_FILE_BYTES,
        tmp_bytes: CANARY_TMP_BYTES as u64,
        ..Limits::default()
    };
    let ended = engine
        .run(&job, &Then::Canary(bait), &mut |_, _| {}, &Stop::default())
        .map_err(|error| hint(&error))?;
    let Ended { stdout, stderr, .. } = &ended;
    let said = String::from_utf8_lossy(stdout).into_owned();
    // The kernel may kill it for the memory it takes; what it had not said, did not hold.
    if said.is_empty() {
        let said = String::from_utf8_lossy(stderr);
        return Err(format!(
            "the canary did not run: {}: {}",
            ended.ending,
            said.trim()
        ));
    }
    Ok(said)
}

/// What is usually the reason when bubblewrap may not make its namespaces.
fn hint(error: &Error) -> String {
    let text = error.to_string();
    let about_namespaces = [
        "namespace",
        "uid map",
        "Operation not permitted",
        "Permission denied",
    ];
    if about_namespaces.iter().any(|words| text.contains(words)) {
        format!(
            "{text} (user namespaces are needed: see kernel.unprivileged_userns_clone, \
             kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces)"
        )
    } else {
        text
    }
}

/// Something that leaves its session and never ends; it is stopped when it says that it
/// has begun, and the time limit ends a job in the same way.
fn endless(engine: &Engine) -> Held {
    let script = format!(
        "setsid sleep {ENDLESS_SLEEP} & (sleep {ENDLESS_SLEEP} &); echo begun; sleep {ENDLESS_SLEEP}"
    );
    let mut job = Job::new("/bin/sh");
    job.args = vec!["-c".into(), script.into()];
    let (stop, watch) = (Stop::default(), Stopwatch::start());
    let ended = engine.run(
        &job,
        &Then::Run(engine::program(&job)),
        &mut |_, _| stop.stop(),
        &stop,
    );
    match ended {
        Ok(ended) if ended.ending == Ending::Stopped && ended.stdout == b"begun\n" => {
            // The outputs are closed when nothing holds them any more.
            if watch.elapsed() < ENDLESS_GONE {
                Held::Yes
            } else {
                Held::No("something lived on".to_owned())
            }
        }
        Ok(ended) => {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            Held::No(format!("it could not be tried: {} {said}", ended.ending))
        }
        Err(error) => Held::No(error.to_string()),
    }
}

fn cpu(engine: &Engine) -> Held {
    if engine.bounds(Controller::Cpu) {
        Held::Yes
    } else {
        Held::No("no control group can be made here; the time limit is all there is".to_owned())
    }
}

fn memory_without_group(said: &str) -> Held {
    match tell(said, Promise::MemoryLimit) {
        Held::Yes => Held::No(
            "no control group can be made here; each process is bounded, and all together are \
             looked at five times a second"
                .to_owned(),
        ),
        no @ Held::No(_) => no,
    }
}

fn processes_without_group(said: &str) -> Held {
    match tell(said, Promise::ProcessLimit) {
        Held::Yes => Held::Yes,
        Held::No(reason) => Held::No(format!(
            "no control group can be made here, and the kernel bounds root's processes by nothing else: {reason}"
        )),
    }
}
