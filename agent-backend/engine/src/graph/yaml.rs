//! Reads a definition from YAML text. Every problem is found in one go and has
//! its line and column.

mod fields;
mod read;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{Error, Graph, Problem};
use crate::{
    blob::BlobId,
    limits::{DEFINITION_BYTES_MAX, PROBLEMS_MAX},
};

/// Texts of the definitions that others may use as sub-workflows, by name.
pub type Library = BTreeMap<String, String>;

/// The name that a definition gives itself, whatever else is wrong with it.
pub fn name(text: &str) -> Option<String> {
    tree::parse(text).ok()?.name()
}

/// Reads and checks a definition that uses no other.
pub fn parse(text: &str) -> Result<Graph, Error> {
    parse_with(text, &Library::new())
}

/// Reads and checks a definition that may use those of the library.
pub fn parse_with(text: &str, library: &Library) -> Result<Graph, Error> {
    if text.len() > DEFINITION_BYTES_MAX {
        let problem = Problem {
            at: super::At { line: 1, column: 1 },
            message: format!("the definition has {} bytes", text.len()),
            advice: format!("at most {DEFINITION_BYTES_MAX} are possible"),
        };
        return Err(Error {
            problems: vec![problem],
        });
    }
    let mut reader = read::Reader::new(library);
    let graph = match tree::parse(text) {
        Ok(root) => reader.graph(&root),
        Err(problem) => {
            reader.problems.push(problem);
            None
        }
    };
    // Rules are checked even where something could not be read, so that all
    // problems are named at once.
    if let Some(graph) = &graph {
        reader
            .problems
            .extend(super::check::problems(graph, &reader.places));
    }
    let mut problems = reader.problems;
    problems.sort();
    problems.dedup();
    problems.truncate(PROBLEMS_MAX);
    match graph {
        Some(graph) if problems.is_empty() => {
            let mut sources = text.to_owned();
            for used in &reader.used {
                sources.push('\0');
                sources.push_str(used);
            }
            Ok(Graph {
                source: Some(BlobId::of(sources.as_bytes())),
                ..graph
            })
        }
        Some(_) | None => Err(Error { problems }),
    }
}
