//! Which models search uses besides words and history: one that embeds, one
//! that reranks. What does not fit together is refused with the key's name.

use std::{num::NonZeroUsize, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Who embeds texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The Ollama of this configuration.
    #[default]
    Ollama,
    /// A server that speaks OpenAI's `/embeddings`.
    OpenAi,
    /// A model on this machine's CPU, in this process.
    Local,
    /// Nobody: search goes by words and history alone.
    None,
}

/// What runs a local model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// ONNX Runtime where it can be had, else our own.
    #[default]
    Auto,
    /// ONNX Runtime.
    Onnx,
    /// Our own, on safetensors.
    Native,
}

/// How a local model runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cpu {
    /// What runs it.
    pub runtime: Runtime,
    /// ONNX file below the model's folder, for example `onnx/model_int8.onnx`.
    pub onnx_file: Option<PathBuf>,
    /// The ONNX Runtime library, or a folder that holds it, such as a Python
    /// environment.
    pub library: Option<PathBuf>,
    /// Most threads that compute at once; half the cores by default.
    pub threads: Option<NonZeroUsize>,
    /// Window in tokens; by default what the model says, and for a reranker at most 128.
    pub tokens_max: Option<usize>,
}

/// The embedding model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Embedding {
    /// Who embeds.
    pub provider: Provider,
    /// The model: its name at the server, or on the hub for a local one.
    pub model: Option<String>,
    /// `openai`: the address up to `/embeddings`.
    pub url: Option<String>,
    /// `openai`: the environment variable with the key.
    pub key_env: Option<String>,
    /// `openai`: a file with the key.
    pub key_file: Option<PathBuf>,
    /// `openai`: length of the vectors, for models that can shorten them.
    pub dimensions: Option<usize>,
    /// `openai`: texts in one request.
    pub batch: Option<usize>,
    /// `local`: the model's folder.
    pub dir: Option<PathBuf>,
    /// `local`: how it runs.
    pub cpu: Cpu,
}

/// The reranking model: always local, off without `model` and `dir`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rerank {
    /// Its name on the hub, whose cache holds it.
    pub model: Option<String>,
    /// Its folder.
    pub dir: Option<PathBuf>,
    /// Most time for it in one search, milliseconds: as many candidates are
    /// reranked as fit.
    pub budget_ms: u64,
    /// Most candidates.
    pub pairs: usize,
    /// What its order counts beside the one before: 1 for it alone.
    pub weight: f32,
    /// How it runs.
    pub cpu: Cpu,
}

impl Default for Rerank {
    fn default() -> Self {
        let retrieval::profile::Rerank {
            budget_ms,
            pairs,
            weight,
        } = retrieval::profile::Rerank::default();
        Self {
            model: None,
            dir: None,
            budget_ms,
            pairs,
            weight,
            cpu: Cpu::default(),
        }
    }
}

impl Embedding {
    /// Refuses keys of another provider than the one chosen, and a provider
    /// without what it needs.
    pub fn check(&self) -> Result<(), String> {
        let server = [
            ("url", self.url.is_some()),
            ("key_env", self.key_env.is_some()),
            ("key_file", self.key_file.is_some()),
            ("dimensions", self.dimensions.is_some()),
            ("batch", self.batch.is_some()),
        ];
        let local = [("dir", self.dir.is_some()), ("cpu", self.cpu != Cpu::default())];
        let given = |keys: &[(&str, bool)], of: &str| {
            let key = keys.iter().find(|(_, given)| *given);
            key.map_or(Ok(()), |(key, _)| {
                Err(format!("retrieval.embedding.{key} is for the provider `{of}`"))
            })
        };
        match self.provider {
            Provider::Ollama | Provider::None => {
                given(&server, "openai")?;
                given(&local, "local")
            }
            Provider::OpenAi => {
                given(&local, "local")?;
                if self.url.is_none() || self.model.is_none() {
                    return Err(
                        "retrieval.embedding needs url and model for the provider `openai`".to_owned(),
                    );
                }
                if self.key_env.is_some() && self.key_file.is_some() {
                    return Err("retrieval.embedding takes key_env or key_file, not both".to_owned());
                }
                Ok(())
            }
            Provider::Local => {
                given(&server, "openai")?;
                if self.dir.is_none() && self.model.is_none() {
                    return Err("retrieval.embedding needs dir or model for the provider `local`".to_owned());
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_together() {
        let check = |yaml: serde_json::Value, expect: Result<(), &str>| {
            let embedding: Embedding = serde_json::from_value(yaml).unwrap();
            assert_eq!(embedding.check(), expect.map_err(str::to_owned), "{embedding:?}");
        };
        use serde_json::json;
        check(json!({}), Ok(()));
        check(json!({"provider": "none"}), Ok(()));
        check(json!({"provider": "ollama", "model": "m"}), Ok(()));
        check(
            json!({"provider": "openai", "url": "http://h/v1", "model": "m", "key_env": "K"}),
            Ok(()),
        );
        check(
            json!({"provider": "local", "dir": "/m", "cpu": {"threads": 2, "runtime": "native"}}),
            Ok(()),
        );
        check(json!({"provider": "local", "model": "o/m"}), Ok(()));
        check(
            json!({"dir": "/m"}),
            Err("retrieval.embedding.dir is for the provider `local`"),
        );
        check(
            json!({"provider": "none", "url": "http://h"}),
            Err("retrieval.embedding.url is for the provider `openai`"),
        );
        check(
            json!({"provider": "openai", "model": "m"}),
            Err("retrieval.embedding needs url and model for the provider `openai`"),
        );
        check(
            json!({"provider": "openai", "url": "u", "model": "m", "cpu": {"threads": 2}}),
            Err("retrieval.embedding.cpu is for the provider `local`"),
        );
        check(
            json!({"provider": "openai", "url": "u", "model": "m", "key_env": "A", "key_file": "b"}),
            Err("retrieval.embedding takes key_env or key_file, not both"),
        );
        check(
            json!({"provider": "local"}),
            Err("retrieval.embedding needs dir or model for the provider `local`"),
        );
    }

    #[test]
    fn misspelt_keys_are_refused() {
        for text in [
            r#"{"modle": "m"}"#,
            r#"{"cpu": {"thread": 1}}"#,
            r#"{"provider": "openia"}"#,
        ] {
            assert!(serde_json::from_str::<Embedding>(text).is_err(), "{text}");
        }
    }
}
