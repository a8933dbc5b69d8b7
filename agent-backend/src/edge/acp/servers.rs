//! The MCP servers that a client brings to a session.

use std::{collections::BTreeMap, path::Path};

use agent_client_protocol::{Error as AcpError, v1::schema as one, v2::schema as two};
use mcp::{Server, Source, Transport};
use shared::error::Code;

use super::{acp_error, invalid};
use crate::{config::ClientServers, error::Error};

/// What a client of version 2 is told of the ways on which its servers are
/// reached; nothing where it may bring none.
pub(super) fn told_two(allowed: ClientServers) -> Option<two::McpCapabilities> {
    let http = two::McpCapabilities::new().http(two::McpHttpCapabilities::new());
    match allowed {
        ClientServers::All => Some(http.stdio(two::McpStdioCapabilities::new())),
        ClientServers::Http => Some(http),
        ClientServers::None => None,
    }
}

/// Refuses those that a client may not bring.
pub(super) fn admit(allowed: ClientServers, servers: &[Server]) -> Result<(), AcpError> {
    let Some(refused) = servers.iter().find(|server| !allowed.allow(&server.transport)) else {
        return Ok(());
    };
    let what = match allowed {
        ClientServers::All | ClientServers::Http => "MCP servers that are programs",
        ClientServers::None => "MCP servers",
    };
    let message = format!(
        "`{}`: this backend takes no {what} from its clients. Name it under `mcp_servers` in backend.yaml, \
         or allow it there with `mcp: {{ client_servers: all }}`",
        refused.name
    );
    Err(acp_error(&Error::user(Code::McpClientServerRefused, message)))
}

/// The same in each version, whose types have the same names and are open.
macro_rules! of {
    ($version:ident, $servers:expr) => {
        $servers
            .iter()
            .map(|server| match server {
                $version::McpServer::Stdio(stdio) => program(
                    &stdio.name,
                    stdio.command.as_ref(),
                    &stdio.args,
                    stdio.env.iter().map(|one| (one.name.clone(), one.value.clone())),
                ),
                $version::McpServer::Http(http) => Ok(address(
                    &http.name,
                    &http.url,
                    http.headers
                        .iter()
                        .map(|one| (one.name.clone(), one.value.clone())),
                )),
                _ => Err(unknown()),
            })
            .collect()
    };
}

/// Those of version 1.
pub(super) fn of_one(servers: &[one::McpServer]) -> Result<Vec<Server>, AcpError> {
    of!(one, servers)
}

/// Those of version 2.
pub(super) fn of_two(servers: &[two::McpServer]) -> Result<Vec<Server>, AcpError> {
    of!(two, servers)
}

fn unknown() -> AcpError {
    invalid("MCP servers are reached by `stdio` or `http`")
}

fn program(
    name: &str,
    command: &Path,
    args: &[String],
    env: impl Iterator<Item = (String, String)>,
) -> Result<Server, AcpError> {
    // The protocol wants an absolute path; clients send names on PATH too.
    let Some(command) = command.to_str().filter(|command| !command.is_empty()) else {
        return Err(invalid(&format!("the MCP server `{name}` has no command")));
    };
    let transport = Transport::Stdio {
        command: command.to_owned(),
        args: args.to_vec(),
        env: env.collect::<BTreeMap<_, _>>(),
    };
    Ok(Server::new(name, transport, Source::Client))
}

fn address(name: &str, url: &str, headers: impl Iterator<Item = (String, String)>) -> Server {
    let transport = Transport::Http {
        url: url.to_owned(),
        headers: headers.collect(),
    };
    Server::new(name, transport, Source::Client)
}
