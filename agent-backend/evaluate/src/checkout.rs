//! A work tree of a snapshot that knows nothing later: a repository of its own
//! that borrows the objects, with HEAD at the snapshot and no other reference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

type Failure = Box<dyn std::error::Error>;

/// Checks `commit` of the repository `name` in `repos` out.
pub fn snapshot(repos: &Path, name: &str, commit: &str) -> Result<tempfile::TempDir, Failure> {
    let source = find(repos, name)?;
    let objects = PathBuf::from(git(&source, &["rev-parse", "--git-path", "objects"])?);
    let objects = std::fs::canonicalize(source.join(objects))?;
    let tree = tempfile::tempdir()?;
    let root = tree.path();
    git(root, &["init", "--quiet"])?;
    std::fs::write(
        root.join(".git/objects/info/alternates"),
        format!("{}\n", objects.display()),
    )?;
    git(
        root,
        &[
            "-c",
            "advice.detachedHead=false",
            "checkout",
            "--quiet",
            "--detach",
            commit,
        ],
    )?;
    Ok(tree)
}

/// The repositories in a folder and where they are, by name.
pub fn all(repos: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(repos)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let name = name.strip_suffix(".git").unwrap_or(&name).to_owned();
        if let Ok(place) = find(repos, &name) {
            all.insert(name, place);
        }
    }
    Ok(all)
}

/// `owner+name`, bare, with a `.git`, or with the bare repository inside.
fn find(repos: &Path, name: &str) -> Result<PathBuf, Failure> {
    let places = [
        repos.join(name),
        repos.join(format!("{name}.git")),
        repos.join(name).join("repo"),
    ];
    for place in &places {
        if place.join("HEAD").is_file() || place.join(".git").exists() {
            return Ok(place.clone());
        }
    }
    Err(format!("there is no git repository {}", places[0].display()).into())
}

/// Runs git without the machine's configuration and gives what it prints.
pub fn git(directory: &Path, args: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.autocrlf=false",
            "-c",
            "core.symlinks=true",
        ])
        .args(args)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "git {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
