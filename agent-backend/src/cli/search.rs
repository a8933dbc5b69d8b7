//! `index` and `search`: the search engine without a workflow.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use console::Style;
use indicatif::ProgressBar;

use super::{Exit, print};
use crate::{config::Config, error::Error, search::CodeSearch, wiring};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to look for
    query: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn open(config: &Config) -> Result<(CodeSearch, PathBuf), Error> {
    let ollama = Arc::new(wiring::ollama(config)?);
    Ok((wiring::search(config, ollama)?, super::workspace(config)?))
}

pub(super) async fn index(config: Config) -> Result<Exit, Error> {
    let (search, root) = open(&config)?;
    let bar = ProgressBar::new_spinner();
    let report = search
        .index(&root, |progress| {
            bar.set_length(u64::try_from(progress.files_total).unwrap_or(u64::MAX));
            bar.set_position(u64::try_from(progress.files_done).unwrap_or(u64::MAX));
            bar.set_message(format!(
                "{}/{} files, {} chunks",
                progress.files_done, progress.files_total, progress.chunks_done
            ));
        })
        .await?;
    bar.finish_and_clear();
    for notice in &report.notices {
        print(&format!("{}: {}", notice.code, notice.message))?;
    }
    print(&format!(
        "{} files: {} indexed, {} unchanged, {} removed; {} chunks written ({})",
        report.files_total,
        report.files_indexed,
        report.files_unchanged,
        report.files_deleted,
        report.chunks_written,
        report.mode.as_str(),
    ))?;
    Ok(Exit::Done)
}

pub(super) async fn search(config: Config, arguments: Arguments) -> Result<Exit, Error> {
    let (search, root) = open(&config)?;
    let found = search.retrieve(&root, &arguments.query).await?;
    if arguments.json {
        let items: Vec<_> = found
            .items
            .iter()
            .map(|item| {
                serde_json::json!({
                    "path": item.path, "start_line": item.start_line, "end_line": item.end_line,
                    "symbol": item.symbol, "score": item.score, "text": item.text,
                })
            })
            .collect();
        let notices: Vec<_> = found
            .notices
            .iter()
            .map(|notice| notice.message.clone())
            .collect();
        print(
            &serde_json::json!({ "mode": found.mode.as_str(), "notices": notices, "items": items })
                .to_string(),
        )?;
        return Ok(Exit::Done);
    }
    for notice in &found.notices {
        print(&format!("{}: {}", notice.code, notice.message))?;
    }
    for item in &found.items {
        let place = Style::new()
            .cyan()
            .apply_to(format!("{}:{}-{}", item.path, item.start_line, item.end_line));
        print(&format!(
            "{:.3}  {place}  {}",
            item.score,
            item.symbol.as_deref().unwrap_or_default()
        ))?;
    }
    Ok(Exit::Done)
}
