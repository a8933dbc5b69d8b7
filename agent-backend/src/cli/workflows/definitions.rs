//! `workflows check` and `workflows graph`: definitions, without a backend.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use engine::graph;
use shared::error::Code;

use crate::{
    cli::{Exit, print},
    config::Config,
    error::Error,
    workflows,
};

/// Language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For Mermaid, as Markdown pages show it
    Mermaid,
    /// For Graphviz
    Dot,
}

/// Prints every problem of every file as `FILE:LINE:COLUMN: what: what to do`.
pub(super) fn check(config: &Config, files: &[PathBuf]) -> Result<Exit, Error> {
    let mut exit = Exit::Done;
    for file in files {
        match workflows::check(file, config.workflows_dir.as_deref())? {
            Ok(graph) => print(&format!(
                "{}: workflow `{}` can be used, {} stage(s)",
                file.display(),
                graph.name,
                graph.all().len()
            ))?,
            Err(error) => {
                exit = Exit::Failed;
                for problem in error.problems {
                    print(&format!(
                        "{}:{}:{}: {}: {}",
                        file.display(),
                        problem.at.line,
                        problem.at.column,
                        problem.message,
                        problem.advice
                    ))?;
                }
            }
        }
    }
    Ok(exit)
}

/// Prints a definition as a graph.
pub(super) fn draw(config: &Config, definition: &Path, format: Format) -> Result<Exit, Error> {
    let folder = config.workflows_dir.as_deref();
    let graph = if definition.exists() {
        workflows::check(definition, folder)?.map_err(|error| {
            let message = format!("{}: {error}", definition.display());
            Error::user(Code::InvalidWorkflowDefinition, message)
        })?
    } else {
        let mut known = workflows::load(folder)?;
        let name = definition.display().to_string();
        known.remove(&name).ok_or_else(|| {
            let known: Vec<String> = known.into_keys().collect();
            let message = format!(
                "there is no file or workflow type `{name}`; types: {}",
                known.join(", ")
            );
            Error::user(Code::UnknownWorkflowType, message)
        })?
    };
    let text = match format {
        Format::Mermaid => graph::mermaid(&graph),
        Format::Dot => graph::dot(&graph),
    };
    print(text.trim_end())?;
    Ok(Exit::Done)
}
