//! Brings the edits of an answer together: one for each file, whatever path it
//! has then.

use super::{Change, Edit, path};
use crate::Error;

/// Files that one answer may touch.
pub const EDITS_MAX: usize = 100;

/// Search-and-replace blocks, or hunks, of one file.
pub const BLOCKS_MAX: usize = 200;

/// One edit per file.
pub(super) fn merge(found: Vec<Edit>) -> Result<Vec<Edit>, Error> {
    let mut edits: Vec<Edit> = Vec::new();
    for edit in found {
        for path in edit.paths() {
            path::check(path)?;
        }
        let Some(known) = edits.iter_mut().find(|known| known.path == edit.path) else {
            if edits.len() == EDITS_MAX {
                return Err(Error::Malformed {
                    problem: format!("it touches more than {EDITS_MAX} files"),
                });
            }
            edits.push(edit);
            continue;
        };
        let before = std::mem::replace(&mut known.change, Change::Delete);
        known.change = both(before, edit.change, &known.path)?;
    }
    moved(edits)
}

/// What two edits of one file do together.
fn both(before: Change, after: Change, path: &str) -> Result<Change, Error> {
    let differ = || Error::Malformed {
        problem: format!("`{path}` is edited in two different ways"),
    };
    Ok(match (before, after) {
        // A file that is written twice was corrected.
        (Change::Write { .. }, Change::Write { text }) => Change::Write { text },
        (Change::Create { .. }, Change::Create { text }) => Change::Create { text },
        (Change::Replace { blocks }, Change::Replace { blocks: more }) => Change::Replace {
            blocks: joined(blocks, more, path)?,
        },
        (Change::Patch { hunks }, Change::Patch { hunks: more }) => Change::Patch {
            hunks: joined(hunks, more, path)?,
        },
        (
            Change::Define { definitions, blocks },
            Change::Define {
                definitions: more,
                blocks: others,
            },
        ) => Change::Define {
            definitions: joined(definitions, more, path)?,
            blocks: joined(blocks, others, path)?,
        },
        // What is in no definition is replaced by blocks.
        (Change::Define { definitions, blocks }, Change::Replace { blocks: more }) => Change::Define {
            definitions,
            blocks: joined(blocks, more, path)?,
        },
        (Change::Replace { blocks: more }, Change::Define { definitions, blocks }) => Change::Define {
            definitions,
            blocks: joined(more, blocks, path)?,
        },
        (Change::Delete, Change::Delete) => Change::Delete,
        (Change::Remove { hunks }, Change::Remove { hunks: more }) => Change::Remove {
            hunks: joined(hunks, more, path)?,
        },
        (
            Change::Move { to, then },
            Change::Move {
                to: other,
                then: more,
            },
        ) if to == other => {
            let then = match (then, more) {
                (Some(then), Some(more)) => Some(both(*then, *more, path)?),
                (Some(then), None) | (None, Some(then)) => Some(*then),
                (None, None) => None,
            };
            Change::Move {
                to,
                then: then.map(Box::new),
            }
        }
        // Written under its old path, before or after it is moved.
        (Change::Move { to, then }, change) | (change, Change::Move { to, then }) => {
            with(to, then, change, path)?
        }
        (
            Change::Write { .. }
            | Change::Create { .. }
            | Change::Replace { .. }
            | Change::Patch { .. }
            | Change::Define { .. }
            | Change::Delete
            | Change::Remove { .. },
            _,
        ) => return Err(differ()),
    })
}

/// A file that is moved and changed.
fn with(to: String, then: Option<Box<Change>>, change: Change, path: &str) -> Result<Change, Error> {
    let differ = || Error::Malformed {
        problem: format!("`{path}` is moved to `{to}` and edited in another way"),
    };
    let change = match then {
        Some(then) => both(*then, change, path)?,
        None => change,
    };
    let fits = match &change {
        Change::Write { .. } | Change::Replace { .. } | Change::Patch { .. } | Change::Define { .. } => true,
        Change::Create { .. } | Change::Delete | Change::Remove { .. } | Change::Move { .. } => false,
    };
    if !fits {
        return Err(differ());
    }
    Ok(Change::Move {
        to,
        then: Some(Box::new(change)),
    })
}

/// Puts what is written under the new path of a file to its move.
fn moved(mut edits: Vec<Edit>) -> Result<Vec<Edit>, Error> {
    let mut at = 0;
    while at < edits.len() {
        let Change::Move { to, then } = &edits[at].change else {
            at += 1;
            continue;
        };
        let (to, then, path) = (to.clone(), then.clone(), edits[at].path.clone());
        if to == path {
            edits[at].change = match then {
                Some(then) => *then,
                None => {
                    return Err(Error::Malformed {
                        problem: format!("`{path}` is moved to itself"),
                    });
                }
            };
            continue;
        }
        let twice = edits.iter().enumerate().any(|(other, edit)| {
            other != at && matches!(&edit.change, Change::Move { to: other, .. } if *other == to)
        });
        if twice {
            return Err(Error::Malformed {
                problem: format!("two files are moved to `{to}`"),
            });
        }
        if let Some(other) = edits.iter().position(|edit| edit.path == to) {
            let change = edits.remove(other).change;
            at -= usize::from(other < at);
            edits[at].change = with(to, then, change, &path)?;
        }
        at += 1;
    }
    Ok(edits)
}

fn joined<T: PartialEq>(mut parts: Vec<T>, more: Vec<T>, path: &str) -> Result<Vec<T>, Error> {
    for part in more {
        // Said twice is meant once: an insertion must not happen twice.
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    if parts.len() > BLOCKS_MAX {
        return Err(Error::Malformed {
            problem: format!("`{path}` has more than {BLOCKS_MAX} blocks"),
        });
    }
    Ok(parts)
}
