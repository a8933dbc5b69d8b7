//! The engine's shard of one collection, which can be opened anew while the
//! collection lives.
//!
//! The files that the optimizer read and wrote stay mapped, and the pages of each
//! in memory, until the shard is closed; opened again it has what it needs.

use std::{
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use qdrant_edge::{EdgeConfig, EdgeShard};

use super::error::{Error, Result};

/// A shard on its folder.
#[derive(Debug)]
pub struct Shard {
    path: PathBuf,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    shard: Result<EdgeShard>,
    /// Of a shard that could not be opened again.
    config: EdgeConfig,
}

impl Shard {
    /// Makes an empty shard in `path`, which must not exist.
    ///
    /// # Errors
    /// What the engine says about `config` or the disk.
    pub fn create(path: &Path, config: EdgeConfig) -> Result<Self> {
        let shard = EdgeShard::new(path, config)?;
        // Without this flush a kill right after creation leaves a folder that
        // the engine can no longer load.
        shard.flush()?;
        Ok(Self::around(shard, path))
    }

    /// Opens the shard in `path`, applying what its log holds.
    ///
    /// # Errors
    /// What the engine says about the files.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::around(load(path)?, path))
    }

    fn around(shard: EdgeShard, path: &Path) -> Self {
        let config = shard.config().clone();
        let state = State {
            shard: Ok(shard),
            config,
        };
        Self {
            path: path.to_owned(),
            state: RwLock::new(state),
        }
    }

    /// Runs `work` on the engine's shard. `work` must not come back here: who
    /// waits to open the shard anew would stand between.
    ///
    /// # Errors
    /// What `work` returns; why the shard could not be opened again.
    pub fn with<T>(&self, work: impl FnOnce(&EdgeShard) -> Result<T>) -> Result<T> {
        match &self.read().shard {
            Ok(shard) => work(shard),
            Err(error) => Err(error.clone()),
        }
    }

    /// Runs `work` on the engine's settings, under the same rule as
    /// [`with`](Self::with): each write and search looks at them, so that nothing
    /// is copied.
    pub fn with_config<T>(&self, work: impl FnOnce(&EdgeConfig) -> T) -> T {
        let state = self.read();
        match &state.shard {
            Ok(shard) => work(&shard.config()),
            Err(_) => work(&state.config),
        }
    }

    /// Closes the shard and opens it again; every call waits meanwhile.
    ///
    /// # Errors
    /// What the engine says. If it cannot be opened again, every later call says so.
    pub fn reopen(&self) -> Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let config = match &state.shard {
            // What does not reach the disk must not be closed.
            Ok(shard) => {
                shard.flush()?;
                shard.config().clone()
            }
            Err(error) => return Err(error.clone()),
        };
        // Closed before it is opened: the log has one owner. If the engine panics
        // over the files, this is what stays.
        *state = State {
            shard: Err(Error::damaged("it could not be opened again")),
            config,
        };
        let opened = load(&self.path).map_err(|error| Error::damaged(&error.to_string()));
        let result = opened.as_ref().map(|_| ()).map_err(Clone::clone);
        state.shard = opened;
        result
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(path: &Path) -> Result<EdgeShard> {
    Ok(EdgeShard::load(path, None)?)
}
