//! One WebSocket connection to the event stream of a workflow.

use std::time::Duration;

use futures::{SinkExt, StreamExt, future::BoxFuture};
use shared::{
    error::Class,
    id::{Seq, WorkflowId},
    wire::{Envelope, ErrorBody},
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::{
    dial::{Dialer, Protocol, advised},
    follow::{Dial, Events},
};
use crate::Error;

/// Time a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between pings, which keep a quiet connection open.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Pings without any sign of life after which the connection is given up.
const PINGS_MISSED_MAX: u32 = 2;
/// Largest message: a proposal carries whole files, before and after.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Dials the stream of one workflow.
#[derive(Debug, Clone)]
pub struct Socket {
    dialer: Dialer,
    workflow: WorkflowId,
}

impl Socket {
    /// For this workflow on this backend.
    pub fn new(dialer: Dialer, workflow: WorkflowId) -> Self {
        Self { dialer, workflow }
    }
}

impl Dial for Socket {
    fn dial(&self, after: Seq) -> BoxFuture<'static, Result<Events, Error>> {
        let host = self.dialer.address().http("");
        let url = self.dialer.address().ws(&format!(
            "/api/workflow/{}/stream?after={after}&mode=delta",
            self.workflow
        ));
        let dialer = self.dialer.clone();
        Box::pin(async move {
            let mut config = WebSocketConfig::default();
            config.max_message_size = Some(MESSAGE_BYTES_MAX);
            config.max_frame_size = Some(MESSAGE_BYTES_MAX);
            let unreachable = |reason: String| Error::Unreachable {
                url: host.clone(),
                reason: advised(reason),
            };
            let mut request = url
                .into_client_request()
                .map_err(|error| Error::Config(error.to_string()))?;
            if let Some(authorization) = dialer.authorization() {
                request
                    .headers_mut()
                    .insert("authorization", authorization.clone());
            }
            let connecting = async {
                let stream = dialer.connect(Protocol::Http1).await?;
                client_async_with_config(request, stream, Some(config)).await
            };
            let opened = match timeout(CONNECT_TIMEOUT, Box::pin(connecting)).await {
                Ok(opened) => opened,
                Err(_) => return Err(unreachable("it took too long to connect".to_owned())),
            };
            let mut socket = match opened {
                Ok((socket, _)) => socket,
                Err(tungstenite::Error::Http(response)) => {
                    let body = response.body().clone().unwrap_or_default();
                    return Err(refused(&host, response.status().as_u16(), &body));
                }
                Err(error) => return Err(unreachable(error.to_string())),
            };
            let events = async_stream::stream! {
                let mut pings = interval(PING_INTERVAL);
                pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let mut missed = 0;
                loop {
                    tokio::select! {
                        message = socket.next() => {
                            missed = 0;
                            match message {
                                Some(Ok(message)) if message.is_close() => return,
                                Some(Ok(Message::Text(text))) => yield parse(&text),
                                // Pings are answered below us, and nothing else is expected.
                                Some(Ok(_)) => {}
                                Some(Err(error)) => {
                                    yield Err(Error::Unreachable { url: host.clone(), reason: error.to_string() });
                                    return;
                                }
                                None => return,
                            }
                        }
                        _ = pings.tick() => {
                            if missed > PINGS_MISSED_MAX {
                                let reason = "the connection fell silent".to_owned();
                                yield Err(Error::Unreachable { url: host.clone(), reason });
                                return;
                            }
                            missed += 1;
                            if let Err(error) = socket.send(Message::Ping(Vec::new().into())).await {
                                yield Err(Error::Unreachable { url: host.clone(), reason: error.to_string() });
                                return;
                            }
                        }
                    }
                }
            };
            Ok(events.boxed())
        })
    }
}

fn parse(text: &str) -> Result<Envelope, Error> {
    serde_json::from_str(text).map_err(|error| Error::Unexpected(format!("an event is malformed: {error}")))
}

/// The error of an answer that is no success.
pub fn refused(url: &str, status: u16, body: &[u8]) -> Error {
    let overloaded = status == 429 || status >= 500;
    let class = if overloaded { Class::Transient } else { Class::User };
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => Error::Refused {
            code: body.code,
            message: body.message,
            class,
        },
        // A proxy or a backend that is going down: worth another attempt.
        Err(_) if overloaded => Error::Unreachable {
            url: url.to_owned(),
            reason: format!("HTTP status {status}"),
        },
        Err(_) => Error::Unexpected(format!("HTTP status {status} without an explanation")),
    }
}
