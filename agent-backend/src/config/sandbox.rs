//! What is built and tested of a proposal, and the sandbox in which that is done.

use std::path::PathBuf;

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
    /// The `bwrap` program; a plain name is looked for in PATH.
    pub bubblewrap: PathBuf,
    /// Most memory of one command with all that it starts, MiB.
    pub memory_mb: u64,
    /// Most processes and threads of it.
    pub processes: u32,
}

/// What the sandbox is made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The first that can be used: Docker, Podman, bubblewrap.
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
            bubblewrap: "bwrap".into(),
            memory_mb: 4096,
            processes: 1024,
        }
    }
}
