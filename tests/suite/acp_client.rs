//! A client that speaks the Agent Client Protocol by hand, so that nothing of our
//! own stands between a test and the wire. Every message is judged.

pub mod editor;
pub mod wire;

use std::process::ExitStatus;

use serde_json::{Value, json};
use wire::{Transport, Wire};

use crate::{
    acp_schema::{Conversation, Side},
    world::{PATIENCE, World},
};

/// Our extension's method.
const STREAMING_UPDATE: &str = "_agentic_ide/streaming_update";

/// A connection.
pub struct Acp {
    wire: Wire,
    next_id: u64,
    /// Updates of all sessions.
    pub updates: Vec<Value>,
    /// Those that said where they come from, and where that is.
    pub placed: Vec<(Value, Value)>,
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
        let wire = Wire::open(Transport::Socket, world).await;
        Self::begin(wire, capabilities).await
    }

    /// Over standard input and output of the program.
    pub async fn run(world: &World) -> Self {
        Self::over(Transport::Joined, world).await
    }

    /// Over any transport.
    pub async fn over(transport: Transport, world: &World) -> Self {
        Self::over_with(transport, world, json!({})).await
    }

    /// The same, as a client with these capabilities.
    pub async fn over_with(transport: Transport, world: &World, capabilities: Value) -> Self {
        let wire = Wire::open(transport, world).await;
        Self::begin(wire, capabilities).await
    }

    /// Over any transport, and nothing said so far.
    pub async fn silent(transport: Transport, world: &World) -> Self {
        Self::new(Wire::open(transport, world).await)
    }

    fn new(wire: Wire) -> Self {
        Self {
            wire,
            next_id: 0,
            updates: Vec::new(),
            placed: Vec::new(),
            streamed: Vec::new(),
            withdrawn: Vec::new(),
            hello: Value::Null,
            conversation: Conversation::begin(),
        }
    }

    async fn begin(wire: Wire, capabilities: Value) -> Self {
        let mut acp = Self::new(wire);
        let initialize = json!({ "protocolVersion": 1, "clientCapabilities": capabilities });
        acp.hello = acp.call("initialize", initialize).await["result"].take();
        acp
    }

    /// Over any transport, in version 2 of the protocol, as a client with these
    /// capabilities.
    pub async fn two(transport: Transport, world: &World, capabilities: Value) -> Self {
        let mut acp = Self::silent(transport, world).await;
        let info = json!({ "name": "tests", "version": "1.0.0" });
        let hello = json!({ "protocolVersion": 2, "info": info, "capabilities": capabilities });
        acp.hello = acp.call("initialize", hello).await["result"].take();
        acp
    }

    /// Kills the program on the other side, if this client started it.
    pub async fn kill(&mut self) {
        self.wire.kill().await;
    }

    /// Goes as the transport wants it; how a program ended.
    pub async fn leave(self) -> Option<ExitStatus> {
        self.wire.leave().await
    }

    /// What nothing is judged of on its way.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub async fn send(&mut self, message: &Value) {
        // A test may be wrong on purpose; what it then gets must still be right.
        let _on_purpose = self.conversation.take(Side::Client, message);
        self.wire.send(&message.to_string()).await;
    }

    /// Sends text that may be no message.
    pub async fn send_text(&mut self, text: &str) {
        if let Ok(message) = serde_json::from_str::<Value>(text) {
            let _on_purpose = self.conversation.take(Side::Client, &message);
        }
        self.conversation.expect_nobody();
        self.wire.send(text).await;
    }

    /// The same of bytes.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.conversation.expect_nobody();
        self.wire.send_bytes(bytes).await;
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
            .expect("an answer")
            .expect("it has not ended");
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
                Some("session/update") => self.hear(&message["params"]),
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
            self.hear(&message["params"]);
        }
    }

    /// Reads until a question is withdrawn, and answers it as the protocol wants.
    pub async fn until_withdrawn(&mut self, question: &Value) {
        while !self.withdrawn.contains(&question["id"]) {
            let message = self.receive().await;
            match message["method"].as_str() {
                Some("session/update") => self.hear(&message["params"]),
                Some("$/cancel_request") => self.withdrawn.push(message["params"]["requestId"].clone()),
                Some(_) | None => panic!("{message}"),
            }
        }
        let result = json!({ "outcome": { "outcome": "cancelled" } });
        self.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }))
            .await;
    }

    fn hear(&mut self, params: &Value) {
        let update = params["update"].clone();
        let place = &params["_meta"]["agentic_ide"];
        if !place.is_null() {
            self.placed.push((place.clone(), update.clone()));
        }
        self.updates.push(update);
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

/// What may be answered where a permission is asked for.
pub const PERMISSION: [(&str, &str); 4] = [
    ("accept", "allow_once"),
    ("accept_always", "allow_always"),
    ("reject", "reject_once"),
    ("reject_always", "reject_always"),
];

/// The options of a question, each with its kind.
pub fn options(question: &Value) -> Vec<(&str, &str)> {
    let options = question["params"]["options"].as_array().unwrap().iter();
    options
        .map(|option| {
            ["optionId", "kind"]
                .map(|key| option[key].as_str().unwrap())
                .into()
        })
        .collect()
}

/// Parameters of a prompt.
pub fn prompt(session: &str, text: &str) -> Value {
    json!({ "sessionId": session, "prompt": [{ "type": "text", "text": text }] })
}

/// A test on each transport of every function that is named.
macro_rules! on_each_transport {
    ($($case:ident),* $(,)?) => {
        $(mod $case {
            use crate::acp_client::wire::Transport;

            #[tokio::test]
            async fn over_standard_input_alone() {
                Box::pin(super::$case(Transport::Alone)).await;
            }

            #[tokio::test]
            async fn over_standard_input_joined() {
                Box::pin(super::$case(Transport::Joined)).await;
            }

            #[tokio::test]
            async fn over_a_websocket() {
                Box::pin(super::$case(Transport::Socket)).await;
            }

            #[tokio::test]
            async fn over_http() {
                Box::pin(super::$case(Transport::Http)).await;
            }
        })*
    };
}
pub(crate) use on_each_transport;
