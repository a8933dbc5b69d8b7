//! The port to an embedding model, and what each family of models wants to see
//! in front of a text.

use std::sync::Arc;

use async_trait::async_trait;
use shared::error::{Class, Code};

use crate::identity::WorkspaceId;

/// Which model made a vector and how long the vector is. Vectors of two
/// identities are never compared; each identity has its own collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The model's name, for example `nomic-embed-text`.
    pub model: String,
    /// Numbers in each vector.
    pub dimension: usize,
}

/// Why a text could not be embedded. The embedder's owner chooses the code, so
/// that "the model is not pulled" reaches the person as that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What may be done about it.
    pub class: Class,
    /// The page that says what to do.
    pub code: Code,
    /// One sentence.
    pub message: String,
}

/// Turns texts into vectors. The texts come with the model's prefix already in
/// front; the answer holds one vector of `identity().dimension` finite numbers
/// per text, in order. Time-outs are the implementation's business.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The model and its dimension.
    fn identity(&self) -> Identity;
    /// Vectors for texts that will be searched.
    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure>;
    /// Vectors for texts that search.
    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure>;
    /// The same model for the documents of one workspace, where whose they are
    /// makes a difference.
    fn of_workspace(&self, _workspace: &WorkspaceId) -> Option<Arc<dyn Embedder>> {
        None
    }
}

/// Models that were trained with the same prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// nomic-embed-text (model card: task instruction prefixes are required).
    Nomic,
    /// mxbai-embed-large and snowflake-arctic-embed 1: queries only.
    Mxbai,
    /// snowflake-arctic-embed 2.
    Arctic2,
    /// E5 and multilingual-e5.
    E5,
    /// EmbeddingGemma.
    Gemma,
    /// Qwen3-Embedding: an instruction on queries only.
    Qwen3,
    /// No prefix: MiniLM, bge-m3, granite and everything unknown.
    Plain,
}

impl Family {
    /// The family of a model by its name, with or without owner and tag.
    pub fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or(&model);
        let starts = |prefix: &str| name.starts_with(prefix);
        if starts("nomic-embed-text") {
            Self::Nomic
        } else if starts("snowflake-arctic-embed2") || starts("snowflake-arctic-embed-l-v2") {
            Self::Arctic2
        } else if starts("mxbai-embed") || starts("snowflake-arctic-embed") {
            Self::Mxbai
        } else if starts("e5-") || starts("multilingual-e5") {
            Self::E5
        } else if starts("embeddinggemma") {
            Self::Gemma
        } else if starts("qwen3-embedding") {
            Self::Qwen3
        } else {
            Self::Plain
        }
    }

    /// What goes in front of a text that will be searched.
    pub fn document_prefix(self) -> &'static str {
        match self {
            Self::Nomic => "search_document: ",
            Self::E5 => "passage: ",
            Self::Gemma => "title: none | text: ",
            Self::Mxbai | Self::Arctic2 | Self::Qwen3 | Self::Plain => "",
        }
    }

    /// What goes in front of a text that searches.
    pub fn query_prefix(self) -> &'static str {
        match self {
            Self::Nomic => "search_query: ",
            Self::Mxbai => "Represent this sentence for searching relevant passages: ",
            Self::Arctic2 | Self::E5 => "query: ",
            Self::Gemma => "task: search result | query: ",
            Self::Qwen3 => "Instruct: Given a request for a change, retrieve the code it concerns\nQuery: ",
            Self::Plain => "",
        }
    }
}

/// Embeds documents with the model's prefix and checks the answer's shape.
pub async fn documents(embedder: &dyn Embedder, texts: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
    let identity = embedder.identity();
    let prefix = Family::of(&identity.model).document_prefix();
    let prefixed = texts.iter().map(|text| format!("{prefix}{text}")).collect();
    checked(embedder.embed_documents(prefixed).await?, texts.len(), &identity)
}

/// Embeds one query with the model's prefix and checks the answer's shape.
pub async fn query(embedder: &dyn Embedder, text: &str) -> Result<Vec<f32>, Failure> {
    let identity = embedder.identity();
    let prefix = Family::of(&identity.model).query_prefix();
    let vectors = embedder.embed_queries(vec![format!("{prefix}{text}")]).await?;
    let vectors = checked(vectors, 1, &identity)?;
    vectors
        .into_iter()
        .next()
        .ok_or_else(|| malformed(&identity, "no vector"))
}

fn checked(vectors: Vec<Vec<f32>>, expected: usize, identity: &Identity) -> Result<Vec<Vec<f32>>, Failure> {
    if vectors.len() != expected {
        let got = vectors.len();
        return Err(malformed(
            identity,
            &format!("{got} vectors for {expected} texts"),
        ));
    }
    for vector in &vectors {
        if vector.len() != identity.dimension {
            let (got, want) = (vector.len(), identity.dimension);
            return Err(malformed(
                identity,
                &format!("vectors of {got} numbers instead of {want}"),
            ));
        }
        if !vector.iter().all(|value| value.is_finite()) {
            return Err(malformed(identity, "a vector that is not finite"));
        }
    }
    Ok(vectors)
}

fn malformed(identity: &Identity, what: &str) -> Failure {
    Failure {
        class: Class::Permanent,
        code: Code::EmbeddingFailed,
        message: format!("the embedding model `{}` answered with {what}", identity.model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_by_name() {
        let check = |model: &str, expect: Family| assert_eq!(Family::of(model), expect, "{model}");
        check("nomic-embed-text", Family::Nomic);
        check("nomic-embed-text:v1.5", Family::Nomic);
        check("nomic-ai/nomic-embed-text-v1.5", Family::Nomic);
        check("mxbai-embed-large:latest", Family::Mxbai);
        check("snowflake-arctic-embed:110m", Family::Mxbai);
        check("snowflake-arctic-embed2", Family::Arctic2);
        check("intfloat/multilingual-e5-large", Family::E5);
        check("embeddinggemma", Family::Gemma);
        check("Qwen3-Embedding:0.6b", Family::Qwen3);
        check("all-minilm", Family::Plain);
        check("", Family::Plain);
    }

    #[test]
    fn answers_of_the_wrong_shape_are_refused() {
        let identity = Identity {
            model: "m".into(),
            dimension: 2,
        };
        let check = |vectors: Vec<Vec<f32>>, expect: Result<(), &str>| {
            let got = checked(vectors, 1, &identity)
                .map(|_| ())
                .map_err(|failure| failure.message);
            assert_eq!(
                got,
                expect.map_err(|what| format!("the embedding model `m` answered with {what}"))
            );
        };
        check(vec![vec![0.5, 1.0]], Ok(()));
        check(vec![], Err("0 vectors for 1 texts"));
        check(vec![vec![0.5]], Err("vectors of 1 numbers instead of 2"));
        check(vec![vec![0.5, f32::NAN]], Err("a vector that is not finite"));
    }
}
