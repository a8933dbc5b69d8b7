//! The memory that models run in, for the wire.

use shared::wire::{MemoryDevice, MemoryProblem, MemoryView};

use crate::memory::{Device, Now, Problem};

/// The memory as it was seen.
pub fn memory(now: Now) -> MemoryView {
    let (available, percentage) = (now.report.available_mb(), now.report.percentage());
    let device = |device: Device| MemoryDevice {
        kind: device.kind.as_str().to_owned(),
        name: device.name,
        total_mb: device.total_mb,
        used_mb: device.used_mb,
    };
    let problem = |problem: Problem| MemoryProblem {
        provider: problem.provider,
        code: problem.code.to_string(),
        message: problem.message,
    };
    MemoryView {
        kind: now.report.room.as_str().to_owned(),
        vram_used_mb: now.report.used_mb,
        vram_available_mb: available,
        vram_total_mb: now.report.total_mb,
        percentage,
        peak_mb: now.peak_mb,
        level: now.level.as_str().to_owned(),
        components: now.report.components,
        elsewhere: now.report.elsewhere,
        devices: now.report.devices.into_iter().map(device).collect(),
        problems: now.report.problems.into_iter().map(problem).collect(),
    }
}
