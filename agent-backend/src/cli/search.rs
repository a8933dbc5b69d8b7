//! `search`: the search engine without a workflow. Where the backend on this data
//! folder keeps the workspace, its index answers; else one that is made for the
//! question.

mod arguments;
mod show;

use std::{path::Path, sync::Arc, time::Duration};

use indicatif::ProgressBar;
use shared::{
    error::Code,
    wire::{SearchAnswer, SearchIndex, SearchRequest},
};

pub(super) use self::arguments::Arguments;

use super::{Exit, backend, print};
use crate::{config::Config, edge, error::Error, present, wiring};

pub(super) async fn search(config: Config, arguments: Arguments) -> Result<Exit, Error> {
    arguments.set_colours();
    let root = super::workspace(&config)?;
    let asked = arguments.request(&root);
    // Draws nothing where standard error is no terminal.
    let spinner = ProgressBar::new_spinner().with_message("searching");
    spinner.enable_steady_tick(Duration::from_millis(120));
    let found = answer(&config, &root, &asked).await;
    spinner.finish_and_clear();
    let found = found?;
    if arguments.json {
        let json = serde_json::to_string(&found);
        print(&json.map_err(|error| Error::internal(error.to_string()))?)?;
    } else if arguments.packed {
        show::notices(&found)?;
        print(found.packed.text.trim_end())?;
    } else {
        show::notices(&found)?;
        show::results(&found, &asked.query, arguments.lines)?;
    }
    Ok(if found.items.is_empty() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

async fn answer(config: &Config, root: &Path, asked: &SearchRequest) -> Result<SearchAnswer, Error> {
    // What makes no sense is said whoever would answer.
    let request = edge::search::request(asked, &config.retrieval)?;
    if let Some(client) = backend::keeping(config, root).await {
        match client.search(asked).await {
            // It has gone meanwhile.
            Err(error) if error.code == Code::BackendUnreachable => {}
            answer => return answer,
        }
    }
    let ollama = Arc::new(wiring::ollama(config)?);
    let search = wiring::search(config, ollama)?;
    let found = Box::pin(search.search(root, &request)).await?;
    Ok(present::search(found, SearchIndex::Own))
}
