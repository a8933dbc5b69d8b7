//! Answers with a recorded exchange.

use std::{io, sync::Arc, time::Duration};

use async_stream::stream;
use axum::{
    http::{HeaderName, HeaderValue},
    response::Response,
};
use bytes::Bytes;
use futures::Stream;

use super::{damage, script_error};
use crate::{
    fault::Damage,
    record::{Entry, Outcome},
    replay::Exchange,
    wire::Message,
};

/// Sends the recorded bytes at the recorded times. Fails as an error of the
/// script if the exchange was recorded elsewhere.
pub(super) async fn send(
    entry: Entry,
    method: &str,
    exchange: &Exchange,
    messages: &[Message],
    damage: Damage,
) -> Response {
    let asked = &exchange.request;
    let path = entry.path();
    if asked.method != method || asked.path != path {
        let reason = format!(
            "the exchange was recorded at {} {}, not at {method} {path}",
            asked.method, asked.path
        );
        return script_error(&entry, &reason);
    }
    let is_there = |text: &&String| messages.iter().any(|message| message.content.contains(*text));
    if let Some(text) = asked.contains.iter().find(|text| !is_there(text)) {
        return script_error(
            &entry,
            &format!("the exchange is about {text:?}, the request is not"),
        );
    }
    let entry = Arc::new(entry);
    let chunks = chunks(exchange.clone(), entry.clone());
    let mut response = Response::new(damage::body(chunks, damage, entry.clone()).await);
    match axum::http::StatusCode::from_u16(exchange.response.status) {
        Ok(status) => *response.status_mut() = status,
        Err(error) => return script_error(&entry, &error.to_string()),
    }
    for (name, value) in &exchange.response.headers {
        let header = HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        let Some((name, value)) = header else {
            return script_error(&entry, &format!("the header {name:?} cannot be sent"));
        };
        response.headers_mut().insert(name, value);
    }
    response
}

fn chunks(exchange: Exchange, entry: Arc<Entry>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (chunks, broke) = (exchange.response.chunks, exchange.response.broke);
    let status = exchange.response.status;
    stream! {
        let mut left = chunks.len();
        if left == 0 {
            ended(&entry, status, broke);
        }
        for chunk in chunks {
            tokio::time::sleep(Duration::from_millis(chunk.after_ms)).await;
            left -= 1;
            // Before the last bytes go out: a client that has them may be gone at once.
            if left == 0 {
                ended(&entry, status, broke);
            }
            yield chunk.bytes().map_err(io::Error::other);
        }
        if broke {
            yield Err(damage::cut());
        }
    }
}

fn ended(entry: &Entry, status: u16, broke: bool) {
    entry.end(if broke {
        Outcome::Cut
    } else if status < 400 {
        Outcome::Done {
            reason: "replay".to_owned(),
        }
    } else {
        Outcome::Error {
            status,
            message: "replay".to_owned(),
        }
    });
}
