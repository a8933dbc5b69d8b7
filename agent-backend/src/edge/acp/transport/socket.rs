//! A WebSocket: one message in each text frame, both ways at the same time.

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    response::Response,
};
use futures::{SinkExt as _, StreamExt as _, stream::SplitSink};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{Link, Outward, frame};
use crate::edge::{acp::Hub, stream::KEEP_ALIVE};

/// Answers to what was no message that may wait to be written.
const REFUSALS_MAX: usize = 8;

pub(super) fn upgrade(upgrade: WebSocketUpgrade, hub: Hub, id: &str) -> Response {
    let mut response = upgrade
        .max_message_size(frame::FRAME_BYTES_MAX)
        .max_frame_size(frame::FRAME_BYTES_MAX)
        .on_upgrade(async move |socket| serve(socket, &hub).await);
    if let Ok(id) = id.parse() {
        response.headers_mut().insert(super::http::CONNECTION, id);
    }
    response
}

async fn serve(socket: WebSocket, hub: &Hub) {
    let Link {
        inward,
        outward,
        running: _running,
    } = Link::open(hub);
    let (to_client, mut from_client) = socket.split();
    let (refuse, refused) = mpsc::channel(REFUSALS_MAX);
    let read = async move {
        while let Some(message) = from_client.next().await {
            let text = match message {
                Ok(Message::Text(text)) => text,
                // The protocol is text; pings are answered by the library.
                Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => continue,
                Ok(Message::Close(_)) => return None,
                Err(error) => return Some(reason(&error)),
            };
            if let Some(answer) = inward.take(frame::decode(text.as_bytes())) {
                // A client that reads none of them is read no further.
                refuse.send(answer).await.ok()?;
            }
        }
        None
    };
    let mut to_client = to_client;
    let why = tokio::select! {
        why = read => why,
        () = write(&mut to_client, outward, refused) => None,
    };
    let close = why.map(|(code, why)| CloseFrame {
        code,
        reason: why.into(),
    });
    // It may be gone already.
    let _gone = to_client.send(Message::Close(close)).await;
}

/// Writes until the agent has ended or the client cannot be reached.
async fn write(
    to_client: &mut SplitSink<WebSocket, Message>,
    mut outward: Outward,
    mut refused: mpsc::Receiver<String>,
) {
    let mut alive = interval(KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (message, _receipt) = tokio::select! {
            said = outward.next() => match said {
                Some(said) => (Message::text(said.text()), Some(said.receipt)),
                None => return,
            },
            Some(answer) = refused.recv() => (Message::text(answer), None),
            _ = alive.tick() => (Message::Ping(Vec::new().into()), None),
        };
        if to_client.send(message).await.is_err() {
            return;
        }
    }
}

/// What a frame that cannot be read is closed with (RFC 6455, 7.4.1).
fn reason(error: &axum::Error) -> (u16, &'static str) {
    use tokio_tungstenite::tungstenite::Error;
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Error>());
    match source {
        Some(Error::Capacity(_)) => (close_code::SIZE, "the message is too large"),
        Some(Error::Utf8(_)) => (close_code::INVALID, "the message is no UTF-8"),
        _ => (close_code::PROTOCOL, "the frame cannot be read"),
    }
}
