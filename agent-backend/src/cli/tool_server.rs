//! `tool-server`: one of the built-in servers of tools, for any client of the
//! Model Context Protocol.

use std::sync::Arc;

use ::mcp::BuiltIn;
use clap::{Args, ValueEnum};

use super::Exit;
use crate::{config::Config, error::Error, trials::Trials};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which tools
    #[arg(value_enum)]
    which: Which,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// Status, differences, commits, who wrote a line
    Git,
    /// What the project's formatter makes of a text
    Format,
    /// What language servers say of a file; needs a sandbox
    Language,
}

pub(super) async fn run(config: Config, arguments: Arguments) -> Result<Exit, Error> {
    let workspace = super::workspace(&config)?;
    // A wrong folder is said at once, not with the first question.
    let workspace = retrieval::walk::canonical_root(&workspace)?;
    let which = match arguments.which {
        Which::Git => BuiltIn::Git,
        Which::Format => BuiltIn::Format,
        Which::Language => BuiltIn::Language,
    };
    ::mcp::serve(which, &workspace, Some(Arc::new(Trials::new(&config)))).await?;
    Ok(Exit::Done)
}
