//! Commands that need no workflow, answered at once as text.

use std::{fmt::Write as _, path::Path};

use crate::{error::Error, indexing::Command, runtime::Runtime};

/// Places of one answer.
const PLACES_MAX: usize = 20;

/// Code about `query` in the folder, and then in the further ones.
pub(super) async fn search(
    runtime: &Runtime,
    root: &Path,
    folders: &[String],
    query: &str,
) -> Result<String, Error> {
    let mut text = places(runtime, root, Path::new(""), query).await?;
    for folder in folders.iter().map(Path::new) {
        let _infallible = write!(text, "\nIn {}:\n\n", folder.display());
        match places(runtime, folder, folder, query).await {
            Ok(found) => text.push_str(&found),
            Err(error) => {
                let _infallible = writeln!(text, "_{error}_");
            }
        }
    }
    Ok(text)
}

/// Places in one folder, their paths behind `before`.
async fn places(runtime: &Runtime, root: &Path, before: &Path, query: &str) -> Result<String, Error> {
    let services = runtime.services();
    services.indexing.settle(root).await?;
    let found = Box::pin(services.search.retrieve(root, query)).await?;
    let mut text = String::new();
    for notice in &found.notices {
        let _infallible = writeln!(text, "_{}_\n", notice.message);
    }
    for item in found.ranked.iter().take(PLACES_MAX) {
        let path = before.join(&item.path);
        let place = format!("{}:{}-{}", path.display(), item.start_line, item.end_line);
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
