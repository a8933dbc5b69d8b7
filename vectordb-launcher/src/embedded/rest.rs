//! The part of Qdrant's REST API that people and probes use: health, lists,
//! metrics. Points go over gRPC; every other call answers 501 with its name.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{API_VERSION, ENGINE, convert::info, error::Error, store::Store};
use crate::auth::{Guard, KEY_HEADER};

/// Paths that need no key, as in Qdrant.
const OPEN_PATHS: &[&str] = &["/", "/healthz", "/livez", "/readyz"];

#[derive(Debug, Clone)]
struct Rest {
    store: Arc<Store>,
    guard: Guard,
}

/// The routes of Qdrant's REST port.
pub fn routes(store: Arc<Store>, guard: Guard) -> Router {
    let rest = Rest { store, guard };
    Router::new()
        .route("/", get(title))
        .route("/healthz", get(|| async { "healthz check passed" }))
        .route("/livez", get(|| async { "livez check passed" }))
        .route("/readyz", get(|| async { "all shards are ready" }))
        .route("/collections", get(collections))
        .route("/collections/{name}", get(collection).fallback(unsupported))
        .route("/collections/{name}/exists", get(exists))
        .route("/collections/{name}/aliases", get(collection_aliases))
        .route("/aliases", get(aliases))
        .route("/metrics", get(metrics))
        .route("/telemetry", get(telemetry))
        .fallback(unsupported)
        .layer(middleware::from_fn_with_state(rest.clone(), admit))
        .with_state(rest)
}

async fn admit(State(rest): State<Rest>, request: Request, next: Next) -> Response {
    match refusal(&rest.guard, request.uri(), request.headers()) {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

/// A browser page must not reach a local database, key or not: whatever sends
/// an `Origin` is a page.
fn refusal(guard: &Guard, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(header::ORIGIN) {
        return Some(failed(
            StatusCode::FORBIDDEN,
            "Requests from browser pages are refused",
        ));
    }
    if OPEN_PATHS.contains(&uri.path()) {
        return None;
    }
    let judged = guard.check(header(KEY_HEADER), header(header::AUTHORIZATION.as_str()));
    judged
        .err()
        .map(|refused| failed(StatusCode::UNAUTHORIZED, &refused.to_string()))
}

fn failed(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": {"error": message}, "time": 0.0}))).into_response()
}

fn answer(result: Result<Value, Error>, started: Instant) -> Response {
    match result {
        Ok(result) => {
            let time = started.elapsed().as_secs_f64();
            Json(json!({"result": result, "status": "ok", "time": time})).into_response()
        }
        Err(error) => failed(StatusCode::from(&error), &error.to_string()),
    }
}

async fn unsupported(method: Method, uri: Uri) -> Response {
    let error = Error::unsupported(format!("REST call {method} {} (gRPC has it)", uri.path()));
    failed(StatusCode::from(&error), &error.to_string())
}

async fn title() -> Json<Value> {
    Json(json!({"title": "qdrant - vector search engine", "version": API_VERSION}))
}

async fn collections(State(rest): State<Rest>) -> Response {
    let names: Vec<Value> = rest
        .store
        .names()
        .into_iter()
        .map(|name| json!({ "name": name }))
        .collect();
    answer(Ok(json!({ "collections": names })), Instant::now())
}

async fn collection(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let store = Arc::clone(&rest.store);
    let work = move || {
        let (record, collection) = store.described(&name)?;
        info::rest_info(&record, &collection)
    };
    answer(rest.store.pool().run(work).await, started)
}

async fn exists(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    answer(
        Ok(json!({ "exists": rest.store.collection(&name).is_ok() })),
        Instant::now(),
    )
}

async fn aliases(State(rest): State<Rest>) -> Response {
    answer(Ok(alias_list(rest.store.aliases())), Instant::now())
}

async fn collection_aliases(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let list = rest.store.collection(&name).map(|_| {
        let all = rest.store.aliases().into_iter();
        alias_list(all.filter(|(_, collection)| *collection == name).collect())
    });
    answer(list, Instant::now())
}

fn alias_list(aliases: Vec<(String, String)>) -> Value {
    let list: Vec<Value> = aliases
        .into_iter()
        .map(|(alias, collection)| json!({"alias_name": alias, "collection_name": collection}))
        .collect();
    json!({ "aliases": list })
}

/// Nothing is collected, so there is nothing to tell.
async fn telemetry() -> Response {
    answer(
        Ok(json!({"app": {"name": "qdrant", "version": API_VERSION}, "collections": {}})),
        Instant::now(),
    )
}

async fn metrics(State(rest): State<Rest>) -> Response {
    let store = Arc::clone(&rest.store);
    let work = move || {
        let mut points = Vec::new();
        for (name, collection) in store.all() {
            points.push((name, collection.info()?));
        }
        Ok(points)
    };
    match rest.store.pool().run(work).await {
        Ok(points) => {
            let mut text = format!(
                "# HELP app_info information about the server\n# TYPE app_info gauge\n\
                 app_info{{name=\"qdrant\",version=\"{API_VERSION}\",engine=\"{ENGINE}\"}} 1\n\
                 # HELP collections_total number of collections\n# TYPE collections_total gauge\n\
                 collections_total {}\n\
                 # HELP collection_points approximate number of points per collection\n\
                 # TYPE collection_points gauge\n",
                points.len()
            );
            for (name, info) in points {
                // Writing into a string cannot fail.
                let _infallible = writeln!(
                    text,
                    "collection_points{{id=\"{}\"}} {}",
                    label(&name),
                    info.points_count
                );
            }
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
        }
        Err(error) => failed(StatusCode::from(&error), &error.to_string()),
    }
}

/// A label value as the Prometheus text format wants it.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
