//! Code search as the backend uses it: joins the search service with the models
//! of the configuration, which may appear or vanish while the backend runs.

mod local;
mod models;
mod ollama;
mod openai;

use std::{path::Path, sync::Arc};

use retrieval::{
    Completeness, IndexReport, Models, Notice, Options, Progress, Reach, Request, Retrieved, Service,
};
use shared::error::Code;
use tokio::sync::Mutex;

pub use self::models::SearchModels;
use crate::error::Error;

/// Code search. Cheap to clone.
#[derive(Clone)]
pub struct CodeSearch {
    options: Options,
    models: Arc<SearchModels>,
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
    pub fn new(options: Options, models: SearchModels) -> Result<Self, Error> {
        let without = Models {
            reranker: models.reranker(),
            ..Models::default()
        };
        let keyword = Service::new(options.clone(), without)?;
        Ok(Self {
            options,
            models: Arc::new(models),
            keyword,
            hybrid: Arc::default(),
            last: Arc::default(),
        })
    }

    /// Whether the vector database answers.
    pub async fn health(&self) -> Result<(), Error> {
        Ok(self.keyword.health().await?)
    }

    /// Code for `query` by the configured profile, after bringing the index up
    /// to date.
    pub async fn retrieve(&self, root: &Path, query: &str) -> Result<Retrieved, Error> {
        let request = Request {
            profile: self.options.profile.clone(),
            ..Request::new(query)
        };
        self.search(root, &request).await
    }

    /// Answers a request, after bringing the index up to date.
    pub async fn search(&self, root: &Path, request: &Request) -> Result<Retrieved, Error> {
        let (service, problem) = match request.reach {
            Reach::Everything => self.service().await,
            Reach::ThisProcess => (self.keyword.clone(), None),
        };
        let mut found = Box::pin(service.search(root, request)).await?;
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
        if !self.models.embeds() {
            return (self.keyword.clone(), None);
        }
        let mut hybrid = self.hybrid.lock().await;
        if let Some(service) = &*hybrid {
            return (service.clone(), None);
        }
        let made = match self.models.embedder().await {
            Ok(embedder) => {
                let models = Models {
                    embedder,
                    reranker: self.models.reranker(),
                    ..Models::default()
                };
                Service::new(self.options.clone(), models).map_err(Error::from)
            }
            Err(error) => Err(error),
        };
        match made {
            Ok(service) => (hybrid.insert(service).clone(), None),
            Err(error) => (self.keyword.clone(), Some(error)),
        }
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

#[cfg(test)]
mod tests;
