//! NVIDIA's GPUs: the driver's library, which is loaded if it is there, and the
//! driver's program.

use std::{
    fmt,
    process::{Command, Stdio},
    sync::OnceLock,
};

use nvml_wrapper::{Nvml, error::NvmlError};

use super::{Device, Kind, MIB};

/// What the program is asked.
const ARGUMENTS: [&str; 2] = [
    "--query-gpu=name,memory.total,memory.used",
    "--format=csv,noheader,nounits",
];

/// The library, loaded at the first look.
#[derive(Default)]
pub(super) struct Library(OnceLock<Option<Nvml>>);

impl Library {
    pub(super) fn read(&self) -> Vec<Device> {
        let library = self.0.get_or_init(|| match Nvml::init() {
            Ok(library) => Some(library),
            Err(error) => {
                tracing::debug!(%error, "no library of NVIDIA's driver");
                None
            }
        });
        let Some(library) = library else {
            return Vec::new();
        };
        devices(library).unwrap_or_else(|error| {
            tracing::debug!(%error, "NVIDIA's driver does not tell its memory");
            Vec::new()
        })
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

fn devices(library: &Nvml) -> Result<Vec<Device>, NvmlError> {
    (0..library.device_count()?)
        .map(|at| {
            let device = library.device_by_index(at)?;
            let memory = device.memory_info()?;
            Ok(Device {
                kind: Kind::Gpu,
                name: device.name()?,
                total_mb: memory.total / MIB,
                used_mb: memory.used / MIB,
            })
        })
        .collect()
}

/// What `nvidia-smi` says.
pub(super) fn program() -> Vec<Device> {
    let output = Command::new("nvidia-smi")
        .args(ARGUMENTS)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => parsed(&String::from_utf8_lossy(&output.stdout)),
        Ok(output) => {
            tracing::debug!(status = %output.status, "nvidia-smi fails");
            Vec::new()
        }
        Err(_not_there) => Vec::new(),
    }
}

/// Lines of `name, total, used` in MiB. A name may hold commas; a number may be
/// `[N/A]`, as where the GPU has no memory of its own.
fn parsed(text: &str) -> Vec<Device> {
    let device = |line: &str| {
        let mut parts = line.rsplitn(3, ',');
        let used_mb = parts.next()?.trim().parse().ok()?;
        let total_mb = parts.next()?.trim().parse().ok()?;
        Some(Device {
            kind: Kind::Gpu,
            name: parts.next()?.trim().to_owned(),
            total_mb,
            used_mb,
        })
    };
    text.lines().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_prints() {
        fn check(text: &str, expect: &[(&str, u64, u64)]) {
            let found = parsed(text);
            let found: Vec<_> = found
                .iter()
                .map(|device| (device.name.as_str(), device.total_mb, device.used_mb))
                .collect();
            assert_eq!(found, expect, "{text}");
        }
        check("", &[]);
        check(
            "NVIDIA GeForce RTX 4060 Ti, 16380, 4234\nTesla T4, 15360, 2\n",
            &[
                ("NVIDIA GeForce RTX 4060 Ti", 16380, 4234),
                ("Tesla T4", 15360, 2),
            ],
        );
        check("A, B, 10, 1", &[("A, B", 10, 1)]);
        check("NVIDIA GB10, [N/A], [N/A]\n", &[]);
        check(
            "Failed to initialize NVML: Driver/library version mismatch\n",
            &[],
        );
    }
}
