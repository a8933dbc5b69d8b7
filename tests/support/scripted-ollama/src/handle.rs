//! A running server, as tests hold it.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::runtime::Runtime;

use crate::{
    gate::Gate,
    proxy::{self, Recording},
    record::{Record, Recorder},
    script::{Compiled, Keys, Kind, ModelSpec, Script, ScriptSource},
    seed::Seed,
    server::{self, Calls, Models, Server},
};

/// Most time that stopping takes; its tasks only wait, so it takes none.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The script cannot be used.
    #[error("the script cannot be used: {0}")]
    Script(String),
    /// What is recorded cannot be written.
    #[error("nothing can be recorded: {0}")]
    Recording(String),
    /// The port cannot be had, or threads cannot be started.
    #[error("the server cannot start: {0}")]
    Start(#[from] io::Error),
}

/// What a server is started with.
#[derive(Debug, Default)]
pub struct Builder {
    models: Vec<ModelSpec>,
    script: Option<ScriptSource>,
    tokens_per_second: f64,
    port: u16,
    keys: Keys,
    seed: Option<Seed>,
    script_dir: PathBuf,
    recording: Option<Recording>,
}

impl Builder {
    /// Adds a pulled model that answers.
    #[must_use]
    pub fn model(self, name: impl Into<String>) -> Self {
        self.model_spec(ModelSpec::new(name, Kind::Chat))
    }

    /// Adds a pulled model that embeds.
    #[must_use]
    pub fn embedding_model(self, name: impl Into<String>) -> Self {
        self.model_spec(ModelSpec::new(name, Kind::Embedding))
    }

    /// Adds a model.
    #[must_use]
    pub fn model_spec(mut self, spec: ModelSpec) -> Self {
        self.models.push(spec);
        self
    }

    /// Sets the script: YAML, or a [`Script`]. Its models come on top of those
    /// added here.
    #[must_use]
    pub fn script(mut self, script: impl Into<ScriptSource>) -> Self {
        self.script = Some(script.into());
        self
    }

    /// Sets the rate of all answers; 0, the default, is as fast as it goes.
    #[must_use]
    pub fn tokens_per_second(mut self, rate: f64) -> Self {
        self.tokens_per_second = rate;
        self
    }

    /// Sets the key that requests in OpenAI's format must bring.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.keys.openai = Some(key.into());
        self
    }

    /// Sets the keys that requests must bring; the script's go first.
    #[must_use]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Sets the directory from which a script names recorded exchanges; the
    /// current one without.
    #[must_use]
    pub fn script_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.script_dir = dir.into();
        self
    }

    /// Records a real server in place of answering from a script.
    #[must_use]
    pub fn record(mut self, recording: Recording) -> Self {
        self.recording = Some(recording);
        self
    }

    /// Lets calls go wrong as the seed has it.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the port on 127.0.0.1; 0, the default, takes a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts the server. It runs on a thread of its own, so it neither needs
    /// nor disturbs the runtime of the test.
    pub async fn start(self) -> Result<ScriptedOllama, Error> {
        self.start_blocking()
    }

    /// [`Builder::start`] for programs without a runtime.
    pub fn start_blocking(self) -> Result<ScriptedOllama, Error> {
        let script = match self.script {
            None => Script::default(),
            Some(ScriptSource::Built(script)) => script,
            Some(ScriptSource::Yaml(yaml)) => Script::parse(&yaml).map_err(Error::Script)?,
        };
        let compiled = Compiled::new(&script, &self.script_dir).map_err(Error::Script)?;
        let mut models = self.models;
        models.extend(script.models);
        let server = Arc::new(Server {
            recorder: Recorder::new(),
            gate: Gate::new(),
            models: Mutex::new(Models::new(models, script.vram_mb)),
            script: Mutex::new(compiled),
            faults: script.fault,
            calls: Mutex::new(Calls::new(self.seed.map(Seed::plan))),
            tokens_per_second: self.tokens_per_second,
            keys: Keys {
                openai: script.keys.openai.or(self.keys.openai),
                anthropic: script.keys.anthropic.or(self.keys.anthropic),
                gemini: script.keys.gemini.or(self.keys.gemini),
            },
        });
        let app = match self.recording {
            None => server::app(server.clone()),
            Some(recording) => proxy::app(recording).map_err(Error::Recording)?,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("scripted-ollama")
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the scripted server stopped");
            }
        });
        Ok(ScriptedOllama {
            address,
            server,
            runtime: Some(runtime),
        })
    }
}

/// A running server. Dropping it stops it and breaks all connections.
pub struct ScriptedOllama {
    address: SocketAddr,
    server: Arc<Server>,
    runtime: Option<Runtime>,
}

impl fmt::Debug for ScriptedOllama {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedOllama")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ScriptedOllama {
    /// Begins to describe a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The base address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Record> {
        self.server.recorder.all()
    }

    /// What is wrong with the script, as requests found out; empty if all is
    /// well. A test ends well only with this empty.
    pub fn script_errors(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter_map(|record| record.script_error)
            .collect()
    }

    /// Waits until the requests satisfy `until`, and returns them.
    pub async fn wait_for(&self, until: impl Fn(&[Record]) -> bool) -> Vec<Record> {
        let mut changes = self.server.recorder.changes();
        loop {
            let records = self.requests();
            // The sender lives in `self`, so waiting for a change cannot fail.
            if until(&records) || changes.changed().await.is_err() {
                return records;
            }
        }
    }

    /// The gate in front of every streamed line. Open until it is closed.
    pub fn gate(&self) -> Gate {
        self.server.gate.clone()
    }

    /// Stops at once, as a killed server does: all connections break, and the
    /// port is free when this returns. The records stay readable.
    pub fn abort(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for a runtime is not allowed on a thread of another one.
            let waiting = std::thread::spawn(move || runtime.shutdown_timeout(STOP_TIME_MAX));
            if waiting.join().is_err() {
                tracing::error!("the scripted server did not stop cleanly");
            }
        }
    }
}

impl Drop for ScriptedOllama {
    fn drop(&mut self) {
        self.abort();
    }
}
