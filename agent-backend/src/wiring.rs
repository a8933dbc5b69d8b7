//! Builds the backend from its configuration.

use std::sync::Arc;

use models::{Ollama, OllamaOptions};
use shared::error::Class;

use crate::{
    config::Config,
    error::Error,
    runtime::{Runtime, Services},
    search::CodeSearch,
    workflows,
};

/// Opens the journal and joins the parts. Nothing runs yet.
pub fn build(config: &Config) -> Result<Runtime, Error> {
    let graphs = workflows::load(config.workflows_dir.as_deref())?;
    let ollama = Arc::new(ollama(config)?);
    let search = search(config, ollama.clone())?;
    let journal = journal::sqlite::Options::new(&config.data_dir).open()?;
    let services = Services {
        journal: Arc::new(journal),
        model: ollama,
        model_name: config.ollama.model.clone(),
        context_tokens_max: config.ollama.num_ctx,
        answer_tokens_max: config.ollama.answer_tokens_max,
        search,
        default_workspace: config.workspace.clone(),
    };
    Ok(Runtime::new(services, graphs))
}

/// The model server's client.
pub fn ollama(config: &Config) -> Result<Ollama, Error> {
    Ok(Ollama::new(OllamaOptions {
        url: config.ollama.url.clone(),
        model: config.ollama.model.clone(),
        num_ctx: config.ollama.num_ctx,
        embed_model: config.ollama.embed_model.clone(),
        ..OllamaOptions::default()
    })?)
}

/// Code search.
pub fn search(config: &Config, ollama: Arc<Ollama>) -> Result<CodeSearch, Error> {
    let options = retrieval::Options {
        qdrant_url: config.qdrant.url.clone(),
        api_key: config.qdrant.api_key.clone(),
        context_tokens: config.qdrant.context_tokens,
        ..retrieval::Options::default()
    };
    CodeSearch::new(options, ollama)
}

/// Loads the model in the background, so that the first request does not wait
/// for it. A model server that is not there yet is tried again by the requests
/// themselves; the person is told at once.
pub fn preload(runtime: &Runtime) {
    let model = runtime.services().model.clone();
    tokio::spawn(async move {
        match model.preload().await {
            Ok(loaded) => {
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
