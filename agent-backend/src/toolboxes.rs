//! The servers of tools that a repository names: which of them may be used, and
//! why others are left out. Knows no connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
};

use mcp::{Problem, Server, Trust, repository};
use shared::error::Code;

use crate::config::Config;

/// The servers that a repository names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Those that the person trusts as they are.
    pub servers: Vec<Server>,
    /// What is said of the others.
    pub problems: Vec<Problem>,
}

/// What the configuration says of servers that are not its own.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where trust is kept.
    data_dir: PathBuf,
    /// Names of servers that are not wanted.
    disabled: BTreeSet<String>,
    /// Tools that are allowed beyond those that only read, by server.
    allow: BTreeMap<String, Vec<String>>,
}

impl Policy {
    /// As it is configured.
    pub fn new(config: &Config) -> Self {
        let disabled = config.mcp_servers.iter().filter(|(_, server)| server.disabled);
        Self {
            data_dir: config.data_dir.clone(),
            disabled: disabled.map(|(name, _)| name.clone()).collect(),
            allow: config.mcp.allow.clone(),
        }
    }

    /// What the repository at `workspace` names, and the person trusts, now. Reads
    /// files, and so blocks.
    pub fn of_repository(&self, workspace: &Path) -> Named {
        self.named(workspace, &|name| env::var(name).ok())
    }

    /// With what is allowed of a server.
    #[must_use]
    pub fn allow(&self, mut server: Server) -> Server {
        if let Some(tools) = self.allow.get(&server.name) {
            server.allow.extend(tools.iter().cloned());
        }
        server
    }

    fn named(&self, workspace: &Path, value: &dyn Fn(&str) -> Option<String>) -> Named {
        let mut named = Named::default();
        let mut definitions = match repository::definitions(workspace) {
            Ok(definitions) => definitions,
            Err(reason) => {
                named.refuse(repository::FILE, Code::McpServerInvalid, reason);
                return named;
            }
        };
        // What the person disables in the configuration is not asked about.
        definitions.retain(|one| !self.disabled.contains(&one.name));
        if definitions.is_empty() {
            return named;
        }
        let trusted = match Trust::new(&self.data_dir).trusted(workspace, &definitions) {
            Ok(trusted) => trusted,
            Err(error) => {
                named.refuse(repository::FILE, error.code(), error.to_string());
                return named;
            }
        };
        for definition in &definitions {
            let name = &definition.name;
            if !trusted.contains(&definition) {
                let message = format!(
                    "the repository names it, and nobody has trusted it as it is now. In {}, `agentic-ide-backend trust` \
                     shows what it would run; `agentic-ide-backend trust --accept {name}` lets it be used",
                    workspace.display()
                );
                named.refuse(name, Code::McpServerUntrusted, message);
                continue;
            }
            match definition.server(value) {
                Ok(server) => named.servers.push(self.allow(server)),
                Err(reason) => named.refuse(name, Code::McpServerInvalid, reason),
            }
        }
        named
    }
}

impl Named {
    fn refuse(&mut self, server: &str, code: Code, message: String) {
        self.problems.push(Problem {
            server: server.to_owned(),
            code,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Servers by name, address and what is allowed; problems by name and code.
    #[track_caller]
    fn check(config: &Config, workspace: &Path, servers: &[&str], problems: &[&str]) {
        let found = Policy::new(config).named(workspace, &|_| None);
        let told = found.servers.iter();
        let told = told.map(|one| format!("{}: {} {:?}", one.name, one.transport, one.allow));
        assert_eq!(told.collect::<Vec<_>>(), servers);
        let told = found
            .problems
            .iter()
            .map(|one| format!("{}: {}", one.server, one.code));
        assert_eq!(told.collect::<Vec<_>>(), problems);
    }

    #[test]
    fn only_what_is_trusted_and_wanted_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("work");
        std::fs::create_dir(&workspace).unwrap();
        let of_repository = r#"{"mcpServers": {"a": {"command": "a"}, "b": {"command": "b"}, "c": {}}}"#;
        std::fs::write(workspace.join(repository::FILE), of_repository).unwrap();
        let mut config = Config {
            data_dir: dir.path().join("data"),
            mcp_servers: serde_json::from_value(serde_json::json!({"b": {"disabled": true}})).unwrap(),
            ..Config::default()
        };
        config.mcp.allow.insert("a".to_owned(), vec!["write".to_owned()]);
        check(&config, &workspace, &[], &["a: E2006", "c: E2006"]);
        let definitions = repository::definitions(&workspace).unwrap();
        let all: Vec<_> = definitions.iter().collect();
        Trust::new(&config.data_dir).accept(&workspace, &all).unwrap();
        check(&config, &workspace, &["a: a [\"write\"]"], &["c: E2005"]);
        std::fs::write(workspace.join(repository::FILE), "[").unwrap();
        check(&config, &workspace, &[], &[".mcp.json: E2005"]);
        std::fs::remove_file(workspace.join(repository::FILE)).unwrap();
        check(&config, &workspace, &[], &[]);
    }
}
