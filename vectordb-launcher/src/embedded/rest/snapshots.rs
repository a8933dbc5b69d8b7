//! The handlers of snapshots.

use std::path::Path as FilePath;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
    routing::{get, put},
};
use http::header;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::io::ReaderStream;
use validator::Validate;

use super::{
    Rest, answer,
    request::{Payload, body},
};
use crate::{
    clock,
    embedded::{
        error::{Error, Result},
        store::snapshots::Snapshot,
    },
};

/// The scheme of a snapshot that lies on this machine.
const FILE_SCHEME: &str = "file://";

/// The routes below `/collections/{name}`.
pub fn routes() -> Router<Rest> {
    Router::new()
        .route("/snapshots", get(list).post(make))
        .route("/snapshots/{snapshot}", get(download).delete(remove))
        .route("/snapshots/recover", put(recover))
}

#[derive(Debug, Serialize)]
struct Form {
    name: String,
    creation_time: String,
    size: u64,
    checksum: Option<String>,
}

impl From<Snapshot> for Form {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            name: snapshot.name,
            creation_time: clock::iso(snapshot.created_at_ms),
            size: snapshot.bytes,
            checksum: snapshot.checksum,
        }
    }
}

async fn list(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    let found = rest.calls.run(move |store| {
        let snapshots = store.snapshots(&name)?.into_iter();
        Ok(snapshots.map(Form::from).collect::<Vec<_>>())
    });
    answer(found.await, started)
}

async fn make(State(rest): State<Rest>, Path(name): Path<String>) -> Response {
    let started = Instant::now();
    answer(rest.calls.snapshot(&name).await.map(Form::from), started)
}

async fn remove(State(rest): State<Rest>, Path((name, snapshot)): Path<(String, String)>) -> Response {
    let started = Instant::now();
    let removed = rest.calls.run(move |store| {
        store.delete_snapshot(&name, &snapshot)?;
        Ok(true)
    });
    answer(removed.await, started)
}

async fn download(State(rest): State<Rest>, Path((name, snapshot)): Path<(String, String)>) -> Response {
    let started = Instant::now();
    let path = rest.calls.run(move |store| store.snapshot_file(&name, &snapshot));
    let opened = match path.await {
        Ok(path) => tokio::fs::File::open(&path)
            .await
            .map_err(|error| Error::Internal(format!("cannot open {}: {error}", path.display()))),
        Err(error) => Err(error),
    };
    match opened {
        Ok(file) => (
            [(header::CONTENT_TYPE, "application/octet-stream")],
            Body::from_stream(ReaderStream::new(file)),
        )
            .into_response(),
        Err(error) => answer::<()>(Err(error), started),
    }
}

#[derive(Debug, Deserialize, Validate)]
struct Recover {
    location: String,
}

async fn recover(State(rest): State<Rest>, Path(name): Path<String>, bytes: Payload) -> Response {
    let started = Instant::now();
    let recovered = rest.calls.run(move |store| -> Result<bool> {
        let Recover { location } = body(bytes)?;
        if !location.contains(':') {
            return Err(Error::Malformed(format!(
                "Format error in JSON body: relative URL without a base: {location:?}"
            )));
        }
        let Some(path) = location.strip_prefix(FILE_SCHEME) else {
            return Err(Error::unsupported(
                "recovering from another location than file://",
            ));
        };
        let path = FilePath::new(path);
        if !path.is_file() {
            let text = format!("Snapshot file {path:?} does not exist");
            return Err(Error::BadRequest(text));
        }
        store.recover(&name, path)?;
        Ok(true)
    });
    answer(recovered.await, started)
}
