//! Streamable HTTP, after the protocol's proposal for remote transports: `POST`
//! takes one message; `GET` gives the messages of the connection, or those of one
//! session, as server-sent events; `DELETE` ends the connection.

mod streams;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use agent_client_protocol::{RawJsonRpcId, RawJsonRpcMessage, RawJsonRpcParams, RawJsonRpcResponse};
use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts as _, Request, State, ws::WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::{Stream, StreamExt as _};
use serde_json::Value;
use streams::{Held, Route, Streams};
use tokio_util::sync::CancellationToken;

use super::{
    Inward, Link, Outward, Running, Said,
    flow::session,
    frame::{self, Frame},
    mailbox::Letter,
    socket,
};
use crate::edge::{
    acp::{Hub, connection::Machine},
    stream::{KEEP_ALIVE, asks_for_websocket},
};

/// Header with the id of a connection.
pub(super) const CONNECTION: &str = "acp-connection-id";

/// Header with the id of a session.
const SESSION: &str = "acp-session-id";

/// Header of our own program where it has found the backend by the data folder:
/// its client is on the same machine.
pub const SAME_FILES: &str = "agentic-ide-same-files";

/// Methods that are about a session, whatever their parameters say.
const OF_SESSIONS: [&str; 14] = [
    "session/prompt",
    "session/archive",
    "session/cancel",
    "session/close",
    "session/delete",
    "session/fork",
    "session/load",
    "session/resume",
    "session/set_config_option",
    "session/set_mode",
    "session/set_model",
    "session/set_title",
    "session/status",
    "session/unarchive",
];

/// Bytes of a body that are read, to refuse it in peace.
const BODY_BYTES_MAX: usize = 4 * frame::FRAME_BYTES_MAX;

/// Connections that may be open at once.
const CONNECTIONS_MAX: usize = 1_000;

/// A connection that nobody listens to and nobody uses ends between once and
/// twice this time.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// Headers that a web page of this machine may send and read.
const HEADERS: &str = "content-type, accept, authorization, acp-connection-id, acp-session-id";

/// All connections over HTTP.
#[derive(Clone)]
struct Remote {
    hub: Hub,
    connections: Connections,
}

type Connections = Arc<Mutex<HashMap<String, Arc<Connected>>>>;

fn lock(
    connections: &Mutex<HashMap<String, Arc<Connected>>>,
) -> MutexGuard<'_, HashMap<String, Arc<Connected>>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection.
struct Connected {
    inward: Inward,
    streams: Streams,
    uses: AtomicU64,
    ended: CancellationToken,
}

/// What a request is answered with where it is wrong.
type Refusal = (StatusCode, &'static str);

const NO_CONNECTION: Refusal = (StatusCode::BAD_REQUEST, "Acp-Connection-Id header required");
const UNKNOWN_CONNECTION: Refusal = (StatusCode::NOT_FOUND, "there is no such connection: initialize");

/// `/acp`, over WebSocket and HTTP.
pub(in crate::edge::acp) fn routes(hub: &Hub) -> Router {
    let remote = Remote {
        hub: hub.clone(),
        connections: Connections::default(),
    };
    Router::new()
        .route("/acp", get(open).post(post).delete(end).options(preflight))
        .layer(axum::middleware::map_response_with_state((), share))
        .with_state(remote)
}

/// What a web page of this machine may know. Others were refused before.
async fn share(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("acp-connection-id, acp-session-id");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}

async fn preflight() -> impl IntoResponse {
    let methods = "GET, POST, DELETE, OPTIONS";
    (
        StatusCode::NO_CONTENT,
        [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        ],
    )
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Remote {
    fn find(&self, headers: &HeaderMap) -> Result<Arc<Connected>, Refusal> {
        let id = named(headers, CONNECTION).ok_or(NO_CONNECTION)?;
        let found = lock(&self.connections).get(id).cloned();
        let connected = found.ok_or(UNKNOWN_CONNECTION)?;
        connected.uses.fetch_add(1, Ordering::Relaxed);
        Ok(connected)
    }
}

async fn post(State(remote): State<Remote>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    if !named(&headers, "content-type").is_some_and(is_json) {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/json",
        ));
    }
    let message = match frame::decode(&read(&headers, body).await?) {
        Frame::Message(message) => message,
        Frame::Refused(answer) => return Ok(json(StatusCode::BAD_REQUEST, answer)),
        Frame::Nothing => return Err((StatusCode::BAD_REQUEST, "the body has no message")),
    };
    if let RawJsonRpcMessage::Request(request) = &message
        && &*request.method == "initialize"
    {
        let id = request.id.clone();
        return initialize(&remote, message, &id).await;
    }
    let connected = remote.find(&headers)?;
    connected.post(message, named(&headers, SESSION))
}

/// Whether a body is JSON, by its media type.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// The body. What is too long is read to its end, and dropped, so that the client
/// gets its answer; but not if it is far too long.
async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
    const TOO_LARGE: Refusal = (StatusCode::PAYLOAD_TOO_LARGE, "the message is too large");
    let length = named(headers, "content-length").and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(TOO_LARGE);
    }
    let mut pieces = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| (StatusCode::BAD_REQUEST, "the body broke off"))?;
        length += piece.len();
        if length > BODY_BYTES_MAX {
            return Err(TOO_LARGE);
        }
        if length <= frame::FRAME_BYTES_MAX {
            bytes.extend_from_slice(&piece);
        }
    }
    if length > frame::FRAME_BYTES_MAX {
        return Err(TOO_LARGE);
    }
    Ok(bytes)
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Begins a connection with its first message.
async fn initialize(
    remote: &Remote,
    message: RawJsonRpcMessage,
    asked: &RawJsonRpcId,
) -> Result<Response, Refusal> {
    if lock(&remote.connections).len() >= CONNECTIONS_MAX {
        return Err((StatusCode::SERVICE_UNAVAILABLE, "there are too many connections"));
    }
    let Link {
        inward,
        mut outward,
        running,
    } = Link::open(&remote.hub, Machine::Other);
    inward.give(message);
    let streams = Streams::default();
    let answer = loop {
        let Some(said) = outward.next().await else {
            return Err((StatusCode::INTERNAL_SERVER_ERROR, "the agent has ended"));
        };
        match &said.message {
            RawJsonRpcMessage::Response(response) if response.id() == asked => break said,
            RawJsonRpcMessage::Request(_)
            | RawJsonRpcMessage::Notification(_)
            | RawJsonRpcMessage::Response(_) => streams.deliver(said),
        }
    };
    let mut response = json(StatusCode::OK, answer.text());
    if matches!(
        answer.message,
        RawJsonRpcMessage::Response(RawJsonRpcResponse::Error { .. })
    ) {
        return Ok(response);
    }
    let id = uuid::Uuid::new_v4().to_string();
    if let Ok(value) = id.parse() {
        response.headers_mut().insert(CONNECTION, value);
    }
    let connected = Arc::new(Connected {
        inward,
        streams,
        uses: AtomicU64::default(),
        ended: CancellationToken::new(),
    });
    lock(&remote.connections).insert(id.clone(), connected.clone());
    tokio::spawn(run(
        connected,
        outward,
        running,
        id,
        Arc::downgrade(&remote.connections),
    ));
    Ok(response)
}

/// Brings what the agent says to the streams, until the connection ends.
async fn run(
    connected: Arc<Connected>,
    mut outward: Outward,
    _running: Running,
    id: String,
    connections: Weak<Mutex<HashMap<String, Arc<Connected>>>>,
) {
    let deliver = async {
        while let Some(said) = outward.next().await {
            connected.streams.deliver(said);
        }
    };
    tokio::select! {
        () = deliver => {}
        () = connected.ended.cancelled() => {}
        () = connected.unused() => tracing::info!("a connection that nobody used has ended"),
    }
    connected.ended.cancel();
    if let Some(connections) = connections.upgrade() {
        lock(&connections).remove(&id);
    }
}

impl Connected {
    /// Returns when nobody has used or heard it for a while.
    async fn unused(&self) {
        let mut before = None;
        loop {
            let uses = self.uses.load(Ordering::Relaxed);
            if before == Some(uses) && !self.streams.are_heard() {
                return;
            }
            before = Some(uses);
            tokio::time::sleep(IDLE).await;
        }
    }

    fn post(&self, mut message: RawJsonRpcMessage, header: Option<&str>) -> Result<Response, Refusal> {
        let about = match &mut message {
            RawJsonRpcMessage::Request(request) => about(&request.method, &mut request.params, header)?,
            RawJsonRpcMessage::Notification(notification) => {
                about(&notification.method, &mut notification.params, header)?
            }
            RawJsonRpcMessage::Response(_) => None,
        };
        if let RawJsonRpcMessage::Request(request) = &message {
            self.streams
                .expect(request.id.clone(), Route::of(&request.method, about));
        }
        match self.inward.give(message) {
            None => Ok(StatusCode::ACCEPTED.into_response()),
            Some(answer) => Ok(json(StatusCode::TOO_MANY_REQUESTS, answer)),
        }
    }
}

/// The session that a message is about: what the header says goes into the
/// parameters, and must not differ from what is there.
fn about(
    method: &str,
    params: &mut Option<RawJsonRpcParams>,
    header: Option<&str>,
) -> Result<Option<String>, Refusal> {
    const DIFFERS: Refusal = (
        StatusCode::BAD_REQUEST,
        "Acp-Session-Id header does not match params.sessionId",
    );
    // These are about a request, and not about a session.
    if method.starts_with("$/") {
        return Ok(None);
    }
    if let Some(header) = header {
        let map = match params.get_or_insert_with(|| RawJsonRpcParams::Object(serde_json::Map::new())) {
            RawJsonRpcParams::Object(map) => map,
            RawJsonRpcParams::Array(_) => return Err(DIFFERS),
        };
        let known = map
            .entry("sessionId")
            .or_insert_with(|| Value::String(header.to_owned()));
        if known != header {
            return Err(DIFFERS);
        }
    }
    match session(params.as_ref()) {
        Some(session) => Ok(Some(session.to_owned())),
        None if OF_SESSIONS.contains(&method) => {
            Err((StatusCode::BAD_REQUEST, "Acp-Session-Id header required"))
        }
        None => Ok(None),
    }
}

async fn open(State(remote): State<Remote>, request: Request) -> Result<Response, Response> {
    let (mut parts, _body) = request.into_parts();
    if asks_for_websocket(&parts.headers) {
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &remote).await;
        let upgrade = upgrade.map_err(IntoResponse::into_response)?;
        let id = uuid::Uuid::new_v4().to_string();
        let machine = match named(&parts.headers, SAME_FILES) {
            Some(_) => Machine::Ours,
            None => Machine::Other,
        };
        return Ok(socket::upgrade(upgrade, remote.hub, machine, &id));
    }
    listen(&remote, &parts.headers).map_err(IntoResponse::into_response)
}

fn listen(remote: &Remote, headers: &HeaderMap) -> Result<Response, Refusal> {
    if !named(headers, "accept").is_some_and(|accept| accept.contains("text/event-stream")) {
        return Err((StatusCode::NOT_ACCEPTABLE, "Accept must have text/event-stream"));
    }
    let connected = remote.find(headers)?;
    let session = named(headers, SESSION);
    let held = match session {
        Some(session) => Streams::of_session(&connected, session)?,
        None => Streams::of_connection(&connected)?,
    };
    let events = Sse::new(events(held)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut response = events.into_response();
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert("x-accel-buffering", HeaderValue::from_static("no"));
    for name in [CONNECTION, SESSION] {
        if let Some(value) = headers.get(name) {
            answer.insert(name, value.clone());
        }
    }
    Ok(response)
}

fn events(held: Held) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        loop {
            let Letter { text, receipt } = tokio::select! {
                biased;
                letter = held.next() => letter,
                () = held.ended() => break,
            };
            yield Ok(Event::default().data(text));
            // It is asked for the next one when this one has been taken.
            drop(receipt);
        }
    }
}

async fn end(State(remote): State<Remote>, headers: HeaderMap) -> Result<StatusCode, Refusal> {
    let connected = remote.find(&headers)?;
    connected.ended.cancel();
    if let Some(id) = named(&headers, CONNECTION) {
        lock(&remote.connections).remove(id);
    }
    Ok(StatusCode::ACCEPTED)
}

impl From<Said> for Letter {
    fn from(said: Said) -> Self {
        Self {
            text: said.text(),
            receipt: said.receipt,
        }
    }
}
