//! Python projects.

use std::collections::BTreeSet;

use super::{Ecosystem, Failure, Goal, Planned, Tree, join, named, nearest, step};

/// Output that tells of packages that are not installed.
pub(super) const LACKS: &[(&str, &str)] = &[(
    "No module named pytest",
    "pytest is not installed in the project's environment: run `python3 -m pip install pytest` in it",
)];

/// Files that say where a Python project begins.
const MANIFESTS: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "pytest.ini",
    "tox.ini",
    "requirements.txt",
];

/// Files that say which runner a project uses.
const CONFIGURATIONS: &[&str] = &[
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
    "requirements.txt",
    "requirements-dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
    "requirements/test.txt",
];

/// Test files that are looked into to find out the runner.
const LOOKED_INTO_MAX: usize = 50;

pub(super) fn folder(tree: &Tree<'_>, path: &str) -> Option<String> {
    nearest(tree, path, MANIFESTS).or_else(|| path.ends_with(".py").then(String::new))
}

/// Whether a runner takes tests from it.
fn is_collected(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".py")
        .is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"))
}

pub(super) fn steps(tree: &Tree<'_>, folder: &str) -> Vec<Planned> {
    let tests: Vec<&str> = tree.below(folder).filter(|path| is_collected(path)).collect();
    if tests.is_empty() {
        return vec![Planned::Skip {
            name: named("test-python", folder),
            reason: "the project has no tests (test_*.py or *_test.py)".to_owned(),
        }];
    }
    let goal = (Ecosystem::Python, Goal::Test);
    if !uses_unittest_alone(tree, folder, &tests) {
        let words = [
            "-m",
            "pytest",
            "-q",
            "-rfE",
            "--color=no",
            "-p",
            "no:cacheprovider",
        ];
        return vec![step("test-pytest", folder, goal, ("python3", &words))];
    }
    // Discovery begins where the tests are and imports from the folder.
    let start = ["tests", "test"]
        .into_iter()
        .find(|name| tree.has(folder, &format!("{name}/__init__.py")))
        .unwrap_or(".");
    let words = ["-m", "unittest", "discover", "-s", start, "-t", "."];
    vec![step("test-unittest", folder, goal, ("python3", &words))]
}

/// Whether nothing speaks of pytest, and some test of unittest.
fn uses_unittest_alone(tree: &Tree<'_>, folder: &str, tests: &[&str]) -> bool {
    let named = ["pytest.ini", "conftest.py", "tests/conftest.py"]
        .iter()
        .any(|name| tree.has(folder, name));
    let configured = CONFIGURATIONS
        .iter()
        .filter_map(|name| (tree.read)(&join(folder, name)))
        .any(|text| text.contains("pytest"));
    if named || configured {
        return false;
    }
    let texts: Vec<String> = tests
        .iter()
        .take(LOOKED_INTO_MAX)
        .filter_map(|path| (tree.read)(path))
        .collect();
    let speaks = |word: &str| texts.iter().any(|text| text.contains(word));
    speaks("unittest") && !speaks("pytest")
}

/// `FAILED a.py::test_b - …` of pytest, `FAIL: test_b (a.B.test_b)` of unittest:
/// both say by themselves where a test is.
pub(super) fn failures(output: &str) -> BTreeSet<Failure> {
    output.lines().filter_map(failure).map(Failure::named).collect()
}

fn failure(line: &str) -> Option<String> {
    for sign in ["FAILED ", "ERROR "] {
        if let Some(rest) = line.strip_prefix(sign) {
            let name = rest.split(" - ").next().unwrap_or(rest).trim();
            // `ERROR` alone may begin a line of a log.
            return (name.contains(".py")).then(|| name.to_owned());
        }
    }
    ["FAIL: ", "ERROR: "]
        .iter()
        .find_map(|sign| line.strip_prefix(sign))
        .map(|name| name.trim().to_owned())
}
