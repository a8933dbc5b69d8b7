//! Commands that need no workflow, answered at once as text.

use std::{fmt::Write as _, path::Path};

use crate::{error::Error, indexing::Command, runtime::Runtime};

/// Places of one answer.
const PLACES_MAX: usize = 20;

/// Code about `query`.
pub(super) async fn search(runtime: &Runtime, root: &Path, query: &str) -> Result<String, Error> {
    let services = runtime.services();
    services.indexing.settle(root).await?;
    let found = Box::pin(services.search.retrieve(root, query)).await?;
    let mut text = String::new();
    for notice in &found.notices {
        let _infallible = writeln!(text, "_{}_\n", notice.message);
    }
    for item in found.ranked.iter().take(PLACES_MAX) {
        let place = format!("{}:{}-{}", item.path, item.start_line, item.end_line);
        let _infallible = match &item.symbol {
            Some(symbol) => writeln!(text, "- `{place}` {symbol}"),
            None => writeln!(text, "- `{place}`"),
        };
    }
    if found.ranked.is_empty() {
        text.push_str("Nothing was found.");
    }
    Ok(text)
}

/// The index of the folder after its files were looked at again.
pub(super) async fn index(runtime: &Runtime, root: &Path) -> Result<String, Error> {
    let indexing = &runtime.services().indexing;
    indexing.settle(root).await?;
    let described = indexing.command(root, Command::Rescan).await?;
    indexing.settle(root).await?;
    let described = indexing.status(&described.workspace).await?;
    let status = described.status;
    Ok(format!(
        "{} files, {} pieces: {}",
        status.files,
        status.chunks,
        status.detail()
    ))
}
