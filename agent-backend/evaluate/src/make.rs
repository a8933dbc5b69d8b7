//! A set of queries out of the commits of repositories: `--make N`.
//!
//! A query is the message of a commit that came after the snapshot, its answer
//! the source files that the commit changed. The choice depends on nothing but
//! the commits, so that the same repository gives the same set.

mod query;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::json;

use self::query::Query;
use crate::checkout::{self, git};
use crate::set;

type Failure = Box<dyn std::error::Error>;

/// Commits that would do, for each query that is wanted: the snapshot is before
/// all of them, and what they lose until then must leave enough.
const COMMITS_PER_QUERY: usize = 2;
/// Files of a commit that is about one thing.
const FILES_MAX: usize = 40;

/// Writes `meta.json` and a `.jsonl` file for each repository in `repos`.
pub fn run(repos: &Path, set: &Path, wanted: usize) -> Result<(), Failure> {
    std::fs::create_dir_all(set)?;
    let mut meta = BTreeMap::new();
    for (name, place) in checkout::all(repos)? {
        let made = repository(&place, wanted)?;
        let Some((snapshot, queries)) = made else {
            eprintln!("{name}: too few commits with a message and source files");
            continue;
        };
        let lines = queries.iter().map(|query| format!("{}\n", query.json()));
        std::fs::write(set::queries_of(set, &name), lines.collect::<String>())?;
        eprintln!("{name}: {} queries after {snapshot}", queries.len());
        meta.insert(name, json!({ "snapshot": snapshot, "queries": queries.len() }));
    }
    if meta.is_empty() {
        return Err(format!("no repository in {} gives a set", repos.display()).into());
    }
    Ok(std::fs::write(
        set.join("meta.json"),
        serde_json::to_string_pretty(&meta)?,
    )?)
}

/// The snapshot and the queries, oldest first.
fn repository(source: &Path, wanted: usize) -> Result<Option<(String, Vec<Query>)>, Failure> {
    let log = git(
        source,
        &[
            "log",
            "-z",
            "--no-merges",
            "--no-renames",
            "--name-status",
            query::FORMAT,
            "HEAD",
        ],
    )?;
    let fits = query::parse(&log).filter(|query| query.files <= FILES_MAX);
    let fits: Vec<Query> = fits.take(wanted * COMMITS_PER_QUERY).collect();
    let Some(oldest) = fits.last() else {
        return Ok(None);
    };
    let Ok(snapshot) = git(source, &["rev-parse", &format!("{}^", oldest.commit)]) else {
        return Ok(None);
    };
    let tree = git(source, &["ls-tree", "-r", "-z", "--name-only", &snapshot])?;
    let tree: HashSet<&str> = tree.split('\0').collect();
    // What was written on a side branch may be part of the snapshot already.
    let before = git(source, &["rev-list", &snapshot])?;
    let before: HashSet<&str> = before.lines().collect();
    let is_later = |query: &Query| {
        !before.contains(query.commit.as_str()) && query.gold.iter().all(|path| tree.contains(path.as_str()))
    };
    let mut queries: Vec<Query> = fits.into_iter().filter(is_later).collect();
    queries.reverse();
    let queries = query::spread(queries, wanted);
    Ok((!queries.is_empty()).then_some((snapshot, queries)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(root: &Path, message: &str, text: &str) {
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(root.join("src/header.rs"), text).unwrap();
        git(root, &["add", "--all"]).unwrap();
        let author = ["-c", "user.name=A", "-c", "user.email=a@b.c"];
        let args = [&author[..], &["commit", "--quiet", "--message", message]].concat();
        git(root, &args).unwrap();
    }

    #[test]
    fn a_made_set_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let (repos, made) = (dir.path().join("repos"), dir.path().join("set"));
        let root = repos.join("a+b");
        std::fs::create_dir_all(&root).unwrap();
        git(&root, &["init", "--quiet"]).unwrap();
        commit(&root, "start with a header", "1");
        commit(&root, "Escape the name", "2");
        let snapshot = git(&root, &["rev-parse", "HEAD^"]).unwrap();
        commit(&root, "docs: say what it is", "3");
        commit(&root, "http: fold long lines", "4");
        run(&repos, &made, 1).unwrap();
        let entries = set::repositories(&made).unwrap();
        assert_eq!(entries.len(), 1);
        let texts: Vec<(&str, &str, &[String])> = entries[0]
            .queries
            .iter()
            .map(|query| (query.text.as_str(), query.noscope.as_str(), &query.gold[..]))
            .collect();
        let gold = ["src/header.rs".to_owned()];
        assert_eq!(entries[0].snapshot, snapshot);
        assert_eq!(texts, [("Escape the name", "Escape the name", &gold[..])]);
        // What gives no set is told, and nothing is written as if it did.
        let empty = tempfile::tempdir().unwrap();
        let problem = run(empty.path(), &made, 1).unwrap_err().to_string();
        assert!(problem.contains("no repository in"), "{problem}");
    }
}
