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
use qdrant_client::{
    Payload, Qdrant, QdrantError,
    qdrant::{
        CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType, Modifier,
        NamedVectors, PointStruct, SparseVectorParamsBuilder, SparseVectorsConfigBuilder,
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
        let ports_file = folder.join("ports.json");
        let _none_yet = std::fs::remove_file(&ports_file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentic-ide-vectordb"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder)
            .env("AGENTIC_IDE_VECTORDB_LOG_FORMAT", "json")
            .args([
                "--http-port",
                "0",
                "--control-port",
                "0",
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

    /// Starts it and waits until it is ready.
    pub fn ready(mut self) -> Launcher {
        let mut process = self.command.spawn().unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _nobody_listens = sender.send(line);
            }
        });
        let mut launcher = Launcher {
            process,
            lines,
            ports: Ports {
                http: 0,
                grpc: 0,
                control: 0,
            },
        };
        launcher.wait_for("\"Ready\"");
        launcher.ports = serde_json::from_slice(&std::fs::read(&self.ports_file).unwrap()).unwrap();
        launcher
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

    pub fn client_with(&self, key: Option<&str>) -> Qdrant {
        let mut config = Qdrant::from_url(&format!("http://127.0.0.1:{}", self.ports.grpc))
            .skip_compatibility_check()
            .timeout(PATIENCE);
        if let Some(key) = key {
            config = config.api_key(key);
        }
        config.build().unwrap()
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
