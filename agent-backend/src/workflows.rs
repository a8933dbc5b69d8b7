//! Workflow definitions: the ones that ship with the program, and those of the
//! configured folder, which may replace them by name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use engine::{
    Graph,
    graph::{self, Library},
};
use shared::error::Code;

use crate::error::Error;

const SHIPPED: [&str; 4] = [
    include_str!("../../config/workflows/feature_implementation.yaml"),
    include_str!("../../config/workflows/modules.yaml"),
    include_str!("../../config/workflows/plan_first.yaml"),
    include_str!("../../config/workflows/tests.yaml"),
];

/// All definitions, by name. Every problem of every file is named at once.
pub fn load(folder: Option<&Path>) -> Result<BTreeMap<String, Graph>, Error> {
    let mut texts: Vec<(String, String)> = SHIPPED
        .iter()
        .map(|text| ("(shipped)".to_owned(), (*text).to_owned()))
        .collect();
    if let Some(folder) = folder {
        for path in files(folder)? {
            texts.push((path.display().to_string(), read(&path)?));
        }
    }
    let library = library(texts.iter().map(|(_, text)| text.as_str()));
    let mut graphs = BTreeMap::new();
    let mut problems = Vec::new();
    for (file, text) in &texts {
        match graph::parse_with(text, &library) {
            Ok(graph) => {
                graphs.insert(graph.name.clone(), graph);
            }
            Err(error) => problems.extend(error.problems.iter().map(|problem| format!("{file}: {problem}"))),
        }
    }
    if problems.is_empty() {
        Ok(graphs)
    } else {
        Err(Error::user(Code::InvalidWorkflowDefinition, problems.join("\n")))
    }
}

/// Reads and checks one file, which may use the shipped definitions, those of
/// the configured folder and its neighbours.
///
/// # Errors
/// The outer one where the file cannot be read, the inner one with everything
/// that is wrong with it.
pub fn check(file: &Path, folder: Option<&Path>) -> Result<Result<Graph, graph::Error>, Error> {
    let text = read(file)?;
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut texts: Vec<String> = SHIPPED.iter().map(|text| (*text).to_owned()).collect();
    for folder in [folder, Some(beside.unwrap_or(Path::new(".")))]
        .into_iter()
        .flatten()
    {
        for path in files(folder)? {
            texts.push(read(&path)?);
        }
    }
    let library = library(texts.iter().map(String::as_str));
    Ok(graph::parse_with(&text, &library))
}

/// Texts by the name they give themselves; later ones replace earlier ones.
fn library<'a>(texts: impl Iterator<Item = &'a str>) -> Library {
    texts
        .filter_map(|text| Some((graph::name(text)?, text.to_owned())))
        .collect()
}

/// Files of definitions, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |error: std::io::Error| invalid(folder, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| invalid(path, &error))
}

fn invalid(path: &Path, problem: &std::io::Error) -> Error {
    Error::user(
        Code::InvalidWorkflowDefinition,
        format!("{}: {problem}", path.display()),
    )
}
