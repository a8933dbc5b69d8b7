//! Tries what a sandbox forbids, from inside, and says what came of each: a line
//! `promise=` if it holds, `promise=reason` if not.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{ffi::OsStrExt as _, net::UnixStream, process::ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::{ptrace, signal},
    unistd::Pid,
};

use super::Rules;
use crate::guarantee::Promise;

/// A directory that bubblewrap leaves writable and Landlock does not, for the canary
/// alone.
pub(crate) const UNFENCED: &str = "/run/canary";

/// How long a connection that must fail is waited for.
const CONNECT: Duration = Duration::from_millis(200);

/// More processes than this are not the sandbox's own.
const PROCESSES_OWN: usize = 8;

/// A host whose own processes have such numbers cannot be told from the sandbox.
const PID_SMALL: i32 = 64;

/// What there is to be reached, seen or used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bait {
    /// A TCP port of the host's loopback that answers.
    pub(crate) port: u16,
    /// An abstract socket of the host that answers.
    pub(crate) abstract_name: OsString,
    /// A process of the host.
    pub(crate) host_pid: i32,
    /// A file of the host.
    pub(crate) host_file: PathBuf,
    /// How many processes there may be.
    pub(crate) processes: usize,
    /// More memory than may be taken.
    pub(crate) hog_bytes: usize,
    /// What fits into `/tmp`.
    pub(crate) tmp_bytes: usize,
    /// How large a file may be.
    pub(crate) file_bytes: u64,
    /// Folders that there must not be.
    pub(crate) hidden: Vec<PathBuf>,
}

impl Bait {
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![
            self.port.to_string().into(),
            self.abstract_name.clone(),
            self.host_pid.to_string().into(),
            self.host_file.clone().into(),
            self.processes.to_string().into(),
            self.hog_bytes.to_string().into(),
            self.tmp_bytes.to_string().into(),
            self.file_bytes.to_string().into(),
        ];
        words.extend(self.hidden.iter().map(OsString::from));
        words
    }

    pub(super) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut next = || words.next().ok_or("the canary needs more words");
        Ok(Self {
            port: number(&next()?)?,
            abstract_name: next()?,
            host_pid: number(&next()?)?,
            host_file: next()?.into(),
            processes: number(&next()?)?,
            hog_bytes: number(&next()?)?,
            tmp_bytes: number(&next()?)?,
            file_bytes: number(&next()?)?,
            hidden: words.map(PathBuf::from).collect(),
        })
    }
}

fn number<N: std::str::FromStr>(word: &OsStr) -> Result<N, String> {
    let number = word.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{} is no number", word.display()))
}

/// What came of trying something: nothing if the promise holds.
type Found = Result<(), String>;

pub(super) fn run(bait: &Bait) -> ExitCode {
    let findings = [
        (Promise::NetworkOff, network(bait)),
        (Promise::RootReadOnly, root()),
        (Promise::HomeHidden, home(bait)),
        (Promise::PrivateTmp, tmp(bait)),
        (Promise::ProcessesHidden, processes(bait)),
        (Promise::NoPrivileges, privileges()),
        (Promise::NoNamespaces, namespaces()),
        (Promise::SystemCalls, system_calls()),
        (Promise::PathRules, path_rules()),
        (Promise::FileLimit, file_limit(bait)),
        (Promise::MemoryLimit, memory(bait)),
        // The last: no process can be started after it.
        (Promise::ProcessLimit, process_limit(bait)),
    ];
    let mut out = io::stdout().lock();
    for (promise, found) in findings {
        let reason = found.err().unwrap_or_default().replace('\n', " ");
        if writeln!(out, "{}={reason}", promise.key()).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Takes and touches so much memory; success means that nothing prevented it.
pub(super) fn hog(bytes: usize) -> ExitCode {
    let mut memory = Vec::new();
    if memory.try_reserve_exact(bytes).is_err() {
        return ExitCode::FAILURE;
    }
    memory.resize(bytes, 1_u8);
    // Read, so that it cannot be left out.
    if std::hint::black_box(&memory)
        .iter()
        .map(|byte| usize::from(*byte))
        .sum::<usize>()
        == bytes
    {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Makes a file of so many bytes; success means that nothing prevented it.
pub(super) fn grow(path: &Path, bytes: u64) -> ExitCode {
    match File::create(path).and_then(|file| file.set_len(bytes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn network(bait: &Bait) -> Found {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, bait.port));
    if TcpStream::connect_timeout(&loopback, CONNECT).is_ok() {
        return Err("the host's loopback was reached".into());
    }
    let name = std::os::unix::net::SocketAddr::from_abstract_name(bait.abstract_name.as_bytes());
    if name.and_then(|name| UnixStream::connect_addr(&name)).is_ok() {
        return Err("an abstract socket of the host was reached".into());
    }
    let devices = fs::read_to_string("/proc/net/dev").map_err(|error| error.to_string())?;
    let others = devices.lines().filter_map(|line| line.split_once(':'));
    match others.map(|(name, _)| name.trim()).find(|name| *name != "lo") {
        Some(name) => Err(format!("there is an interface {name}")),
        None => Ok(()),
    }
}

fn root() -> Found {
    for folder in ["/", "/usr", "/etc", "/dev", "/run", "/proc"] {
        if File::create(Path::new(folder).join("canary")).is_ok() {
            return Err(format!("a file could be made in {folder}"));
        }
    }
    // Never changes anything: what is written is what was read.
    let setting = "/proc/sys/kernel/panic";
    let Ok(before) = fs::read(setting) else {
        return Ok(());
    };
    match fs::write(setting, before) {
        Ok(()) => Err("a setting of the kernel could be written".into()),
        Err(_) => Ok(()),
    }
}

fn home(bait: &Bait) -> Found {
    for path in std::iter::once(&bait.host_file).chain(&bait.hidden) {
        if path.symlink_metadata().is_ok() {
            return Err(format!("{} is seen", path.display()));
        }
    }
    Ok(())
}

fn tmp(bait: &Bait) -> Found {
    for folder in ["/tmp", "/dev/shm"] {
        let path = Path::new(folder).join("canary");
        let piece = vec![0_u8; bait.tmp_bytes];
        let fits = File::create(&path)
            .map_err(|error| format!("{folder} cannot be written: {error}"))
            .map(|mut file| file.write_all(&piece).and_then(|()| file.write_all(&piece)));
        // Room for the next one; if it stays, that one says so.
        let _gone = fs::remove_file(&path);
        if fits?.is_ok() {
            return Err(format!("{folder} takes more than it may"));
        }
    }
    Ok(())
}

fn processes(bait: &Bait) -> Found {
    let entries = fs::read_dir("/proc").map_err(|error| error.to_string())?;
    let is_process = |entry: &fs::DirEntry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit);
    let seen = entries.filter_map(Result::ok).filter(is_process).count();
    if seen > PROCESSES_OWN {
        return Err(format!("{seen} processes are seen"));
    }
    if bait.host_pid > PID_SMALL && signal::kill(Pid::from_raw(bait.host_pid), None) != Err(Errno::ESRCH) {
        return Err("a process of the host can be signalled".into());
    }
    Ok(())
}

fn status(field: &str) -> Result<String, String> {
    let all = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let value = all
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value
        .map(|value| value.trim().to_owned())
        .ok_or_else(|| format!("the kernel does not tell {field}"))
}

fn privileges() -> Found {
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let value = status(set)?;
        if value.bytes().any(|digit| digit != b'0') {
            return Err(format!("{set} is {value}"));
        }
    }
    if status("NoNewPrivs")? == "1" {
        Ok(())
    } else {
        Err("programs can gain privileges".into())
    }
}

fn namespaces() -> Found {
    match unshare(CloneFlags::CLONE_NEWUSER) {
        Ok(()) => Err("a user namespace could be made".into()),
        Err(_) => Ok(()),
    }
}

fn system_calls() -> Found {
    // Allowed to everybody, but for our filter.
    match ptrace::traceme() {
        Err(Errno::EPERM) => Ok(()),
        other => Err(format!("ptrace was answered with {other:?}")),
    }
}

fn path_rules() -> Found {
    match File::create(Path::new(UNFENCED).join("canary")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(format!("cannot be tried: {error}")),
        Ok(_) => Err("the kernel has no Landlock (5.13 and later, `lsm=landlock,…`)".into()),
    }
}

/// Starts this program again for something that can kill it.
fn child(words: &[OsString]) -> Result<std::process::ExitStatus, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map_err(|error| error.to_string())
}

fn file_limit(bait: &Bait) -> Found {
    let then = super::Then::Grow(PathBuf::from("/tmp/canary"), bait.file_bytes.saturating_add(1));
    let status = child(&Rules::default().arguments(&then))?;
    if status.success() {
        return Err("a file can be larger than it may".into());
    }
    Ok(())
}

fn memory(bait: &Bait) -> Found {
    let status = child(&Rules::default().arguments(&super::Then::Hog(bait.hog_bytes)))?;
    if status.success() {
        return Err("more memory was taken than may be".into());
    }
    match (status.code(), status.signal()) {
        (Some(1), _) | (_, Some(libc::SIGKILL | libc::SIGABRT)) => Ok(()),
        (code, signal) => Err(format!("cannot be tried: status {code:?}, signal {signal:?}")),
    }
}

fn process_limit(bait: &Bait) -> Found {
    const STACK_BYTES: usize = 64 << 10;
    for _ in 0..=bait.processes {
        let sleeper = thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
            loop {
                thread::park();
            }
        });
        if sleeper.is_err() {
            return Ok(());
        }
    }
    Err(format!("more than {} processes can be started", bait.processes))
}
