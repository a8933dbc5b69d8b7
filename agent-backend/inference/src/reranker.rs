//! Scores of texts against a question, both read together by the model.

use std::sync::Arc;

use crate::{
    Error, Info, Options, Places,
    loading::{self, Task},
    tokens::Text,
    worker::Worker,
};

/// Pairs that run together: few, because a caller with a budget gives up in
/// between.
const BATCH_PAIRS_MAX: usize = 4;

/// A cross-encoder with one label. Cheap to clone; the clones share one thread.
#[derive(Debug, Clone)]
pub struct Reranker {
    worker: Worker,
    info: Arc<Info>,
}

/// What [`Reranker::score`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// One finite number for each text, in order, as the model's last layer
    /// gives it; higher is better.
    pub scores: Vec<f32>,
    /// Pairs that were longer than `info().tokens_max`; the longer of the two
    /// was cut at its end.
    pub truncated: usize,
}

impl Reranker {
    /// Reads the model's files and runs it once. Blocks, for a second or so.
    ///
    /// # Errors
    /// As [`crate::Embedder::load`].
    pub fn load(options: &Options, places: &Places) -> Result<Self, Error> {
        let (model, info) = loading::load(options, places, Task::Score)?;
        Ok(Self {
            worker: Worker::start(model, BATCH_PAIRS_MAX)?,
            info: Arc::new(info),
        })
    }

    /// What was loaded.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Scores `texts` against `query`. Dropping the future stops the work after
    /// the batch under way.
    pub async fn score(&self, query: &str, texts: Vec<String>) -> Result<Scored, Error> {
        let query: Arc<str> = query.into();
        let pairs = texts.into_iter().map(|text| Text::Pair(query.clone(), text));
        let answer = self.worker.ask(pairs.collect()).await?;
        Ok(Scored {
            scores: answer.rows.into_iter().flatten().collect(),
            truncated: answer.cut,
        })
    }
}
