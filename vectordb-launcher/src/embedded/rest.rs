//! Qdrant's REST API over the store.
//!
//! Handlers read JSON into the engine's own types, which have Qdrant's REST
//! form, run the same [`calls`](super::calls) as gRPC and write JSON. A call
//! of Qdrant that is missing answers 501 with its name, any other 404.

mod collections;
mod create;
mod forms;
mod formula;
mod points;
mod query;
mod request;
mod snapshots;
mod writes;

use std::{convert::Infallible, fmt::Write as _, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{
    API_VERSION, ENGINE,
    calls::{Calls, REQUEST_BYTES_MAX},
    error::{Error, Result},
    store::Store,
};
use crate::auth::{Guard, KEY_HEADER};

/// Paths that need no key, as in Qdrant.
const OPEN_PATHS: &[&str] = &["/", "/healthz", "/livez", "/readyz"];

/// What Qdrant has besides.
const MISSING: &[&str] = &[
    "/cluster/{*rest}",
    "/collections/{name}/cluster",
    "/collections/{name}/optimizations",
    "/collections/{name}/shards",
    "/collections/{name}/shards/{*rest}",
    "/collections/{name}/snapshots/upload",
    "/collections/{name}/points/search/groups",
    "/collections/{name}/points/recommend",
    "/collections/{name}/points/recommend/{*rest}",
    "/collections/{name}/points/discover",
    "/collections/{name}/points/discover/{*rest}",
    "/issues",
    "/logger",
    "/quotas",
    "/snapshots",
    "/snapshots/{*rest}",
];

#[derive(Debug, Clone)]
struct Rest {
    calls: Calls,
    guard: Guard,
}

/// The routes of Qdrant's REST port.
pub fn routes(store: Arc<Store>, guard: Guard) -> Router {
    let rest = Rest {
        calls: Calls::new(store),
        guard,
    };
    let missing = MISSING
        .iter()
        .fold(Router::new(), |router, path| router.route(path, any(unsupported)));
    let all = Router::new()
        .route("/", get(title))
        .route("/healthz", get(|| async { "healthz check passed" }))
        .route("/livez", get(|| async { "livez check passed" }))
        .route("/readyz", get(|| async { "all shards are ready" }))
        .merge(collections::routes().route_layer(middleware::from_fn(request::check_name)))
        .nest(
            "/collections/{name}",
            points::routes()
                .merge(snapshots::routes())
                .route_layer(middleware::from_fn(request::check_name)),
        )
        .merge(missing)
        .route("/metrics", get(metrics))
        .route("/telemetry", get(telemetry))
        .route("/cluster", get(cluster))
        .fallback(|| async { request::unknown() })
        .method_not_allowed_fallback(points::no_such_method)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(middleware::from_fn_with_state(rest.clone(), admit))
        .with_state(rest);
    // A path is rewritten before it is routed.
    Router::new().fallback_service(tower::service_fn(move |mut request: Request| {
        let all = all.clone();
        async move {
            request::without_slash(&mut request);
            let answered: std::result::Result<Response, Infallible> = all.oneshot(request).await;
            answered
        }
    }))
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
    if let Err(refused) = judged {
        // In clear text, as from Qdrant.
        return Some((StatusCode::UNAUTHORIZED, refused.to_string()).into_response());
    }
    let length = header(header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    // Before it is sent: nobody waits for 32 MiB to hear that they are too many.
    length.filter(|length| *length > REQUEST_BYTES_MAX).map(|length| {
        let text = format!(
            "JSON payload ({length} bytes) is larger than allowed (limit: {REQUEST_BYTES_MAX} bytes)."
        );
        failed(StatusCode::BAD_REQUEST, &text)
    })
}

fn failed(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": {"error": message}, "time": 0.0}))).into_response()
}

#[derive(Serialize)]
struct Answer<T> {
    result: T,
    status: &'static str,
    time: f64,
}

fn answer<T: Serialize>(result: Result<T>, started: Instant) -> Response {
    match result {
        Ok(result) => Json(Answer {
            result,
            status: "ok",
            time: started.elapsed().as_secs_f64(),
        })
        .into_response(),
        Err(error) => failed(StatusCode::from(&error), &error.to_string()),
    }
}

async fn unsupported(method: Method, uri: Uri) -> Response {
    let error = Error::unsupported(format!("REST call {method} {} (gRPC has it)", uri.path()));
    failed(StatusCode::from(&error), &error.to_string())
}

/// In the place of a commit stands the store's generation, as over gRPC.
async fn title(State(rest): State<Rest>) -> Json<Value> {
    let commit = rest.calls.store().generation();
    Json(
        json!({"title": "qdrant - vector search engine", "version": API_VERSION, "commit": commit.to_string()}),
    )
}

/// Nothing is collected, so there is nothing to tell.
async fn telemetry() -> Response {
    answer(
        Ok(json!({"app": {"name": "qdrant", "version": API_VERSION}, "collections": {}})),
        Instant::now(),
    )
}

/// As of a Qdrant that is alone.
async fn cluster() -> Response {
    answer(Ok(json!({"status": "disabled"})), Instant::now())
}

async fn metrics(State(rest): State<Rest>) -> Response {
    let work = |store: &Store| {
        let mut points = Vec::new();
        for (name, collection) in store.all() {
            points.push((name, collection.info()?));
        }
        Ok(points)
    };
    match rest.calls.run(work).await {
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
