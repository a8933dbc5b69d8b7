//! Runs cargo for the whole workspace, always into the same target directory.

use std::{env, process::Command};

use anyhow::{Context as _, bail};

use crate::{paths::Paths, say};

/// A cargo command in the clone.
pub fn command(paths: &Paths) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(&paths.root)
        .env("CARGO_TARGET_DIR", &paths.target);
    if env::var_os("CI").is_some() {
        // Nobody builds a second time there; incremental files only cost.
        command.env("CARGO_INCREMENTAL", "0");
    }
    // Set by the cargo that started us; the nested one finds its own.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name.as_ref());
        }
    }
    command
}

/// A cargo command that builds a program optimised and runs it; arguments that are
/// added go to the program.
pub fn run_release(paths: &Paths, package: &str) -> Command {
    let mut cargo = command(paths);
    cargo.args([
        "run",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        package,
        "--",
    ]);
    cargo
}

/// A test that is quick to build.
const SMALL_TEST: &str = "schemas";

/// How the programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build.
    Debug,
    /// As it is shipped.
    Release,
}

impl Profile {
    /// Name of its folder in the target directory.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds some of the workspace's programs, unless they are given.
pub fn build(paths: &Paths, profile: Profile, programs: &[&str]) -> anyhow::Result<()> {
    if let Some(dir) = &paths.given {
        say::note(&format!(
            "AGENTIC_IDE_BIN_DIR is set: nothing is built, the programs are those in {}",
            dir.display()
        ));
        return Ok(());
    }
    let arguments: Vec<&str> = programs.iter().flat_map(|program| ["--bin", program]).collect();
    run(paths, profile, &arguments)
}

/// Builds an example, unless the programs are given: then it is expected among them.
pub fn build_example(paths: &Paths, profile: Profile, example: &str) -> anyhow::Result<()> {
    if paths.given.is_some() {
        return Ok(());
    }
    run(paths, profile, &["--example", example])
}

fn run(paths: &Paths, profile: Profile, arguments: &[&str]) -> anyhow::Result<()> {
    let mut cargo = command(paths);
    // Always as parts of the whole workspace, however few are built: alone they
    // would be built with other features, and most of what they use twice.
    cargo.args(["build", "--locked", "--workspace"]).args(arguments);
    match profile {
        // For the same reason: with a test, the features are those of all tests.
        Profile::Debug => cargo.args(["--test", SMALL_TEST]),
        Profile::Release => cargo.arg("--release"),
    };
    let status = cargo.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the build failed; the compiler's message is above");
    }
    Ok(())
}
