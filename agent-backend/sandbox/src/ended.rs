//! How a job ended, what it said, and how to stop it before.

use std::{
    ffi::OsStr,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// One of the two outputs of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How it ended.
    pub ending: Ending,
    /// From start to end, the sandbox's own time included.
    pub duration: Duration,
    /// Standard output: all of it, or its beginning and its end.
    pub stdout: Vec<u8>,
    /// Standard error, likewise.
    pub stderr: Vec<u8>,
    /// How many bytes of both were left out.
    pub left_out_bytes: u64,
    /// What was run, exactly.
    pub recipe: Recipe,
}

/// How a job ended. Whatever it is, nothing that the job started runs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status; 127 if there is no such program, 126 if it
    /// cannot be executed.
    Exited(i32),
    /// Killed by this signal. A program that ends with 128 plus a signal's
    /// number looks the same.
    Signalled(i32),
    /// It took longer than it may.
    TimedOut,
    /// It took more memory than it may.
    OutOfMemory,
    /// It wrote more into its mounts than it may, or the disk was nearly full.
    WroteTooMuch,
    /// Somebody stopped it.
    Stopped,
}

impl Ending {
    /// Whether the program itself said that all is well.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signalled(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut => f.write_str("took longer than it may"),
            Self::OutOfMemory => f.write_str("took more memory than it may"),
            Self::WroteTooMuch => f.write_str("wrote more than it may"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// The exact command line, for whoever wants to see it done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The program and what it was called with; bytes that are no UTF-8 are
    /// replaced.
    pub argv: Vec<String>,
}

impl Recipe {
    pub(crate) fn new<'a>(argv: impl IntoIterator<Item = &'a OsStr>) -> Self {
        Self {
            argv: argv
                .into_iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        }
    }
}

impl fmt::Display for Recipe {
    /// As a shell takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.argv.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// Stops jobs from another thread; clones stop the same ones, and once is for ever.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Kills what runs with this, and all that runs with it later.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody has stopped it.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_reads_as_a_shell_takes_it() {
        let check = |words: &[&str], expect: &str| {
            assert_eq!(Recipe::new(words.iter().map(OsStr::new)).to_string(), expect);
        };
        check(
            &["bwrap", "--ro-bind", "/usr", "/usr"],
            "bwrap --ro-bind /usr /usr",
        );
        check(
            &["echo", "", "a b", "it's", "$x"],
            r"echo '' 'a b' 'it'\''s' '$x'",
        );
    }
}
