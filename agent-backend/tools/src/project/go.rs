//! Go modules.

use std::collections::BTreeSet;

use super::{Ecosystem, Failure, Goal, Planned, step, without_time};

/// Output that tells of modules that are not on this machine.
pub(super) const LACKS: &[(&str, &str)] = &[
    (
        "module lookup disabled by GOPROXY=off",
        "a module is not on this machine and the sandbox has no network: run `go mod download` in the project",
    ),
    (
        "toolchain not available",
        "the Go version that the project names is not installed",
    ),
];

pub(super) fn steps(folder: &str) -> Vec<Planned> {
    vec![
        step(
            "build-go",
            folder,
            (Ecosystem::Go, Goal::Build),
            ("go", &["build", "./..."]),
        ),
        step(
            "test-go",
            folder,
            (Ecosystem::Go, Goal::Test),
            ("go", &["test", "./..."]),
        ),
    ]
}

/// `--- FAIL: TestA (0.00s)` of tests, and behind all of a package `FAIL`, its
/// name and its time, with tabs.
pub(super) fn failures(output: &str) -> BTreeSet<Failure> {
    let mut found = BTreeSet::new();
    let mut of_package = Vec::new();
    for line in output.lines() {
        if let Some(name) = line.trim_start().strip_prefix("--- FAIL: ") {
            of_package.push(without_time(name).to_owned());
        } else if let Some(rest) = line.strip_prefix("FAIL\t") {
            let package = rest.split(['\t', ' ']).next().map(str::to_owned);
            found.extend(of_package.drain(..).map(|name| Failure {
                name,
                place: package.clone(),
            }));
        } else {
            found.extend(problem(line).map(Failure::named));
        }
    }
    found.extend(of_package.into_iter().map(Failure::named));
    found
}

/// `./a.go:1:2: undefined: b` of a build.
fn problem(line: &str) -> Option<String> {
    let (file, rest) = line.split_once(".go:")?;
    let (number, message) = rest.split_once(": ")?;
    let are_numbers = number.chars().all(|c| c.is_ascii_digit() || c == ':');
    // Indented lines are what a test has logged.
    (are_numbers && !file.starts_with(' '))
        .then(|| format!("{}.go: {message}", file.trim_start_matches("./")))
}
