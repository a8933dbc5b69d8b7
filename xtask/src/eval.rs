//! `cargo xtask eval`: builds the retrieval crate's measuring program and runs it.

use std::{ffi::OsString, path::PathBuf};

use anyhow::bail;
use clap::Args;

use crate::{cargo, paths::Paths};

/// Options of the evaluation.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder with the queries: `meta.json` and a `.jsonl` file for each repository.
    #[arg(long)]
    set: PathBuf,
    /// The folder with the git repositories, `owner+name` or `owner+name.git`.
    #[arg(long)]
    repos: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Leave signals out, separated by commas: `history`, or one of `body`,
    /// `part`, `path`, `symbols`, `messages`, `similar`, `activity`, `kin`.
    #[arg(long)]
    without: Option<String>,
    /// Ask without the leading `scope:` of the commit messages.
    #[arg(long)]
    noscope: bool,
    /// Rank source files alone.
    #[arg(long)]
    src: bool,
    /// Ask every n-th query alone.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,
    /// Only repositories whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

/// Runs the evaluation.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut args: Vec<OsString> = vec![
        "--set".into(),
        std::path::absolute(&options.set)?.into(),
        "--repos".into(),
        std::path::absolute(&options.repos)?.into(),
    ];
    for (flag, given) in [
        ("--json", options.json),
        ("--noscope", options.noscope),
        ("--src", options.src),
    ] {
        if given {
            args.push(flag.into());
        }
    }
    let every = options.every.map(|every| every.to_string());
    for (flag, value) in [
        ("--without", &options.without),
        ("--every", &every),
        ("--only", &options.only),
    ] {
        if let Some(value) = value {
            args.extend([flag.into(), value.into()]);
        }
    }
    let mut cargo = cargo::command(&Paths::find());
    cargo.args([
        "run",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "retrieval",
        "--example",
        "evaluate",
        "--",
    ]);
    if !cargo.args(args).status()?.success() {
        bail!("the evaluation failed; its message is above");
    }
    Ok(())
}
