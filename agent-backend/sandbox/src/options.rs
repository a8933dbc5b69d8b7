//! What a person can choose.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use crate::Language;

/// The image that is taken unless another one is named.
pub const IMAGE: &str = "docker.io/library/debian:stable-slim";

/// Where systems mount their control groups.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// How the sandbox is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which engine.
    pub engine: Choice,
    /// Where [`Choice::Auto`] looks, the preferred one first; what is not named is not taken.
    pub order: Vec<Kind>,
    /// The `docker` program; a plain name is looked for in PATH.
    pub docker: PathBuf,
    /// The `podman` program, likewise.
    pub podman: PathBuf,
    /// The image that containers are made of, and images of languages on top of it: with
    /// `/bin/sh`, `apt-get`, and a C library that the helper starts with. It is never pulled.
    pub image: String,
    /// Images that are taken for a language as they are, and not made. They are never pulled
    /// either, and must let the helper start.
    pub images: BTreeMap<Language, String>,
    /// The `bwrap` program; a plain name is looked for in PATH.
    pub bubblewrap: PathBuf,
    /// Where the system mounts its control groups; without them, processes are bounded one
    /// by one.
    pub control_groups: PathBuf,
    /// The program that calls [`crate::inside::main`] when it is started with
    /// [`crate::inside::ARGUMENT`]: the backend itself. It is shown inside, and it must
    /// need no library beyond `/usr` (and `/nix/store`).
    pub helper: PathBuf,
}

impl Options {
    /// Any engine, programs from PATH.
    pub fn new(helper: impl Into<PathBuf>) -> Self {
        Self {
            engine: Choice::Auto,
            order: vec![Kind::Docker, Kind::Podman, Kind::Bubblewrap],
            docker: "docker".into(),
            podman: "podman".into(),
            image: IMAGE.to_owned(),
            images: BTreeMap::new(),
            bubblewrap: "bwrap".into(),
            control_groups: CONTROL_GROUPS.into(),
            helper: helper.into(),
        }
    }
}

/// Which engine is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The first of [`Options::order`] that can be used.
    Auto,
    /// Docker or nothing.
    Docker,
    /// Podman or nothing.
    Podman,
    /// Bubblewrap or nothing.
    Bubblewrap,
    /// No sandbox, and so nothing runs.
    None,
}

/// What a sandbox is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Containers of the Docker engine.
    Docker,
    /// Containers of Podman.
    Podman,
    /// Namespaces set up by bubblewrap.
    Bubblewrap,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Bubblewrap => "bubblewrap",
        })
    }
}
