//! The collections on disk, by name and alias.
//!
//! One file, `store.json`, says which collections exist; it is replaced
//! atomically, after a new collection's folder is complete and before a deleted
//! one's folder goes. A folder that no entry names is the rest of an
//! interrupted change and is removed at the next start.

mod backup;
mod index;
mod opening;
pub mod snapshots;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use qdrant_edge::EdgeConfig;
use serde::{Deserialize, Serialize};
use shared::lock::DirectoryLock;
use uuid::Uuid;

pub use index::OpenError;
use index::{FORMAT, INDEX_FILE, Index};

use super::{
    collection::Collection,
    error::{Error, Result},
    pool::Pool,
    query, space,
};
use crate::{clock, files};

/// The folder of the collections' folders.
const COLLECTIONS_FOLDER: &str = "collections";

/// Longest collection name, as in Qdrant.
const NAME_BYTES_MAX: usize = 255;

/// Characters Qdrant refuses in names, because it uses names as folders.
const NAME_REFUSED: &[char] = &['<', '>', ':', '"', '/', '\\', '|', '?', '*', '\0', '\u{1F}'];

/// What is kept about a collection beside the engine's own files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    folder: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// Free values of whoever made it.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Clone)]
struct Entry {
    record: Record,
    open: Arc<Collection>,
}

#[derive(Debug, Clone, Default)]
struct State {
    collections: BTreeMap<String, Entry>,
    aliases: BTreeMap<String, String>,
}

/// A change of the names that are no collections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasChange {
    /// `alias` stands for `collection` from now on, whatever it stood for.
    Create {
        /// The new name.
        alias: String,
        /// What it stands for.
        collection: String,
    },
    /// The alias `old` is called `new`.
    Rename {
        /// The name that goes.
        old: String,
        /// The name that comes.
        new: String,
    },
    /// The alias goes.
    Delete {
        /// The name.
        alias: String,
    },
}

/// All collections of one data directory.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    state: RwLock<State>,
    /// Held over each change of names, disk write included.
    changing: Mutex<()>,
    generation: Mutex<Uuid>,
    pool: Pool,
    _lock: DirectoryLock,
}

impl query::Collections for Store {
    fn find(&self, name: &str) -> Result<Arc<Collection>> {
        self.collection(name)
    }
}

impl Store {
    /// Opens the store below `root`, which is made if it does not exist. Blocks
    /// while the logs of all collections are applied.
    ///
    /// # Errors
    /// [`OpenError`], each of which a person has to see to.
    pub fn open(root: &Path) -> std::result::Result<Self, OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        let folders = root.join(COLLECTIONS_FOLDER);
        fs::create_dir_all(&folders).map_err(io(&folders))?;
        let lock = DirectoryLock::take(root, files::LOCK_FILE)?;
        let needed = space::OPENING_BYTES_MIN;
        if let Some(free) = space::free_bytes(root).filter(|free| *free < needed) {
            let path = root.to_owned();
            return Err(OpenError::Full { path, free, needed });
        }
        let index_file = root.join(INDEX_FILE);
        let index = Index::read_or_make(&index_file, &folders)?;
        index.remove_strays(&folders).map_err(io(&folders))?;
        let state = opening::open_all(root, index)?;
        Ok(Self {
            root: root.to_owned(),
            state: RwLock::new(state),
            changing: Mutex::new(()),
            generation: Mutex::new(Uuid::new_v4()),
            pool: Pool::start().map_err(io(root))?,
            _lock: lock,
        })
    }

    /// Another value after each start, restore and recovery: whenever points may
    /// be gone or changed that no client removed. A client that remembers what it
    /// wrote compares it again then.
    pub fn generation(&self) -> Uuid {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew_generation(&self) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) = Uuid::new_v4();
    }

    /// Where blocking calls run.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The folder everything is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open collection called `name`, or that the alias `name` stands for.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    pub fn collection(&self, name: &str) -> Result<Arc<Collection>> {
        self.described(name).map(|(_, open)| open)
    }

    /// As [`Self::collection`], with what is kept about it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    pub fn described(&self, name: &str) -> Result<(Record, Arc<Collection>)> {
        let state = self.read();
        let target = state.aliases.get(name).map_or(name, String::as_str);
        let entry = state
            .collections
            .get(target)
            .ok_or_else(|| Error::no_collection(name))?;
        Ok((entry.record.clone(), Arc::clone(&entry.open)))
    }

    /// The collection's own name, if `name` is an alias.
    fn real_name(&self, name: &str) -> String {
        let state = self.read();
        state
            .aliases
            .get(name)
            .cloned()
            .unwrap_or_else(|| name.to_owned())
    }

    /// Names of all collections, in order.
    pub fn names(&self) -> Vec<String> {
        self.read().collections.keys().cloned().collect()
    }

    /// All open collections with their names.
    pub fn all(&self) -> Vec<(String, Arc<Collection>)> {
        let state = self.read();
        state
            .collections
            .iter()
            .map(|(name, entry)| (name.clone(), Arc::clone(&entry.open)))
            .collect()
    }

    /// Aliases and what they stand for, in order.
    pub fn aliases(&self) -> Vec<(String, String)> {
        self.read()
            .aliases
            .iter()
            .map(|(alias, name)| (alias.clone(), name.clone()))
            .collect()
    }

    /// Makes a collection. Blocks.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::BadInput`] for a name Qdrant would
    /// refuse, [`Error::Internal`] for the disk.
    pub fn create(
        &self,
        name: &str,
        config: EdgeConfig,
        metadata: serde_json::Map<String, serde_json::Value>,
    ) -> Result<()> {
        check_name(name)?;
        let _changing = self.change();
        let mut next = self.read().clone();
        if next.collections.contains_key(name) {
            return Err(Error::AlreadyExists(format!(
                "Collection `{name}` already exists!"
            )));
        }
        if next.aliases.contains_key(name) {
            return Err(Error::BadInput(format!(
                "Can't create collection with name {name}. Alias with the same name already exists"
            )));
        }
        let folder = Uuid::new_v4().to_string();
        let open = Arc::new(Collection::create(
            &self.root.join(COLLECTIONS_FOLDER).join(&folder),
            config,
        )?);
        let record = Record {
            folder,
            created_at_ms: clock::unix_ms(),
            metadata,
        };
        next.collections.insert(
            name.to_owned(),
            Entry {
                record,
                open: Arc::clone(&open),
            },
        );
        self.commit(next).inspect_err(|_| open.doom())
    }

    /// Removes a collection and its aliases; says whether it existed. Calls that
    /// are under way end as if they had come before. Blocks.
    ///
    /// # Errors
    /// [`Error::Internal`] for the disk.
    pub fn delete(&self, name: &str) -> Result<bool> {
        let _changing = self.change();
        let mut next = self.read().clone();
        let target = next.aliases.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let Some(entry) = next.collections.remove(&target) else {
            return Ok(false);
        };
        next.aliases.retain(|_, collection| *collection != target);
        self.commit(next)?;
        entry.open.doom();
        Ok(true)
    }

    /// Adds to the free values of a collection; null takes one away. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Internal`] for the disk.
    pub fn add_metadata(
        &self,
        name: &str,
        metadata: serde_json::Map<String, serde_json::Value>,
    ) -> Result<()> {
        let _changing = self.change();
        let mut next = self.read().clone();
        let target = next.aliases.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let entry = next
            .collections
            .get_mut(&target)
            .ok_or_else(|| Error::no_collection(name))?;
        for (key, value) in metadata {
            if value.is_null() {
                entry.record.metadata.remove(&key);
            } else {
                entry.record.metadata.insert(key, value);
            }
        }
        self.commit(next)
    }

    /// Applies all `changes` or none. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name, [`Error::BadInput`] for an alias
    /// that is a collection's name, [`Error::Internal`] for the disk.
    pub fn change_aliases(&self, changes: Vec<AliasChange>) -> Result<()> {
        let _changing = self.change();
        let mut next = self.read().clone();
        let no_alias = |alias: &str| Error::NotFound(format!("Alias {alias} does not exists!"));
        for change in changes {
            match change {
                AliasChange::Create { alias, collection } => {
                    if !next.collections.contains_key(&collection) {
                        return Err(Error::no_collection(&collection));
                    }
                    free_alias(&next, &alias)?;
                    next.aliases.insert(alias, collection);
                }
                AliasChange::Rename { old, new } => {
                    free_alias(&next, &new)?;
                    let collection = next.aliases.remove(&old).ok_or_else(|| no_alias(&old))?;
                    next.aliases.insert(new, collection);
                }
                AliasChange::Delete { alias } => {
                    next.aliases.remove(&alias);
                }
            }
        }
        self.commit(next)
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On disk first: what a client was told must survive.
    fn commit(&self, next: State) -> Result<()> {
        let index = Index {
            format: FORMAT,
            collections: next
                .collections
                .iter()
                .map(|(name, entry)| (name.clone(), entry.record.clone()))
                .collect(),
            aliases: next.aliases.clone(),
        };
        shared::files::sync_folder(&self.root.join(COLLECTIONS_FOLDER))
            .and_then(|()| index.write(&self.root.join(INDEX_FILE)))
            .map_err(|error| Error::Internal(format!("cannot write {INDEX_FILE}: {error}")))?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// Flushes every collection that was written to. Blocks. One that fails does
    /// not keep the others from it.
    ///
    /// # Errors
    /// The last failure.
    pub fn flush(&self) -> Result<()> {
        let mut result = Ok(());
        for (name, collection) in self.all() {
            if let Err(error) = collection.flush() {
                tracing::error!(collection = name, %error, "a collection could not be flushed");
                result = Err(error);
            }
        }
        result
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Error::BadInput(format!(
            "collection name must be 1 to {NAME_BYTES_MAX} bytes long"
        )));
    }
    match name.chars().find(|character| NAME_REFUSED.contains(character)) {
        Some(character) => Err(Error::BadInput(format!(
            "collection name cannot contain \"{}\" char",
            character.escape_default()
        ))),
        None => Ok(()),
    }
}

fn free_alias(state: &State, alias: &str) -> Result<()> {
    if state.collections.contains_key(alias) {
        return Err(Error::AlreadyExists(format!(
            "Collection `{alias}` already exists!"
        )));
    }
    Ok(())
}
