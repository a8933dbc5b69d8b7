//! What is to be run, and what it may use.

use std::{ffi::OsString, path::PathBuf, time::Duration};

/// One program, what it sees and how far it may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The program, looked for in the job's `PATH` unless it is a path.
    pub program: OsString,
    /// What it is called with.
    pub args: Vec<OsString>,
    /// What it sees of the host besides the system, in this order.
    pub mounts: Vec<Mount>,
    /// The directory it starts in, as seen inside.
    pub directory: PathBuf,
    /// Its whole environment; `PATH`, `HOME` and `LANG` are given unless named here.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether it may reach other machines.
    pub network: Network,
    /// How far it may go.
    pub limits: Limits,
    /// What it is written in: which image a container engine takes.
    pub language: Language,
}

impl Job {
    /// `program` without arguments, mounts, environment and network, in `/tmp`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            mounts: Vec::new(),
            directory: PathBuf::from("/tmp"),
            environment: Vec::new(),
            network: Network::Off,
            limits: Limits::default(),
            language: Language::Any,
        }
    }
}

/// A file or a directory of the host, and where it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// On the host; a symbolic link is followed.
    pub host: PathBuf,
    /// Inside: absolute, without `..`, not the root, `/proc`, `/dev` or `/sys`.
    /// Below another mount it must exist there already, reached through no
    /// symbolic link.
    pub inside: PathBuf,
    /// Whether it may be changed.
    pub access: Access,
}

/// What may be done with a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Also write, create and delete.
    ReadWrite,
}

/// Whether a job may reach other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// A loopback interface of its own, and nothing else.
    Off,
    /// The network of the host, its loopback included.
    On,
}

/// What a job is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Nothing in particular, or several.
    Any,
    /// Go.
    Go,
    /// JavaScript and TypeScript.
    JavaScript,
    /// Python.
    Python,
    /// Rust.
    Rust,
}

/// How far a job may go. Which of these bind is among the guarantees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// From start to end.
    pub time: Duration,
    /// Of all its processes together.
    pub memory_bytes: u64,
    /// Processes and threads at one time.
    pub processes: u32,
    /// Processors' worth of time.
    pub cpus: f32,
    /// Size of one file.
    pub file_bytes: u64,
    /// Size of `/tmp`, and of `/dev/shm`.
    pub tmp_bytes: u64,
    /// What is kept and streamed of each of the two outputs.
    pub output_bytes: usize,
    /// What may be written into the mounts in all; looked at four times a second.
    pub written_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            time: Duration::from_secs(120),
            memory_bytes: 2048 * MIB,
            processes: 256,
            cpus: 2.0,
            file_bytes: 256 * MIB,
            tmp_bytes: 256 * MIB,
            output_bytes: 1 << 20,
            written_bytes: 2048 * MIB,
        }
    }
}
