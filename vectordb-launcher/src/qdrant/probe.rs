//! The launcher's questions to Qdrant's REST API.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::{Body, Method, Url, header::CONTENT_TYPE};
use serde_json::Value;
use tokio_stream::StreamExt as _;
use tokio_util::io::ReaderStream;

use crate::{
    auth::{KEY_HEADER, Secret},
    error::{Error, Result},
    tls::Trust,
};

/// Longest answer of a server that is well.
const PROBE_TIME_MAX: Duration = Duration::from_secs(3);

/// Longest call that makes, sends or takes a copy.
const COPY_TIME_MAX: Duration = Duration::from_secs(3600);

/// Between the parts of a form; no snapshot holds it.
const BOUNDARY: &str = "agentic-ide-3f0c8d8e5b7a4c6c9a14d2f1e6b09a77";

/// Asks Qdrant whether it is ready.
#[derive(Debug, Clone)]
pub struct Probe {
    client: reqwest::Client,
    url: String,
    key: Option<Secret>,
    /// Host and port that must be listened on, too.
    grpc: Option<(String, u16)>,
}

impl Probe {
    /// A probe of the REST API at `url`, without a slash at the end.
    ///
    /// # Errors
    /// [`Error::Config`] if no client can be made.
    pub fn new(url: String, key: Option<Secret>, trust: &Trust) -> Result<Self> {
        let mut builder = reqwest::Client::builder()
            .timeout(PROBE_TIME_MAX)
            // A proxy of the environment is for the Internet.
            .no_proxy();
        if let Some(tls) = trust.client()? {
            builder = builder.use_preconfigured_tls(tls);
        }
        let client = builder
            .build()
            .map_err(|error| Error::Config(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self {
            client,
            url,
            key,
            grpc: None,
        })
    }

    /// As it is, but nothing is ready before it listens at `grpc_url`, too: Qdrant
    /// opens its REST port first, and says that it is ready there.
    ///
    /// # Errors
    /// [`Error::Config`] for an address without host and port.
    pub fn and_grpc(self, grpc_url: &str) -> Result<Self> {
        let url = Url::parse(grpc_url).ok();
        let place = url.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
        match place {
            Some(place) => Ok(Self {
                grpc: Some(place),
                ..self
            }),
            None => Err(Error::Config(format!("{grpc_url} names no host and port"))),
        }
    }

    /// What `/` says about the server; nothing if it does not answer.
    pub async fn title(&self) -> Value {
        let Ok(request) = self.request(Method::GET, &[]) else {
            return Value::Null;
        };
        match request.send().await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    /// The result that `GET` gives at a path of these `segments`.
    ///
    /// # Errors
    /// What the client or Qdrant says.
    pub async fn get(&self, segments: &[&str]) -> std::result::Result<Value, String> {
        result(self.request(Method::GET, segments)?).await
    }

    /// As [`get`](Self::get), for what may take long.
    ///
    /// # Errors
    /// What the client or Qdrant says.
    pub async fn call(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<Value>,
    ) -> std::result::Result<Value, String> {
        let request = self.request(method, segments)?.timeout(COPY_TIME_MAX);
        result(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Sends a snapshot to a path of these `segments`; what it holds wins over what
    /// is there.
    ///
    /// # Errors
    /// What the client or Qdrant says.
    pub async fn upload(
        &self,
        segments: &[&str],
        file: tokio::fs::File,
    ) -> std::result::Result<Value, String> {
        // A form of one part (RFC 7578); nothing in it has to be escaped.
        let start = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"snapshot\"; filename=\"snapshot\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let end = format!("\r\n--{BOUNDARY}--\r\n");
        let text = |text: String| tokio_stream::once(Ok::<_, std::io::Error>(Bytes::from(text)));
        let form = text(start).chain(ReaderStream::new(file)).chain(text(end));
        let request = self
            .request(Method::POST, segments)?
            .query(&[("priority", "snapshot")])
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
            .timeout(COPY_TIME_MAX)
            .body(Body::wrap_stream(form));
        result(request).await
    }

    /// The bytes at a path of these `segments`.
    ///
    /// # Errors
    /// What the client or Qdrant says.
    pub async fn fetch(&self, segments: &[&str]) -> std::result::Result<reqwest::Response, String> {
        let request = self.request(Method::GET, segments)?.timeout(COPY_TIME_MAX);
        let answer = request.send().await.map_err(|error| reason(&error))?;
        answer.error_for_status().map_err(|error| reason(&error))
    }

    /// Names of collections may hold what means something else in an address.
    fn request(
        &self,
        method: Method,
        segments: &[&str],
    ) -> std::result::Result<reqwest::RequestBuilder, String> {
        let mut url = Url::parse(&self.url).map_err(|error| error.to_string())?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let request = self.client.request(method, url);
        Ok(match &self.key {
            Some(key) => request.header(KEY_HEADER, key.reveal()),
            None => request,
        })
    }

    /// Whether it is ready; if not, why.
    pub(super) async fn ready(&self) -> std::result::Result<(), String> {
        match self.request(Method::GET, &["readyz"])?.send().await {
            Ok(response) if response.status().is_success() => self.listens().await,
            Ok(response) => Err(format!("/readyz answers {}", response.status())),
            Err(error) => Err(format!("/readyz does not answer: {}", reason(&error))),
        }
    }
}

impl Probe {
    async fn listens(&self) -> std::result::Result<(), String> {
        let Some((host, port)) = &self.grpc else {
            return Ok(());
        };
        let bare = host.trim_matches(['[', ']']);
        let connect = tokio::net::TcpStream::connect((bare, *port));
        match tokio::time::timeout(PROBE_TIME_MAX, connect).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("the gRPC port {port} is closed: {error}")),
            Err(_) => Err(format!("the gRPC port {port} does not answer")),
        }
    }
}

/// Qdrant's answer without its frame, or its words.
async fn result(request: reqwest::RequestBuilder) -> std::result::Result<Value, String> {
    let answer = request.send().await.map_err(|error| reason(&error))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| reason(&error))?;
    // Some refusals are clear text.
    let mut told: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if status.is_success() {
        Ok(told["result"].take())
    } else {
        let words = told["status"]["error"]
            .as_str()
            .or(told.as_str())
            .unwrap_or_default();
        Err(format!("{words} ({status})"))
    }
}

/// What the client says hides why; the last cause is what a person needs.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    if error.is_timeout() {
        format!("no answer within {} s", PROBE_TIME_MAX.as_secs())
    } else {
        cause.to_string()
    }
}
