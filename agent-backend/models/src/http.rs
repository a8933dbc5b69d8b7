//! Requests, time limits, and what each way of failing means. Knows statuses
//! and bodies of each kind of server, not what the calls are for.

mod client;
mod refusal;

use std::{path::Path, time::Duration};

use reqwest::{Client, RequestBuilder, Response, Url, header};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use self::refusal::server_text;
use self::refusal::{Refusal, said, said_value};
use crate::{Error, Key, Locality, Phase};

/// Largest answer to a question about the server, in bytes.
pub(crate) const STATUS_BYTES_MAX: usize = 4 << 20;

/// Most of an error's body that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// What stands where a server repeats a secret.
const HIDDEN: &str = "[redacted]";

/// Whose interface a server is expected to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Ollama's own.
    Ollama,
    /// OpenAI's, which many others speak.
    OpenAi,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
}

/// How to reach a server.
#[derive(Debug)]
pub(crate) struct Address<'a> {
    /// Whose it is, as messages name it: `Ollama`, `the embedding server`.
    pub(crate) whose: &'a str,
    pub(crate) speaks: Speaks,
    pub(crate) url: &'a str,
    /// Sent with each request, in the header that the interface has for it.
    pub(crate) key: Option<&'a Key>,
    /// Sent with each request.
    pub(crate) headers: &'a [(String, Key)],
    /// Certificates (PEM) of authorities to trust beside the web's.
    pub(crate) ca_file: Option<&'a Path>,
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
    /// What no error repeats.
    secrets: Vec<Key>,
    idle_timeout: Duration,
}

impl Http {
    pub(super) fn new(address: &Address<'_>) -> Result<Self, Error> {
        let (client, base) = client::build(address)?;
        let headers = address.headers.iter().map(|(_, value)| value);
        Ok(Self {
            client,
            speaks: address.speaks,
            shown: client::shown(&base),
            base,
            secrets: address
                .key
                .into_iter()
                .chain(headers)
                .filter(|secret| !secret.expose().is_empty())
                .cloned()
                .collect(),
            idle_timeout: address.idle_timeout,
        })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The address without user and password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Where the server runs.
    pub(super) fn locality(&self) -> Locality {
        Locality::of(&self.base)
    }

    /// Whether that is this machine.
    pub(super) fn is_here(&self) -> bool {
        self.locality() == Locality::Machine
    }

    /// Whether what is sent can be read on its way to another machine.
    pub(super) fn is_in_the_clear(&self) -> bool {
        self.base.scheme() == "http" && !self.is_here()
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
        let url = self.shown.clone();
        if let Some(reason) = client::certificate_fault(error) {
            return Error::CertificateRefused { url, reason };
        }
        let reason = server_text(&client::root_cause(error));
        if error.is_connect() || error.is_timeout() {
            return match self.speaks {
                Speaks::Ollama => Error::Unreachable { url, reason },
                Speaks::OpenAi | Speaks::Anthropic | Speaks::Gemini => Error::NoServer { url, reason },
            };
        }
        if reason.contains("invalid HTTP") || reason.contains("unexpected message") || error.is_decode() {
            return self.stranger(&reason);
        }
        Error::StreamBroken { reason }
    }

    /// Something answers, but not as it should.
    pub(super) fn stranger(&self, reason: &str) -> Error {
        refusal::stranger(self.speaks, &self.shown, reason)
    }

    /// The response if the server accepts the call, else what its status means.
    pub(super) async fn accepted(&self, response: Response, model: &str) -> Result<Response, Error> {
        let status = response.status();
        if status.is_success() {
            let kind = header_text(&response, header::CONTENT_TYPE.as_str()).unwrap_or_default();
            if kind.starts_with("text/html") {
                return Err(self.stranger("it answers with a web page"));
            }
            return Ok(response);
        }
        let retry_after = refusal::retry_after(|name| header_text(&response, name));
        // An unreadable body takes nothing away from the status.
        let body = self.bytes(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let body = self.without_secrets(&String::from_utf8_lossy(&body));
        Err(refusal::refusal(Refusal {
            speaks: self.speaks,
            url: &self.shown,
            model,
            status: status.as_u16(),
            retry_after,
            said: said(body.as_bytes()),
            body,
        }))
    }

    /// The response if it is a stream of events. A server or a proxy that does
    /// not stream answers with JSON, an error among it.
    pub(super) async fn streamed(&self, response: Response, model: &str) -> Result<Response, Error> {
        let kind = header_text(&response, header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Ok(response);
        }
        let body = self.bytes(response, STATUS_BYTES_MAX).await?;
        match serde_json::from_slice(&body) {
            Ok(object) if said(&body).is_some() => Err(self.in_the_middle(model, &object)),
            Ok(_) | Err(_) => Err(self.stranger("it answers in one piece instead of a stream")),
        }
    }

    /// The server does not list the model.
    pub(super) fn no_model(&self, model: &str) -> Error {
        Error::ModelUnknown {
            model: model.to_owned(),
            url: self.shown.clone(),
        }
    }

    /// What an error object in the middle of an answer means.
    pub(super) fn in_the_middle(&self, model: &str, object: &serde_json::Value) -> Error {
        let object = serde_json::from_str(&self.without_secrets(&object.to_string())).unwrap_or_default();
        match said_value(&object) {
            Some(said) => refusal::in_the_middle(self.speaks, &self.shown, model, said),
            None => Error::StreamBroken {
                reason: server_text(&object.to_string()),
            },
        }
    }

    /// A server's words without the key it was sent.
    fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose(), HIDDEN)
        })
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
            | Error::WrongModel { .. }
            | Error::KeyRefused { .. }
            | Error::NotAServer { .. }
            | Error::CertificateRefused { .. }
            | Error::ContextOverflow { .. }
            | Error::QuotaSpent { .. }
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

/// The next piece of a body; `None` at its end.
pub(super) async fn next_piece(
    response: &mut Response,
    limit: Duration,
) -> Result<Option<bytes::Bytes>, Error> {
    match tokio::time::timeout(limit, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(Error::StreamBroken {
            reason: server_text(&client::root_cause(&error)),
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

pub(super) fn header_text(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        fn check(url: &str, expect: Result<(&str, &str), &str>) {
            let address = Address {
                whose: "Ollama",
                speaks: Speaks::Ollama,
                url,
                key: None,
                headers: &[],
                ca_file: None,
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
}
