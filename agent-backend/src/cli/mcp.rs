//! `mcp`: the code search for other agents, on standard input and output. It
//! neither needs nor joins a running backend.

use std::path::PathBuf;

use clap::Args;
use shared::error::Code;

use super::Exit;
use crate::{config::Config, edge::mcp, error::Error};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Workspace of clients that offer no roots [default: `--workspace`, or the
    /// current folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub(super) async fn run(config: Config, arguments: Arguments) -> Result<Exit, Error> {
    let root = match arguments.root {
        Some(root) => {
            std::path::absolute(root).map_err(|error| Error::user(Code::ConfigInvalid, error.to_string()))?
        }
        None => super::workspace(&config)?,
    };
    // A wrong root is said at once, not with the first question.
    let root = retrieval::walk::canonical_root(&root)?;
    mcp::serve(root).await?;
    Ok(Exit::Done)
}
