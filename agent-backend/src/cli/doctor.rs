//! `doctor`: what is missing, and the command that mends it.

use std::{process::Stdio, sync::Arc};

use clap::Args;
use console::Style;
use models::{
    Provider,
    examine::{self, Weight},
};

use super::{Exit, backend, print};
use crate::{config::Config, error::Error, search::SearchModels, wiring, workflows};

#[derive(Debug, Clone, Copy, Args)]
pub struct Arguments {
    /// Also ask the models for a short answer each, to see whether it streams; it costs tokens
    #[arg(long)]
    ask: bool,
}

struct Finding {
    name: &'static str,
    /// What there is, or what is wrong and how it is mended.
    outcome: Result<String, String>,
    /// Whether workflows can run without it.
    needed: bool,
}

pub(super) async fn run(config: Config, arguments: Arguments) -> Result<Exit, Error> {
    let [embedding, reranking] = search_models(&config).await;
    let mut findings = vec![git().await];
    findings.extend(models(&config, arguments).await);
    findings.extend([
        embedding,
        reranking,
        vectordb(&config).await,
        data(&config),
        definitions(&config),
        running(&config).await,
    ]);
    for finding in &findings {
        let (mark, text) = match (&finding.outcome, finding.needed) {
            (Ok(text), _) => (Style::new().green().apply_to("✓"), text),
            (Err(text), true) => (Style::new().red().apply_to("✗"), text),
            (Err(text), false) => (Style::new().yellow().apply_to("!"), text),
        };
        print(&format!("{mark} {}: {text}", finding.name))?;
    }
    let broken = findings
        .iter()
        .any(|finding| finding.needed && finding.outcome.is_err());
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

async fn git() -> Finding {
    let version = tokio::process::Command::new("git")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .await;
    let outcome = match version {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(_) | Err(_) => {
            Err("not found: `sudo apt-get install git` (Debian) or `nix-shell -p git`".to_owned())
        }
    };
    Finding {
        name: "git",
        outcome,
        needed: true,
    }
}

/// The models that answer.
async fn models(config: &Config, arguments: Arguments) -> Vec<Finding> {
    match wiring::ollama(config) {
        Ok(ollama) => model(&ollama, arguments).await,
        Err(error) => vec![Finding {
            name: "model",
            outcome: Err(format!("{}: {error}", error.code)),
            needed: true,
        }],
    }
}

/// One model: what it is if it can be used, and a line for each thing that is
/// wrong with it.
async fn model(provider: &dyn Provider, arguments: Arguments) -> Vec<Finding> {
    let mut found = provider.examine().await;
    let is_usable = |found: &[examine::Finding]| found.iter().all(|found| found.weight == Weight::Warning);
    if arguments.ask && is_usable(&found) {
        found.extend(examine::buffering(provider).await);
    }
    let finding = |outcome, needed| Finding {
        name: "model",
        outcome,
        needed,
    };
    let mut lines = Vec::new();
    if is_usable(&found) {
        let identity = provider.identity();
        let text = match provider.health().await {
            Ok(health) => Ok(format!(
                "{} {} has {}",
                identity.provider, health.version, health.model
            )),
            Err(error) => Err(format!("{}: {error}", error.code())),
        };
        lines.push(finding(text, true));
    }
    lines.extend(
        found
            .into_iter()
            .map(|found| finding(Err(found.to_string()), found.weight == Weight::Broken)),
    );
    lines
}

/// The embedding and the reranking model; a local one is really loaded.
async fn search_models(config: &Config) -> [Finding; 2] {
    let models = wiring::ollama(config).and_then(|ollama| SearchModels::new(config, Arc::new(ollama)));
    let outcomes = match models {
        Ok(models) => models.findings().await,
        Err(error) => [Err(error.clone()), Err(error)],
    };
    let [embedding, reranking] =
        outcomes.map(|outcome| outcome.map_err(|error| format!("{}: {error}", error.code)));
    let finding = |name, outcome| Finding {
        name,
        outcome,
        needed: false,
    };
    [
        finding("embedding model", embedding),
        finding("reranking model", reranking),
    ]
}

async fn vectordb(config: &Config) -> Finding {
    let asked = async {
        let search = wiring::search(config, Arc::new(wiring::ollama(config)?))?;
        search.health().await
    };
    let outcome = match asked.await {
        Ok(()) => Ok(config.qdrant.url.clone()),
        Err(error) => Err(format!(
            "{}: {error}; start it with `agentic-ide-vectordb`",
            error.code
        )),
    };
    Finding {
        name: "vector database",
        outcome,
        needed: false,
    }
}

fn data(config: &Config) -> Finding {
    let dir = &config.data_dir;
    let outcome = std::fs::create_dir_all(dir)
        .and_then(|()| tempfile::tempfile_in(dir).map(|_| ()))
        .map(|()| dir.display().to_string())
        .map_err(|error| {
            format!(
                "{} cannot be written ({error}): choose another with --data-dir",
                dir.display()
            )
        });
    Finding {
        name: "data folder",
        outcome,
        needed: true,
    }
}

fn definitions(config: &Config) -> Finding {
    let outcome = workflows::load(config.workflows_dir.as_deref());
    let outcome = outcome
        .map(|all| all.into_keys().collect::<Vec<_>>().join(", "))
        .map_err(|error| error.to_string());
    Finding {
        name: "workflows",
        outcome,
        needed: true,
    }
}

async fn running(config: &Config) -> Finding {
    let outcome = match backend::running(config).await {
        Some(_) => Ok("a backend runs on this data folder".to_owned()),
        None => Err("none runs; start one with `agentic-ide-backend serve`".to_owned()),
    };
    Finding {
        name: "backend",
        outcome,
        needed: false,
    }
}
