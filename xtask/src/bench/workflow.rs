//! A backend with a scripted model and a small workspace, for rows that need a
//! workflow to run.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::Bench;
use crate::{crew::Crew, demo::read_port, http};

/// Time a program has to listen.
const LISTEN_WAIT: Duration = Duration::from_secs(60);

/// Model of the script.
const MODEL: &str = "mistral:7b-instruct-v0.3-q4_K_M";

/// Lines of code that the scripted model writes.
const LINES: usize = 120;

/// Base URL of a scripted model that writes `tokens_per_second`.
pub fn start_model(
    bench: &Bench,
    crew: &mut Crew,
    dir: &Path,
    tokens_per_second: u32,
) -> anyhow::Result<String> {
    start_faulty_model(bench, crew, dir, tokens_per_second, &json!([]))
}

/// The same, with faults of the script's language when it writes code.
pub fn start_faulty_model(
    bench: &Bench,
    crew: &mut Crew,
    dir: &Path,
    tokens_per_second: u32,
    faults: &Value,
) -> anyhow::Result<String> {
    let code: String = (0..LINES)
        .map(|n| format!("def step_{n}(value):\n    return value + {n}\n"))
        .collect();
    let script = json!({
        "models": [{ "name": MODEL }],
        "rules": [
            { "match": { "endpoint": "chat", "contains": "# Your task: search" }, "respond": { "json": { "queries": [] } } },
            { "match": { "endpoint": "chat", "format": "present" }, "respond": { "json": {
                "summary": "Add steps", "steps": ["write"], "files": [],
                "stages": [{ "stage": "test_generation", "run": false, "reason": "none" }],
            } } },
            // Each workflow has an answer of its own, by which it is known.
            { "match": { "endpoint": "chat", "regex": "Add steps (?P<name>\\w+)" }, "respond": {
                "text": format!("steps.py\n```python\n{code}# {{{{name}}}}\n```\n"), "expand": true, "fault": faults,
            } },
        ],
    });
    // JSON is YAML.
    fs::write(dir.join("script.yaml"), script.to_string())?;
    let file = dir.join("model-port");
    let mut command = Command::new(bench.binary("scripted-ollama"));
    command
        .args([
            "--port",
            "0",
            "--tokens-per-second",
            &tokens_per_second.to_string(),
            "--port-file",
        ])
        .arg(&file);
    command.arg("--script").arg(dir.join("script.yaml"));
    let program = crew.start("scripted-ollama", &mut command)?;
    let port = program.wait_until("listening", LISTEN_WAIT, || read_port(&file))?;
    Ok(format!("http://127.0.0.1:{port}"))
}

/// Starts the backend on `dir` and does not wait for it; `ports` is written
/// when it listens.
pub fn start_backend(bench: &Bench, crew: &mut Crew, dir: &Path, model: &str) -> anyhow::Result<()> {
    let _none = fs::remove_file(dir.join("ports"));
    let mut command = Command::new(bench.binary("agentic-ide-backend"));
    command.env("HOME", dir).env("GIT_CONFIG_NOSYSTEM", "1");
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--port-file"])
        .arg(dir.join("ports"));
    command.arg("--data-dir").arg(dir.join("data"));
    // Nobody listens there: the search falls back at once.
    command.args(["--ollama-url", model, "--qdrant-url", "http://127.0.0.1:9"]);
    crew.start("agentic-ide-backend", &mut command).map(drop)
}

/// Base URL of the backend that was started on `dir`.
pub fn wait_backend(crew: &mut Crew, dir: &Path) -> anyhow::Result<String> {
    let file = dir.join("ports");
    let program = crew.program("agentic-ide-backend")?;
    let port = program.wait_until("listening", LISTEN_WAIT, || read_port(&file))?;
    Ok(format!("http://127.0.0.1:{port}"))
}

/// Begins a workflow in a plain folder; its id.
pub fn submit(backend: &str, dir: &Path) -> anyhow::Result<String> {
    submit_as(backend, dir, "bench")
}

/// The same, under a correlation id of one's own.
pub fn submit_as(backend: &str, dir: &Path, correlation: &str) -> anyhow::Result<String> {
    let workspace = dir.join("workspace");
    fs::create_dir_all(&workspace)?;
    fs::write(workspace.join("app.py"), "def main():\n    pass\n")?;
    let request = json!({
        "workflow_type": "feature_implementation", "user_query": format!("Add steps {correlation}"),
        "correlation_id": correlation, "workspace": workspace,
    });
    let answer = http::post(backend, "/api/workflow/submit", &request)?;
    if answer.status != 202 {
        bail!("submit answered {}: {}", answer.status, answer.body);
    }
    let answer: Value = serde_json::from_str(&answer.body)?;
    answer["workflow_id"]
        .as_str()
        .map(str::to_owned)
        .context("the answer has no workflow_id")
}
