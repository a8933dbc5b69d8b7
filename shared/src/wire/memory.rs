//! The memory that models run in, as `GET /debug/vram` tells it. All sizes are
//! in MiB.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /debug/vram`. What nobody knows is `null` and never made up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryView {
    /// The memory that models run in: `gpu`, `system` (no GPU, or one that is
    /// not used), `elsewhere` (all servers are on other machines) or `unknown`
    /// (a GPU that does not tell).
    pub kind: String,
    /// By everybody; by models alone where nobody says more.
    pub vram_used_mb: u64,
    /// What is left.
    pub vram_available_mb: Option<u64>,
    /// All of it.
    pub vram_total_mb: Option<u64>,
    /// How much is used, in percent.
    pub percentage: Option<f64>,
    /// Most that was used since the backend started.
    pub peak_mb: u64,
    /// `normal`, `warning` or `critical`.
    pub level: String,
    /// What takes `vram_used_mb`: models by name, and `other`.
    pub components: BTreeMap<String, u64>,
    /// What servers on other machines hold: by server, by model.
    pub elsewhere: BTreeMap<String, BTreeMap<String, u64>>,
    /// All memory of the backend's machine.
    pub devices: Vec<MemoryDevice>,
    /// Servers that did not say what they hold.
    pub problems: Vec<MemoryProblem>,
}

/// Memory of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryDevice {
    /// `gpu` or `system`.
    pub kind: String,
    /// For a person.
    pub name: String,
    /// All of it.
    pub total_mb: u64,
    /// By whomever.
    pub used_mb: u64,
}

/// A server that did not say what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryProblem {
    /// The provider, as it is configured.
    pub provider: String,
    /// `E1401` …
    pub code: String,
    /// For a person.
    pub message: String,
}
