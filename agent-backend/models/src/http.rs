//! Requests, time limits, and what each way of failing means. Knows statuses
//! and bodies of each kind of server, not what the calls are for.

use std::{error::Error as _, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Phase};

/// Largest answer to a question about the server, in bytes.
pub(crate) const STATUS_BYTES_MAX: usize = 4 << 20;

/// Most of an error's body that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Most of a server's words that an error repeats, in characters.
const SERVER_TEXT_CHARS_MAX: usize = 500;

/// Whose interface a server is expected to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Ollama's own.
    Ollama,
    /// OpenAI's, which many others speak.
    OpenAi,
}

/// How to reach a server.
#[derive(Debug)]
pub(crate) struct Address<'a> {
    pub(crate) speaks: Speaks,
    pub(crate) url: &'a str,
    /// Sent with each request as a bearer token.
    pub(crate) key: Option<&'a str>,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
}

/// A server at an address.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    speaks: Speaks,
    /// Ends with a slash, so that paths are joined below it.
    base: Url,
    /// The address as errors show it, without credentials.
    shown: String,
    idle_timeout: Duration,
}

impl Http {
    pub(super) fn new(address: &Address<'_>) -> Result<Self, Error> {
        let whose = match address.speaks {
            Speaks::Ollama => "Ollama",
            Speaks::OpenAi => "the embedding server",
        };
        let invalid = |reason: &str| Error::Invalid {
            reason: format!("the address of {whose} {reason}"),
        };
        let mut base = Url::parse(address.url).map_err(|error| invalid(&format!("is no URL: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(invalid("must begin with http:// or https://"));
        }
        let Some(host) = base.host_str().map(str::to_owned) else {
            return Err(invalid("names no host"));
        };
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        base.set_query(None);
        base.set_fragment(None);
        let mut headers = header::HeaderMap::new();
        if let Some(key) = address.key {
            // The value must not reach a message: not even why it is refused.
            let mut value =
                header::HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| Error::Invalid {
                    reason: format!("the key of {whose} holds characters that no key has"),
                })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let mut client = Client::builder()
            .default_headers(headers)
            .connect_timeout(address.connect_timeout)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true);
        if is_this_machine(&host) {
            // A proxy set for the web cannot reach our own loopback.
            client = client.no_proxy();
        }
        let client = client
            .build()
            .map_err(|error| invalid(&format!("cannot be used: {error}")))?;
        let shown = shown(&base);
        Ok(Self {
            client,
            speaks: address.speaks,
            base,
            shown,
            idle_timeout: address.idle_timeout,
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends `body`; the answer's status is not looked at.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        phase: Phase,
        limit: Duration,
    ) -> Result<Response, Error> {
        let url = self.url(path)?;
        self.send(self.client.post(url).json(body), phase, limit).await
    }

    /// Asks a question about the server.
    pub(super) async fn get(&self, path: &str, limit: Duration) -> Result<Response, Error> {
        let url = self.url(path)?;
        self.send(self.client.get(url), Phase::Status, limit).await
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|error| Error::Invalid {
            reason: error.to_string(),
        })
    }

    async fn send(&self, request: RequestBuilder, phase: Phase, limit: Duration) -> Result<Response, Error> {
        match tokio::time::timeout(limit, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_elapsed) => Err(timeout(phase, limit)),
        }
    }

    /// A failure of the network or of HTTP itself.
    pub(super) fn failure(&self, error: &reqwest::Error) -> Error {
        let reason = root_cause(error);
        if error.is_connect() || error.is_timeout() {
            let url = self.shown.clone();
            return match self.speaks {
                Speaks::Ollama => Error::Unreachable { url, reason },
                Speaks::OpenAi => Error::NoServer { url, reason },
            };
        }
        if reason.contains("invalid HTTP") || reason.contains("unexpected message") || error.is_decode() {
            return self.stranger(&reason);
        }
        Error::StreamBroken { reason }
    }

    /// Something answers, but not as it should.
    pub(super) fn stranger(&self, reason: &str) -> Error {
        let (url, reason) = (self.shown.clone(), server_text(reason));
        match self.speaks {
            Speaks::Ollama => Error::NotOllama { url, reason },
            Speaks::OpenAi => Error::NotOpenAi { url, reason },
        }
    }

    /// The response if the server accepts the call, else what its status means.
    pub(super) async fn accepted(&self, response: Response, model: &str) -> Result<Response, Error> {
        let status = response.status();
        if status.is_success() {
            let kind = header_text(&response, header::CONTENT_TYPE).unwrap_or_default();
            if kind.starts_with("text/html") {
                return Err(self.stranger("it answers with a web page"));
            }
            return Ok(response);
        }
        let retry_after = header_text(&response, header::RETRY_AFTER)
            .and_then(|seconds| seconds.trim().parse().ok())
            .map(Duration::from_secs);
        // An unreadable body takes nothing away from the status.
        let body = self.bytes(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let refusal = said(&body);
        Err(self.refusal(status, refusal, &body, model, retry_after))
    }

    fn refusal(
        &self,
        status: StatusCode,
        refusal: Option<String>,
        body: &[u8],
        model: &str,
        retry_after: Option<Duration>,
    ) -> Error {
        let speaks = refusal.is_some();
        let message = server_text(&refusal.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()));
        let code = status.as_u16();
        match code {
            429 | 502 | 503 | 504 => Error::Overloaded {
                status: code,
                message,
                retry_after,
            },
            404 if speaks && self.speaks == Speaks::Ollama && message.contains("not found") => {
                Error::ModelMissing {
                    model: model.to_owned(),
                }
            }
            // Of a path that is not there the message says nothing about models.
            404 if speaks && self.speaks == Speaks::OpenAi && message.contains("model") => {
                Error::ModelUnknown {
                    model: model.to_owned(),
                    url: self.shown.clone(),
                }
            }
            // The server's words may repeat the key.
            401 | 403 if self.speaks == Speaks::OpenAi => Error::KeyRefused {
                url: self.shown.clone(),
                status: code,
            },
            // A proxy's word about who we are, in whatever form.
            401 | 403 | 407 => Error::Refused {
                status: code,
                message,
            },
            400..=499 if speaks => Error::Refused {
                status: code,
                message,
            },
            // Ollama's word for a model that cannot do what is asked.
            501 if speaks => Error::Refused {
                status: code,
                message,
            },
            500 | 505..=599 => Error::Failed {
                status: code,
                message,
            },
            _ => self.stranger(&format!("it answers with status {code}")),
        }
    }

    /// Reads an answer about the server itself; one that is not as Ollama's
    /// means that it is not Ollama.
    pub(super) async fn status_json<T: DeserializeOwned>(&self, response: Response) -> Result<T, Error> {
        let response = self.accepted(response, "").await.map_err(|error| match error {
            // Only a model can be missing from Ollama, not its own calls.
            Error::ModelMissing { .. } => self.stranger("it answers with status 404"),
            other @ (Error::Unreachable { .. }
            | Error::Timeout { .. }
            | Error::StreamBroken { .. }
            | Error::Failed { .. }
            | Error::Refused { .. }
            | Error::Overloaded { .. }
            | Error::ContextTruncated(_)
            | Error::NotOllama { .. }
            | Error::NoServer { .. }
            | Error::ModelUnknown { .. }
            | Error::KeyRefused { .. }
            | Error::NotOpenAi { .. }
            | Error::Invalid { .. }) => other,
        })?;
        let bytes = self.bytes(response, STATUS_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.stranger(&format!("unexpected answer: {error}")))
    }

    /// Reads the answer of a model as one JSON value.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        response: Response,
        bytes_max: usize,
    ) -> Result<T, Error> {
        let bytes = self.bytes(response, bytes_max).await?;
        serde_json::from_slice(&bytes).map_err(|error| Error::StreamBroken {
            reason: error.to_string(),
        })
    }

    async fn bytes(&self, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(piece) = next_piece(&mut response, self.idle_timeout).await? {
            if bytes.len() + piece.len() > bytes_max {
                let reason = format!("the answer is longer than {bytes_max} bytes");
                return Err(Error::StreamBroken { reason });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

/// The message of a refused call, in any of the forms that servers use: a text,
/// or an object with a text.
fn said(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = value.get("error").or_else(|| value.get("detail"))?;
    let text = error.as_str().or_else(|| error.get("message")?.as_str())?;
    Some(text.to_owned())
}

/// The next piece of a body; `None` at its end.
pub(super) async fn next_piece(
    response: &mut Response,
    limit: Duration,
) -> Result<Option<bytes::Bytes>, Error> {
    match tokio::time::timeout(limit, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(Error::StreamBroken {
            reason: root_cause(&error),
        }),
        Err(_elapsed) => Err(timeout(Phase::Idle, limit)),
    }
}

pub(super) fn timeout(phase: Phase, limit: Duration) -> Error {
    Error::Timeout {
        phase,
        limit_ms: millis(limit),
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A server's words as errors repeat them: bounded, and without secrets that a
/// proxy may have echoed.
pub(super) fn server_text(text: &str) -> String {
    let text = shared::redact::redact(text.trim());
    match text.char_indices().nth(SERVER_TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

fn header_text(response: &Response, name: header::HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// The innermost reason: "connection refused" rather than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    server_text(&reason)
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The address without user and password.
fn shown(base: &Url) -> String {
    let mut url = base.clone();
    // Fails only for URLs without a host, which `new` has refused.
    let _no_host = url.set_username("").and_then(|()| url.set_password(None));
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        fn check(url: &str, expect: Result<(&str, &str), &str>) {
            let address = Address {
                speaks: Speaks::Ollama,
                url,
                key: None,
                connect_timeout: Duration::from_secs(1),
                idle_timeout: Duration::from_secs(1),
            };
            let http = Http::new(&address).map_err(|error| error.to_string());
            let found = http
                .as_ref()
                .map(|http| (http.url("api/chat").unwrap().to_string(), http.shown.clone()));
            let expect = expect
                .map(|(url, shown)| (url.to_owned(), shown.to_owned()))
                .map_err(str::to_owned);
            assert_eq!(found.map_err(Clone::clone), expect);
        }
        check(
            "http://127.0.0.1:11434",
            Ok(("http://127.0.0.1:11434/api/chat", "http://127.0.0.1:11434")),
        );
        check(
            "http://host/ollama",
            Ok(("http://host/ollama/api/chat", "http://host/ollama")),
        );
        check(
            "https://me:pw@host/",
            Ok(("https://me:pw@host/api/chat", "https://host")),
        );
        check(
            "11434",
            Err("the address of Ollama is no URL: relative URL without a base"),
        );
        check(
            "ftp://host",
            Err("the address of Ollama must begin with http:// or https://"),
        );
    }

    #[test]
    fn what_servers_say() {
        fn check(body: &str, expect: Option<&str>) {
            assert_eq!(said(body.as_bytes()).as_deref(), expect, "{body}");
        }
        check(r#"{"error": "no"}"#, Some("no"));
        check(r#"{"error": {"message": "no", "code": null}}"#, Some("no"));
        check(r#"{"detail": "no"}"#, Some("no"));
        check(r#"{"error": 1}"#, None);
        check("<html>", None);
    }

    #[test]
    fn loopback() {
        fn check(host: &str, expect: bool) {
            assert_eq!(is_this_machine(host), expect, "{host}");
        }
        check("localhost", true);
        check("127.0.0.1", true);
        check("[::1]", true);
        check("10.0.0.1", false);
        check("gpu-box", false);
    }

    #[test]
    fn servers_text_is_bounded() {
        let long = "é".repeat(SERVER_TEXT_CHARS_MAX + 1);
        assert_eq!(
            server_text(&long),
            format!("{}…", "é".repeat(SERVER_TEXT_CHARS_MAX))
        );
        assert_eq!(server_text(" short\n"), "short");
    }
}
