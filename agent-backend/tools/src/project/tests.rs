use std::collections::BTreeMap;

use super::*;

/// Plans a change of `changed` in a tree with these files; a step as its name
/// and command, one that is skipped as its name and reason.
fn check(files: &[(&str, &str)], installed: &[&str], changed: &[&str], expect: &[(&str, &str)]) {
    let files: BTreeMap<&str, &str> = files.iter().copied().collect();
    let paths: BTreeSet<String> = files.keys().map(|path| (*path).to_owned()).collect();
    let read = |path: &str| files.get(path).map(|text| (*text).to_owned());
    let has = |path: &str| installed.contains(&path);
    let tree = Tree {
        paths: &paths,
        read: &read,
        installed: &has,
    };
    let changed: Vec<String> = changed.iter().map(|path| (*path).to_owned()).collect();
    let found: Vec<(String, String)> = plan(&tree, &changed)
        .into_iter()
        .map(|planned| match planned {
            Planned::Run(step) => (
                step.name,
                format!("{} {}", step.program, step.arguments.join(" ")),
            ),
            Planned::Skip { name, reason } => (name, reason),
        })
        .collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(found, expect);
}

const CHECK: &str = "cargo check --all-targets --offline --workspace --message-format=short --color=never";
const TEST: &str = "cargo test --no-fail-fast --offline --workspace --message-format=short --color=never";
const UNITTEST: &str = "python3 -m unittest discover -s tests -t .";
const PYTEST: &str = "python3 -m pytest -q -rfE --color=no -p no:cacheprovider";

#[test]
fn rust_is_built_and_tested_as_a_workspace() {
    let package = ("Cargo.toml", "[package]\nname = \"a\"");
    let both = [("build-cargo", CHECK), ("test-cargo", TEST)];
    check(&[package], &[], &["src/lib.rs"], &both);
    let files = [("Cargo.toml", "[workspace]"), ("a/b/Cargo.toml", "[package]")];
    check(&files, &[], &["a/b/src/lib.rs"], &both);
    check(
        &[("a/Cargo.toml", "[package]")],
        &[],
        &["a/src/lib.rs", "b.rs"],
        &[("build-cargo (a)", CHECK), ("test-cargo (a)", TEST)],
    );
    check(&[package], &[], &["README.md"], &[]);
}

#[test]
fn python_is_tested_by_the_runner_it_uses() {
    let unit = ("tests/test_a.py", "import unittest");
    let init = ("tests/__init__.py", "");
    let manifest = ("pyproject.toml", "[project]");
    check(
        &[manifest, init, unit],
        &[],
        &["a.py"],
        &[("test-unittest", UNITTEST)],
    );
    check(
        &[manifest, init, ("tests/test_a.py", "def test_a(): pass")],
        &[],
        &["a.py"],
        &[("test-pytest", PYTEST)],
    );
    check(
        &[("pyproject.toml", "[tool.pytest.ini_options]"), init, unit],
        &[],
        &["a.py"],
        &[("test-pytest", PYTEST)],
    );
    check(
        &[manifest],
        &[],
        &["a.py"],
        &[("test-python", "the project has no tests (test_*.py or *_test.py)")],
    );
    // Another folder's tests are another project's.
    check(
        &[
            ("a/pyproject.toml", ""),
            ("a/test_a.py", "import pytest"),
            manifest,
        ],
        &[],
        &["a/b/c.py"],
        &[("test-pytest (a)", PYTEST)],
    );
}

#[test]
fn javascript_runs_the_scripts_of_its_package() {
    let manifest = |text| [("package.json", text), ("tsconfig.json", "{}")];
    let with = r#"{"scripts": {"test": "vitest"}, "devDependencies": {"vitest": "1"}}"#;
    check(
        &manifest(with),
        &["node_modules", "node_modules/.bin/tsc"],
        &["src/a.ts"],
        &[
            ("build-tsc", "node_modules/.bin/tsc --noEmit --pretty false -p ."),
            ("test-npm", "npm test --silent"),
        ],
    );
    check(
        &manifest(with),
        &[],
        &["src/a.ts"],
        &[(
            "test-npm",
            "the project's packages are not installed: run `npm install` in it",
        )],
    );
    check(
        &[(
            "package.json",
            r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#,
        )],
        &[],
        &["a.js"],
        &[("test-npm", "package.json has no `test` script")],
    );
    check(
        &[("package.json", "{")],
        &[],
        &["a.js"],
        &[("test-npm", "package.json is not JSON")],
    );
}

#[test]
fn go_is_built_and_tested() {
    check(
        &[("go.mod", "module a")],
        &[],
        &["b/c.go"],
        &[("build-go", "go build ./..."), ("test-go", "go test ./...")],
    );
}

#[test]
fn what_fails_is_named_without_what_moves() {
    let check = |ecosystem: Ecosystem, output: &str, expect: &[&str]| {
        let found = ecosystem.failures(output);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expect, "{output}");
    };
    check(
        Ecosystem::Cargo,
        "src/lib.rs:3:5: error[E0425]: cannot find value `a` in this scope\n\
         src/lib.rs:9:1: warning: unused\n\
         error: could not compile `a` (lib) due to 1 previous error\n\
         test tests::one ... ok\ntest tests::two ... FAILED\n\
         test src/lib.rs - f (line 5) ... FAILED",
        &[
            "src/lib.rs - f",
            "src/lib.rs: error[E0425]: cannot find value `a` in this scope",
            "tests::two",
        ],
    );
    check(
        Ecosystem::Python,
        "FAILED tests/test_a.py::test_b[1] - AssertionError: x - y\nERROR tests/test_c.py - ImportError\n\
         ERROR root: something logged\nFAIL: test_d (tests.test_a.A.test_d)\nERROR: test_e (tests.test_a.A.test_e)",
        &[
            "test_d (tests.test_a.A.test_d)",
            "test_e (tests.test_a.A.test_e)",
            "tests/test_a.py::test_b[1]",
            "tests/test_c.py",
        ],
    );
    check(
        Ecosystem::Node,
        "src/a.ts(1,2): error TS2322: Type 'string'\nnot ok 1 - adds\n  ✖ takes away (1.25ms)\n✖ failing tests:\n\
         \u{20}FAIL  src/a.test.ts > b 12ms\n  ● a › c",
        &[
            "a › c",
            "adds",
            "src/a.test.ts > b",
            "src/a.ts: error TS2322: Type 'string'",
            "takes away",
        ]
        .map(str::trim),
    );
    check(
        Ecosystem::Go,
        "--- FAIL: TestA (0.00s)\n    a_test.go:7: got 1\n./a.go:3:5: undefined: b",
        &["TestA", "a.go: undefined: b"],
    );
}

#[test]
fn tests_of_one_name_are_told_apart() {
    let check = |ecosystem: Ecosystem, output: &str, expect: &[&str]| {
        let found = ecosystem.failures(output);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expect, "{output}");
    };
    let rerun = "error: test failed, to rerun pass `-p a --lib`\nerror: test failed, to rerun pass `-p b --test it`\n";
    let reports = "running 1 test\ntest t ... FAILED\n\ntest result: FAILED. 0 passed\nrunning 1 test\ntest u ... ok\n\
                   test result: ok. 1 passed\nrunning 1 test\ntest t ... FAILED\n\ntest result: FAILED. 0 passed\n";
    for output in [format!("{rerun}{reports}"), format!("{reports}{rerun}")] {
        check(
            Ecosystem::Cargo,
            &output,
            &["t (-p a --lib)", "t (-p b --test it)"],
        );
    }
    // One target was killed: whose the report is cannot be told.
    let killed = format!("{rerun}test t ... FAILED\ntest result: FAILED. 0 passed\n");
    check(Ecosystem::Cargo, &killed, &["t"]);
    check(
        Ecosystem::Go,
        "--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tshop/a\t0.002s\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tshop/b\t0.002s\n\
         FAIL\tshop/c [build failed]\n",
        &["TestA (shop/a)", "TestA (shop/b)"],
    );
    check(
        Ecosystem::Node,
        "FAIL src/a.test.js (5.2 s)\n  ● adds\nFAIL src/b.test.js\n  ● adds\n",
        &[
            "adds (src/a.test.js)",
            "adds (src/b.test.js)",
            "src/a.test.js",
            "src/b.test.js",
        ],
    );
}

fn ran(code: i32, output: &str) -> Ran {
    Ran {
        ending: Ending::Exited(code),
        output: output.to_owned(),
    }
}

#[test]
fn only_what_the_change_breaks_counts() {
    let check = |after: Ran, before: Result<Ran, &str>, expect: Verdict| {
        let before = || before.map_err(str::to_owned);
        assert_eq!(judge(Ecosystem::Python, Goal::Test, &after, before), expect);
    };
    let (old, new) = ("FAIL: old (t.old)\n", "FAIL: new (t.new)\n");
    let both = format!("{old}{new}");
    let passed = |words: &str| Verdict::Passed(words.to_owned());
    let failed = |words: &str| Verdict::Failed(words.to_owned());
    let unknown = |words: &str| Verdict::Unknown(words.to_owned());
    check(ran(0, ""), Err("not asked"), passed("exit status 0"));
    check(
        ran(1, new),
        Ok(ran(0, "")),
        failed("exit status 1; without the change it succeeds\n- new (t.new)"),
    );
    check(
        ran(1, &both),
        Ok(ran(1, old)),
        failed("exit status 1; 1 of 2 failures are new\n- new (t.new)"),
    );
    check(
        ran(1, old),
        Ok(ran(1, &both)),
        passed("exit status 1; all 1 failures are there without the change too\n- old (t.old)"),
    );
    // What it printed names nothing: it broke off, as it did before.
    check(
        ran(1, "Traceback"),
        Ok(ran(1, old)),
        unknown("exit status 1; without the change it fails too: exit status 1"),
    );
    let unbuilt = "t.ts(1,2): error TS1: no\n";
    assert_eq!(
        judge(Ecosystem::Node, Goal::Test, &ran(2, unbuilt), || Ok(ran(
            2, unbuilt
        ))),
        unknown("exit status 2; without the change it fails too: exit status 2"),
    );
    let endless = || Ran {
        ending: Ending::Ended("it did not end within 600 s".to_owned()),
        output: old.to_owned(),
    };
    check(
        endless(),
        Ok(ran(0, "")),
        failed("it did not end within 600 s; without the change it succeeds\n- old (t.old)"),
    );
    check(
        endless(),
        Ok(endless()),
        unknown("it did not end within 600 s; without the change it fails too: it did not end within 600 s"),
    );
    check(
        ran(1, "/usr/bin/python3: No module named pytest"),
        Ok(ran(0, "")),
        unknown(python::LACKS[0].1),
    );
    check(
        ran(1, new),
        Err("there is no disk"),
        failed("exit status 1; without the change: there is no disk"),
    );
}

#[test]
fn tests_are_told_from_code() {
    let check = |ecosystem: Ecosystem, path: &str, expect: bool| {
        assert_eq!(ecosystem.is_test(path), expect, "{path}");
    };
    check(Ecosystem::Python, "tests/support.py", true);
    check(Ecosystem::Python, "a/test_b.py", true);
    check(Ecosystem::Python, "a/b.py", false);
    check(Ecosystem::Python, "tests/data.json", false);
    check(Ecosystem::Node, "src/a.spec.ts", true);
    check(Ecosystem::Node, "src/attest.ts", false);
    check(Ecosystem::Cargo, "tests/a.rs", true);
    check(Ecosystem::Cargo, "src/tests.rs", false);
    check(Ecosystem::Go, "a/b_test.go", true);
}
