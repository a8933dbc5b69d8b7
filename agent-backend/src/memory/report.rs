//! What is used of which memory, out of what the machine and the model servers
//! say. Pure; a number that nobody says is not made up.

use std::collections::BTreeMap;

use models::{LoadedModel, ServerMemory};
use shared::error::Code;

use super::machine::{Device, Kind, Machine};

/// What takes memory beside the models.
const OTHERS: &str = "other";

/// What each provider says of its servers.
pub type Servers = Vec<(String, Vec<ServerMemory>)>;

/// The memory that models run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// That of the GPUs of this machine.
    Gpu,
    /// The main memory of this machine.
    System,
    /// That of other machines, which nobody can ask.
    Elsewhere,
    /// That of a GPU of this machine that does not tell.
    Unknown,
}

impl Room {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::System => "system",
            Self::Elsewhere => "elsewhere",
            Self::Unknown => "unknown",
        }
    }

    /// For a person, when it fills up.
    pub fn full(self) -> &'static str {
        match self {
            Self::Gpu => "the GPU's memory fills up",
            Self::System | Self::Elsewhere | Self::Unknown => "the memory that models run in fills up",
        }
    }
}

/// A server that did not say what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The provider.
    pub provider: String,
    /// What is wrong.
    pub code: Code,
    /// For a person.
    pub message: String,
}

/// The memory that models run in, in MiB.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which memory.
    pub room: Room,
    /// By everybody; by models alone where nobody says more.
    pub used_mb: u64,
    /// All of it, if known.
    pub total_mb: Option<u64>,
    /// What takes it: models by name, and `other`. Their sum is `used_mb`.
    pub components: BTreeMap<String, u64>,
    /// Models on other machines than `room`'s, by server.
    pub elsewhere: BTreeMap<String, BTreeMap<String, u64>>,
    /// All memory of this machine.
    pub devices: Vec<Device>,
    /// Servers that did not say.
    pub problems: Vec<Problem>,
}

impl Report {
    /// What is left, in MiB, if known.
    pub fn available_mb(&self) -> Option<u64> {
        Some(self.total_mb?.saturating_sub(self.used_mb))
    }

    /// How much is used, in percent with one decimal, 100 at most, if known.
    pub fn percentage(&self) -> Option<f64> {
        let total = self.total_mb.filter(|total| *total > 0)?;
        let permille = (self.used_mb.saturating_mul(1_000).saturating_add(total / 2)) / total;
        Some(f64::from(u16::try_from(permille).unwrap_or(u16::MAX).min(1_000)) / 10.0)
    }
}

/// Joins what is said.
pub fn of(machine: Machine, servers: Servers) -> Report {
    let mut here: BTreeMap<(String, String), LoadedModel> = BTreeMap::new();
    let mut elsewhere: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut problems: Vec<Problem> = Vec::new();
    let (mut any_here, mut any) = (false, false);
    for (provider, servers) in servers {
        for ServerMemory {
            server,
            is_here,
            models,
        } in servers
        {
            any = true;
            any_here |= is_here;
            match models {
                // Two providers may be one server: a model counts once.
                Ok(models) if is_here => {
                    here.extend(
                        models
                            .into_iter()
                            .map(|model| ((server.clone(), model.name.clone()), model)),
                    );
                }
                Ok(models) => {
                    let held = models.into_iter().map(|model| (model.name, model.size_mb));
                    elsewhere.entry(server).or_default().extend(held);
                }
                Err(error) => problems.push(Problem {
                    provider: provider.clone(),
                    code: error.code(),
                    message: error.to_string(),
                }),
            }
        }
    }
    let is_on_gpu = here.values().any(|model| model.vram_mb > 0);
    let gpus: Vec<&Device> = machine.of(Kind::Gpu).collect();
    let room = if any && !any_here {
        Room::Elsewhere
    } else if !gpus.is_empty() && (here.is_empty() || is_on_gpu) {
        Room::Gpu
    } else if is_on_gpu || machine.of(Kind::System).next().is_none() {
        Room::Unknown
    } else {
        Room::System
    };
    let mut components: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, name), model) in here {
        let size = match room {
            Room::Gpu => model.vram_mb,
            Room::System | Room::Unknown | Room::Elsewhere => model.size_mb,
        };
        *components.entry(name).or_default() += size;
    }
    let of_kind = |kind| {
        machine.of(kind).fold((0, 0), |(used, total), device| {
            (used + device.used_mb, total + device.total_mb)
        })
    };
    let (taken, total_mb) = match room {
        Room::Gpu => {
            let (used, total) = of_kind(Kind::Gpu);
            (used, Some(total))
        }
        Room::System => {
            let (used, total) = of_kind(Kind::System);
            (used, Some(total))
        }
        Room::Elsewhere => {
            for (name, size) in elsewhere.values().flatten() {
                *components.entry(name.clone()).or_default() += size;
            }
            (0, None)
        }
        Room::Unknown => (0, None),
    };
    let by_models: u64 = components.values().sum();
    // A server counts what it has asked for, and files that are mapped are
    // nobody's: the machine may say less than the models take.
    if taken > by_models {
        components.insert(OTHERS.to_owned(), taken - by_models);
    }
    Report {
        room,
        used_mb: taken.max(by_models),
        total_mb,
        components,
        elsewhere,
        devices: machine.devices,
        problems,
    }
}

#[cfg(test)]
mod tests;
