//! Models on this machine's CPU. They are loaded on a thread of their own, so
//! that a search with a budget neither waits for that nor stops it.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use async_trait::async_trait;
use inference::{Info, Model, Options, Places};
use retrieval::{
    Embedder, Reranker,
    embed::{Failure, Identity},
};
use tokio::sync::watch;

use super::hub::Hub;
use crate::{
    config::{self, Cpu},
    error::Error,
};

/// Where a load has come to: nothing yet, or how it ended.
type Loading<T> = watch::Receiver<Option<Result<T, inference::Error>>>;

/// How to load a model.
type Load<T> = Arc<dyn Fn() -> Result<T, inference::Error> + Send + Sync>;

/// A model that is loaded when it is first asked for. A load that failed is
/// tried again by the next question: the files may have come.
pub(super) struct Lazy<T> {
    load: Load<T>,
    loading: Mutex<Option<Loading<T>>>,
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> Lazy<T> {
    pub(super) fn new(load: impl Fn() -> Result<T, inference::Error> + Send + Sync + 'static) -> Self {
        Self {
            load: Arc::new(load),
            loading: Mutex::new(None),
        }
    }

    /// Begins to load, unless that has been done.
    pub(super) fn start(&self) -> Loading<T> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*loading
            && !matches!(&*known.borrow(), Some(Err(_)))
        {
            return known.clone();
        }
        let (send, receive) = watch::channel(None);
        let load = Arc::clone(&self.load);
        thread::spawn(move || send.send_replace(Some(load())));
        *loading = Some(receive.clone());
        receive
    }

    pub(super) async fn get(&self) -> Result<T, inference::Error> {
        let mut loading = self.start();
        let ended = loading.wait_for(Option::is_some).await;
        let ended = ended.ok().and_then(|ended| ended.clone());
        ended.unwrap_or_else(|| {
            Err(inference::Error::Failed {
                reason: "its loading broke off".to_owned(),
            })
        })
    }
}

/// The options of a model by the configuration. A folder goes before a name on
/// the hub, which then only names it.
pub(super) fn options(dir: Option<&Path>, model: Option<&str>, cpu: &Cpu) -> Options {
    let place = match dir {
        Some(dir) => Model::Folder(dir.to_owned()),
        None => Model::Hub(model.unwrap_or_default().to_owned()),
    };
    let defaults = Options::new(place);
    Options {
        name: model.map(str::to_owned),
        runtime: match cpu.runtime {
            config::Runtime::Auto => inference::Runtime::Auto,
            config::Runtime::Onnx => inference::Runtime::Onnx,
            config::Runtime::Native => inference::Runtime::Native,
        },
        onnx_file: cpu.onnx_file.clone(),
        library: cpu.library.clone(),
        threads: cpu.threads.unwrap_or(defaults.threads),
        tokens_max: cpu.tokens_max,
        ..defaults
    }
}

/// What runs a model, after its name.
pub(super) fn describe(info: &Info) -> String {
    let without = info
        .without_onnx
        .as_ref()
        .map_or_else(String::new, |reason| format!("; without ONNX Runtime: {reason}"));
    format!(
        ", {} runtime, {} threads, window of {} tokens{without}",
        info.runtime, info.threads, info.tokens_max
    )
}

/// A local embedding model.
pub(super) struct LocalEmbedder {
    model: inference::Embedder,
}

impl LocalEmbedder {
    pub(super) fn new(model: inference::Embedder) -> Self {
        Self { model }
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let embedded = self.model.embed(texts).await.map_err(failure)?;
        truncated(embedded.truncated, self.model.info());
        Ok(embedded.vectors)
    }
}

#[async_trait]
impl Embedder for LocalEmbedder {
    fn identity(&self) -> Identity {
        let info = self.model.info();
        Identity {
            model: format!("local/{}", info.identity),
            dimension: info.dimension,
        }
    }

    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.embed(texts).await
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.embed(texts).await
    }
}

/// A local reranking model.
#[derive(Debug)]
pub(super) struct LocalReranker {
    name: String,
    model: Lazy<inference::Reranker>,
}

impl LocalReranker {
    pub(super) fn new(options: Options, hub: Hub, places: Places) -> Self {
        Self {
            name: options.name.clone().unwrap_or_else(|| options.model.to_string()),
            model: Lazy::new(move || {
                hub.load(&options, &places, || inference::Reranker::load(&options, &places))
            }),
        }
    }

    pub(super) fn start(&self) {
        let _loading = self.model.start();
    }

    /// What it is, or why it cannot be loaded.
    pub(super) async fn finding(&self) -> Result<String, Error> {
        let model = self.model.get().await?;
        Ok(format!("{}{}", model.info().identity, describe(model.info())))
    }
}

#[async_trait]
impl Reranker for LocalReranker {
    fn identity(&self) -> String {
        self.name.clone()
    }

    async fn score(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>, Failure> {
        let model = self.model.get().await.map_err(failure)?;
        let scored = model.score(query, texts).await.map_err(failure)?;
        truncated(scored.truncated, model.info());
        Ok(scored.scores)
    }
}

fn truncated(count: usize, info: &Info) {
    if count == 0 {
        return;
    }
    metrics::counter!("agentic_ide_texts_truncated_total", "model" => info.name.clone())
        .increment(count as u64);
    tracing::debug!(model = %info.name, count, tokens_max = info.tokens_max, "texts were longer than the model's window");
}

#[allow(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn failure(error: inference::Error) -> Failure {
    Failure {
        class: error.class(),
        code: error.code(),
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn loaded_once_and_again_after_a_failure() {
        let loads = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&loads);
        let model = Lazy::new(move || match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Err(inference::Error::Failed {
                reason: "first".to_owned(),
            }),
            load => Ok(load),
        });
        assert!(model.get().await.is_err());
        assert_eq!(model.get().await, Ok(1));
        assert_eq!(model.get().await, Ok(1));
        assert_eq!(loads.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_folder_goes_before_a_name() {
        let cpu = Cpu::default();
        let folder = options(Some(Path::new("/m")), Some("o/n"), &cpu);
        assert_eq!(
            (folder.model, folder.name),
            (Model::Folder("/m".into()), Some("o/n".to_owned()))
        );
        let hub = options(None, Some("o/n"), &cpu);
        assert_eq!(
            (hub.model, hub.name),
            (Model::Hub("o/n".to_owned()), Some("o/n".to_owned()))
        );
    }
}
