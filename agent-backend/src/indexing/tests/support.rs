//! An index over a store in memory and a model that counts.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use retrieval::{
    Embedder, Error as RetrievalError, Models, Options, Retrieved, Service, Stores,
    embed::{Failure, Identity},
    identity::WorkspaceId,
    store::{Hit, MemoryStore, Point, Query, Store, StoredPoint},
};
use tempfile::TempDir;
use tokio::sync::watch;

use super::super::{vectors::Vectors, *};

/// Longest wait for anything: a hang must fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes vectors of the letters of a text; counts, and can be held back.
pub struct Counting {
    /// Every text that was embedded.
    pub texts: Mutex<Vec<String>>,
    /// How many may be embedded at once, at most, so far.
    pub at_once: AtomicUsize,
    now: AtomicUsize,
    /// Texts that may still be embedded.
    gate: watch::Sender<usize>,
}

impl Counting {
    fn new() -> Self {
        Self {
            texts: Mutex::default(),
            at_once: AtomicUsize::new(0),
            now: AtomicUsize::new(0),
            gate: watch::Sender::new(usize::MAX),
        }
    }

    pub fn hold(&self) {
        self.gate.send_replace(0);
    }

    pub fn release(&self) {
        self.gate.send_replace(usize::MAX);
    }

    pub fn count(&self) -> usize {
        self.texts.lock().unwrap().len()
    }
}

#[async_trait]
impl Embedder for Counting {
    fn identity(&self) -> Identity {
        Identity {
            model: "counting".to_owned(),
            dimension: 26,
        }
    }

    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once.fetch_max(now, Ordering::SeqCst);
        let mut gate = self.gate.subscribe();
        let opened = gate.wait_for(|left| *left > 0).await.map(drop);
        self.now.fetch_sub(1, Ordering::SeqCst);
        opened.unwrap();
        let vectors = texts.iter().map(|text| vector(text)).collect();
        self.texts.lock().unwrap().extend(texts);
        Ok(vectors)
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.01; 26];
    for letter in text.bytes().filter(u8::is_ascii_lowercase) {
        vector[usize::from(letter - b'a')] += 1.0;
    }
    vector
}

/// A store that can be down.
#[derive(Default)]
pub struct Switched {
    pub inner: MemoryStore,
    /// Upserts until it is down; none: it is up.
    left: Mutex<Option<usize>>,
}

impl Switched {
    pub fn breaks_after(&self, upserts: usize) {
        *self.left.lock().unwrap() = Some(upserts);
    }

    pub fn is_mended(&self) {
        *self.left.lock().unwrap() = None;
    }

    fn check(&self, costs: usize) -> Result<(), RetrievalError> {
        match &mut *self.left.lock().unwrap() {
            None => Ok(()),
            Some(0) => Err(RetrievalError::Unavailable {
                reason: "it was switched off".to_owned(),
            }),
            Some(left) => {
                *left -= costs;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Store for Switched {
    async fn health(&self) -> Result<(), RetrievalError> {
        self.check(0)
    }
    async fn generation(&self) -> Result<String, RetrievalError> {
        self.check(0)?;
        self.inner.generation().await
    }
    async fn prepare(&self) -> Result<(), RetrievalError> {
        self.check(0)
    }
    async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<StoredPoint>, RetrievalError> {
        self.check(0)?;
        self.inner.list(workspace).await
    }
    async fn count(&self, workspace: &WorkspaceId) -> Result<usize, RetrievalError> {
        self.check(0)?;
        self.inner.count(workspace).await
    }
    async fn upsert(&self, points: Vec<Point>) -> Result<(), RetrievalError> {
        self.check(1)?;
        self.inner.upsert(points).await
    }
    async fn delete(&self, ids: Vec<uuid::Uuid>) -> Result<(), RetrievalError> {
        self.check(0)?;
        self.inner.delete(ids).await
    }
    async fn forget(&self, workspace: &WorkspaceId) -> Result<(), RetrievalError> {
        self.check(0)?;
        self.inner.forget(workspace).await
    }
    async fn search(&self, query: &Query) -> Result<Vec<Hit>, RetrievalError> {
        self.check(0)?;
        self.inner.search(query).await
    }
}

struct Engine(Service);

#[async_trait]
impl Index for Engine {
    async fn catch_up(&self, root: &Path, change: Change) -> Result<CaughtUp, Error> {
        Ok(self.0.catch_up(root, change).await?)
    }
    async fn unwatch(&self, root: &Path) {
        self.0.unwatch(root).await;
    }
    fn embedding(&self, root: &Path, may: Embedding) {
        self.0.embedding(root, may);
    }
    async fn embed(
        &self,
        root: &Path,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Embedded, Error> {
        Ok(match self.0.embed(root, progress).await? {
            Some(_) => Embedded::Complete,
            None => Embedded::NoModel,
        })
    }
    async fn forget(&self, root: &Path) -> Result<(), Error> {
        Ok(self.0.forget(root).await?)
    }
    fn close(&self, root: &Path) {
        self.0.close(root);
    }
}

/// Everything one test needs.
pub struct World {
    dir: TempDir,
    pub embedder: Arc<Counting>,
    pub store: Arc<Switched>,
    pub indexing: Indexing,
    service: Service,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("w")).unwrap();
        let embedder = Arc::new(Counting::new());
        let store = Arc::new(Switched::default());
        let (indexing, service) = start(dir.path(), &embedder, &store);
        Self {
            dir,
            embedder,
            store,
            indexing,
            service,
        }
    }

    /// Another process on the same data: everything in memory is lost.
    pub fn restart(&mut self) -> usize {
        self.indexing.park();
        (self.indexing, self.service) = start(self.dir.path(), &self.embedder, &self.store);
        self.indexing.resume_all()
    }

    pub fn root(&self) -> PathBuf {
        fs::canonicalize(self.dir.path().join("w")).unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join("w").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `count` files of one function each.
    pub fn fill(&self, folder: &str, word: &str, count: usize) {
        for number in 0..count {
            let text = format!("def {word}_{number}():\n    return {number}\n");
            self.write(&format!("{folder}/f{number}.py"), &text);
        }
    }

    pub async fn command(&self, command: Command) -> Result<Described, Error> {
        self.indexing.command(&self.root(), command).await
    }

    /// Waits until it is in this state.
    pub async fn reaches(&self, state: State) -> Status {
        let (_, mut status) = self.indexing.follow(&self.root()).await.unwrap();
        let reached = status.wait_for(|status| status.state == state);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(status) => status.unwrap().clone(),
            Err(_) => panic!("it is not {state:?}: {:?}", self.indexing.list()),
        }
    }

    /// Opens it and waits until everything is there.
    pub async fn ready(&self) {
        self.command(Command::Open).await.unwrap();
        self.reaches(State::Ready).await;
    }

    /// After everything that happened before has arrived.
    pub async fn settled(&self) {
        self.indexing.settle(&self.root()).await.unwrap();
        self.reaches(State::Ready).await;
    }

    pub async fn ask(&self, query: &str) -> Retrieved {
        self.service.retrieve(&self.root(), query).await.unwrap()
    }

    /// Paths of what is found.
    pub async fn found(&self, query: &str) -> Vec<String> {
        let found = self.ask(query).await;
        found.items.into_iter().map(|item| item.path).collect()
    }

    /// The points that a fresh index of the same files has, and its answer.
    pub async fn is_as_fresh(&self, query: &str) {
        let store = Arc::new(Switched::default());
        let fresh = service(Arc::new(Counting::new()), &store);
        fresh.index(&self.root(), |_| {}).await.unwrap();
        let paths = |store: &Switched| {
            let points = store.inner.points().into_iter();
            points
                .map(|point| (point.record.path, point.id))
                .collect::<Vec<_>>()
        };
        assert_eq!(paths(&self.store), paths(&store));
        assert_eq!(self.store.inner.points(), store.inner.points());
        let fresh = fresh.retrieve(&self.root(), query).await.unwrap();
        let timeless = |found: Retrieved| Retrieved {
            times: Vec::new(),
            ..found
        };
        assert_eq!(timeless(self.ask(query).await), timeless(fresh));
    }
}

fn start(dir: &Path, embedder: &Arc<Counting>, store: &Arc<Switched>) -> (Indexing, Service) {
    let vectors = Vectors::open(&dir.join("data/vectors.sqlite"));
    let embedder = Vectors::before(vectors.as_ref(), embedder.clone(), None);
    let service = service(embedder, store);
    let indexing = Indexing::new(Arc::new(Engine(service.clone())), &dir.join("data"));
    (indexing, service)
}

fn service(embedder: Arc<dyn Embedder>, store: &Arc<Switched>) -> Service {
    let models = Models {
        embedder: Some(embedder),
        ..Models::default()
    };
    let stores = Stores {
        hybrid: store.clone(),
        // Made of the vectors of parts: nothing of its own is embedded.
        files: Arc::new(MemoryStore::default()),
        keyword: store.clone(),
    };
    Service::over(Options::default(), models, stores)
}
