//! Code search as the backend uses it: joins the search service with Ollama's
//! embedding model, which may appear or vanish while the backend runs.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use models::Ollama;
use retrieval::{
    Completeness, Embedder, IndexReport, Models, Notice, Options, Progress, Retrieved, Service,
    embed::{Failure, Identity},
};
use shared::error::Code;
use tokio::sync::Mutex;

use crate::error::Error;

/// Code search. Cheap to clone.
#[derive(Clone)]
pub struct CodeSearch {
    options: Options,
    ollama: Arc<Ollama>,
    keyword: Service,
    /// Made when the embedding model was first seen, because only then its
    /// dimension is known.
    hybrid: Arc<Mutex<Option<Service>>>,
    last: Arc<Mutex<Option<IndexReport>>>,
}

/// What is known of a workspace's index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexStatus {
    /// `idle`, `ready` or `unavailable`.
    pub state: &'static str,
    /// Files in it.
    pub files: u64,
    /// Chunks written by the last run.
    pub chunks: u64,
    /// For a person.
    pub detail: String,
}

impl CodeSearch {
    /// Connects to nothing yet.
    pub fn new(options: Options, ollama: Arc<Ollama>) -> Result<Self, Error> {
        let keyword = Service::new(options.clone(), Models::default())?;
        Ok(Self {
            options,
            ollama,
            keyword,
            hybrid: Arc::default(),
            last: Arc::default(),
        })
    }

    /// Whether the vector database answers.
    pub async fn health(&self) -> Result<(), Error> {
        Ok(self.keyword.health().await?)
    }

    /// Code for `query`, after bringing the index up to date.
    pub async fn retrieve(&self, root: &Path, query: &str) -> Result<Retrieved, Error> {
        let (service, problem) = self.service().await;
        let mut found = Box::pin(service.retrieve(root, query)).await?;
        explain(&mut found.notices, problem);
        Ok(found)
    }

    /// Brings the index of a workspace up to date.
    pub async fn index(
        &self,
        root: &Path,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<IndexReport, Error> {
        let (service, problem) = self.service().await;
        let mut report = Box::pin(service.index(root, progress)).await?;
        explain(&mut report.notices, problem);
        *self.last.lock().await = Some(report.clone());
        Ok(report)
    }

    /// What is known without asking anybody but the vector database.
    pub async fn index_status(&self, _workspace: &str) -> Result<IndexStatus, Error> {
        if let Err(error) = self.health().await {
            return Ok(IndexStatus {
                state: "unavailable",
                files: 0,
                chunks: 0,
                detail: error.to_string(),
            });
        }
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(match &*self.last.lock().await {
            None => IndexStatus {
                state: "idle",
                files: 0,
                chunks: 0,
                detail: "indexed with the next request".to_owned(),
            },
            Some(report) => IndexStatus {
                state: "ready",
                files: count(report.files_total),
                chunks: count(report.chunks_written),
                detail: match report.completeness {
                    Completeness::Complete => "complete".to_owned(),
                    Completeness::Partial => "partly embedded; the next request goes on".to_owned(),
                },
            },
        })
    }

    /// The service to use, and why it has no embedding model if one is configured.
    async fn service(&self) -> (Service, Option<Error>) {
        if self.ollama.options().embed_model.is_none() {
            return (self.keyword.clone(), None);
        }
        let mut hybrid = self.hybrid.lock().await;
        if let Some(service) = &*hybrid {
            return (service.clone(), None);
        }
        let made = match self.embedder().await {
            Ok(embedder) => {
                let models = Models {
                    embedder: Some(Arc::new(embedder)),
                    ..Models::default()
                };
                Service::new(self.options.clone(), models).map_err(Error::from)
            }
            Err(error) => Err(error.into()),
        };
        match made {
            Ok(service) => (hybrid.insert(service).clone(), None),
            Err(error) => (self.keyword.clone(), Some(error)),
        }
    }

    async fn embedder(&self) -> Result<OllamaEmbedder, models::Error> {
        let probe = self.ollama.embed(&["dimension".to_owned()]).await?;
        let model = self.ollama.options().embed_model.clone().unwrap_or_default();
        let dimension = probe.first().map_or(0, Vec::len);
        Ok(OllamaEmbedder {
            ollama: self.ollama.clone(),
            identity: Identity { model, dimension },
        })
    }
}

/// Says why the embedding model was not used, instead of that there is none.
fn explain(notices: &mut Vec<Notice>, problem: Option<Error>) {
    let Some(problem) = problem else { return };
    notices.retain(|notice| notice.code != Code::EmbeddingFailed);
    let message = format!("{problem}; the search used keywords and history alone");
    notices.push(Notice {
        code: problem.code,
        message,
    });
}

impl std::fmt::Debug for CodeSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeSearch")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

struct OllamaEmbedder {
    ollama: Arc<Ollama>,
    identity: Identity,
}

impl OllamaEmbedder {
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let vectors = self.ollama.embed(&texts).await.map_err(|error| Failure {
            class: error.class(),
            code: error.code(),
            message: error.to_string(),
        })?;
        let fits = |vector: &Vec<f32>| vector.len() == self.identity.dimension;
        if vectors.iter().all(fits) {
            return Ok(vectors);
        }
        Err(Failure {
            class: shared::error::Class::Permanent,
            code: Code::EmbeddingFailed,
            message: format!(
                "`{}` changed the length of its vectors: restart the backend",
                self.identity.model
            ),
        })
    }
}

#[async_trait]
impl Embedder for OllamaEmbedder {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.embed(texts).await
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.embed(texts).await
    }
}
