//! JavaScript and TypeScript projects.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Ecosystem, Failure, Goal, Planned, Tree, join, named, step, without_time};

/// Output that tells of packages that are not installed.
pub(super) const LACKS: &[(&str, &str)] = &[(
    "sh: 1: ",
    "a program of the `test` script is not installed: run `npm install` in the project",
)];

/// Before the names of tests that failed under jest.
const JEST: &str = "● ";

/// What `npm init` writes for a project without tests.
const NO_TEST: &str = "no test specified";

pub(super) fn steps(tree: &Tree<'_>, folder: &str) -> Vec<Planned> {
    let text = tree.text(folder, "package.json").unwrap_or_default();
    let Ok(manifest) = serde_json::from_str::<Value>(&text) else {
        return vec![Planned::Skip {
            name: named("test-npm", folder),
            reason: "package.json is not JSON".to_owned(),
        }];
    };
    let needs = |kind: &str| manifest[kind].as_object().is_some_and(|names| !names.is_empty());
    let is_installed = || {
        super::above(&join(folder, "package.json"))
            .any(|above| (tree.installed)(&join(above, "node_modules")))
    };
    if (needs("dependencies") || needs("devDependencies")) && !is_installed() {
        return vec![Planned::Skip {
            name: named("test-npm", folder),
            reason: "the project's packages are not installed: run `npm install` in it".to_owned(),
        }];
    }
    let mut steps = Vec::new();
    let compiler = join(folder, "node_modules/.bin/tsc");
    if tree.has(folder, "tsconfig.json") {
        steps.push(if (tree.installed)(&compiler) {
            step(
                "build-tsc",
                folder,
                (Ecosystem::Node, Goal::Build),
                (
                    "node_modules/.bin/tsc",
                    &["--noEmit", "--pretty", "false", "-p", "."],
                ),
            )
        } else {
            Planned::Skip {
                name: named("build-tsc", folder),
                reason: "typescript is not among the project's installed packages".to_owned(),
            }
        });
    }
    let script = manifest["scripts"]["test"].as_str().unwrap_or_default();
    steps.push(if script.is_empty() || script.contains(NO_TEST) {
        Planned::Skip {
            name: named("test-npm", folder),
            reason: "package.json has no `test` script".to_owned(),
        }
    } else {
        step(
            "test-npm",
            folder,
            (Ecosystem::Node, Goal::Test),
            ("npm", &["test", "--silent"]),
        )
    });
    steps
}

/// `src/a.ts(1,2): error TS2322: …` of the compiler, and of the runners: `not ok
/// 1 - a` and `✖ a` of node, `● a › b` of jest, `FAIL a > b` and `× a` of
/// vitest.
pub(super) fn failures(output: &str) -> BTreeSet<Failure> {
    // Jest names the file of the tests below in a line of its own.
    let mut file: Option<String> = None;
    let mut found = BTreeSet::new();
    for line in output.lines() {
        let header = line.trim_start().strip_prefix("FAIL ").map(without_time);
        if let Some(path) = header.map(str::trim).filter(|path| !path.contains(' ')) {
            file = Some(path.to_owned());
        }
        let of_jest = line.trim_start().starts_with(JEST);
        found.extend(failure(line).map(|name| Failure {
            name,
            place: file.clone().filter(|_| of_jest),
        }));
    }
    found
}

fn failure(line: &str) -> Option<String> {
    if let Some((place, message)) = line.split_once("): error TS") {
        let file = place.split('(').next().unwrap_or(place);
        return Some(format!("{file}: error TS{message}"));
    }
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("not ok ") {
        let (number, name) = rest.split_once(" - ")?;
        return number.parse::<u32>().is_ok().then(|| name.trim().to_owned());
    }
    // The runner of node says `✖ failing tests:` before it repeats them.
    let named = ["✖ ", JEST, "× ", "FAIL "]
        .iter()
        .find_map(|sign| line.strip_prefix(sign))?;
    let name = without_time(named).trim();
    (!name.is_empty() && name != "failing tests:").then(|| name.to_owned())
}
