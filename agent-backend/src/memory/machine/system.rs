//! Main memory: the kernel's numbers, and the limit of the control group where
//! that is smaller. Linux alone; elsewhere nothing is known.

use std::{fs, path::Path};

use super::{Device, Kind, MIB, number_in};

/// The machine's memory, if it tells.
pub(super) fn read(root: &Path) -> Option<Device> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let (total, available) = meminfo(&text)?;
    let whole = Device {
        kind: Kind::System,
        name: "main memory".to_owned(),
        total_mb: total / MIB,
        used_mb: total.saturating_sub(available) / MIB,
    };
    let Some((limit, used)) = group(root).filter(|(limit, _)| *limit < total) else {
        return Some(whole);
    };
    Some(Device {
        name: "main memory of the control group".to_owned(),
        total_mb: limit / MIB,
        used_mb: used.min(limit) / MIB,
        ..whole
    })
}

/// All memory and what can be had of it, in bytes.
fn meminfo(text: &str) -> Option<(u64, u64)> {
    let bytes = |key: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
        let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some((bytes("MemTotal:")?, bytes("MemAvailable:")?))
}

/// The limit of the control group that this process is in, or of one above it,
/// and what is used there without what can be given back, in bytes.
fn group(root: &Path) -> Option<(u64, u64)> {
    let groups = root.join("sys/fs/cgroup");
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    // Version 2 has one line, `0::/path`; version 1 one for each controller.
    if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) {
        let found = smallest(&groups, path, |folder| {
            let used = number_in(&folder.join("memory.current"))?;
            Some((
                number_in(&folder.join("memory.max"))?,
                free_of_files(folder, used),
            ))
        });
        if found.is_some() {
            return found;
        }
    }
    let path = own
        .lines()
        .find_map(|line| line.split_once(":memory:/").map(|(_, path)| path))?;
    smallest(&groups.join("memory"), path, |folder| {
        let used = number_in(&folder.join("memory.usage_in_bytes"))?;
        Some((
            number_in(&folder.join("memory.limit_in_bytes"))?,
            free_of_files(folder, used),
        ))
    })
}

/// The smallest limit on the way from a group to the root.
fn smallest(groups: &Path, path: &str, read: impl Fn(&Path) -> Option<(u64, u64)>) -> Option<(u64, u64)> {
    let own = groups.join(path);
    own.ancestors()
        .take_while(|folder| folder.starts_with(groups))
        .filter_map(read)
        .min_by_key(|(limit, _)| *limit)
}

/// Pages of files that nobody uses now are given back when they are needed.
fn free_of_files(folder: &Path, used: u64) -> u64 {
    let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let inactive = text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        matches!(key, "inactive_file" | "total_inactive_file").then(|| value.trim().parse::<u64>().ok())?
    });
    used.saturating_sub(inactive.unwrap_or(0))
}
