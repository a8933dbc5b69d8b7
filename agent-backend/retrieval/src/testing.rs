//! Fixtures for this crate's tests.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use shared::error::{Class, Code};
use uuid::Uuid;

use crate::chunk::Kind;
use crate::corpus::Corpus;
use crate::embed::{Embedder, Failure, Identity};
use crate::error::Error;
use crate::history::History;
use crate::identity::{ContentHash, WorkspaceId};
use crate::language::Language;
use crate::rerank::Reranker;
use crate::service::{Models, Options, Service};
use crate::store::{Hit, MemoryStore, Point, Query, Record, Store, StoredPoint};
use crate::tokenize;

pub fn record(path: &str, start_line: u32, end_line: u32, symbol: Option<&str>) -> Record {
    Record {
        workspace: WorkspaceId::parse("w"),
        path: path.to_owned(),
        language: Language::of(path),
        kind: Kind::Function,
        symbol: symbol.map(str::to_owned),
        start_line,
        end_line,
        content: ContentHash::of(path.as_bytes()),
        chunks: 1,
        text: "x".to_owned(),
    }
}

/// Writes files into a new directory.
pub fn workspace(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(dir.path(), path, text);
    }
    dir
}

pub fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What a [`FakeEmbedder`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Works,
    FailsOnDocuments,
    FailsOnQueries,
    /// Never answers.
    Hangs,
}

/// Counts the terms of a text in a few buckets: texts with common words have
/// near vectors, the same text always has the same. Records what it was sent.
pub struct FakeEmbedder {
    pub behaviour: Mutex<Behaviour>,
    pub documents: Mutex<Vec<String>>,
    pub queries: Mutex<Vec<String>>,
}

pub const DIMENSION: usize = 32;

impl FakeEmbedder {
    pub fn new(behaviour: Behaviour) -> Self {
        Self {
            behaviour: Mutex::new(behaviour),
            documents: Mutex::default(),
            queries: Mutex::default(),
        }
    }

    pub fn becomes(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap()
    }

    fn vector(text: &str) -> Vec<f32> {
        let mut vector = vec![0.01; DIMENSION];
        for term in tokenize::terms(text) {
            let bucket = usize::try_from(crate::bm25::term_id(&term)).unwrap() % DIMENSION;
            vector[bucket] += 1.0;
        }
        vector
    }
}

pub fn failure() -> Failure {
    Failure {
        class: Class::User,
        code: Code::ModelNotPulled,
        message: "the model is not pulled".to_owned(),
    }
}

#[async_trait]
impl Embedder for FakeEmbedder {
    fn identity(&self) -> Identity {
        Identity {
            model: "nomic-embed-text".to_owned(),
            dimension: DIMENSION,
        }
    }

    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        match self.behaviour() {
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::FailsOnDocuments => Err(failure()),
            Behaviour::Works | Behaviour::FailsOnQueries => {
                let vectors = texts.iter().map(|text| Self::vector(text)).collect();
                self.documents.lock().unwrap().extend(texts);
                Ok(vectors)
            }
        }
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        match self.behaviour() {
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::FailsOnQueries => Err(failure()),
            Behaviour::Works | Behaviour::FailsOnDocuments => {
                let vectors = texts.iter().map(|text| Self::vector(text)).collect();
                self.queries.lock().unwrap().extend(texts);
                Ok(vectors)
            }
        }
    }
}

/// A reranking model that takes its time and prefers texts with more of the
/// question's words.
pub struct FakeReranker {
    behaviour: Mutex<(Duration, Answer)>,
    /// Every text it was sent.
    pub texts: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Scores,
    Failure,
    Nonsense,
}

impl FakeReranker {
    /// Takes so long for each pair.
    pub fn taking(time: Duration) -> Self {
        Self {
            behaviour: Mutex::new((time, Answer::Scores)),
            texts: Mutex::default(),
        }
    }

    pub fn takes(&self, time: Duration) {
        self.behaviour.lock().unwrap().0 = time;
    }

    pub fn fails(&self) {
        self.behaviour.lock().unwrap().1 = Answer::Failure;
    }

    pub fn answers_nonsense(&self) {
        self.behaviour.lock().unwrap().1 = Answer::Nonsense;
    }
}

#[async_trait]
impl Reranker for FakeReranker {
    fn identity(&self) -> String {
        "fake".to_owned()
    }

    async fn score(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>, Failure> {
        let (time, answer) = *self.behaviour.lock().unwrap();
        tokio::time::sleep(time * u32::try_from(texts.len()).unwrap()).await;
        match answer {
            Answer::Failure => return Err(failure()),
            Answer::Nonsense => return Ok(vec![f32::NAN]),
            Answer::Scores => {}
        }
        let asked = tokenize::terms(query);
        let common = |text: &String| {
            let terms = tokenize::terms(text);
            let count = asked.iter().filter(|term| terms.contains(term)).count();
            f32::from(u16::try_from(count).unwrap())
        };
        let scores = texts.iter().map(common).collect();
        self.texts.lock().unwrap().extend(texts);
        Ok(scores)
    }
}

/// A store that breaks after a number of writes, and can be mended.
#[derive(Default)]
pub struct FlakyStore {
    pub inner: MemoryStore,
    /// Operations until everything fails; `None`: never.
    pub left: Mutex<Option<usize>>,
    /// Points per upsert call.
    pub upserts: Mutex<Vec<usize>>,
    pub listings: Mutex<usize>,
    pub generation: Mutex<String>,
}

impl FlakyStore {
    pub fn breaks_after(&self, operations: usize) {
        *self.left.lock().unwrap() = Some(operations);
    }

    pub fn is_mended(&self) {
        *self.left.lock().unwrap() = None;
    }

    fn operation(&self) -> Result<(), Error> {
        match self.left.lock().unwrap().as_mut() {
            None => Ok(()),
            Some(0) => Err(Error::Unavailable {
                reason: "down".to_owned(),
            }),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Store for FlakyStore {
    async fn health(&self) -> Result<(), Error> {
        match *self.left.lock().unwrap() {
            Some(0) => Err(Error::Unavailable {
                reason: "down".to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    async fn generation(&self) -> Result<String, Error> {
        self.operation()?;
        Ok(self.generation.lock().unwrap().clone())
    }

    async fn prepare(&self) -> Result<(), Error> {
        self.operation()
    }

    async fn list(&self, workspace: &WorkspaceId) -> Result<Vec<StoredPoint>, Error> {
        self.operation()?;
        *self.listings.lock().unwrap() += 1;
        self.inner.list(workspace).await
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<usize, Error> {
        self.operation()?;
        self.inner.count(workspace).await
    }

    async fn upsert(&self, points: Vec<Point>) -> Result<(), Error> {
        self.operation()?;
        self.upserts.lock().unwrap().push(points.len());
        self.inner.upsert(points).await
    }

    async fn delete(&self, ids: Vec<Uuid>) -> Result<(), Error> {
        self.operation()?;
        self.inner.delete(ids).await
    }

    async fn forget(&self, workspace: &WorkspaceId) -> Result<(), Error> {
        self.operation()?;
        self.inner.forget(workspace).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, Error> {
        self.operation()?;
        self.inner.search(query).await
    }
}

/// A git repository of its own: no configuration of the machine, fixed dates
/// and names.
pub struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    pub fn new() -> Self {
        let repository = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the files and commits everything, `day` days after the beginning of 2024.
    pub fn commit(&self, message: &str, files: &[(&str, &str)], day: u32) {
        for (path, text) in files {
            write(self.root(), path, text);
        }
        self.git(&["add", "--all"]);
        let date = format!("{} +0000", 1_704_067_200 + u64::from(day) * 86_400);
        self.run(
            &["commit", "--quiet", "--allow-empty", "--message", message],
            &date,
        );
    }

    /// What git prints.
    pub fn git(&self, args: &[&str]) -> String {
        self.run(args, "1704067200 +0000")
    }

    /// The index of the work tree with its history.
    pub async fn index(&self) -> (Corpus, History) {
        let mut history = History::default();
        history.update(self.root()).await;
        let mut corpus = Corpus::default();
        corpus.refresh(self.root());
        corpus.join(&history, true);
        (corpus, history)
    }

    fn run(&self, args: &[&str], date: &str) -> String {
        let mut command = std::process::Command::new("git");
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        let output = command
            .arg("-C")
            .arg(self.root())
            .args(args)
            .env("HOME", self.root())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", self.root().parent().unwrap())
            .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@example.org")])
            .envs([
                ("GIT_COMMITTER_NAME", "A"),
                ("GIT_COMMITTER_EMAIL", "a@example.org"),
            ])
            .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A real vector database: the one at `QDRANT_URL`, or the program that
/// `QDRANT_BIN` names, over an empty folder until this is dropped.
pub struct Database {
    pub url: String,
    program: Option<(std::process::Child, tempfile::TempDir)>,
}

impl Database {
    /// None where neither is named.
    pub async fn start() -> Option<Self> {
        if let Ok(url) = std::env::var("QDRANT_URL") {
            return Some(Self { url, program: None });
        }
        let program = std::env::var_os("QDRANT_BIN")?;
        let dir = tempfile::tempdir().unwrap();
        // Both at once, so that they differ.
        let ports = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let [http, grpc] = ports.map(|port| port.local_addr().unwrap().port().to_string());
        let child = std::process::Command::new(program)
            .current_dir(dir.path())
            .env("QDRANT__SERVICE__HOST", "127.0.0.1")
            .env("QDRANT__SERVICE__HTTP_PORT", http)
            .env("QDRANT__SERVICE__GRPC_PORT", &grpc)
            .env("QDRANT__STORAGE__STORAGE_PATH", dir.path().join("storage"))
            .env("QDRANT__STORAGE__SNAPSHOTS_PATH", dir.path().join("snapshots"))
            .env("QDRANT__TELEMETRY_DISABLED", "true")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{grpc}");
        let program = Some((child, dir));
        let started = Self { url, program };
        let service = Service::new(
            Options {
                qdrant_url: started.url.clone(),
                ..Options::default()
            },
            Models::default(),
        );
        let service = service.unwrap();
        let up = async {
            while service.health().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), up).await.unwrap();
        Some(started)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((child, _dir)) = &mut self.program {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
