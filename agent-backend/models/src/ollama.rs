//! Ollama over its native API.
//!
//! Owns: the session's one `num_ctx`, the time limits, and the knowledge
//! whether the model is loaded. Must never use the OpenAI-compatible `/v1`,
//! which ignores `num_ctx`. Which calls go through ollama-rs and which do not:
//! `docs/adr/0003-ollama-client.md`.

mod chat;
mod embed;
mod examine;
mod options;
mod settle;
mod sizing;
mod thinking;
mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use ollama_rs::error::OllamaError;
use serde::Serialize;
use tokio::{sync::OnceCell, time::Instant};

use crate::http::{self, Address, Http, STATUS_BYTES_MAX, Speaks};
use crate::{
    ChatRequest, ChunkStream, Context, Error, Finding, Health, Identity, Loaded, LoadedModel, Locality,
    Phase, Provider, Residence, ServerMemory, Thinking,
};
pub use options::{KeepAlive, OllamaOptions};
use settle::Settled;
pub use settle::{ChosenFor, Session};
pub use sizing::{NumCtx, Room};
use thinking::{Ability, Thinks};

/// The ability to call tools.
const TOOLS: &str = "tools";

/// The ability to see pictures. <https://docs.ollama.com/capabilities/vision>
const VISION: &str = "vision";

/// Bytes in a MiB.
const MIB: u64 = 1 << 20;

/// One Ollama server and one model on it. Requests may run at the same time.
#[derive(Debug)]
pub struct Ollama {
    /// As it was configured, with a guess at the context.
    provisional: Identity,
    settled: OnceCell<Settled>,
    takes_tools: OnceCell<bool>,
    sees_images: OnceCell<bool>,
    session: Option<Arc<dyn Session>>,
    residence: Residence,
    options: OllamaOptions,
    http: Http,
    client: ollama_rs::Ollama,
    /// Whether the model has answered since it last ran into a time limit; while
    /// it has not, a call may take as long as loading takes.
    warm: AtomicBool,
    /// Context found loaded by the last preload, in tokens; 0 before it.
    loaded_context: AtomicU32,
    thinks: Thinks,
}

impl Ollama {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the URL is not `http` or `https` with a host, the
    /// model has no name, or `num_ctx` is 0.
    pub fn new(options: OllamaOptions) -> Result<Self, Error> {
        options.check()?;
        let http = Http::new(&Address {
            whose: "Ollama",
            speaks: Speaks::Ollama,
            url: &options.url,
            key: None,
            headers: &[],
            ca_file: None,
            connect_timeout: options.connect_timeout,
            idle_timeout: options.idle_timeout,
        })?;
        let client = ollama_rs::Ollama::builder()
            .url(http.base().clone())
            .reqwest_client(http.client().clone())
            .build();
        Ok(Self {
            provisional: Identity {
                provider: options.name.clone(),
                model: options.model.clone(),
                context_tokens: options.num_ctx.guess(),
            },
            settled: OnceCell::new(),
            takes_tools: OnceCell::new(),
            sees_images: OnceCell::new(),
            session: None,
            residence: Residence::default(),
            options,
            http,
            client,
            warm: AtomicBool::new(false),
            loaded_context: AtomicU32::new(0),
            thinks: Thinks::default(),
        })
    }

    /// The same on this machine, so that a context can be sized by its memory.
    #[must_use]
    pub fn with_session(self, session: Arc<dyn Session>) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// The same, of a server that others ask for other models.
    #[must_use]
    pub fn with_residence(self, residence: Residence) -> Self {
        Self { residence, ..self }
    }

    /// The options it was built with.
    pub fn options(&self) -> &OllamaOptions {
        &self.options
    }

    /// Names of the pulled models, sorted.
    async fn models(&self) -> Result<Vec<String>, Error> {
        let list = self.status(self.client.list_local_models()).await?;
        let mut names: Vec<String> = list.into_iter().map(|model| model.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The models the server holds in memory, of all its clients.
    ///
    /// # Errors
    /// Of a question that the server does not answer.
    pub async fn in_memory(&self) -> Result<Vec<LoadedModel>, Error> {
        let response = self.http.get("api/ps", self.options.status_timeout).await?;
        let running: wire::Running = self.http.status_json(response).await?;
        let models = running.models.into_iter().map(|model| LoadedModel {
            name: model.name,
            vram_mb: model.size_vram / MIB,
            size_mb: model.size / MIB,
            context_length: model.context_length,
        });
        Ok(models.collect())
    }

    /// The largest context the model was trained for; `None` if the server
    /// does not tell, which is no reason to fail.
    async fn context_length_max(&self) -> Option<u64> {
        let info = self
            .status(self.client.show_model_info(self.options.model.clone()))
            .await;
        match info {
            Ok(info) => trained_for(&info.model_info),
            Err(error) => {
                tracing::debug!(%error, "no details about the model");
                None
            }
        }
    }

    /// Whether the server lists an ability of the model; one that lists none knows of
    /// none.
    async fn is_able(&self, wanted: &str) -> Result<bool, Error> {
        let model = self.options.model.clone();
        let info = self.status(self.client.show_model_info(model)).await?;
        Ok(info.capabilities.iter().any(|ability| ability == wanted))
    }

    /// Runs a call of ollama-rs within our time limit and in our errors.
    async fn status<T>(&self, call: impl Future<Output = Result<T, OllamaError>>) -> Result<T, Error> {
        let limit = self.options.status_timeout;
        match tokio::time::timeout(limit, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(OllamaError::ReqwestError(error))) => Err(self.http.failure(&error)),
            Ok(Err(
                error @ (OllamaError::JsonError(_)
                | OllamaError::InternalError(_)
                | OllamaError::ToolCallError(_)
                | OllamaError::Other(_)),
            )) => Err(self.http.stranger(&error.to_string())),
            Err(_elapsed) => Err(http::timeout(Phase::Status, limit)),
        }
    }

    /// What a call may take up to the first piece of its answer.
    fn first_byte_limit(&self) -> (Phase, std::time::Duration) {
        if self.warm.load(Ordering::Relaxed) {
            (Phase::FirstByte, self.options.first_byte_timeout)
        } else {
            (
                Phase::Load,
                self.options
                    .load_timeout
                    .saturating_add(self.options.first_byte_timeout),
            )
        }
    }

    /// Sends a call that makes the model work and waits for its answer to
    /// begin.
    async fn work(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        model: &str,
    ) -> Result<reqwest::Response, Error> {
        let (phase, limit) = self.first_byte_limit();
        let sent = self.http.post(path, body, phase, limit).await;
        // After a time limit the model may have been unloaded: the next call
        // gets the time to load it again.
        self.warm.store(sent.is_ok(), Ordering::Relaxed);
        self.http.accepted(sent?, model).await
    }

    /// Sends a batch of texts. The embedding model is loaded apart from the one
    /// that answers, so its calls always have the time to load.
    async fn embed_work(&self, body: &wire::EmbedBody<'_>) -> Result<reqwest::Response, Error> {
        let limit = self
            .options
            .load_timeout
            .saturating_add(self.options.first_byte_timeout);
        let response = self.http.post("api/embed", body, Phase::Load, limit).await?;
        self.http.accepted(response, body.model).await
    }

    fn loaded_context(&self) -> Option<u32> {
        Some(self.loaded_context.load(Ordering::Relaxed)).filter(|tokens| *tokens > 0)
    }
}

#[async_trait]
impl Provider for Ollama {
    fn identity(&self) -> &Identity {
        self.settled
            .get()
            .map_or(&self.provisional, |settled| &settled.identity)
    }

    fn locality(&self) -> Locality {
        if is_of_the_cloud(&self.options.model) {
            return Locality::Elsewhere;
        }
        self.http.locality()
    }

    async fn settle(&self) -> Result<(), Error> {
        settle::settle(self).await.map(drop)
    }

    fn reason(&self) -> Option<&str> {
        self.settled.get()?.reason.as_deref()
    }

    fn residence(&self) -> Option<&Residence> {
        Some(&self.residence)
    }

    async fn chat(&self, request: ChatRequest) -> Result<ChunkStream, Error> {
        chat::chat(self, request).await
    }

    async fn continues(&self) -> Result<bool, Error> {
        Ok(thinking::asked(self).await? == Ability::Nothing)
    }

    async fn grants(&self, wanted: Thinking) -> Thinking {
        thinking::grants(self, wanted).await
    }

    async fn takes_tools(&self) -> Result<bool, Error> {
        let find_out = || self.is_able(TOOLS);
        self.takes_tools.get_or_try_init(find_out).await.copied()
    }

    async fn sees_images(&self) -> Result<bool, Error> {
        let find_out = || self.is_able(VISION);
        self.sees_images.get_or_try_init(find_out).await.copied()
    }

    async fn preload(&self) -> Result<Loaded, Error> {
        let model = self.options.model.clone();
        let num_ctx = settle::settle(self).await?.identity.context_tokens;
        let begin = Instant::now();
        let body = wire::ChatBody::load(&self.options, num_ctx);
        let response = self
            .http
            .post("api/chat", &body, Phase::Load, self.options.load_timeout)
            .await?;
        let response = self.http.accepted(response, &model).await?;
        let done: wire::ChatLine = self.http.json(response, STATUS_BYTES_MAX).await?;
        if let Some(message) = done.error {
            return Err(Error::Failed {
                status: 200,
                message: http::server_text(&message),
            });
        }
        let load = begin.elapsed();
        let load_ms = http::millis(load);
        self.residence.answered(&model, load);
        self.warm.store(true, Ordering::Relaxed);
        let loaded = self
            .in_memory()
            .await?
            .into_iter()
            .find(|loaded| same_model(&loaded.name, &model));
        let context_length = loaded.as_ref().and_then(|loaded| loaded.context_length);
        self.loaded_context
            .store(context_length.unwrap_or(0), Ordering::Relaxed);
        let loaded = Loaded {
            num_ctx,
            context_length_max: self.context_length_max().await,
            vram_mb: loaded.map_or(0, |loaded| loaded.vram_mb),
            load_ms,
            context: Context {
                requested: num_ctx,
                loaded: context_length,
                ..Context::default()
            },
            model,
        };
        tracing::info!(model = %loaded.model, load_ms, vram_mb = loaded.vram_mb, context = %loaded.context, "model loaded");
        Ok(loaded)
    }

    async fn health(&self) -> Result<Health, Error> {
        let response = self.http.get("api/version", self.options.status_timeout).await?;
        let version: wire::Version = self.http.status_json(response).await?;
        let models = self.models().await?;
        let model = self.options.model.clone();
        let model_available = models.iter().any(|name| same_model(name, &model));
        Ok(Health {
            version: version.version,
            model,
            model_available,
            models,
        })
    }

    async fn memory(&self) -> Vec<ServerMemory> {
        vec![ServerMemory {
            server: self.http.shown().to_owned(),
            is_here: self.http.is_here(),
            models: self.in_memory().await,
        }]
    }

    async fn examine(&self) -> Vec<Finding> {
        examine::examine(self).await
    }
}

/// The largest context of a model by what its file says of itself.
fn trained_for(info: &serde_json::Map<String, serde_json::Value>) -> Option<u64> {
    let (_, tokens) = info.iter().find(|(key, _)| key.ends_with(".context_length"))?;
    tokens.as_u64()
}

/// Whether a server passes the model's questions on to Ollama's own service, which the tag
/// says: `cloud`, `120b-cloud`. <https://docs.ollama.com/cloud>
fn is_of_the_cloud(model: &str) -> bool {
    let last = model.rsplit('/').next().unwrap_or(model);
    let tag = last.rsplit_once(':').map(|(_, tag)| tag.to_ascii_lowercase());
    tag.is_some_and(|tag| tag == "cloud" || tag.ends_with("-cloud"))
}

/// Whether two names mean one model: the tag `latest` may be left out, and
/// Ollama compares without case.
fn same_model(left: &str, right: &str) -> bool {
    fn full(name: &str) -> String {
        let last = name.rsplit('/').next().unwrap_or(name);
        let name = name.to_ascii_lowercase();
        if last.contains(':') {
            name
        } else {
            name + ":latest"
        }
    }
    full(left) == full(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_model() {
        fn check(left: &str, right: &str, expect: bool) {
            assert_eq!(same_model(left, right), expect, "{left} {right}");
        }
        check("mistral", "mistral:latest", true);
        check("Mistral:7B", "mistral:7b", true);
        check("mistral:7b", "mistral", false);
        check("host:5000/own/mistral", "host:5000/own/mistral:latest", true);
        check("mistral", "mixtral", false);
    }

    #[test]
    fn a_model_of_the_cloud_runs_elsewhere() {
        fn check(url: &str, model: &str, expect: Locality) {
            let options = OllamaOptions {
                url: url.to_owned(),
                model: model.to_owned(),
                ..OllamaOptions::default()
            };
            assert_eq!(Ollama::new(options).unwrap().locality(), expect, "{model}");
        }
        let here = "http://127.0.0.1:11434";
        check(here, "mistral:7b", Locality::Machine);
        check(here, "my-cloud", Locality::Machine);
        check(here, "cloud:7b", Locality::Machine);
        check(here, "gpt-oss:120b-cloud", Locality::Elsewhere);
        check(here, "own/Qwen3-VL:Cloud", Locality::Elsewhere);
        check("http://gpu-box:11434", "mistral:7b", Locality::Network);
        check("https://ollama.com", "mistral:7b", Locality::Elsewhere);
    }
}
