//! What a caller says about a model.

use std::{fmt, num::NonZeroUsize, path::PathBuf, thread};

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// A folder with `config.json`, `tokenizer.json` and weights.
    Folder(PathBuf),
    /// A name on the hub, `owner/name` or `owner/name@revision`, whose files
    /// some program has put into the hub's cache.
    Hub(String),
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Hub(name) => f.write_str(name),
        }
    }
}

/// What runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Runtime {
    /// ONNX Runtime where its library and an ONNX file are there, else ours.
    #[default]
    Auto,
    /// ONNX Runtime, on an ONNX file.
    Onnx,
    /// Our own, on safetensors.
    Native,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Onnx => "onnx",
            Self::Native => "native",
        })
    }
}

/// How to load a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where it is.
    pub model: Model,
    /// What to call it; by default the last part of the folder or of the name
    /// on the hub. Part of the vectors' identity.
    pub name: Option<String>,
    /// What runs it.
    pub runtime: Runtime,
    /// ONNX file, below the model's folder; by default `onnx/model.onnx` or
    /// `model.onnx`.
    pub onnx_file: Option<PathBuf>,
    /// The ONNX Runtime library: the file, or a folder that holds it, such as a
    /// Python environment with `onnxruntime`.
    pub library: Option<PathBuf>,
    /// Most threads that compute at once.
    pub threads: NonZeroUsize,
    /// Window in tokens, at most what the model says; by default that, and for a
    /// reranker 128 at most.
    pub tokens_max: Option<usize>,
}

impl Options {
    /// The defaults for a model: half the cores, at least one.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            name: None,
            runtime: Runtime::default(),
            onnx_file: None,
            library: None,
            threads: default_threads(),
            tokens_max: None,
        }
    }
}

fn default_threads() -> NonZeroUsize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
}
