//! The measuring itself: arguments in, a table or JSON out.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use retrieval::Item;
use retrieval::corpus::Corpus;
use retrieval::corpus::rank::Weights;
use retrieval::corpus::signals::Signal;
use retrieval::history::History;
use retrieval::search::Question;
use retrieval::{pack, walk};
use serde_json::{Value, json};

use crate::checkout;
use crate::score::{self, Score};

/// The variants of a query and of the files that count.
#[derive(Debug, Clone, Default)]
struct Options {
    set: PathBuf,
    repos: PathBuf,
    json: bool,
    noscope: bool,
    src: bool,
    without: Vec<Signal>,
    every: usize,
    only: String,
    dump: Option<PathBuf>,
}

type Failure = Box<dyn std::error::Error>;

pub fn run(args: impl Iterator<Item = String>) -> Result<(), Failure> {
    let options = parse(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for entry in repositories(&options.set)? {
        if entry.name.contains(&options.only) {
            eprintln!("measuring {}", entry.name);
            rows.push(repository(&options, &entry, &runtime)?);
        }
    }
    if rows.is_empty() {
        return Err("the set names no repository".into());
    }
    if options.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        table(&rows);
    }
    Ok(())
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        every: 1,
        ..Options::default()
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--set" => options.set = value()?.into(),
            "--repos" => options.repos = value()?.into(),
            "--json" => options.json = true,
            "--noscope" => options.noscope = true,
            "--src" => options.src = true,
            "--every" => options.every = value()?.parse::<usize>()?.max(1),
            "--only" => options.only = value()?,
            "--dump" => options.dump = Some(value()?.into()),
            "--without" => {
                for name in value()?.split(',') {
                    options.without.extend(signals(name)?);
                }
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    if options.set.as_os_str().is_empty() || options.repos.as_os_str().is_empty() {
        return Err("--set and --repos are needed".into());
    }
    Ok(options)
}

fn signals(name: &str) -> Result<Vec<Signal>, Failure> {
    if name == "history" {
        return Ok(vec![Signal::Messages, Signal::Similar, Signal::Activity]);
    }
    let known = Signal::ALL.iter().copied().find(|signal| signal.as_str() == name);
    known.map(|signal| vec![signal]).ok_or_else(|| {
        let names: Vec<&str> = Signal::ALL.iter().map(|signal| signal.as_str()).collect();
        format!("--without knows history, {}", names.join(", ")).into()
    })
}

/// A repository of the set.
struct Entry {
    name: String,
    snapshot: String,
    queries: Vec<Query>,
}

struct Query {
    text: String,
    noscope: String,
    gold: Vec<String>,
}

fn repositories(set: &Path) -> Result<Vec<Entry>, Failure> {
    let meta: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(set.join("meta.json"))?)?;
    let mut entries = Vec::new();
    for (name, about) in meta {
        let snapshot = text(&about, "snapshot")?;
        let lines = std::fs::read_to_string(set.join(format!("{}.jsonl", name.replace('+', "__"))))?;
        let mut queries = Vec::new();
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line)?;
            let gold = line["gold"].as_array().into_iter().flatten();
            queries.push(Query {
                text: text(&line, "query")?,
                noscope: text(&line, "query_noscope")?,
                gold: gold.filter_map(|path| path.as_str().map(str::to_owned)).collect(),
            });
        }
        entries.push(Entry {
            name,
            snapshot,
            queries,
        });
    }
    Ok(entries)
}

fn text(value: &Value, key: &str) -> Result<String, Failure> {
    Ok(value[key]
        .as_str()
        .ok_or(format!("no {key} in the set"))?
        .to_owned())
}

/// What was measured of a repository.
struct Row {
    name: String,
    files: usize,
    bytes: u64,
    parts: usize,
    commits: usize,
    score: Score,
    index_wall: Duration,
    index_cpu: Duration,
    history_wall: Duration,
    query: Vec<Duration>,
}

fn repository(options: &Options, entry: &Entry, runtime: &tokio::runtime::Runtime) -> Result<Row, Failure> {
    let tree = checkout::snapshot(&options.repos, &entry.name, &entry.snapshot)?;
    let root = walk::canonical_root(tree.path())?;
    let (wall, cpu) = (Instant::now(), cpu());
    let scan = walk::scan(&root);
    let mut corpus = Corpus::default();
    corpus.update(&root, &scan);
    let before_history = Instant::now();
    let mut history = History::default();
    runtime.block_on(history.update(&root));
    corpus.join(&history, true);
    let mut row = Row {
        name: entry.name.clone(),
        files: corpus.files(),
        bytes: scan.bytes,
        parts: corpus.parts(),
        commits: history.commits(),
        score: Score::default(),
        index_wall: wall.elapsed(),
        index_cpu: cpu_since(cpu),
        history_wall: before_history.elapsed(),
        query: Vec::new(),
    };
    let weights = Weights::default().without(&options.without);
    let mut dump = match &options.dump {
        Some(path) => Some(std::fs::OpenOptions::new().create(true).append(true).open(path)?),
        None => None,
    };
    for (number, query) in entry.queries.iter().enumerate().step_by(options.every) {
        let text = if options.noscope {
            &query.noscope
        } else {
            &query.text
        };
        let started = Instant::now();
        let question = Question::new(text);
        let limit = if options.src { 200 } else { 50 };
        let ranking = corpus.ask(&question, &[], &weights, limit);
        row.query.push(started.elapsed());
        let items: Vec<Item> = corpus.items(&root, &ranking.parts);
        let packed = pack::pack(&items, 2_500);
        let is_source = |path: &str| !options.src || score::is_source(path);
        let ranked: Vec<&str> = ranking
            .files
            .iter()
            .map(|file| file.path.as_str())
            .filter(|path| is_source(path))
            .take(50)
            .collect();
        let shown: Vec<&str> = packed.items.iter().map(|item| item.path.as_str()).collect();
        row.score.add(&ranked, &shown, &query.gold);
        if let Some(dump) = &mut dump {
            let mut out = String::new();
            for (path, class, values) in corpus.signals(&question) {
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
            dump.write_all(out.as_bytes())?;
        }
    }
    Ok(row)
}

impl Row {
    fn json(&self) -> Value {
        let [ndcg, mrr, r5, r10, r50, packed] = self.score.means();
        json!({
            "repository": self.name, "files": self.files, "bytes": self.bytes, "parts": self.parts, "commits": self.commits,
            "ndcg_10": ndcg, "mrr_10": mrr, "recall_5": r5, "recall_10": r10, "recall_50": r50, "packed": packed,
            "index_wall_ms": ms(self.index_wall), "index_cpu_ms": ms(self.index_cpu), "history_wall_ms": ms(self.history_wall),
            "query_p50_ms": ms(percentile(&self.query, 50)), "query_p99_ms": ms(percentile(&self.query, 99)),
        })
    }
}

fn table(rows: &[Row]) {
    println!(
        "| repository | files | nDCG@10 | MRR@10 | recall@5 | recall@10 | recall@50 | packed | index CPU ms | wall ms | of it history | query p50 ms | p99 ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut sums = [0.0; 6];
    for row in rows {
        let means = row.score.means();
        for (sum, mean) in sums.iter_mut().zip(means) {
            *sum += mean;
        }
        println!(
            "| {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} |",
            row.name.replace('+', "/"),
            row.files,
            numbers(&means),
            ms(row.index_cpu),
            ms(row.index_wall),
            ms(row.history_wall),
            ms(percentile(&row.query, 50)),
            ms(percentile(&row.query, 99)),
        );
    }
    let count = f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    println!(
        "| **mean** | | {} | | | | | |",
        numbers(&sums.map(|sum| sum / count))
    );
}

fn numbers(means: &[f64]) -> String {
    let texts: Vec<String> = means.iter().map(|mean| format!("{mean:.3}")).collect();
    texts.join(" | ")
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn percentile(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
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
