//! `trust`: the MCP servers that a repository names, with what each would run,
//! and whether the person trusts it.

use ::mcp::{
    Trust,
    repository::{self, Definition},
};
use clap::Args;
use shared::error::Code;

use super::{Exit, print};
use crate::{config::Config, error::Error};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Trust these servers, as they are defined now
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "revoke")]
    accept: Vec<String>,
    /// Trust these servers no more
    #[arg(long, value_name = "NAME", num_args = 1..)]
    revoke: Vec<String>,
}

pub(super) fn run(config: &Config, arguments: &Arguments) -> Result<Exit, Error> {
    let workspace = super::workspace(config)?;
    let workspace = retrieval::walk::canonical_root(&workspace)?;
    let definitions =
        repository::definitions(&workspace).map_err(|reason| Error::user(Code::McpServerInvalid, reason))?;
    let trust = Trust::new(&config.data_dir);
    if !arguments.accept.is_empty() {
        let named = arguments.accept.iter().map(|name| {
            definitions
                .iter()
                .find(|definition| definition.name == *name)
                .ok_or_else(|| {
                    let message = format!("{} names no server `{name}`", repository::FILE);
                    Error::user(Code::InvalidRequest, message)
                })
        });
        trust.accept(&workspace, &named.collect::<Result<Vec<&Definition>, Error>>()?)?;
    }
    if !arguments.revoke.is_empty() {
        trust.revoke(&workspace, &arguments.revoke)?;
    }
    let trusted = trust.trusted(&workspace, &definitions)?;
    if definitions.is_empty() {
        print(&format!(
            "{} names no server",
            workspace.join(repository::FILE).display()
        ))?;
    }
    for definition in &definitions {
        let is_trusted = trusted.iter().any(|one| one.name == definition.name);
        let word = if is_trusted { "trusted" } else { "not trusted" };
        print(&format!("{}: {word}", definition.name))?;
        for line in definition.lines() {
            print(&format!("  {line}"))?;
        }
    }
    Ok(Exit::Done)
}
