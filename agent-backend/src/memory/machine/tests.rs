use tempfile::TempDir;

use super::*;

/// A machine of files.
fn machine(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn check(gpu: GpuSource, files: &[(&str, &str)], expect: &[(Kind, &str, u64, u64)]) {
    let root = machine(files);
    let found = Gauge::new(gpu, root.path().to_owned()).read();
    let found: Vec<_> = found
        .devices
        .iter()
        .map(|device| (device.kind, device.name.as_str(), device.total_mb, device.used_mb))
        .collect();
    assert_eq!(found, expect);
}

const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:       16777216 kB\nMemFree:          100 kB\nMemAvailable:   12582912 kB\nBuffers: 1 kB\n",
);

#[test]
fn main_memory() {
    check(GpuSource::None, &[], &[]);
    check(GpuSource::None, &[("proc/meminfo", "MemTotal: much\n")], &[]);
    check(
        GpuSource::None,
        &[MEMINFO],
        &[(Kind::System, "main memory", 16384, 4096)],
    );
}

#[test]
fn the_limit_of_the_control_group() {
    let group = "main memory of the control group";
    // Version 2: the group above has the smaller limit.
    check(
        GpuSource::None,
        &[
            MEMINFO,
            ("proc/self/cgroup", "0::/ide/backend\n"),
            ("sys/fs/cgroup/ide/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/ide/memory.current", "1073741824\n"),
            (
                "sys/fs/cgroup/ide/memory.stat",
                "anon 1\ninactive_file 536870912\n",
            ),
            ("sys/fs/cgroup/ide/backend/memory.max", "max\n"),
            ("sys/fs/cgroup/ide/backend/memory.current", "1073741824\n"),
        ],
        &[(Kind::System, group, 2048, 512)],
    );
    // Version 1, which writes a huge number for none.
    let one = |limit| {
        [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu:/a\n4:memory:/a\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", limit),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1073741824\n"),
        ]
    };
    check(
        GpuSource::None,
        &one("4294967296\n"),
        &[(Kind::System, group, 4096, 1024)],
    );
    check(
        GpuSource::None,
        &one("9223372036854771712\n"),
        &[(Kind::System, "main memory", 16384, 4096)],
    );
}

#[test]
fn gpus_that_tell_by_files() {
    let files = [
        ("sys/class/drm/card1/device/mem_info_vram_total", "17163091968\n"),
        ("sys/class/drm/card1/device/mem_info_vram_used", "1048576000\n"),
        ("sys/class/drm/card0/device/vendor", "0x8086\n"),
        ("sys/class/drm/card1-DP-1/status", "connected\n"),
        (
            "sys/class/drm/renderD128/device/mem_info_vram_total",
            "17163091968\n",
        ),
        ("sys/class/drm/renderD128/device/mem_info_vram_used", "1\n"),
    ];
    check(GpuSource::Amd, &files, &[(Kind::Gpu, "AMD card1", 16368, 1000)]);
    check(GpuSource::None, &files, &[]);
}
