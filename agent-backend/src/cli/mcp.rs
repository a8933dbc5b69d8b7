//! `mcp`: the code search for other agents, on standard input and output. Where
//! the backend on this data folder keeps a workspace, its index answers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use clap::Args;
use shared::{
    error::Code,
    wire::{CodeAnswer, CodeRequest},
};

use super::{Exit, backend};
use crate::{
    config::Config,
    edge::mcp::{self, Elsewhere},
    error::Error,
};

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
    mcp::serve(root, Arc::new(Running(config))).await?;
    Ok(Exit::Done)
}

/// The backend that runs on a data folder, whenever there is one.
struct Running(Config);

#[async_trait]
impl Elsewhere for Running {
    async fn answer(&self, tool: &str, root: &Path, call: &CodeRequest) -> Option<Result<CodeAnswer, Error>> {
        let client = backend::keeping(&self.0, root).await?;
        match client.code(tool, call).await {
            // It has gone meanwhile.
            Err(error) if error.code == Code::BackendUnreachable => None,
            answer => Some(answer),
        }
    }
}
