//! Resident memory of a program that has nothing to do.

use std::{fs, thread, time::Duration};

use anyhow::Context as _;

use super::{Bench, Row, launch::Which};

/// Time between listening and measuring: what a start allocates for a moment
/// is given back by then.
const SETTLE: Duration = Duration::from_secs(5);

struct IdleMemory(Which);

/// One row for each program.
pub fn rows() -> Vec<Box<dyn Row>> {
    Which::ALL
        .into_iter()
        .map(|which| Box::new(IdleMemory(which)) as Box<dyn Row>)
        .collect()
}

impl Row for IdleMemory {
    fn name(&self) -> String {
        format!("idle memory: {}", self.0.binary())
    }

    fn unit(&self) -> &'static str {
        "MiB"
    }

    fn measure(&self, bench: &Bench) -> anyhow::Result<Vec<f64>> {
        bench.each(|crew, dir| {
            let program = self.0.start(bench, crew, dir)?;
            self.0.wait_listening(program, dir)?;
            thread::sleep(SETTLE);
            program.check_alive()?;
            resident_mib(program.pid())
        })
    }
}

/// `VmRSS` of a process, in MiB (proc(5)).
pub(super) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("there is no /proc")?;
    parse(&status).context("/proc names no VmRSS")
}

fn parse(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory() {
        assert_eq!(parse("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2.0));
        assert_eq!(parse("Name:\tx\n"), None);
        assert!(resident_mib(std::process::id()).unwrap() > 0.1);
    }
}
