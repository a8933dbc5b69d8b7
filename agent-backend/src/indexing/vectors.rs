//! Vectors that were made once, by what they were made of: model, dimension
//! and text. A file that is renamed, a branch that comes back, a database that
//! lost its data or was away, another clone: none is embedded again.
//!
//! A cache and no more: whatever is wrong with it, the model is asked.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use retrieval::{
    Embedder,
    embed::{Failure, Identity},
    identity::WorkspaceId,
};
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::quiet::Quiet;
use crate::clock;

/// Size of the file beyond which the least recently used vectors go, bytes.
const BYTES_MAX: u64 = 512 << 20;
/// Share of the vectors that then go, one in …
const DROP_SHARE: u64 = 8;
/// How long another process may hold the file, milliseconds.
const BUSY_MS: u64 = 2_000;
/// `used` counts days.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS vectors (
        key BLOB PRIMARY KEY,
        vector BLOB NOT NULL,
        used INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used);
    CREATE TABLE IF NOT EXISTS owners (
        workspace TEXT NOT NULL,
        key BLOB NOT NULL,
        PRIMARY KEY (workspace, key)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS owners_key ON owners (key);
";

/// Drops the vectors that nobody but one workspace has used.
const FORGET: &str = "
    DELETE FROM vectors WHERE key IN (SELECT key FROM owners WHERE workspace = ?1)
        AND key NOT IN (SELECT key FROM owners WHERE workspace <> ?1)";

/// The vectors of all models. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vectors {
    connection: Arc<Mutex<Connection>>,
    bytes_max: u64,
}

type Key = [u8; 16];

impl Vectors {
    /// The vectors in the file at `path`; none if it cannot be used, which is
    /// told in the log.
    pub fn open(path: &Path) -> Option<Self> {
        let open = || {
            if let Some(folder) = path.parent() {
                // What is wrong with the folder, opening the file will say.
                let _exists = std::fs::create_dir_all(folder);
            }
            let connection = Connection::open(path)?;
            connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
            connection.execute_batch(SCHEMA)?;
            Ok::<_, rusqlite::Error>(connection)
        };
        match open() {
            Ok(connection) => Some(Self {
                connection: Arc::new(Mutex::new(connection)),
                bytes_max: BYTES_MAX,
            }),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "vectors are not kept: each is made anew");
                None
            }
        }
    }

    /// An embedder that asks `inner` only for what is not here, and waits for
    /// `quiet` before each question to it.
    pub(crate) fn before(
        this: Option<&Self>,
        inner: Arc<dyn Embedder>,
        quiet: Option<Quiet>,
    ) -> Arc<dyn Embedder> {
        Arc::new(Remembering {
            vectors: this.cloned(),
            inner,
            quiet,
            owner: None,
        })
    }

    /// Forgets what was used for this workspace and for no other.
    pub async fn forget(&self, owner: &WorkspaceId) {
        let owner = owner.as_str().to_owned();
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute(FORGET, params![owner])?;
            transaction.execute("DELETE FROM owners WHERE workspace = ?", params![owner])?;
            transaction.commit()?;
            connection.execute_batch("VACUUM")
        })
        .await;
    }

    async fn get(&self, owner: Option<&WorkspaceId>, keys: Vec<Key>, length: usize) -> Vec<Option<Vec<f32>>> {
        let (count, owner) = (keys.len(), owner.cloned());
        let found = self.with(move |connection| {
            let transaction = connection.transaction()?;
            let mut found = Vec::with_capacity(keys.len());
            for key in &keys {
                let vector = get(&transaction, key, length)?;
                if vector.is_some() {
                    own(&transaction, owner.as_ref(), key)?;
                }
                found.push(vector);
            }
            transaction.commit()?;
            Ok(found)
        });
        found.await.unwrap_or_else(|| vec![None; count])
    }

    async fn put(&self, owner: Option<&WorkspaceId>, made: Vec<(Key, Vec<f32>)>) {
        let (bytes_max, owner) = (self.bytes_max, owner.cloned());
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for (key, vector) in made {
                let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO vectors (key, vector, used) VALUES (?, ?, ?)")?
                    .execute(params![key, bytes, today()])?;
                own(&transaction, owner.as_ref(), &key)?;
            }
            shrink(&transaction, bytes_max)?;
            shared::crash::point("vectors:before_commit");
            transaction.commit()?;
            shared::crash::point("vectors:after_commit");
            Ok(())
        })
        .await;
    }

    /// Runs `work` off the async threads; none if it failed.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Option<T> {
        let connection = Arc::clone(&self.connection);
        let outcome = tokio::task::spawn_blocking(move || work(&mut lock(&connection))).await;
        match outcome {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the kept vectors cannot be used");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the kept vectors cannot be used");
                None
            }
        }
    }
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn today() -> u64 {
    clock::now_ms() / DAY_MS
}

fn get(connection: &Connection, key: &Key, length: usize) -> rusqlite::Result<Option<Vec<f32>>> {
    let row = connection
        .prepare_cached("SELECT vector, used FROM vectors WHERE key = ?")?
        .query_row(params![key], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u64>(1)?))
        })
        .optional()?;
    let Some((bytes, used)) = row else {
        return Ok(None);
    };
    let today = today();
    if used != today {
        connection
            .prepare_cached("UPDATE vectors SET used = ? WHERE key = ?")?
            .execute(params![today, key])?;
    }
    let (values, _) = bytes.as_chunks::<4>();
    let vector: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
    Ok((vector.len() == length).then_some(vector))
}

/// Notes who uses a vector.
fn own(connection: &Connection, owner: Option<&WorkspaceId>, key: &Key) -> rusqlite::Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    connection
        .prepare_cached("INSERT OR IGNORE INTO owners (workspace, key) VALUES (?, ?)")?
        .execute(params![owner.as_str(), key])?;
    Ok(())
}

/// Drops what was not used for longest where the file has become too large.
fn shrink(connection: &Connection, bytes_max: u64) -> rusqlite::Result<()> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    if pages.saturating_mul(pragma("page_size")?) <= bytes_max {
        return Ok(());
    }
    let all: u64 = connection.query_row("SELECT count(*) FROM vectors", [], |row| row.get(0))?;
    connection.execute(
        "DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY used LIMIT ?)",
        params![all / DROP_SHARE + 1],
    )?;
    connection.execute(
        "DELETE FROM owners WHERE key NOT IN (SELECT key FROM vectors)",
        [],
    )?;
    Ok(())
}

fn key(identity: &Identity, text: &str) -> Key {
    let mut hash = Sha256::new();
    hash.update(format!("{}\u{0}{}\u{0}", identity.model, identity.dimension));
    hash.update(text);
    let digest = hash.finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

struct Remembering {
    vectors: Option<Vectors>,
    inner: Arc<dyn Embedder>,
    quiet: Option<Quiet>,
    /// Whose documents it embeds.
    owner: Option<WorkspaceId>,
}

#[async_trait]
impl Embedder for Remembering {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let identity = self.identity();
        let keys: Vec<Key> = texts.iter().map(|text| key(&identity, text)).collect();
        let mut found = match &self.vectors {
            Some(vectors) => {
                let owner = self.owner.as_ref();
                vectors.get(owner, keys.clone(), identity.dimension).await
            }
            None => vec![None; texts.len()],
        };
        let (mut places, mut missing) = (Vec::new(), Vec::new());
        for (place, text) in texts.into_iter().enumerate() {
            if found[place].is_none() {
                places.push(place);
                missing.push(text);
            }
        }
        if !missing.is_empty() {
            if let Some(quiet) = &self.quiet {
                quiet.wait().await;
            }
            let made = self.inner.embed_documents(missing).await?;
            if made.len() != places.len() {
                // Whoever asked refuses it, with the right words.
                return Ok(made);
            }
            if let Some(vectors) = &self.vectors {
                let fits = |vector: &Vec<f32>| {
                    vector.len() == identity.dimension && vector.iter().all(|value| value.is_finite())
                };
                let news = places.iter().zip(&made).filter(|(_, vector)| fits(vector));
                let news = news.map(|(place, vector)| (keys[*place], vector.clone()));
                vectors.put(self.owner.as_ref(), news.collect()).await;
            }
            for (place, vector) in places.into_iter().zip(made) {
                found[place] = Some(vector);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.inner.embed_queries(texts).await
    }

    fn of_workspace(&self, workspace: &WorkspaceId) -> Option<Arc<dyn Embedder>> {
        Some(Arc::new(Self {
            vectors: self.vectors.clone(),
            inner: Arc::clone(&self.inner),
            quiet: self.quiet.clone(),
            owner: Some(workspace.clone()),
        }))
    }
}

#[cfg(test)]
mod tests;
