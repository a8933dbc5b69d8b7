//! Measures the embedded engine over gRPC, or a Qdrant, with what retrieval
//! stores: dense vectors of 384 dimensions, sparse vectors of 20 terms, three
//! payload fields. `docs/vectordb.md` has the figures.
//!
//! ```text
//! cargo build --release -p vectordb-launcher --bins --examples
//! target/release/examples/vectors                            # the embedded engine
//! target/release/examples/vectors --qdrant /path/to/qdrant   # that program, supervised
//! target/release/examples/vectors --url http://127.0.0.1:6334
//! ```

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program prints times"
)]

mod data;
mod server;

use std::{
    error::Error,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;
use data::{DIMENSIONS, dense, point, sparse, stranger};
use nix::sys::signal::Signal;
use qdrant_client::{
    Qdrant, QdrantError,
    qdrant::{
        CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FieldType, Fusion,
        HnswConfigDiffBuilder, Modifier, OptimizersConfigDiffBuilder, PointStruct, PrefetchQueryBuilder,
        Query, QueryPointsBuilder, ScalarQuantizationBuilder, ScoredPoint, SearchParamsBuilder,
        SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpsertPointsBuilder, VectorInput,
        VectorParamsBuilder, VectorsConfigBuilder,
    },
};
use server::Server;

const NAME: &str = "bench";

/// Queries behind each quantile, after some that only warm up.
const QUERIES: u64 = 400;
const WARM_UP: u64 = 40;

/// Queries behind the recall.
const RECALL_QUERIES: u64 = 100;

/// Points of a trial of one batch size.
const TRIAL_POINTS: u64 = 20_000;

/// Time without requests before memory is measured: the collection was opened anew, and
/// the allocator has given back what that left.
const SETTLE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Arguments {
    /// Points to store
    #[arg(long, default_value_t = 100_000)]
    points: u64,
    /// Points in one upsert
    #[arg(long, default_value_t = 250)]
    batch: u64,
    /// Also try these batch sizes, each on a collection of its own
    #[arg(long, value_delimiter = ',')]
    batches: Vec<u64>,
    /// Clients that upsert side by side
    #[arg(long, default_value_t = 2)]
    writers: u64,
    /// KiB of vectors in a segment from which a graph is built; the server's default otherwise
    #[arg(long)]
    threshold: Option<u64>,
    /// Threads that build it; the server's default otherwise
    #[arg(long)]
    index_threads: Option<u64>,
    /// Quantize the dense vectors to int8, kept in memory
    #[arg(long)]
    int8: bool,
    /// Seconds to wait for the index
    #[arg(long, default_value_t = 900)]
    index_wait: u64,
    /// Stop after the upserts
    #[arg(long)]
    upserts_only: bool,
    /// Keep the data in this folder: the first run fills it and measures no searches amid
    /// upserts, each later one measures them alone, on a copy or on what the last run left
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    keep: Option<PathBuf>,
    /// Measure this program, supervised, instead of the embedded engine
    #[arg(long)]
    qdrant: Option<PathBuf>,
    /// Measure this server (gRPC)
    #[arg(long, conflicts_with = "qdrant")]
    url: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured, in order.
struct Figures {
    json: bool,
    rows: serde_json::Map<String, serde_json::Value>,
}

impl Figures {
    fn tell(&mut self, name: &str, value: f64, unit: &str) {
        if !self.json {
            println!("{name:<52} {value:>10.3} {unit}");
        }
        self.rows.insert(name.to_owned(), serde_json::json!(value));
    }

    fn end(self) -> Result<(), Box<dyn Error>> {
        if self.json {
            println!("{}", serde_json::Value::Object(self.rows));
        }
        Ok(())
    }

    fn quantiles(&mut self, name: &str, (p50, p99): (f64, f64)) {
        self.tell(&format!("{name}, p50"), p50, "ms");
        self.tell(&format!("{name}, p99"), p99, "ms");
    }
}

/// What the dense part of a search compares.
#[derive(Clone, Copy, PartialEq)]
enum Compare {
    /// What the index finds.
    Index,
    /// Everything.
    Exact,
}

fn params(compare: Compare) -> SearchParamsBuilder {
    SearchParamsBuilder::default().exact(compare == Compare::Exact)
}

fn hybrid(seed: u64, compare: Compare) -> QueryPointsBuilder {
    let (indices, values) = sparse(seed);
    let sparse = Query::new_nearest(VectorInput::new_sparse(indices, values));
    let part = |query: Query, using: &str| {
        PrefetchQueryBuilder::default()
            .query(query)
            .using(using)
            .params(params(compare))
            .limit(50_u64)
    };
    QueryPointsBuilder::new(NAME)
        .add_prefetch(part(Query::new_nearest(dense(seed)), "dense"))
        .add_prefetch(part(sparse, "bm25"))
        .query(Query::new_fusion(Fusion::Rrf))
        .limit(10)
        .with_payload(true)
}

fn nearest(seed: u64, compare: Compare) -> QueryPointsBuilder {
    QueryPointsBuilder::new(NAME)
        .query(dense(seed))
        .using("dense")
        .limit(10)
        .params(params(compare))
}

async fn make(client: &Qdrant, arguments: &Arguments) -> Result<(), QdrantError> {
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
    let mut new = CreateCollectionBuilder::new(NAME)
        .vectors_config(vectors)
        .sparse_vectors_config(sparse);
    if let Some(threshold) = arguments.threshold {
        new = new.optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(threshold));
    }
    if let Some(threads) = arguments.index_threads {
        new = new.hnsw_config(HnswConfigDiffBuilder::default().max_indexing_threads(threads));
    }
    if arguments.int8 {
        new = new.quantization_config(ScalarQuantizationBuilder::default().always_ram(true));
    }
    client.create_collection(new).await?;
    for field in ["workspace", "path"] {
        let index = CreateFieldIndexCollectionBuilder::new(NAME, field, FieldType::Keyword).wait(true);
        client.create_field_index(index).await?;
    }
    Ok(())
}

fn points(ids: std::ops::Range<u64>) -> Vec<PointStruct> {
    ids.map(point).collect()
}

async fn upsert(client: &Qdrant, points: Vec<PointStruct>) -> Result<(), QdrantError> {
    client
        .upsert_points(UpsertPointsBuilder::new(NAME, points).wait(true))
        .await?;
    Ok(())
}

/// Points a second that `writers` clients bring in together.
async fn rate(url: &str, count: u64, writers: u64, batch: u64) -> Result<f64, Box<dyn Error>> {
    let share = count.div_ceil(writers);
    let mut work = Vec::new();
    for writer in 0..writers {
        let ids = writer * share..((writer + 1) * share).min(count);
        // Made before the clock runs: the server is measured, not what makes the points.
        let batches: Vec<_> = ids
            .clone()
            .step_by(usize::try_from(batch)?)
            .map(|first| points(first..(first + batch).min(ids.end)))
            .collect();
        work.push((connect(url)?, batches));
    }
    let started = Instant::now();
    let tasks: Vec<_> = work
        .into_iter()
        .map(|(client, batches)| {
            tokio::spawn(async move {
                for batch in batches {
                    upsert(&client, batch).await?;
                }
                Ok::<_, QdrantError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Milliseconds at p50 and p99.
async fn times(client: &Qdrant, ask: impl Fn(u64) -> QueryPointsBuilder) -> Result<(f64, f64), QdrantError> {
    let mut times = Vec::new();
    for index in 0..WARM_UP + QUERIES {
        let query = ask(stranger(index));
        let started = Instant::now();
        client.query(query).await?;
        if index >= WARM_UP {
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

/// Share of the ten exact results that the index finds, too.
async fn recall(
    client: &Qdrant,
    ask: impl Fn(u64, Compare) -> QueryPointsBuilder,
) -> Result<f64, QdrantError> {
    let ids = |points: Vec<ScoredPoint>| points.into_iter().map(|point| point.id).collect::<Vec<_>>();
    let (mut found, mut wanted) = (0, 0);
    for index in 0..RECALL_QUERIES {
        let exact = ids(client.query(ask(stranger(index), Compare::Exact)).await?.result);
        let quick = ids(client.query(ask(stranger(index), Compare::Index)).await?.result);
        wanted += exact.len();
        found += exact.iter().filter(|id| quick.contains(id)).count();
    }
    Ok(found as f64 / wanted as f64)
}

/// Waits until nothing is left to index; false if that takes too long.
async fn indexed(client: &Qdrant, points: u64, wait: Duration) -> Result<bool, QdrantError> {
    let started = Instant::now();
    loop {
        let info = client.collection_info(NAME).await?.result.unwrap_or_default();
        // Sparse vectors always have an index and count, too.
        if info.indexed_vectors_count.unwrap_or_default() >= 2 * points {
            return Ok(true);
        }
        if started.elapsed() > wait {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn connect(url: &str) -> Result<Qdrant, QdrantError> {
    Qdrant::from_url(url)
        .skip_compatibility_check()
        .timeout(Duration::from_secs(120))
        .build()
}

/// Processor seconds of the server, if it is ours.
fn cpu(server: Option<&Server>) -> Option<f64> {
    server.map(Server::cpu_seconds)
}

async fn searches(
    client: &Qdrant,
    arguments: &Arguments,
    server: Option<&Server>,
    figures: &mut Figures,
) -> Result<(), QdrantError> {
    let ask_hybrid = |seed| hybrid(seed, Compare::Index);
    let ask_dense = |seed| nearest(seed, Compare::Index);
    figures.quantiles("hybrid query before the index", times(client, ask_hybrid).await?);
    figures.quantiles("dense query before the index", times(client, ask_dense).await?);
    let waiting = Instant::now();
    let wait = Duration::from_secs(arguments.index_wait);
    if indexed(client, arguments.points, wait).await? {
        figures.tell("index complete after", waiting.elapsed().as_secs_f64(), "s");
    }
    let used = cpu(server);
    figures.quantiles("hybrid query", times(client, ask_hybrid).await?);
    if let Some(used) = cpu(server).zip(used).map(|(now, then)| now - then) {
        let share = used / (WARM_UP + QUERIES) as f64;
        figures.tell("hybrid query, the server's processor time", share * 1e3, "ms");
    }
    figures.quantiles("dense query", times(client, ask_dense).await?);
    figures.tell("recall@10, hybrid", recall(client, hybrid).await?, "");
    figures.tell("recall@10, dense", recall(client, nearest).await?, "");
    Ok(())
}

/// Searches while one client upserts without a pause.
async fn amid_upserts(url: &str, arguments: &Arguments, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let client = connect(url)?;
    let (mut first, batch) = (arguments.points, arguments.batch);
    let writer = tokio::spawn({
        let client = connect(url)?;
        async move {
            while upsert(&client, points(first..first + batch)).await.is_ok() {
                first += batch;
            }
        }
    });
    let (before, started) = (count(&client).await?, Instant::now());
    let measured = times(&client, |seed| hybrid(seed, Compare::Index)).await?;
    let (after, seconds) = (count(&client).await?, started.elapsed().as_secs_f64());
    writer.abort();
    figures.quantiles("hybrid query while upserts go on", measured);
    figures.tell(
        "upserts meanwhile",
        after.saturating_sub(before) as f64 / seconds,
        "points/s",
    );
    Ok(())
}

async fn count(client: &Qdrant) -> Result<u64, QdrantError> {
    let request = qdrant_client::qdrant::CountPointsBuilder::new(NAME).exact(true);
    Ok(client.count(request).await?.result.unwrap_or_default().count)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut figures = Figures {
        json: arguments.json,
        rows: serde_json::Map::new(),
    };
    let scratch = tempfile::tempdir()?;
    let folder = arguments.keep.as_deref().unwrap_or(scratch.path());
    std::fs::create_dir_all(folder)?;
    let start = || Server::start(folder, arguments.qdrant.as_deref());
    let server = if arguments.url.is_some() {
        None
    } else {
        Some(start()?)
    };
    let url = match (&arguments.url, &server) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => server.url(),
        (None, None) => return Err("no server".into()),
    };
    let client = connect(&url)?;
    if arguments.keep.is_some() && client.collection_exists(NAME).await? {
        // The files are read into memory.
        times(&client, |seed| hybrid(seed, Compare::Index)).await?;
        amid_upserts(&url, &arguments, &mut figures).await?;
        return figures.end();
    }
    for batch in &arguments.batches {
        make(&client, &arguments).await?;
        let rate = rate(
            &url,
            TRIAL_POINTS.min(arguments.points),
            arguments.writers,
            *batch,
        )
        .await?;
        figures.tell(&format!("upsert, batches of {batch}"), rate, "points/s");
    }
    make(&client, &arguments).await?;
    let used = cpu(server.as_ref());
    let rate = rate(&url, arguments.points, arguments.writers, arguments.batch).await?;
    figures.tell("upsert", rate, "points/s");
    if let Some(used) = cpu(server.as_ref()).zip(used).map(|(now, then)| now - then) {
        let share = used / arguments.points as f64;
        figures.tell("upsert, the server's processor time", share * 1e6, "µs/point");
    }

    if !arguments.upserts_only {
        searches(&client, &arguments, server.as_ref(), &mut figures).await?;
        if let Some(server) = &server {
            tokio::time::sleep(SETTLE).await;
            let vectors = (arguments.points * DIMENSIONS as u64 * 4) as f64 / 1024.0 / 1024.0;
            let (all, own) = server.memory();
            figures.tell("idle memory", all, "MiB");
            figures.tell("idle memory without mapped files", own, "MiB");
            figures.tell("size of the dense vectors", vectors, "MiB");
        }
        if arguments.keep.is_none() {
            amid_upserts(&url, &arguments, &mut figures).await?;
        }
    }
    drop(client);
    if let Some(server) = server
        && !arguments.upserts_only
    {
        server.end(Signal::SIGTERM)?;
        let server = start()?;
        figures.tell("ready after a stop", server.ready.as_secs_f64(), "s");
        let (all, own) = server.memory();
        figures.tell("memory after a start", all, "MiB");
        figures.tell("memory after a start without mapped files", own, "MiB");
        server.end(Signal::SIGKILL)?;
        let server = start()?;
        figures.tell("ready after kill -9", server.ready.as_secs_f64(), "s");
        server.end(Signal::SIGTERM)?;
    }
    figures.end()
}
