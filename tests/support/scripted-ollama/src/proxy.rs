//! Records: passes everything on to a real server, and writes down what was
//! asked and what came back.
//!
//! Owns: the copy of each exchange while it happens.
//! Must never know: scripts. No header of a request is ever written, and the
//! secrets in them are taken out of everything that is.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_stream::stream;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    record,
    replay::{Answering, Asking, Chunk, Exchange, files},
};

/// Largest request that is passed on, in bytes.
const REQUEST_BYTES_MAX: usize = 64 << 20;

/// Most that is kept of each end of a message, in characters.
const CONTAINS_CHARS_MAX: usize = 120;

/// Headers of requests that hold secrets.
const SECRET_HEADERS: &[&str] = &[
    "api-key",
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-goog-api-key",
];

/// Headers of answers that a client may look at.
const KEPT_HEADERS: &[&str] = &["content-type", "retry-after", "retry-after-ms"];

/// Headers that belong to one connection, or that a client sets itself.
const OWN_HEADERS: &[HeaderName] = &[
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Where to, and where it is written down.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The real server, without a slash at the end.
    pub upstream: String,
    /// An existing directory; files are added to it.
    pub dir: PathBuf,
}

#[derive(Debug)]
struct Proxy {
    recording: Recording,
    client: reqwest::Client,
    /// The number of the next file.
    next: AtomicU64,
}

/// The proxy. Fails with a sentence if the directory cannot be read.
pub(crate) fn app(recording: Recording) -> Result<Router, String> {
    let names = files(&recording.dir)?;
    let numbers = names.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?;
        name.split_once('-')?.0.parse::<u64>().ok()
    });
    let proxy = Proxy {
        next: AtomicU64::new(numbers.max().unwrap_or(0) + 1),
        client: reqwest::Client::new(),
        recording,
    };
    Ok(Router::new().fallback(pass).with_state(Arc::new(proxy)))
}

async fn pass(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    // Files are numbered in the order of the requests, not of the answers.
    let number = proxy.next.fetch_add(1, Ordering::Relaxed);
    let failed =
        |reason: String| (StatusCode::BAD_GATEWAY, format!("the recorder: {reason}")).into_response();
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, REQUEST_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return failed(error.to_string()),
    };
    let query = parts.uri.query().unwrap_or_default();
    let secrets = secrets(&parts.headers, query);
    let asked = asking(parts.method.as_str(), parts.uri.path(), &body);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let began = Instant::now();
    let sent = proxy
        .client
        .request(
            parts.method.clone(),
            format!("{}{path}", proxy.recording.upstream),
        )
        .headers(passed_on(&parts.headers))
        .body(body)
        .send()
        .await;
    let answer = match sent {
        Ok(answer) => answer,
        // The address may hold a key.
        Err(error) => return failed(error.without_url().to_string()),
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let exchange = Exchange {
        request: asked,
        response: Answering {
            status: status.as_u16(),
            headers: kept(&headers),
            chunks: Vec::new(),
            broke: false,
        },
    };
    let copy = Copy {
        proxy,
        number,
        exchange,
        secrets,
        last: began,
    };
    let mut response = Response::new(Body::from_stream(copy.through(answer.bytes_stream())));
    *response.status_mut() = status;
    *response.headers_mut() = passed_on(&headers);
    response
}

/// An exchange under way. It is written when its answer has ended; one that
/// the client leaves is not.
struct Copy {
    proxy: Arc<Proxy>,
    number: u64,
    exchange: Exchange,
    secrets: Vec<String>,
    last: Instant,
}

impl Copy {
    fn through(
        mut self,
        mut bytes: impl Stream<Item = reqwest::Result<Bytes>> + Send + Unpin + 'static,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream! {
            while let Some(piece) = bytes.next().await {
                match piece {
                    Ok(piece) => {
                        let after = self.last.elapsed();
                        self.last = Instant::now();
                        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                        self.exchange.response.chunks.push(Chunk::new(after_ms, &piece));
                        yield Ok(piece);
                    }
                    Err(error) => {
                        self.exchange.response.broke = true;
                        self.write();
                        yield Err(io::Error::new(io::ErrorKind::ConnectionReset, error));
                        return;
                    }
                }
            }
            self.write();
        }
    }

    /// Writes the file, whole or not at all.
    fn write(mut self) {
        self.exchange.redact(&self.secrets);
        let words = self
            .exchange
            .request
            .path
            .split(|character: char| !character.is_ascii_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let name = format!("{:04}-{}.yaml", self.number, words.join("-"));
        let path = self.proxy.recording.dir.join(name);
        let partial = path.with_extension("partial");
        let written = self.exchange.to_yaml().and_then(|yaml| {
            let written = std::fs::write(&partial, yaml).and_then(|()| std::fs::rename(&partial, &path));
            written.map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            tracing::error!("{} cannot be written: {error}", path.display());
        }
    }
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut passed = headers.clone();
    for name in OWN_HEADERS {
        passed.remove(name);
    }
    passed
}

fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = KEPT_HEADERS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    kept.collect()
}

/// What of a request must not be written anywhere.
fn secrets(headers: &HeaderMap, query: &str) -> Vec<String> {
    let values = SECRET_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let values = values.filter_map(|value| value.to_str().ok());
    // `Bearer KEY`: the key alone may come back.
    let words = values.flat_map(|value| value.split_whitespace().chain([value]));
    let in_query = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("key="))
        .filter(|key| !key.is_empty());
    let mut secrets: Vec<String> = words
        .chain(in_query)
        .filter(|word| !word.eq_ignore_ascii_case("bearer") && !word.eq_ignore_ascii_case("basic"))
        .map(str::to_owned)
        .collect();
    // The longest first, so that no part of one stays.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

fn asking(method: &str, path: &str, body: &[u8]) -> Asking {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = record::last_message(&body, "user");
    let texts = ["prompt", "input"].map(|key| body.get(key).and_then(first_text));
    let text = std::iter::once(text)
        .chain(texts.into_iter().flatten())
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    let model = record::model(&body, path);
    Asking {
        method: method.to_owned(),
        path: path.to_owned(),
        streamed: is_streamed(path, &body),
        model: (!model.is_empty()).then(|| model.to_owned()),
        contains: ends(text),
    }
}

/// Ollama streams unless it is told not to; the others do not.
fn is_streamed(path: &str, body: &Value) -> bool {
    let unless_told = path.starts_with("/api/") || path.ends_with(":streamGenerateContent");
    body.get("stream").and_then(Value::as_bool).unwrap_or(unless_told)
}

fn first_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.as_array()?.first()?.as_str())
}

/// Both ends of a text, or all of it if it is short.
fn ends(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    match chars.len() {
        0 => Vec::new(),
        length if length <= 2 * CONTAINS_CHARS_MAX => vec![text.to_owned()],
        length => vec![
            chars[..CONTAINS_CHARS_MAX].iter().collect(),
            chars[length - CONTAINS_CHARS_MAX..].iter().collect(),
        ],
    }
}
