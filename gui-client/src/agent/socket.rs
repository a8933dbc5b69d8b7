//! An agent on the network: one WebSocket, one message of the protocol a text
//! frame.

use std::{io, time::Duration};

use futures::{SinkExt, StreamExt, channel::mpsc, future::BoxFuture};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest, http::header::AUTHORIZATION, protocol::WebSocketConfig,
    },
};

use super::reach::{MESSAGE_BYTES_MAX, Place, Reach, Wire};
use crate::{
    Error,
    connection::dial::{Dialer, Protocol, Stream, advised},
};

/// Time a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between pings, which keep a quiet connection open.
const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Pings without any sign of life after which the connection is given up.
const PINGS_MISSED_MAX: u32 = 2;
/// Messages that wait on either side.
const WAITING_MAX: usize = 64;

/// An agent at an address.
#[derive(Debug, Clone)]
pub struct Remote {
    name: String,
    dialer: Dialer,
    path: String,
}

impl Remote {
    /// An agent at this path of where the dialer leads.
    pub fn new(name: &str, dialer: Dialer, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            dialer,
            path: path.to_owned(),
        }
    }

    fn url(&self) -> String {
        self.dialer.address().ws(&self.path)
    }

    fn gone(&self, reason: &str) -> Error {
        Error::AgentGone {
            agent: self.name.clone(),
            reason: format!("{} – {reason}", self.url()),
        }
    }

    async fn connect(self) -> Result<Wire, Error> {
        let mut request = self
            .url()
            .into_client_request()
            .map_err(|error| self.gone(&error.to_string()))?;
        if let Some(authorization) = self.dialer.authorization() {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(MESSAGE_BYTES_MAX);
        config.max_frame_size = Some(MESSAGE_BYTES_MAX);
        let connecting = async {
            let stream = self.dialer.connect(Protocol::Http1).await?;
            client_async_with_config(request, stream, Some(config)).await
        };
        let socket = match timeout(CONNECT_TIMEOUT, Box::pin(connecting)).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(tungstenite::Error::Http(response))) => {
                return Err(self.gone(match response.status().as_u16() {
                    401 | 403 => "it wants another token",
                    404 => "no agent answers at this path",
                    _ => "it refused the connection",
                }));
            }
            Ok(Err(error)) => return Err(self.gone(&advised(error.to_string()))),
            Err(_) => return Err(self.gone("it took too long to connect")),
        };
        let (outgoing, to_send) = mpsc::channel(WAITING_MAX);
        let (received, incoming) = mpsc::channel(WAITING_MAX);
        let (ended, end) = oneshot::channel();
        // Ends when the connection is dropped: both channels are closed then.
        tokio::spawn(async move {
            let why = pump(socket, to_send, received).await;
            // Nobody waits for it: the window has gone first.
            let _unheard = ended.send(why);
        });
        Ok(Wire {
            outgoing: Box::pin(outgoing.sink_map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))),
            incoming: incoming.boxed(),
            end: Box::pin(async move { end.await.unwrap_or_default() }),
        })
    }
}

impl Reach for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self) -> Place {
        Place::Elsewhere
    }

    fn open(&self) -> BoxFuture<'static, Result<Wire, Error>> {
        Box::pin(self.clone().connect())
    }
}

/// Carries messages both ways until either side goes; why it ended.
async fn pump(
    mut socket: WebSocketStream<Box<dyn Stream>>,
    mut to_send: mpsc::Receiver<String>,
    mut received: mpsc::Sender<io::Result<String>>,
) -> String {
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    loop {
        let sent = tokio::select! {
            message = socket.next() => {
                missed = 0;
                match message {
                    Some(Ok(Message::Text(text))) => {
                        if received.send(Ok(text.as_str().to_owned())).await.is_err() {
                            return "the window went away".to_owned();
                        }
                        Ok(())
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let why = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                        return if why.is_empty() { "it closed the connection".to_owned() } else { why };
                    }
                    // Pings are answered below us; binary frames have no meaning here.
                    Some(Ok(_)) => Ok(()),
                    Some(Err(error)) => return error.to_string(),
                    None => return "it closed the connection".to_owned(),
                }
            }
            message = to_send.next() => match message {
                Some(message) => socket.send(Message::Text(message.into())).await,
                None => {
                    // A farewell that does not arrive changes nothing.
                    let _farewell = timeout(CONNECT_TIMEOUT, socket.close(None)).await;
                    return "the window went away".to_owned();
                }
            },
            _ = pings.tick() => {
                if missed > PINGS_MISSED_MAX {
                    return "the connection fell silent".to_owned();
                }
                missed += 1;
                socket.send(Message::Ping(Vec::new().into())).await
            }
        };
        if let Err(error) = sent {
            return error.to_string();
        }
    }
}
