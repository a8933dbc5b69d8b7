//! What a session with Ollama is told once.

use std::time::Duration;

use super::NumCtx;
use crate::Error;

/// How long Ollama keeps a model in memory after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAlive {
    /// Until it is told otherwise. Goes out as the number -1: the string has no
    /// unit, and older servers refuse it.
    Forever,
    /// This many seconds.
    Seconds(u32),
}

impl KeepAlive {
    /// The number Ollama reads as seconds, negative for ever.
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Forever => -1,
            Self::Seconds(seconds) => i64::from(seconds),
        }
    }
}

/// Options of a session. One `num_ctx` and one model for all calls: changing
/// either makes Ollama load the model anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OllamaOptions {
    /// Name in the configuration.
    pub name: String,
    /// Base address; a path in front of `/api` is kept.
    pub url: String,
    /// The model that answers, with its tag.
    pub model: String,
    /// Context in tokens, the same in every call.
    pub num_ctx: NumCtx,
    /// How long the models stay loaded.
    pub keep_alive: KeepAlive,
    /// The model that embeds; `None` for no embeddings.
    pub embed_model: Option<String>,
    /// Most time to open a connection.
    pub connect_timeout: Duration,
    /// Most time to load the model from cold.
    pub load_timeout: Duration,
    /// Most time from a call to the first piece of its answer when the model is
    /// loaded; reading a long prompt on a CPU takes minutes.
    pub first_byte_timeout: Duration,
    /// Most time between two pieces of an answer.
    pub idle_timeout: Duration,
    /// Most time for a question about the server itself.
    pub status_timeout: Duration,
}

impl Default for OllamaOptions {
    fn default() -> Self {
        Self {
            name: "ollama".to_owned(),
            url: "http://127.0.0.1:11434".to_owned(),
            model: "mistral:7b-instruct-v0.3-q4_K_M".to_owned(),
            num_ctx: NumCtx::Fixed(8192),
            keep_alive: KeepAlive::Forever,
            embed_model: Some("nomic-embed-text".to_owned()),
            connect_timeout: Duration::from_secs(3),
            load_timeout: Duration::from_secs(300),
            first_byte_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(60),
            status_timeout: Duration::from_secs(10),
        }
    }
}

impl OllamaOptions {
    pub(super) fn check(&self) -> Result<(), Error> {
        let reason = if self.model.trim().is_empty() {
            "the model of Ollama has no name"
        } else if self
            .embed_model
            .as_ref()
            .is_some_and(|model| model.trim().is_empty())
        {
            "the embedding model of Ollama has no name"
        } else if self.num_ctx.guess() == 0 {
            "num_ctx must be at least 1"
        } else {
            return Ok(());
        };
        Err(Error::Invalid {
            reason: reason.to_owned(),
        })
    }
}
