//! The HTTP side: routes, and what all endpoints share.

mod catalogue;
mod damage;
mod embed;
mod generate;
mod hosted;
mod models;
mod ollama;
mod openai;
mod replayed;
mod stream;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    fault::{Before, Effects, Fault, RawAnswer},
    gate::Gate,
    record::{Entry, Outcome, Recorder},
    script::{Compiled, Counting, Endpoint, Keys, Question, Selected},
    seed::Plan,
    wire::{Message, Refused},
};
pub(crate) use models::Models;

/// Content type of JSON as the real server sends it.
const JSON_TYPE: &str = "application/json; charset=utf-8";

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) recorder: Recorder,
    pub(crate) gate: Gate,
    pub(crate) models: Mutex<Models>,
    pub(crate) script: Mutex<Compiled>,
    /// What goes wrong with every request.
    pub(crate) faults: Vec<Fault>,
    pub(crate) calls: Mutex<Calls>,
    /// 0: as fast as it goes.
    pub(crate) tokens_per_second: f64,
    pub(crate) keys: Keys,
}

impl Server {
    pub(crate) fn models(&self) -> MutexGuard<'_, Models> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn select(&self, question: &Question<'_>, counting: Counting) -> Option<Selected> {
        self.script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .select(question, counting)
    }

    /// The place of the next answer of a model, and what a seed does to it.
    fn next_call(&self) -> (u64, Option<Fault>) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

/// The answers of models, in their order.
#[derive(Debug)]
pub(crate) struct Calls {
    count: u64,
    plan: Option<Plan>,
}

impl Calls {
    pub(crate) fn new(plan: Option<Plan>) -> Self {
        Self { count: 0, plan }
    }

    fn next(&mut self) -> (u64, Option<Fault>) {
        self.count += 1;
        let fault = self.plan.as_mut().and_then(Iterator::next).flatten();
        (self.count, fault)
    }
}

pub(crate) fn app(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(async || "Ollama is running"))
        .route("/api/version", get(models::version))
        .route("/api/tags", get(models::tags))
        .route("/api/ps", get(models::ps))
        .route("/api/show", post(models::show))
        .route("/api/pull", post(models::pull))
        .route("/api/chat", post(ollama::chat))
        .route("/api/generate", post(ollama::generate))
        .route("/api/embed", post(embed::embed))
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/v1/chat/completions", post(hosted::chat_completions))
        .route("/v1/messages", post(hosted::messages))
        .route("/v1/models", get(catalogue::v1))
        .route("/v1beta/models", get(catalogue::gemini))
        .route(
            "/v1beta/models/{call}",
            get(catalogue::gemini_one).post(hosted::gemini),
        )
        .route("/_scripted/requests", get(requests))
        .route("/_scripted/gate", post(gate))
        .fallback(async || (StatusCode::NOT_FOUND, "404 page not found"))
        .layer(DefaultBodyLimit::disable())
        .with_state(server)
}

async fn requests(State(server): State<Arc<Server>>) -> Response {
    Json(server.recorder.all()).into_response()
}

/// What `POST /_scripted/gate` takes: `{"close": {}}`, `{"release": 3}`, `{"open": {}}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GateCommand {
    Close {},
    Release(u64),
    Open {},
}

async fn gate(State(server): State<Arc<Server>>, Json(command): Json<GateCommand>) -> StatusCode {
    match command {
        GateCommand::Close {} => server.gate.close(),
        GateCommand::Release(lines) => server.gate.release(lines),
        GateCommand::Open {} => server.gate.open(),
    }
    StatusCode::NO_CONTENT
}

/// Body for the record: JSON if it is, else its text.
fn recorded(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_no_json| match String::from_utf8_lossy(body) {
        text if text.is_empty() => Value::Null,
        text => Value::String(text.into_owned()),
    })
}

fn json_response(status: u16, value: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, JSON_TYPE)], value.to_string()).into_response()
}

/// Ends a request with a refusal in its format.
fn refused(entry: &Entry, refused: &Refused) -> Response {
    entry.end(Outcome::Error {
        status: refused.status,
        message: refused.told(),
    });
    let mut response = json_response(refused.status, &entry.format.error(refused, entry.id));
    if let Some(seconds) = refused.retry_after_secs {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Ends a request because the script is wrong or lacks a rule.
fn script_error(entry: &Entry, reason: &str) -> Response {
    let reason = format!("scripted-ollama: {reason}");
    tracing::error!("{reason}");
    entry.update(|record| record.script_error = Some(reason.clone()));
    refused(entry, &Refused::new(500, reason))
}

/// What comes in place of an answer, if something does. Waits as it is told.
async fn in_place(entry: &Entry, before: &[Before]) -> Option<Response> {
    for fault in before {
        match fault {
            Before::Stall(Some(ms)) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Before::Stall(None) => std::future::pending().await,
            Before::Status(error) => {
                let mut refusal =
                    Refused::new(error.status, error.message.as_str()).retry_after(error.retry_after_secs);
                refusal.code.clone_from(&error.code);
                return Some(refused(entry, &refusal));
            }
            Before::Raw(raw) => return Some(raw_response(entry, raw)),
        }
    }
    None
}

fn raw_response(entry: &Entry, raw: &RawAnswer) -> Response {
    let response = Response::builder()
        .status(raw.status)
        .header(header::CONTENT_TYPE, &raw.content_type)
        .body(Body::from(raw.body.clone()));
    match response {
        Ok(response) => {
            entry.end(Outcome::Error {
                status: raw.status,
                message: "raw".to_owned(),
            });
            response
        }
        Err(error) => script_error(entry, &format!("the raw answer cannot be sent: {error}")),
    }
}

/// Begins a request to an endpoint that does not generate, and lets the script
/// answer in place of it if a rule names the endpoint.
async fn begin(
    server: &Server,
    endpoint: Endpoint,
    path: &str,
    body: &Bytes,
    model: &str,
    inputs: &[String],
) -> Result<Entry, Response> {
    let entry = server.recorder.begin(endpoint, path, recorded(body));
    let messages: Vec<Message> = inputs
        .iter()
        .map(|text| Message::new("user", text.as_str()))
        .collect();
    let question = Question {
        endpoint,
        path,
        streamed: false,
        model,
        messages: &messages,
        has_format: false,
    };
    let mut faults = server.faults.clone();
    let selected = server.select(&question, Counting::Counts);
    if let Some(selected) = &selected {
        faults.extend(selected.respond.faults());
    }
    let effects = Effects::of(&faults);
    entry.update(|record| {
        record.rule = selected.as_ref().map(|selected| selected.rule.clone());
        record.faults = faults;
    });
    if let Some(response) = in_place(&entry, &effects.before).await {
        return Err(response);
    }
    match selected.and_then(|selected| selected.exchange) {
        Some(exchange) => {
            let method = endpoint.method();
            Err(replayed::send(entry, method, &exchange, &messages, effects.damage).await)
        }
        None => Ok(entry),
    }
}
