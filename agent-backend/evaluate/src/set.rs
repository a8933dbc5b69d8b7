//! The set of queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

/// A repository of the set.
pub struct Entry {
    pub name: String,
    pub snapshot: String,
    pub queries: Vec<Query>,
}

/// The message of a later commit and the files that it changed.
pub struct Query {
    pub text: String,
    pub noscope: String,
    pub gold: Vec<String>,
}

/// Reads `meta.json` and the queries of each repository in it.
pub fn repositories(set: &Path) -> Result<Vec<Entry>, Failure> {
    let meta: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(set.join("meta.json"))?)?;
    let mut entries = Vec::new();
    for (name, about) in meta {
        let snapshot = text(&about, "snapshot")?;
        let lines = std::fs::read_to_string(queries_of(set, &name))?;
        let mut queries = Vec::new();
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line)?;
            let gold = line["gold"].as_array().into_iter().flatten();
            queries.push(Query {
                text: text(&line, "query")?,
                noscope: text(&line, "query_noscope")?,
                gold: gold.filter_map(|path| path.as_str().map(str::to_owned)).collect(),
            });
        }
        entries.push(Entry {
            name,
            snapshot,
            queries,
        });
    }
    Ok(entries)
}

/// The file of a repository's queries, one a line.
pub fn queries_of(set: &Path, name: &str) -> PathBuf {
    set.join(format!("{}.jsonl", name.replace('+', "__")))
}

fn text(value: &Value, key: &str) -> Result<String, Failure> {
    Ok(value[key]
        .as_str()
        .ok_or(format!("no {key} in the set"))?
        .to_owned())
}
