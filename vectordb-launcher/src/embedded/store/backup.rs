//! Copies of the whole store, and their return.
//!
//! A copy is a folder like the store's own: `store.json` and `collections/`. It
//! appears under its name when it is complete. A restore brings the copy's
//! collections in beside the present ones, opens them, and then lets one
//! replacement of `store.json` decide: killed at any moment, the next start
//! finds all of the old or all of the new.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::OwnedMutexGuard;

use super::{COLLECTIONS_FOLDER, Entry, FORMAT, INDEX_FILE, Index, Record, State, Store};
use crate::{
    embedded::{
        collection::Collection,
        error::{Error, Result},
    },
    files,
};

fn failed(what: &str, path: &Path) -> impl Fn(std::io::Error) -> Error {
    let text = format!("cannot {what} {}", path.display());
    move |error| Error::Internal(format!("{text}: {error}"))
}

/// Collections that stand still: no writer, no optimizer.
#[derive(Debug)]
pub struct Still {
    collections: Vec<(String, Record, Arc<Collection>)>,
    aliases: BTreeMap<String, String>,
    _held: Vec<OwnedMutexGuard<()>>,
}

impl Store {
    /// Lets all collections stand still at one moment. Writers wait meanwhile,
    /// searches go on.
    pub async fn still(&self) -> Still {
        let (collections, aliases) = {
            let state = self.read();
            let entries = state.collections.iter();
            let collections: Vec<_> = entries
                .map(|(name, entry)| (name.clone(), entry.record.clone(), Arc::clone(&entry.open)))
                .collect();
            (collections, state.aliases.clone())
        };
        // In the order of names, so that two of these never wait for each other;
        // upkeep first, because it may take long and holds up nobody.
        let mut held = Vec::new();
        for (_, _, collection) in &collections {
            held.push(collection.upkeep().lock_owned().await);
        }
        for (_, _, collection) in &collections {
            held.push(collection.turn().lock_owned().await);
        }
        Still {
            collections,
            aliases,
            _held: held,
        }
    }

    /// Replaces the store's content by the copy in `source` and returns its number
    /// of points. The old collections go when their last reader is done. Blocks.
    ///
    /// # Errors
    /// [`Error::BadInput`] if `source` is no copy, [`Error::Internal`] for the
    /// disk; the store is unchanged then.
    pub fn restore(&self, source: &Path) -> Result<u64> {
        let index =
            Index::read(&source.join(INDEX_FILE)).map_err(|error| Error::BadInput(error.to_string()))?;
        let mut next = State {
            collections: BTreeMap::new(),
            aliases: index.aliases,
        };
        let mut points = 0;
        for (name, record) in index.collections {
            let from = source.join(COLLECTIONS_FOLDER).join(&record.folder);
            let entry = self.bring_in(record, |target| {
                files::copy_tree(&from, target).map_err(failed("copy", &from))
            });
            let entry = entry.inspect_err(|_| abandon(&next))?;
            points += u64::try_from(entry.open.info()?.points_count).unwrap_or(u64::MAX);
            next.collections.insert(name, entry);
        }
        let _changing = self.change();
        let old = self.read().clone();
        self.commit(next.clone()).inspect_err(|_| abandon(&next))?;
        self.renew_generation();
        abandon(&old);
        Ok(points)
    }

    /// Makes a collection from files that `fill` puts into a new folder. No entry
    /// names it yet: a crash leaves a stray.
    pub(super) fn bring_in(&self, record: Record, fill: impl FnOnce(&Path) -> Result<u64>) -> Result<Entry> {
        let folder = uuid::Uuid::new_v4().to_string();
        let path = self.root.join(COLLECTIONS_FOLDER).join(&folder);
        let filled = fill(&path).and_then(|_| Collection::open(&path));
        match filled {
            Ok(open) => Ok(Entry {
                record: Record { folder, ..record },
                open: Arc::new(open),
            }),
            Err(error) => {
                // Not there if nothing was filled; a stray otherwise.
                let _stray = fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }
}

fn abandon(state: &State) {
    state.collections.values().for_each(|entry| entry.open.doom());
}

impl Still {
    /// Writes the copy as the new folder `target` and returns its bytes. Blocks.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if `target` is there and not empty,
    /// [`Error::Internal`] for the disk; `target` does not exist then.
    pub fn copy_to(self, target: &Path) -> Result<u64> {
        if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::AlreadyExists(format!(
                "{} exists and is not empty",
                target.display()
            )));
        }
        let partial = partial(target);
        let copied = self
            .fill(&partial)
            .and_then(|bytes| {
                // Replaces an empty folder, too.
                fs::rename(&partial, target).map_err(failed("rename to", target))?;
                Ok(bytes)
            })
            .inspect_err(|_| {
                let _left_for_a_person = fs::remove_dir_all(&partial);
            })?;
        shared::files::sync_folder(shared::files::folder_of(target)).map_err(failed("sync", target))?;
        Ok(copied)
    }

    fn fill(self, partial: &Path) -> Result<u64> {
        let folders = partial.join(COLLECTIONS_FOLDER);
        fs::create_dir_all(&folders).map_err(failed("make", &folders))?;
        let mut bytes = 0;
        let mut index = Index {
            format: FORMAT,
            collections: BTreeMap::new(),
            aliases: self.aliases,
        };
        for (name, record, collection) in self.collections {
            bytes += collection.copy_to(&folders.join(&record.folder))?;
            index.collections.insert(name, record);
        }
        let file = partial.join(INDEX_FILE);
        index.write(&file).map_err(failed("write", &file))?;
        Ok(bytes)
    }
}

/// Where a copy grows until it is complete: beside its name, for the rename.
fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".partial-{}", uuid::Uuid::new_v4()));
    PathBuf::from(name)
}
