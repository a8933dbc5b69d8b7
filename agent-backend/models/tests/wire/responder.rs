//! A server that answers one request after the other as it was told, byte for
//! byte, and keeps what it was sent. For what a well-made server never does.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub connection: usize,
    /// `POST /v1/messages`.
    pub line: String,
    /// `name: value`, names in lower case.
    pub headers: Vec<String>,
    pub body: String,
    /// The client went away before its answer was over.
    pub went_away: bool,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What comes after the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The body's proper end; the connection stays.
    End,
    /// The connection breaks.
    Cut,
    /// Nothing, until the client goes away.
    Hold,
    /// The last piece again and again, until the client goes away.
    Repeat,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    head: String,
    pieces: Vec<Vec<u8>>,
    then: Then,
}

impl Answer {
    /// A body in pieces, each sent on its own.
    pub fn new(status: u16, headers: &[(&str, &str)], pieces: &[&[u8]]) -> Self {
        let mut head = format!("HTTP/1.1 {status} x\r\ntransfer-encoding: chunked\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        Self {
            head: head + "\r\n",
            // An empty one would end the body.
            pieces: pieces
                .iter()
                .filter(|piece| !piece.is_empty())
                .map(|piece| piece.to_vec())
                .collect(),
            then: Then::End,
        }
    }

    /// A stream of events.
    pub fn events(pieces: &[&[u8]]) -> Self {
        Self::new(200, &[("content-type", "text/event-stream")], pieces)
    }

    pub fn json(status: u16, body: &str) -> Self {
        Self::new(
            status,
            &[("content-type", "application/json")],
            &[body.as_bytes()],
        )
    }

    /// Nothing at all.
    pub fn silence() -> Self {
        Self {
            head: String::new(),
            pieces: Vec::new(),
            then: Then::Hold,
        }
    }

    /// Bytes that are no HTTP.
    pub fn noise(bytes: &str) -> Self {
        Self {
            head: bytes.to_owned(),
            pieces: Vec::new(),
            then: Then::Hold,
        }
    }

    pub fn cut(self) -> Self {
        Self {
            then: Then::Cut,
            ..self
        }
    }

    pub fn hold(self) -> Self {
        Self {
            then: Then::Hold,
            ..self
        }
    }

    pub fn repeat(self) -> Self {
        Self {
            then: Then::Repeat,
            ..self
        }
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Responder {
    port: u16,
    asked: watch::Receiver<Vec<Asked>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Responder {
    pub async fn start(answers: Vec<Answer>) -> Self {
        Self::start_with(answers, None).await
    }

    pub async fn start_with(answers: Vec<Answer>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = watch::channel(Vec::new());
        let sender = Arc::new(sender);
        let answers = Arc::new(std::sync::Mutex::new(VecDeque::from(answers)));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for connection in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                let (sender, answers, tls) = (Arc::clone(&sender), Arc::clone(&answers), tls.clone());
                connections.spawn(async move {
                    let next = || answers.lock().unwrap().pop_front();
                    match tls {
                        None => serve(socket, connection, &sender, next).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                serve(socket, connection, &sender, next).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, asked, task }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    /// Waits until what was asked is so.
    pub async fn wait_for(&self, mut is_so: impl FnMut(&[Asked]) -> bool) -> Vec<Asked> {
        let mut asked = self.asked.clone();
        asked.wait_for(|asked| is_so(asked)).await.unwrap().clone()
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    sender: &watch::Sender<Vec<Asked>>,
    next: impl Fn() -> Option<Answer>,
) {
    while let Some(asked) = request(&mut socket, connection).await {
        let mut at = 0;
        sender.send_modify(|all| {
            at = all.len();
            all.push(asked);
        });
        let Some(answer) = next() else {
            return;
        };
        let stays = write(&mut socket, &answer).await;
        if !stays || matches!(answer.then, Then::Hold) {
            // The rest of what it sends is its going away.
            let mut rest = Vec::new();
            let _gone = socket.read_to_end(&mut rest).await;
            sender.send_modify(|all| all[at].went_away = true);
            return;
        }
        if answer.then == Then::Cut {
            return;
        }
    }
}

/// Whether the client was there to the last byte.
async fn write(socket: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> bool {
    let chunk = |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
    let written = async {
        socket.write_all(answer.head.as_bytes()).await?;
        for piece in &answer.pieces {
            socket.write_all(&chunk(piece)).await?;
            socket.flush().await?;
        }
        if let (Then::Repeat, Some(piece)) = (answer.then, answer.pieces.last()) {
            let piece = chunk(piece);
            loop {
                socket.write_all(&piece).await?;
            }
        }
        if answer.then == Then::End {
            socket.write_all(b"0\r\n\r\n").await?;
        }
        socket.flush().await
    };
    written.await.is_ok()
}

async fn request(socket: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<String> = lines.map(str::to_owned).collect();
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    Some(Asked {
        connection,
        line,
        headers,
        body: String::from_utf8(body).unwrap(),
        went_away: false,
    })
}
