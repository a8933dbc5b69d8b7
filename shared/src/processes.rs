//! Whether a process that has left its number somewhere still lives.

use procfs::process::{Process, StatFlags};

/// Whether the process with this number still does anything.
///
/// One that was killed keeps its number until whoever started it asks for its
/// exit code, and for a moment before it what it had open: it does not live. Where the
/// system tells nothing of its processes, none does.
pub fn lives(pid: u32) -> bool {
    let flags = i32::try_from(pid).ok().and_then(|pid| {
        let stat = Process::new(pid).ok()?.stat().ok()?;
        Some(StatFlags::from_bits_truncate(stat.flags))
    });
    flags.is_some_and(|flags| !flags.contains(StatFlags::PF_EXITING))
}

#[cfg(test)]
mod tests {
    use std::process::{self, Command};

    use super::*;

    #[test]
    fn who_was_killed_does_not_live_though_nobody_has_asked() {
        assert!(lives(process::id()));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(lives(child.id()));
        child.kill().unwrap();
        while lives(child.id()) {
            std::thread::yield_now();
        }
        // Its number is still its own.
        assert!(Process::new(child.id().try_into().unwrap()).is_ok());
        child.wait().unwrap();
        assert!(!lives(child.id()));
    }

    #[test]
    fn no_process_has_this_number() {
        assert!(!lives(u32::MAX));
    }
}
