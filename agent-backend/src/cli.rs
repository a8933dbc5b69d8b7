//! The command line. It may write to standard output; nothing else here may.

mod acp;
mod backend;
mod client;
mod consents;
mod doctor;
mod index;
mod mcp;
mod render;
mod run;
mod search;
mod serve;
mod tool_server;
mod trust;
mod undo;
mod workflows;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use console::Term;
use shared::{
    error::{Class, Code},
    telemetry, version,
};

use crate::{
    config::{self, Config},
    error::Error,
    spool,
};

/// Runs workflows that turn a request into a reviewed commit, and serves them
/// to clients.
#[derive(Debug, Parser)]
#[command(name = "agentic-ide-backend", version = version::VERSION)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What overrides the configuration file.
#[derive(Debug, Args)]
struct Options {
    /// Configuration file [default: backend.yaml in the configuration folder]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the journal
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Database that several backends share instead of a journal of their own
    #[arg(long, global = true, value_name = "postgres://…")]
    journal_url: Option<String>,
    /// Folder with further workflow definitions
    #[arg(long, global = true, value_name = "DIR")]
    workflows_dir: Option<PathBuf>,
    /// Address of the model server
    #[arg(long, global = true, value_name = "URL")]
    ollama_url: Option<String>,
    /// Model that plans and writes code; for one workflow also PROVIDER/MODEL of
    /// those that are configured
    #[arg(long, global = true, value_name = "NAME")]
    model: Option<String>,
    /// gRPC address of the vector database
    #[arg(long, global = true, value_name = "URL")]
    qdrant_url: Option<String>,
    /// Workspace [default: the current folder for commands that need one]
    #[arg(long, global = true, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// A running backend, for example http://127.0.0.1:8000 [default: the one
    /// that runs on this data folder, or none]
    #[arg(long, global = true, value_name = "URL")]
    backend: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients (the default)
    Serve(Serve),
    /// Speak the Agent Client Protocol on standard input and output
    Acp,
    /// Serve the code search as an MCP server on standard input and output
    Mcp(mcp::Arguments),
    /// Serve tools (git, format, language) as an MCP server on standard input and output
    ToolServer(tool_server::Arguments),
    /// List the MCP servers that the repository names, accept or revoke them
    Trust(trust::Arguments),
    /// Run one workflow in the terminal
    Run(run::Arguments),
    /// Bring the search index of a workspace up to date, watch, pause or delete it
    Index(index::Arguments),
    /// Search the code of the workspace
    Search(search::Arguments),
    /// Take back what a workflow has committed, by a new commit
    Undo(undo::Arguments),
    /// List, show, follow, cancel or export workflows
    #[command(subcommand)]
    Workflows(workflows::Command),
    /// Show or take back what may always, or never, run without a sandbox
    #[command(subcommand)]
    Consents(consents::Command),
    /// Say what is missing, and the command that mends it
    Doctor(doctor::Arguments),
    /// Print the version
    Version,
}

#[derive(Debug, Args, Default)]
struct Serve {
    /// Address to listen on, port 0 for any
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Write the address that is listened on to this file
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
}

/// How a command ended, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// It did what was asked.
    Done,
    /// It did not, and has said why.
    Failed,
    /// A person said no.
    Declined,
}

/// Runs the program. As the part of a sandbox that runs inside it, and as what
/// shows something in a terminal of a client, it is nothing else: no thread is
/// started and no configuration is read before.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    if first == sandbox::inside::ARGUMENT {
        return sandbox::inside::main(arguments);
    }
    if first == spool::ARGUMENT {
        return spool::main(arguments);
    }
    let cli = Cli::parse();
    let exit = configure(&cli).and_then(|config| {
        let filter = match cli.command {
            None | Some(Command::Serve(_)) => "info",
            // What it would warn of is in the answer.
            Some(Command::Search(_)) => "error",
            Some(_) => "warn",
        };
        telemetry::init(filter, config.log_format);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        let exit = runtime.block_on(Box::pin(dispatch(cli, config)));
        // A read of standard input cannot be cancelled and must not keep the
        // process alive.
        runtime.shutdown_background();
        exit
    });
    match exit {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::from(1),
        Ok(Exit::Declined) => ExitCode::from(3),
        Err(error) => {
            report(&error);
            ExitCode::from(match error.class {
                Class::User => 2,
                Class::Transient | Class::Permanent => 1,
                Class::Fatal => 70,
            })
        }
    }
}

fn report(error: &Error) {
    // Standard error may be closed; there is nobody left to tell.
    let _unseen = Term::stderr().write_line(&format!("error[{}]: {error}", error.code));
}

fn print(line: &str) -> Result<(), Error> {
    Term::stdout()
        .write_line(line)
        .map_err(|error| Error::internal(format!("cannot write to standard output: {error}")))
}

fn configure(cli: &Cli) -> Result<Config, Error> {
    let options = &cli.options;
    let mut config = config::load(options.config.as_ref())
        .map_err(|error| Error::user(Code::ConfigInvalid, error.to_string()))?;
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|error| Error::user(Code::ConfigInvalid, error.to_string()))
    };
    if let Some(path) = &options.data_dir {
        config.data_dir = absolute(path)?;
    }
    if let Some(url) = &options.journal_url {
        config.journal.url = Some(url.clone());
    }
    if let Some(path) = &options.workflows_dir {
        config.workflows_dir = Some(absolute(path)?);
    }
    if let Some(path) = &options.workspace {
        config.workspace = Some(absolute(path)?);
    }
    if let Some(url) = &options.ollama_url {
        config.ollama.url.clone_from(url);
    }
    if let Some(model) = &options.model {
        // Then it is chosen for one workflow alone.
        let chooses = matches!(cli.command, Some(Command::Run(_) | Command::Workflows(_)));
        if !(chooses && config.has_model(model)) {
            config.ollama.model.clone_from(model);
        }
    }
    if let Some(url) = &options.qdrant_url {
        config.qdrant.url.clone_from(url);
    }
    Ok(config)
}

async fn dispatch(cli: Cli, config: Config) -> Result<Exit, Error> {
    let backend = cli.options.backend;
    match cli.command.unwrap_or_else(|| Command::Serve(Serve::default())) {
        Command::Serve(arguments) => serve::serve(config, arguments.listen, arguments.port_file).await,
        Command::Acp => acp::run(config, backend).await,
        Command::Mcp(arguments) => mcp::run(config, arguments).await,
        Command::ToolServer(arguments) => tool_server::run(config, arguments).await,
        Command::Trust(arguments) => trust::run(&config, &arguments),
        Command::Run(arguments) => run::run(config, backend, cli.options.model, arguments).await,
        Command::Index(arguments) => index::run(config, backend, arguments).await,
        Command::Search(arguments) => search::search(config, arguments).await,
        Command::Undo(arguments) => undo::run(config, backend, arguments).await,
        Command::Workflows(command) => {
            Box::pin(workflows::run(config, backend, cli.options.model, command)).await
        }
        Command::Consents(command) => consents::run(&config, command),
        Command::Doctor(arguments) => doctor::run(config, arguments).await,
        Command::Version => {
            print(&format!("agentic-ide-backend {}", version::VERSION))?;
            Ok(Exit::Done)
        }
    }
}

/// The workspace of a command that needs one.
fn workspace(config: &Config) -> Result<PathBuf, Error> {
    match &config.workspace {
        Some(path) => Ok(path.clone()),
        None => std::env::current_dir()
            .map_err(|error| Error::user(Code::WorkspaceUnreadable, format!("the current folder: {error}"))),
    }
}
