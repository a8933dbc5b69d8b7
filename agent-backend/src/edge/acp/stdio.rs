//! The protocol on standard input and output, one JSON message a line.
//! Nothing else may write to standard output.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _, sink};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use super::{
    Hub,
    connection::Machine,
    transport::{
        Link,
        frame::{Frame, Line, Lines},
        write::{self, REFUSALS_MAX},
    },
};
use crate::error::Error;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Time for the answers to what came before the end of the input.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves one client until it closes its end.
pub async fn serve(hub: Hub) -> Result<(), Error> {
    speak(&hub, tokio::io::stdin(), tokio::io::stdout()).await
}

async fn speak(
    hub: &Hub,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    let Link {
        inward,
        outward,
        running: _running,
    } = Link::open(hub, Machine::Ours);
    let (refuse, refused) = mpsc::channel(REFUSALS_MAX);
    let lines = sink::unfold(&mut output, |output, text: String| async move {
        line(output, &text).await?;
        Ok::<_, Error>(output)
    });
    let lines = std::pin::pin!(lines);
    let mut write = std::pin::pin!(write::write(lines, outward, refused));
    let given = inward.clone();
    let read = async move {
        let mut input = Input::new(input);
        while let Some(line) = input.next().await? {
            if let Some(answer) = inward.take(line.decode())
                && refuse.send(answer).await.is_err()
            {
                break;
            }
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        written = &mut write => return written,
        read = read => read?,
    }
    // What was asked is answered; a turn that takes longer goes on in the backend.
    let answered = tokio::time::timeout(LAST_WORDS, given.answered());
    tokio::select! {
        written = write => written,
        _ = answered => Ok(()),
    }
}

async fn line(output: &mut (impl AsyncWrite + Unpin), text: &str) -> Result<(), Error> {
    let line = format!("{text}\n");
    output
        .write_all(line.as_bytes())
        .await
        .map_err(|error| lost(&error))?;
    output.flush().await.map_err(|error| lost(&error))
}

fn lost(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("the connection was lost: {error}"))
}

/// The lines of an input.
struct Input<R> {
    input: R,
    piece: Vec<u8>,
    lines: Lines,
    found: std::collections::VecDeque<Line>,
}

impl<R: AsyncRead + Unpin> Input<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            piece: vec![0; PIECE_BYTES],
            lines: Lines::default(),
            found: std::collections::VecDeque::new(),
        }
    }

    /// The next line; dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            if let Some(line) = self.found.pop_front() {
                return Ok(Some(line));
            }
            let length = self
                .input
                .read(&mut self.piece)
                .await
                .map_err(|error| lost(&error))?;
            match self.piece.get(..length) {
                Some([]) | None => return Ok(self.lines.rest()),
                Some(piece) => self.found.extend(self.lines.take(piece)),
            }
        }
    }
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
    let (mut to_backend, mut from_backend) = socket.split();
    let (refuse, mut refused) = mpsc::channel(REFUSALS_MAX);
    let read = async move {
        let mut input = Input::new(input);
        while let Some(line) = input.next().await? {
            // What a frame could not carry is answered here, as the backend would.
            match (line.decode(), line) {
                (Frame::Message(_), Line::Whole(bytes)) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let sent = to_backend.send(Message::text(text)).await;
                    sent.map_err(|error| lost(&error))?;
                }
                (Frame::Refused(answer), _) => {
                    if refuse.send(answer).await.is_err() {
                        break;
                    }
                }
                (Frame::Nothing, _) | (Frame::Message(_), Line::TooLong) => {}
            }
        }
        // The backend goes on; only this conversation ends.
        let _already_closed = to_backend.close().await;
        Ok::<(), Error>(())
    };
    let write = async {
        loop {
            let text = tokio::select! {
                message = from_backend.next() => match message {
                    Some(Ok(Message::Text(text))) => text.as_str().replace('\n', " "),
                    Some(Ok(Message::Close(_))) | None => return Err(lost(&"the backend closed it")),
                    Some(Err(error)) => return Err(lost(&error)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => continue,
                },
                Some(answer) = refused.recv() => answer,
            };
            line(&mut output, &text).await?;
        }
    };
    let mut write = std::pin::pin!(write);
    tokio::select! {
        written = &mut write => return written,
        read = read => read?,
    }
    // Its last words, up to its own close.
    let _closed = tokio::time::timeout(LAST_WORDS, write).await;
    Ok(())
}
