//! `consents`: what was said for good about running code without a sandbox and
//! about calling tools.

use clap::Subcommand;

use super::{Exit, print};
use crate::{
    config::Config,
    consents::{Consent, Consents, Matter, Standing},
    error::Error,
};

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Show what holds in which workspace
    List,
    /// Take back what holds in the workspace: it is asked again
    Revoke,
}

pub(super) fn run(config: &Config, command: Command) -> Result<Exit, Error> {
    let consents = Consents::of(&config.data_dir);
    match command {
        Command::List => {
            let all = consents.all();
            if all.is_empty() {
                print(
                    "nothing was said for good: who has no sandbox, or a tool that may change something, is asked",
                )?;
            }
            for consent in &all {
                print(&line(consent))?;
            }
            Ok(Exit::Done)
        }
        Command::Revoke => {
            let workspace = super::workspace(config)?.display().to_string();
            if consents.forget(&workspace)? {
                print(&format!("taken back for {workspace}"))?;
                return Ok(Exit::Done);
            }
            print(&format!("nothing was said for good about {workspace}"))?;
            Ok(Exit::Failed)
        }
    }
}

/// One answer in words.
pub(super) fn line(consent: &Consent) -> String {
    let how = match consent.answer {
        Standing::Always => "always",
        Standing::Never => "never",
    };
    let what = match &consent.about {
        Matter::Unisolated => format!("{how} run without a sandbox"),
        Matter::Tool { server, tool, .. } => format!("{how} call `{tool}` of `{server}`"),
    };
    format!("{}: {what}", consent.workspace)
}
