//! Builds the backend from its configuration.

use std::{sync::Arc, time::Duration};

use engine::ports::Journal;
use models::{NumCtx, Ollama, OllamaOptions};
use shared::error::{Class, Code};

use crate::{
    config::{self, Config, Provider},
    error::Error,
    indexing::{Indexing, vectors::Vectors},
    memory::Memory,
    providers::Models,
    runtime::{Answers, Runtime, Servers, Services},
    search::{CodeSearch, SearchModels},
    sizes::Sizes,
    spool,
    trials::Trials,
    workflows,
};

/// File in the data folder that keeps vectors.
const VECTORS: &str = "vectors.sqlite";

/// Smallest context that is chosen, in tokens, unless the model was trained for
/// less.
const CONTEXT_MIN: u32 = 4_096;

/// Shortest lease: a shorter one would end whenever the machine is busy.
const LEASE_MS_MIN: u64 = 500;

/// Opens the journal and joins the parts. Nothing runs yet.
pub async fn build(config: &Config) -> Result<Runtime, Error> {
    let graphs = workflows::load(config.workflows_dir.as_deref())?;
    config
        .memory
        .check()
        .map_err(|reason| Error::user(Code::ConfigInvalid, reason))?;
    let ollama = Arc::new(ollama(config)?);
    let models = Models::new(config, ollama.clone())?;
    let search = search(config, ollama)?;
    let indexing = Indexing::new(Arc::new(search.clone()), &config.data_dir);
    let journal = journal(config).await?;
    spool::tidy(&config.data_dir);
    let services = Services {
        journal,
        pressure: Arc::default(),
        data_dir: config.data_dir.clone(),
        models,
        memory: Memory::new(&config.memory),
        runs: Arc::default(),
        said: Arc::default(),
        answers: Answers::open(&config.data_dir),
        answer_tokens_max: config.ollama.answer_tokens_max,
        search,
        indexing,
        retrieval: config.retrieval.clone(),
        editors: Arc::default(),
        trials: Arc::new(Trials::new(config)),
        tools: Arc::new(Servers::new(config)?),
        default_workspace: config.workspace.clone(),
    };
    Ok(Runtime::new(services, graphs))
}

/// The journal: in the data folder, or in a database that others share.
async fn journal(config: &Config) -> Result<Arc<dyn Journal>, Error> {
    let Some(url) = &config.journal.url else {
        return Ok(Arc::new(journal::sqlite::Options::new(&config.data_dir).open()?));
    };
    let config::Journal { lease_ms, .. } = config.journal;
    if lease_ms < LEASE_MS_MIN {
        let message = format!("`journal.lease_ms` is {lease_ms}; at least {LEASE_MS_MIN} are possible");
        return Err(Error::user(Code::ConfigInvalid, message));
    }
    std::fs::create_dir_all(&config.data_dir).map_err(|error| {
        Error::user(
            Code::ConfigInvalid,
            format!("{}: {error}", config.data_dir.display()),
        )
    })?;
    let options = journal::postgres::Options {
        lease: Duration::from_millis(lease_ms),
        ..journal::postgres::Options::new(url)
    };
    Ok(Arc::new(options.open().await?))
}

/// The model server's client.
pub fn ollama(config: &Config) -> Result<Ollama, Error> {
    Ok(Ollama::new(OllamaOptions {
        url: config.ollama.url.clone(),
        model: config.ollama.model.clone(),
        num_ctx: context(config, config.ollama.num_ctx),
        embed_model: embed_model(config),
        ..OllamaOptions::default()
    })?
    .with_session(Arc::new(Sizes::new(config))))
}

/// The context of an Ollama as it is configured.
pub fn context(config: &Config, num_ctx: config::NumCtx) -> NumCtx {
    let config::Ollama {
        num_ctx_max: max,
        answer_tokens_max: answer,
        ..
    } = config.ollama;
    match num_ctx {
        config::NumCtx::Tokens(num_ctx) => NumCtx::Fixed(num_ctx),
        // A question needs as much room as its answer.
        config::NumCtx::Auto => NumCtx::Auto {
            min: answer.saturating_mul(2).max(CONTEXT_MIN),
            max,
        },
    }
}

/// The model that Ollama embeds with, if it is Ollama that embeds.
fn embed_model(config: &Config) -> Option<String> {
    let embedding = &config.retrieval.embedding;
    match embedding.provider {
        Provider::Ollama => embedding
            .model
            .clone()
            .or_else(|| config.ollama.embed_model.clone()),
        Provider::OpenAi | Provider::Local | Provider::None => None,
    }
}

/// Code search.
pub fn search(config: &Config, ollama: Arc<Ollama>) -> Result<CodeSearch, Error> {
    let models = SearchModels::new(config, ollama)?;
    let options = retrieval::Options {
        profile: config.retrieval.named(&config.retrieval.profile)?,
        qdrant_url: config.qdrant.url.clone(),
        api_key: config.qdrant.api_key.clone(),
        context_tokens: config.qdrant.context_tokens,
        ..retrieval::Options::default()
    };
    let vectors = Vectors::open(&config.data_dir.join(VECTORS));
    Ok(CodeSearch::new(options, models)?.with_vectors(vectors))
}

/// Loads the model that plans in the background, so that the first request does
/// not wait for it. A model server that is not there yet is tried again by the requests
/// themselves; the person is told at once.
pub fn preload(runtime: &Runtime) {
    let model = runtime.services().models.orchestrator().provider().clone();
    let memory = runtime.services().memory.clone();
    tokio::spawn(async move {
        match model.preload().await {
            Ok(loaded) => {
                memory.loaded();
                if let Err(error) = loaded.context.check() {
                    tracing::warn!(code = %error.code(), %error, "the context window is not what was asked for");
                }
            }
            Err(error) if error.class() == Class::Transient => {
                tracing::warn!(code = %error.code(), %error, "the model is not loaded yet");
            }
            Err(error) => tracing::error!(code = %error.code(), %error, "the model cannot be loaded"),
        }
    });
}
