//! The scripted model server as a program.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use scripted_ollama::{IN_A_ROW_MAX_DEFAULT, Reach, Recording, Script, ScriptedOllama, Seed};

/// Models that are there if neither the script nor the command line names any.
const MODELS_DEFAULT: (&str, &str) = ("mistral:7b-instruct-v0.3-q4_K_M", "nomic-embed-text");

/// Speaks Ollama's, OpenAI's, Anthropic's and Gemini's formats and answers from a script.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 11434)]
    port: u16,
    /// YAML file with models and rules.
    #[arg(long, required_unless_present_any = ["plan", "record", "replay"])]
    script: Option<PathBuf>,
    /// Directory of recorded exchanges to answer from in place of a script.
    #[arg(long, value_name = "DIR", conflicts_with = "script")]
    replay: Option<PathBuf>,
    /// Directory to record a real server into.
    #[arg(long, value_name = "DIR", requires = "upstream", conflicts_with_all = ["script", "replay", "seed"])]
    record: Option<PathBuf>,
    /// URL of the server to record.
    #[arg(long, value_name = "URL", requires = "record")]
    upstream: Option<String>,
    /// Rate of all answers; 0 is as fast as it goes.
    #[arg(long, default_value_t = 50.0)]
    tokens_per_second: f64,
    /// File to write the port to once the server listens.
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// A model that answers, on top of the script's; may be repeated.
    #[arg(long)]
    model: Vec<String>,
    /// A model that embeds, on top of the script's; may be repeated.
    #[arg(long)]
    embedding_model: Vec<String>,
    /// Lets answers go wrong: the same seed and order of calls, the same faults.
    #[arg(long)]
    seed: Option<u64>,
    /// Most answers in a row that a seed lets go wrong.
    #[arg(long, default_value_t = IN_A_ROW_MAX_DEFAULT, requires = "seed")]
    faults_in_a_row: u32,
    /// What a seed lets go wrong.
    #[arg(long, value_enum, default_value_t = Faults::Transient, requires = "seed")]
    faults: Faults,
    /// Prints the faults of so many answers, and exits.
    #[arg(long, value_name = "ANSWERS", num_args = 0..=1, default_missing_value = "50", requires = "seed")]
    plan: Option<usize>,
}

/// Which faults a seed may draw.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Faults {
    /// Those that a client gets through by reading well or by asking again.
    Transient,
    /// All, also those that need another server, key, model or context.
    All,
}

impl Args {
    fn seed(&self) -> Option<Seed> {
        let reach = match self.faults {
            Faults::Transient => Reach::Transient,
            Faults::All => Reach::All,
        };
        self.seed.map(|seed| Seed {
            seed,
            in_a_row_max: self.faults_in_a_row,
            reach,
        })
    }
}

/// The plan as lines of YAML: the place of the answer, and its fault.
fn print_plan(seed: Seed, answers: usize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (index, fault) in seed.plan().take(answers).enumerate() {
        let fault = serde_json::to_string(&fault)?;
        writeln!(out, "{}: {fault}", index + 1)?;
    }
    Ok(())
}

/// The script, and the directory that its paths begin at.
fn script(args: &Args) -> anyhow::Result<(Script, PathBuf)> {
    if let Some(dir) = &args.replay {
        let script = Script::replay(dir).map_err(anyhow::Error::msg)?;
        // Its paths begin at the current directory already.
        return Ok((script, PathBuf::new()));
    }
    let Some(path) = &args.script else {
        return Ok((Script::default(), PathBuf::new()));
    };
    let yaml = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the script {}", path.display()))?;
    let script = Script::parse(&yaml).map_err(anyhow::Error::msg)?;
    let dir = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok((script, dir))
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let seed = args.seed();
    if let (Some(seed), Some(answers)) = (seed, args.plan) {
        return print_plan(seed, answers);
    }
    let (script, dir) = script(&args)?;
    let mut builder = ScriptedOllama::builder()
        .port(args.port)
        .script_dir(dir)
        .tokens_per_second(args.tokens_per_second);
    if args.model.is_empty() && args.embedding_model.is_empty() && script.models.is_empty() {
        builder = builder.model(MODELS_DEFAULT.0).embedding_model(MODELS_DEFAULT.1);
    }
    builder = args
        .model
        .iter()
        .fold(builder, |builder, name| builder.model(name));
    builder = args
        .embedding_model
        .iter()
        .fold(builder, |builder, name| builder.embedding_model(name));
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    if let (Some(dir), Some(upstream)) = (args.record, args.upstream) {
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let upstream = upstream.trim_end_matches('/').to_owned();
        builder = builder.record(Recording { upstream, dir });
    }
    let server = builder.script(script).start_blocking()?;
    if let Some(path) = &args.port_file {
        // Whole or not at all: a reader that polls must not see half a number.
        let partial = path.with_extension("partial");
        std::fs::write(&partial, server.port().to_string())?;
        std::fs::rename(&partial, path)?;
    }
    writeln!(std::io::stdout(), "scripted-ollama listens on {}", server.url())?;
    // The server's thread does the work; this one only has to stay.
    loop {
        std::thread::park();
    }
}
