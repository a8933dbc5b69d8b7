//! The ways on which messages go to the agent and come back.

use std::{
    collections::{BTreeSet, HashMap},
    process::{ExitStatus, Stdio},
};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::world::{PATIENCE, SCRIPT, World};

/// A way on which a client can reach the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Standard input and output of a program that is the backend itself.
    Alone,
    /// The same of a program that joins the backend that runs.
    Joined,
    /// A WebSocket.
    Socket,
    /// Requests and event streams.
    Http,
}

impl Transport {
    /// A world in which an agent can be reached on this way.
    pub async fn world(self) -> World {
        self.world_with(SCRIPT).await
    }

    /// The same, whose model answers from `script`.
    pub async fn world_with(self, script: &str) -> World {
        match self {
            Self::Alone => World::prepared(script).await,
            Self::Joined | Self::Socket | Self::Http => World::with(script).await,
        }
    }
}

/// What the messages go over.
pub enum Wire {
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Program(Box<Program>),
    Http(Box<Http>),
}

pub struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// Server-sent events of one connection, all streams together.
pub struct Http {
    url: String,
    client: reqwest::Client,
    connection: Option<String>,
    streams: BTreeSet<String>,
    /// Sessions of the agent's requests, by their ids: the answers name them.
    asked_in: HashMap<String, String>,
    sender: mpsc::UnboundedSender<(Option<String>, String)>,
    came: mpsc::UnboundedReceiver<(Option<String>, String)>,
    /// Status of the last request.
    status: u16,
}

impl Wire {
    pub async fn open(transport: Transport, world: &World) -> Self {
        match transport {
            Transport::Alone | Transport::Joined => Self::program(world),
            Transport::Socket => {
                let url = format!("{}/acp", world.url().replace("http", "ws"));
                let (socket, _) = connect_async(url).await.unwrap();
                Self::Socket(Box::new(socket))
            }
            Transport::Http => Self::Http(Box::new(Http::new(world.url()))),
        }
    }

    fn program(world: &World) -> Self {
        let mut command = world.backend();
        command
            .arg("acp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let output = BufReader::new(output).lines();
        Self::Program(Box::new(Program { child, input, output }))
    }

    /// Sends one message, or what is none.
    pub async fn send(&mut self, text: &str) {
        match self {
            Self::Socket(socket) => socket.send(Message::text(text)).await.unwrap(),
            Self::Program(program) => program.write(format!("{text}\n").as_bytes()).await,
            Self::Http(http) => http.send(text).await,
        }
    }

    /// Sends bytes where a message should be: a line, a binary frame, a body.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        match self {
            Self::Socket(socket) => socket.send(Message::binary(bytes.to_vec())).await.unwrap(),
            Self::Program(program) => program.write(&[bytes, b"\n"].concat()).await,
            Self::Http(http) => {
                http.post(bytes.to_vec(), None).await;
            }
        }
    }

    /// The next message; none when the other side has ended.
    pub async fn receive(&mut self) -> Option<String> {
        match self {
            Self::Socket(socket) => loop {
                match socket.next().await?.ok()? {
                    Message::Text(text) => return Some(text.as_str().to_owned()),
                    Message::Close(_) => return None,
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
                }
            },
            Self::Program(program) => program.output.next_line().await.unwrap(),
            Self::Http(http) => http.receive().await,
        }
    }

    /// Kills the program on the other side, if this client started it.
    pub async fn kill(&mut self) {
        if let Self::Program(program) = self {
            program.child.kill().await.unwrap();
        }
    }

    /// Status of the last request, where there are any.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Http(http) => Some(http.status),
            Self::Socket(_) | Self::Program(_) => None,
        }
    }

    /// Goes as the transport wants it; how a program ended.
    pub async fn leave(self) -> Option<ExitStatus> {
        match self {
            Self::Socket(mut socket) => {
                WebSocketStream::close(&mut socket, None).await.unwrap();
                while let Some(Ok(_)) = socket.next().await {}
                None
            }
            Self::Program(program) => {
                let Program { mut child, input, .. } = *program;
                drop(input);
                let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
                Some(ended.expect("it ends with its input").unwrap())
            }
            Self::Http(http) => {
                assert_eq!(http.delete().await, 202);
                None
            }
        }
    }
}

impl Program {
    async fn write(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).await.unwrap();
        self.input.flush().await.unwrap();
    }
}

impl Http {
    fn new(url: &str) -> Self {
        let (sender, came) = mpsc::unbounded_channel();
        Self {
            url: format!("{url}/acp"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            connection: None,
            streams: BTreeSet::new(),
            asked_in: HashMap::new(),
            sender,
            came,
            status: 0,
        }
    }

    async fn send(&mut self, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let session = match (&message["method"], &message["params"]["sessionId"]) {
            (Value::String(_), Value::String(session)) => Some(session.clone()),
            (Value::Null, _) => self.asked_in.remove(&message["id"].to_string()),
            _ => None,
        };
        if let Some(session) = &session {
            self.listen(Some(session)).await;
        }
        let body = self.post(text.to_owned().into_bytes(), session.as_deref()).await;
        // An answer comes here only to `initialize`, and to what is no message.
        if !body.is_empty() && serde_json::from_str::<Value>(&body).is_ok() {
            self.sender.send((None, body)).unwrap();
        }
        if message["method"] == "initialize" && self.connection.is_some() {
            self.listen(None).await;
        }
    }

    /// The body of the answer.
    async fn post(&mut self, body: Vec<u8>, session: Option<&str>) -> String {
        let mut request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(connection) = &self.connection {
            request = request.header("acp-connection-id", connection);
        }
        if let Some(session) = session {
            request = request.header("acp-session-id", session);
        }
        let answer = request.body(body).send().await.unwrap();
        self.status = answer.status().as_u16();
        if let Some(connection) = answer.headers().get("acp-connection-id") {
            self.connection = Some(connection.to_str().unwrap().to_owned());
        }
        answer.text().await.unwrap()
    }

    /// Opens the stream of the connection, or of a session, unless it is open.
    async fn listen(&mut self, session: Option<&str>) {
        let Some(connection) = &self.connection else {
            return;
        };
        if !self.streams.insert(session.unwrap_or_default().to_owned()) {
            return;
        }
        let mut request = self.client.get(&self.url).header("accept", "text/event-stream");
        request = request.header("acp-connection-id", connection);
        if let Some(session) = session {
            request = request.header("acp-session-id", session);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "the stream of {session:?}");
        let (sender, session) = (self.sender.clone(), session.map(ToOwned::to_owned));
        tokio::spawn(async move {
            let mut pieces = answer.bytes_stream();
            let mut text = Vec::new();
            while let Some(Ok(piece)) = pieces.next().await {
                text.extend_from_slice(&piece);
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let line = String::from_utf8(line).unwrap();
                    if let Some(data) = line.strip_prefix("data:") {
                        // Nobody reads any more.
                        let _left = sender.send((session.clone(), data.trim().to_owned()));
                    }
                }
            }
        });
    }

    async fn receive(&mut self) -> Option<String> {
        let (session, text) = self.came.recv().await?;
        let message: Value = serde_json::from_str(&text).unwrap();
        if let Some(begun) = message["result"]["sessionId"].as_str() {
            self.listen(Some(begun)).await;
        }
        if let (Some(session), Some(_), Some(id)) = (session, message.get("method"), message.get("id")) {
            self.asked_in.insert(id.to_string(), session);
        }
        Some(text)
    }

    async fn delete(&self) -> u16 {
        let mut request = self.client.delete(&self.url);
        if let Some(connection) = &self.connection {
            request = request.header("acp-connection-id", connection);
        }
        request.send().await.unwrap().status().as_u16()
    }
}
