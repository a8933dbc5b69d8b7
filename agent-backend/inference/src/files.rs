//! The files of a model and what they say about it. Nothing here computes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::Error;

/// Largest file of settings, in bytes; tokenizers of many languages are large.
const SETTINGS_BYTES_MAX: u64 = 64 << 20;

/// Window of a model that does not say, in tokens.
const TOKENS_DEFAULT: usize = 512;

/// A longer window costs memory with its square in our own runtime.
pub(crate) const TOKENS_LIMIT: usize = 8_192;

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// Their average.
    Mean,
    /// The first one.
    First,
}

/// What an embedding model does after its last layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finish {
    pub(crate) pooling: Pooling,
    pub(crate) unit_length: bool,
}

/// A model's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// `config.json`; its shape depends on the architecture.
    pub(crate) fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.json("config.json")?
            .ok_or_else(|| Error::missing(&self.folder, "it has no config.json"))
    }

    pub(crate) fn tokenizer(&self) -> Result<Vec<u8>, Error> {
        self.read("tokenizer.json")?
            .ok_or_else(|| Error::missing(&self.folder, "it has no tokenizer.json"))
    }

    /// The weights for our own runtime.
    pub(crate) fn safetensors(&self) -> Option<PathBuf> {
        Some(self.folder.join("model.safetensors")).filter(|file| file.is_file())
    }

    /// The ONNX file: the one that was asked for, or the usual ones.
    pub(crate) fn onnx(&self, given: Option<&Path>) -> Option<PathBuf> {
        let usual = [Path::new("onnx/model.onnx"), Path::new("model.onnx")];
        let names: &[&Path] = given.as_ref().map_or(&usual, std::slice::from_ref);
        names
            .iter()
            .map(|name| self.folder.join(name))
            .find(|file| file.is_file())
    }

    /// The window in tokens: what the sentence model was trained with, or else
    /// what the tokenizer says, never more than there are positions.
    pub(crate) fn tokens_max(&self, wanted: Option<usize>) -> Result<usize, Error> {
        let config: Positions = self.config()?;
        let positions = config
            .max_trained_positions
            .or(config.max_position_embeddings)
            .or(config.n_positions)
            .unwrap_or(TOKENS_LIMIT)
            .min(TOKENS_LIMIT);
        if let Some(wanted) = wanted {
            if !(MIN_TOKENS..=positions).contains(&wanted) {
                let reason = format!(
                    "the window must be {MIN_TOKENS} to {positions} tokens, and {wanted} were asked for"
                );
                return Err(Error::unusable(&self.folder, reason));
            }
            return Ok(wanted);
        }
        let sentence: Option<Sentence> = self.json("sentence_bert_config.json")?;
        let tokenizer: Option<TokenizerConfig> = self.json("tokenizer_config.json")?;
        // A tokenizer without a window says 1e30.
        let tokenizer = tokenizer
            .and_then(|config| config.model_max_length)
            .filter(|length| *length <= TOKENS_LIMIT as f64)
            .map(|length| length as usize);
        let tokens = sentence
            .and_then(|config| config.max_seq_length)
            .or(tokenizer)
            .unwrap_or(TOKENS_DEFAULT);
        Ok(tokens.clamp(MIN_TOKENS, positions))
    }

    /// Pooling and length as `modules.json` describes them; mean and unit
    /// length for a plain transformer.
    pub(crate) fn finish(&self) -> Result<Finish, Error> {
        let modules: Option<Vec<Module>> = self.json("modules.json")?;
        let mut finish = Finish {
            pooling: Pooling::Mean,
            unit_length: modules.is_none(),
        };
        let Some(modules) = modules else {
            return Ok(finish);
        };
        for module in modules {
            match module.kind.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Pooling" => {
                    let name = format!("{}/config.json", module.path);
                    let pooling: PoolingConfig = self.json(&name)?.unwrap_or_default();
                    finish.pooling = pooling
                        .read()
                        .map_err(|reason| Error::unusable(&self.folder, reason))?;
                }
                "Normalize" => finish.unit_length = true,
                other => {
                    let reason = format!("its module `{other}` is not supported");
                    return Err(Error::unusable(&self.folder, reason));
                }
            }
        }
        Ok(finish)
    }

    /// Tells two models of the same name apart: settings, and samples of the
    /// weights, because all of them would take a second at every start.
    pub(crate) fn fingerprint(&self, weights: &Path) -> Result<String, Error> {
        let mut hash = Sha256::new();
        hash.update(self.read("config.json")?.unwrap_or_default());
        hash.update(self.tokenizer()?);
        hash.update(samples(weights).map_err(|error| Error::unusable(weights, error.to_string()))?);
        Ok(hex::encode(&hash.finalize()[..FINGERPRINT_BYTES]))
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let Some(bytes) = self.read(name)? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::unusable(&self.folder, format!("{name}: {error}")))?;
        Ok(Some(value))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.folder.join(name);
        let unreadable =
            |error: std::io::Error| Error::unusable(&self.folder, format!("{name} cannot be read: {error}"));
        match fs::metadata(&path) {
            Ok(found) if found.len() > SETTINGS_BYTES_MAX => {
                Err(Error::unusable(&self.folder, format!("{name} is too large")))
            }
            Ok(_) => fs::read(&path).map(Some).map_err(unreadable),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }
}

/// Room for the special tokens and one word.
const MIN_TOKENS: usize = 8;

const FINGERPRINT_BYTES: usize = 4;

/// Places of a weights file that are looked at, and bytes at each.
const SAMPLES: u64 = 64;
const SAMPLE_BYTES: usize = 4_096;

/// Length and evenly spread parts of a file.
fn samples(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(file)?;
    let length = file.metadata()?.len();
    let mut bytes = length.to_le_bytes().to_vec();
    let step = (length / SAMPLES).max(1);
    for at in (0..length).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        file.seek(SeekFrom::Start(at))?;
        (&mut file).take(SAMPLE_BYTES as u64).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[derive(Deserialize)]
struct Positions {
    max_position_embeddings: Option<usize>,
    /// NomicBERT: beyond these its rotary positions would have to be scaled.
    max_trained_positions: Option<usize>,
    n_positions: Option<usize>,
}

#[derive(Deserialize)]
struct Sentence {
    max_seq_length: Option<usize>,
}

#[derive(Deserialize)]
struct TokenizerConfig {
    model_max_length: Option<f64>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

/// `1_Pooling/config.json`: a flag for each way, or in newer files its name.
#[derive(Deserialize, Default)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode: Option<String>,
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

impl PoolingConfig {
    fn read(&self) -> Result<Pooling, String> {
        let unsupported = self.pooling_mode_max_tokens
            || self.pooling_mode_mean_sqrt_len_tokens
            || self.pooling_mode_weightedmean_tokens
            || self.pooling_mode_lasttoken;
        let flags = (self.pooling_mode_cls_token, self.pooling_mode_mean_tokens);
        match (self.pooling_mode.as_deref(), flags, unsupported) {
            (Some("mean"), ..) | (None, (false, true), false) => Ok(Pooling::Mean),
            (Some("cls"), ..) | (None, (true, false), false) => Ok(Pooling::First),
            _ => Err("it pools in another way than by mean or by first token".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::{TempDir, tempdir};

    use super::*;

    fn folder(files: &[(&str, &str)]) -> (TempDir, Files) {
        let dir = tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = Files::new(dir.path().to_owned());
        (dir, files)
    }

    #[test]
    fn windows() {
        let check = |files: &[(&str, &str)], wanted: Option<usize>, expect: Option<usize>| {
            let (_dir, files) = folder(files);
            assert_eq!(files.tokens_max(wanted).ok(), expect, "{files:?} {wanted:?}");
        };
        let bert = ("config.json", r#"{"max_position_embeddings": 512}"#);
        let sentence = ("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
        let tokenizer = ("tokenizer_config.json", r#"{"model_max_length": 128}"#);
        let endless = ("tokenizer_config.json", r#"{"model_max_length": 1e30}"#);
        check(&[bert, sentence, tokenizer], None, Some(256));
        check(&[bert, tokenizer], None, Some(128));
        check(&[bert, endless], None, Some(512));
        check(&[bert, sentence], Some(512), Some(512));
        check(&[bert, sentence], Some(513), None);
        check(&[bert, sentence], Some(1), None);
        let nomic = (
            "config.json",
            r#"{"n_positions": 8192, "max_trained_positions": 2048}"#,
        );
        check(
            &[
                nomic,
                ("sentence_bert_config.json", r#"{"max_seq_length": 8192}"#),
            ],
            None,
            Some(2048),
        );
        check(&[], None, None);
        check(&[("config.json", "{")], None, None);
    }

    #[test]
    fn what_follows_the_last_layer() {
        let check = |modules: &[&str], pooling: &str, expect: Option<(Pooling, bool)>| {
            let modules: Vec<String> = modules
                .iter()
                .map(|kind| format!(r#"{{"type": "sentence_transformers.models.{kind}", "path": "{kind}"}}"#))
                .collect();
            let modules = format!("[{}]", modules.join(","));
            let (_dir, files) = folder(&[("modules.json", &modules), ("Pooling/config.json", pooling)]);
            let found = files.finish().ok();
            let expect = expect.map(|(pooling, unit_length)| Finish { pooling, unit_length });
            assert_eq!(found, expect, "{modules} {pooling}");
        };
        let mean = r#"{"pooling_mode_mean_tokens": true}"#;
        let cls = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#;
        let both = r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#;
        let all = ["Transformer", "Pooling", "Normalize"];
        check(&all, mean, Some((Pooling::Mean, true)));
        check(&all[..2], cls, Some((Pooling::First, false)));
        check(
            &all[..2],
            r#"{"pooling_mode": "cls"}"#,
            Some((Pooling::First, false)),
        );
        check(&all, both, None);
        check(&all, r#"{"pooling_mode": "max"}"#, None);
        check(&["Transformer", "Pooling", "Dense"], mean, None);
        let (_dir, plain) = folder(&[]);
        let expect = Finish {
            pooling: Pooling::Mean,
            unit_length: true,
        };
        assert_eq!(plain.finish(), Ok(expect));
    }

    #[test]
    fn other_weights_are_another_model() {
        let (dir, files) = folder(&[("tokenizer.json", "{}"), ("a", "weights"), ("b", "weightz")]);
        let of = |name: &str| files.fingerprint(&dir.path().join(name)).unwrap();
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert_eq!(of("a").len(), 2 * FINGERPRINT_BYTES);
    }
}
