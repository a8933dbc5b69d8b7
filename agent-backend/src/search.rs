//! Code search as the backend uses it: joins the search service with the models
//! of the configuration, which may appear or vanish while the backend runs.
//!
//! Questions and the work in the background use the same index through two
//! services: the second lets the first go ahead.

mod hub;
mod local;
mod models;
mod remote;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use retrieval::{
    CaughtUp, Change, Embedder, Embedding, Mode, Models, Notice, Options, Progress, Reach, Request,
    Retrieved, Service, Session,
    adaptive::{self, Boost},
    identity::WorkspaceId,
    queries::{self, Merged, SubQuery},
};
use shared::error::Code;
use tokio::sync::Mutex;

pub use self::models::SearchModels;
use crate::{
    error::Error,
    indexing::{Embedded, Index, quiet::Quiet, vectors::Vectors},
};

/// Code search. Cheap to clone.
#[derive(Clone)]
pub struct CodeSearch {
    options: Options,
    models: Arc<SearchModels>,
    keyword: Service,
    /// Made when the embedding model was first seen, because only then its
    /// dimension is known.
    hybrid: Arc<Mutex<Option<Hybrid>>>,
    vectors: Option<Vectors>,
    quiet: Quiet,
}

/// The same search for two kinds of callers.
#[derive(Clone)]
struct Hybrid {
    /// For who waits for an answer.
    asking: Service,
    /// For work in the background, which waits while somebody asks.
    background: Service,
}

/// The answer to several questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// How they were answered.
    pub mode: Mode,
    /// What made the answer worse than it could be, each once.
    pub notices: Vec<Notice>,
    /// Best first, each with the questions that found it.
    pub parts: Vec<Merged>,
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
            vectors: None,
            quiet: Quiet::default(),
        })
    }

    /// By words and history alone, in this process.
    pub fn without_models() -> Result<Self, Error> {
        Self::new(Options::default(), SearchModels::none())
    }

    /// The same, with vectors that were made before.
    pub fn with_vectors(self, vectors: Option<Vectors>) -> Self {
        Self { vectors, ..self }
    }

    /// Whether the vector database answers.
    pub async fn health(&self) -> Result<(), Error> {
        Ok(self.keyword.health().await?)
    }

    /// Code for `query` by the configured profile, after bringing the index up
    /// to date where nobody keeps it.
    pub async fn retrieve(&self, root: &Path, query: &str) -> Result<Retrieved, Error> {
        let request = Request {
            profile: self.options.profile.clone(),
            ..Request::new(query)
        };
        self.search(root, &request).await
    }

    /// Answers a request, after bringing the index up to date where nobody keeps it.
    pub async fn search(&self, root: &Path, request: &Request) -> Result<Retrieved, Error> {
        let _asking = self.quiet.ask();
        let (service, problem) = self.asked(request.reach).await;
        let mut found = Box::pin(service.search(root, request)).await?;
        explain(&mut found.notices, problem);
        Ok(found)
    }

    /// The workspace for several questions that need no model.
    pub async fn open(&self, root: &Path) -> Result<Session, Error> {
        Ok(Box::pin(self.keyword.open(root)).await?)
    }

    /// Its files as they are now; its words as the last question saw them.
    pub async fn look(&self, root: &Path) -> Result<Session, Error> {
        Ok(Box::pin(self.keyword.look(root)).await?)
    }

    /// Frees the memory that a workspace takes.
    pub fn close(&self, root: &Path) {
        self.keyword.close(root);
    }

    /// Answers several questions as one: the parts that each found, joined.
    pub async fn retrieve_all(
        &self,
        root: &Path,
        queries: &[SubQuery],
        boosts: &[Boost],
    ) -> Result<Joined, Error> {
        let _asking = self.quiet.ask();
        let (service, problem) = self.asked(Reach::Everything).await;
        let session = Box::pin(service.open(root)).await?;
        let mut joined: Option<Joined> = None;
        let mut answers = Vec::new();
        for query in queries {
            let request = Request {
                profile: self.options.profile.clone(),
                ..Request::new(&query.text)
            };
            let found = Box::pin(session.search(&request)).await?;
            let joined = joined.get_or_insert(Joined {
                mode: found.mode,
                notices: Vec::new(),
                parts: Vec::new(),
            });
            for notice in found.notices {
                if !joined.notices.contains(&notice) {
                    joined.notices.push(notice);
                }
            }
            answers.push(found.ranked);
        }
        let mut joined = joined.ok_or_else(|| Error::internal("no question was asked"))?;
        explain(&mut joined.notices, problem);
        joined.parts = queries::merge(queries, answers);
        adaptive::boost(&mut joined.parts, boosts);
        Ok(joined)
    }

    /// Tokens of code that are packed for the model.
    pub fn context_tokens(&self) -> usize {
        self.options.context_tokens
    }

    /// The service to ask, and why it has no embedding model if one is configured.
    async fn asked(&self, reach: Reach) -> (Service, Option<Error>) {
        let hybrid = match reach {
            Reach::Everything => self.hybrid().await,
            Reach::ThisProcess => Ok(None),
        };
        match hybrid {
            Ok(Some(hybrid)) => (hybrid.asking, None),
            Ok(None) => (self.keyword.clone(), None),
            Err(problem) => (self.keyword.clone(), Some(problem)),
        }
    }

    /// The search with the embedding model; none where none is configured.
    async fn hybrid(&self) -> Result<Option<Hybrid>, Error> {
        if !self.models.embeds() {
            return Ok(None);
        }
        let mut hybrid = self.hybrid.lock().await;
        if let Some(known) = &*hybrid {
            return Ok(Some(known.clone()));
        }
        let Some(embedder) = self.models.embedder().await? else {
            return Ok(None);
        };
        let made = Hybrid {
            asking: self.service(&embedder, None)?,
            background: self.service(&embedder, Some(self.quiet.clone()))?,
        };
        Ok(Some(hybrid.insert(made).clone()))
    }

    fn service(&self, embedder: &Arc<dyn Embedder>, quiet: Option<Quiet>) -> Result<Service, Error> {
        let models = Models {
            embedder: Some(Vectors::before(
                self.vectors.as_ref(),
                Arc::clone(embedder),
                quiet,
            )),
            reranker: self.models.reranker(),
            ..Models::default()
        };
        Ok(Service::new(self.options.clone(), models)?.sharing(&self.keyword))
    }
}

#[async_trait]
impl Index for CodeSearch {
    async fn catch_up(&self, root: &Path, change: Change) -> Result<CaughtUp, Error> {
        Ok(self.keyword.catch_up(root, change).await?)
    }

    async fn unwatch(&self, root: &Path) {
        self.keyword.unwatch(root).await;
    }

    fn embedding(&self, root: &Path, may: Embedding) {
        self.keyword.embedding(root, may);
    }

    async fn embed(
        &self,
        root: &Path,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Embedded, Error> {
        // Before the model: it need not be loaded for nothing.
        if self.models.embeds() {
            self.health().await?;
        }
        let Some(hybrid) = self.hybrid().await? else {
            return Ok(Embedded::NoModel);
        };
        match Box::pin(hybrid.background.embed(root, progress)).await {
            Ok(Some(_)) => Ok(Embedded::Complete),
            Ok(None) => Ok(Embedded::NoModel),
            Err(error) => {
                if error.code() == Code::EmbeddingFailed {
                    // The model may be another one now: it is asked anew.
                    *self.hybrid.lock().await = None;
                }
                Err(error.into())
            }
        }
    }

    async fn forget(&self, root: &Path) -> Result<(), Error> {
        self.keyword.forget(root).await?;
        if let Some(vectors) = &self.vectors {
            vectors.forget(&WorkspaceId::of(root)).await;
        }
        Ok(())
    }

    fn close(&self, root: &Path) {
        Self::close(self, root);
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
