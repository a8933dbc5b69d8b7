//! A session of the official Python client, unmodified, over both edges.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::tempdir;

use crate::support::{Launcher, Real};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// Where the environment with the client is kept between runs.
fn environment() -> PathBuf {
    let named = |variable: &str| {
        env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("AGENTIC_IDE_VENV").unwrap_or_else(|| {
        named("XDG_CACHE_HOME")
            .or_else(|| Some(named("HOME")?.join(".cache")))
            .unwrap_or_else(env::temp_dir)
            .join("agentic-ide/venv")
    })
}

/// The interpreter of an environment that has the pinned client; made on the
/// first run. What is missing otherwise.
fn python() -> Result<PathBuf, String> {
    let pins = Path::new(FOLDER).join("requirements.txt");
    let pin = fs::read_to_string(&pins).unwrap();
    let wanted = pin.trim().rsplit_once("==").unwrap().1;
    let folder = environment();
    let python = folder.join("bin/python");
    let version = "import importlib.metadata as m; print(m.version('qdrant-client'))";
    let has = || said(Command::new(&python).args(["-c", version])).is_ok_and(|found| found.trim() == wanted);
    if !has() {
        said(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut install = Command::new(&python);
        install.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        said(install.arg(&pins))?;
    }
    Ok(python)
}

fn said(command: &mut Command) -> Result<String, String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&stderr)))
    }
}

/// The interpreter, or a word about why there is none.
#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests should see what did not run"
)]
fn interpreter() -> Option<PathBuf> {
    match python() {
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
        let output = said(&mut session);
        assert_eq!(output, Ok(format!("{edge}: ok\n")));
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
