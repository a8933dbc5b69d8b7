//! Rust projects.

use std::collections::BTreeSet;

use super::{Ecosystem, Failure, Goal, Planned, Tree, above, step};

/// Output that tells of crates that are not on this machine.
pub(super) const LACKS: &[(&str, &str)] = &[
    (
        "--offline was specified",
        "a crate is not on this machine and the sandbox has no network: run `cargo fetch` in the project",
    ),
    (
        "you may want to run without the --offline flag",
        "a crate is not on this machine and the sandbox has no network: run `cargo fetch` in the project",
    ),
    (
        "is not installed\n",
        "the toolchain that the project names is not installed: run `rustup toolchain install` in it",
    ),
];

/// The workspace's folder, or the package's where there is no workspace.
pub(super) fn folder(tree: &Tree<'_>, path: &str) -> Option<String> {
    let mut folder = None;
    for above in above(path) {
        let Some(manifest) = tree.text(above, "Cargo.toml") else {
            continue;
        };
        let is_workspace = manifest.lines().any(|line| line.trim().starts_with("[workspace"));
        if is_workspace {
            return Some(above.to_owned());
        }
        folder = folder.or_else(|| Some(above.to_owned()));
    }
    folder
}

pub(super) fn steps(folder: &str) -> Vec<Planned> {
    const COMMON: [&str; 4] = [
        "--offline",
        "--workspace",
        "--message-format=short",
        "--color=never",
    ];
    let words =
        |first: &[&'static str]| -> Vec<&'static str> { first.iter().copied().chain(COMMON).collect() };
    vec![
        step(
            "build-cargo",
            folder,
            (Ecosystem::Cargo, Goal::Build),
            ("cargo", &words(&["check", "--all-targets"])),
        ),
        step(
            "test-cargo",
            folder,
            (Ecosystem::Cargo, Goal::Test),
            ("cargo", &words(&["test", "--no-fail-fast"])),
        ),
    ]
}

/// Said of each target whose tests failed, on standard error.
const RERUN: &str = "to rerun pass `";

/// What ends the report of a target whose tests failed, on standard output.
const ENDS: &str = "test result: FAILED.";

/// Two packages may have tests of one name. Their reports do not say whose they
/// are, but are in the order in which cargo names the targets. Each stream is
/// in order by itself; how they lie within each other means nothing.
pub(super) fn failures(output: &str) -> BTreeSet<Failure> {
    let target = |line: &str| {
        let (_, target) = line.split_once(RERUN)?;
        Some(target.strip_suffix('`')?.to_owned())
    };
    let targets: Vec<String> = output.lines().filter_map(target).collect();
    let reports = output.lines().filter(|line| line.starts_with(ENDS)).count();
    // One that was killed has no report, and what a test prints may look like one.
    let targets = if targets.len() == reports {
        targets
    } else {
        Vec::new()
    };
    let mut targets = targets.into_iter();
    let mut place = targets.next();
    let mut found = BTreeSet::new();
    for line in output.lines() {
        if line.starts_with(ENDS) {
            place = targets.next();
        }
        found.extend(failure(line).map(|(name, kind)| Failure {
            name,
            place: match kind {
                Goal::Build => None,
                Goal::Test => place.clone(),
            },
        }));
    }
    found
}

/// `src/a.rs:1:2: error[E0425]: …` of a build, `test a::b ... FAILED` of tests.
fn failure(line: &str) -> Option<(String, Goal)> {
    if let Some(name) = line
        .strip_prefix("test ")
        .and_then(|rest| rest.strip_suffix(" ... FAILED"))
    {
        // A test of the documentation is named with its line.
        let name = name.split_once(" (line ").map_or(name, |(name, _)| name);
        return Some((name.to_owned(), Goal::Test));
    }
    let (place, message) = line.split_once(": error")?;
    let (file, numbers) = place.split_once(':')?;
    let are_numbers = numbers.chars().all(|c| c.is_ascii_digit() || c == ':');
    are_numbers.then(|| (format!("{file}: error{message}"), Goal::Build))
}
