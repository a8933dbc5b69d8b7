//! Entries of trees and of the person's index: reading them, and changing ours
//! alone.

use std::{collections::BTreeMap, thread};

use crate::{
    Error,
    git::{Answer, Git, records},
    limits::{INDEX_LOCK_TRIES, INDEX_LOCK_WAIT},
    repository::GitRepository,
};

/// A file in a tree or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As git writes it, for example `100644`.
    pub(super) mode: String,
    /// Object id.
    pub(super) id: String,
}

/// Entries by path relative to the work tree's root; none where there is no
/// such file.
pub(super) type Entries = BTreeMap<String, Option<Entry>>;

/// Ids of the empty blob, for both hashes that git knows.
const EMPTY_BLOBS: &[&str] = &[
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
];

/// Whether nothing of the person's is staged at a path. `git add -N` announces
/// a file with an empty entry: there is nothing in it that could be lost.
pub(super) fn is_clean(staged: Option<&Entry>, base: Option<&Entry>) -> bool {
    staged == base || base.is_none() && staged.is_some_and(|entry| EMPTY_BLOBS.contains(&entry.id.as_str()))
}

/// The entries of these paths in a commit's tree.
pub(super) fn of_commit(git: &Git, commit: Option<&str>, paths: &[String]) -> Result<Entries, Error> {
    let mut entries: Entries = paths.iter().map(|path| (path.clone(), None)).collect();
    let Some(commit) = commit else { return Ok(entries) };
    let mut arguments = vec!["ls-tree", "-z", "--full-tree", commit, "--"];
    arguments.extend(paths.iter().map(String::as_str));
    for record in records(&git.read(&arguments)?.bytes()?) {
        let Some((meta, path)) = record.split_once('\t') else {
            continue;
        };
        let mut words = meta.split(' ');
        if let (Some(mode), Some(_), Some(id)) = (words.next(), words.next(), words.next()) {
            entries.insert(
                path.to_owned(),
                Some(Entry {
                    mode: mode.to_owned(),
                    id: id.to_owned(),
                }),
            );
        }
    }
    Ok(entries)
}

/// The entries of these paths in the person's index.
///
/// # Errors
/// E1211 if one of them is unmerged.
pub(super) fn of_index(git: &Git, paths: &[String]) -> Result<Entries, Error> {
    let mut entries: Entries = paths.iter().map(|path| (path.clone(), None)).collect();
    let mut arguments = vec!["ls-files", "--stage", "-z", "--"];
    arguments.extend(paths.iter().map(String::as_str));
    for record in records(&git.read(&arguments)?.bytes()?) {
        let Some((meta, path)) = record.split_once('\t') else {
            continue;
        };
        let mut words = meta.split(' ');
        if let (Some(mode), Some(id), Some(stage)) = (words.next(), words.next(), words.next()) {
            if stage != "0" {
                return Err(Error::Staged {
                    path: path.to_owned(),
                });
            }
            // A directory that was replaced by a file lists what is below it.
            if let Some(entry) = entries.get_mut(path) {
                *entry = Some(Entry {
                    mode: mode.to_owned(),
                    id: id.to_owned(),
                });
            }
        }
    }
    Ok(entries)
}

/// Sets these entries in the index that `git` uses, and no others. `base` is
/// the commit that it was made of; without one there is nothing to remove.
pub(super) fn set(git: &Git, base: Option<&str>, entries: &Entries) -> Result<Answer, Error> {
    let mut input = Vec::new();
    for (path, entry) in entries {
        let record = match (entry, base) {
            (Some(Entry { mode, id }), _) => format!("{mode} {id}\t{path}\0"),
            // Mode 0 removes; the id only has to be as long as ids are here.
            (None, Some(base)) => format!("0 {}\t{path}\0", "0".repeat(base.len())),
            (None, None) => continue,
        };
        input.extend_from_slice(record.as_bytes());
    }
    git.run(&["update-index", "-z", "--index-info"], Some(&input))
}

/// Sets these entries in the person's index, waiting a little for its lock.
///
/// # Errors
/// E1204 if the lock stays held.
pub(super) fn set_persons(
    git: &Git,
    repository: &GitRepository,
    base: Option<&str>,
    entries: &Entries,
) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let lock = repository.git_dir.join("index.lock");
    for _ in 0..INDEX_LOCK_TRIES {
        let answer = set(git, base, entries)?;
        if answer.success() {
            return Ok(());
        }
        if !answer.complaint().contains("index.lock") {
            return Err(answer.into_error());
        }
        thread::sleep(INDEX_LOCK_WAIT);
    }
    Err(Error::Locked { path: lock })
}

/// Waits a little for the index's lock to go.
///
/// # Errors
/// E1204 if it stays held.
pub(super) fn wait_unlocked(repository: &GitRepository) -> Result<(), Error> {
    let lock = repository.git_dir.join("index.lock");
    for _ in 0..INDEX_LOCK_TRIES {
        if !lock.exists() {
            return Ok(());
        }
        thread::sleep(INDEX_LOCK_WAIT);
    }
    Err(Error::Locked { path: lock })
}
