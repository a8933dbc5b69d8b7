//! `search`: the search engine without a workflow.

mod arguments;
mod json;
mod show;

use std::{path::PathBuf, sync::Arc, time::Duration};

use indicatif::ProgressBar;

pub(super) use self::arguments::Arguments;

use super::{Exit, print};
use crate::{config::Config, error::Error, search::CodeSearch, wiring};

fn open(config: &Config) -> Result<(CodeSearch, PathBuf), Error> {
    let ollama = Arc::new(wiring::ollama(config)?);
    Ok((wiring::search(config, ollama)?, super::workspace(config)?))
}

pub(super) async fn search(config: Config, arguments: Arguments) -> Result<Exit, Error> {
    arguments.set_colours();
    let request = arguments.request(&config.retrieval)?;
    let (search, root) = open(&config)?;
    // Draws nothing where standard error is no terminal.
    let spinner = ProgressBar::new_spinner().with_message("searching");
    spinner.enable_steady_tick(Duration::from_millis(120));
    let found = search.search(&root, &request).await;
    spinner.finish_and_clear();
    let found = found?;
    if arguments.json {
        print(&json::answer(&found).to_string())?;
    } else if arguments.packed {
        show::notices(&found)?;
        print(found.packed.trim_end())?;
    } else {
        show::notices(&found)?;
        show::results(&found, &request, arguments.lines)?;
    }
    Ok(if found.ranked.is_empty() {
        Exit::Failed
    } else {
        Exit::Done
    })
}
