//! Proposals are built and tested before anybody is asked, in a sandbox, and
//! what is shown of that is true.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::world::{World, until};

/// A project, and three answers of the model: one that does not parse, one
/// whose tests fail, one that is right.
struct Project {
    files: &'static [(&'static str, &'static str)],
    path: &'static str,
    fence: &'static str,
    broken: &'static str,
    wrong: &'static str,
    right: &'static str,
    /// The test that comes with each of the last two.
    test: (&'static str, &'static str),
    /// Name of the check that runs the tests, and of the one that tries the new
    /// tests on the old code.
    checks: (&'static str, &'static str),
    /// What the failing run calls the test.
    failure: &'static str,
}

const PYTHON: Project = Project {
    files: &[
        ("shop/__init__.py", ""),
        ("shop/price.py", "def total(prices):\n    return sum(prices)\n"),
        ("tests/__init__.py", ""),
        (
            "tests/test_price.py",
            "import unittest\n\nfrom shop.price import total\n\n\nclass TotalTest(unittest.TestCase):\n    \
             def test_adds(self):\n        self.assertEqual(total([1, 2]), 3)\n",
        ),
        ("pyproject.toml", "[project]\nname = \"shop\"\n"),
    ],
    path: "shop/price.py",
    fence: "python",
    broken: "def total(prices:\n    return sum(prices)\n\n\ndef net(prices):\n    return total(prices\n",
    wrong: "def total(prices):\n    return sum(prices)\n\n\ndef discount(price):\n    return price\n",
    right: "def total(prices):\n    return sum(prices)\n\n\ndef discount(price):\n    return price // 2\n",
    test: (
        "tests/test_discount.py",
        "import unittest\n\nfrom shop.price import discount\n\n\nclass DiscountTest(unittest.TestCase):\n    \
         def test_halves(self):\n        self.assertEqual(discount(10), 5)\n",
    ),
    checks: ("test-unittest", "new-tests-python"),
    failure: "test_halves (tests.test_discount.DiscountTest",
};

const RUST: Project = Project {
    files: &[
        (
            "Cargo.toml",
            "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        ),
        (".gitignore", "target/\n"),
        (
            "src/lib.rs",
            "pub fn total(prices: &[u32]) -> u32 {\n    prices.iter().sum()\n}\n",
        ),
        (
            "tests/total.rs",
            "#[test]\nfn adds() {\n    assert_eq!(shop::total(&[1, 2]), 3);\n}\n",
        ),
    ],
    path: "src/lib.rs",
    fence: "rust",
    // It parses: the compiler finds what is wrong.
    broken: "pub fn total(prices: &[u32]) -> u32 {\n    prices.iter().sum()\n}\n\npub fn discount(price: u32) -> u32 {\n    \
             price / half\n}\n",
    wrong: "pub fn total(prices: &[u32]) -> u32 {\n    prices.iter().sum()\n}\n\npub fn discount(price: u32) -> u32 {\n    \
            price\n}\n",
    right: "pub fn total(prices: &[u32]) -> u32 {\n    prices.iter().sum()\n}\n\npub fn discount(price: u32) -> u32 {\n    \
            price / 2\n}\n",
    test: (
        "tests/discount.rs",
        "#[test]\nfn halves() {\n    assert_eq!(shop::discount(10), 5);\n}\n",
    ),
    checks: ("test-cargo", "new-tests-cargo"),
    failure: "halves",
};

const JAVASCRIPT: Project = Project {
    files: &[
        (
            "package.json",
            r#"{"name": "shop", "type": "module", "scripts": {"test": "node --test"}}"#,
        ),
        (
            "price.js",
            "export function total(prices) {\n  return prices.reduce((a, b) => a + b, 0);\n}\n",
        ),
        (
            "test/total.test.js",
            "import assert from 'node:assert';\nimport test from 'node:test';\nimport { total } from '../price.js';\n\n\
             test('adds', () => assert.equal(total([1, 2]), 3));\n",
        ),
    ],
    path: "price.js",
    fence: "js",
    broken: "export function total(prices) {\n  return prices.reduce((a, b) => a + b, 0;\n}\n",
    wrong: "export function total(prices) {\n  return prices.reduce((a, b) => a + b, 0);\n}\n\n\
            export function discount(price) {\n  return price;\n}\n",
    right: "export function total(prices) {\n  return prices.reduce((a, b) => a + b, 0);\n}\n\n\
            export function discount(price) {\n  return price / 2;\n}\n",
    test: (
        "test/discount.test.js",
        "import assert from 'node:assert';\nimport test from 'node:test';\nimport { discount } from '../price.js';\n\n\
         test('halves', () => assert.equal(discount(10), 5));\n",
    ),
    checks: ("test-npm", "new-tests-node"),
    failure: "halves",
};

const TYPESCRIPT: Project = Project {
    files: &[
        (
            "package.json",
            r#"{"name": "shop", "type": "module", "scripts": {"test": "tsc -p . && node --test test"}}"#,
        ),
        (
            "tsconfig.json",
            r#"{"compilerOptions": {"target": "es2022", "module": "nodenext", "rootDir": "src", "outDir": "out", "strict": true, "types": []}, "include": ["src"]}"#,
        ),
        (".gitignore", "node_modules/\nout/\n"),
        (
            "src/price.ts",
            "export function total(prices: number[]): number {\n  return prices.reduce((a, b) => a + b, 0);\n}\n",
        ),
        (
            "test/total.test.js",
            "import assert from 'node:assert';\nimport test from 'node:test';\nimport { total } from '../out/price.js';\n\n\
             test('adds', () => assert.equal(total([1, 2]), 3));\n",
        ),
    ],
    path: "src/price.ts",
    fence: "ts",
    // It parses: the compiler finds what is wrong.
    broken: "export function total(prices: number[]): number {\n  return prices.reduce((a, b) => a + b, 0);\n}\n\n\
             export function discount(price: number): number {\n  return `${price}`;\n}\n",
    wrong: "export function total(prices: number[]): number {\n  return prices.reduce((a, b) => a + b, 0);\n}\n\n\
            export function discount(price: number): number {\n  return price;\n}\n",
    right: "export function total(prices: number[]): number {\n  return prices.reduce((a, b) => a + b, 0);\n}\n\n\
            export function discount(price: number): number {\n  return price / 2;\n}\n",
    test: (
        "test/discount.test.js",
        "import assert from 'node:assert';\nimport test from 'node:test';\nimport { discount } from '../out/price.js';\n\n\
         test('halves', () => assert.equal(discount(10), 5));\n",
    ),
    checks: ("test-npm", "new-tests-node"),
    failure: "halves",
};

/// The folder with the programs of packages that `cargo xtask test` installs;
/// it says which tests are left out where it could not.
fn installed(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    assert!(
        folder.is_some() || std::env::var_os("CI").is_none(),
        "{variable} is not set"
    );
    folder
}

impl Project {
    fn answer(&self, code: &str, with_test: bool) -> String {
        let fence = self.fence;
        let mut text = format!("{}\n```{fence}\n{code}```\n", self.path);
        if with_test {
            let (path, test) = self.test;
            text.push_str(&format!("\n{path}\n```{fence}\n{test}```\n"));
        }
        text
    }

    fn script(&self) -> String {
        let code = |nth: u32, text: String| {
            json!({
                "name": format!("code {nth}"),
                "match": { "endpoint": "chat", "format": "absent", "nth": nth },
                "respond": { "text": text },
            })
        };
        json!({
            "models": [{ "name": "mistral:7b-instruct-v0.3-q4_K_M" }],
            "rules": [
                {
                    "name": "plan",
                    "match": { "endpoint": "chat", "format": "present" },
                    "respond": { "json": {
                        "summary": "Add a discount",
                        "steps": ["halve the price"],
                        "files": [self.path],
                        "stages": [{ "stage": "test_generation", "run": false, "reason": "tests come with the code" }],
                    } },
                },
                code(1, self.answer(self.broken, false)),
                code(2, self.answer(self.wrong, true)),
                code(3, self.answer(self.right, true)),
            ],
        })
        .to_string()
    }

    /// A world with the project as its repository.
    async fn world(&self, packages: Option<&Path>) -> World {
        let mut world = World::prepared(&self.script()).await;
        for (path, text) in self.files {
            world.write(path, text);
        }
        world.git(&["add", "."]);
        world.git(&["commit", "-q", "-m", "the shop"]);
        if let Some(packages) = packages {
            copy(packages, &world.repo().join("node_modules"));
        }
        assert!(world.try_start(&tools()).await, "{}", world.log());
        world
    }
}

/// Where this machine keeps Rust: the world has a home of its own.
fn tools() -> Vec<(&'static str, &'static str)> {
    let home = std::env::var("HOME").unwrap_or_default();
    let or = |name: &str, folder: &str| {
        let set = std::env::var(name).ok().filter(|value| Path::new(value).is_dir());
        let value = set.unwrap_or_else(|| format!("{home}/{folder}"));
        Box::leak(value.into_boxed_str()) as &str
    };
    vec![
        ("CARGO_HOME", or("CARGO_HOME", ".cargo")),
        ("RUSTUP_HOME", or("RUSTUP_HOME", ".rustup")),
    ]
}

/// The reports of each run of the checks.
fn runs(events: &[Value]) -> Vec<Vec<&Value>> {
    let mut runs: Vec<Vec<&Value>> = Vec::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "stage_started" if event["stage_id"] == "checks" => runs.push(Vec::new()),
            "check_result" => runs.last_mut().unwrap().push(event),
            _ => {}
        }
    }
    runs
}

fn report<'a>(run: &[&'a Value], name: &str) -> &'a Value {
    let found = run.iter().find(|report| report["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} among {run:#?}"))
}

/// Copies a folder with its links.
fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    let status = command.arg("-a").args([from, to]).status();
    assert!(status.unwrap().success());
}

async fn broken_then_failing_then_right(project: &Project, packages: Option<&Path>) {
    let world = project.world(packages).await;
    let id = world.submit("Add a discount").await;
    let events = world.to_review(&id).await;
    let runs = runs(&events);
    assert_eq!(runs.len(), 3, "{runs:#?}");
    let (tests, proof) = project.checks;
    assert_eq!(report(&runs[0], tests)["status"], "skipped", "{runs:#?}");

    let failed = report(&runs[1], tests);
    let text = failed["output"].as_str().unwrap();
    assert_eq!(failed["status"], "failed", "{text}");
    assert!(
        text.starts_with("exit status ")
            && text.contains("; without the change it succeeds\n- ")
            && text.contains(project.failure),
        "{text}"
    );
    // The model was told.
    assert!(world.told("code 3").contains(project.failure));

    let passed = report(&runs[2], tests);
    assert_eq!(
        (&passed["status"], passed["duration_ms"].as_u64() > Some(0)),
        (&json!("passed"), true),
        "{passed}"
    );
    let proven = report(&runs[2], proof);
    assert_eq!(
        (
            &proven["status"],
            proven["output"].as_str().unwrap().lines().next().unwrap()
        ),
        (
            &json!("passed"),
            "the tests of the change fail without it, as they should"
        ),
        "{proven}"
    );
    // What ran was to be seen while it ran.
    let seen: String = events
        .iter()
        .filter(|event| event["type"] == "agent_streaming_update" && event["stage_id"] == "checks")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert!(
        seen.contains(&format!("# {tests}\n$ {}", passed["command"].as_str().unwrap())),
        "{seen}"
    );

    assert_eq!(
        world.git(&["status", "--porcelain"]),
        "",
        "the person's tree is not touched"
    );
    let left: Vec<_> = fs::read_dir(world.path("data/trials"))
        .unwrap()
        .flat_map(|place| fs::read_dir(place.unwrap().path().join("copies")).unwrap())
        .collect();
    assert!(left.is_empty(), "copies are removed: {left:?}");
    world.accept(&id).await;
    assert_eq!(world.commits(), 3);
    assert_eq!(world.read(project.path), project.right);
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(message.contains(tests), "{message}");
}

#[tokio::test]
async fn python_is_broken_then_failing_then_right() {
    broken_then_failing_then_right(&PYTHON, None).await;
}

#[tokio::test]
async fn rust_is_broken_then_failing_then_right() {
    broken_then_failing_then_right(&RUST, None).await;
}

#[tokio::test]
async fn javascript_is_broken_then_failing_then_right() {
    broken_then_failing_then_right(&JAVASCRIPT, None).await;
}

#[tokio::test]
async fn typescript_is_broken_then_failing_then_right() {
    let Some(programs) = installed("AGENTIC_IDE_TYPESCRIPT_6_TOOLS") else {
        return;
    };
    broken_then_failing_then_right(&TYPESCRIPT, programs.parent()).await;
}
#[tokio::test]
async fn errors_of_types_are_found_by_the_language_server_that_is_installed() {
    let Some(programs) = installed("AGENTIC_IDE_PYTHON_TOOLS") else {
        return;
    };
    let code = |nth: u32, call: &str| {
        json!({
            "name": format!("code {nth}"),
            "match": { "endpoint": "chat", "format": "absent", "nth": nth },
            "respond": { "text": format!("use.py\n```python\nfrom price import total\n\nprint(total({call}))\n```\n") },
        })
    };
    let plan = json!({
        "match": { "endpoint": "chat", "format": "present" },
        "respond": { "json": {
            "summary": "Print a total", "steps": ["print it"], "files": ["use.py"],
            "stages": [{ "stage": "test_generation", "run": false, "reason": "no" }],
        } },
    });
    let script = json!({
        "models": [{ "name": "mistral:7b-instruct-v0.3-q4_K_M" }],
        "rules": [plan, code(1, "\"1\""), code(2, "[1]")],
    });
    let mut world = World::prepared(&script.to_string()).await;
    // An error that was there before is nobody's fault.
    world.write(
        "price.py",
        "def total(prices: list[int]) -> int:\n    return sum(prices)\n\n\nold: int = \"wrong\"\n",
    );
    world.write(
        "test_price.py",
        "import unittest\n\n\nclass NoTest(unittest.TestCase):\n    def test_nothing(self):\n        pass\n",
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).unwrap();
    assert!(
        world.try_start(&[("PATH", path.to_str().unwrap())]).await,
        "{}",
        world.log()
    );
    let id = world.submit("Print a total").await;
    let events = world.to_review(&id).await;
    let runs = runs(&events);
    assert_eq!(runs.len(), 2, "{runs:#?}");
    let said = |run: usize| {
        let report = report(&runs[run], "diagnostics-basedpyright");
        (
            report["status"].as_str().unwrap(),
            report["output"].as_str().unwrap(),
        )
    };
    let (status, output) = said(0);
    assert_eq!(status, "failed", "{output}");
    assert!(
        output.starts_with("use.py:3:13: error: ")
            && output.contains("reportArgumentType")
            && !output.contains("price.py"),
        "{output}"
    );
    assert_eq!(said(1).0, "passed", "{}", said(1).1);
}

/// A world in whose tests, once the change is there, one never ends.
async fn endless() -> World {
    let script = json!({
        "models": [{ "name": "mistral:7b-instruct-v0.3-q4_K_M" }],
        "rules": [
            {
                "match": { "endpoint": "chat", "format": "present" },
                "respond": { "json": {
                    "summary": "Wait", "steps": ["wait"], "files": ["wait.py"],
                    "stages": [{ "stage": "test_generation", "run": false, "reason": "no" }],
                } },
            },
            {
                "match": { "endpoint": "chat" },
                "respond": { "text": "wait.py\n```python\nimport time\n\n\ndef wait():\n    time.sleep(100_000)\n```\n" },
            },
        ],
    });
    let world = World::prepared(&script.to_string()).await;
    world.write("wait.py", "def wait():\n    pass\n");
    world.write(
        "test_wait.py",
        "import unittest\n\nfrom wait import wait\n\n\nclass WaitTest(unittest.TestCase):\n    def test_waits(self):\n        \
         print(\"waiting\", flush=True)\n        wait()\n",
    );
    world.git(&["add", "."]);
    world.git(&["commit", "-q", "-m", "wait"]);
    world
}

/// Waits until the tests of the proposal print that they wait.
async fn until_waiting(world: &World, id: &str, after: u64) -> u64 {
    let events = world
        .events(id, after, "delta", |event| {
            event["stage_id"] == "checks"
                && event["delta"]
                    .as_str()
                    .is_some_and(|text| text.contains("waiting"))
        })
        .await;
    events.last().unwrap()["seq"].as_u64().unwrap()
}

/// Processes that work in the workspace's place, whichever sandbox they are in.
fn working(world: &World) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == world.repo()))
        .collect()
}

async fn until_nobody_works(world: &World) {
    until("what ran to end", || working(world).is_empty().then_some(())).await;
}

#[tokio::test]
async fn what_runs_ends_with_the_workflow() {
    let mut world = endless().await;
    world.start().await;
    let id = world.submit("Wait").await;
    until_waiting(&world, &id, 0).await;
    assert!(!working(&world).is_empty());
    let (status, _) = world
        .post(&format!("/api/workflow/{id}/cancel"), &json!({}))
        .await;
    assert_eq!(status, 204);
    until_nobody_works(&world).await;
}

#[tokio::test]
async fn what_runs_ends_with_the_backend_and_is_tried_again() {
    let mut world = endless().await;
    world.start().await;
    let id = world.submit("Wait").await;
    let seen = until_waiting(&world, &id, 0).await;
    world.kill();
    until_nobody_works(&world).await;
    // What is tried again is what was proposed.
    let asked = |world: &World| {
        let records = world.ollama.requests();
        records.iter().filter(|record| record.rule.is_some()).count()
    };
    let before = asked(&world);
    world.start().await;
    until_waiting(&world, &id, seen).await;
    assert_eq!(asked(&world), before);
    assert_eq!(world.git(&["status", "--porcelain"]), "");
}

#[tokio::test]
async fn tests_that_never_end_are_ended_and_count_as_failed() {
    let mut world = endless().await;
    assert!(
        world
            .try_start(&[("AGENTIC_IDE_CHECKS__TEST_TIMEOUT_S", "2")])
            .await,
        "{}",
        world.log()
    );
    let id = world.submit("Wait").await;
    let events = world.to_review(&id).await;
    let runs = runs(&events);
    // The model has nothing else to offer, and then the person is shown it.
    let report = report(runs.last().unwrap(), "test-unittest");
    let output = report["output"].as_str().unwrap();
    assert_eq!(
        (&report["status"], output.lines().next().unwrap()),
        (
            &json!("failed"),
            "took longer than it may; without the change it succeeds"
        ),
        "{output}"
    );
    until_nobody_works(&world).await;
}
