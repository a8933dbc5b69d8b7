//! What is built and tested of a proposal, and the sandbox in which that is done.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What is run of a proposal before a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Whether it is built, or its types are checked.
    pub build: bool,
    /// Whether the project's tests are run.
    pub test: bool,
    /// Whether language servers are asked, where no build says the same.
    pub diagnostics: bool,
    /// Longest build, seconds.
    pub build_timeout_s: u64,
    /// Longest run of the tests, seconds.
    pub test_timeout_s: u64,
    /// Longest wait for a language server, seconds.
    pub diagnostics_timeout_s: u64,
}

/// Where the code of a proposal runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    /// What the sandbox is made with.
    pub engine: Engine,
    /// Where `auto` looks, the preferred one first; what is not named is not
    /// taken.
    pub order: Vec<EngineKind>,
    /// The `docker` program; a plain name is looked for in PATH.
    pub docker: PathBuf,
    /// The `podman` program, likewise.
    pub podman: PathBuf,
    /// The image that those of languages are made of.
    pub image: String,
    /// Images of languages that are taken as they are.
    pub images: BTreeMap<ImageLanguage, String>,
    /// The `bwrap` program; a plain name is looked for in PATH.
    pub bubblewrap: PathBuf,
    /// What happens where no engine can be used.
    pub without: Without,
    /// Most memory of one command with all that it starts, MiB.
    pub memory_mb: u64,
    /// Most processes and threads of it.
    pub processes: u32,
}

/// What the sandbox is made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The first of `order` that can be used.
    #[default]
    Auto,
    /// Docker or nothing.
    Docker,
    /// Podman or nothing.
    Podman,
    /// Bubblewrap or nothing.
    Bubblewrap,
    /// Nothing: no code of a proposal runs.
    None,
}

/// What `auto` may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// Bubblewrap.
    Bubblewrap,
}

/// A language that has an image of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageLanguage {
    /// Go.
    Go,
    /// JavaScript and TypeScript.
    JavaScript,
    /// Python.
    Python,
    /// Rust.
    Rust,
}

/// What happens where nothing isolates what is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// The person is asked, once for a workflow, or once for a workspace.
    #[default]
    Ask,
    /// Nothing runs.
    Never,
    /// It runs with the rights of the backend.
    Always,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            build: true,
            test: true,
            diagnostics: true,
            build_timeout_s: tools::limits::BUILD_TIMEOUT.as_secs(),
            test_timeout_s: tools::limits::TEST_TIMEOUT.as_secs(),
            diagnostics_timeout_s: tools::limits::DIAGNOSTICS_TIMEOUT.as_secs(),
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            order: vec![EngineKind::Docker, EngineKind::Podman, EngineKind::Bubblewrap],
            docker: "docker".into(),
            podman: "podman".into(),
            image: sandbox::IMAGE.to_owned(),
            images: BTreeMap::new(),
            bubblewrap: "bwrap".into(),
            without: Without::default(),
            memory_mb: 4096,
            processes: 1024,
        }
    }
}
