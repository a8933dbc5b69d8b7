//! Embeddings over OpenAI's interface (`POST /embeddings`), which vLLM, TEI,
//! llama.cpp, LM Studio and the hosted services speak.
//!
//! Owns: the size of a request and the shape of an answer. The key goes into a
//! header and nowhere else.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Key, Phase,
    http::{Address, Http, Speaks, timeout},
};

/// Most texts in one request that may be configured; the interface's own limit.
const BATCH_TEXTS_MAX: usize = 2_048;

/// Largest answer for each text: 8 192 numbers of 24 digits.
const ANSWER_BYTES_PER_TEXT: usize = 8_192 * 24;

/// How to reach a server and what to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAiOptions {
    /// Address up to `/embeddings`, for example `https://api.openai.com/v1`.
    pub url: String,
    /// The model.
    pub model: String,
    /// The key, where the server wants one.
    pub key: Option<Key>,
    /// Length of the vectors, for models that can shorten them.
    pub dimensions: Option<usize>,
    /// Texts in one request.
    pub batch: usize,
    /// Most time to open a connection.
    pub connect_timeout: Duration,
    /// Most time for one request; a server may load the model first.
    pub timeout: Duration,
}

impl OpenAiOptions {
    /// The defaults for a server and a model.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key: None,
            dimensions: None,
            batch: 64,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(120),
        }
    }
}

/// An embedding server and one model on it.
#[derive(Debug)]
pub struct OpenAiEmbeddings {
    options: OpenAiOptions,
    http: Http,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    index: usize,
    embedding: Vec<f32>,
}

impl OpenAiEmbeddings {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the URL, the model, the batch or the key cannot be
    /// used.
    pub fn new(options: OpenAiOptions) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Invalid { reason };
        if options.model.trim().is_empty() {
            return Err(invalid(
                "the model of the embedding server has no name".to_owned(),
            ));
        }
        if !(1..=BATCH_TEXTS_MAX).contains(&options.batch) {
            return Err(invalid(format!("a batch must be 1 to {BATCH_TEXTS_MAX} texts")));
        }
        let http = Http::new(&Address {
            whose: "the embedding server",
            speaks: Speaks::OpenAi,
            url: &options.url,
            key: options.key.as_ref(),
            headers: &[],
            ca_file: None,
            connect_timeout: options.connect_timeout,
            idle_timeout: options.timeout,
        })?;
        Ok(Self { options, http })
    }

    /// The options it was built with.
    pub fn options(&self) -> &OpenAiOptions {
        &self.options
    }

    /// One vector for each text, in order, all of one length. An empty text,
    /// which the interface refuses, is sent as a blank.
    ///
    /// # Errors
    /// [`Error::NoServer`], [`Error::KeyRefused`], [`Error::ModelUnknown`],
    /// [`Error::Overloaded`] with the time to wait, [`Error::Refused`] for a
    /// text that is too long, [`Error::StreamBroken`] if the answer does not
    /// hold one vector for each text.
    pub async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let mut vectors = Vec::with_capacity(texts.len());
        for texts in texts.chunks(self.options.batch) {
            let work = self.batch(texts);
            let limit = self.options.timeout;
            let answer = tokio::time::timeout(limit, work).await;
            vectors.extend(answer.map_err(|_elapsed| timeout(Phase::FirstByte, limit))??);
        }
        let length = vectors.first().map_or(0, Vec::len);
        if vectors
            .iter()
            .any(|vector| vector.is_empty() || vector.len() != length)
        {
            return Err(Error::broken("the vectors differ in length"));
        }
        Ok(vectors)
    }

    async fn batch(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let input: Vec<String> = texts
            .iter()
            .map(|text| {
                if text.is_empty() {
                    " ".to_owned()
                } else {
                    text.clone()
                }
            })
            .collect();
        let request = Request {
            model: &self.options.model,
            input: &input,
            encoding_format: "float",
            dimensions: self.options.dimensions,
        };
        let limit = self.options.timeout;
        let response = self
            .http
            .post("embeddings", &request, Phase::FirstByte, limit)
            .await?;
        let response = self.http.accepted(response, &self.options.model).await?;
        let bytes_max = ANSWER_BYTES_PER_TEXT * texts.len();
        let mut answer: Answer = self.http.json(response, bytes_max).await?;
        // The interface promises no order.
        answer.data.sort_by_key(|row| row.index);
        let places: BTreeSet<usize> = answer.data.iter().map(|row| row.index).collect();
        if answer.data.len() != texts.len() || !places.into_iter().eq(0..texts.len()) {
            let count = answer.data.len();
            return Err(Error::broken(format!(
                "{count} vectors for {} texts",
                texts.len()
            )));
        }
        Ok(answer.data.into_iter().map(|row| row.embedding).collect())
    }
}
