//! The backend that a command talks to: the one that was named, the one that
//! runs on this data folder, or one inside this process.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
};

use shared::wire::IndexState;

use super::{client::Client, serve};
use crate::{
    config::Config,
    edge::{self, acp::Hub},
    error::Error,
    runtime::Runtime,
    wiring,
};

/// What an inner backend does with unfinished workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// Goes on with them.
    Resume,
    /// Leaves them, for commands that only look.
    Leave,
}

/// A backend to talk to.
#[derive(Debug)]
pub(super) struct Backend {
    pub client: Client,
    /// Set when it runs inside this process.
    inner: Option<Runtime>,
}

impl Backend {
    /// Finds or starts one.
    pub(super) async fn find(
        config: &Config,
        named: Option<String>,
        unfinished: Unfinished,
    ) -> Result<Self, Error> {
        let token = config.auth_token.clone();
        if let Some(url) = named {
            let client = Client::new(&url, token)?;
            client.alive().await?;
            return Ok(Self { client, inner: None });
        }
        if let Some(client) = running(config).await {
            return Ok(Self { client, inner: None });
        }
        let runtime = wiring::build(config).await?;
        if unfinished == Unfinished::Resume {
            runtime.resume_all().await?;
        }
        let any_port = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let bound = edge::bind(any_port, token.as_deref()).await?;
        let client = Client::new(&format!("http://{}", bound.address()), token.clone())?;
        let client_servers = config.mcp.client_servers(bound.address().ip());
        let hub = Hub::new(runtime.clone(), client_servers);
        let app = edge::server::app(&runtime, &hub, token.as_deref());
        // Ends with the process.
        tokio::spawn(bound.serve(app, std::future::pending()));
        Ok(Self {
            client,
            inner: Some(runtime),
        })
    }

    /// Whether it runs inside this process.
    pub(super) fn is_inner(&self) -> bool {
        self.inner.is_some()
    }

    /// Lets inner work park; a backend outside this process is left alone.
    pub(super) async fn close(self) {
        if let Some(runtime) = self.inner {
            runtime.services().indexing.park();
            runtime.park().await;
        }
    }
}

/// A client of the backend that runs on this data folder, if one answers.
pub(super) async fn running(config: &Config) -> Option<Client> {
    let address = serve::address(config)?;
    let client = Client::new(&address.url, config.auth_token.clone()).ok()?;
    client.alive().await.ok().map(|()| client)
}

/// The backend that runs on this data folder, if it keeps the index of the
/// workspace at `root`.
pub(super) async fn keeping(config: &Config, root: &Path) -> Option<Client> {
    let client = running(config).await?;
    let root = std::path::absolute(root).ok()?;
    match client.index(root.to_str()?).await.ok()?.state {
        IndexState::Scanning
        | IndexState::Indexing
        | IndexState::Paused
        | IndexState::Waiting
        | IndexState::Ready => Some(client),
        IndexState::Idle | IndexState::Failed | IndexState::Deleting => None,
    }
}
