//! `doctor`: what is missing, and the command that mends it.

use std::{process::Stdio, sync::Arc};

use ::mcp::{BuiltIn, Offered, Options, Server, Toolbox};
use clap::Args;
use console::Style;
use futures::future::join_all;
use models::{
    Provider,
    examine::{self, Weight},
    routing::Link,
};
use sandbox::Held;

use super::{Exit, backend, print};
use crate::{
    config::{self, ClientServers, Config, Without},
    consents::{Consents, Matter, Standing},
    error::Error,
    providers::Models,
    search::SearchModels,
    toolboxes::Policy,
    trials, wiring, workflows,
};

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
    findings.extend(sandbox(&config).await);
    findings.extend(tools(&config).await);
    findings.extend(consents(&config));
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

/// The models that answer, each once.
async fn models(config: &Config, arguments: Arguments) -> Vec<Finding> {
    let models = wiring::ollama(config).and_then(|ollama| Models::new(config, Arc::new(ollama)));
    let models = match models {
        Ok(models) => models,
        Err(error) => {
            return vec![Finding {
                name: "model",
                outcome: Err(format!("{}: {error}", error.code)),
                needed: true,
            }];
        }
    };
    let links = models.used();
    let found = join_all(
        links
            .iter()
            .map(|link| examined(link.provider().as_ref(), arguments)),
    )
    .await;
    let is_usable = |link: &Arc<Link>| {
        let at = links.iter().position(|known| Arc::ptr_eq(known, link));
        at.is_some_and(|at| usable(&found[at].0))
    };
    // One that fails is needed by a role whose other providers fail as well.
    let is_needed = |link: &Arc<Link>| {
        let mut chains = models.chains().map(|chain| chain.links());
        chains.any(|chain| chain.iter().any(|it| Arc::ptr_eq(it, link)) && !chain.iter().any(is_usable))
    };
    let mut lines = Vec::new();
    for (link, (findings, health)) in links.iter().zip(&found) {
        let provider = &link.identity().provider;
        let needed = is_needed(link);
        lines.extend(health.iter().map(|outcome| Finding {
            name: "model",
            outcome: outcome.clone(),
            needed: true,
        }));
        lines.extend(findings.iter().map(|found| Finding {
            name: "model",
            outcome: Err(format!("{provider}: {found}")),
            needed: needed && found.weight == Weight::Broken,
        }));
    }
    lines
}

fn usable(findings: &[examine::Finding]) -> bool {
    findings.iter().all(|found| found.weight == Weight::Warning)
}

/// What is wrong with one model, and what it is if it can be used.
async fn examined(
    provider: &dyn Provider,
    arguments: Arguments,
) -> (Vec<examine::Finding>, Option<Result<String, String>>) {
    let mut found = provider.examine().await;
    if arguments.ask && usable(&found) {
        found.extend(examine::buffering(provider).await);
    }
    if !usable(&found) {
        return (found, None);
    }
    let identity = provider.identity();
    let health = match provider.health().await {
        Ok(health) => {
            let reason = provider.reason().map(|reason| format!(", {reason}"));
            Ok(format!(
                "{} {} has {}, which runs {}, with {} tokens of context{}",
                identity.provider,
                health.version,
                health.model,
                provider.locality(),
                identity.context_tokens,
                reason.unwrap_or_default()
            ))
        }
        Err(error) => Err(format!("{}: {}: {error}", identity.provider, error.code())),
    };
    (found, Some(health))
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

/// The sandbox, and each of its promises.
async fn sandbox(config: &Config) -> Vec<Finding> {
    let config = config.sandbox.clone();
    let detected = tokio::task::spawn_blocking(move || {
        trials::detect(&config).map_err(|error| format!("{}: {error}", error.code()))
    });
    let detected = detected.await.map_err(|error| error.to_string()).flatten();
    let finding = |outcome| Finding {
        name: "sandbox",
        outcome,
        needed: false,
    };
    match detected {
        Err(reason) => vec![finding(Err(reason))],
        Ok(sandbox) => {
            let others = sandbox.passed_over().iter();
            let others: Vec<String> = others.map(|(kind, reason)| format!("{kind}: {reason}")).collect();
            let engine = if others.is_empty() {
                sandbox.kind().to_string()
            } else {
                format!("{} ({})", sandbox.kind(), others.join("; "))
            };
            let promises = sandbox.guarantees().iter().map(|each| match &each.held {
                Held::Yes => Ok(each.promise.to_string()),
                Held::No(reason) => Err(format!("{}: no, {reason}", each.promise)),
            });
            std::iter::once(Ok(engine)).chain(promises).map(finding).collect()
        }
    }
}

/// The servers of tools for the workspace, each really asked.
async fn tools(config: &Config) -> Vec<Finding> {
    let finding = |outcome| Finding {
        name: "tools",
        outcome,
        needed: false,
    };
    let mut findings = vec![finding(of_clients(config))];
    findings.extend(servers(config).await.into_iter().map(finding));
    let said = Consents::of(&config.data_dir).all().into_iter();
    let of_tools = said.filter(|consent| consent.about != Matter::Unisolated);
    findings.extend(of_tools.map(|consent| finding(Ok(super::consents::line(&consent)))));
    findings
}

/// Which servers clients may bring.
fn of_clients(config: &Config) -> Result<String, String> {
    let listen = config.listen.ip();
    match config.mcp.client_servers(listen) {
        ClientServers::All if !listen.is_loopback() => Err(format!(
            "clients may bring MCP servers, so whoever has the token can run programs here, as {listen} can be reached \
             from other machines; `mcp: {{ client_servers: http }}` in backend.yaml leaves them addresses alone"
        )),
        ClientServers::All => Ok("clients may bring MCP servers, programs and addresses".to_owned()),
        ClientServers::Http => {
            Ok("clients may bring MCP servers by their address, and no programs".to_owned())
        }
        ClientServers::None => Ok("clients may bring no MCP servers".to_owned()),
    }
}

/// What each server offers, or what is wrong with it.
async fn servers(config: &Config) -> Vec<Result<String, String>> {
    let workspace = match super::workspace(config) {
        Ok(workspace) => workspace,
        Err(error) => return vec![Err(error.to_string())],
    };
    let configured = match config::mcp_servers(&config.mcp_servers) {
        Ok(configured) => configured,
        Err(reason) => return vec![Err(reason)],
    };
    let of_repository = Policy::new(config).of_repository(&workspace);
    let built_in = if config.mcp.built_in {
        &BuiltIn::ALL[..]
    } else {
        &[]
    };
    let mut servers: Vec<Server> = built_in.iter().copied().map(Server::built_in).collect();
    servers.extend(configured);
    servers.extend(of_repository.servers);
    let known: Vec<(String, String)> = servers
        .iter()
        .map(|server| (server.name.clone(), server.transport.to_string()))
        .collect();
    let options = Options {
        problems: of_repository.problems,
        unlisted: config.mcp.unlisted.into(),
        ..Options::default()
    };
    let toolbox = Box::pin(Toolbox::open(&workspace, servers, &options)).await;
    let problems = toolbox.problems();
    let offered = toolbox.offered(&[]);
    let found = known.into_iter().filter_map(|(name, address)| {
        let told = |tool: &Offered| {
            let first = if tool.needs_permission {
                " (asks first)"
            } else {
                ""
            };
            format!("{}{first}", tool.tool)
        };
        let of_it = offered.iter().filter(|tool| tool.server == name);
        let tools: Vec<String> = of_it.map(told).collect();
        let told = format!("{name}, {address}: {}", tools.join(", "));
        // What else there is to say of it is a problem of its own.
        (!tools.is_empty()).then_some(Ok(told))
    });
    let wrong = problems.into_iter().map(|problem| {
        Err(format!(
            "{}: {}: {}",
            problem.server, problem.code, problem.message
        ))
    });
    found.chain(wrong).collect()
}

/// What may run, or may not, where there is no sandbox.
fn consents(config: &Config) -> Vec<Finding> {
    let finding = |outcome| Finding {
        name: "without a sandbox",
        outcome,
        needed: false,
    };
    match config.sandbox.without {
        Without::Never => vec![finding(Ok("nothing runs (`sandbox.without: never`)".to_owned()))],
        Without::Always => {
            let text = "everything runs with the backend's rights (`sandbox.without: always`)";
            vec![finding(Err(text.to_owned()))]
        }
        Without::Ask => {
            let all = Consents::of(&config.data_dir).all();
            let of_it = all.iter().filter(|consent| consent.about == Matter::Unisolated);
            let told = of_it.map(|consent| match consent.answer {
                Standing::Never => Ok(super::consents::line(consent)),
                Standing::Always => Err(format!(
                    "{}; take it back with `agentic-ide-backend consents revoke --workspace {}`",
                    super::consents::line(consent),
                    consent.workspace
                )),
            });
            told.map(finding).collect()
        }
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
