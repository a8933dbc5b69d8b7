//! The three programs, started the way their documentation says.

use std::{env, fs, path::Path, process::Command, thread, time::Duration};

use anyhow::Context as _;
use serde_json::Value;

use super::model::Model;
use crate::{cargo::Profile, crew::Crew, display::Display, http, paths::Paths};

/// Names of the programs, also of their logs.
pub const VECTORDB: &str = "agentic-ide-vectordb";
/// See `VECTORDB`.
pub const BACKEND: &str = "agentic-ide-backend";
/// See `VECTORDB`.
pub const GUI: &str = "agentic-ide-gui";

/// Time each has to answer. Generous: the machine may be busy.
const START_WAIT: Duration = Duration::from_secs(90);
/// Time the window's own workflow has to reach its review.
const REVIEW_WAIT: Duration = Duration::from_secs(90);
/// Time the window has to draw what it was just told.
const DRAW_WAIT: Duration = Duration::from_secs(1);
/// Time a window has to end by itself before it counts as shown.
const WINDOW_WAIT: Duration = Duration::from_secs(2);

/// Where the programs answer.
#[derive(Debug)]
pub struct Programs {
    backend: String,
    qdrant: String,
}

impl Programs {
    /// Starts the vector database and the backend and waits until both are ready.
    pub fn start(
        crew: &mut Crew,
        paths: &Paths,
        dir: &Path,
        workspace: &Path,
        model: &Model,
    ) -> anyhow::Result<Self> {
        let ports_file = dir.join("vectordb.ports");
        let mut command = command(paths, dir, VECTORDB)?;
        command.args(["--http-port", "0", "--grpc-port", "0", "--control-port", "0"]);
        command
            .arg("--ports-file")
            .arg(&ports_file)
            .arg("--data-dir")
            .arg(dir.join("vectordb"));
        let program = crew.start(VECTORDB, &mut command)?;
        let ports = program.wait_until("listening", START_WAIT, || read_ports(&ports_file))?;
        let http_url = format!("http://127.0.0.1:{}", ports.http);
        program.wait_until("ready", START_WAIT, || ready(&http_url))?;
        let qdrant = format!("http://127.0.0.1:{}", ports.grpc);

        let port_file = dir.join("backend.port");
        let mut command = self::command(paths, dir, BACKEND)?;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--port-file"])
            .arg(&port_file);
        command.arg("--data-dir").arg(dir.join("backend"));
        command.args(["--ollama-url", &model.url, "--qdrant-url", &qdrant]);
        command.arg("--workspace").arg(workspace);
        command.args(["--model", &model.name]);
        let program = crew.start(BACKEND, &mut command)?;
        let port = program.wait_until("listening", START_WAIT, || read_port(&port_file))?;
        let backend = format!("http://127.0.0.1:{port}");
        program.wait_until("ready", START_WAIT, || ready(&backend))?;
        Ok(Self { backend, qdrant })
    }

    /// Base URL of the backend.
    pub fn backend_url(&self) -> &str {
        &self.backend
    }

    /// gRPC URL of the vector database.
    pub fn qdrant_url(&self) -> &str {
        &self.qdrant
    }

    /// Opens the window on the person's display, or on a virtual one.
    pub fn show_window(
        &self,
        crew: &mut Crew,
        paths: &Paths,
        dir: &Path,
        workspace: &Path,
        request: Option<&str>,
    ) -> anyhow::Result<Display> {
        let display = match Display::own() {
            Some(display) => display,
            None => Display::start_virtual(crew)?,
        };
        let mut command = command(paths, dir, GUI)?;
        command
            .args(["--backend", &self.backend, "--workspace"])
            .arg(workspace);
        if let Some(request) = request {
            command.args(["--request", request]);
        }
        display.apply(&mut command);
        let program = crew.start(GUI, &mut command)?;
        // A window that cannot be opened ends the program at once.
        let watch = crate::clock::Stopwatch::start();
        let shown = || (watch.elapsed() > WINDOW_WAIT).then_some(());
        if let Err(error) = program.wait_until("its window", START_WAIT, shown) {
            crew.forget(GUI);
            return Err(error);
        }
        Ok(display)
    }

    /// Waits until the workflow of a workspace asks for a decision, or ends.
    pub fn wait_for_review(&self, workspace: &Path) {
        let watch = crate::clock::Stopwatch::start();
        while watch.elapsed() < REVIEW_WAIT {
            // Not there yet is no failure: the window has only just asked.
            let view = self.last_workflow(workspace).unwrap_or_default();
            if matches!(
                view["state"].as_str(),
                Some("awaiting_decision" | "completed" | "failed" | "cancelled" | "rejected")
            ) {
                break;
            }
            thread::sleep(DRAW_WAIT);
        }
        // The window has the event now; it needs a moment to draw it.
        thread::sleep(DRAW_WAIT);
    }

    /// The last workflow of a workspace, as `GET /api/workflow/{id}` shows it.
    pub fn last_workflow(&self, workspace: &Path) -> anyhow::Result<Value> {
        let page = http::get_json(&self.backend, "/api/workflows")?;
        let all = page["workflows"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let ours = all
            .iter()
            .find(|entry| entry["workspace"].as_str().map(Path::new) == Some(workspace));
        let id = ours.and_then(|entry| entry["workflow_id"].as_str());
        let id = id.context("the backend lists no workflow of this workspace")?;
        http::get_json(&self.backend, &format!("/api/workflow/{id}"))
    }
}

/// One of our programs, free of what the person has configured: the demo shows
/// what everybody gets.
pub fn command(paths: &Paths, dir: &Path, name: &str) -> anyhow::Result<Command> {
    let config = dir.join("config.yaml");
    fs::write(&config, "# The demo uses the defaults.\n{}\n")?;
    let mut command = Command::new(paths.binary(Profile::Debug.folder(), name));
    for (variable, _) in env::vars_os() {
        let variable = variable.to_string_lossy();
        if variable.starts_with("AGENTIC_IDE_") && variable != "AGENTIC_IDE_LOG" {
            command.env_remove(variable.as_ref());
        }
    }
    command.arg("--config").arg(config);
    Ok(command)
}

/// A port that a program wrote into a file, once it is there.
pub fn read_port(file: &Path) -> Option<u16> {
    let text = fs::read_to_string(file).ok()?;
    // A bare port, or an address that ends with one.
    text.trim().rsplit(':').next()?.parse().ok()
}

struct Ports {
    http: u64,
    grpc: u64,
}

fn read_ports(file: &Path) -> Option<Ports> {
    let ports: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    Some(Ports {
        http: ports["http"].as_u64()?,
        grpc: ports["grpc"].as_u64()?,
    })
}

fn ready(base: &str) -> Option<()> {
    http::get(base, "/readyz")
        .ok()
        .filter(|answer| answer.status == 200)
        .map(drop)
}
