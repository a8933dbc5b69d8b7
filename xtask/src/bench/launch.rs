//! How each program is started alone, and when it counts as listening.

use std::{net::TcpStream, path::Path, process::Command, time::Duration};

use anyhow::Context as _;

use super::Bench;
use crate::{
    crew::{Crew, Program},
    display::Display,
};

/// Time a program has to listen.
const LISTEN_WAIT: Duration = Duration::from_secs(60);

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The vector database with the embedded engine, on an empty directory.
    VectorDb,
    /// The backend, on an empty data directory, with no model server and no
    /// vector database to talk to.
    Backend,
    /// The window, with no backend to talk to.
    Gui,
}

impl Which {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::VectorDb, Self::Backend, Self::Gui];

    /// Name of its binary.
    pub fn binary(self) -> &'static str {
        match self {
            Self::VectorDb => "agentic-ide-vectordb",
            Self::Backend => "agentic-ide-backend",
            Self::Gui => "agentic-ide-gui",
        }
    }

    /// Starts it. Everything it keeps goes to `dir`; it finds nothing that the
    /// person has configured.
    pub fn start<'a>(self, bench: &Bench, crew: &'a mut Crew, dir: &Path) -> anyhow::Result<&'a mut Program> {
        let mut command = Command::new(bench.binary(self.binary()));
        command.env("HOME", dir);
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env_remove(name);
        }
        match self {
            Self::VectorDb => {
                command.args(["--http-port", "0", "--grpc-port", "0", "--control-port", "0"]);
                command
                    .arg("--ports-file")
                    .arg(dir.join("ports"))
                    .arg("--data-dir")
                    .arg(dir.join("data"));
            }
            Self::Backend => {
                command
                    .args(["serve", "--listen", "127.0.0.1:0", "--port-file"])
                    .arg(dir.join("ports"));
                command.arg("--data-dir").arg(dir.join("data"));
                // The port of `discard`: nobody listens, so the refusal is at once.
                command.args([
                    "--ollama-url",
                    "http://127.0.0.1:9",
                    "--qdrant-url",
                    "http://127.0.0.1:9",
                ]);
            }
            Self::Gui => {
                command.args(["--backend", "http://127.0.0.1:9"]);
                let display = match Display::own() {
                    Some(display) => display,
                    None => Display::start_virtual(crew)?,
                };
                display.apply(&mut command);
            }
        }
        crew.start(self.binary(), &mut command)
    }

    /// Waits until the program accepts a connection. The window never does; it
    /// only has to live.
    pub fn wait_listening(self, program: &mut Program, dir: &Path) -> anyhow::Result<()> {
        if self == Self::Gui {
            return program.check_alive();
        }
        let file = dir.join("ports");
        let port = program.wait_until("listening", LISTEN_WAIT, || read_port(&file))?;
        TcpStream::connect(("127.0.0.1", port))
            .context("it named a port but does not listen")
            .map(drop)
    }
}

/// What the backend writes, or the HTTP port of the launcher's JSON.
fn read_port(file: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(file).ok()?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(ports) if ports.is_object() => ports["http"].as_u64()?.try_into().ok(),
        Ok(_) | Err(_) => crate::demo::read_port(file),
    }
}
