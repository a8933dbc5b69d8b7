//! Speed of a model in each runtime, beside onnxruntime in Python:
//!
//! ```text
//! cargo run --release -p inference --example bench -- \
//!     --model DIR [--library VENV] [--int8 FILE] [--reranker DIR] [--threads N]
//! ```
//!
//! With `--library` of a Python environment that has `onnxruntime`, `numpy` and
//! `tokenizers`, the reference runs on the same texts in between.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that prints what a clock says"
)]

use std::{
    io::Write as _,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser;
use inference::{Embedder, Model, Options, Places, Reranker, Runtime};

/// Texts of one measurement.
const TEXTS: usize = 96;
/// Questions of one measurement.
const QUESTIONS: usize = 30;
/// Measurements; the best counts, because others use the machine too.
const ROUNDS: usize = 3;
/// Candidates of one reranking.
const PAIRS: usize = 20;
/// Tokens that a reranker reads of question and candidate together.
const PAIR_WINDOWS: [usize; 3] = [128, 96, 64];

#[derive(Debug, Parser)]
struct Arguments {
    /// The embedding model's folder.
    #[arg(long)]
    model: PathBuf,
    /// The ONNX Runtime library, or a folder that holds it.
    #[arg(long)]
    library: Option<PathBuf>,
    /// A quantised ONNX file below each model's folder.
    #[arg(long)]
    int8: Option<PathBuf>,
    /// The reranking model's folder.
    #[arg(long)]
    reranker: Option<PathBuf>,
    /// Threads of each runtime.
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    println!(
        "{TEXTS} texts of about 128 tokens, {} threads, best of {ROUNDS}",
        arguments.threads
    );
    println!("| | texts/s | one question, ms | cosine to the first |");
    println!("|---|---|---|---|");
    let mut first = None;
    let mut runs = vec![("onnx", Runtime::Onnx, None), ("native", Runtime::Native, None)];
    if let Some(file) = &arguments.int8 {
        runs.insert(1, ("onnx, int8", Runtime::Onnx, Some(file.clone())));
    }
    for (name, runtime, onnx_file) in &runs {
        let options = Options {
            onnx_file: onnx_file.clone(),
            ..options(&arguments, &arguments.model, *runtime)
        };
        let places = Places::new(|name| std::env::var_os(name));
        match Embedder::load(&options, &places) {
            Ok(embedder) => embed(name, &embedder, &mut first).await?,
            Err(error) => println!("| {name} | {error} | | |"),
        }
    }
    if let Some(environment) = arguments
        .library
        .as_deref()
        .filter(|path| path.join("bin/python").exists())
    {
        println!("| onnxruntime in Python | {} |", python(environment, &arguments)?);
    }
    let Some(folder) = &arguments.reranker else {
        return Ok(());
    };
    println!("\n| reranker | window | {PAIRS} pairs, ms | pairs/s |\n|---|---|---|---|");
    for (name, runtime, onnx_file) in &runs {
        for tokens_max in PAIR_WINDOWS {
            let options = Options {
                onnx_file: onnx_file.clone(),
                tokens_max: Some(tokens_max),
                ..options(&arguments, folder, *runtime)
            };
            let places = Places::new(|name| std::env::var_os(name));
            match Reranker::load(&options, &places) {
                Ok(reranker) => score(name, tokens_max, &reranker).await?,
                Err(error) => println!("| {name} | {tokens_max} | {error} | |"),
            }
        }
    }
    Ok(())
}

fn options(arguments: &Arguments, folder: &Path, runtime: Runtime) -> Options {
    Options {
        runtime,
        library: arguments.library.clone(),
        threads: arguments.threads,
        ..Options::new(Model::Folder(folder.to_owned()))
    }
}

/// Code-like texts of about 128 tokens, each another one.
fn texts(count: usize) -> Vec<String> {
    (0..count)
        .map(|text| {
            (0..12)
                .map(|line| format!("let value_{line} = find_user(id + {text}, &names)?;\n"))
                .collect()
        })
        .collect()
}

fn question(text: usize) -> String {
    format!("where is user {text} looked up by its name")
}

async fn embed(name: &str, embedder: &Embedder, first: &mut Option<Vec<Vec<f32>>>) -> anyhow::Result<()> {
    let (mut whole, mut vectors) = (Duration::MAX, Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        vectors = embedder.embed(texts(TEXTS)).await?.vectors;
        whole = whole.min(start.elapsed());
    }
    let mut single = Vec::new();
    for text in 0..QUESTIONS {
        let start = Instant::now();
        embedder.embed(vec![question(text)]).await?;
        single.push(start.elapsed());
    }
    single.sort();
    let reference = first.get_or_insert_with(|| vectors.clone());
    let cosines = vectors.iter().zip(reference.iter()).map(|(a, b)| cosine(a, b));
    println!(
        "| {name} | {:.1} | {:.1} | {:.4} |",
        TEXTS as f64 / whole.as_secs_f64(),
        single[QUESTIONS / 2].as_secs_f64() * 1000.0,
        cosines.sum::<f32>() / TEXTS as f32
    );
    Ok(())
}

fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

async fn score(name: &str, tokens_max: usize, reranker: &Reranker) -> anyhow::Result<()> {
    let mut whole = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        reranker.score(&question(1), texts(PAIRS)).await?;
        whole = whole.min(start.elapsed());
    }
    println!(
        "| {name} | {tokens_max} | {:.0} | {:.1} |",
        whole.as_secs_f64() * 1000.0,
        PAIRS as f64 / whole.as_secs_f64()
    );
    Ok(())
}

/// The reference's figures on the same texts.
fn python(environment: &Path, arguments: &Arguments) -> anyhow::Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/reference.py");
    let mut child = Command::new(environment.join("bin/python"))
        .arg(script)
        .arg("speed")
        .arg(&arguments.model)
        .arg(arguments.model.join("onnx/model.onnx"))
        .arg(arguments.threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let given = serde_json::json!({"texts": texts(TEXTS), "questions": (0..QUESTIONS).map(question).collect::<Vec<_>>(), "rounds": ROUNDS});
    child
        .stdin
        .take()
        .context("no pipe")?
        .write_all(given.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "the reference failed");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let figure = |name: &str| answer[name].as_f64().unwrap_or(f64::NAN);
    Ok(format!(
        "{:.1} | {:.1} | ",
        figure("texts_per_second"),
        figure("query_ms")
    ))
}
