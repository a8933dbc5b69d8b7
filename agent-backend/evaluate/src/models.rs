//! The models of a run, from folders on this machine, and a store of vectors
//! between runs: embedding a repository takes minutes.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use inference::{Model, Places};
use retrieval::embed::{Failure, Identity};
use retrieval::identity::ContentHash;
use retrieval::{Embedder, Models, Reranker};
use shared::error::{Class, Code};

use crate::options::Options;

type Problem = Box<dyn std::error::Error>;

/// The models that the options name.
pub fn load(options: &Options) -> Result<Models, Problem> {
    let places = Places::new(|name| std::env::var_os(name));
    let model = |folder: &Path| inference::Options::new(Model::Folder(folder.to_owned()));
    let mut models = Models::default();
    if let Some(folder) = &options.embed {
        let embedder = inference::Embedder::load(&model(folder), &places)?;
        let info = embedder.info();
        eprintln!(
            "embedding: {} with {} on {} threads",
            info.name, info.runtime, info.threads
        );
        let vectors = Vectors::open(options.cache.as_deref(), info.dimension)?;
        models.embedder = Some(Arc::new(Local {
            embedder,
            vectors: Mutex::new(vectors),
        }));
    }
    if let Some(folder) = &options.rerank {
        let reranker = inference::Reranker::load(&model(folder), &places)?;
        let info = reranker.info();
        eprintln!(
            "reranking: {} with {} on {} threads",
            info.name, info.runtime, info.threads
        );
        models.reranker = Some(Arc::new(LocalReranker(reranker)));
    }
    Ok(models)
}

struct Local {
    embedder: inference::Embedder,
    vectors: Mutex<Vectors>,
}

/// Vectors by the hash of their text: 16 bytes and the numbers, little-endian.
struct Vectors {
    known: HashMap<ContentHash, Vec<f32>>,
    file: Option<File>,
}

impl Vectors {
    fn open(path: Option<&Path>, dimension: usize) -> Result<Self, Problem> {
        let mut known = HashMap::new();
        let Some(path) = path else {
            return Ok(Self { known, file: None });
        };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        for record in bytes.chunks_exact(16 + 4 * dimension) {
            let (hash, numbers) = record.split_at(16);
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let hash = ContentHash::parse(&hex).ok_or("a broken store of vectors")?;
            let (numbers, _) = numbers.as_chunks::<4>();
            known.insert(
                hash,
                numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            );
        }
        Ok(Self {
            known,
            file: Some(file),
        })
    }

    fn add(&mut self, hash: ContentHash, vector: Vec<f32>) -> std::io::Result<()> {
        if let Some(file) = &mut self.file {
            let mut record = Vec::with_capacity(16 + 4 * vector.len());
            let hex = hash.to_string();
            for at in 0..16 {
                record.push(u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap_or_default());
            }
            record.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
            file.write_all(&record)?;
        }
        self.known.insert(hash, vector);
        Ok(())
    }
}

impl Local {
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let hashes: Vec<ContentHash> = texts
            .iter()
            .map(|text| ContentHash::of(text.as_bytes()))
            .collect();
        let known = |hash: &ContentHash| {
            let vectors = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
            vectors.known.get(hash).cloned()
        };
        let mut missing: Vec<(ContentHash, String)> = hashes.iter().copied().zip(texts).collect();
        missing.retain(|(hash, _)| known(hash).is_none());
        let (keys, texts): (Vec<ContentHash>, Vec<String>) = missing.into_iter().unzip();
        if !texts.is_empty() {
            let new = self
                .embedder
                .embed(texts)
                .await
                .map_err(|error| failure(&error))?;
            let mut vectors = self.vectors.lock().unwrap_or_else(PoisonError::into_inner);
            for (hash, vector) in keys.into_iter().zip(new.vectors) {
                vectors.add(hash, vector).map_err(|error| failure(&error))?;
            }
        }
        Ok(hashes.iter().filter_map(known).collect())
    }
}

#[async_trait]
impl Embedder for Local {
    fn identity(&self) -> Identity {
        let info = self.embedder.info();
        Identity {
            model: info.name.clone(),
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

struct LocalReranker(inference::Reranker);

#[async_trait]
impl Reranker for LocalReranker {
    fn identity(&self) -> String {
        self.0.info().name.clone()
    }

    async fn score(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>, Failure> {
        let scored = self
            .0
            .score(query, texts)
            .await
            .map_err(|error| failure(&error))?;
        Ok(scored.scores)
    }
}

fn failure(error: &dyn std::error::Error) -> Failure {
    Failure {
        class: Class::Permanent,
        code: Code::EmbeddingFailed,
        message: error.to_string(),
    }
}
