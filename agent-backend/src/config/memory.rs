//! How the memory that models run in is watched.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The memory that models run in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// Who is asked for the memory of GPUs.
    pub gpu: GpuSource,
    /// Folder in which `proc` and `sys` are; another one where those of the
    /// machine are mounted into a container.
    pub root: PathBuf,
    /// Use from which a person is warned, in percent.
    pub warn_percent: u8,
    /// Use from which models will be put out of memory, in percent.
    pub critical_percent: u8,
    /// Between two looks, milliseconds.
    pub look_ms: u64,
}

/// Who is asked for the memory of GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GpuSource {
    /// Everybody who may know.
    #[default]
    Auto,
    /// The library of NVIDIA's driver.
    Nvml,
    /// The program of NVIDIA's driver.
    NvidiaSmi,
    /// What the kernel says of AMD's.
    Amd,
    /// Nobody.
    None,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            gpu: GpuSource::default(),
            root: PathBuf::from("/"),
            warn_percent: 70,
            critical_percent: 90,
            look_ms: 10_000,
        }
    }
}

impl Memory {
    /// Refuses thresholds that make no sense.
    pub fn check(&self) -> Result<(), String> {
        let (warn, critical) = (self.warn_percent, self.critical_percent);
        if warn == 0 || warn >= critical || critical > 100 {
            return Err(format!(
                "memory.warn_percent ({warn}) must be above 0 and below memory.critical_percent ({critical}), which is \
                 at most 100"
            ));
        }
        if self.look_ms == 0 {
            return Err("memory.look_ms must be at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        fn check(warn_percent: u8, critical_percent: u8, is_good: bool) {
            let memory = Memory {
                warn_percent,
                critical_percent,
                ..Memory::default()
            };
            assert_eq!(
                memory.check().is_ok(),
                is_good,
                "{warn_percent} {critical_percent}"
            );
        }
        check(70, 90, true);
        check(1, 100, true);
        check(90, 90, false);
        check(0, 90, false);
        check(70, 101, false);
    }

    #[test]
    fn words_for_sources() {
        let read = |text: &str| serde_json::from_str::<GpuSource>(&format!("\"{text}\"")).ok();
        let all = ["auto", "nvml", "nvidia-smi", "amd", "none", "cuda"].map(read);
        use GpuSource::{Amd, Auto, None as Nobody, NvidiaSmi, Nvml};
        let expect = [Auto, Nvml, NvidiaSmi, Amd, Nobody].map(Some);
        assert_eq!((&all[..5], all[5]), (&expect[..], None));
    }
}
