//! The measuring itself: arguments in, a table or JSON out.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use retrieval::store::MemoryStore;
use retrieval::{Change, Models, Request, Reranking, Retrieved, Service, Session, Stores};
use retrieval::{pack, queries};

use crate::options::{self, Options};
use crate::set::{self, Entry, Query};
use crate::show::{self, Row};
use crate::sweep::{self, Swept};
use crate::{checkout, compare, make, models, score};

type Failure = Box<dyn std::error::Error>;

pub fn run(args: impl Iterator<Item = String>) -> Result<(), Failure> {
    let options = options::parse(args)?;
    if let Some(wanted) = options.make {
        return make::run(&options.repos, &options.set, wanted);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(all(&options))
}

async fn all(options: &Options) -> Result<(), Failure> {
    let models = models::load(options)?;
    let (mut rows, mut swept) = (Vec::new(), Vec::new());
    let is_asked =
        |name: &str| options.only.is_empty() || options.only.iter().any(|only| name.contains(only));
    for entry in set::repositories(&options.set)? {
        if is_asked(&entry.name) {
            eprintln!("measuring {}", entry.name);
            let tree = checkout::snapshot(&options.repos, &entry.name, &entry.snapshot)?;
            let mut bench = Bench::open(tree.path(), &models, options.database.as_deref()).await?;
            match &options.sweep {
                Some((signal, weights)) => {
                    let mut ndcg = Vec::new();
                    for weight in weights {
                        let mut options = options.clone();
                        options.profile.files.weights.set(*signal, *weight);
                        let row = bench.ask_all(&options, &entry).await?;
                        ndcg.push(score::mean(&row.scores)[0]);
                    }
                    swept.push(Swept {
                        name: entry.name.clone(),
                        ndcg,
                    });
                }
                None => rows.push(bench.ask_all(options, &entry).await?),
            }
            // A database is left as it was found.
            bench.service.forget(tree.path()).await?;
        }
    }
    if let Some((_, weights)) = &options.sweep {
        sweep::table(weights, &swept);
        return Ok(());
    }
    if rows.is_empty() {
        return Err("the set names no such repository".into());
    }
    if options.json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        show::table(&rows);
    }
    if let Some(path) = &options.baseline {
        let now = rows
            .iter()
            .map(|row| (row.name.clone(), row.scores.clone()))
            .collect();
        compare::table(&now, &compare::read(path)?);
    }
    Ok(())
}

/// A repository that is open, and what opening it took.
struct Bench {
    service: Service,
    session: Session,
    /// Points in the vector database.
    vectors: usize,
    dimension: usize,
    index_wall: Duration,
    index_cpu: Duration,
    index_memory: u64,
    embed_wall: Duration,
}

/// The service as the backend has it, over a vector database or over one in
/// memory, which compares with every vector.
fn service(models: &Models, database: Option<&str>) -> Result<Service, Failure> {
    let mut options = retrieval::Options {
        embed_wait_max: Duration::from_secs(24 * 3600),
        ..retrieval::Options::default()
    };
    if let Some(url) = database {
        url.clone_into(&mut options.qdrant_url);
        return Ok(Service::new(options, models.clone())?);
    }
    let (functions, files) = (Arc::new(MemoryStore::default()), Arc::new(MemoryStore::default()));
    let stores = Stores {
        hybrid: functions.clone(),
        files,
        keyword: functions,
    };
    Ok(Service::over(options, models.clone(), stores))
}

impl Bench {
    async fn open(root: &Path, models: &Models, database: Option<&str>) -> Result<Self, Failure> {
        let service = service(models, database)?;
        let (wall, cpu, memory) = (Instant::now(), cpu(), resident());
        // Watched, as the backend has it: no question looks at the files first.
        service.catch_up(root, Change::everything()).await?;
        let (index_wall, index_cpu) = (wall.elapsed(), cpu_since(cpu));
        let index_memory = resident().saturating_sub(memory);
        let embed = Instant::now();
        let mut vectors = 0;
        if let Some(report) = service.embed(root, |_| {}).await? {
            vectors = report.chunks_written + report.files_indexed;
            for notice in report.notices {
                eprintln!("{}: {}", notice.code, notice.message);
            }
        }
        let embed_wall = embed.elapsed();
        Ok(Self {
            session: service.open(root).await?,
            service,
            vectors,
            dimension: models
                .embedder
                .as_ref()
                .map_or(0, |model| model.identity().dimension),
            index_wall,
            index_cpu,
            index_memory,
            embed_wall,
        })
    }

    async fn ask_all(&mut self, options: &Options, entry: &Entry) -> Result<Row, Failure> {
        let size = self.session.size();
        let mut row = Row {
            name: entry.name.clone(),
            files: size.files,
            bytes: size.bytes,
            parts: size.parts,
            commits: size.commits,
            scores: Vec::new(),
            index_wall: self.index_wall,
            index_cpu: self.index_cpu,
            index_memory: self.index_memory,
            embed_wall: self.embed_wall,
            vectors: self.vectors,
            vector_bytes: self.vectors * self.dimension * size_of::<f32>(),
            query: Vec::new(),
            stages: Vec::new(),
            reranked: Vec::new(),
        };
        for (number, query) in entry.queries.iter().enumerate().step_by(options.every) {
            let mut request = Request {
                profile: options.profile.clone(),
                ..Request::new(if options.noscope {
                    &query.noscope
                } else {
                    &query.text
                })
            };
            if options.src {
                request.profile.files.top *= 4;
            }
            let started = Instant::now();
            let mut found = self.session.search(&request).await?;
            if options.rules {
                self.by_rule(&request, &mut found).await?;
            }
            row.query.push(started.elapsed());
            let is_wanted = |path: &&str| !options.src || score::is_source(path);
            let ranked = order(&found);
            let ranked: Vec<&str> = ranked.into_iter().filter(is_wanted).take(50).collect();
            let shown: Vec<&str> = found.items.iter().map(|item| item.path.as_str()).collect();
            row.scores.push(score::of(&ranked, &shown, &query.gold));
            row.reranked.push(match found.reranking {
                Reranking::Off | Reranking::NoModel => 0,
                Reranking::Done { reranked, .. } => reranked,
            });
            row.stages.push(found.times);
            if let Some(path) = &options.dump {
                self.dump(path, &request, (entry, number, query)).await?;
            }
        }
        Ok(row)
    }

    /// Asks what the rules add to the request and joins the answers, as the
    /// backend does.
    async fn by_rule(&mut self, request: &Request, found: &mut Retrieved) -> Result<(), Failure> {
        let asked = queries::by_rule(&request.query);
        let mut answers = vec![std::mem::take(&mut found.ranked)];
        for query in asked.iter().skip(1) {
            let request = Request {
                query: query.text.clone(),
                ..request.clone()
            };
            answers.push(self.session.search(&request).await?.ranked);
        }
        let merged = queries::merge(&asked, answers);
        found.ranked = merged.into_iter().map(|merged| merged.item).collect();
        found.items = pack::pack(&found.ranked, retrieval::Options::default().context_tokens).items;
        Ok(())
    }

    /// Appends the signals of every file for a query.
    async fn dump(
        &mut self,
        path: &Path,
        request: &Request,
        (entry, number, query): (&Entry, usize, &Query),
    ) -> Result<(), Failure> {
        let mut out = String::new();
        for (path, class, values) in self.session.signals(request).await {
            let label = u8::from(query.gold.contains(&path));
            let values: Vec<String> = values.iter().map(|value| format!("{value:.4}")).collect();
            out.push_str(&format!(
                "{}\t{number}\t{}\t{label}\t{}\t{}\t{path}\n",
                entry.name,
                query.gold.len(),
                class.as_str(),
                values.join("\t")
            ));
        }
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(file.write_all(out.as_bytes())?)
    }
}

/// The files in the order of their results, then those without one. Where
/// nothing is reranked this is the order of the first phase.
fn order(found: &Retrieved) -> Vec<&str> {
    let mut order: Vec<&str> = Vec::new();
    let results = found.ranked.iter().map(|item| item.path.as_str());
    for path in results.chain(found.files.iter().map(String::as_str)) {
        if !order.contains(&path) {
            order.push(path);
        }
    }
    order
}

/// CPU time of this process and of the programs that it waited for, where the
/// system tells (Linux); zero elsewhere.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    // utime, stime, cutime and cstime in ticks of 10 ms.
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

fn cpu_since(start: Duration) -> Duration {
    cpu().saturating_sub(start)
}

/// Memory of this process, bytes, where the system tells (Linux).
fn resident() -> u64 {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * PAGE
}
