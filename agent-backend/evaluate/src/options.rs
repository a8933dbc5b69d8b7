//! The arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use retrieval::Profile;
use retrieval::corpus::signals::Signal;

type Failure = Box<dyn std::error::Error>;

/// What is measured and how.
#[derive(Debug, Clone)]
pub struct Options {
    pub set: PathBuf,
    pub repos: PathBuf,
    pub json: bool,
    pub noscope: bool,
    pub src: bool,
    /// Whether each request is taken apart by rule.
    pub rules: bool,
    pub every: usize,
    pub only: Vec<String>,
    pub profile: Profile,
    pub embed: Option<PathBuf>,
    pub rerank: Option<PathBuf>,
    /// Where vectors are kept between runs.
    pub cache: Option<PathBuf>,
    /// The JSON of an earlier run to compare with.
    pub baseline: Option<PathBuf>,
    /// A signal and the weights to try for it.
    pub sweep: Option<(Signal, Vec<f32>)>,
    pub dump: Option<PathBuf>,
    /// Queries of each repository, if the set is to be made and not asked.
    pub make: Option<usize>,
    /// A vector database in the place of the one in memory.
    pub database: Option<String>,
}

pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        set: PathBuf::new(),
        repos: PathBuf::new(),
        json: false,
        noscope: false,
        src: false,
        rules: false,
        every: 1,
        only: Vec::new(),
        profile: Profile::best(),
        embed: None,
        rerank: None,
        cache: None,
        baseline: None,
        sweep: None,
        dump: None,
        make: None,
        database: None,
    };
    let (mut without, mut weights) = (Vec::new(), Vec::new());
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let folder = |value: String| (value != "none").then(|| PathBuf::from(value));
        match arg.as_str() {
            "--set" => options.set = value()?.into(),
            "--repos" => options.repos = value()?.into(),
            "--json" => options.json = true,
            "--noscope" => options.noscope = true,
            "--src" => options.src = true,
            "--rules" => options.rules = true,
            "--every" => options.every = value()?.parse::<usize>()?.max(1),
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--profile" => options.profile = profile(&value()?)?,
            "--embed" => options.embed = folder(value()?),
            "--rerank" => options.rerank = folder(value()?),
            "--cache" => options.cache = Some(value()?.into()),
            "--baseline" => options.baseline = Some(value()?.into()),
            "--database" => options.database = Some(value()?),
            "--make" => options.make = Some(value()?.parse::<usize>()?.max(1)),
            "--dump" => options.dump = Some(value()?.into()),
            "--without" => without.extend(value()?.split(',').map(str::to_owned)),
            "--weights" => {
                for pair in value()?.split(',') {
                    let (name, weight) = pair.split_once('=').ok_or("--weights takes signal=weight,…")?;
                    weights.push((signal(name)?, weight.parse::<f32>()?));
                }
            }
            "--sweep" => {
                let value = value()?;
                let (name, list) = value
                    .split_once('=')
                    .ok_or("--sweep takes signal=weight,weight,…")?;
                let list: Result<Vec<f32>, _> = list.split(',').map(str::parse).collect();
                options.sweep = Some((signal(name)?, list?));
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    if options.set.as_os_str().is_empty() || options.repos.as_os_str().is_empty() {
        return Err("--set and --repos are needed".into());
    }
    for name in without {
        leave_out(&mut options.profile, &name)?;
    }
    for (signal, weight) in weights {
        options.profile.files.weights.set(signal, weight);
    }
    options.profile.check()?;
    Ok(options)
}

/// A built-in profile, or a file with one.
fn profile(name: &str) -> Result<Profile, Failure> {
    if name.ends_with(".json") {
        return Ok(serde_json::from_slice(&std::fs::read(name)?)?);
    }
    Ok(Profile::named(name, &BTreeMap::new())?)
}

fn leave_out(profile: &mut Profile, name: &str) -> Result<(), Failure> {
    let signals = match name {
        "history" => vec![Signal::Messages, Signal::Similar, Signal::Activity],
        "dense" => vec![Signal::Meaning, Signal::File],
        "rerank" => {
            profile.rerank = None;
            return Ok(());
        }
        "dedup" => {
            profile.dedup = None;
            return Ok(());
        }
        "classes" => {
            profile.files.weights.classes.fill(1.0);
            return Ok(());
        }
        name => vec![signal(name)?],
    };
    for signal in signals {
        profile.files.weights.set(signal, 0.0);
    }
    Ok(())
}

fn signal(name: &str) -> Result<Signal, Failure> {
    let known = Signal::ALL.iter().copied().find(|signal| signal.as_str() == name);
    known.ok_or_else(|| {
        let names: Vec<&str> = Signal::ALL.iter().map(|signal| signal.as_str()).collect();
        let names = names.join(", ");
        format!("`{name}` is none of history, dense, rerank, dedup, classes, {names}").into()
    })
}
