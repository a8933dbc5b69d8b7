//! Measures the embedded engine over gRPC, or a Qdrant at `--url`, with what
//! retrieval stores: dense vectors of 384 dimensions, sparse vectors of 20 terms,
//! three payload fields.
//!
//! ```text
//! cargo build --release -p vectordb-launcher --bins --examples
//! target/release/examples/bench [--points 100000] [--index-wait 600] [--url http://127.0.0.1:6334]
//! ```

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program prints times"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use clap::Parser;
use qdrant_client::{
    Payload, Qdrant, QdrantError,
    qdrant::{
        CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType, Fusion, Modifier,
        NamedVectors, PointStruct, PrefetchQueryBuilder, Query, QueryPointsBuilder, ScoredPoint,
        SearchParamsBuilder, SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpsertPointsBuilder,
        Vector, VectorInput, VectorParamsBuilder, VectorsConfigBuilder,
    },
};
use serde_json::json;
use vectordb_launcher::ports::Ports;

const NAME: &str = "bench";
const DIMENSIONS: usize = 384;
const TERMS: usize = 20;
const VOCABULARY: f32 = 30_000.0;
const TOPICS: u64 = 1_000;
const QUERIES: u64 = 300;

#[derive(Parser)]
struct Arguments {
    /// Points to store
    #[arg(long, default_value_t = 100_000)]
    points: u64,
    /// Points in one upsert
    #[arg(long, default_value_t = 256)]
    batch: u64,
    /// Seconds to wait for the index
    #[arg(long, default_value_t = 900)]
    index_wait: u64,
    /// Measure this server (gRPC) instead of the launcher beside this program
    #[arg(long)]
    url: Option<String>,
}

/// SplitMix64: small, fast, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn part(&mut self) -> f32 {
        f32::from((self.next() >> 48) as u16) / 65_536.0
    }

    /// Nearly normal: the sum of four parts.
    fn normal(&mut self) -> f32 {
        (0..4).map(|_| self.part()).sum::<f32>() - 2.0
    }
}

/// Texts have topics, so vectors come in clusters and not evenly.
fn dense(seed: u64) -> Vec<f32> {
    let mut own = Random(seed);
    let mut topic = Random(own.next() % TOPICS);
    (0..DIMENSIONS)
        .map(|_| topic.normal() + 0.7 * own.normal())
        .collect()
}

/// Few words are in many texts and most are in few.
fn sparse(seed: u64) -> (Vec<u32>, Vec<f32>) {
    let mut own = Random(seed ^ 0xABCD);
    let mut terms: Vec<u32> = (0..TERMS)
        .map(|_| (own.part().powi(3) * VOCABULARY) as u32)
        .collect();
    terms.sort_unstable();
    terms.dedup();
    let values = terms.iter().map(|_| 0.5 + own.part()).collect();
    (terms, values)
}

fn point(id: u64) -> PointStruct {
    let (indices, values) = sparse(id);
    let vectors = NamedVectors::default()
        .add_vector("dense", Vector::new_dense(dense(id)))
        .add_vector("bm25", Vector::new_sparse(indices, values));
    let payload =
        json!({"workspace": format!("w{}", id % 4), "path": format!("src/{}.rs", id / 20), "line": id % 20});
    PointStruct::new(id, vectors, Payload::try_from(payload).unwrap_or_default())
}

fn hybrid(seed: u64) -> QueryPointsBuilder {
    let (indices, values) = sparse(seed);
    let sparse = Query::new_nearest(VectorInput::new_sparse(indices, values));
    let part = |query: Query, using: &str| {
        PrefetchQueryBuilder::default()
            .query(query)
            .using(using)
            .limit(50_u64)
    };
    QueryPointsBuilder::new(NAME)
        .add_prefetch(part(Query::new_nearest(dense(seed)), "dense"))
        .add_prefetch(part(sparse, "bm25"))
        .query(Query::new_fusion(Fusion::Rrf))
        .limit(10)
        .with_payload(true)
}

fn nearest(seed: u64, exact: bool) -> QueryPointsBuilder {
    QueryPointsBuilder::new(NAME)
        .query(dense(seed))
        .using("dense")
        .limit(10)
        .params(SearchParamsBuilder::default().exact(exact))
}

/// A seed that is no point's.
fn stranger(index: u64) -> u64 {
    1_000_000_000 + index
}

async fn make(client: &Qdrant) -> Result<(), QdrantError> {
    if client.collection_exists(NAME).await? {
        client.delete_collection(NAME).await?;
    }
    let mut vectors = VectorsConfigBuilder::default();
    vectors.add_named_vector_params(
        "dense",
        VectorParamsBuilder::new(DIMENSIONS as u64, Distance::Cosine),
    );
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params(
        "bm25",
        SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
    );
    client
        .create_collection(
            CreateCollectionBuilder::new(NAME)
                .vectors_config(vectors)
                .sparse_vectors_config(sparse),
        )
        .await?;
    for field in ["workspace", "path"] {
        let index = CreateFieldIndexCollectionBuilder::new(NAME, field, FieldType::Keyword).wait(true);
        client.create_field_index(index).await?;
    }
    Ok(())
}

async fn upsert(client: &Qdrant, ids: std::ops::Range<u64>, batch: u64) -> Result<(), QdrantError> {
    let mut first = ids.start;
    while first < ids.end {
        let last = (first + batch).min(ids.end);
        let points: Vec<_> = (first..last).map(point).collect();
        client
            .upsert_points(UpsertPointsBuilder::new(NAME, points).wait(true))
            .await?;
        first = last;
    }
    Ok(())
}

/// Milliseconds at p50 and p99.
async fn times(client: &Qdrant, ask: impl Fn(u64) -> QueryPointsBuilder) -> Result<(f64, f64), QdrantError> {
    let mut times = Vec::new();
    for index in 0..QUERIES {
        let query = ask(stranger(index));
        let started = Instant::now();
        client.query(query).await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

async fn recall(client: &Qdrant) -> Result<f64, QdrantError> {
    let ids = |points: Vec<ScoredPoint>| points.into_iter().map(|point| point.id).collect::<Vec<_>>();
    let (mut found, mut wanted) = (0, 0);
    for index in 0..QUERIES / 3 {
        let exact = ids(client.query(nearest(stranger(index), true)).await?.result);
        let quick = ids(client.query(nearest(stranger(index), false)).await?.result);
        wanted += exact.len();
        found += exact.iter().filter(|id| quick.contains(id)).count();
    }
    Ok(found as f64 / wanted as f64)
}

struct Server {
    process: Child,
    ports: Ports,
    ready: Duration,
}

impl Server {
    fn start(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let own = std::env::current_exe()?;
        let program = own
            .parent()
            .and_then(Path::parent)
            .map(|folder| folder.join("agentic-ide-vectordb"))
            .ok_or("no folder")?;
        let ports_file: PathBuf = folder.join("ports.json");
        let _none_yet = fs::remove_file(&ports_file);
        let started = Instant::now();
        let process = Command::new(program)
            .args([
                "--embedded",
                "--http-port",
                "0",
                "--grpc-port",
                "0",
                "--control-port",
                "0",
            ])
            .arg("--data-dir")
            .arg(folder)
            .arg("--ports-file")
            .arg(&ports_file)
            .stderr(Stdio::null())
            .spawn()?;
        while !ports_file.exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let ready = started.elapsed();
        let ports = serde_json::from_slice(&fs::read(&ports_file)?)?;
        Ok(Self {
            process,
            ports,
            ready,
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.grpc)
    }

    fn kill(mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }

    /// Resident memory in MiB: all of it, and the part that is no mapped file.
    fn memory(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let of = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key));
            let number = line.and_then(|line| line.split_ascii_whitespace().nth(1));
            number
                .and_then(|number| number.parse::<u64>().ok())
                .unwrap_or_default()
                / 1024
        };
        (of("VmRSS:"), of("RssAnon:"))
    }
}

fn connect(url: &str) -> Result<Qdrant, QdrantError> {
    Qdrant::from_url(url)
        .skip_compatibility_check()
        .timeout(Duration::from_secs(120))
        .build()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let server = match &arguments.url {
        Some(_) => None,
        None => Some(Server::start(folder.path())?),
    };
    let url = match (&arguments.url, &server) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => server.url(),
        (None, None) => return Err("no server".into()),
    };
    let client = connect(&url)?;
    let points = arguments.points;
    make(&client).await?;

    let started = Instant::now();
    // Two writers, so that one prepares while the other waits.
    let (a, b) = tokio::join!(
        tokio::spawn({
            let client = connect(&url)?;
            async move { upsert(&client, 0..points / 2, arguments.batch).await }
        }),
        tokio::spawn({
            let client = connect(&url)?;
            async move { upsert(&client, points / 2..points, arguments.batch).await }
        }),
    );
    a??;
    b??;
    let rate = points as f64 / started.elapsed().as_secs_f64();
    println!("upsert, batches of {}: {rate:.0} points/s", arguments.batch);

    let told = |what: &str, (p50, p99): (f64, f64)| println!("{what}: p50 {p50:.1} ms, p99 {p99:.1} ms");
    told("hybrid, before the index", times(&client, hybrid).await?);
    told(
        "dense, before the index",
        times(&client, |seed| nearest(seed, false)).await?,
    );

    let waiting = Instant::now();
    let indexed = loop {
        let info = client.collection_info(NAME).await?.result.unwrap_or_default();
        // Sparse vectors always have an index and count, too.
        if info.indexed_vectors_count.unwrap_or_default() >= 2 * points {
            break true;
        }
        if waiting.elapsed() > Duration::from_secs(arguments.index_wait) {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let seconds = waiting.elapsed().as_secs_f64();
    println!(
        "index: {}after {seconds:.0} s",
        if indexed { "" } else { "not complete " }
    );
    told("hybrid", times(&client, hybrid).await?);
    told("dense", times(&client, |seed| nearest(seed, false)).await?);
    println!("recall@10 of dense against exact: {:.4}", recall(&client).await?);

    let writer = tokio::spawn({
        let client = connect(&url)?;
        async move { upsert(&client, points..points + 20_000, 256).await }
    });
    told("hybrid while upserts go on", times(&client, hybrid).await?);
    writer.abort();

    if let Some(server) = server {
        let (all, anonymous) = server.memory();
        let vectors = points * DIMENSIONS as u64 * 4 / 1024 / 1024;
        println!(
            "memory: {all} MiB resident, {anonymous} MiB without mapped files; the vectors are {vectors} MiB"
        );
        server.kill();
        let server = Server::start(folder.path())?;
        println!("ready after kill -9: {:.2} s", server.ready.as_secs_f64());
        let (all, anonymous) = server.memory();
        println!("memory then: {all} MiB resident, {anonymous} MiB without mapped files");
        server.kill();
    }
    Ok(())
}
