//! Compiles Python without running it: finds what the grammar alone does not,
//! such as `return` outside a function.

use std::{process::Command, time::Duration};

use super::{Changed, Finding, extension};
use crate::process::{self, Failure};

/// Isolated (`-I`): neither the environment nor the current directory chooses
/// what is imported. Compiling runs nothing of the source.
const SCRIPT: &str = "\
import sys, warnings
warnings.simplefilter('ignore')
try:
    compile(sys.stdin.buffer.read(), sys.argv[1], 'exec', dont_inherit=True)
except (SyntaxError, ValueError) as e:
    print(f'{sys.argv[1]}:{getattr(e, \"lineno\", None) or 1}: {getattr(e, \"msg\", None) or e}')
    sys.exit(3)
";

/// Exit code of the script for a source that does not compile.
const REFUSED: i32 = 3;

const COMMAND: &str = "python3 -I -c 'compile(…)'";

pub(super) fn concerns(path: &str) -> bool {
    extension(path) == "py"
}

pub(super) fn check(changed: &[Changed], timeout: Duration) -> Finding {
    let Ok(directory) = tempfile::tempdir() else {
        return Finding::skipped("there is no temporary directory");
    };
    let compile = |path: &str, source: &str| {
        let mut command = Command::new("python3");
        command
            .args(["-I", "-c", SCRIPT, path])
            .current_dir(directory.path())
            .env("PYTHONIOENCODING", "utf-8");
        process::run(&mut command, Some(source.as_bytes()), timeout, 4096)
    };
    let mut problems = Vec::new();
    for file in changed.iter().filter(|file| concerns(&file.path)) {
        let new = match compile(&file.path, &file.new) {
            Ok(output) => output,
            Err(Failure::TimedOut) => return Finding::skipped("python3 did not end in time"),
            Err(Failure::Io(error)) => return Finding::skipped(format!("python3 cannot be run: {error}")),
        };
        match new.code {
            Some(0) => {}
            Some(REFUSED) => {
                // A project for another Python version fails before and after.
                let before = compile(&file.path, &file.old);
                if !before.is_ok_and(|output| output.code == Some(REFUSED)) {
                    problems.push(String::from_utf8_lossy(&new.stdout).trim().to_owned());
                }
            }
            Some(_) | None => {
                let complaint = process::complaint(&new.stderr, 200);
                return Finding::skipped(format!("python3 does not work: {complaint}"));
            }
        }
    }
    Finding::of(&problems, Some(COMMAND.to_owned()))
}
