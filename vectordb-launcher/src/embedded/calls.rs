//! What every edge does with the store: work in the pool, writes in turn,
//! searches in one pass. The edges only read messages and write answers, so
//! that gRPC and REST cannot differ in what a call does.

use std::sync::Arc;

use qdrant_edge::{GroupRequest, JsonPath, ScoredPoint, UpdateOperation};

use super::{
    convert::create,
    error::{Error, Result},
    query::{self, Search},
    store::{Store, snapshots::Snapshot},
};

/// Points of one scroll page unless the request says.
pub const SCROLL_LIMIT: usize = 10;

/// Groups of one answer unless the request says.
pub const GROUPS: usize = 10;

/// Points of one group unless the request says.
pub const GROUP_SIZE: usize = 3;

/// Values of a facet unless the request says.
pub const FACET_LIMIT: usize = 10;

/// Sampled points of a distance matrix unless the request says.
pub const MATRIX_SAMPLE: usize = 10;

/// Neighbours of each sampled point unless the request says.
pub const MATRIX_LIMIT: usize = 3;

/// Largest REST request, in bytes, as in Qdrant.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The calls on one store; clones share it.
#[derive(Debug, Clone)]
pub struct Calls {
    store: Arc<Store>,
}

impl Calls {
    /// Calls on `store`.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The store, for what does not block.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Runs blocking work on the store in the pool.
    ///
    /// # Errors
    /// What `work` returns, [`Error::Overloaded`], [`Error::Internal`].
    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        self.store.pool().run(move || work(&store)).await
    }

    /// Makes a snapshot of a collection.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Internal`] for the disk.
    pub async fn snapshot(&self, name: &str) -> Result<Snapshot> {
        let still = self.store.still_one(name).await?;
        self.store.pool().run(move || still.write()).await
    }

    /// Applies what `convert` makes of a message and returns the operation's
    /// number. It is applied when this returns, whatever the caller waits for.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn write<F>(&self, name: &str, convert: F) -> Result<u64>
    where
        F: FnOnce() -> Result<UpdateOperation> + Send + 'static,
    {
        let collection = self.store.collection(name)?;
        let operation = self.store.pool().write(convert).await?;
        let turn = collection.turn().lock_owned().await;
        self.store
            .pool()
            .write(move || {
                let _turn = turn;
                collection.update(operation)
            })
            .await
    }
}

/// Runs several searches on one collection, in one pass over its segments. Blocks.
///
/// # Errors
/// [`Error::NotFound`], [`Error::BadInput`], what the engine says.
pub fn search(store: &Store, name: &str, searches: Vec<Search>) -> Result<Vec<Vec<ScoredPoint>>> {
    let collection = store.collection(name)?;
    let requests = searches
        .into_iter()
        .map(|search| query::resolve(search, &collection, store))
        .collect::<Result<Vec<_>>>()?;
    collection.query(requests)
}

/// How a search is grouped.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouping {
    /// The payload field.
    pub field: JsonPath,
    /// Most groups.
    pub groups: usize,
    /// Most points of each.
    pub size: usize,
}

/// Groups the results of a search by a payload field: each group's value and
/// points. Blocks.
///
/// # Errors
/// As [`search`].
pub fn groups(
    store: &Store,
    name: &str,
    by: Grouping,
    search: Search,
) -> Result<Vec<(serde_json::Value, Vec<ScoredPoint>)>> {
    let collection = store.collection(name)?;
    let request = GroupRequest {
        query: query::resolve(search, &collection, store)?,
        group_by: by.field,
        groups: by.groups,
        group_size: by.size,
    };
    let groups = collection.query_groups(request)?;
    Ok(groups
        .into_iter()
        .map(|group| (group.key.into(), group.hits))
        .collect())
}

/// Changes the settings of a collection. All of the change is read before any
/// of it is applied. Blocks.
///
/// # Errors
/// [`Error::NotFound`], [`Error::BadInput`], what the engine says.
pub fn change(store: &Store, name: &str, changes: create::Changes) -> Result<()> {
    let collection = store.collection(name)?;
    let config = collection.config();
    let hnsw = changes
        .hnsw
        .map(|diff| create::hnsw(config.hnsw_config(), Some(diff)))
        .transpose()?;
    let mut vectors = Vec::new();
    for (vector, diff) in changes.vectors {
        collection.kind(&vector)?;
        let base = config.vectors.get(&vector).and_then(|params| params.hnsw_config);
        vectors.push((
            vector,
            create::hnsw(base.unwrap_or_else(|| config.hnsw_config()), Some(diff))?,
        ));
    }
    let optimizers = changes
        .optimizers
        .map(|diff| create::optimizers(config.optimizers(), Some(diff)))
        .transpose()?;

    hnsw.map(|hnsw| collection.set_hnsw(hnsw)).transpose()?;
    vectors
        .into_iter()
        .try_for_each(|(vector, hnsw)| collection.set_vector_hnsw(&vector, hnsw))?;
    optimizers
        .map(|optimizers| collection.set_optimizers(optimizers))
        .transpose()?;
    if changes.metadata.is_empty() {
        Ok(())
    } else {
        store.add_metadata(name, changes.metadata)
    }
}

/// The collection's aliases: none for a collection that does not exist, and told
/// for a collection's own name only, as in Qdrant.
pub fn aliases_of(store: &Store, name: &str) -> Vec<(String, String)> {
    let all = store.aliases().into_iter();
    all.filter(|(_, collection)| collection == name).collect()
}

/// The refusal of a shard key: there is one shard, and a wrong key would
/// silently reach other points than in Qdrant.
pub fn shard_key_refused() -> Error {
    Error::unsupported("a shard key")
}
