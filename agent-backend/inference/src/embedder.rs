//! Vectors of texts.

use std::sync::Arc;

use crate::{
    Error, Info, Options, Places,
    loading::{self, Task},
    tokens::Text,
    worker::Worker,
};

/// Texts that run together; more gain nothing on a CPU.
const BATCH_TEXTS_MAX: usize = 8;

/// An embedding model. Cheap to clone; the clones share one thread.
#[derive(Debug, Clone)]
pub struct Embedder {
    worker: Worker,
    info: Arc<Info>,
}

/// What [`Embedder::embed`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One vector of `info().dimension` finite numbers for each text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// Texts that were longer than `info().tokens_max` and whose end the model
    /// did not see.
    pub truncated: usize,
}

impl Embedder {
    /// Reads the model's files and runs it once. Blocks, for a second or so.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unusable`] and [`Error::Library`] say what
    /// the person can change; [`Error::Failed`] if the model does not run.
    pub fn load(options: &Options, places: &Places) -> Result<Self, Error> {
        let (model, info) = loading::load(options, places, Task::Embed)?;
        Ok(Self {
            worker: Worker::start(model, BATCH_TEXTS_MAX)?,
            info: Arc::new(info),
        })
    }

    /// What was loaded.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Vectors for texts, which are embedded as they are. Dropping the future
    /// stops the work after the batch under way.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Embedded, Error> {
        let texts = texts.into_iter().map(Text::One).collect();
        let answer = self.worker.ask(texts).await?;
        Ok(Embedded {
            vectors: answer.rows,
            truncated: answer.cut,
        })
    }
}
