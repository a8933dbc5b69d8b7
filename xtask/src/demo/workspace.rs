//! The repository the demo works in.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{needs, paths::Paths, say};

/// A directory that the person named.
pub fn named(dir: &Path) -> anyhow::Result<PathBuf> {
    let dir = dir
        .canonicalize()
        .with_context(|| format!("--workspace {}: cannot be opened", dir.display()))?;
    if !dir.is_dir() {
        bail!("--workspace {}: is not a directory", dir.display());
    }
    Ok(dir)
}

/// Makes the demo's own repository in `dir`.
pub fn make(paths: &Paths, dir: &Path) -> anyhow::Result<PathBuf> {
    let script = paths.root.join("tests/fixtures/demo-repo/make.sh");
    let output = Command::new("sh")
        .arg(&script)
        .arg(dir)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!(
            "{} failed:\n{}",
            script.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(dir.to_owned())
}

/// One line about a workspace.
pub fn describe(dir: &Path) -> String {
    match git(dir, &["rev-list", "--count", "HEAD"]) {
        Some(commits) => {
            let files = git(dir, &["ls-files"]).unwrap_or_default().lines().count();
            format!("{files} files, {} commits", commits.trim())
        }
        None => "no git history; files are written, nothing is committed".to_owned(),
    }
}

/// What git prints, if it ends well.
pub fn git(dir: &Path, words: &[&str]) -> Option<String> {
    let dir = dir.to_str()?;
    let mut all = vec!["-C", dir];
    all.extend(words);
    needs::output("git", &all)
}

/// Runs the tests of the demo's repository, the new ones included.
pub fn test(dir: &Path) -> anyhow::Result<()> {
    say::step("Running the repository's own tests, the new ones included");
    let mut command = Command::new("python3");
    // No compiled files: the tree stays as the commit left it.
    command
        .args(["-B", "-m", "unittest", "--quiet"])
        .current_dir(dir)
        .stdin(Stdio::null());
    let output = command.output().context("cannot start python3")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("the repository's tests fail after the commit:\n{}", said.trim());
    }
    let summary: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("Ran ") || *line == "OK")
        .collect();
    say::note(&summary.join(": "));
    Ok(())
}
