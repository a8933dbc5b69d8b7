//! A client of the REST interface and the event stream.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    error::{Class, Code},
    id::{Seq, WorkflowId},
    wire::{
        Body, CodeAnswer, CodeRequest, DecisionRequest, Envelope, ErrorBody, ForkRequest, ImportResponse,
        IndexPage, IndexRequest, IndexView, RemarkRequest, SearchAnswer, SearchRequest, SubmitRequest,
        SubmitResponse, UndoResponse, WorkflowPage, WorkflowView,
    },
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::error::Error;

/// Wait before a lost stream is opened again, doubled each time.
const RECONNECT_WAIT: Duration = Duration::from_millis(250);

/// Longest such wait.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Attempts in a row before a lost backend is reported.
const RECONNECT_ATTEMPTS_MAX: u32 = 20;

/// A client of one backend.
#[derive(Debug, Clone)]
pub(super) struct Client {
    url: String,
    token: Option<String>,
    http: reqwest::Client,
}

fn unreachable(url: &str, why: &dyn std::fmt::Display) -> Error {
    let message =
        format!("the backend at {url} does not answer ({why}): start it with `agentic-ide-backend serve`");
    Error {
        class: Class::Transient,
        code: Code::BackendUnreachable,
        message,
    }
}

impl Client {
    pub(super) fn new(url: &str, token: Option<String>) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            token,
            http,
        })
    }

    /// Whether a backend answers.
    pub(super) async fn alive(&self) -> Result<(), Error> {
        let answer = self
            .request(Method::GET, "/healthz")
            .timeout(Duration::from_secs(5))
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(unreachable(&self.url, &answer.status())),
            Err(error) => Err(unreachable(&self.url, &error)),
        }
    }

    pub(super) async fn submit(&self, request: &SubmitRequest) -> Result<SubmitResponse, Error> {
        self.send(self.request(Method::POST, "/api/workflow/submit").json(request))
            .await
    }

    pub(super) async fn view(&self, id: &WorkflowId) -> Result<WorkflowView, Error> {
        self.send(self.request(Method::GET, &format!("/api/workflow/{id}")))
            .await
    }

    /// The workflow as it was right after an event.
    pub(super) async fn view_at(&self, id: &WorkflowId, at: u64) -> Result<WorkflowView, Error> {
        self.send(self.request(Method::GET, &format!("/api/workflow/{id}?at={at}")))
            .await
    }

    pub(super) async fn fork(&self, id: &WorkflowId, request: &ForkRequest) -> Result<SubmitResponse, Error> {
        let path = format!("/api/workflow/{id}/fork");
        self.send(self.request(Method::POST, &path).json(request)).await
    }

    /// Everything about a workflow as one text.
    pub(super) async fn export(&self, id: &WorkflowId) -> Result<String, Error> {
        let request = self.request(Method::GET, &format!("/api/workflow/{id}/export"));
        self.answer(request)
            .await?
            .text()
            .await
            .map_err(|error| unreachable(&self.url, &error))
    }

    pub(super) async fn import(&self, text: String) -> Result<ImportResponse, Error> {
        self.send(self.request(Method::POST, "/api/workflows/import").body(text))
            .await
    }

    pub(super) async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<WorkflowPage, Error> {
        let path = format!(
            "/api/workflows?limit={limit}&cursor={}",
            cursor.unwrap_or_default()
        );
        self.send(self.request(Method::GET, &path)).await
    }

    pub(super) async fn decide(&self, id: &WorkflowId, decision: &DecisionRequest) -> Result<(), Error> {
        self.post(&format!("/api/workflow/{id}/decision"), decision).await
    }

    pub(super) async fn delete(&self, id: &WorkflowId) -> Result<(), Error> {
        let request = self.request(Method::DELETE, &format!("/api/workflow/{id}"));
        self.answer(request).await?;
        Ok(())
    }

    pub(super) async fn readmit(&self, id: &WorkflowId) -> Result<(), Error> {
        self.post(&format!("/api/workflow/{id}/readmit"), &serde_json::Value::Null)
            .await
    }

    pub(super) async fn remark(&self, id: &WorkflowId, remark: &RemarkRequest) -> Result<(), Error> {
        self.post(&format!("/api/workflow/{id}/remark"), remark).await
    }

    pub(super) async fn undo(&self, id: &WorkflowId) -> Result<UndoResponse, Error> {
        self.send(self.request(Method::POST, &format!("/api/workflow/{id}/undo")))
            .await
    }

    pub(super) async fn cancel(&self, id: &WorkflowId) -> Result<(), Error> {
        self.post(&format!("/api/workflow/{id}/cancel"), &serde_json::Value::Null)
            .await
    }

    pub(super) async fn index(&self, workspace: &str) -> Result<IndexView, Error> {
        let request = self.request(Method::GET, "/api/index");
        self.send(request.query(&[("workspace", workspace)])).await
    }

    pub(super) async fn indexes(&self) -> Result<IndexPage, Error> {
        self.send(self.request(Method::GET, "/api/indexes")).await
    }

    pub(super) async fn control_index(&self, request: &IndexRequest) -> Result<IndexView, Error> {
        self.send(self.request(Method::POST, "/api/index").json(request))
            .await
    }

    pub(super) async fn search(&self, request: &SearchRequest) -> Result<SearchAnswer, Error> {
        self.send(self.request(Method::POST, "/api/search").json(request))
            .await
    }

    /// One of the tools of the MCP server.
    pub(super) async fn code(&self, tool: &str, call: &CodeRequest) -> Result<CodeAnswer, Error> {
        self.send(
            self.request(Method::POST, &format!("/api/code/{tool}"))
                .json(call),
        )
        .await
    }

    /// Follows the index of a workspace.
    pub(super) async fn follow_index(&self, workspace: &str) -> Result<IndexFeed, Error> {
        // The same rules as for every other request.
        let path = "/api/index/stream";
        let request = self.request(Method::GET, path).query(&[("workspace", workspace)]);
        let request = request
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        let query = request.url().query().unwrap_or_default();
        let socket = self.socket(&format!("{path}?{query}")).await?;
        Ok(IndexFeed { socket })
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<(), Error> {
        self.answer(self.request(Method::POST, path).json(body)).await?;
        Ok(())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        self.answer(request)
            .await?
            .json()
            .await
            .map_err(|error| unreachable(&self.url, &error))
    }

    /// The answer to a request that was not refused.
    async fn answer(&self, request: RequestBuilder) -> Result<reqwest::Response, Error> {
        let answer = request
            .send()
            .await
            .map_err(|error| unreachable(&self.url, &error))?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(refusal(answer).await)
        }
    }

    /// A WebSocket to `path` of this backend.
    pub(super) async fn socket(
        &self,
        path: &str,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        self.socket_with(path, HeaderMap::new()).await
    }

    /// The same with these headers.
    pub(super) async fn socket_with(
        &self,
        path: &str,
        headers: HeaderMap,
    ) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        let url = self.url.replacen("http", "ws", 1);
        let mut request = format!("{url}{path}")
            .into_client_request()
            .map_err(|error| unreachable(&self.url, &error))?;
        request.headers_mut().extend(headers);
        if let Some(token) = &self.token {
            let value = format!("Bearer {token}").parse();
            let value = value.map_err(|_| {
                Error::user(
                    Code::ConfigInvalid,
                    "the token has characters that cannot be sent",
                )
            })?;
            request.headers_mut().insert("authorization", value);
        }
        let (socket, _) = connect_async(request)
            .await
            .map_err(|error| unreachable(&self.url, &error))?;
        Ok(socket)
    }

    /// Follows a workflow from `after` on.
    pub(super) fn follow(&self, id: WorkflowId, after: Seq) -> Follow {
        Follow {
            client: self.clone(),
            id,
            last: after,
            socket: None,
            ended: false,
        }
    }
}

async fn refusal(answer: reqwest::Response) -> Error {
    let status = answer.status();
    let body = answer.json::<ErrorBody>().await.ok();
    let class = if status.is_client_error() {
        Class::User
    } else {
        Class::Permanent
    };
    match body {
        Some(body) => Error {
            class,
            code: Code::parse(&body.code).unwrap_or(Code::Internal),
            message: body.message,
        },
        None => Error {
            class,
            code: Code::NotAModelServer,
            message: format!("the backend answered {status}"),
        },
    }
}

/// An index as it changes.
#[derive(Debug)]
pub(super) struct IndexFeed {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl IndexFeed {
    /// What is known next; `None` when the backend stops.
    pub(super) async fn next(&mut self) -> Result<Option<IndexView>, Error> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let view = serde_json::from_str(&text);
                    return view
                        .map(Some)
                        .map_err(|error| Error::internal(format!("an index cannot be read: {error}")));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            }
        }
    }
}

/// The events of one workflow; reconnects by itself.
#[derive(Debug)]
pub(super) struct Follow {
    client: Client,
    id: WorkflowId,
    last: Seq,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    ended: bool,
}

impl Follow {
    /// The next event; `None` after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Envelope>, Error> {
        let mut attempts = 0;
        while !self.ended {
            let mut socket = match self.socket.take() {
                Some(socket) => socket,
                None => {
                    let path = format!("/api/workflow/{}/stream?mode=delta&after={}", self.id, self.last);
                    match self.client.socket(&path).await {
                        Ok(socket) => socket,
                        Err(error) if attempts >= RECONNECT_ATTEMPTS_MAX => return Err(error),
                        Err(_) => {
                            let wait = RECONNECT_WAIT
                                .saturating_mul(1 << attempts.min(10))
                                .min(RECONNECT_WAIT_MAX);
                            tokio::time::sleep(wait).await;
                            attempts += 1;
                            continue;
                        }
                    }
                }
            };
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let envelope: Envelope = serde_json::from_str(&text)
                        .map_err(|error| Error::internal(format!("an event cannot be read: {error}")))?;
                    self.socket = Some(socket);
                    self.take(&envelope);
                    return Ok(Some(envelope));
                }
                // Lost: the next round opens it again after the last event.
                Some(Ok(Message::Close(_)) | Err(_)) | None => {}
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
                    self.socket = Some(socket);
                }
            }
        }
        Ok(None)
    }

    fn take(&mut self, envelope: &Envelope) {
        self.last = envelope.seq;
        match &envelope.body {
            Body::Resync { .. } => {
                self.last = Seq::default();
                self.socket = None;
            }
            Body::Failed { .. } => self.ended = true,
            Body::WorkflowState { state, .. } => self.ended = state.is_terminal(),
            Body::AgentStreamingUpdate { .. }
            | Body::StageStarted { .. }
            | Body::StageFinished { .. }
            | Body::AttemptDiscarded { .. }
            | Body::AttemptResumed { .. }
            | Body::RetrievalResult { .. }
            | Body::Plan { .. }
            | Body::CheckResult { .. }
            | Body::DiffReady { .. }
            | Body::DecisionNeeded { .. }
            | Body::DecisionTaken { .. }
            | Body::Applied { .. }
            | Body::Notice { .. }
            | Body::ModelCalled { .. }
            | Body::ToolCalled { .. }
            | Body::Remarked { .. } => {}
        }
    }
}
