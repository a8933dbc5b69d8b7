//! `cargo xtask sim`: lives as many lives as it is told to.

#![allow(clippy::print_stdout, reason = "its output is what a person runs it for")]

use std::process::ExitCode;

use clap::Parser;
use simulation::{Real, live};

/// Lives lives in which everything goes wrong, and says which seeds broke what.
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first; one seed alone prints its trace.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (mut failed, mut events, mut deaths) = (Vec::new(), 0, 0_u64);
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        match live(&Real, seed) {
            Ok(trace) => {
                events += trace.events;
                deaths += u64::from(trace.deaths);
                if args.seeds == 1 {
                    println!("seed {seed}: {}", trace.hash);
                }
            }
            Err(broken) => {
                println!("seed {seed}: {broken}");
                failed.push(seed);
            }
        }
    }
    println!(
        "{} seeds, {events} events, {deaths} deaths, {} failed",
        args.seeds,
        failed.len()
    );
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("keep them: add them to agent-backend/simulation/tests/seeds.txt");
    ExitCode::FAILURE
}
