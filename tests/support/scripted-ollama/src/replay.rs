//! Recorded exchanges: a request, and the bytes that came back and when.
//!
//! ```yaml
//! request: { method: POST, path: /v1/messages, streamed: true, model: some, contains: ["fix the"] }
//! response:
//!   status: 200
//!   headers: { content-type: text/event-stream }
//!   chunks:
//!   - { after_ms: 120, text: "event: message_start\n…" }
//!   - { after_ms: 3, base64: 4oI= }
//! ```
//!
//! Owns: the form of the files, and how secrets are taken out of them.
//! Must never know: what the bytes mean.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::script::{Endpoint, Kind, Match, ModelSpec, Respond, Rule, Script, Texts};

/// What stands in a file in place of a secret.
const SECRET: &str = "[key]";

/// What was asked and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What was asked.
    pub request: Asking,
    /// What came back.
    pub response: Answering,
}

/// The part of a request that says which it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asking {
    /// Its method.
    pub method: String,
    /// Its path, without its query.
    pub path: String,
    /// Whether the answer is to be streamed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub streamed: bool,
    /// The model it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Texts that its messages contain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
}

/// An HTTP answer, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answering {
    /// Its status.
    pub status: u16,
    /// Those of its headers that matter, in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body as it came.
    #[serde(default)]
    pub chunks: Vec<Chunk>,
    /// Whether the connection broke after it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broke: bool,
}

/// Bytes that came at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// How long after what came before, in milliseconds.
    #[serde(default)]
    pub after_ms: u64,
    /// The bytes, if they are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes, if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

impl Chunk {
    /// Bytes that came after some time.
    pub fn new(after_ms: u64, bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(bytes));
        Self {
            after_ms,
            text,
            base64,
        }
    }

    /// Its bytes; fails with a sentence if they are not base64.
    pub fn bytes(&self) -> Result<Bytes, String> {
        let mut bytes = self.text.clone().unwrap_or_default().into_bytes();
        if let Some(base64) = &self.base64 {
            bytes.extend(STANDARD.decode(base64).map_err(|error| error.to_string())?);
        }
        Ok(bytes.into())
    }
}

impl Exchange {
    /// Reads a file; fails with a sentence that names it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let failed = |reason: String| format!("{}: {reason}", path.display());
        let yaml = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let exchange: Self = serde_saphyr::from_str(&yaml).map_err(|error| failed(error.to_string()))?;
        for chunk in &exchange.response.chunks {
            chunk.bytes().map_err(failed)?;
        }
        Ok(exchange)
    }

    /// The text of a file.
    pub fn to_yaml(&self) -> Result<String, String> {
        serde_saphyr::to_string(self).map_err(|error| error.to_string())
    }

    /// Takes secrets out of everything. One that came in two chunks makes all
    /// of them one.
    pub(crate) fn redact(&mut self, secrets: &[String]) {
        let clean = |text: &str| {
            secrets
                .iter()
                .fold(text.to_owned(), |text, secret| text.replace(secret, SECRET))
        };
        let texts = self.request.contains.iter_mut().chain(&mut self.request.model);
        texts
            .chain([&mut self.request.path])
            .for_each(|text| *text = clean(text));
        let response = &mut self.response;
        response
            .headers
            .values_mut()
            .for_each(|value| *value = clean(value));
        let chunks = std::mem::take(&mut response.chunks);
        let bytes = |chunk: &Chunk| chunk.bytes().unwrap_or_default();
        let redacted = |after_ms: u64, bytes: &[u8]| Chunk::new(after_ms, &without(bytes, secrets));
        let apart: Vec<Chunk> = chunks
            .iter()
            .map(|chunk| redacted(chunk.after_ms, &bytes(chunk)))
            .collect();
        let whole: Vec<u8> = apart.iter().flat_map(bytes).collect();
        response.chunks = if without(&whole, secrets) == whole {
            apart
        } else {
            vec![redacted(chunks.iter().map(|chunk| chunk.after_ms).sum(), &whole)]
        };
    }
}

/// The bytes without the secrets.
fn without(bytes: &[u8], secrets: &[String]) -> Vec<u8> {
    let mut result = bytes.to_vec();
    for secret in secrets
        .iter()
        .map(String::as_bytes)
        .filter(|secret| !secret.is_empty())
    {
        let mut at = 0;
        while let Some(found) = result[at..]
            .windows(secret.len())
            .position(|window| window == secret)
        {
            result.splice(at + found..at + found + secret.len(), SECRET.bytes());
            at += found + SECRET.len();
        }
    }
    result
}

/// The files of a directory, in the order of their names.
pub(crate) fn files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let entries = fs::read_dir(dir).map_err(failed)?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    Ok(paths)
}

impl Script {
    /// A script that answers as the exchanges of a directory went. What was
    /// asked several times is answered in the order of the files, and with the
    /// last one from then on.
    pub fn replay(dir: &Path) -> Result<Self, String> {
        let mut script = Self::default();
        let exchanges: Result<Vec<_>, String> = files(dir)?
            .into_iter()
            .map(|path| Ok((Exchange::load(&path)?, path)))
            .collect();
        let exchanges = exchanges?;
        for (index, (exchange, path)) in exchanges.iter().enumerate() {
            let asked = &exchange.request;
            let endpoints = Endpoint::of_path(&asked.method, &asked.path);
            let Some(endpoint) = endpoints.first() else {
                let file = path.display();
                return Err(format!("{file}: nothing answers {} {}", asked.method, asked.path));
            };
            let same = |other: &(Exchange, PathBuf)| other.0.request == *asked;
            let before = exchanges[..index].iter().filter(|other| same(other)).count() as u64;
            let is_last = !exchanges[index + 1..].iter().any(same);
            if let Some(name) = &asked.model
                && !script.models.iter().any(|model| model.name == *name)
            {
                let embeds = matches!(endpoint, Endpoint::Embed | Endpoint::Embeddings);
                let kind = if embeds { Kind::Embedding } else { Kind::Chat };
                script.models.push(ModelSpec::new(name.as_str(), kind));
            }
            script.rules.extend(endpoints.iter().map(|endpoint| Rule {
                name: path.file_name().map(|name| name.to_string_lossy().into_owned()),
                matches: Match {
                    endpoint: Some(*endpoint),
                    path: Some(asked.path.clone()),
                    streamed: endpoint.generates().then_some(asked.streamed),
                    model: asked.model.clone().filter(|_| endpoint.generates()),
                    contains: Texts::Many(asked.contains.clone()),
                    nth: (!is_last).then_some(before + 1),
                    ..Match::default()
                },
                respond: Respond {
                    replay: Some(path.clone()),
                    ..Respond::default()
                },
            }));
        }
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(chunks: &[(u64, &[u8])]) -> Exchange {
        Exchange {
            request: Asking {
                method: "POST".to_owned(),
                path: "/v1/messages".to_owned(),
                streamed: true,
                model: Some("m".to_owned()),
                contains: vec!["say sk-1".to_owned()],
            },
            response: Answering {
                status: 200,
                headers: BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned())]),
                chunks: chunks.iter().map(|(ms, bytes)| Chunk::new(*ms, bytes)).collect(),
                broke: false,
            },
        }
    }

    #[test]
    fn chunks_are_bytes() {
        fn check(bytes: &[u8]) {
            let chunk = Chunk::new(1, bytes);
            assert_eq!(chunk.bytes(), Ok(Bytes::copy_from_slice(bytes)));
            assert_eq!(chunk.base64.is_none(), std::str::from_utf8(bytes).is_ok());
        }
        check(b"");
        check("é: \"x\"\n\n- y\r\n  ".as_bytes());
        check(b"\xc3");
        check(b"\x00\xff");
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let written = exchange(&[
            (0, "data: {\"a\": \"é\"}\r\n\r\n".as_bytes()),
            (7, b"\xc3"),
            (0, b"\xa9: # x\n"),
        ]);
        let yaml = written.to_yaml().unwrap();
        assert_eq!(
            serde_saphyr::from_str::<Exchange>(&yaml).unwrap(),
            written,
            "{yaml}"
        );
    }

    #[test]
    fn secrets_are_taken_out() {
        fn check(chunks: &[(u64, &[u8])], expect: &[(u64, &[u8])]) {
            let mut found = exchange(chunks);
            found.redact(&["sk-1".to_owned(), "other".to_owned()]);
            let mut expect = exchange(expect);
            expect.request.contains = vec!["say [key]".to_owned()];
            assert_eq!(found, expect);
        }
        check(&[(1, b"a"), (2, b"b")], &[(1, b"a"), (2, b"b")]);
        check(&[(1, b"key sk-1!"), (2, b"b")], &[(1, b"key [key]!"), (2, b"b")]);
        check(
            &[(1, b"\xffsk-1other"), (2, b"b")],
            &[(1, b"\xff[key][key]"), (2, b"b")],
        );
        // In two chunks.
        check(&[(1, b"a sk"), (2, b"-1 b")], &[(3, b"a [key] b")]);
    }
}
