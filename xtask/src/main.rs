//! The commands of this repository, `cargo xtask …`: the demo, the tests as CI
//! runs them, and the benchmark.
//!
//! Owns how the programs are built, started and stopped for a person who has
//! just cloned the repository. It must never know how the programs work inside:
//! it sees their command lines, their files and their REST interface.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what a person runs it for"
)]

mod bench;
mod cargo;
mod clock;
mod crash;
mod crew;
mod demo;
mod display;
mod eval;
mod http;
mod needs;
mod paths;
mod say;
mod screenshots;
mod sim;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The commands of this repository", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds and starts the three programs and runs one request to its commit.
    Demo(demo::Options),
    /// Installs what the tests need and runs all of them.
    Test(test::Options),
    /// What CI runs: the whole of `test`.
    Ci,
    /// Kills the programs at every durable step and at random moments.
    Crash(crash::Options),
    /// Lives seeded lives of workflows in which everything goes wrong.
    Sim(sim::Options),
    /// Measures the programs and prints a table.
    Bench(bench::Options),
    /// Measures the code search on real commits and prints a table.
    Eval(Box<eval::Options>),
    /// Takes the pictures of the window in the documents.
    Screenshots(screenshots::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Ci => test::run(&test::Options::default()),
        Command::Crash(options) => crash::run(&options),
        Command::Sim(options) => sim::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Eval(options) => eval::run(&options),
        Command::Screenshots(options) => screenshots::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes, without a backtrace: what fails here is a
            // machine or another program, hardly ever this one.
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
