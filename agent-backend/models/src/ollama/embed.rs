//! Vectors for texts. Prefixes such as `search_query:` are the caller's.

use super::{
    Ollama,
    wire::{EmbedBody, Embedded},
};
use crate::Error;

/// Most texts in one request; more gain nothing and hold the connection long.
const BATCH_TEXTS_MAX: usize = 64;

/// Largest answer: a batch of vectors of 8192 numbers of 16 digits.
const ANSWER_BYTES_MAX: usize = BATCH_TEXTS_MAX * 8192 * 16;

impl Ollama {
    /// One vector for each text, in order, all of one length, each of unit
    /// length. A text longer than the model's context is embedded by its
    /// beginning.
    ///
    /// # Errors
    /// [`Error::Invalid`] if no embedding model is configured,
    /// [`Error::ModelMissing`] if it is not pulled, [`Error::StreamBroken`] if
    /// the answer does not hold one vector for each text.
    pub async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let Some(model) = self.options.embed_model.as_deref() else {
            return Err(Error::Invalid {
                reason: "no embedding model is configured".to_owned(),
            });
        };
        let mut vectors = Vec::with_capacity(texts.len());
        for input in texts.chunks(BATCH_TEXTS_MAX) {
            let keep_alive = self.options.keep_alive.seconds();
            let body = EmbedBody {
                model,
                input,
                truncate: true,
                keep_alive,
            };
            let response = self.embed_work(&body).await?;
            let answer: Embedded = self.http.json(response, ANSWER_BYTES_MAX).await?;
            if answer.embeddings.len() != input.len() {
                let reason = format!("{} vectors for {} texts", answer.embeddings.len(), input.len());
                return Err(Error::StreamBroken { reason });
            }
            vectors.extend(answer.embeddings);
        }
        let length = vectors.first().map_or(0, Vec::len);
        if vectors
            .iter()
            .any(|vector| vector.is_empty() || vector.len() != length)
        {
            return Err(Error::StreamBroken {
                reason: "the vectors differ in length".to_owned(),
            });
        }
        Ok(vectors)
    }
}
