//! Where an agent is, and how its lines get there: a program on this machine,
//! a WebSocket, or one that plays a recording.

use std::{fmt::Debug, io, pin::Pin, sync::Arc};

use futures::{Sink, future::BoxFuture, stream::BoxStream};

use super::{process::Program, socket::Remote};
use crate::{
    Error,
    config::{Address, Agent, AgentAt, Config, Token},
    connection::dial::Dialer,
};

/// What our own backend is called among the agents.
pub const OURS: &str = "Agentic IDE";
/// Where our own backend speaks the protocol.
const OUR_PATH: &str = "/acp";
/// Longest message either way, in bytes: a diff carries whole files.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// An agent that can be reached.
pub trait Reach: Debug + Send + Sync {
    /// What it is called here.
    fn name(&self) -> &str;
    /// On whose files it works.
    fn place(&self) -> Place;
    /// Opens a new connection; what dropping it leaves behind is ended.
    fn open(&self) -> BoxFuture<'static, Result<Wire, Error>>;
}

/// On whose files an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this machine's: it may read and write them through the window.
    Here,
    /// On another machine's, or on its own.
    Elsewhere,
}

/// A connection: one message of the protocol a line.
pub struct Wire {
    /// Lines to the agent.
    pub outgoing: Pin<Box<dyn Sink<String, Error = io::Error> + Send>>,
    /// Lines from it.
    pub incoming: BoxStream<'static, io::Result<String>>,
    /// Once it has ended, why, for a person. Dropped with the connection, it ends
    /// what was started for it.
    pub end: BoxFuture<'static, String>,
}

impl Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

/// The agents of a configuration, our own backend first.
///
/// # Errors
/// An address that none can have, or a token or certificates that cannot be used.
pub fn all(config: &Config) -> Result<Vec<Arc<dyn Reach>>, Error> {
    let ours = Remote::new(OURS, config.dialer()?, OUR_PATH);
    let mut all: Vec<Arc<dyn Reach>> = vec![Arc::new(ours)];
    for (name, agent) in &config.agents {
        all.push(match Agent::at(agent, name)? {
            AgentAt::Program { command, args, env } => Arc::new(Program::new(name, command, args, env)),
            AgentAt::Url { url, token } => Arc::new(remote(name, &url, token.as_ref(), config)?),
        });
    }
    Ok(all)
}

/// An agent at `ws://host:port/path` or `wss://…`; the certificates that are trusted
/// for the backend are trusted for it, too.
fn remote(name: &str, url: &str, token: Option<&Token>, config: &Config) -> Result<Remote, Error> {
    // It begins with `ws`, as an address does with `http`.
    let address = url.replacen("ws", "http", 1);
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..].find('/').map_or(address.len(), |at| host + at);
    let (origin, path) = address.split_at(end);
    let address = Address::parse(origin)?;
    let ca_file = config.ca_file.as_deref().filter(|_| address.is_encrypted());
    let dialer = Dialer::new(address, token, ca_file)?;
    Ok(Remote::new(
        name,
        dialer,
        if path.is_empty() { "/" } else { path },
    ))
}
