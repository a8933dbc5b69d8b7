//! A launcher for one test, and words for what is asked of it.

use std::{
    fmt::Debug,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use proto::v1::vector_db_service_client::VectorDbServiceClient;
use qdrant_client::{
    Payload, Qdrant, QdrantError,
    qdrant::{
        CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType,
        Modifier, NamedVectors, PointStruct, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
        UpsertPointsBuilder, Vector, VectorParamsBuilder, VectorsConfigBuilder, point_id::PointIdOptions,
    },
};
use serde_json::json;
use tonic::Code;
use vectordb_launcher::ports::Ports;

/// Longest wait for anything. Only a broken launcher comes near it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The collection of the tests.
pub const CODE: &str = "code";

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_agentic-ide-vectordb");

/// A running launcher.
pub struct Launcher {
    process: Child,
    lines: Receiver<String>,
    pub ports: Ports,
}

/// A launcher that is about to be started.
pub struct Start {
    command: Command,
    ports_file: PathBuf,
}

impl Start {
    /// With its data in `folder` and free ports.
    pub fn new(folder: &Path) -> Self {
        Self::at(folder, 0)
    }

    /// With its data in `folder` and a certain gRPC port.
    pub fn at(folder: &Path, grpc_port: u16) -> Self {
        Self::with(Command::new(PROGRAM), folder, grpc_port, 0)
    }

    /// With its data in `folder` and a certain control port, for a launcher that
    /// is asked before it is ready.
    pub fn controlled_at(folder: &Path, control_port: u16) -> Self {
        Self::with(Command::new(PROGRAM), folder, 0, control_port)
    }

    /// With its data in `folder`, through a command that becomes it.
    pub fn through(words: &[String], folder: &Path) -> Self {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(PROGRAM);
        Self::with(command, folder, 0, 0)
    }

    fn with(mut command: Command, folder: &Path, grpc_port: u16, control_port: u16) -> Self {
        let ports_file = folder.join("ports.json");
        let _none_yet = std::fs::remove_file(&ports_file);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder)
            .env("AGENTIC_IDE_VECTORDB_LOG_FORMAT", "json")
            .args([
                "--http-port",
                "0",
                "--control-port",
                &control_port.to_string(),
                "--grpc-port",
                &grpc_port.to_string(),
            ])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .arg("--ports-file")
            .arg(&ports_file)
            .stderr(Stdio::piped());
        Self { command, ports_file }
    }

    pub fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and waits until it is ready.
    pub fn ready(self) -> Launcher {
        let ports_file = self.ports_file.clone();
        let mut launcher = self.running();
        launcher.wait_for("\"Ready\"");
        launcher.ports = serde_json::from_slice(&std::fs::read(ports_file).unwrap()).unwrap();
        launcher
    }

    /// Starts it and waits for nothing; its ports are not known.
    pub fn running(mut self) -> Launcher {
        let mut process = self.command.spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _nobody_listens = sender.send(line);
            }
        });
        Launcher {
            process,
            lines,
            ports: Ports {
                http: 0,
                grpc: 0,
                control: 0,
            },
        }
    }

    /// Starts it and waits until it ends; its status and its words.
    pub fn fails(mut self) -> (i32, String) {
        let output = self.command.output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

impl Launcher {
    /// The embedded engine on `folder`.
    pub fn embedded(folder: &Path) -> Self {
        Start::new(folder).arg("--embedded").ready()
    }

    /// `program` as a child, on `folder`.
    pub fn supervising(folder: &Path, program: &Path) -> Self {
        Start::new(folder).arg("--qdrant").arg(program).ready()
    }

    /// Waits for a log line that holds `part` and returns it.
    pub fn wait_for(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no {part} ({error}) in:\n{}", seen.join("\n")),
            }
        }
    }

    pub fn client(&self) -> Qdrant {
        self.client_with(None)
    }

    /// For a call that takes a machine with much else to do longer than that.
    pub fn patient_client(&self) -> Qdrant {
        self.client_within(5 * PATIENCE, None)
    }

    pub fn client_with(&self, key: Option<&str>) -> Qdrant {
        self.client_within(PATIENCE, key)
    }

    fn client_within(&self, patience: Duration, key: Option<&str>) -> Qdrant {
        let mut config = Qdrant::from_url(&format!("http://127.0.0.1:{}", self.ports.grpc))
            .skip_compatibility_check()
            .timeout(patience);
        if let Some(key) = key {
            config = config.api_key(key);
        }
        config.build().unwrap()
    }

    /// A call of the REST API: its status and what it answered.
    pub async fn rest(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.ports.http);
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A call of the REST API that is refused: its status and the words.
    pub async fn refused(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let (status, text) = self.rest(method, path, body).await;
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        (
            status,
            answer["status"]["error"].as_str().unwrap_or_default().to_owned(),
        )
    }

    /// The launcher's own service.
    pub async fn control(&self) -> VectorDbServiceClient<tonic::transport::Channel> {
        let url = format!("http://127.0.0.1:{}", self.ports.control);
        VectorDbServiceClient::connect(url).await.unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }

    /// Ends it with `signal` and returns its status, if it ended by itself. The
    /// clients of the test stay alive meanwhile: they have to answer its farewell.
    pub async fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        tokio::task::spawn_blocking(move || self.process.wait().unwrap().code())
            .await
            .unwrap()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

/// Number of points of the collection of the tests.
pub async fn count(client: &Qdrant) -> u64 {
    let count = CountPointsBuilder::new(CODE).exact(true);
    client.count(count).await.unwrap().result.unwrap().count
}

/// A real Qdrant: a child of a launcher, or somebody's.
pub enum Real {
    /// The program that `QDRANT_BIN` names, supervised, with its data.
    Child {
        launcher: Launcher,
        _folder: tempfile::TempDir,
    },
    /// The gRPC address that `QDRANT_URL` names.
    Url(String),
}

impl Real {
    /// The program that `QDRANT_BIN` names; says so if there is none.
    #[expect(
        clippy::print_stderr,
        reason = "whoever runs the tests should see what did not run"
    )]
    pub fn program() -> Option<PathBuf> {
        let program = std::env::var_os("QDRANT_BIN").map(PathBuf::from);
        if program.is_none() {
            eprintln!("skipped: QDRANT_BIN names no Qdrant program");
        }
        program
    }

    /// The one that the environment names; says so if there is none.
    pub fn start() -> Option<Self> {
        if let Ok(url) = std::env::var("QDRANT_URL") {
            return Some(Self::Url(url));
        }
        let folder = tempfile::tempdir().unwrap();
        let launcher = Launcher::supervising(folder.path(), &Self::program()?);
        Some(Self::Child {
            launcher,
            _folder: folder,
        })
    }

    pub fn client(&self) -> Qdrant {
        match self {
            Self::Child { launcher, .. } => launcher.client(),
            Self::Url(url) => Qdrant::from_url(url)
                .skip_compatibility_check()
                .timeout(PATIENCE)
                .build()
                .unwrap(),
        }
    }
}

/// What a failed call told.
pub fn told<T: Debug>(result: Result<T, QdrantError>) -> (Code, String) {
    match result {
        Err(QdrantError::ResponseError { status }) => (status.code(), status.message().to_owned()),
        other => panic!("{other:?} is no refusal"),
    }
}

/// Makes the collection that retrieval makes: dense vectors, BM25 and indexes.
pub async fn make(client: &Qdrant) {
    let mut vectors = VectorsConfigBuilder::default();
    vectors.add_named_vector_params("dense", VectorParamsBuilder::new(4, Distance::Cosine));
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params(
        "bm25",
        SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
    );
    client
        .create_collection(
            CreateCollectionBuilder::new(CODE)
                .vectors_config(vectors)
                .sparse_vectors_config(sparse),
        )
        .await
        .unwrap();
    for field in ["workspace", "path"] {
        client
            .create_field_index(
                CreateFieldIndexCollectionBuilder::new(CODE, field, FieldType::Keyword).wait(true),
            )
            .await
            .unwrap();
    }
}

/// A point as retrieval stores it.
pub fn point(id: u64, workspace: &str, dense: [f32; 4], sparse: &[(u32, f32)]) -> PointStruct {
    let vectors = NamedVectors::default()
        .add_vector("dense", Vector::new_dense(dense.to_vec()))
        .add_vector("bm25", Vector::from(sparse.to_vec()));
    let payload =
        Payload::try_from(json!({"workspace": workspace, "path": format!("src/{id}.rs"), "line": id}));
    PointStruct::new(id, vectors, payload.unwrap())
}

/// Four points of workspace `a` and one of `b`.
pub async fn fill(client: &Qdrant) {
    let points = vec![
        point(1, "a", [1.0, 0.0, 0.0, 0.0], &[(10, 1.0)]),
        point(2, "a", [0.9, 0.1, 0.0, 0.0], &[(20, 1.0)]),
        point(3, "a", [0.0, 1.0, 0.0, 0.0], &[(10, 2.0), (20, 0.5)]),
        point(4, "a", [0.0, 0.0, 1.0, 0.0], &[(30, 1.0)]),
        point(5, "b", [1.0, 0.0, 0.0, 0.0], &[(10, 3.0)]),
    ];
    client
        .upsert_points(UpsertPointsBuilder::new(CODE, points).wait(true))
        .await
        .unwrap();
}

/// Something with an id.
pub trait Identified {
    fn id(self) -> Option<qdrant_client::qdrant::PointId>;
}

impl Identified for qdrant_client::qdrant::ScoredPoint {
    fn id(self) -> Option<qdrant_client::qdrant::PointId> {
        self.id
    }
}

impl Identified for qdrant_client::qdrant::RetrievedPoint {
    fn id(self) -> Option<qdrant_client::qdrant::PointId> {
        self.id
    }
}

/// The numbers of points, in order.
pub fn ids<T: Identified>(points: Vec<T>) -> Vec<u64> {
    points
        .into_iter()
        .map(|point| match point.id().unwrap().point_id_options.unwrap() {
            PointIdOptions::Num(number) => number,
            PointIdOptions::Uuid(uuid) => panic!("{uuid} is no number"),
        })
        .collect()
}
