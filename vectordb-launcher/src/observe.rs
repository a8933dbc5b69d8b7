//! What the control service tells about the database, whichever it is.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use procfs::process::Process;
use proto::v1;
use tokio::sync::watch;
use tonic::Status;

use crate::{
    files,
    qdrant::{Probe, Snapshot, copies, orphan::Identity, program},
    supervisor::State,
};

/// What is known at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// How the API comes about.
    pub mode: v1::Mode,
    /// `starting`, `ready`, `degraded`, `backoff` or `stopped`.
    pub state: String,
    /// Of Qdrant's API.
    pub version: String,
    /// Of the process that serves, if it is one of ours.
    pub pid: Option<u32>,
    /// Names and numbers of points.
    pub collections: Vec<(String, u64)>,
    /// Why it is not ready, if so.
    pub detail: String,
    /// Another value after each start, restore and recovery; empty if unknown.
    pub generation: String,
    /// What the data takes.
    pub disk_bytes: u64,
    /// What the serving process takes.
    pub memory_bytes: u64,
}

/// The database that is observed.
#[derive(Debug, Clone)]
pub enum Observed {
    /// The store in this process.
    #[cfg(feature = "embedded")]
    Embedded(Arc<crate::embedded::Store>),
    /// A Qdrant, a child if it has a folder here.
    Qdrant(Arc<Watched>),
}

/// A Qdrant and the means to ask it.
#[derive(Debug)]
pub struct Watched {
    /// What the supervisor knows.
    pub snapshot: watch::Receiver<Snapshot>,
    /// Its REST API.
    pub probe: Probe,
    /// The child's folder.
    pub folder: Option<PathBuf>,
    /// Restores since the start.
    pub restores: AtomicU64,
}

impl Observed {
    /// Looks.
    pub async fn look(&self) -> Observation {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(store) => embedded(store).await,
            Self::Qdrant(watched) => watched.look().await,
        }
    }
}

impl Observed {
    /// Copies the whole database into the new folder `target` and returns the bytes.
    pub async fn backup(&self, target: PathBuf) -> Result<u64, Status> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(store) => {
                let still = store.still().await;
                Ok(store.pool().run(move || still.copy_to(&target)).await?)
            }
            Self::Qdrant(watched) => copies::backup(&watched.probe, &target).await.map_err(told),
        }
    }

    /// Replaces the whole database by a copy and returns its number of points.
    pub async fn restore(&self, source: PathBuf) -> Result<u64, Status> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(store) => {
                let restored = Arc::clone(store);
                Ok(store.pool().run(move || restored.restore(&source)).await?)
            }
            Self::Qdrant(watched) => {
                let snapshots = watched.folder.as_ref();
                let snapshots = snapshots.map(|folder| folder.join(program::SNAPSHOTS_FOLDER));
                let restored = copies::restore(&watched.probe, snapshots.as_deref(), &source).await;
                watched.restores.fetch_add(1, Ordering::AcqRel);
                restored.map_err(told)
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn told(error: copies::Error) -> Status {
    let text = error.to_string();
    match error {
        copies::Error::Exists(_) => Status::already_exists(text),
        copies::Error::NoCopy { .. } => Status::invalid_argument(text),
        copies::Error::Cluster(_) => Status::failed_precondition(text),
        copies::Error::Io { .. } | copies::Error::Qdrant(_) => Status::internal(text),
    }
}

#[cfg(feature = "embedded")]
async fn embedded(store: &Arc<crate::embedded::Store>) -> Observation {
    let looked_at = Arc::clone(store);
    let look = move || {
        let mut collections = Vec::new();
        let mut detail = String::new();
        for (name, collection) in looked_at.all() {
            match collection.info() {
                Ok(info) => collections.push((name, u64::try_from(info.points_count).unwrap_or(u64::MAX))),
                Err(error) => detail = format!("collection `{name}`: {error}"),
            }
        }
        Ok((collections, detail, files::bytes_below(looked_at.root())))
    };
    let (collections, detail, disk_bytes) = store
        .pool()
        .run(look)
        .await
        .unwrap_or_else(|error| (Vec::new(), error.to_string(), 0));
    Observation {
        mode: v1::Mode::Embedded,
        state: if detail.is_empty() { "ready" } else { "degraded" }.to_owned(),
        version: crate::embedded::API_VERSION.to_owned(),
        pid: Some(std::process::id()),
        collections,
        detail,
        generation: store.generation().to_string(),
        disk_bytes,
        memory_bytes: memory_bytes(std::process::id()),
    }
}

impl Watched {
    async fn look(&self) -> Observation {
        let Snapshot { state, pid, detail } = self.snapshot.borrow().clone();
        let mode = if self.folder.is_some() {
            v1::Mode::Qdrant
        } else {
            v1::Mode::External
        };
        let (title, collections) = match state {
            State::Ready { .. } => (self.probe.title().await, self.collections().await),
            State::Starting { .. } | State::Degraded { .. } | State::Backoff { .. } | State::Stopped(_) => {
                (serde_json::Value::Null, Vec::new())
            }
        };
        let folder = self.folder.clone();
        let disk =
            tokio::task::spawn_blocking(move || folder.map_or(0, |folder| files::bytes_below(&folder)));
        Observation {
            mode,
            state: state.to_string(),
            version: title["version"].as_str().unwrap_or_default().to_owned(),
            pid,
            collections,
            detail,
            generation: generation(pid, self.restores.load(Ordering::Acquire), &title),
            disk_bytes: disk.await.unwrap_or_default(),
            memory_bytes: pid.map_or(0, memory_bytes),
        }
    }

    async fn collections(&self) -> Vec<(String, u64)> {
        // Empty if it does not say: a status is no reason to fail.
        let list = self.probe.get(&["collections"]).await.unwrap_or_default();
        let names = list["collections"].as_array().cloned().unwrap_or_default();
        let mut collections = Vec::new();
        for name in names.iter().filter_map(|entry| entry["name"].as_str()) {
            let info = self.probe.get(&["collections", name]).await.unwrap_or_default();
            let points = info["points_count"].as_u64().unwrap_or_default();
            collections.push((name.to_owned(), points));
        }
        collections
    }
}

/// A child is known by its process. Somebody else's is if it is our embedded
/// engine; a real Qdrant tells in that place what it was built from.
fn generation(pid: Option<u32>, restores: u64, title: &serde_json::Value) -> String {
    let told = title["commit"].as_str().unwrap_or_default();
    match pid {
        Some(pid) => Identity::of(pid).map_or(String::new(), |identity| format!("{identity}-{restores}")),
        None if uuid::Uuid::parse_str(told).is_ok() => told.to_owned(),
        None => String::new(),
    }
}

/// Resident memory of a process; zero if the system does not tell.
fn memory_bytes(pid: u32) -> u64 {
    let resident = || {
        let process = Process::new(i32::try_from(pid).ok()?).ok()?;
        Some(process.statm().ok()?.resident * procfs::page_size())
    };
    resident().unwrap_or_default()
}
