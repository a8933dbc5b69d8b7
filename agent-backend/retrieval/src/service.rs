//! The crate's front door: one workspace in, ranked and packed code out.
//!
//! Keywords and history are searched in this process; the vector database adds
//! similarity of meaning when there is an embedding model. Owns how it degrades
//! without one or the other, and says so each time. Only a workspace that
//! cannot be read is an error.

mod degrade;
mod live;
mod session;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::live::{CaughtUp, Change, Embedding, Touched};
pub use self::session::{Reach, Request, Session, Size};
use crate::embed::Embedder;
use crate::error::Error;
use crate::identity::WorkspaceId;
use crate::index::{self, Manifest, Target};
use crate::local::{self, Local, Look, Touch};
use crate::pack::TokenCounter;
use crate::profile::Profile;
use crate::report::{Completeness, IndexReport, Mode, Phase, Progress, Retrieved};
use crate::rerank::{Pace, Reranker};
use crate::store::{self, Level, QdrantStore, Store};
use crate::walk::{self, Scan};

/// How the service works.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// gRPC address of the vector database, for example `http://127.0.0.1:6334`.
    pub qdrant_url: String,
    /// Its key, if it wants one.
    pub api_key: Option<String>,
    /// Budget of `Retrieved::packed`, tokens.
    pub context_tokens: usize,
    /// How questions are answered that do not say how.
    pub profile: Profile,
    /// How long a `retrieve` may spend embedding what is new before it answers
    /// from keywords; the next one goes on where it stopped.
    pub embed_wait_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            qdrant_url: "http://127.0.0.1:6334".to_owned(),
            api_key: None,
            context_tokens: 2_500,
            profile: Profile::default(),
            embed_wait_max: Duration::from_secs(60),
        }
    }
}

/// The models that a service uses, each of them optional.
#[derive(Clone, Default)]
#[allow(missing_debug_implementations, reason = "it holds trait objects")]
pub struct Models {
    /// Turns text into vectors; none searches by keywords and history alone.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Reads question and candidate together, in profiles that ask for it.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Counts the tokens of what is packed; none estimates.
    pub tokens: Option<Arc<dyn TokenCounter>>,
}

/// The collections behind a service.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "it holds trait objects")]
pub struct Stores {
    /// Of parts, with the embedding model's vectors; used only with an embedder.
    pub hybrid: Arc<dyn Store>,
    /// Of whole files, likewise.
    pub files: Arc<dyn Store>,
    /// Asked whether the database answers. Keywords are in this process.
    pub keyword: Arc<dyn Store>,
}

/// A cheap handle; clones share everything.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("qdrant_url", &self.inner.options.qdrant_url)
            .finish_non_exhaustive()
    }
}

struct Inner {
    options: Options,
    models: Models,
    stores: Stores,
    pace: Pace,
    roots: Arc<Roots>,
}

type Roots = Mutex<HashMap<PathBuf, Arc<Kept>>>;

/// What is remembered of a workspace between calls. The lock of `hybrid` is
/// held while vectors are brought up to date, so that two calls never do the
/// same work, and no question waits for vectors.
#[derive(Default)]
struct Kept {
    local: local::Shared,
    hybrid: tokio::sync::Mutex<Option<Manifest>>,
    behind: live::Behind,
    may: live::May,
}

impl Service {
    /// A service over Qdrant. Nothing is connected yet: a database that is down
    /// shows at the first call. Fails only on an address that is none.
    pub fn new(options: Options, models: Models) -> Result<Self, Error> {
        let client = store::connect(&options.qdrant_url, options.api_key.as_deref())?;
        let identity = models.embedder.as_ref().map(|embedder| embedder.identity());
        let store = |level: Level| -> Arc<dyn Store> {
            Arc::new(QdrantStore::new(client.clone(), level, identity.as_ref()))
        };
        let stores = Stores {
            hybrid: store(Level::Functions),
            files: store(Level::Files),
            keyword: store(Level::Functions),
        };
        Ok(Self::over(options, models, stores))
    }

    /// A service over other stores, for tests.
    pub fn over(options: Options, models: Models, stores: Stores) -> Self {
        Self {
            inner: Arc::new(Inner {
                options,
                models,
                stores,
                pace: Pace::default(),
                roots: Arc::default(),
            }),
        }
    }

    /// This service with what `other` knows of workspaces: one index in memory
    /// for both, whichever is asked.
    pub fn sharing(&self, other: &Self) -> Self {
        let Inner {
            options,
            models,
            stores,
            pace: _,
            roots: _,
        } = &*self.inner;
        let inner = Inner {
            options: options.clone(),
            models: models.clone(),
            stores: stores.clone(),
            pace: Pace::default(),
            roots: Arc::clone(&other.inner.roots),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether the vector database answers.
    pub async fn health(&self) -> Result<(), Error> {
        self.inner.stores.keyword.health().await
    }

    /// Brings the index of the workspace up to date, however long it takes.
    /// Without an embedder, or if it fails, only the keyword index in this
    /// process is, and the report's notices say why. Fails if the vector
    /// database does not answer.
    pub async fn index(
        &self,
        root: &Path,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<IndexReport, Error> {
        let root = canonical(root).await?;
        let kept = self.kept(&root);
        progress(Progress {
            phase: Phase::Scanning,
            files_done: 0,
            files_total: 0,
            chunks_done: 0,
        });
        let local = Arc::clone(&kept.local).write_owned().await;
        let (_local, update, scan) = Local::refresh(local, &root, Look::Everything, Touch::Changed).await?;
        self.inner.stores.keyword.health().await?;
        let mut notices = Vec::new();
        let workspace = WorkspaceId::of(&root);
        if let Some(embedder) = &self.inner.models.embedder {
            let target = Target {
                store: &*self.inner.stores.hybrid,
                files: Some(&*self.inner.stores.files),
                embedder: Some(&**embedder),
                workspace: &workspace,
                root: &root,
                deadline: None,
            };
            let mut hybrid = kept.hybrid.lock().await;
            match kept.update(&target, &scan, &mut hybrid, &progress).await {
                Err(Error::Embedding(failure)) => notices.push(degrade::embedding_failed(&failure)),
                result => return result,
            }
        } else {
            notices.push(degrade::no_embedder());
        }
        progress(Progress {
            phase: Phase::Done,
            files_done: update.indexed,
            files_total: update.indexed,
            chunks_done: update.parts_added,
        });
        Ok(IndexReport {
            mode: Mode::Keyword,
            completeness: Completeness::Complete,
            notices,
            files_total: scan.files.len(),
            files_indexed: update.indexed,
            files_unchanged: update.unchanged,
            files_deleted: update.removed,
            files_unparsed: update.unparsed,
            chunks_written: update.parts_added,
            chunks_deleted: update.parts_removed,
            skipped: scan.skipped.clone(),
        })
    }

    /// The code that `query` is about, from the workspace as it is now, by the
    /// options' profile: what is new is indexed first. Degrades, with a notice
    /// each time, instead of failing; only a workspace that cannot be read is an
    /// error.
    pub async fn retrieve(&self, root: &Path, query: &str) -> Result<Retrieved, Error> {
        let request = Request {
            profile: self.inner.options.profile.clone(),
            ..Request::new(query)
        };
        self.search(root, &request).await
    }

    /// As [`Service::retrieve`], in the way that the request says.
    pub async fn search(&self, root: &Path, request: &Request) -> Result<Retrieved, Error> {
        self.open(root).await?.search(request).await
    }

    /// The workspace as it is now, for several questions. It changes for
    /// nobody while one of these lives.
    pub async fn open(&self, root: &Path) -> Result<Session, Error> {
        let root = canonical(root).await?;
        let kept = self.kept(&root);
        let (local, scan) = local::current(&kept.local, &root).await?;
        Ok(Session::new(Arc::clone(&self.inner), kept, local, root, scan))
    }

    /// The files of the workspace as they are now. Its words and history are
    /// as the last question saw them; before the first one there are none.
    pub async fn look(&self, root: &Path) -> Result<Session, Error> {
        let root = canonical(root).await?;
        let kept = self.kept(&root);
        let local = Arc::clone(&kept.local).read_owned().await;
        if local.corpus.files() > 0 {
            // It knows which of them have changed; a scan reads all.
            drop(local);
            return self.open(&root).await;
        }
        let scan = Arc::new(scan(&root).await?);
        Ok(Session::new(Arc::clone(&self.inner), kept, local, root, scan))
    }

    fn kept(&self, root: &Path) -> Arc<Kept> {
        Arc::clone(self.roots().entry(root.to_owned()).or_default())
    }

    fn roots(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Kept>>> {
        self.inner.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn embedder(&self) -> Option<Arc<dyn Embedder>> {
        self.inner.models.embedder.clone()
    }
}

async fn canonical(root: &Path) -> Result<PathBuf, Error> {
    let root = root.to_owned();
    index::blocking(move || walk::canonical_root(&root)).await?
}

async fn scan(root: &Path) -> Result<Scan, Error> {
    let root = root.to_owned();
    index::blocking(move || walk::scan(&root)).await
}

#[cfg(test)]
mod tests;
