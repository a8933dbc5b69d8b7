//! The demo's repository and the scripted model's answers for it: what a
//! newcomer sees first must really work.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use agents::{
    edit,
    plan::Asking,
    prompt::{self, Built, Facts, FileText, ProposedFile},
};
use scripted_ollama::ScriptedOllama;
use serde_json::{Value, json};
use shared::id::StageId;

use crate::support::root;

/// Last commit of the demo repository. It changes with the files below
/// `tests/fixtures/demo-repo`, and with nothing else.
const HEAD: &str = "ea00b0a6e61af75e43e15074c8310572077a42db";
const MODEL: &str = "mistral:7b-instruct-v0.3-q4_K_M";
const REQUEST: &str = "Implement JWT authentication";
const FEEDBACK: &str = "Add token expiration handling";
/// Room for every prompt of these tests.
const BUDGET_TOKENS: u64 = 12_000;

type Files = BTreeMap<String, String>;

/// A command that sees nothing of the person's own settings.
fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .stdin(Stdio::null())
        .env_clear()
        .env("HOME", dir);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command
}

fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Makes the repository and answers its last commit.
pub fn make(dir: &Path, settings: &[(&str, &str)]) -> String {
    let script = root().join("tests/fixtures/demo-repo/make.sh");
    let mut command = command("sh", dir.parent().unwrap());
    command.arg(script).arg(dir).envs(settings.iter().copied());
    String::from_utf8(succeed(command).stdout)
        .unwrap()
        .trim()
        .to_owned()
}

fn git(dir: &Path, words: &[&str]) -> String {
    let mut command = command("git", dir);
    command.args(words);
    String::from_utf8(succeed(command).stdout).unwrap()
}

/// Runs the repository's tests; none if this machine has no Python.
fn unittest(dir: &Path) -> Option<String> {
    // A shim that finds no interpreter in the empty home is no Python either.
    let candidates = ["python3", "/usr/bin/python3"]
        .into_iter()
        .map(|python| command(python, dir));
    let mut python = candidates.into_iter().find_map(|mut command| {
        let works = command
            .args(["-B", "-W", "error::ResourceWarning", "-c", "import sqlite3"])
            .output();
        works.ok().filter(|output| output.status.success())?;
        let program = command.get_program().to_str()?.to_owned();
        Some(self::command(&program, dir))
    })?;
    python.args(["-B", "-W", "error::ResourceWarning", "-m", "unittest"]);
    let output = python.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    Some(text)
}

fn read_tree(dir: &Path) -> Files {
    let paths = git(dir, &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let read = |path: &str| (path.to_owned(), fs::read_to_string(dir.join(path)).unwrap());
    paths.lines().map(read).collect()
}

fn write(dir: &Path, proposal: &Files) {
    for (path, text) in proposal {
        let file = dir.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

#[test]
fn the_same_repository_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    assert_eq!(make(&one, &[]), HEAD);
    // Settings of a person who makes it inside a hook, far away, in a hurry.
    let settings = [
        ("GIT_DIR", "/nowhere"),
        ("GIT_INDEX_FILE", "/nowhere"),
        ("GIT_AUTHOR_NAME", "Somebody"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.autocrlf"),
        ("GIT_CONFIG_VALUE_0", "true"),
        ("TZ", "Pacific/Auckland"),
        ("LC_ALL", "C"),
    ];
    assert_eq!(make(&two, &settings), HEAD);
    assert_eq!(git(&one, &["status", "--porcelain"]), "");
    assert_eq!(git(&one, &["rev-list", "--count", "HEAD"]).trim(), "10");
}

#[test]
fn its_own_tests_pass() {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join("orderdesk");
    make(&repository, &[]);
    match unittest(&repository) {
        Some(text) => assert!(text.contains("Ran 21 tests"), "{text}"),
        None => println!("left out: there is no python3"),
    }
    assert_eq!(git(&repository, &["status", "--porcelain"]), "");
}

/// Asks the scripted model as the backend does and answers its text.
async fn ask(ollama: &ScriptedOllama, built: &Built, format: Option<Value>) -> String {
    let mut messages = vec![json!({"role": "system", "content": built.prompt.system})];
    messages.extend(
        built
            .prompt
            .messages
            .iter()
            .map(|message| json!({"role": "user", "content": message.content})),
    );
    let mut body = json!({
        "model": MODEL, "messages": messages, "stream": false, "options": {"num_ctx": 16_384},
    });
    if let Some(format) = format {
        body["format"] = format;
    }
    let answer = reqwest::Client::new()
        .post(format!("{}/api/chat", ollama.url()))
        .json(&body)
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["done_reason"], "stop", "{answer}");
    answer["message"]["content"].as_str().unwrap().to_owned()
}

fn scripted() -> ScriptedOllama {
    let script = fs::read_to_string(root().join("tests/fixtures/demo-script.yaml")).unwrap();
    ScriptedOllama::builder()
        .script(script)
        .tokens_per_second(0.0)
        .start_blocking()
        .unwrap()
}

fn optional() -> [StageId; 1] {
    [StageId::new("test_generation")]
}

/// One iteration: plan, code, tests if the plan wants them. Answers the
/// proposal as it grows out of `proposal`.
async fn iterate(
    ollama: &ScriptedOllama,
    query: &str,
    tree: &Files,
    proposal: &Files,
    feedback: &[String],
) -> Files {
    let files: Vec<FileText<'_>> = tree.iter().map(|(path, text)| FileText { path, text }).collect();
    let proposed = |files: &Files| -> Vec<(String, String)> {
        files
            .iter()
            .map(|(path, text)| (path.clone(), text.clone()))
            .collect()
    };
    let optional = optional();
    let stages = [(optional[0].clone(), "writes tests of the proposed code")];

    let before = proposed(proposal);
    let previous: Vec<_> = before
        .iter()
        .map(|(path, text)| ProposedFile {
            path,
            text: Some(text),
        })
        .collect();
    let facts = Facts {
        query,
        packed_context: "## orderdesk/app.py, lines 1-28\n\ndef create_app(config, database):",
        previous: &previous,
        feedback,
        optional_stages: &stages,
        ..Facts::default()
    };
    let schema = agents::plan::schema(&optional, Asking::Allowed);
    let answer = ask(ollama, &prompt::planning(&facts, BUDGET_TOKENS), Some(schema)).await;
    let plan = agents::plan::parse(&answer, &optional, Asking::Allowed).unwrap();

    let planned: Vec<_> = files
        .iter()
        .copied()
        .filter(|file| plan.files.iter().any(|p| p == file.path))
        .collect();
    let facts = Facts {
        files: &planned,
        plan: Some(&plan),
        ..facts
    };
    let answer = ask(ollama, &prompt::code_generation(&facts, BUDGET_TOKENS), None).await;
    let mut proposal = apply(&answer, tree, proposal);

    if plan.stages[0].run {
        let after = proposed(&proposal);
        let previous: Vec<_> = after
            .iter()
            .map(|(path, text)| ProposedFile {
                path,
                text: Some(text),
            })
            .collect();
        let facts = Facts {
            previous: &previous,
            ..facts
        };
        let answer = ask(ollama, &prompt::test_generation(&facts, BUDGET_TOKENS), None).await;
        proposal = apply(&answer, tree, &proposal);
    }
    proposal
}

/// Applies an answer to the proposal so far, or to the tree where it has none.
fn apply(answer: &str, tree: &Files, proposal: &Files) -> Files {
    let edits = edit::parse(answer).unwrap();
    let current = |path: &str| proposal.get(path).or_else(|| tree.get(path)).map(String::as_str);
    let mut result = proposal.clone();
    for changed in edit::apply_all(&edits, current).unwrap() {
        result.insert(changed.path, changed.text.unwrap());
    }
    result
}

fn paths(files: &Files) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

fn repository(dir: &Path) -> PathBuf {
    let repository = dir.join("orderdesk");
    make(&repository, &[]);
    repository
}

const PROPOSED: [&str; 7] = [
    "docs/api.md",
    "orderdesk/app.py",
    "orderdesk/auth/jwt.py",
    "orderdesk/auth/middleware.py",
    "orderdesk/config.py",
    "orderdesk/handlers/tokens.py",
    "tests/test_jwt.py",
];

#[tokio::test]
async fn the_scripted_feature_works_in_both_iterations() {
    let dir = tempfile::tempdir().unwrap();
    let (ollama, repository) = (scripted(), repository(dir.path()));
    let tree = read_tree(&repository);

    let first = iterate(&ollama, REQUEST, &tree, &Files::new(), &[]).await;
    assert_eq!(paths(&first), PROPOSED);
    write(&repository, &first);
    match unittest(&repository) {
        Some(text) => assert!(text.contains("Ran 29 tests"), "{text}"),
        None => println!("left out: there is no python3"),
    }

    let second = iterate(&ollama, REQUEST, &tree, &first, &[FEEDBACK.to_owned()]).await;
    assert_eq!(paths(&second), PROPOSED);
    assert!(second["orderdesk/auth/jwt.py"].contains("the token has expired"));
    write(&repository, &second);
    if let Some(text) = unittest(&repository) {
        assert!(text.contains("Ran 31 tests"), "{text}");
    }
    assert_eq!(ollama.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn any_other_request_gets_an_honest_note() {
    let dir = tempfile::tempdir().unwrap();
    let (ollama, repository) = (scripted(), repository(dir.path()));
    let tree = read_tree(&repository);

    let first = iterate(&ollama, "Rename `orders` to \"jobs\"", &tree, &Files::new(), &[]).await;
    assert_eq!(paths(&first), ["docs/notes/REQUEST.md"]);
    let note = &first["docs/notes/REQUEST.md"];
    assert!(
        note.contains("> Rename `orders` to \"jobs\"\n\nNothing was implemented."),
        "{note}"
    );

    let second = iterate(
        &ollama,
        "Rename orders",
        &tree,
        &first,
        &["Shorter names".to_owned()],
    )
    .await;
    assert_eq!(
        paths(&second),
        ["docs/notes/FEEDBACK.md", "docs/notes/REQUEST.md"]
    );
    assert!(second["docs/notes/FEEDBACK.md"].contains("> Shorter names\n"));
    assert_eq!(ollama.script_errors(), Vec::<String>::new());
}
