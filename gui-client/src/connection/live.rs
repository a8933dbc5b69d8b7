//! A backend over the network: REST for requests, a WebSocket for events,
//! gRPC for version and health, all on one address.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream::BoxStream};
use proto::v1::{
    HealthRequest, IndexStatusRequest, InfoRequest, VramRequest, server_service_client::ServerServiceClient,
};
use reqwest::header::HeaderValue;
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    error::{Class, Code},
    id::{Seq, WorkflowId},
    version::{Compatibility, VERSION, compatibility},
    wire::{
        DecisionRequest, ForkRequest, RemarkRequest, SubmitRequest, SubmitResponse, UndoResponse,
        WorkflowPage, WorkflowSummary, WorkflowView,
    },
};
use tonic::{metadata::MetadataValue, transport::Channel};

use super::{
    Component, Connection, Followed, Index, IndexState, Memory, MemoryKind, Server, ServerInfo,
    backoff::Backoff,
    dial::{Dialer, advised},
    follow,
    socket::{Socket, refused},
};
use crate::{Error, clock, model::log::LOG_BYTES_MAX};

/// Time a request may take; submitting waits for a durable write only.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time a probe of the server may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between probes of a server that answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// The same while an index gets on.
const PROBE_INTERVAL_BUSY: Duration = Duration::from_secs(1);
/// Workflows of a page, and those looked through for one that has not finished.
const RECENT_MAX: u32 = 50;

/// A backend over the network.
#[derive(Debug, Clone)]
pub struct Live {
    dialer: Dialer,
    http: reqwest::Client,
    backoff: Backoff,
}

impl Live {
    /// A backend; nothing is sent yet.
    pub fn new(dialer: Dialer, backoff: Backoff) -> Result<Self, Error> {
        let http = dialer
            .http()?
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|error| Error::Config(format!("the HTTP client cannot start: {error}")))?;
        Ok(Self {
            dialer,
            http,
            backoff,
        })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> BoxFuture<'static, Result<T, Error>> {
        self.send(self.http.get(self.dialer.address().http(path)))
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> BoxFuture<'static, Result<T, Error>> {
        self.send(self.http.post(self.dialer.address().http(path)).json(body))
    }

    fn send<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> BoxFuture<'static, Result<T, Error>> {
        let url = self.dialer.address().http("");
        Box::pin(async move {
            let unreachable = |error: &reqwest::Error| Error::Unreachable {
                url: url.clone(),
                reason: advised(innermost(error)),
            };
            let response = request.send().await.map_err(|error| unreachable(&error))?;
            let status = response.status();
            let body = response.bytes().await.map_err(|error| unreachable(&error))?;
            if !status.is_success() {
                return Err(refused(&url, status.as_u16(), &body));
            }
            // An answer without content is as good as `null`.
            let body: &[u8] = if body.is_empty() { b"null" } else { &body };
            serde_json::from_slice(body).map_err(|error| Error::Unexpected(error.to_string()))
        })
    }
}

impl Connection for Live {
    fn name(&self) -> String {
        self.dialer.address().host().to_owned()
    }

    fn watch(&self) -> BoxStream<'static, Server> {
        let url = self.dialer.address().http("");
        let backoff = self.backoff;
        let dialer = self.dialer.clone();
        async_stream::stream! {
            let channel = match dialer.channel(PROBE_TIMEOUT) {
                Ok(channel) => channel,
                Err(error) => {
                    yield Server::Down(error);
                    return;
                }
            };
            let mut before = None;
            let mut failures = 0;
            loop {
                let now = match probe(&channel, dialer.authorization(), &url).await {
                    Ok(info) => Server::Up(info),
                    Err(error) => Server::Down(error),
                };
                let delay = match &now {
                    Server::Up(info) => {
                        failures = 0;
                        interval(info.index.as_ref())
                    }
                    Server::Down(_) => {
                        failures += 1;
                        backoff.delay(failures - 1, clock::fraction())
                    }
                };
                if before.as_ref() != Some(&now) {
                    before = Some(now.clone());
                    yield now;
                }
                tokio::time::sleep(delay).await;
            }
        }
        .boxed()
    }

    fn submit(&self, request: SubmitRequest) -> BoxFuture<'static, Result<WorkflowId, Error>> {
        let answer = self.post::<SubmitResponse>("/api/workflow/submit", &request);
        Box::pin(async move { answer.await.map(|answer| answer.workflow_id) })
    }

    fn newest_unfinished(&self) -> BoxFuture<'static, Result<Option<WorkflowSummary>, Error>> {
        let page = self.page(None);
        Box::pin(async move {
            let page = page.await?;
            Ok(page
                .workflows
                .into_iter()
                .find(|workflow| !workflow.state.is_terminal()))
        })
    }

    fn page(&self, cursor: Option<&str>) -> BoxFuture<'static, Result<WorkflowPage, Error>> {
        // A cursor is the id of a workflow, and needs no escaping.
        let behind = cursor.map(|cursor| format!("&cursor={cursor}"));
        let behind = behind.unwrap_or_default();
        self.get(&format!("/api/workflows?limit={RECENT_MAX}{behind}"))
    }

    fn view(&self, id: &WorkflowId) -> BoxFuture<'static, Result<WorkflowView, Error>> {
        self.get(&format!("/api/workflow/{id}"))
    }

    fn log(&self, id: &WorkflowId, check: &str) -> BoxFuture<'static, Result<String, Error>> {
        let url = self.dialer.address().http("");
        let request = self.http.get(self.dialer.address().below(&[
            "api",
            "workflow",
            id.as_str(),
            "checks",
            check,
            "log",
        ]));
        Box::pin(async move {
            let unreachable = |error: &reqwest::Error| Error::Unreachable {
                url: url.clone(),
                reason: advised(innermost(error)),
            };
            let mut response = request.send().await.map_err(|error| unreachable(&error))?;
            let status = response.status();
            let mut kept: Vec<u8> = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&error))? {
                kept.extend_from_slice(&piece);
                if kept.len() > 2 * LOG_BYTES_MAX {
                    kept.drain(..kept.len() - LOG_BYTES_MAX);
                }
            }
            if status.is_success() {
                Ok(String::from_utf8_lossy(&kept).into_owned())
            } else {
                Err(refused(&url, status.as_u16(), &kept))
            }
        })
    }

    fn decide(&self, id: &WorkflowId, request: DecisionRequest) -> BoxFuture<'static, Result<(), Error>> {
        let answer = self.post::<serde_json::Value>(&format!("/api/workflow/{id}/decision"), &request);
        Box::pin(async move { answer.await.map(drop) })
    }

    fn remark(&self, id: &WorkflowId, text: String) -> BoxFuture<'static, Result<(), Error>> {
        let request = RemarkRequest { text };
        let answer = self.post::<serde_json::Value>(&format!("/api/workflow/{id}/remark"), &request);
        Box::pin(async move { answer.await.map(drop) })
    }

    fn undo(&self, id: &WorkflowId) -> BoxFuture<'static, Result<UndoResponse, Error>> {
        self.post(&format!("/api/workflow/{id}/undo"), &serde_json::json!({}))
    }

    fn fork(&self, id: &WorkflowId, at: Seq) -> BoxFuture<'static, Result<WorkflowId, Error>> {
        let request = ForkRequest { at, model: None };
        let answer = self.post::<SubmitResponse>(&format!("/api/workflow/{id}/fork"), &request);
        Box::pin(async move { answer.await.map(|answer| answer.workflow_id) })
    }

    fn cancel(&self, id: &WorkflowId) -> BoxFuture<'static, Result<(), Error>> {
        let answer =
            self.post::<serde_json::Value>(&format!("/api/workflow/{id}/cancel"), &serde_json::json!({}));
        Box::pin(async move { answer.await.map(drop) })
    }

    fn follow(&self, id: &WorkflowId, after: Seq) -> BoxStream<'static, Followed> {
        let socket = Socket::new(self.dialer.clone(), id.clone());
        follow::follow(Arc::new(socket), after, self.backoff, clock::fraction).boxed()
    }
}

async fn probe(
    channel: &Channel,
    authorization: Option<&HeaderValue>,
    url: &str,
) -> Result<ServerInfo, Error> {
    let failed = |status: &tonic::Status| {
        // Who refuses before gRPC is spoken answers with a body that is none.
        let is_refused =
            status.code() == tonic::Code::Unauthenticated || status.message().contains("401 Unauthorized");
        if is_refused {
            let message =
                "the backend wants a token: set `token` in gui_config.yaml, or AGENTIC_IDE_GUI_TOKEN";
            return Error::Refused {
                code: Code::Unauthenticated.as_str().to_owned(),
                message: message.to_owned(),
                class: Class::User,
            };
        }
        Error::Unreachable {
            url: url.to_owned(),
            reason: advised(innermost(status)),
        }
    };
    let value = authorization.and_then(|value| MetadataValue::try_from(value.as_bytes()).ok());
    let show = move |mut request: tonic::Request<()>| {
        if let Some(value) = &value {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    };
    let mut client = ServerServiceClient::with_interceptor(channel.clone(), show);
    let request = InfoRequest {
        client_version: VERSION.to_owned(),
        client_name: "agentic-ide-gui".to_owned(),
    };
    let info = client
        .info(request)
        .await
        .map_err(|status| failed(&status))?
        .into_inner();
    let health = client
        .health(HealthRequest {})
        .await
        .map_err(|status| failed(&status))?
        .into_inner();
    // A server of an older version does not know all of it, and goes on without.
    let request = IndexStatusRequest {
        workspace: info.default_workspace.clone(),
    };
    let index = client.index_status(request).await.ok();
    let index = index.map(|answer| index_of(answer.into_inner()));
    let memory = client.vram(VramRequest {}).await.ok();
    let memory = memory.and_then(|answer| memory_of(&answer.into_inner()));
    let components = health
        .components
        .into_iter()
        .map(|component| Component {
            name: component.name,
            ok: component.ok,
            detail: component.detail,
        })
        .collect();
    let ours = compatibility(VERSION, &info.version);
    // The server may know better that it no longer speaks to this version.
    let compatibility = if info.compatibility() == proto::v1::Compatibility::None {
        Compatibility::None
    } else {
        ours
    };
    Ok(ServerInfo {
        version: info.version,
        compatibility,
        default_workspace: info.default_workspace,
        components,
        index,
        memory,
    })
}

/// Nothing where models run elsewhere, or nobody knows how much there is.
fn memory_of(answer: &proto::v1::VramResponse) -> Option<Memory> {
    let kind = match answer.kind.as_str() {
        "gpu" => MemoryKind::Gpu,
        "system" => MemoryKind::System,
        _ => return None,
    };
    Some(Memory {
        kind,
        used_mb: answer.vram_used_mb,
        total_mb: answer.vram_total_mb?,
        is_tight: answer.level != "normal",
    })
}

fn index_of(status: proto::v1::IndexStatusResponse) -> Index {
    let progress = status.progress.as_ref();
    Index {
        state: IndexState::parse(&status.state),
        files: status.files,
        progress: progress.map(|now| (now.files_done, now.files_total)),
        seconds_left: progress.and_then(|now| now.seconds_left),
        code: status.code,
    }
}

fn interval(index: Option<&Index>) -> Duration {
    match index.map(|index| index.state) {
        Some(IndexState::Scanning | IndexState::Indexing) => PROBE_INTERVAL_BUSY,
        Some(
            IndexState::Idle
            | IndexState::Paused
            | IndexState::Waiting
            | IndexState::Ready
            | IndexState::Failed,
        )
        | None => PROBE_INTERVAL,
    }
}

/// The last cause of an error, which is the one that tells a person something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
