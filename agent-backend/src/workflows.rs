//! Workflow definitions: the ones that ship with the program, and those of the
//! configured folder, which may replace them by name.

use std::{collections::BTreeMap, path::Path};

use engine::{Graph, graph};
use shared::error::Code;

use crate::error::Error;

const SHIPPED: [&str; 1] = [include_str!("../../config/workflows/feature_implementation.yaml")];

/// All definitions, by name.
pub fn load(folder: Option<&Path>) -> Result<BTreeMap<String, Graph>, Error> {
    let mut graphs = BTreeMap::new();
    for text in SHIPPED {
        let graph = graph::parse(text).map_err(|error| invalid("(shipped)", &error.to_string()))?;
        graphs.insert(graph.name.clone(), graph);
    }
    let Some(folder) = folder else { return Ok(graphs) };
    let unreadable = |error: std::io::Error| invalid(&folder.display().to_string(), &error.to_string());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "yaml" && extension != "yml")
        {
            continue;
        }
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| invalid(&name, &error.to_string()))?;
        let graph = graph::parse(&text).map_err(|error| invalid(&name, &error.to_string()))?;
        graphs.insert(graph.name.clone(), graph);
    }
    Ok(graphs)
}

fn invalid(file: &str, problem: &str) -> Error {
    Error::user(Code::InvalidWorkflowDefinition, format!("{file}: {problem}"))
}
