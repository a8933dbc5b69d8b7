//! The models that search uses, from the configuration: found when they are
//! first needed, because a server may come up later and a local model takes a
//! second to load.

use std::{env, sync::Arc, time::Duration};

use inference::Places;
use models::{Ollama, OpenAiEmbeddings, OpenAiOptions};
use retrieval::{Embedder, Reranker};
use shared::error::{Class, Code};

use super::{
    hub::Hub,
    local::{self, LocalEmbedder, LocalReranker},
    remote::{RemoteEmbedder, Server},
};
use crate::{
    config::{self, Config, Provider},
    error::Error,
    keys,
};

/// Folder in the data folder for models that were fetched.
const MODELS: &str = "models";
/// A question does not wait longer for a model, which may be on its way from
/// the hub.
const LOAD_WAIT_MAX: Duration = Duration::from_secs(10);

/// The models of a configuration.
#[derive(Debug)]
pub struct SearchModels {
    embedding: Embedding,
    reranker: Option<Arc<LocalReranker>>,
}

#[derive(Debug)]
enum Embedding {
    None,
    Ollama(Arc<Ollama>),
    OpenAi(Box<config::Embedding>),
    Local(local::Lazy<inference::Embedder>),
}

impl SearchModels {
    /// Reads the configuration; connects to nothing and loads nothing.
    pub fn new(config: &Config, ollama: Arc<Ollama>) -> Result<Self, Error> {
        let embedding = &config.retrieval.embedding;
        embedding
            .check()
            .map_err(|reason| Error::user(Code::ConfigInvalid, reason))?;
        let hub = Hub::new(config.data_dir.join(MODELS), |name| env::var(name).ok());
        let places = hub.places(Places::new(|name| env::var_os(name)));
        let embedding = match embedding.provider {
            Provider::None => Embedding::None,
            Provider::Ollama if ollama.options().embed_model.is_none() => Embedding::None,
            Provider::Ollama => Embedding::Ollama(ollama),
            Provider::OpenAi => Embedding::OpenAi(Box::new(embedding.clone())),
            Provider::Local => {
                let options = local::options(
                    embedding.dir.as_deref(),
                    embedding.model.as_deref(),
                    &embedding.cpu,
                );
                let (hub, places) = (hub.clone(), places.clone());
                Embedding::Local(local::Lazy::new(move || {
                    hub.load(&options, &places, || inference::Embedder::load(&options, &places))
                }))
            }
        };
        let rerank = &config.retrieval.rerank;
        let reranker = (rerank.dir.is_some() || rerank.model.is_some()).then(|| {
            let options = local::options(rerank.dir.as_deref(), rerank.model.as_deref(), &rerank.cpu);
            Arc::new(LocalReranker::new(options, hub.clone(), places.clone()))
        });
        Ok(Self { embedding, reranker })
    }

    /// No model.
    pub fn none() -> Self {
        Self {
            embedding: Embedding::None,
            reranker: None,
        }
    }

    /// Whether there is an embedding model by the configuration.
    pub fn embeds(&self) -> bool {
        !matches!(self.embedding, Embedding::None)
    }

    /// The embedding model, after asking it for its dimension; none if none is
    /// configured.
    pub async fn embedder(&self) -> Result<Option<Arc<dyn Embedder>>, Error> {
        Ok(match &self.embedding {
            Embedding::None => None,
            Embedding::Ollama(ollama) => {
                let server = Server::Ollama(Arc::clone(ollama));
                Some(Arc::new(RemoteEmbedder::connect(server).await?))
            }
            Embedding::OpenAi(config) => {
                let server = Server::OpenAi(Box::new(OpenAiEmbeddings::new(openai(config)?)?));
                Some(Arc::new(RemoteEmbedder::connect(server).await?))
            }
            Embedding::Local(model) => {
                let loaded = tokio::time::timeout(LOAD_WAIT_MAX, model.get()).await;
                Some(Arc::new(LocalEmbedder::new(loaded.map_err(|_| loading())??)))
            }
        })
    }

    /// The reranking model, if one is configured. It begins to load, so that
    /// the first search may have it already.
    pub fn reranker(&self) -> Option<Arc<dyn Reranker>> {
        let reranker = self.reranker.clone()?;
        reranker.start();
        Some(reranker)
    }

    /// What there is, or why not, for a person: the embedding model, then the
    /// reranking model.
    pub async fn findings(&self) -> [Result<String, Error>; 2] {
        let none = |what: &str| Ok(format!("none is configured: {what}"));
        let embedding = match self.embedder().await {
            Ok(Some(embedder)) => {
                let identity = embedder.identity();
                Ok(format!(
                    "{}, {} numbers{}",
                    identity.model,
                    identity.dimension,
                    self.runtime().await
                ))
            }
            Ok(None) => none("search goes by words and history alone"),
            Err(error) => Err(error),
        };
        let reranking = match &self.reranker {
            Some(reranker) => reranker.finding().await,
            None => none("results stay in the order of the search"),
        };
        [embedding, reranking]
    }

    async fn runtime(&self) -> String {
        match &self.embedding {
            Embedding::Local(model) => match model.get().await {
                Ok(model) => local::describe(model.info()),
                Err(_) => String::new(),
            },
            Embedding::None | Embedding::Ollama(_) | Embedding::OpenAi(_) => String::new(),
        }
    }
}

fn loading() -> Error {
    Error {
        class: Class::Transient,
        code: Code::EmbeddingFailed,
        message: "the embedding model is still being loaded, or fetched from the hub".to_owned(),
    }
}

fn openai(config: &config::Embedding) -> Result<OpenAiOptions, Error> {
    let given = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut options = OpenAiOptions::new(given(&config.url), given(&config.model));
    let (variable, file) = (config.key_env.as_deref(), config.key_file.as_deref());
    options.key = keys::read(variable, file, "the embedding server")?;
    options.dimensions = config.dimensions;
    options.batch = config.batch.unwrap_or(options.batch);
    Ok(options)
}
