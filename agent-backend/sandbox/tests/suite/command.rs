//! A conversation with a program in the sandbox.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use sandbox::Stop;

use crate::support::{sandbox, script};

#[test]
fn a_program_answers_over_its_input_and_output() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let job = script("while read line; do echo \"[$line]\"; done", folder.path());
    let mut command = sandbox.command(&job, &Stop::default()).unwrap();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for word in ["one", "two"] {
        writeln!(to, "{word}").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("[{word}]"));
    }
    drop(to);
    assert!(lines.next().is_none());
    assert!(child.wait().unwrap().success());
}

#[test]
fn all_it_started_ends_with_it() {
    let Some(sandbox) = sandbox() else { return };
    let folder = tempfile::tempdir().unwrap();
    let job = script(
        "setsid sleep 60 & (sleep 60 &); echo ready; sleep 60",
        folder.path(),
    );
    let mut command = sandbox.command(&job, &Stop::default()).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    // The end of the output: nothing holds it any more.
    assert!(lines.next().is_none());
}
