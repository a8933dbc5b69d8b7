//! The protocol's own JSON Schema, from the package that its authors publish,
//! applied to every message that the tests send and receive.
//!
//! The schema's root lets any extension pass, so it judges next to nothing; a
//! message is judged by the definition that carries its method's name.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    path::Path,
    sync::LazyLock,
};

use serde_json::{Value, json};

use crate::schema::{Document, read_json};

/// Where `cargo xtask test` says that the schema is.
const VARIABLE: &str = "AGENTIC_IDE_ACP_SCHEMA";

/// Version 1 of the protocol.
struct Protocol {
    document: Document,
    /// Pointers of parameters and results, by method.
    params: BTreeMap<String, String>,
    results: BTreeMap<String, String>,
}

/// The schema, where it could be installed. Reading it takes longer than judging
/// thousands of messages.
static PROTOCOL: LazyLock<Option<Protocol>> = LazyLock::new(|| {
    let path = env::var_os(VARIABLE)?;
    Some(Protocol::read(Path::new(&path)))
});

impl Protocol {
    fn find() -> Option<&'static Self> {
        PROTOCOL.as_ref()
    }

    fn read(path: &Path) -> Self {
        let schema = read_json(path);
        let (mut params, mut results) = (BTreeMap::new(), BTreeMap::new());
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            let Some(method) = definition["x-method"].as_str() else {
                continue;
            };
            let map = if name.ends_with("Response") {
                &mut results
            } else {
                &mut params
            };
            map.insert(method.to_owned(), format!("/$defs/{name}"));
        }
        let of_methods = params.values().chain(results.values()).cloned();
        let pointers: Vec<String> = of_methods
            .chain([String::new(), "/$defs/Error".to_owned()])
            .collect();
        Self {
            document: Document::read(path, pointers),
            params,
            results,
        }
    }

    /// Judges a request or a notification.
    fn call(&self, method: &str, message: &Value) -> Result<(), String> {
        match self.params.get(method) {
            Some(pointer) => self.document.judge(pointer, &message["params"]),
            None if method.starts_with('_') => Ok(()),
            None => Err(format!("the protocol has no method {method}")),
        }
    }

    /// Judges an answer to `method`.
    fn answer(&self, method: &str, message: &Value) -> Result<(), String> {
        match (message.get("error"), self.results.get(method)) {
            (Some(error), _) => self.document.judge("/$defs/Error", error),
            (None, Some(pointer)) => self.document.judge(pointer, &message["result"]),
            (None, None) if method.starts_with('_') => Ok(()),
            (None, None) => Err(format!("an answer to {method}, which the protocol does not have")),
        }
    }
}

/// The messages of one connection.
pub struct Conversation {
    protocol: Option<&'static Protocol>,
    /// Methods of open requests, by who asked and the id as text.
    open: HashMap<(Side, String), String>,
}

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The test.
    Client,
    /// The backend.
    Agent,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Agent,
            Self::Agent => Self::Client,
        }
    }
}

impl Conversation {
    /// One that is judged where the schema is there.
    pub fn begin() -> Self {
        Self {
            protocol: Protocol::find(),
            open: HashMap::new(),
        }
    }

    /// The agent may answer what it could not read, which is to nobody.
    pub fn expect_nobody(&mut self) {
        self.open
            .entry((Side::Client, Value::Null.to_string()))
            .or_default();
    }

    /// Judges a trace of both sides, one message a line; how many there were.
    pub fn follow(&mut self, trace: &str) -> usize {
        let messages = trace.lines().map(|line| serde_json::from_str(line).unwrap());
        let messages: Vec<Value> = messages.collect();
        for message in &messages {
            let side = self.sender(message);
            assert_eq!(self.take(side, message), Ok(()));
        }
        messages.len()
    }

    fn sender(&self, message: &Value) -> Side {
        match message["method"].as_str() {
            Some("session/update" | "session/request_permission") => Side::Agent,
            Some(_) => Side::Client,
            // An answer comes from whom the open request went to.
            None if self.open.contains_key(&(Side::Client, message["id"].to_string())) => Side::Agent,
            None => Side::Client,
        }
    }

    /// Takes one message; why it is not what the protocol says.
    pub fn take(&mut self, side: Side, message: &Value) -> Result<(), String> {
        let id = message.get("id").map(Value::to_string);
        let method = message.get("method").and_then(Value::as_str);
        let answered = match (method, &id) {
            (Some(method), Some(id)) => {
                self.open.insert((side, id.clone()), method.to_owned());
                None
            }
            (None, Some(id)) => Some(
                self.open
                    .remove(&(side.other(), id.clone()))
                    .ok_or(format!("nobody asked for {message}"))?,
            ),
            (_, None) => None,
        };
        let Some(protocol) = self.protocol else {
            return Ok(());
        };
        protocol.document.judge("", message)?;
        match (method, answered) {
            (Some(method), _) => protocol.call(method, message),
            (None, Some(method)) => protocol.answer(&method, message),
            (None, None) => Err(format!("neither a call nor an answer: {message}")),
        }
    }
}

#[test]
fn the_official_schema_refuses_what_is_no_message() {
    let Some(protocol) = Protocol::find() else {
        assert!(
            env::var_os("CI").is_none(),
            "{VARIABLE} is not set, so no message was judged: run `cargo xtask test` where npm is"
        );
        return;
    };
    let mut conversation = Conversation {
        protocol: Some(protocol),
        open: HashMap::new(),
    };
    let mut check = |side, message: Value, good: bool| {
        let judged = conversation.take(side, &message);
        assert_eq!(judged.is_ok(), good, "{message}: {judged:?}");
    };
    let update = |update: Value| {
        let params = json!({ "sessionId": "s", "update": update });
        json!({ "jsonrpc": "2.0", "method": "session/update", "params": params })
    };
    let chunk = json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": "a" } });
    check(Side::Agent, update(chunk), true);
    check(
        Side::Agent,
        update(json!({ "sessionUpdate": "agent_message_chunk" })),
        false,
    );
    check(
        Side::Agent,
        update(json!({ "sessionUpdate": "something" })),
        false,
    );
    check(
        Side::Agent,
        update(json!({ "sessionUpdate": "tool_call", "title": "a" })),
        false,
    );
    let prompt = json!({ "sessionId": "s", "prompt": [] });
    let prompt = json!({ "jsonrpc": "2.0", "id": 1, "method": "session/prompt", "params": prompt });
    check(Side::Client, prompt.clone(), true);
    let answer = |reason: &str| json!({ "jsonrpc": "2.0", "id": 1, "result": { "stopReason": reason } });
    check(Side::Agent, answer("done"), false);
    check(Side::Client, prompt, true);
    check(Side::Agent, answer("end_turn"), true);
    check(Side::Agent, answer("end_turn"), false);
    check(
        Side::Agent,
        json!({ "jsonrpc": "2.0", "method": "own/thing", "params": {} }),
        false,
    );
    check(
        Side::Agent,
        json!({ "jsonrpc": "2.0", "method": "_own/thing", "params": {} }),
        true,
    );
}
