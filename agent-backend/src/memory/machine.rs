//! What the machine says of its memory: GPUs through NVIDIA's library, its
//! program, or what the kernel tells of AMD's; main memory through `/proc` and
//! the limits of the control group.
//!
//! Any of them may be missing: that is normal and says nothing.

mod nvidia;
mod system;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::config::GpuSource;

const MIB: u64 = 1 << 20;

/// What kind of memory a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A GPU's own.
    Gpu,
    /// The machine's.
    System,
}

impl Kind {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::System => "system",
        }
    }
}

/// Memory of one kind, in MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its kind.
    pub kind: Kind,
    /// Name for a person.
    pub name: String,
    /// All of it.
    pub total_mb: u64,
    /// By whomever.
    pub used_mb: u64,
}

/// The memory of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// The GPUs, then the main memory, as far as they tell.
    pub devices: Vec<Device>,
}

impl Machine {
    /// Devices of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(move |device| device.kind == kind)
    }
}

/// Reads the memory of this machine.
#[derive(Debug)]
pub struct Gauge {
    gpu: GpuSource,
    /// Where `proc` and `sys` are.
    root: PathBuf,
    library: nvidia::Library,
}

impl Gauge {
    /// Asks nothing yet.
    pub fn new(gpu: GpuSource, root: PathBuf) -> Self {
        Self {
            gpu,
            root,
            library: nvidia::Library::default(),
        }
    }

    /// The memory now. Blocks: a program may be run for it.
    pub fn read(&self) -> Machine {
        let mut devices = self.gpus();
        devices.extend(system::read(&self.root));
        Machine { devices }
    }

    fn gpus(&self) -> Vec<Device> {
        match self.gpu {
            GpuSource::None => Vec::new(),
            GpuSource::Nvml => self.library.read(),
            GpuSource::NvidiaSmi => nvidia::program(),
            GpuSource::Amd => amd(&self.root),
            GpuSource::Auto => {
                let mut found = self.library.read();
                if found.is_empty() {
                    found = nvidia::program();
                }
                found.extend(amd(&self.root));
                found
            }
        }
    }
}

/// AMD's GPUs, whose driver writes their memory to files.
fn amd(root: &Path) -> Vec<Device> {
    let Ok(cards) = fs::read_dir(root.join("sys/class/drm")) else {
        return Vec::new();
    };
    let mut found: Vec<Device> = cards
        .filter_map(|card| {
            let card = card.ok()?.path();
            let name = card.file_name()?.to_str()?.to_owned();
            // `card0`, and not the sockets of it, as `card0-DP-1`.
            let number = name.strip_prefix("card")?;
            number.parse::<u32>().ok()?;
            let bytes = |file: &str| number_in(&card.join("device").join(file));
            Some(Device {
                kind: Kind::Gpu,
                name: format!("AMD {name}"),
                total_mb: bytes("mem_info_vram_total")? / MIB,
                used_mb: bytes("mem_info_vram_used")? / MIB,
            })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// A file that holds one number.
fn number_in(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
