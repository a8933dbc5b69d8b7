//! How long the start of a sandbox takes: `true` in it, many times, and each promise.
//!
//! `cargo run -p sandbox --example start -- HELPER [RUNS [IMAGE [docker]]]`; with an image, of
//! Podman or Docker, and for Python.

use std::{env, process::ExitCode, time::Duration};

use sandbox::{Choice, Ending, Job, Language, Options, Sandbox, Stop};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]
fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let Some(helper) = words.next() else {
        eprintln!("usage: start HELPER [RUNS [IMAGE [docker]]]");
        return ExitCode::FAILURE;
    };
    let runs: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or(50);
    let mut options = Options::new(helper);
    let mut job = Job::new("true");
    if let Some(image) = words.next() {
        options.engine = if words.next().is_some() {
            Choice::Docker
        } else {
            Choice::Podman
        };
        options.image = image;
        job = Job::new("python3");
        job.args = vec!["-c".into(), "import pytest".into()];
        job.language = Language::Python;
    }
    let sandbox = match Sandbox::detect(&options) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", sandbox.kind());
    for guarantee in sandbox.guarantees() {
        println!("  {}: {:?}", guarantee.promise, guarantee.held);
    }
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..runs {
        match sandbox.run(&job, &mut |_, _| {}, &Stop::default()) {
            Ok(ended) if ended.ending == Ending::Exited(0) => times.push(ended.duration),
            other => {
                eprintln!("{other:?}");
                return ExitCode::FAILURE;
            }
        }
    }
    times.sort();
    let at = |percent: usize| times.get((times.len().max(1) - 1) * percent / 100);
    println!(
        "{runs} starts: p50 {:?}, p99 {:?}, worst {:?}",
        at(50),
        at(99),
        at(100)
    );
    ExitCode::SUCCESS
}
