//! Embeddings of a server that speaks OpenAI's interface.

use async_trait::async_trait;
use models::OpenAiEmbeddings;
use retrieval::{
    Embedder,
    embed::{Failure, Identity},
};
use shared::error::{Class, Code};

/// A server's embedding model.
pub(super) struct OpenAiEmbedder {
    client: OpenAiEmbeddings,
    identity: Identity,
}

impl OpenAiEmbedder {
    /// Asks for the length of the vectors.
    pub(super) async fn connect(client: OpenAiEmbeddings) -> Result<Self, models::Error> {
        let probe = client.embed(&["dimension".to_owned()]).await?;
        // The same name at Ollama may be another build of the model.
        let model = format!("openai/{}", client.options().model);
        let dimension = probe.first().map_or(0, Vec::len);
        Ok(Self {
            client,
            identity: Identity { model, dimension },
        })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let vectors = self.client.embed(&texts).await.map_err(failure)?;
        fitting(vectors, &self.identity)
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
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
pub(super) fn failure(error: models::Error) -> Failure {
    Failure {
        class: error.class(),
        code: error.code(),
        message: error.to_string(),
    }
}

/// The vectors, if they are as long as they were when the model was first asked.
pub(super) fn fitting(vectors: Vec<Vec<f32>>, identity: &Identity) -> Result<Vec<Vec<f32>>, Failure> {
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
