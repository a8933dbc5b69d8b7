//! Embeddings of a model server: Ollama, or one that speaks OpenAI's interface.

use std::sync::Arc;

use async_trait::async_trait;
use models::{Ollama, OpenAiEmbeddings};
use retrieval::{
    Embedder,
    embed::{Failure, Identity},
};
use shared::error::{Class, Code};

/// Which server is asked.
pub(super) enum Server {
    Ollama(Arc<Ollama>),
    OpenAi(Box<OpenAiEmbeddings>),
}

impl Server {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, models::Error> {
        match self {
            Self::Ollama(ollama) => ollama.embed(texts).await,
            Self::OpenAi(client) => client.embed(texts).await,
        }
    }

    /// What tells its vectors from those of another model.
    fn model(&self) -> String {
        match self {
            Self::Ollama(ollama) => ollama.options().embed_model.clone().unwrap_or_default(),
            // The same name at Ollama may be another build of the model.
            Self::OpenAi(client) => format!("openai/{}", client.options().model),
        }
    }
}

/// A server's embedding model.
pub(super) struct RemoteEmbedder {
    server: Server,
    identity: Identity,
}

impl RemoteEmbedder {
    /// Asks for the length of the vectors.
    pub(super) async fn connect(server: Server) -> Result<Self, models::Error> {
        let probe = server.embed(&["dimension".to_owned()]).await?;
        let identity = Identity {
            model: server.model(),
            dimension: probe.first().map_or(0, Vec::len),
        };
        Ok(Self { server, identity })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let vectors = self.server.embed(&texts).await.map_err(failure)?;
        fitting(vectors, &self.identity)
    }
}

#[async_trait]
impl Embedder for RemoteEmbedder {
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

/// An error of a model server as the search's port wants it.
#[allow(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn failure(error: models::Error) -> Failure {
    Failure {
        class: error.class(),
        code: error.code(),
        message: error.to_string(),
    }
}

/// The vectors, if they are as long as they were when the model was first asked.
fn fitting(vectors: Vec<Vec<f32>>, identity: &Identity) -> Result<Vec<Vec<f32>>, Failure> {
    if vectors.iter().all(|vector| vector.len() == identity.dimension) {
        return Ok(vectors);
    }
    Err(Failure {
        class: Class::Permanent,
        code: Code::EmbeddingFailed,
        message: format!(
            "`{}` changed the length of its vectors: everything is embedded anew",
            identity.model
        ),
    })
}
