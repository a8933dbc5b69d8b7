//! `serve`: the backend as a server, until it is told to stop.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::version;
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
use crate::{
    config::{ClientServers, Config},
    edge::{self, acp::Hub},
    error::Error,
    wiring,
};

/// Longest wait for work to park at a stop.
const PARK_TIMEOUT: Duration = Duration::from_secs(10);

/// File in the data folder that tells other commands where the backend is.
const ADDRESS_FILE: &str = "backend.json";

/// Where a backend listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    /// Base URL.
    pub url: String,
    /// Its process.
    pub pid: u32,
}

/// The backend that runs on this data folder, as it said itself. It may be gone.
pub(super) fn address(config: &Config) -> Option<Address> {
    let text = std::fs::read(config.data_dir.join(ADDRESS_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

pub(super) async fn serve(
    config: Config,
    listen: Option<SocketAddr>,
    port_file: Option<PathBuf>,
) -> Result<Exit, Error> {
    // What goes on after a restart is counted, too.
    edge::metrics::install();
    let token = config.auth_token.clone();
    let bound = edge::bind(listen.unwrap_or(config.listen), token.as_deref()).await?;
    let runtime = wiring::build(&config).await?;
    let resumed = runtime.resume_all().await?;
    runtime.keep(config.journal.retention.clone());
    runtime.watch_memory(Duration::from_millis(config.memory.look_ms));
    wiring::preload(&runtime);
    let indexes = runtime.services().indexing.resume_all();
    let url = format!("http://{}", bound.address());
    let address_file = config.data_dir.join(ADDRESS_FILE);
    let address = Address {
        url: url.clone(),
        pid: std::process::id(),
    };
    write_file(
        &address_file,
        &serde_json::to_string(&address).unwrap_or_default(),
    )?;
    if let Some(path) = &port_file {
        write_file(path, &bound.address().to_string())?;
    }
    let listen = bound.address().ip();
    let client_servers = config.mcp.client_servers(listen);
    tracing::info!(version = version::VERSION, %url, resumed, indexes, data = %config.data_dir.display(), %client_servers, "ready");
    if !listen.is_loopback() && client_servers == ClientServers::All {
        tracing::warn!("whoever has the token can run programs here: `mcp.client_servers` is `all`");
    }
    let hub = Hub::new(runtime.clone(), client_servers);
    let app = edge::server::app(&runtime, &hub, token.as_deref());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(bound.serve(app, async move {
        // A dropped sender stops the server as well.
        let _dropped = stopped.await;
    }));
    let outcome = tokio::select! {
        () = told_to_stop() => Ok(Exit::Done),
        error = runtime.fatal() => Err(error),
    };
    tracing::info!("stopping: workflows go on at the next start");
    drop(stop);
    runtime.services().indexing.park();
    if tokio::time::timeout(PARK_TIMEOUT, runtime.park()).await.is_err() {
        tracing::warn!("some work did not stop in time; the journal has everything that counts");
    }
    server.abort();
    // Whoever reads it later finds nobody there, which is checked anyway.
    let _stale = std::fs::remove_file(&address_file);
    outcome
}

async fn told_to_stop() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be caught");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Writes a small file so that a reader sees all of it or nothing.
fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, text)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| {
            Error::user(
                shared::error::Code::ConfigInvalid,
                format!("cannot write {}: {error}", path.display()),
            )
        })
}
