//! The REST interface.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::StatusCode,
    routing::{get, post},
};
use engine::ports::journal::ListQuery;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::{
    error::Code,
    id::Seq,
    wire::{
        DecisionRequest, ForkRequest, ImportResponse, MemoryView, RemarkRequest, SandboxView, SubmitRequest,
        SubmitResponse, UndoResponse, WorkflowPage, WorkflowView,
    },
};

use super::{convert, stream};
use crate::{
    error::Error,
    present,
    runtime::{Missing, Runtime, Submission, Undo},
    status,
};

/// Workflows of one page where the request does not say.
const PAGE_DEFAULT: usize = 50;

/// Bytes of a request for a workflow, with as many pictures as it may have, in base64.
pub(super) const SUBMIT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of an exported workflow that is taken over.
const IMPORT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most workflows of one page.
const PAGE_MAX: usize = 200;

pub(super) fn routes() -> Router<Runtime> {
    Router::new()
        .route(
            "/api/workflow/submit",
            post(submit).layer(DefaultBodyLimit::max(SUBMIT_BYTES_MAX)),
        )
        .route("/api/workflow/{id}", get(show).delete(delete))
        .route("/api/workflow/{id}/stream", get(stream::stream))
        .route("/api/workflow/{id}/decision", post(decide))
        .route("/api/workflow/{id}/remark", post(remark))
        .route("/api/workflow/{id}/cancel", post(cancel))
        .route("/api/workflow/{id}/undo", post(undo))
        .route("/api/workflow/{id}/checks/{name}/log", get(log))
        .route("/api/workflow/{id}/fork", post(fork))
        .route("/api/workflow/{id}/readmit", post(readmit))
        .route("/api/workflow/{id}/export", get(export))
        .route(
            "/api/workflows/import",
            post(import).layer(DefaultBodyLimit::max(IMPORT_BYTES_MAX)),
        )
        .route("/api/workflows", get(list))
        .route("/debug/vram", get(vram))
        .route("/debug/sandbox", get(sandbox))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(async || {
            let error = Error::user(Code::InvalidRequest, "this path does not take this method");
            (StatusCode::METHOD_NOT_ALLOWED, error)
        })
        .fallback(async || {
            (
                StatusCode::NOT_FOUND,
                Error::user(Code::InvalidRequest, "there is nothing at this path"),
            )
        })
}

pub(super) type Body = Result<Bytes, BytesRejection>;

/// The body as JSON, with our own error, which names line and column.
pub(super) fn parse<T: DeserializeOwned>(body: Body) -> Result<T, Error> {
    let wrong = |problem: &dyn std::fmt::Display| {
        Error::user(
            Code::InvalidRequest,
            format!("the request body cannot be used: {problem}"),
        )
    };
    let body = body.map_err(|error| wrong(&error.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| wrong(&error))
}

async fn submit(
    State(runtime): State<Runtime>,
    body: Body,
) -> Result<(StatusCode, Json<SubmitResponse>), Error> {
    let request: SubmitRequest = parse(body)?;
    let submission = Submission {
        correlation: convert::correlation(request.correlation_id.as_deref())?,
        workflow_type: request.workflow_type,
        query: request.user_query,
        images: convert::pictures(&request.images)?,
        workspace: request.workspace,
        choices: convert::choices(
            request.model.as_deref(),
            request.thought_level,
            request.retrieval,
            &request.folders,
        )?,
        missing: Missing::Refused,
        servers: Vec::new(),
    };
    let (workflow_id, correlation_id) = runtime.submit(submission).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(SubmitResponse {
            workflow_id,
            correlation_id,
        }),
    ))
}

#[derive(Debug, Deserialize)]
struct Moment {
    at: Option<u64>,
}

async fn show(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    query: Result<Query<Moment>, QueryRejection>,
) -> Result<Json<WorkflowView>, Error> {
    let Query(query) = query.map_err(|error| Error::user(Code::InvalidRequest, error.body_text()))?;
    let id = convert::workflow_id(&id)?;
    let state = match query.at {
        Some(at) => Arc::new(runtime.state_at(&id, Seq(at)).await?),
        None => runtime.state(&id).await?,
    };
    Ok(Json(
        present::view(runtime.services().journal.as_ref(), &state).await?,
    ))
}

/// How a check of the present proposal was run, and all that it printed.
async fn log(
    State(runtime): State<Runtime>,
    Path((id, name)): Path<(String, String)>,
) -> Result<String, Error> {
    let state = runtime.state(&convert::workflow_id(&id)?).await?;
    let report = state.checks.iter().find(|report| report.name == name);
    let log = report.and_then(|report| report.log).ok_or_else(|| {
        let message = format!("the check `{name}` of this proposal has no log");
        Error::user(Code::InvalidRequest, message)
    })?;
    let bytes = runtime.services().journal.blob(log).await?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn fork(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    body: Body,
) -> Result<(StatusCode, Json<SubmitResponse>), Error> {
    let id = convert::workflow_id(&id)?;
    let request: ForkRequest = parse(body)?;
    let (workflow_id, correlation_id) = runtime.fork(&id, request.at, request.model).await?;
    let response = SubmitResponse {
        workflow_id,
        correlation_id,
    };
    Ok((StatusCode::ACCEPTED, Json(response)))
}

async fn export(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<String, Error> {
    runtime.export(&convert::workflow_id(&id)?).await
}

async fn import(
    State(runtime): State<Runtime>,
    body: Body,
) -> Result<(StatusCode, Json<ImportResponse>), Error> {
    let wrong = |problem: String| Error::user(Code::ImportRefused, problem);
    let body = body.map_err(|error| wrong(error.body_text()))?;
    let text = std::str::from_utf8(&body).map_err(|error| wrong(error.to_string()))?;
    let workflow_id = runtime.import(text).await?;
    Ok((StatusCode::CREATED, Json(ImportResponse { workflow_id })))
}

async fn decide(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    body: Body,
) -> Result<StatusCode, Error> {
    let id = convert::workflow_id(&id)?;
    let decision = convert::decision(parse::<DecisionRequest>(body)?)?;
    runtime.decide(&id, None, decision).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remark(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    body: Body,
) -> Result<StatusCode, Error> {
    let id = convert::workflow_id(&id)?;
    let RemarkRequest { text } = parse(body)?;
    runtime.remark(&id, text).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn cancel(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<StatusCode, Error> {
    runtime.cancel(&convert::workflow_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn undo(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<Json<UndoResponse>, Error> {
    let Undo {
        workflow,
        commit,
        branch,
    } = runtime.undo(&convert::workflow_id(&id)?).await?;
    Ok(Json(UndoResponse {
        workflow_id: workflow,
        commit,
        branch,
    }))
}

async fn delete(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<StatusCode, Error> {
    runtime.delete(&convert::workflow_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn readmit(State(runtime): State<Runtime>, Path(id): Path<String>) -> Result<StatusCode, Error> {
    runtime.readmit(&convert::workflow_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The asked-for page; the gRPC interface has the same.
pub(super) async fn page(
    runtime: &Runtime,
    limit: Option<usize>,
    cursor: Option<&str>,
) -> Result<WorkflowPage, Error> {
    let limit = limit
        .filter(|limit| *limit > 0)
        .unwrap_or(PAGE_DEFAULT)
        .min(PAGE_MAX);
    let before = cursor
        .filter(|cursor| !cursor.is_empty())
        .map(convert::workflow_id)
        .transpose()?;
    let heads = runtime
        .list(ListQuery {
            unfinished: false,
            before,
            limit,
        })
        .await?;
    let full = heads.len() == limit;
    let workflows: Vec<_> = heads.iter().map(present::summary).collect();
    let last = workflows.last().map(|summary| summary.workflow_id.to_string());
    Ok(WorkflowPage {
        next_cursor: last.filter(|_| full),
        workflows,
    })
}

async fn list(
    State(runtime): State<Runtime>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<WorkflowPage>, Error> {
    let Query(query) = query.map_err(|error| Error::user(Code::InvalidRequest, error.body_text()))?;
    Ok(Json(page(&runtime, query.limit, query.cursor.as_deref()).await?))
}

async fn vram(State(runtime): State<Runtime>) -> Json<MemoryView> {
    Json(present::memory(runtime.memory().await))
}

/// The first one who asks waits until every promise has been tried.
async fn sandbox(State(runtime): State<Runtime>) -> Result<Json<SandboxView>, Error> {
    let trials = Arc::clone(&runtime.services().trials);
    let view = tokio::task::spawn_blocking(move || present::sandbox(trials.sandbox()));
    let view = view
        .await
        .map_err(|error| Error::internal(format!("the sandbox was not tried: {error}")))?;
    Ok(Json(view))
}

#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    components: Vec<ReadyComponent>,
}

#[derive(Debug, Serialize)]
struct ReadyComponent {
    name: &'static str,
    ok: bool,
    detail: String,
}

async fn ready(State(runtime): State<Runtime>) -> (StatusCode, Json<Ready>) {
    let health = status::health(runtime.services()).await;
    let ready = health.ready();
    let components = health.components.into_iter();
    let components = components
        .map(|component| ReadyComponent {
            name: component.name,
            ok: component.ok,
            detail: component.detail,
        })
        .collect();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Ready { ready, components }))
}
