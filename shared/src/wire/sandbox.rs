//! Where the code of proposals runs, as `GET /debug/sandbox` tells it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /debug/sandbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SandboxView {
    /// `docker`, `podman` or `bubblewrap`; `null` where there is none, and
    /// nothing runs.
    pub engine: Option<String>,
    /// Each promise, and whether it was found to hold here.
    pub guarantees: Vec<SandboxGuarantee>,
    /// Engines that would have been preferred.
    pub passed_over: Vec<SandboxPassedOver>,
    /// Why there is none, and what to do.
    pub error: Option<String>,
}

/// One promise of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SandboxGuarantee {
    /// A short name, for example `network`.
    pub name: String,
    /// What is promised, for a person.
    pub text: String,
    /// Whether it was tried and holds.
    pub holds: bool,
    /// Why not, and what holds instead.
    pub reason: Option<String>,
}

/// An engine that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SandboxPassedOver {
    /// `docker`, `podman` or `bubblewrap`.
    pub engine: String,
    /// Why not.
    pub reason: String,
}
