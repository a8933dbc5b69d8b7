//! A session of the official Python client, unmodified, over both edges.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use python_environment::{Dependencies, output};
use tempfile::tempdir;

use crate::support::{Launcher, Real};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// The interpreter, or a word about why there is none.
#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests should see what did not run"
)]
fn interpreter() -> Option<PathBuf> {
    let folder = python_environment::folder("AGENTIC_IDE_VENV", "venv");
    let requirements = include_str!("../python/requirements.txt");
    match python_environment::interpreter(&folder, requirements, Dependencies::Installed) {
        Ok(python) => Some(python),
        Err(missing) if env::var_os("CI").is_none() => {
            eprintln!("skipped, because there is no Python client (in CI this fails): {missing}");
            None
        }
        Err(missing) => panic!("{missing}"),
    }
}

fn sessions(python: &Path, launcher: &Launcher) {
    for edge in ["rest", "grpc"] {
        let mut session = Command::new(python);
        session
            .arg(Path::new(FOLDER).join("session.py"))
            .args([launcher.ports.http.to_string(), launcher.ports.grpc.to_string()])
            .arg(edge);
        let said = output(&mut session, b"");
        assert_eq!(said, Ok(format!("{edge}: ok\n")));
    }
}

#[test]
fn the_python_client_cannot_tell_the_difference() {
    let Some(python) = interpreter() else { return };
    let folder = tempdir().unwrap();
    sessions(&python, &Launcher::embedded(folder.path()));
}

/// The same session, so that it asks for nothing that only the embedded engine does.
#[test]
fn a_real_qdrant_has_the_same_session() {
    let Some(program) = Real::program() else { return };
    let Some(python) = interpreter() else { return };
    let folder = tempdir().unwrap();
    sessions(&python, &Launcher::supervising(folder.path(), &program));
}
