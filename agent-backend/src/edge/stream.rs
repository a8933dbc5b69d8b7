//! A workflow's events as they come: a WebSocket when the request asks for an
//! upgrade, server-sent events otherwise. Both begin after a position and
//! deliver every later event exactly once.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{
        Path, Query, State,
        rejection::QueryRejection,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::Stream;
use serde::Deserialize;
use shared::{
    error::Code,
    id::{Seq, WorkflowId},
    wire::Envelope,
};
use tokio::time::{MissedTickBehavior, interval};

use super::convert;
use crate::{
    error::Error,
    present::{Mode, Presenter},
    runtime::{Runtime, Update, Watch},
};

/// Longest wait for a client's close after ours.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Silence after which a sign of life is sent.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize)]
pub(super) struct Params {
    after: Option<u64>,
    mode: Option<String>,
}

/// Events of one workflow, made for the wire.
pub(super) struct Feed {
    watch: Watch,
    presenter: Presenter,
    /// Taken from the watch and not yet presented: `next` may be dropped in
    /// between, and must not lose it.
    pending: Option<Update>,
}

impl Feed {
    pub(super) async fn open(
        runtime: &Runtime,
        id: &WorkflowId,
        after: Seq,
        mode: Mode,
    ) -> Result<Self, Error> {
        let watch = runtime.watch(id, after).await?;
        let journal = runtime.services().journal.clone();
        let presenter = Presenter::after(journal, watch.head().clone(), mode, after).await?;
        Ok(Self {
            watch,
            presenter,
            pending: None,
        })
    }

    /// The next event; `None` after the last one. Dropping the future loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Envelope>, Error> {
        if self.pending.is_none() {
            self.pending = self.watch.next().await?;
        }
        let envelope = match &self.pending {
            Some(Update::Event(recorded)) => Some(self.presenter.envelope(recorded).await?),
            Some(Update::Resync { head }) => Some(self.presenter.resync(*head)),
            None => None,
        };
        self.pending = None;
        Ok(envelope)
    }
}

pub(super) async fn stream(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
    params: Result<Query<Params>, QueryRejection>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let Query(params) = params.map_err(|error| Error::user(Code::InvalidRequest, error.body_text()))?;
    let mode = match params.mode.as_deref() {
        None | Some("full") => Mode::Full,
        Some("delta") => Mode::Delta,
        Some(other) => {
            let message = format!("mode `{other}` does not exist: use `delta`, or leave it out");
            return Err(Error::user(Code::InvalidRequest, message));
        }
    };
    let id = convert::workflow_id(&id)?;
    // A browser that reconnects repeats the first address, so the header wins.
    let resumed = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = Seq(resumed.or(params.after).unwrap_or_default());
    let feed = Feed::open(&runtime, &id, after, mode).await?;
    match upgrade {
        Ok(upgrade) => Ok(upgrade.on_upgrade(move |socket| serve(socket, feed))),
        Err(rejection) if asks_for_websocket(&headers) => Ok(rejection.into_response()),
        Err(_) if resumed.is_some() && finished_at(&runtime, &id, after).await? => {
            // 204 tells an EventSource to stop reconnecting.
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Err(_) => {
            let events = Sse::new(events(feed)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
            Ok((
                [
                    (header::CACHE_CONTROL, "no-store"),
                    (header::HeaderName::from_static("x-accel-buffering"), "no"),
                ],
                events,
            )
                .into_response())
        }
    }
}

pub(super) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

async fn finished_at(runtime: &Runtime, id: &WorkflowId, after: Seq) -> Result<bool, Error> {
    let state = runtime.state(id).await?;
    Ok(state.is_finished() && state.head == after)
}

fn events(mut feed: Feed) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        loop {
            match feed.next().await {
                Ok(Some(envelope)) => {
                    let event = Event::default().id(envelope.seq.to_string());
                    match event.json_data(&envelope) {
                        Ok(event) => yield Ok(event),
                        Err(error) => {
                            tracing::error!(%error, "an event cannot be written as JSON");
                            break;
                        }
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, code = %error.code, "a stream broke off");
                    break;
                }
            }
        }
    }
}

async fn serve(mut socket: WebSocket, mut feed: Feed) {
    let mut alive = interval(KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reason = loop {
        tokio::select! {
            next = feed.next() => match next {
                Ok(Some(envelope)) => {
                    let Ok(text) = serde_json::to_string(&envelope) else { break "an event cannot be written" };
                    if socket.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break "the workflow has finished",
                Err(error) => {
                    tracing::error!(%error, code = %error.code, "a stream broke off");
                    break "the stream broke off";
                }
            },
            message = socket.recv() => match message {
                // Pings are answered by the library; anything else is ignored.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Binary(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = alive.tick() => {
                if socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
        }
    };
    let close = CloseFrame {
        code: close_code::NORMAL,
        reason: reason.into(),
    };
    // The client may be gone already.
    let _gone = socket.send(Message::Close(Some(close))).await;
    // Dropping a socket with unread bytes resets the connection, and a reset
    // throws away what the client has not read yet: wait for its own close.
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _late = tokio::time::timeout(CLOSE_WAIT, closed).await;
}
