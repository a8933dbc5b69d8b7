//! Watches a program that runs without a sandbox: it ends with the backend, even one that
//! is killed and can end nothing itself.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::{getpgrp, getppid},
};

use super::{FIRST_OF_OTHERS, STATUS_FAILED, not_run, say};

/// How often the program and the backend are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A shell says it with this much and the signal's number.
const SIGNALLED: i32 = 128;

/// Runs the program to its end, or to that of the backend, whose child this is.
pub(super) fn run(backend: u32, words: &[OsString]) -> ExitCode {
    let [program, arguments @ ..] = words else {
        say("there is nothing to run");
        return ExitCode::from(STATUS_FAILED);
    };
    close_fds::set_fds_cloexec(FIRST_OF_OTHERS, &[]);
    let mut child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => return not_run(program, &error),
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let status = status.code().or(status.signal().map(|signal| SIGNALLED + signal));
                let status = status.and_then(|status| u8::try_from(status).ok());
                return ExitCode::from(status.unwrap_or(STATUS_FAILED));
            }
            Ok(None) if u32::try_from(getppid().as_raw()) == Ok(backend) => thread::sleep(LOOK),
            // The backend is gone: so is this process, with its group.
            Ok(None) | Err(_) => {
                let _gone = killpg(getpgrp(), Signal::SIGKILL);
                return ExitCode::from(STATUS_FAILED);
            }
        }
    }
}
