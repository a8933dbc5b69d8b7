//! `acp`: the protocol on standard input and output. Joins the backend that
//! runs on this data folder, so that sessions are shared; otherwise one runs
//! inside this process.

use std::net::Ipv4Addr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Exit, backend, client::Client};
use crate::{
    config::Config,
    edge::acp::{self, Hub, stdio},
    error::Error,
    wiring,
};

pub(super) async fn run(config: Config, named: Option<String>) -> Result<Exit, Error> {
    if let Some(url) = named {
        let client = Client::new(&url, config.auth_token.clone())?;
        client.alive().await?;
        stdio::join(client.socket("/acp").await?).await?;
        return Ok(Exit::Done);
    }
    match backend::running(&config).await {
        Some(client) => {
            let here = HeaderMap::from_iter([(
                HeaderName::from_static(acp::SAME_FILES),
                HeaderValue::from_static("1"),
            )]);
            stdio::join(client.socket_with("/acp", here).await?).await?;
        }
        None => {
            let runtime = wiring::build(&config).await?;
            runtime.resume_all().await?;
            wiring::preload(&runtime);
            // Nobody but who has started it reaches it.
            let client_servers = config.mcp.client_servers(Ipv4Addr::LOCALHOST.into());
            stdio::serve(Hub::new(runtime.clone(), client_servers)).await?;
            runtime.park().await;
        }
    }
    Ok(Exit::Done)
}
