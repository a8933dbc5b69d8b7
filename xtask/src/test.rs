//! `cargo xtask test`: everything CI asks, on a machine that has nothing yet.
//!
//! Every step runs even if an earlier one failed, so that one run tells all;
//! only what cannot work without another step is left out, and said.

mod packages;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::bail;
use clap::Args;

use crate::{
    cargo::{self, Profile},
    clock::Stopwatch,
    needs::{self, Need, Severity},
    paths::Paths,
    say,
};

/// Options of the tests.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// Formatting and unit tests alone: nothing is installed, no lints, no
    /// end-to-end tests.
    #[arg(long)]
    fast: bool,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    LeftOut(String),
}

struct Step {
    name: &'static str,
    time: Duration,
    outcome: Outcome,
}

/// Runs the tests; an error after the summary if anything failed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let paths = Paths::find();
    let mut steps = Steps::default();
    let mut variables = variables(&paths);

    needs::ensure(&[needs::GIT, needs::C_COMPILER], Severity::Required)?;
    if !options.fast {
        steps.run("packages", install);
        // What it installs is exported; without it, its tests say that they are
        // left out.
        for wanted in packages::WANTED {
            match steps.run(wanted.step, || wanted.install(&paths)) {
                Some(path) => variables.push((wanted.variable.into(), path)),
                None => say::note(wanted.without),
            }
        }
    }
    let before = untracked(&paths);

    steps.cargo("format", cargo::command(&paths).args(["fmt", "--all", "--check"]));
    if !options.fast {
        let words = [
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        steps.cargo(
            "lints",
            cargo::command(&paths).args(words).envs(variables.clone()),
        );
    }
    // Binaries and tests in one build: apart, they would be built with other
    // features each, and most of the workspace twice.
    let scope: &[&str] = if options.fast {
        &["--workspace", "--exclude", "tests"]
    } else {
        &["--workspace"]
    };
    let mut build = cargo::command(&paths);
    build
        .args(["build", "--locked", "--lib", "--bins", "--tests"])
        .args(scope)
        .envs(variables.clone());
    if steps.cargo("build", &mut build) {
        let mut test = cargo::command(&paths);
        test.args(["test", "--locked", "--no-fail-fast"]);
        // The same targets as the build, so that nothing is built again.
        test.args(["--lib", "--bins", "--tests"])
            .args(scope)
            .envs(variables.clone());
        steps.cargo("tests", &mut test);
        let mut doc = cargo::command(&paths);
        doc.args(["test", "--locked", "--no-fail-fast", "--doc"])
            .args(scope)
            .envs(variables);
        if !options.fast {
            steps.cargo("examples in documentation", &mut doc);
        }
    } else {
        steps.leave_out("tests", "the build failed");
    }
    steps.run("tree", || unchanged(&before, &untracked(&paths)));
    steps.finish()
}

/// What the tests look for.
fn variables(paths: &Paths) -> Vec<(OsString, OsString)> {
    let bin_dir = paths.target.join(Profile::Debug.folder());
    vec![
        ("AGENTIC_IDE_BIN_DIR".into(), bin_dir.into()),
        ("ICED_BACKEND".into(), "tiny-skia".into()),
        ("ICED_TEST_BACKEND".into(), "tiny-skia".into()),
        ("INSTA_UPDATE".into(), "no".into()),
    ]
}

fn install() -> anyhow::Result<()> {
    let mut all: Vec<Need> = vec![
        needs::PYTHON,
        needs::PYTHON_VENV,
        needs::POSTGRES,
        needs::BUBBLEWRAP,
    ];
    all.extend(needs::WINDOW);
    all.extend(needs::VIRTUAL_DISPLAY);
    all.extend(needs::WINDOW_TESTS);
    needs::ensure(&all, Severity::Required)
}

/// What `git status` lists; none where this is no git repository.
fn untracked(paths: &Paths) -> Option<BTreeSet<String>> {
    let output = Command::new("git")
        .args(["status", "--porcelain", "--untracked-files=all"])
        .current_dir(&paths.root)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output
        .status
        .success()
        .then(|| text.lines().map(str::to_owned).collect())
}

/// A test that writes into the tree is wrong, above all a snapshot that was
/// missing and is now silently there.
fn unchanged(before: &Option<BTreeSet<String>>, after: &Option<BTreeSet<String>>) -> anyhow::Result<()> {
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    let new: Vec<&str> = after.difference(before).map(String::as_str).collect();
    if !new.is_empty() {
        bail!("the tests changed the tree:\n{}", new.join("\n"));
    }
    Ok(())
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    /// Runs a step that is not cargo; its value if it passed.
    fn run<T>(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<T>) -> Option<T> {
        say::step(name);
        let watch = Stopwatch::start();
        let result = work();
        let (outcome, value) = match result {
            Ok(value) => (Outcome::Passed, Some(value)),
            Err(error) => {
                say::note(&format!("{error:#}"));
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                // What the tests only want is no reason to fail.
                let outcome = if packages::WANTED.iter().any(|wanted| wanted.step == name) {
                    Outcome::LeftOut(first)
                } else {
                    Outcome::Failed(first)
                };
                (outcome, None)
            }
        };
        self.0.push(Step {
            name,
            time: watch.elapsed(),
            outcome,
        });
        value
    }

    fn cargo(&mut self, name: &'static str, command: &mut Command) -> bool {
        let done = self.run(name, || {
            let status = command.stdin(Stdio::null()).status()?;
            if !status.success() {
                bail!("{status}; see above");
            }
            Ok(())
        });
        done.is_some()
    }

    fn leave_out(&mut self, name: &'static str, why: &str) {
        self.0.push(Step {
            name,
            time: Duration::ZERO,
            outcome: Outcome::LeftOut(why.to_owned()),
        });
    }

    fn finish(self) -> anyhow::Result<()> {
        say::step("Summary");
        let mut rows = vec![["step", "time", "result"].map(str::to_owned).to_vec()];
        for step in &self.0 {
            let result = match &step.outcome {
                Outcome::Passed => "passed".to_owned(),
                Outcome::Failed(why) => format!("FAILED: {why}"),
                Outcome::LeftOut(why) => format!("left out: {why}"),
            };
            rows.push(vec![step.name.to_owned(), say::duration(step.time), result]);
        }
        say::table(&rows);
        let failed: Vec<&str> = self
            .0
            .iter()
            .filter(|step| step.failed())
            .map(|step| step.name)
            .collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

impl Step {
    fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_in_the_tree_are_named() {
        let set = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect());
        assert!(unchanged(&set(&[" M a"]), &set(&[" M a"])).is_ok());
        assert!(unchanged(&set(&[" M a"]), &set(&[])).is_ok());
        assert!(unchanged(&None, &set(&["?? b"])).is_ok());
        let error = unchanged(&set(&[" M a"]), &set(&[" M a", "?? b"])).unwrap_err();
        assert_eq!(error.to_string(), "the tests changed the tree:\n?? b");
    }

    #[test]
    fn one_failure_fails_the_whole() {
        let mut steps = Steps::default();
        steps.run("a", || Ok(()));
        steps.run("b", || -> anyhow::Result<()> { bail!("no\nmore") });
        steps.run("acpx", || -> anyhow::Result<()> { bail!("no node") });
        let outcomes: Vec<Outcome> = steps.0.iter().map(|step| step.outcome.clone()).collect();
        let expect = [
            Outcome::Passed,
            Outcome::Failed("no".into()),
            Outcome::LeftOut("no node".into()),
        ];
        assert_eq!(outcomes, expect);
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: b");
    }
}
