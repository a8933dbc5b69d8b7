//! The indexes of workspaces over REST: what is known, as it changes, and what
//! is wanted of them.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use axum::{
    Json, Router,
    extract::{
        Query, State,
        rejection::QueryRejection,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::Stream;
use serde::Deserialize;
use shared::{
    error::Code,
    wire::{self, IndexPage, IndexRequest, IndexView},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{rest, stream};
use crate::{
    error::Error,
    indexing::{Command, Described, Indexing, Status},
    present,
    runtime::Runtime,
};

pub(super) fn routes() -> Router<Runtime> {
    Router::new()
        .route("/api/index", get(show).post(control))
        .route("/api/index/stream", get(follow))
        .route("/api/indexes", get(list))
}

/// Which index is asked for; the one asked for last where it is left out.
#[derive(Debug, Deserialize)]
struct Params {
    #[serde(default)]
    workspace: PathBuf,
}

type Asked = Result<Query<Params>, QueryRejection>;

fn asked(params: Asked) -> Result<PathBuf, Error> {
    let Query(params) = params.map_err(|error| Error::user(Code::InvalidRequest, error.body_text()))?;
    Ok(params.workspace)
}

fn indexing(runtime: &Runtime) -> &Indexing {
    &runtime.services().indexing
}

async fn show(State(runtime): State<Runtime>, params: Asked) -> Result<Json<IndexView>, Error> {
    let described = indexing(&runtime).status(&asked(params)?).await?;
    Ok(Json(present::index(&described)))
}

async fn list(State(runtime): State<Runtime>) -> Json<IndexPage> {
    let list = indexing(&runtime).list();
    Json(IndexPage {
        indexes: list.iter().map(present::index).collect(),
    })
}

async fn control(State(runtime): State<Runtime>, body: rest::Body) -> Result<Json<IndexView>, Error> {
    let request: IndexRequest = rest::parse(body)?;
    let command = match request.command {
        wire::IndexCommand::Open => Command::Open,
        wire::IndexCommand::Pause => Command::Pause,
        wire::IndexCommand::Resume => Command::Resume,
        wire::IndexCommand::Cancel => Command::Cancel,
        wire::IndexCommand::Rescan => Command::Rescan,
        wire::IndexCommand::Delete => Command::Delete,
    };
    let described = indexing(&runtime)
        .command(Path::new(&request.workspace), command)
        .await?;
    Ok(Json(present::index(&described)))
}

/// An index as it changes. What nobody has read yet is replaced by what is
/// newer, so that a slow reader is never behind.
pub(super) struct Feed {
    workspace: PathBuf,
    status: watch::Receiver<Status>,
    begun: Begun,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    NotYet,
    Yes,
}

impl Feed {
    pub(super) async fn open(runtime: &Runtime, workspace: &Path) -> Result<Self, Error> {
        let (workspace, status) = indexing(runtime).follow(workspace).await?;
        Ok(Self {
            workspace,
            status,
            begun: Begun::NotYet,
        })
    }

    /// What is known at first, then at each change; `None` when the backend
    /// stops. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Described> {
        if self.begun == Begun::Yes {
            self.status.changed().await.ok()?;
        }
        self.begun = Begun::Yes;
        Some(Described {
            workspace: self.workspace.clone(),
            status: self.status.borrow_and_update().clone(),
        })
    }
}

async fn follow(
    State(runtime): State<Runtime>,
    params: Asked,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let feed = Feed::open(&runtime, &asked(params)?).await?;
    match upgrade {
        Ok(upgrade) => Ok(upgrade.on_upgrade(move |socket| serve(socket, feed))),
        Err(rejection) if stream::asks_for_websocket(&headers) => Ok(rejection.into_response()),
        Err(_) => {
            let alive = KeepAlive::new().interval(stream::KEEP_ALIVE);
            let events = Sse::new(events(feed)).keep_alive(alive);
            Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
        }
    }
}

fn events(mut feed: Feed) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        while let Some(described) = feed.next().await {
            match Event::default().json_data(present::index(&described)) {
                Ok(event) => yield Ok(event),
                Err(error) => {
                    tracing::error!(%error, "an index cannot be written as JSON");
                    break;
                }
            }
        }
    }
}

async fn serve(mut socket: WebSocket, mut feed: Feed) {
    let mut alive = interval(stream::KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            next = feed.next() => {
                let Some(described) = next else { break };
                let Ok(text) = serde_json::to_string(&present::index(&described)) else { break };
                Message::text(text)
            }
            message = socket.recv() => match message {
                // Pings are answered by the library; anything else is ignored.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Binary(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = alive.tick() => Message::Ping(Vec::new().into()),
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
    let close = CloseFrame {
        code: close_code::AWAY,
        reason: "the backend is stopping".into(),
    };
    // The client may be gone already.
    let _gone = socket.send(Message::Close(Some(close))).await;
}
