//! A WebSocket: one message in each text frame, both ways at the same time. A
//! client that does not even answer pings is gone.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    response::Response,
};
use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    sync::mpsc,
    time::{interval, timeout},
};

use super::{
    Link, frame,
    write::{self, REFUSALS_MAX},
};
use crate::edge::{
    acp::{Hub, connection::Machine},
    stream::KEEP_ALIVE,
};

/// Pings in a row without a word from the client, after which it is gone.
const SILENT_PINGS_MAX: u32 = 3;

/// Time for the last frame to leave.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Why a connection is closed, as its last frame says (RFC 6455, 7.4.1).
type Why = (u16, &'static str);

pub(super) fn upgrade(upgrade: WebSocketUpgrade, hub: Hub, machine: Machine, id: &str) -> Response {
    let mut response = upgrade
        .max_message_size(frame::FRAME_BYTES_MAX)
        .max_frame_size(frame::FRAME_BYTES_MAX)
        .on_upgrade(async move |socket| serve(socket, &hub, machine).await);
    if let Ok(id) = id.parse() {
        response.headers_mut().insert(super::http::CONNECTION, id);
    }
    response
}

async fn serve(socket: WebSocket, hub: &Hub, machine: Machine) {
    let Link {
        inward,
        outward,
        running: _running,
    } = Link::open(hub, machine);
    let (mut to_client, mut from_client) = socket.split();
    let (say, between) = mpsc::channel(REFUSALS_MAX);
    let silent_pings = AtomicU32::default();
    let refuse = say.clone();
    let read = async {
        while let Some(message) = from_client.next().await {
            silent_pings.store(0, Ordering::Relaxed);
            let text = match message {
                Ok(Message::Text(text)) => text,
                // The protocol is text; pings are answered by the library.
                Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => continue,
                Ok(Message::Close(_)) => return None,
                Err(error) => return Some(reason(&error)),
            };
            if let Some(answer) = inward.take(frame::decode(text.as_bytes())) {
                // A client that reads none of them is read no further.
                refuse.send(answer.into()).await.ok()?;
            }
        }
        None
    };
    let why = tokio::select! {
        why = read => why,
        why = silence(&say, &silent_pings) => Some(why),
        _gone = write::write(&mut to_client, outward, between) => None,
    };
    let close = why.map(|(code, why)| CloseFrame {
        code,
        reason: why.into(),
    });
    // It may be gone already, or read nothing any more.
    let _gone = timeout(LAST_WORD, to_client.send(Message::Close(close))).await;
}

/// Asks for a sign of life now and then; returns when none came for long. The
/// counter is reset by whoever hears the client.
async fn silence(say: &mpsc::Sender<Message>, silent_pings: &AtomicU32) -> Why {
    let mut alive = interval(KEEP_ALIVE);
    loop {
        alive.tick().await;
        if silent_pings.fetch_add(1, Ordering::Relaxed) >= SILENT_PINGS_MAX {
            return (close_code::ERROR, "no sign of life");
        }
        // Where there is no room, much waits for the client already.
        let _full = say.try_send(Message::Ping(Vec::new().into()));
    }
}

/// What a frame that cannot be read is closed with.
fn reason(error: &axum::Error) -> Why {
    use tokio_tungstenite::tungstenite::Error;
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Error>());
    match source {
        Some(Error::Capacity(_)) => (close_code::SIZE, "the message is too large"),
        Some(Error::Utf8(_)) => (close_code::INVALID, "the message is no UTF-8"),
        _ => (close_code::PROTOCOL, "the frame cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    /// How many pings go out while a client says something after each that is
    /// named, and whether it is taken for gone.
    async fn check(ticks: u32, heard_after: &[u32], expect: (usize, bool)) {
        let (say, mut said) = mpsc::channel(64);
        let silent_pings = AtomicU32::default();
        let mut watching = std::pin::pin!(silence(&say, &silent_pings));
        let mut is_gone = false;
        for tick in 0..ticks {
            if tick > 0 {
                advance(KEEP_ALIVE).await;
            }
            is_gone = is_gone || watching.as_mut().now_or_never().is_some();
            if heard_after.contains(&tick) {
                silent_pings.store(0, Ordering::Relaxed);
            }
        }
        let pings = std::iter::from_fn(|| said.try_recv().ok()).count();
        assert_eq!(
            (pings, is_gone),
            expect,
            "{ticks} ticks, heard after {heard_after:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_no_ping_is_gone() {
        check(3, &[], (3, false)).await;
        check(4, &[], (3, true)).await;
        check(4, &[0], (4, false)).await;
        check(5, &[0], (4, true)).await;
        check(20, &[2, 5, 8, 11, 14, 17], (20, false)).await;
    }
}
