//! The memory of a job's processes together, where no control group counts it.

use std::{collections::HashMap, fs};

use procfs::{
    FromRead as _,
    process::{Status, all_processes},
};

/// Bytes of memory that `root` and everything it started holds for itself or shares
/// with nobody but its own, as the kernel tells it.
pub(crate) fn memory_bytes(root: u32) -> u64 {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    // Who ends while it is looked at holds nothing any more. Each one that is kept
    // would be an open file.
    for process in all_processes().into_iter().flatten().flatten() {
        if let Ok(stat) = process.stat() {
            children.entry(stat.ppid).or_default().push(process.pid());
        }
    }
    let mut open: Vec<i32> = i32::try_from(root).into_iter().collect();
    let mut sum = 0;
    while let Some(pid) = open.pop() {
        sum += own_bytes(pid);
        open.extend(children.remove(&pid).unwrap_or_default());
    }
    sum
}

fn own_bytes(pid: i32) -> u64 {
    const KIB: u64 = 1024;
    // A job may call itself what is no text, and must be counted all the same.
    let status = fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    let status = Status::from_read(String::from_utf8_lossy(&status).as_bytes());
    status.map_or(0, |status| {
        let parts = [status.rssanon, status.rssshmem];
        parts.into_iter().flatten().sum::<u64>().saturating_mul(KIB)
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn what_a_process_starts_counts_with_it() {
        let mut shell = Command::new("sh")
            .args(["-c", "printf '\\377) R 1 (:' > /proc/$$/comm; cat; exit 0"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let own = || own_bytes(shell.id().try_into().unwrap());
        while own() == 0 || memory_bytes(shell.id()) <= own() {
            std::thread::yield_now();
        }
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert_eq!(memory_bytes(shell.id()), 0);
    }
}
