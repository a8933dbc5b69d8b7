//! The scripted model server as a program.

use std::{io::Write, path::PathBuf};

use anyhow::Context;
use clap::Parser;
use scripted_ollama::ScriptedOllama;

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
    #[arg(long)]
    script: PathBuf,
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
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let yaml = std::fs::read_to_string(&args.script)
        .with_context(|| format!("cannot read the script {}", args.script.display()))?;
    let script = scripted_ollama::Script::parse(&yaml).map_err(anyhow::Error::msg)?;
    let mut builder = ScriptedOllama::builder()
        .port(args.port)
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
