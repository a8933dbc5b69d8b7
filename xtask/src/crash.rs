//! `cargo xtask crash`: kills the programs at every durable step and at random
//! moments, and looks whether the work ends as if nobody had died.

use std::process::Stdio;

use anyhow::bail;
use clap::Args;

use crate::{
    cargo::{self, Profile},
    paths::Paths,
};

/// The programs that die.
const PROGRAMS: &[&str] = &["agentic-ide-backend", "scripted-ollama", "agentic-ide-vectordb"];

/// Options of the crashes.
#[derive(Debug, Args)]
pub struct Options {
    /// Every pass of every crash point, and as many random kills as `--kills`
    /// says; without it what `cargo xtask test` does.
    #[arg(long)]
    long: bool,
    /// Random kills of each program in the long part.
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Where the random moments begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs them.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let paths = Paths::find();
    // Debug builds: others have no crash points.
    cargo::build(&paths, Profile::Debug, PROGRAMS)?;
    let mut test = cargo::command(&paths);
    test.args(["test", "--locked", "--workspace", "--test", "suite", "--"])
        .args(["crash::", "--nocapture", "--test-threads=1"])
        .env("AGENTIC_IDE_CRASH_KILLS", options.kills.to_string())
        .env("AGENTIC_IDE_CRASH_SEED", options.seed.to_string());
    if options.long {
        test.env("AGENTIC_IDE_CRASH_LONG", "1");
    }
    if !test.stdin(Stdio::null()).status()?.success() {
        bail!("not all of it ended as it should; see above");
    }
    Ok(())
}
