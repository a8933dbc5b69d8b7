//! Programs that are no language servers, and servers that die.

use std::{path::Path, process::Command, time::Duration};

use language::{Client, Error, Server, Stop, Timeouts, check};

const LONG: Duration = Duration::from_secs(60);

fn timeouts(start: Duration) -> Timeouts {
    Timeouts {
        start,
        diagnostics: LONG,
        answer: LONG,
    }
}

/// The error with a server that is this shell script.
fn error(script: &str, start: Duration) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Client::start(Server::Pyright, command, dir.path(), timeouts(start)).unwrap_err()
}

#[test]
fn a_program_that_is_missing_is_named() {
    let command = Command::new("/no/such/program");
    let error = Client::start(Server::Pyright, command, Path::new("/"), timeouts(LONG)).unwrap_err();
    assert!(matches!(error, Error::NotStarted { .. }));
    assert!(
        error.to_string().starts_with("pyright cannot be started: "),
        "{error}"
    );
}

#[test]
fn a_program_that_ends_says_how_and_why() {
    assert_eq!(
        error("echo 'no license'; exit 3", LONG).to_string(),
        "pyright does not speak the Language Server Protocol: it writes \"no license\""
    );
    assert_eq!(
        error("echo 'cannot find module' >&2; exec 1>&-; exit 3", LONG).to_string(),
        "pyright ended with exit status: 3; it last wrote: cannot find module"
    );
    assert_eq!(
        error("kill -9 $$", LONG).to_string(),
        "pyright ended with signal: 9 (SIGKILL)"
    );
}

#[test]
fn rubbish_and_floods_are_named() {
    let flood = error("yes | tr -d '\\n'", LONG).to_string();
    assert!(
        flood.starts_with("pyright does not speak the Language Server Protocol: it writes \"yyy"),
        "{flood}"
    );
    let huge = error(
        "printf 'Content-Length: 99999999999\\r\\n\\r\\n'; exec sleep 1000",
        LONG,
    );
    assert_eq!(
        huge.to_string(),
        "pyright does not speak the Language Server Protocol: a message has 99999999999 bytes"
    );
    // Standard error is read, so that it blocks nobody, and only its end kept.
    let noisy = error(
        "head -c 3000000 /dev/zero | tr '\\0' 'e' >&2; echo end >&2; exit 1",
        LONG,
    )
    .to_string();
    assert!(noisy.ends_with("eeeend") && noisy.len() < 3000, "{noisy}");
}

#[test]
fn a_program_that_hangs_is_ended_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let mut command = Command::new("sh");
    let script = "sleep 1000 & echo $! $$ > pids.new; mv pids.new pids; wait";
    command.args(["-c", script]).current_dir(dir.path());
    // Long enough for a shell to write the numbers; if not, the test says so.
    let error = Client::start(
        Server::Pyright,
        command,
        dir.path(),
        timeouts(Duration::from_secs(2)),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "pyright did not answer initialize within 2 s"
    );
    let pids = std::fs::read_to_string(pids).unwrap();
    for pid in pids.split_whitespace() {
        crate::support::until_gone(pid.parse().unwrap());
    }
}

#[test]
fn a_server_that_nobody_waits_for_is_ended_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let mut command = Command::new("sh");
    // It would not end by itself when it is told to.
    let script = "sleep 1000 & echo $! $$ > pids.new; mv pids.new pids; wait";
    command.args(["-c", script]).current_dir(dir.path());
    let started = pids.clone();
    let stop = Stop::when(move || started.exists());
    let error = Client::start_until(Server::Pyright, command, dir.path(), timeouts(LONG), stop);
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    let pids = std::fs::read_to_string(pids).unwrap();
    for pid in pids.split_whitespace() {
        crate::support::until_gone(pid.parse().unwrap());
    }
}

#[test]
fn files_of_other_languages_start_nothing() {
    let command = Command::new("/no/such/program");
    let files = [("README.md", "x")];
    let found = check(
        Server::Pyright,
        command,
        Path::new("/"),
        &[],
        &files,
        Timeouts::default(),
        Stop::never(),
    );
    assert_eq!(found.unwrap(), []);
}
