//! The servers of tools that a repository names: which of them may be used, and
//! why others are left out. Knows no connection.

use std::{env, path::Path};

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

/// What the repository at `workspace` names, and the person trusts, now. Reads
/// files.
pub fn of_repository(config: &Config, workspace: &Path) -> Named {
    named(config, workspace, &|name| env::var(name).ok())
}

/// With what the configuration allows of a server that is not its own.
pub fn allow(config: &Config, mut server: Server) -> Server {
    if let Some(tools) = config.mcp.allow.get(&server.name) {
        server.allow.extend(tools.iter().cloned());
    }
    server
}

fn named(config: &Config, workspace: &Path, value: &dyn Fn(&str) -> Option<String>) -> Named {
    let mut named = Named::default();
    let mut definitions = match repository::definitions(workspace) {
        Ok(definitions) => definitions,
        Err(reason) => {
            named.refuse(repository::FILE, Code::McpServerInvalid, reason);
            return named;
        }
    };
    // What the person disables in the configuration is not asked about.
    definitions.retain(|one| {
        config
            .mcp_servers
            .get(&one.name)
            .is_none_or(|server| !server.disabled)
    });
    if definitions.is_empty() {
        return named;
    }
    let trusted = match Trust::new(&config.data_dir).trusted(workspace, &definitions) {
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
            Ok(server) => named.servers.push(allow(config, server)),
            Err(reason) => named.refuse(name, Code::McpServerInvalid, reason),
        }
    }
    named
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
        let found = named(config, workspace, &|_| None);
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
