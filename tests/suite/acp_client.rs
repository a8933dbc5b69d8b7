//! A client that speaks the Agent Client Protocol by hand, so that nothing of our
//! own stands between a test and the wire. Every message is judged.

use std::process::Stdio;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    acp_schema::{Conversation, Side},
    world::{PATIENCE, World},
};

/// Our extension's method.
const STREAMING_UPDATE: &str = "_agentic_ide/streaming_update";

/// What the messages go over.
enum Wire {
    Socket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Program(Box<Program>),
}

struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Wire {
    async fn send(&mut self, text: String) {
        match self {
            Self::Socket(socket) => socket.send(Message::text(text)).await.unwrap(),
            Self::Program(program) => {
                let input = &mut program.input;
                input.write_all(format!("{text}\n").as_bytes()).await.unwrap();
                input.flush().await.unwrap();
            }
        }
    }

    async fn receive(&mut self) -> String {
        match self {
            Self::Socket(socket) => loop {
                if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                    return text.as_str().to_owned();
                }
            },
            Self::Program(program) => program
                .output
                .next_line()
                .await
                .unwrap()
                .expect("it has not ended"),
        }
    }
}

/// A connection.
pub struct Acp {
    wire: Wire,
    next_id: u64,
    /// Updates of all sessions.
    pub updates: Vec<Value>,
    /// Parameters of what came by our extension.
    pub streamed: Vec<Value>,
    /// Ids of questions that were withdrawn.
    pub withdrawn: Vec<Value>,
    /// What the agent answered to `initialize`.
    pub hello: Value,
    conversation: Conversation,
}

impl Acp {
    /// Over a WebSocket.
    pub async fn connect(world: &World) -> Self {
        Self::connect_with(world, json!({})).await
    }

    /// The same, as a client with these capabilities.
    pub async fn connect_with(world: &World, capabilities: Value) -> Self {
        let url = format!("{}/acp", world.url().replace("http", "ws"));
        let (socket, _) = connect_async(url).await.unwrap();
        Self::begin(Wire::Socket(Box::new(socket)), capabilities).await
    }

    /// Over standard input and output of the program.
    pub async fn run(world: &World) -> Self {
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
        let program = Program { child, input, output };
        Self::begin(Wire::Program(Box::new(program)), json!({})).await
    }

    async fn begin(wire: Wire, capabilities: Value) -> Self {
        let mut acp = Self {
            wire,
            next_id: 0,
            updates: Vec::new(),
            streamed: Vec::new(),
            withdrawn: Vec::new(),
            hello: Value::Null,
            conversation: Conversation::begin(),
        };
        let initialize = json!({ "protocolVersion": 1, "clientCapabilities": capabilities });
        acp.hello = acp.call("initialize", initialize).await["result"].take();
        acp
    }

    /// Kills the program on the other side, if this client started it.
    pub async fn kill(&mut self) {
        if let Wire::Program(program) = &mut self.wire {
            program.child.kill().await.unwrap();
        }
    }

    pub async fn send(&mut self, message: &Value) {
        // A test may be wrong on purpose; what it then gets must still be right.
        let _on_purpose = self.conversation.take(Side::Client, message);
        self.wire.send(message.to_string()).await;
    }

    pub async fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        let message = json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params });
        self.send(&message).await;
        self.next_id
    }

    pub async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
            .await;
    }

    pub async fn receive(&mut self) -> Value {
        let text = tokio::time::timeout(PATIENCE, self.wire.receive())
            .await
            .expect("an answer");
        let message = serde_json::from_str(&text).unwrap();
        assert_eq!(self.conversation.take(Side::Agent, &message), Ok(()));
        message
    }

    /// Reads up to the answer to `id`, or a request of the agent's.
    pub async fn until(&mut self, id: u64) -> Value {
        loop {
            let message = self.next().await;
            if message["id"] == id || message["method"].is_string() {
                return message;
            }
        }
    }

    /// The next message that is no notification.
    pub async fn next(&mut self) -> Value {
        loop {
            let message = self.receive().await;
            match message["method"].as_str() {
                Some("session/update") => self.updates.push(message["params"]["update"].clone()),
                Some(STREAMING_UPDATE) => self.streamed.push(message["params"].clone()),
                // A question that somebody has answered elsewhere is withdrawn.
                Some("$/cancel_request") => self.withdrawn.push(message["params"]["requestId"].clone()),
                Some(_) | None => return message,
            }
        }
    }

    /// Reads until an update is what `wanted` says.
    pub async fn update(&mut self, wanted: impl Fn(&Value) -> bool) {
        let mut read = 0;
        loop {
            if self.updates[read..].iter().any(&wanted) {
                return;
            }
            read = self.updates.len();
            let message = self.receive().await;
            assert_eq!(message["method"], "session/update", "{message}");
            self.updates.push(message["params"]["update"].clone());
        }
    }

    /// Reads until a question is withdrawn, and answers it as the protocol wants.
    pub async fn until_withdrawn(&mut self, question: &Value) {
        while !self.withdrawn.contains(&question["id"]) {
            let message = self.receive().await;
            match message["method"].as_str() {
                Some("session/update") => self.updates.push(message["params"]["update"].clone()),
                Some("$/cancel_request") => self.withdrawn.push(message["params"]["requestId"].clone()),
                Some(_) | None => panic!("{message}"),
            }
        }
        let result = json!({ "outcome": { "outcome": "cancelled" } });
        self.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }))
            .await;
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        self.until(id).await
    }

    pub async fn session(&mut self, world: &World) -> String {
        let answer = self
            .call("session/new", json!({ "cwd": world.repo(), "mcpServers": [] }))
            .await;
        answer["result"]["sessionId"].as_str().unwrap().to_owned()
    }

    /// A method with the parameters that every way to a session has.
    pub async fn go_to(&mut self, method: &str, world: &World, session: &str) -> Value {
        let params = json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [] });
        self.call(method, params).await
    }

    pub async fn choose(&mut self, request: &Value, option: &str) {
        let result = json!({ "outcome": { "outcome": "selected", "optionId": option } });
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
            .await;
    }

    /// What the updates say, each in a few words, pieces of one text together.
    pub fn story(&self) -> Vec<String> {
        let mut story: Vec<String> = Vec::new();
        let mut last = "";
        for update in &self.updates {
            let kind = update["sessionUpdate"].as_str().unwrap();
            let words = update["content"]["text"].as_str().unwrap_or_default();
            match story.last_mut() {
                Some(text) if kind == last && kind.ends_with("_chunk") && kind != "user_message_chunk" => {
                    text.push_str(words);
                }
                _ => {
                    let title = update["title"].as_str().unwrap_or_default();
                    let status = update["status"].as_str().unwrap_or_default();
                    story.push(format!("{kind}: {words}{title}{status}"));
                }
            }
            last = kind;
        }
        story
    }
}

/// Parameters of a prompt.
pub fn prompt(session: &str, text: &str) -> Value {
    json!({ "sessionId": session, "prompt": [{ "type": "text", "text": text }] })
}
