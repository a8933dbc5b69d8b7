//! `agentic-ide-vectordb`: reads the command line, runs the launcher, turns its
//! error into a code and an exit status.

use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use shared::{error::Class, telemetry, telemetry::LogFormat};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vectordb_launcher::{
    Error,
    auth::Secret,
    config::Config,
    launcher,
    migrate::{self, Plan, Progress},
};

/// The system's own allocator keeps what the engine gave back.
#[cfg(feature = "embedded")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long blocking work may go on after everything is flushed.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// Runs the vector database of Agentic IDE: supervises a Qdrant if there is
/// one, otherwise serves Qdrant's API from an embedded engine.
#[derive(Debug, Parser)]
#[command(
    name = "agentic-ide-vectordb",
    version,
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Configuration file (default: vectordb.yaml in the configuration directory)
    #[arg(long, value_name = "FILE", env = "AGENTIC_IDE_VECTORDB_CONFIG")]
    config: Option<PathBuf>,
    /// Address to listen on; others than loopback need an API key [default: 127.0.0.1]
    #[arg(long, env = "AGENTIC_IDE_VECTORDB_HOST")]
    host: Option<IpAddr>,
    /// Port of Qdrant's REST API, 0 for any free one [default: 6333]
    #[arg(long, env = "AGENTIC_IDE_VECTORDB_HTTP_PORT")]
    http_port: Option<u16>,
    /// Port of Qdrant's gRPC API, 0 for any free one [default: 6334]
    #[arg(long, env = "AGENTIC_IDE_VECTORDB_GRPC_PORT")]
    grpc_port: Option<u16>,
    /// Port of the launcher's own service, 0 for any free one [default: 6336]
    #[arg(long, env = "AGENTIC_IDE_VECTORDB_CONTROL_PORT")]
    control_port: Option<u16>,
    /// Where everything is kept (default: vectordb in the data directory)
    #[arg(long, value_name = "DIR", env = "AGENTIC_IDE_VECTORDB_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The qdrant program (default: the one on PATH, if any)
    #[arg(long, value_name = "PATH", env = "AGENTIC_IDE_VECTORDB_QDRANT")]
    qdrant: Option<PathBuf>,
    /// Use the embedded engine and never look for a qdrant program
    #[arg(long)]
    embedded: bool,
    /// Only watch the Qdrant at this REST address
    #[arg(long, env = "AGENTIC_IDE_VECTORDB_URL")]
    url: Option<String>,
    /// Key that clients must send
    #[arg(
        long,
        value_name = "KEY",
        env = "AGENTIC_IDE_VECTORDB_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// Certificate chain (PEM) for TLS on all ports
    #[arg(long, value_name = "FILE", env = "AGENTIC_IDE_VECTORDB_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", env = "AGENTIC_IDE_VECTORDB_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Certificates (PEM) of the authorities to believe about an https --url (default: the public ones)
    #[arg(long, value_name = "FILE", env = "AGENTIC_IDE_VECTORDB_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// Write the ports to this file as JSON once everything is ready
    #[arg(long, value_name = "FILE", env = "AGENTIC_IDE_VECTORDB_PORTS_FILE")]
    ports_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copies collections from one Qdrant API to another, and goes on where it
    /// was when it was interrupted
    Migrate(Migrate),
}

#[derive(Debug, Args)]
struct Migrate {
    /// gRPC address to read from
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:6334")]
    from: String,
    /// gRPC address to write to
    #[arg(long, value_name = "URL")]
    to: String,
    /// Key of the source
    #[arg(
        long,
        value_name = "KEY",
        env = "AGENTIC_IDE_VECTORDB_FROM_API_KEY",
        hide_env_values = true
    )]
    from_api_key: Option<String>,
    /// Key of the target
    #[arg(
        long,
        value_name = "KEY",
        env = "AGENTIC_IDE_VECTORDB_TO_API_KEY",
        hide_env_values = true
    )]
    to_api_key: Option<String>,
    /// Only this collection; may be given several times
    #[arg(long = "collection", value_name = "NAME")]
    collections: Vec<String>,
    /// Points in one request
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Shards of the new collections (default: the target decides)
    #[arg(long)]
    shards: Option<u32>,
    /// Replicas of each shard of the new collections (default: the target decides)
    #[arg(long)]
    replicas: Option<u32>,
    /// Where the progress is kept; removed at the end
    #[arg(long, value_name = "FILE", default_value = "vectordb-migrate.json")]
    state: PathBuf,
}

impl Migrate {
    async fn run(self) -> Result<(), Error> {
        let key = |key: Option<String>| key.map(|key| Secret::new(&key));
        let plan = Plan {
            from: (self.from, key(self.from_api_key)),
            to: (self.to, key(self.to_api_key)),
            collections: self.collections,
            batch: self.batch,
            shards: self.shards,
            replicas: self.replicas,
            state: self.state,
        };
        // Draws nothing where there is no terminal.
        let bar = ProgressBar::new(0).with_style(bar_style());
        migrate::run(&plan, |progress| match progress {
            Progress::Started {
                collection,
                points,
                copied,
            } => {
                tracing::info!(collection, points, already_copied = copied, "copying");
                bar.set_length(points);
                bar.set_position(copied);
                bar.reset_eta();
                bar.set_message(collection);
            }
            Progress::Copied { copied } => bar.set_position(copied),
            Progress::Verified {
                collection,
                points,
                sampled,
            } => bar.suspend(|| tracing::info!(collection, points, sampled, "copied and compared")),
        })
        .await?;
        bar.finish_and_clear();
        Ok(())
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Arguments {
    /// The command line wins over variables, those over the file, that over the
    /// defaults.
    fn settle(self) -> Result<Config, Error> {
        let mut config = Config::load(self.config.as_deref())?;
        config.host = self.host.unwrap_or(config.host);
        config.http_port = self.http_port.unwrap_or(config.http_port);
        config.grpc_port = self.grpc_port.unwrap_or(config.grpc_port);
        config.control_port = self.control_port.unwrap_or(config.control_port);
        config.data_dir = self.data_dir.or(config.data_dir);
        config.ports_file = self.ports_file.or(config.ports_file);
        config.tls_cert = self.tls_cert.or(config.tls_cert);
        config.tls_key = self.tls_key.or(config.tls_key);
        config.tls_ca = self.tls_ca.or(config.tls_ca);
        config.url = self.url.or(config.url);
        config.qdrant = self.qdrant.or(config.qdrant);
        config.embedded |= self.embedded;
        config.api_key = self.api_key.map(|key| Secret::new(&key)).or(config.api_key);
        Ok(config)
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    let command = arguments.command.take();
    let config = match arguments.settle() {
        Ok(config) => config,
        Err(error) => {
            telemetry::init("info", LogFormat::Text);
            return failed(&error);
        }
    };
    telemetry::init(&config.log, config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Error::Config(format!("cannot start: {error}"))),
    };
    let result = runtime.block_on(async {
        match command {
            Some(Command::Migrate(command)) => command.run().await,
            None => run(config).await,
        }
    });
    // An optimizer run cannot be stopped; what it leaves behind is removed at
    // the next start, and nothing waits for it.
    runtime.shutdown_timeout(LINGER_TIME_MAX);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

async fn run(config: Config) -> Result<(), Error> {
    let listen = |kind| signal(kind).map_err(|error| Error::Config(format!("cannot catch signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        stopping.cancel();
        tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        // Who asks twice does not want to wait. Acknowledged points are in the
        // engine's log.
        tracing::warn!("asked to stop twice: stopping at once");
        std::process::exit(1);
    });
    launcher::run(config, stop).await
}

fn failed(error: &Error) -> ExitCode {
    let code = error.code();
    tracing::error!("{code}: {error} (docs/errors/{code}.md)");
    match error.class() {
        Class::User => ExitCode::from(2),
        Class::Transient | Class::Permanent | Class::Fatal => ExitCode::FAILURE,
    }
}
