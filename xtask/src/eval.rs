//! `cargo xtask eval`: builds the measuring program of the code search and runs it.

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
    /// The search profile: `best`, `flow6`, or a `.json` file.
    #[arg(long)]
    profile: Option<String>,
    /// Leave something out, separated by commas: `history`, `dense`, `rerank`,
    /// `dedup`, `classes`, or a signal (`body`, `part`, `path`, …).
    #[arg(long)]
    without: Option<String>,
    /// Give signals other weights: `meaning=0.5,path=1`.
    #[arg(long)]
    weights: Option<String>,
    /// Try weights for one signal, `meaning=0,0.5,1`, and leave each repository
    /// out in turn to choose one.
    #[arg(long)]
    sweep: Option<String>,
    /// The folder of an embedding model, or `none`.
    #[arg(long)]
    embed: Option<PathBuf>,
    /// The folder of a reranking model, or `none`.
    #[arg(long)]
    rerank: Option<PathBuf>,
    /// Make the set out of the repositories' own commits, so many queries of each,
    /// and end. `--set` is where it is written.
    #[arg(long, value_name = "QUERIES", value_parser = clap::value_parser!(u32).range(1..))]
    make: Option<u32>,
    /// The gRPC address of a vector database, `http://127.0.0.1:6334`, in the
    /// place of one in memory.
    #[arg(long)]
    database: Option<String>,
    /// A file that keeps vectors between runs.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// The JSON of an earlier run: differences are printed, query by query.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Ask without the leading `scope:` of the commit messages.
    #[arg(long)]
    noscope: bool,
    /// Rank source files alone.
    #[arg(long)]
    src: bool,
    /// Take each request apart by rule, and join the answers.
    #[arg(long)]
    rules: bool,
    /// Ask every n-th query alone.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,
    /// Only repositories whose name contains this, or one of these.
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
        ("--rules", options.rules),
    ] {
        if given {
            args.push(flag.into());
        }
    }
    let every = options.every.map(|every| every.to_string());
    let make = options.make.map(|queries| queries.to_string());
    for (flag, value) in [
        ("--profile", &options.profile),
        ("--without", &options.without),
        ("--weights", &options.weights),
        ("--sweep", &options.sweep),
        ("--every", &every),
        ("--make", &make),
        ("--only", &options.only),
        ("--database", &options.database),
    ] {
        if let Some(value) = value {
            args.extend([flag.into(), value.into()]);
        }
    }
    for (flag, path) in [
        ("--embed", &options.embed),
        ("--rerank", &options.rerank),
        ("--cache", &options.cache),
        ("--baseline", &options.baseline),
    ] {
        if let Some(path) = path {
            let is_none = path.as_os_str() == "none";
            let path = if is_none {
                path.clone()
            } else {
                std::path::absolute(path)?
            };
            args.extend([flag.into(), path.into()]);
        }
    }
    let mut cargo = cargo::run_release(&Paths::find(), "evaluate");
    if !cargo.args(args).status()?.success() {
        bail!("the evaluation failed; its message is above");
    }
    Ok(())
}
