//! Turns new contents of files into a proposal: fences, conventions of the old
//! file, line counts. Writes nothing.

use std::collections::BTreeMap;

use engine::{artifact::FileChange, blob::Blob};

use crate::{
    Error, Repository, Workspace, diff,
    limits::{FILE_BYTES_MAX, PROPOSAL_FILES_MAX},
    merge::{self, Merged},
    renames::{self, Removed},
    text::{self, TextFile},
};

/// What a file is to contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContents {
    /// Path relative to the workspace, as the model named it.
    pub path: String,
    /// The whole new text; none to remove the file.
    pub text: Option<String>,
}

/// The contents of one file in the proposal that another one goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// What it was made on; none for a new file.
    pub old: Option<Vec<u8>>,
    /// What it proposed; none to remove the file.
    pub new: Option<Vec<u8>>,
}

/// A proposal's files and the contents they name.
#[derive(Debug, Default)]
pub struct Proposed {
    /// The changes, sorted by path, each path once. Files that stay as they are
    /// are left out.
    pub files: Vec<FileChange>,
    /// Old and new contents of them, each once.
    pub blobs: Vec<Blob>,
    /// Files that cannot be changed, for the model to be told. A caller that
    /// goes on with the others proposes half of an answer.
    pub refused: Vec<Refused>,
}

/// A file that cannot be changed.
#[derive(Debug)]
pub struct Refused {
    /// The path as the model named it.
    pub path: String,
    /// Why.
    pub error: Error,
}

/// Makes a proposal of `contents`. Of two contents for one path the last counts.
///
/// # Errors
/// Those of git. What is wrong with one file is in [`Proposed::refused`].
pub fn propose(workspace: &Workspace, contents: &[NewContents]) -> Result<Proposed, Error> {
    propose_after(workspace, contents, &BTreeMap::new())
}

/// The same, where `contents` were written on from an earlier proposal: what the
/// person has changed since in a file of it stays, unless both touch the same
/// lines.
///
/// # Errors
/// As [`propose`].
pub fn propose_after(
    workspace: &Workspace,
    contents: &[NewContents],
    before: &BTreeMap<String, Before>,
) -> Result<Proposed, Error> {
    let mut proposed = Proposed::default();
    let mut changes = BTreeMap::new();
    let mut blobs = BTreeMap::new();
    let removed = removed(workspace, contents);
    for (index, contents) in contents.iter().enumerate() {
        let change = if index < PROPOSAL_FILES_MAX {
            change(workspace, contents, &removed, before.get(&contents.path))
        } else {
            Err(Error::Outside {
                path: contents.path.clone(),
                reason: "the proposal has too many files",
            })
        };
        match change {
            Ok(Some((change, contents))) => {
                blobs.extend(contents.into_iter().map(|blob| (blob.id(), blob)));
                changes.insert(change.path.clone(), change);
            }
            Ok(None) => {}
            Err(error) => proposed.refused.push(Refused {
                path: contents.path.clone(),
                error,
            }),
        }
    }
    for path in ignored(workspace, changes.keys())? {
        changes.remove(&path);
        let error = Error::Protected {
            path: path.clone(),
            reason: "git ignores it, so that the change could not be committed",
        };
        proposed.refused.push(Refused { path, error });
    }
    proposed.files = changes.into_values().collect();
    let used: Vec<_> = proposed
        .files
        .iter()
        .flat_map(|file| [file.old, file.new])
        .flatten()
        .collect();
    proposed.blobs = blobs
        .into_values()
        .filter(|blob| used.contains(&blob.id()))
        .collect();
    Ok(proposed)
}

/// The files that are there and to be removed. One that cannot be read is
/// refused in its turn.
fn removed(workspace: &Workspace, contents: &[NewContents]) -> Vec<(String, TextFile)> {
    let gone = contents.iter().filter(|contents| contents.text.is_none());
    let read = |contents: &NewContents| {
        let path = workspace.resolve(&contents.path).ok()?;
        let file = workspace.read(&path).ok()??;
        let text = text::parse(path.relative(), file.bytes, file.mode).ok()?;
        Some((path.relative().to_owned(), text))
    };
    gone.take(PROPOSAL_FILES_MAX).filter_map(read).collect()
}

fn change(
    workspace: &Workspace,
    contents: &NewContents,
    removed: &[(String, TextFile)],
    before: Option<&Before>,
) -> Result<Option<(FileChange, Vec<Blob>)>, Error> {
    let path = workspace.resolve(&contents.path)?;
    let old = match workspace.read(&path)? {
        Some(file) => Some(text::parse(path.relative(), file.bytes, file.mode)?),
        None => None,
    };
    let new = match (&contents.text, &old) {
        (Some(text), Some(old)) => Some(old.encode(text)),
        (Some(text), None) => {
            // A renamed file is written as it was.
            let known: Vec<Removed<'_>> = removed
                .iter()
                .map(|(path, file)| Removed {
                    path,
                    text: &file.text,
                })
                .collect();
            let source = renames::source(path.relative(), text, &known);
            Some(match source.and_then(|index| removed.get(index)) {
                Some((_, source)) => source.encode(text),
                None => text::encode_new(text),
            })
        }
        (None, _) => None,
    };
    let new = match (new, &old, before) {
        (Some(new), Some(now), Some(before)) => Some(with_changes_since(workspace, new, &now.bytes, before)?),
        (new, _, _) => new,
    };
    if let Some(new) = &new {
        if new.contains(&0) {
            return Err(Error::NotText {
                path: path.relative().to_owned(),
                reason: "the new contents are binary",
            });
        }
        if new.len() as u64 > FILE_BYTES_MAX {
            let bytes = new.len() as u64;
            return Err(Error::TooLarge {
                path: path.relative().to_owned(),
                bytes,
                max: FILE_BYTES_MAX,
            });
        }
    }
    if new.as_deref() == old.as_ref().map(|old| old.bytes.as_slice()) {
        return Ok(None);
    }
    let plain = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let (lines_added, lines_removed) = diff::counts(
        &plain(old.as_ref().map(|old| old.bytes.as_slice())),
        &plain(new.as_deref()),
    );
    let (old, new) = (old.map(|old| Blob::new(old.bytes)), new.map(Blob::new));
    let change = FileChange {
        path: path.relative().to_owned(),
        old: old.as_ref().map(Blob::id),
        new: new.as_ref().map(Blob::id),
        lines_added,
        lines_removed,
    };
    Ok(Some((change, old.into_iter().chain(new).collect())))
}

/// New contents with what the person has changed since `before` was made on the
/// file, of which there is `now`.
fn with_changes_since(
    workspace: &Workspace,
    new: Vec<u8>,
    now: &[u8],
    before: &Before,
) -> Result<Vec<u8>, Error> {
    let Some(old) = before.old.as_deref() else {
        return Ok(new);
    };
    // Nothing was changed, or what was proposed is there.
    if now == old || before.new.as_deref() == Some(now) {
        return Ok(new);
    }
    Ok(match merge::three_way(&workspace.git(), now, old, &new)? {
        Merged::Clean(merged) => merged,
        // The person sees in the difference what would become of their lines.
        Merged::Conflict => new,
    })
}

/// Those of the paths that git ignores and does not track.
fn ignored<'a>(workspace: &Workspace, paths: impl Iterator<Item = &'a String>) -> Result<Vec<String>, Error> {
    let Repository::Git(repository) = workspace.repository() else {
        return Ok(Vec::new());
    };
    let full: Vec<String> = paths.map(|path| format!("{}{path}", repository.prefix)).collect();
    let ignored = workspace.git().ignored(full.iter().map(String::as_str))?;
    let own = |path: String| path.strip_prefix(&repository.prefix).map(str::to_owned);
    Ok(ignored.into_iter().filter_map(own).collect())
}
