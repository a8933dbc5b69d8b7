//! The memory of a job's processes together, where no control group counts it.

use std::{collections::HashMap, fs};

/// Bytes of memory that `root` and everything it started holds for itself or shares
/// with nobody but its own, as the kernel tells it.
pub(crate) fn memory_bytes(root: u32) -> u64 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut open = vec![root];
    let mut sum = 0;
    while let Some(pid) = open.pop() {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        sum += own_bytes(&status);
        open.extend(children.remove(&pid).unwrap_or_default());
    }
    sum
}

/// The parent's number; the name before it can hold anything, parentheses too.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn own_bytes(status: &str) -> u64 {
    const KIB: u64 = 1024;
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    ["RssAnon:", "RssShmem:"]
        .iter()
        .filter_map(|name| field(name))
        .sum::<u64>()
        .saturating_mul(KIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(parent("42 (a) b) S 7 42 42 0"), Some(7));
        assert_eq!(parent("42 (cut"), None);
        let status = "Name:\tx\nRssAnon:\t    2048 kB\nRssFile:\t 900 kB\nRssShmem:\t       4 kB\n";
        assert_eq!(own_bytes(status), 2052 * 1024);
        assert_eq!(own_bytes(""), 0);
    }

    #[test]
    fn this_process_has_memory() {
        assert!(memory_bytes(std::process::id()) > 0);
    }
}
