//! Measures durable steps: what the disk allows, what one workflow and many get
//! of it, how late streamed text is, and how much room a history takes. Also
//! makes data folders of many unfinished workflows for `cargo xtask bench`.
//!
//! Prints one JSON object. `durable measure DIR`, `durable size DIR` or `durable
//! fill DIR WORKSPACE COUNT running|asked`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program for measuring: it prints, stops at the first error and looks at the clock"
)]

mod run;
mod streams;

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use journal::sqlite::{Journal, Options};
use run::Run;
use tokio::task::JoinSet;

/// How long each number is measured.
const WHILE: Duration = Duration::from_secs(4);

/// Workflows at once.
const MANY: u64 = 64;

/// Workflows whose room is measured together.
const SIZED: u64 = 20;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["measure", dir] => measure(Path::new(dir)).await,
        ["size", dir] => println!("{{{}}}", sizes(Path::new(dir)).await),
        ["fill", dir, workspace, count, until @ ("running" | "asked")] => {
            fill(
                Path::new(dir),
                workspace,
                count.parse().unwrap(),
                until == "asked",
            )
            .await;
        }
        _ => {
            panic!("durable measure DIR | durable size DIR | durable fill DIR WORKSPACE COUNT running|asked")
        }
    }
}

async fn measure(dir: &Path) {
    let syncs = syncs_per_second(dir);
    let journal = open(&dir.join("steps"));
    let one = steps_per_second(&journal, 1).await;
    let many = steps_per_second(&journal, MANY).await;
    let again = syncs_per_second(dir);
    let streams = streams::measure(&open(&dir.join("streams"))).await;
    let sizes = sizes(dir).await;
    println!(
        "{{\"syncs_per_s\": {:.1}, \"steps_per_s_1\": {one:.1}, \"steps_per_s_{MANY}\": {many:.1}, \
         \"events_per_s\": {:.0}, \"latency_p50_ms\": {:.2}, \"latency_p99_ms\": {:.2}, {sizes}}}",
        (syncs + again) / 2.0,
        streams.per_second,
        streams.p50_ms,
        streams.p99_ms,
    );
}

/// Room of a history, by the tokens of a piece of its text.
async fn sizes(dir: &Path) -> String {
    let mut sizes = Vec::new();
    for (name, piece) in [("history_kib", 5), ("history_2_kib", 2), ("history_1_kib", 1)] {
        let bytes = bytes_of_a_history(&dir.join(name), piece).await;
        sizes.push(format!("\"{name}\": {:.1}", bytes / 1024.0));
    }
    sizes.join(", ")
}

fn open(dir: &Path) -> Arc<Journal> {
    Arc::new(Options::new(dir).open().unwrap())
}

/// What the disk allows: pages written in place, each synced.
fn syncs_per_second(dir: &Path) -> f64 {
    const PAGES: u64 = 512;
    std::fs::create_dir_all(dir).unwrap();
    let file = File::create(dir.join("syncs")).unwrap();
    let page = [7_u8; 4096];
    for place in 0..PAGES {
        file.write_all_at(&page, place * 4096).unwrap();
    }
    file.sync_all().unwrap();
    let (begin, mut count) = (Instant::now(), 0_u64);
    while begin.elapsed() < WHILE / 2 {
        file.write_all_at(&page, count % PAGES * 4096).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    count as f64 / begin.elapsed().as_secs_f64()
}

/// Each workflow does one durable step after another.
async fn steps_per_second(journal: &Arc<Journal>, workflows: u64) -> f64 {
    let begin = Instant::now();
    let mut runs = JoinSet::new();
    for number in 0..workflows {
        let mut run = Run::begin(journal.clone(), &format!("steps-{workflows}-{number}"), "/w").await;
        runs.spawn(async move {
            let mut count = 0_u64;
            while begin.elapsed() < WHILE {
                run.step().await;
                count += 1;
            }
            count
        });
    }
    let mut count = 0;
    while let Some(done) = runs.join_next().await {
        count += done.unwrap();
    }
    count as f64 / begin.elapsed().as_secs_f64()
}

/// Bytes on the disk of a workflow whose model wrote 2 000 tokens in pieces of so
/// many.
async fn bytes_of_a_history(dir: &Path, piece: u64) -> f64 {
    let size = |dir: &Path| std::fs::metadata(dir.join("journal.db")).unwrap().len() as f64;
    drop(open(dir));
    let empty = size(dir);
    let journal = open(dir);
    for number in 0..SIZED {
        let mut run = Run::begin(journal.clone(), &format!("size-{number}"), "/w").await;
        run.write(2_000, piece).await;
        run.step().await;
    }
    // Closing copies the log into the database.
    drop(journal);
    (size(dir) - empty) / SIZED as f64
}

/// Unfinished workflows: in the middle of their first stage, or with a proposal
/// that a person is asked about.
async fn fill(dir: &Path, workspace: &str, count: u64, is_asked: bool) {
    let journal = open(dir);
    let mut runs = JoinSet::new();
    for number in 0..count {
        let (journal, workspace) = (journal.clone(), workspace.to_owned());
        runs.spawn(async move {
            let mut run = Run::begin(journal, &format!("fill-{number}"), &workspace).await;
            if is_asked {
                run.reach_review().await;
            }
        });
    }
    runs.join_all().await;
    println!("{{\"workflows\": {count}}}");
}
