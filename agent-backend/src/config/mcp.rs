//! Servers of tools that models may call, and how much they may.

use std::{collections::BTreeMap, env, fmt, net::IpAddr, time::Duration};

use ::mcp::{Server, Source, Transport};
use serde::{Deserialize, Serialize};

/// Longest time that one call may take, in seconds, where nothing is said.
const TIMEOUT_S: u64 = 60;

/// How models call tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mcp {
    /// Whether they are given our own servers: git, formatters, language servers.
    pub built_in: bool,
    /// Answers of a model in a row that may be calls; 0 gives it no tools.
    pub rounds_max: u32,
    /// Tools that may be called although servers of the repository or of a
    /// client do not say that they only read: by server; `*` for all.
    pub allow: BTreeMap<String, Vec<String>>,
    /// What becomes of other tools that do not say that they only read.
    pub unlisted: Unlisted,
    /// Which servers a client of ACP may name; by default all, but no programs
    /// where the backend can be reached from other machines.
    pub client_servers: Option<ClientServers>,
}

/// What becomes of tools that do not say that they only read, and that `allow`
/// does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlisted {
    /// A model may call one when a person has allowed the call.
    #[default]
    Ask,
    /// They are kept from models.
    Hide,
}

impl From<Unlisted> for ::mcp::Unlisted {
    fn from(unlisted: Unlisted) -> Self {
        match unlisted {
            Unlisted::Ask => Self::Ask,
            Unlisted::Hide => Self::Hide,
        }
    }
}

/// Which servers of tools a client of ACP may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientServers {
    /// Programs, which run as the backend's user, and addresses.
    All,
    /// Addresses alone.
    Http,
    /// None at all.
    None,
}

impl ClientServers {
    /// Whether they may be reached like this.
    pub fn allow(self, transport: &Transport) -> bool {
        match (self, transport) {
            (Self::All, _) => true,
            (Self::Http, Transport::Http { .. }) => true,
            (Self::Http, Transport::Stdio { .. } | Transport::BuiltIn(_)) | (Self::None, _) => false,
        }
    }
}

/// As the configuration has it.
impl fmt::Display for ClientServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Http => "http",
            Self::None => "none",
        })
    }
}

impl Mcp {
    /// Which servers clients may name of a backend that listens there.
    pub fn client_servers(&self, listen: IpAddr) -> ClientServers {
        let usual = if listen.is_loopback() {
            ClientServers::All
        } else {
            ClientServers::Http
        };
        self.client_servers.unwrap_or(usual)
    }
}

impl Default for Mcp {
    fn default() -> Self {
        Self {
            built_in: true,
            rounds_max: 8,
            allow: BTreeMap::new(),
            unlisted: Unlisted::Ask,
            client_servers: None,
        }
    }
}

/// A server of others. Either a program or an address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct McpServer {
    /// A program that speaks on standard input and output.
    pub command: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its variables; `${NAME}` stands for one of the backend's own.
    pub env: BTreeMap<String, String>,
    /// An address of streamable HTTP.
    pub url: Option<String>,
    /// Headers of each request; `${NAME}` stands for a variable of the backend.
    pub headers: BTreeMap<String, String>,
    /// The languages it is for, for example `python`; empty for all.
    pub languages: Vec<String>,
    /// Tools that may be called although they are not said to only read; `*` for
    /// all.
    pub allow: Vec<String>,
    /// Longest time of one call, in seconds.
    pub timeout_s: Option<u64>,
    /// Leaves it out.
    pub disabled: bool,
}

/// Variables and headers may be secrets.
impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer")
            .field("command", &self.command)
            .field("args", &self.args)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("url", &self.url)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("languages", &self.languages)
            .field("allow", &self.allow)
            .field("timeout_s", &self.timeout_s)
            .field("disabled", &self.disabled)
            .finish()
    }
}

/// The servers of a configuration, without those that are left out.
///
/// # Errors
/// What is wrong with one, and what to write.
pub fn servers(configured: &BTreeMap<String, McpServer>) -> Result<Vec<Server>, String> {
    let used = configured.iter().filter(|(_, server)| !server.disabled);
    used.map(|(name, server)| {
        server
            .defined(name, &|variable| env::var(variable).ok())
            .map_err(|reason| format!("`mcp_servers.{name}`: {reason}"))
    })
    .collect()
}

impl McpServer {
    fn defined(&self, name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Server, String> {
        let filled = |values: &BTreeMap<String, String>| -> Result<BTreeMap<String, String>, String> {
            let fill = |(name, value): (&String, &String)| Ok((name.clone(), fill(value, variable)?));
            values.iter().map(fill).collect()
        };
        let transport = match (&self.command, &self.url) {
            (Some(command), None) => {
                if !self.headers.is_empty() {
                    return Err("`headers` belong to a `url`".to_owned());
                }
                Transport::Stdio {
                    command: command.clone(),
                    args: self.args.clone(),
                    env: filled(&self.env)?,
                }
            }
            (None, Some(url)) => {
                if !self.args.is_empty() || !self.env.is_empty() {
                    return Err("`args` and `env` belong to a `command`".to_owned());
                }
                Transport::Http {
                    url: url.clone(),
                    headers: filled(&self.headers)?,
                }
            }
            (None, None) => return Err("it has neither a `command` nor a `url`: write one".to_owned()),
            (Some(_), Some(_)) => return Err("it has a `command` and a `url`: write one".to_owned()),
        };
        let timeout = Duration::from_secs(self.timeout_s.unwrap_or(TIMEOUT_S).max(1));
        Ok(Server {
            languages: self.languages.clone(),
            allow: self.allow.clone(),
            timeout,
            ..Server::new(name, transport, Source::Configuration)
        })
    }
}

/// A value with its `${NAME}` put in.
fn fill(value: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err("a `${` has no `}`".to_owned());
        };
        filled.push_str(before);
        filled.push_str(&variable(name).ok_or_else(|| {
            format!("the variable `{name}` is not set in the environment of the backend: set it")
        })?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn clients_of_other_machines_name_no_programs() {
        let check = |configured: Option<ClientServers>, listen: &str, program: bool, address: bool| {
            let mcp = Mcp {
                client_servers: configured,
                ..Mcp::default()
            };
            let servers = mcp.client_servers(listen.parse().unwrap());
            let stdio = Transport::Stdio {
                command: "serve".to_owned(),
                args: Vec::new(),
                env: BTreeMap::new(),
            };
            let http = Transport::Http {
                url: "http://localhost/mcp".to_owned(),
                headers: BTreeMap::new(),
            };
            let allowed = (servers.allow(&stdio), servers.allow(&http));
            assert_eq!(allowed, (program, address), "{configured:?} {listen}");
        };
        check(None, "127.0.0.1", true, true);
        check(None, "::1", true, true);
        check(None, "0.0.0.0", false, true);
        check(None, "10.0.0.7", false, true);
        check(Some(ClientServers::All), "0.0.0.0", true, true);
        check(Some(ClientServers::Http), "127.0.0.1", false, true);
        check(Some(ClientServers::None), "127.0.0.1", false, false);
    }

    #[test]
    fn a_server_is_a_program_or_an_address() {
        let check = |server: McpServer, expect: Result<Transport, &str>| {
            let known = |name: &str| (name == "TOKEN").then(|| "secret".to_owned());
            let got = server.defined("x", &known).map(|server| server.transport);
            assert_eq!(got, expect.map_err(str::to_owned));
        };
        let program = McpServer {
            command: Some("serve".to_owned()),
            args: vec!["now".to_owned()],
            env: map(&[("KEY", "a ${TOKEN} b")]),
            ..McpServer::default()
        };
        check(
            program.clone(),
            Ok(Transport::Stdio {
                command: "serve".to_owned(),
                args: vec!["now".to_owned()],
                env: map(&[("KEY", "a secret b")]),
            }),
        );
        let address = McpServer {
            url: Some("http://localhost/mcp".to_owned()),
            headers: map(&[("Authorization", "Bearer ${TOKEN}")]),
            ..McpServer::default()
        };
        check(
            address.clone(),
            Ok(Transport::Http {
                url: "http://localhost/mcp".to_owned(),
                headers: map(&[("Authorization", "Bearer secret")]),
            }),
        );
        let unset = "the variable `NO` is not set in the environment of the backend: set it";
        let with = |env: &str| McpServer {
            env: map(&[("KEY", env)]),
            ..program.clone()
        };
        check(with("${NO}"), Err(unset));
        check(with("${TOKEN"), Err("a `${` has no `}`"));
        check(
            McpServer::default(),
            Err("it has neither a `command` nor a `url`: write one"),
        );
        check(
            McpServer {
                url: address.url.clone(),
                ..program.clone()
            },
            Err("it has a `command` and a `url`: write one"),
        );
        check(
            McpServer {
                headers: map(&[("a", "b")]),
                ..program
            },
            Err("`headers` belong to a `url`"),
        );
        check(
            McpServer {
                args: vec!["now".to_owned()],
                ..address
            },
            Err("`args` and `env` belong to a `command`"),
        );
    }
}
