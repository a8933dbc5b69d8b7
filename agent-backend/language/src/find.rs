//! Where a server is installed: on PATH, with rustup, and, in a project that
//! the person trusts, among the project's own packages. Runs nothing.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use shared::programs;

use crate::{Server, limits::MANIFEST_BYTES_MAX};

/// The first release of TypeScript that has a language server.
const TYPESCRIPT_MAJOR_MIN: u64 = 7;

/// Where a project keeps programs of its own.
const PROJECT_FOLDERS: &[&str] = &["node_modules/.bin", ".venv/bin", "venv/bin"];

/// Whether the person trusts the repository, so that programs in it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Its own servers are preferred.
    Trusted,
    /// Only what the person has installed runs.
    Untrusted,
}

/// Where programs of this machine are.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// As in `PATH`.
    pub path: OsString,
    /// The person's.
    pub home: Option<PathBuf>,
}

impl Places {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        Self {
            path: env::var_os("PATH").unwrap_or_default(),
            home: env::var_os("HOME")
                .filter(|home| !home.is_empty())
                .map(PathBuf::from),
        }
    }
}

/// A server that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Which.
    pub server: Server,
    /// Its program, absolute.
    pub program: PathBuf,
    /// The value of `PATH` with which it finds what it starts, and, in a
    /// trusted project, the project's interpreter.
    pub path: OsString,
}

impl Installed {
    /// The command, without a sandbox.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.server.arguments()).env("PATH", &self.path);
        command
    }
}

/// Looks for a server for the project at `root`.
pub fn find(server: Server, root: &Path, trust: Trust, places: &Places) -> Option<Installed> {
    let own: Vec<PathBuf> = match trust {
        Trust::Trusted => PROJECT_FOLDERS.iter().map(|folder| root.join(folder)).collect(),
        Trust::Untrusted => Vec::new(),
    };
    // It loads the compiler that it finds in the project, whatever it is told.
    if server == Server::TypeScriptLanguageServer
        && trust == Trust::Untrusted
        && root.join("node_modules/typescript").exists()
    {
        return None;
    }
    // Relative entries would let the workspace choose what runs, and so would
    // those inside it.
    let common: Vec<PathBuf> = programs::folders(&places.path)
        .filter(|folder| trust == Trust::Trusted || !folder.starts_with(root))
        .collect();
    let rustup = (server == Server::RustAnalyzer)
        .then(|| Some(places.home.as_ref()?.join(".cargo/bin")))
        .flatten();
    let folders = || own.iter().chain(&common).chain(&rustup);
    let program = folders()
        .map(|folder| folder.join(server.program()))
        .find(|program| programs::is_program(program) && fits(server, program, places))?;
    Some(Installed {
        server,
        program,
        path: env::join_paths(folders()).ok()?,
    })
}

/// Whether a program of the right name is the server.
fn fits(server: Server, program: &Path, places: &Places) -> bool {
    match server {
        Server::TypeScript => typescript_major(program).is_some_and(|major| major >= TYPESCRIPT_MAJOR_MIN),
        Server::RustAnalyzer => is_no_empty_proxy(program, places),
        Server::Basedpyright | Server::Pyright | Server::Pylsp | Server::TypeScriptLanguageServer => true,
    }
}

/// The major version of the package that a `tsc` belongs to.
fn typescript_major(program: &Path) -> Option<u64> {
    let program = fs::canonicalize(program).ok()?;
    let manifest = program
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("package.json"))
        .find(|manifest| manifest.is_file())?;
    if fs::metadata(&manifest).ok()?.len() > MANIFEST_BYTES_MAX {
        return None;
    }
    let manifest: Value = serde_json::from_str(&fs::read_to_string(manifest).ok()?).ok()?;
    if manifest.get("name")?.as_str()? != "typescript" {
        return None;
    }
    manifest.get("version")?.as_str()?.split('.').next()?.parse().ok()
}

/// Rustup puts a `rust-analyzer` beside `cargo` whether the component is
/// installed or not. It is if any toolchain has it; whether the project's has,
/// the start will say.
fn is_no_empty_proxy(program: &Path, places: &Places) -> bool {
    let is_rustup = |path: &Path| {
        fs::canonicalize(path).is_ok_and(|path| path.file_name().is_some_and(|name| name == "rustup"))
    };
    let beside = program.with_file_name("rustup");
    let same_file = || {
        use std::os::unix::fs::MetadataExt as _;
        let of = |path: &Path| {
            fs::metadata(path)
                .map(|metadata| (metadata.dev(), metadata.ino()))
                .ok()
        };
        of(program).is_some() && of(program) == of(&beside)
    };
    if !is_rustup(program) && !same_file() {
        return true;
    }
    let toolchains = places.home.as_ref().map(|home| home.join(".rustup/toolchains"));
    let Some(entries) = toolchains.and_then(|folder| fs::read_dir(folder).ok()) else {
        // Elsewhere than usual: the start will say.
        return true;
    };
    entries
        .flatten()
        .any(|toolchain| toolchain.path().join("bin/rust-analyzer").is_file())
}

#[cfg(test)]
mod tests;
