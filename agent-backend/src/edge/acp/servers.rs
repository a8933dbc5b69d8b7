//! The MCP servers that a client brings to a session.

#![expect(clippy::wildcard_enum_match_arm, reason = "the protocol's enums are open")]

use std::{collections::BTreeMap, path::Path};

use agent_client_protocol::{Error as AcpError, v1::schema as one, v2::schema as two};
use mcp::{Server, Source, Transport};

use super::invalid;

/// Those of version 1.
pub(super) fn of_one(servers: &[one::McpServer]) -> Result<Vec<Server>, AcpError> {
    servers
        .iter()
        .map(|server| match server {
            one::McpServer::Stdio(stdio) => program(
                &stdio.name,
                &stdio.command,
                &stdio.args,
                stdio.env.iter().map(|one| (one.name.clone(), one.value.clone())),
            ),
            one::McpServer::Http(http) => Ok(address(
                &http.name,
                &http.url,
                http.headers
                    .iter()
                    .map(|one| (one.name.clone(), one.value.clone())),
            )),
            _ => Err(unknown()),
        })
        .collect()
}

/// Those of version 2.
pub(super) fn of_two(servers: &[two::McpServer]) -> Result<Vec<Server>, AcpError> {
    servers
        .iter()
        .map(|server| match server {
            two::McpServer::Stdio(stdio) => program(
                &stdio.name,
                stdio.command.as_ref(),
                &stdio.args,
                stdio.env.iter().map(|one| (one.name.clone(), one.value.clone())),
            ),
            two::McpServer::Http(http) => Ok(address(
                &http.name,
                &http.url,
                http.headers
                    .iter()
                    .map(|one| (one.name.clone(), one.value.clone())),
            )),
            _ => Err(unknown()),
        })
        .collect()
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
