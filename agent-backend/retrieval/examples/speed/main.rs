//! Measures the keyword index on a tree: `speed DIR [QUERIES.jsonl …]`.
//!
//! DIR is copied, so that a file of it can be changed. Prints what a cold index
//! costs, a look at a tree that has not changed, one changed and one new file
//! until they can be found, questions, and the memory that is held.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "its output, times among it, is what it is run for"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use retrieval::corpus::Corpus;
use retrieval::corpus::rank::Weights;
use retrieval::history::History;
use retrieval::search::Question;
use retrieval::walk;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args_os().skip(1);
    let source = PathBuf::from(args.next().ok_or("usage: speed DIR [QUERIES.jsonl …]")?);
    let copy = tempfile::tempdir()?;
    copy_tree(&source, copy.path())?;
    let root = walk::canonical_root(copy.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    let before = memory_kb();
    let mut corpus = Corpus::default();
    let (update, cold) = measured(|| corpus.refresh(&root));
    let scan = corpus.scan();
    let megabytes = float(scan.bytes) / 1e6;
    println!(
        "{} files, {megabytes:.1} MB, {} parts; left out {:?}",
        scan.files.len(),
        corpus.parts(),
        scan.skipped
    );
    println!(
        "cold index: {cold}; {:.0} files/s and {:.1} MB/s per core; {} texts parsed, {} given up",
        float(u64::try_from(scan.files.len())?) / cold.cpu.as_secs_f64(),
        megabytes / cold.cpu.as_secs_f64(),
        update.parsed,
        update.unparsed
    );
    let mut history = History::default();
    let (_, read) = measured(|| runtime.block_on(history.update(&root)));
    println!("history of {} commits: {read}", history.commits());
    let (_, joined) = measured(|| corpus.join(&history, true));
    println!("joined with it: {joined}");
    println!("memory: {} MB more than before", (memory_kb() - before) / 1024);

    let (_, look) = measured(|| corpus.refresh(&root));
    println!("a look, every file read: {look}");
    std::thread::sleep(Duration::from_secs(4));
    corpus.refresh(&root);
    let (update, look) = measured(|| corpus.refresh(&root));
    println!("a look, {} files read: {look}", update.read);

    let paths: Vec<&str> = scan.files.iter().map(|file| file.path.as_str()).collect();
    let mut changes = Vec::new();
    let mut additions = Vec::new();
    for (round, letter) in ('a'..='z').enumerate() {
        let path = paths[paths.len() * round / 26];
        let word = format!("zebra{letter}quagga");
        let mut bytes = std::fs::read(root.join(path))?;
        bytes.extend_from_slice(format!("\n{word}\n").as_bytes());
        std::fs::write(root.join(path), bytes)?;
        changes.push(found(&mut corpus, &history, &root, path, &word)?);
        let (path, word) = (format!("{path}.new.py"), format!("giraffe{letter}okapi"));
        std::fs::write(root.join(&path), format!("{word} = 1\n"))?;
        additions.push(found(&mut corpus, &history, &root, &path, &word)?);
    }
    println!("a changed file until it is found: {}", spread(&mut changes));
    println!("a new file until it is found: {}", spread(&mut additions));

    let mut asked = Vec::new();
    for file in args {
        for line in std::fs::read_to_string(file)?.lines() {
            let line: serde_json::Value = serde_json::from_str(line)?;
            let text = line["query"].as_str().unwrap_or_default().to_owned();
            let started = Instant::now();
            let question = Question::new(&text);
            std::hint::black_box(corpus.ask(&question, &[], &Weights::default(), 50));
            asked.push(started.elapsed());
        }
    }
    println!("{} questions: {}", asked.len(), spread(&mut asked));
    let (differences, _) = measured(|| corpus.check(&root));
    println!("differences to a fresh index: {}", differences.len());
    Ok(())
}

/// How long it takes until a question finds the file.
fn found(
    corpus: &mut Corpus,
    history: &History,
    root: &Path,
    path: &str,
    word: &str,
) -> Result<Duration, Failure> {
    let started = Instant::now();
    corpus.refresh_paths(root, &[path.into()]);
    corpus.join(history, false);
    let ranking = corpus.ask(&Question::new(word), &[], &Weights::default(), 1);
    match ranking.files.first() {
        Some(file) if file.path == path => Ok(started.elapsed()),
        _ => Err(format!("{path} was not found").into()),
    }
}

struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ms of CPU, {} ms wall",
            self.cpu.as_millis(),
            self.wall.as_millis()
        )
    }
}

fn measured<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (wall, before) = (Instant::now(), cpu());
    let result = work();
    let cost = Cost {
        wall: wall.elapsed(),
        cpu: cpu().saturating_sub(before),
    };
    (result, cost)
}

fn spread(samples: &mut [Duration]) -> String {
    samples.sort();
    let at = |percent: usize| {
        let at = (samples.len() * percent).div_ceil(100).saturating_sub(1);
        samples.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        at(50),
        at(99),
        at(100)
    )
}

/// CPU time of this process and of the programs that it waited for (Linux).
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = fields.split(' ').skip(11).take(4);
    Duration::from_millis(ticks.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// Memory of this process that is in use (Linux).
fn memory_kb() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            std::fs::create_dir(&target)?;
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}
