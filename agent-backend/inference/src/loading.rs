//! From a folder to a model that runs: which runtime, which window, which
//! pooling, and a first run that proves it.

use std::path::{Path, PathBuf};

use crate::{
    Error, Model, Options, Places, Runtime,
    files::{Files, Finish, Pooling},
    native, onnx,
    pool::pool,
    tokens::{Reader, Text, Tokens},
    worker::Runs,
};

/// What a loaded model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// What it is called.
    pub name: String,
    /// Everything that changes its answers, after the name: pooling, window,
    /// weights. Two models of one identity give the same vectors, up to
    /// rounding, whichever runtime they use.
    pub identity: String,
    /// Where its files are.
    pub folder: PathBuf,
    /// What runs it; never [`Runtime::Auto`].
    pub runtime: Runtime,
    /// Why ONNX Runtime does not run it, if it could have been asked to.
    pub without_onnx: Option<String>,
    /// Numbers in each vector; 1 for a reranker.
    pub dimension: usize,
    /// Its window in tokens, special ones included.
    pub tokens_max: usize,
    /// Most threads that compute at once.
    pub threads: usize,
}

/// What a model is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Embed,
    Score,
}

/// What runs a model.
#[derive(Debug)]
enum Engine {
    Native(Box<native::Model>),
    Onnx(onnx::Model),
}

/// A model that can be run.
#[derive(Debug)]
pub(crate) struct Loaded {
    reader: Reader,
    engine: Engine,
    head: Head,
}

/// What becomes of the model's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Pooled(Finish),
    Score,
}

impl Runs for Loaded {
    fn read(&self, text: &Text) -> Result<Tokens, Error> {
        self.reader.read(text)
    }

    /// Vectors or scores.
    fn run(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, Error> {
        let rows = match &mut self.engine {
            Engine::Native(model) => model.run(texts),
            Engine::Onnx(model) => model.run(texts),
        }?;
        let width = |rows: &[f32], text: &Tokens| rows.len() / text.len().max(1);
        let rows: Vec<Vec<f32>> = match self.head {
            Head::Score => rows,
            Head::Pooled(finish) => {
                let pairs = rows.iter().zip(texts);
                pairs
                    .map(|(rows, text)| pool(rows, width(rows, text), finish))
                    .collect()
            }
        };
        if rows.iter().flatten().all(|value| value.is_finite()) {
            return Ok(rows);
        }
        Err(Error::failed("it answers with numbers that are not finite"))
    }
}

/// Window of a reranker unless one is asked for. What is most telling of a candidate
/// comes first in it, and twice as long a pair takes more than twice the time.
const PAIR_TOKENS: usize = 128;

/// The window of a model that has at most `model_max` tokens.
fn window(task: Task, model_max: usize, wanted: Option<usize>) -> usize {
    match (task, wanted) {
        (Task::Score, None) => model_max.min(PAIR_TOKENS),
        (Task::Score, Some(_)) | (Task::Embed, _) => model_max,
    }
}

/// Loads a model and runs it once.
pub(crate) fn load(options: &Options, places: &Places, task: Task) -> Result<(Loaded, Info), Error> {
    let folder = places.model(&options.model)?;
    let files = Files::new(folder.clone());
    let tokens_max = window(task, files.tokens_max(options.tokens_max)?, options.tokens_max);
    let reader = Reader::load(&files, tokens_max)?;
    let head = match task {
        Task::Embed => Head::Pooled(files.finish()?),
        Task::Score => Head::Score,
    };
    let Chosen {
        engine,
        runtime,
        weights,
        without_onnx,
    } = choose(options, places, &files, task)?;
    let mut loaded = Loaded { reader, engine, head };
    let dimension = dimension(&mut loaded, task)?;
    // Safetensors and ONNX of one folder are the same numbers, so that the
    // runtime does not change what a model is.
    let original = files.safetensors().unwrap_or_else(|| weights.clone());
    let fingerprint = files.fingerprint(&original)?;
    let name = options.name.clone().unwrap_or_else(|| usual_name(&options.model));
    let identity = format!(
        "{name}#{}{tokens_max}{}-{fingerprint}",
        describe(head),
        precision(&weights)
    );
    let info = Info {
        name,
        identity,
        folder,
        runtime,
        without_onnx,
        dimension,
        tokens_max,
        threads: options.threads.get(),
    };
    tracing::info!(model = %info.identity, runtime = %info.runtime, threads = info.threads, "model loaded");
    Ok((loaded, info))
}

struct Chosen {
    engine: Engine,
    runtime: Runtime,
    weights: PathBuf,
    without_onnx: Option<String>,
}

fn choose(options: &Options, places: &Places, files: &Files, task: Task) -> Result<Chosen, Error> {
    let native = |without_onnx: Option<String>| {
        let weights = files
            .safetensors()
            .ok_or_else(|| Error::missing(&files.folder, no_weights(without_onnx.as_deref())))?;
        Ok(Chosen {
            engine: Engine::Native(Box::new(native::Model::load(
                files,
                &weights,
                options.threads,
                task,
            )?)),
            runtime: Runtime::Native,
            weights,
            without_onnx,
        })
    };
    let onnx = || {
        let weights = files.onnx(options.onnx_file.as_deref()).ok_or_else(|| {
            let name = options
                .onnx_file
                .as_deref()
                .unwrap_or(Path::new("onnx/model.onnx"));
            Error::missing(&files.folder, format!("it has no {}", name.display()))
        })?;
        let library = places.library(options.library.as_deref())?;
        Ok(Chosen {
            engine: Engine::Onnx(onnx::Model::load(&weights, &library, options.threads, task)?),
            runtime: Runtime::Onnx,
            weights,
            without_onnx: None,
        })
    };
    match options.runtime {
        Runtime::Native => native(None),
        Runtime::Onnx => onnx(),
        Runtime::Auto => onnx().or_else(|error: Error| {
            // What a person names is used or complained about, not replaced.
            let has_onnx = files.onnx(None).is_some();
            if options.onnx_file.is_some() || (options.library.is_some() && has_onnx) {
                return Err(error);
            }
            native(Some(error.to_string()))
        }),
    }
}

fn no_weights(without_onnx: Option<&str>) -> String {
    match without_onnx {
        Some(reason) => format!("it has no model.safetensors, and {reason}"),
        None => "it has no model.safetensors".to_owned(),
    }
}

/// A first run: its answer's length is the dimension, and a model that cannot
/// run is known now instead of in the middle of an index.
fn dimension(loaded: &mut Loaded, task: Task) -> Result<usize, Error> {
    let text = match task {
        Task::Embed => Text::One("dimension".to_owned()),
        Task::Score => Text::Pair("question".into(), "candidate".to_owned()),
    };
    let tokens = loaded.read(&text)?;
    let rows = loaded.run(&[&tokens])?;
    let length = rows.first().map_or(0, Vec::len);
    match (task, length) {
        (_, 0) => Err(Error::failed("it answers with nothing")),
        (Task::Score, 2..) => Err(Error::failed(format!(
            "it answers with {length} labels, and a reranker has one"
        ))),
        (Task::Embed | Task::Score, length) => Ok(length),
    }
}

fn describe(head: Head) -> String {
    match head {
        Head::Score => String::new(),
        Head::Pooled(finish) => {
            let pooling = match finish.pooling {
                Pooling::Mean => "mean",
                Pooling::First => "first",
            };
            let length = if finish.unit_length { "unit" } else { "raw" };
            format!("{pooling}-{length}-")
        }
    }
}

/// An ONNX file of another name than the usual one holds other numbers, for
/// example `model_int8.onnx`.
fn precision(weights: &Path) -> String {
    match weights.file_stem().and_then(|stem| stem.to_str()) {
        Some("model") | None => String::new(),
        Some(stem) => format!("-{stem}"),
    }
}

fn usual_name(model: &Model) -> String {
    match model {
        Model::Folder(folder) => folder
            .file_name()
            .map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned()),
        Model::Hub(name) => name.split('@').next().unwrap_or(name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reranker_reads_little_unless_told() {
        let check = |task, model_max, wanted, expect| assert_eq!(window(task, model_max, wanted), expect);
        check(Task::Score, 512, None, 128);
        check(Task::Score, 40, None, 40);
        check(Task::Score, 512, Some(512), 512);
        check(Task::Embed, 256, None, 256);
    }
}
