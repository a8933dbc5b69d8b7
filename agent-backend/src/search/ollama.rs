//! Embeddings of Ollama.

use std::sync::Arc;

use async_trait::async_trait;
use models::Ollama;
use retrieval::{
    Embedder,
    embed::{Failure, Identity},
};

use super::openai::{failure, fitting};

/// Ollama's embedding model.
pub(super) struct OllamaEmbedder {
    ollama: Arc<Ollama>,
    identity: Identity,
}

impl OllamaEmbedder {
    /// Asks for the length of the vectors.
    pub(super) async fn connect(ollama: Arc<Ollama>) -> Result<Self, models::Error> {
        let probe = ollama.embed(&["dimension".to_owned()]).await?;
        let model = ollama.options().embed_model.clone().unwrap_or_default();
        let dimension = probe.first().map_or(0, Vec::len);
        Ok(Self {
            ollama,
            identity: Identity { model, dimension },
        })
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let vectors = self.ollama.embed(&texts).await.map_err(failure)?;
        fitting(vectors, &self.identity)
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
