//! `cargo xtask sim`: builds the simulation of the workflow engine and runs it.

use anyhow::bail;
use clap::Args;

use crate::{cargo, paths::Paths};

/// Options of the simulation.
#[derive(Debug, Args)]
pub struct Options {
    /// How many lives.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The seed of the first.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // Optimised: a debug build takes ten times as long.
    let mut cargo = cargo::run_release(&Paths::find(), "simulation");
    cargo.args(["--seeds", &options.seeds.to_string()]);
    cargo.args(["--seed", &options.seed.to_string()]);
    if !cargo.status()?.success() {
        bail!("the simulation found something; its message is above");
    }
    Ok(())
}
