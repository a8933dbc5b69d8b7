//! Puts the parts together, runs them until told to stop, and stops them in
//! the right order.

use std::{
    fs,
    future::Future,
    net::TcpListener,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use shared::lock::DirectoryLock;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::server::TcpIncoming};

use crate::{
    auth::Guard,
    config::{Config, Mode},
    control::{self, Control, Endpoints, Ready},
    error::{Error, Result},
    files,
    observe::{Observed, Watched},
    ports::{self, Ports},
    qdrant::{self, Launch, Probe, Snapshot, program},
    supervisor::{Limits, State},
    tls::{Protocol, Tls},
};

/// How long requests that are under way may take at the end. A client that
/// hangs makes every stop take this long.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Requests of one connection that may be under way at once.
const STREAMS_MAX: u32 = 256;

/// Folder of the embedded engine's data.
#[cfg(feature = "embedded")]
const EMBEDDED_FOLDER: &str = "embedded";

/// Folder of a child's data.
const QDRANT_FOLDER: &str = "qdrant";

/// Runs what `config` asks for until `stop`.
///
/// # Errors
/// Any [`Error`], each with a code and a page.
pub async fn run(config: Config, stop: CancellationToken) -> Result<()> {
    config.check()?;
    if !config.host.is_loopback() && config.tls_cert.is_none() {
        tracing::warn!(host = %config.host, "the API key and all data cross the network in clear text");
    }
    match config.mode(program::find)? {
        Mode::Embedded => embedded(config, stop).await,
        Mode::Qdrant(program) => child(config, program.as_path(), stop).await,
        Mode::External(url) => external(config, url, stop).await,
    }
}

/// Servers and helpers that run side by side; the end of one is the end of all.
struct Crew {
    tasks: JoinSet<Result<()>>,
    stop: CancellationToken,
    tls: Option<Tls>,
}

impl Crew {
    fn new(stop: &CancellationToken, tls: Option<Tls>) -> Self {
        // A child token: a failure here must end the crew, not the caller.
        Self {
            tasks: JoinSet::new(),
            stop: stop.child_token(),
            tls,
        }
    }

    fn add(&mut self, task: impl Future<Output = Result<()>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    fn grpc(&mut self, service: &'static str, listener: TcpListener, routes: Routes) -> Result<()> {
        let failed = move |reason: &dyn std::fmt::Display| Error::Serve {
            service,
            reason: reason.to_string(),
        };
        let stop = self.stop.clone().cancelled_owned();
        let mut server = tonic::transport::Server::builder().max_concurrent_streams(Some(STREAMS_MAX));
        let router = server.add_routes(routes);
        if let Some(tls) = &self.tls {
            let incoming = tls
                .listen(listener, Protocol::Http2)
                .map_err(|error| failed(&error))?;
            self.add(async move {
                let served = router.serve_with_incoming_shutdown(incoming, stop).await;
                served.map_err(|error| failed(&error))
            });
        } else {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| failed(&error))?;
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            self.add(async move {
                let served = router.serve_with_incoming_shutdown(incoming, stop).await;
                served.map_err(|error| failed(&error))
            });
        }
        Ok(())
    }

    #[cfg(feature = "embedded")]
    fn rest(&mut self, listener: TcpListener, routes: axum::Router) -> Result<()> {
        let failed = |error: std::io::Error| Error::Serve {
            service: "http",
            reason: error.to_string(),
        };
        let stop = self.stop.clone().cancelled_owned();
        if let Some(tls) = &self.tls {
            let incoming = tls.listen(listener, Protocol::Http).map_err(failed)?;
            self.add(async move {
                let serve = axum::serve(incoming, routes).with_graceful_shutdown(stop);
                serve.await.map_err(failed)
            });
        } else {
            let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
            self.add(async move {
                let serve = axum::serve(listener, routes).with_graceful_shutdown(stop);
                serve.await.map_err(failed)
            });
        }
        Ok(())
    }

    /// Waits for the first task to end, tells the others, and gives them time.
    async fn finish(mut self) -> Result<()> {
        let mut result = Ok(());
        let first = self.tasks.join_next().await;
        keep(&mut result, first);
        self.stop.cancel();
        let rest = async {
            while let Some(ended) = self.tasks.join_next().await {
                keep(&mut result, Some(ended));
            }
        };
        if tokio::time::timeout(DRAIN_TIME_MAX, rest).await.is_err() {
            tracing::warn!("requests that were under way are cut off");
            self.tasks.abort_all();
        }
        result
    }
}

/// The first error is the one to tell; later ones follow from it.
fn keep(result: &mut Result<()>, ended: Option<std::result::Result<Result<()>, tokio::task::JoinError>>) {
    let ended = match ended {
        Some(Ok(ended)) => ended,
        Some(Err(error)) => Err(Error::Serve {
            service: "launcher",
            reason: error.to_string(),
        }),
        None => Ok(()),
    };
    if result.is_ok() {
        *result = ended;
    }
}

fn scheme(tls: Option<&Tls>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

fn tell(config: &Config, ports: Ports) -> Result<()> {
    match &config.ports_file {
        Some(path) => ports.write(path),
        None => Ok(()),
    }
}

#[cfg(not(feature = "embedded"))]
async fn embedded(_: Config, _: CancellationToken) -> Result<()> {
    Err(Error::Qdrant("this build has no embedded engine".to_owned()))
}

#[cfg(feature = "embedded")]
async fn embedded(config: Config, stop: CancellationToken) -> Result<()> {
    use crate::embedded::{ENGINE, Store, grpc, maintenance, rest};

    let tls = config.tls()?;
    // Ports first: the store may be large, and a second launcher should hear
    // about its mistake at once.
    let (http_listener, http) = ports::listen("http", config.host, config.http_port)?;
    let (grpc_listener, grpc_port) = ports::listen("grpc", config.host, config.grpc_port)?;
    let (control_listener, control_port) = ports::listen("control", config.host, config.control_port)?;
    let ports = Ports {
        http,
        grpc: grpc_port,
        control: control_port,
    };

    let folder = config.data_dir().join(EMBEDDED_FOLDER);
    make_folder(&folder)?;
    tracing::info!(data = %folder.display(), "no Qdrant to supervise: opening the embedded engine");
    let opened = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || Store::open(&folder)
    });
    let store = opened
        .await
        .map_err(|error| Error::Store(format!("the engine panicked: {error}")))??;
    let store = Arc::new(store);

    let guard = Guard::new(config.api_key.clone());
    let endpoints = Endpoints::local(scheme(tls.as_ref()), config.host, ports.http, ports.grpc);
    let mut crew = Crew::new(&stop, tls);
    let control = Control::new(Observed::Embedded(Arc::clone(&store)), endpoints);
    let (control_routes, reporter) = control::routes(control, guard.clone())?;
    crew.grpc("control", control_listener, control_routes)?;
    crew.grpc(
        "grpc",
        grpc_listener,
        grpc::routes(Arc::clone(&store), guard.clone()),
    )?;
    crew.rest(http_listener, rest::routes(Arc::clone(&store), guard))?;
    let upkeep = maintenance::run(Arc::clone(&store), crew.stop.clone());
    crew.add(async move {
        upkeep.await;
        Ok(())
    });
    control::report(&reporter, Ready::Yes).await;
    tell(&config, ports)?;
    tracing::info!(
        http = ports.http,
        grpc = ports.grpc,
        control = ports.control,
        collections = store.names().len(),
        engine = ENGINE,
        "Ready"
    );

    let result = crew.finish().await;
    tracing::info!("stopping: writing everything to disk");
    let flushed = tokio::task::spawn_blocking(move || store.flush()).await;
    match flushed {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => return result.and(Err(Error::Store(error.to_string()))),
        Err(error) => return result.and(Err(Error::Store(format!("the engine panicked: {error}")))),
    }
    result
}

async fn child(config: Config, program: &Path, stop: CancellationToken) -> Result<()> {
    let tls = config.tls()?;
    let (control_listener, control) = ports::listen("control", config.host, config.control_port)?;
    let folder = config.data_dir().join(QDRANT_FOLDER);
    make_folder(&folder)?;
    let _lock =
        DirectoryLock::take(&folder, files::LOCK_FILE).map_err(|error| Error::Store(error.to_string()))?;
    // Before the ports are looked at: an orphan holds them.
    qdrant::orphan::end(&folder).await;
    // Bound and given up again: Qdrant would only say that the address is in
    // use, not by whom.
    let (http_listener, http) = ports::listen("http", config.host, config.http_port)?;
    let (grpc_listener, grpc) = ports::listen("grpc", config.host, config.grpc_port)?;
    drop((http_listener, grpc_listener));
    let ports = Ports { http, grpc, control };
    let settings = program::Settings {
        host: config.host,
        http_port: http,
        grpc_port: grpc,
        api_key: config.api_key.clone(),
        tls: config.tls_cert.clone().zip(config.tls_key.clone()),
    };
    settings.write(&folder).map_err(|source| Error::Write {
        path: folder.join(program::CONFIG_FILE),
        source,
    })?;
    tracing::info!(program = %program.display(), data = %folder.display(), "supervising Qdrant");
    let endpoints = Endpoints::local(scheme(tls.as_ref()), config.host, http, grpc);
    let launch = Launch {
        program: program.to_owned(),
        folder,
    };
    watched(
        config,
        tls,
        ports,
        endpoints,
        Some(launch),
        control_listener,
        stop,
    )
    .await
}

async fn external(config: Config, url: String, stop: CancellationToken) -> Result<()> {
    let tls = config.tls()?;
    let (control_listener, control) = ports::listen("control", config.host, config.control_port)?;
    let parsed: http::Uri = url
        .parse()
        .map_err(|error| Error::Config(format!("url {url} cannot be read: {error}")))?;
    let host = parsed.host().unwrap_or("127.0.0.1");
    let grpc_url = format!(
        "{}://{host}:{}",
        parsed.scheme_str().unwrap_or("http"),
        config.grpc_port
    );
    let ports = Ports {
        http: parsed.port_u16().unwrap_or(config.http_port),
        grpc: config.grpc_port,
        control,
    };
    tracing::info!(url, "watching a Qdrant that somebody else runs");
    let endpoints = Endpoints {
        rest_url: url,
        grpc_url,
    };
    watched(config, tls, ports, endpoints, None, control_listener, stop).await
}

async fn watched(
    config: Config,
    tls: Option<Tls>,
    ports: Ports,
    endpoints: Endpoints,
    launch: Option<Launch>,
    control_listener: TcpListener,
    stop: CancellationToken,
) -> Result<()> {
    let probe = Probe::new(
        endpoints.rest_url.clone(),
        config.api_key.clone(),
        &config.trust(),
    )?;
    let probe = match &launch {
        Some(_) => probe.and_grpc(&endpoints.grpc_url)?,
        // Whoever only names a REST address may have no other.
        None => probe,
    };
    let (sender, snapshot) = watch::channel(Snapshot::new());
    let folder = launch.as_ref().map(|launch| launch.folder.clone());
    let observed = Watched {
        snapshot: snapshot.clone(),
        probe: probe.clone(),
        folder,
        restores: AtomicU64::new(0),
    };
    let control = Control::new(Observed::Qdrant(Arc::new(observed)), endpoints);
    let (routes, reporter) = control::routes(control, Guard::new(config.api_key.clone()))?;
    let mut crew = Crew::new(&stop, tls);
    crew.grpc("control", control_listener, routes)?;
    crew.add(follow(snapshot, reporter, config, ports));
    // In this task and not among the crew: the child's end has its own
    // patience, longer than the crew's; and the kernel's death signal follows
    // the thread that started the child, which must be the main one and not a
    // worker that may go earlier.
    let supervised = qdrant::run(launch, probe, Limits::default(), sender, crew.stop.clone()).await;
    let finished = crew.stop_and_finish().await;
    tracing::info!("stopped");
    supervised.and(finished)
}

impl Crew {
    async fn stop_and_finish(self) -> Result<()> {
        self.stop.cancel();
        self.finish().await
    }
}

/// Tells health, the ports file and the log what the supervisor sees, until it ends.
async fn follow(
    mut snapshot: watch::Receiver<Snapshot>,
    reporter: tonic_health::server::HealthReporter,
    config: Config,
    ports: Ports,
) -> Result<()> {
    let mut told = false;
    loop {
        let ready = matches!(snapshot.borrow_and_update().state, State::Ready { .. });
        control::report(&reporter, if ready { Ready::Yes } else { Ready::No }).await;
        if ready && !told {
            told = true;
            tell(&config, ports)?;
            tracing::info!(
                http = ports.http,
                grpc = ports.grpc,
                control = ports.control,
                "Ready"
            );
        }
        if snapshot.changed().await.is_err() {
            return Ok(());
        }
    }
}
