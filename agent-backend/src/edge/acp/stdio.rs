//! The protocol on standard input and output, one JSON message a line.
//! Nothing else may write to standard output.

use agent_client_protocol::{ConnectTo as _, Stdio};
use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use super::{Hub, agent};
use crate::error::Error;

/// Serves one client until it closes its end.
pub async fn serve(hub: Hub) -> Result<(), Error> {
    agent(hub)
        .connect_to(Stdio::new())
        .await
        .map_err(|error| Error::internal(error.to_string()))
}

/// Passes lines to a running backend and its messages back, until the client
/// closes its end or the backend is gone.
pub async fn join(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Result<(), Error> {
    pump(socket, tokio::io::stdin(), tokio::io::stdout()).await
}

async fn pump(
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    let lost = |error: &dyn std::fmt::Display| Error::internal(format!("the connection was lost: {error}"));
    let (mut to_backend, mut from_backend) = socket.split();
    let mut lines = BufReader::new(input).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line.map_err(|error| lost(&error))? {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => to_backend.send(Message::text(line)).await.map_err(|error| lost(&error))?,
                None => {
                    // The backend goes on; only this conversation ends.
                    let _already_closed = to_backend.close().await;
                    return Ok(());
                }
            },
            message = from_backend.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let line = format!("{}\n", text.as_str().replace('\n', " "));
                    output.write_all(line.as_bytes()).await.map_err(|error| lost(&error))?;
                    output.flush().await.map_err(|error| lost(&error))?;
                }
                Some(Ok(Message::Close(_))) | None => return Err(lost(&"the backend closed it")),
                Some(Err(error)) => return Err(lost(&error)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            },
        }
    }
}
