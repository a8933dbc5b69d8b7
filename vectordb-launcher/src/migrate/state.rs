//! How far a migration is, on disk.

use std::{collections::BTreeMap, fs, io, path::Path};

use qdrant_client::qdrant::{PointId, point_id::PointIdOptions};
use serde::{Deserialize, Serialize};
use shared::files;

use super::Error;

/// Layout of the file; a newer number is refused.
const FORMAT: u32 = 1;

/// How far all collections are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    from: String,
    to: String,
    collections: BTreeMap<String, Stored>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Stored {
    copied: u64,
    complete: bool,
    next: Option<Id>,
}

/// An id as REST writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Uuid(String),
}

/// How far one collection is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct At {
    /// Points acknowledged by the target.
    pub copied: u64,
    /// Whether that is all of them.
    pub complete: bool,
    /// Where the next batch begins; at the first point if not given.
    pub next: Option<PointId>,
}

impl State {
    /// Reads the file, or begins anew without one.
    pub(super) fn load(path: &Path, from: &str, to: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::State {
            path: path.to_owned(),
            reason,
        };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self {
                    format: FORMAT,
                    from: from.to_owned(),
                    to: to.to_owned(),
                    collections: BTreeMap::new(),
                });
            }
            Err(error) => return Err(bad(error.to_string())),
        };
        let state: Self = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        if state.format > FORMAT {
            return Err(bad(format!("format {} is newer than this program", state.format)));
        }
        if (&*state.from, &*state.to) != (from, to) {
            return Err(bad(format!(
                "it belongs to a migration from {} to {}; remove it or name another file",
                state.from, state.to
            )));
        }
        Ok(state)
    }

    /// How far `collection` is.
    pub(super) fn of(&self, collection: &str) -> At {
        let Stored {
            copied,
            complete,
            next,
        } = self.collections.get(collection).cloned().unwrap_or_default();
        At {
            copied,
            complete,
            next: next.map(|id| match id {
                Id::Number(number) => PointId::from(number),
                Id::Uuid(uuid) => PointId::from(uuid),
            }),
        }
    }

    /// Notes how far `collection` is.
    pub(super) fn put(&mut self, collection: &str, at: At) {
        let next = at.next.and_then(|id| id.point_id_options).map(|id| match id {
            PointIdOptions::Num(number) => Id::Number(number),
            PointIdOptions::Uuid(uuid) => Id::Uuid(uuid),
        });
        let stored = Stored {
            copied: at.copied,
            complete: at.complete,
            next,
        };
        self.collections.insert(collection.to_owned(), stored);
    }

    /// Writes the file; it is on disk when this returns.
    pub(super) fn save(&self, path: &Path) -> Result<(), Error> {
        let written = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .and_then(|text| files::write_atomically(path, &text));
        written.map_err(|error| Error::State {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Removes the file: the migration is complete.
    pub(super) fn remove(self, path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::State {
                path: path.to_owned(),
                reason: error.to_string(),
            }),
            Err(_) | Ok(()) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_and_belongs_to_one_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut state = State::load(&path, "a", "b").unwrap();
        assert_eq!(state.of("code"), At::default());
        let at = At {
            copied: 512,
            complete: false,
            next: Some(PointId::from("550e8400-e29b-41d4-a716-446655440000")),
        };
        state.put("code", at.clone());
        state.save(&path).unwrap();
        assert_eq!(State::load(&path, "a", "b").unwrap().of("code"), at);
        let other = State::load(&path, "a", "c").unwrap_err().to_string();
        assert!(other.contains("from a to b"), "{other}");
        state.remove(&path).unwrap();
        assert!(!path.exists());
    }
}
