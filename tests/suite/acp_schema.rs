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

/// One version of the protocol, as one document has it.
struct Protocol {
    document: Document,
    /// Pointers of parameters and results, by method.
    params: BTreeMap<String, String>,
    results: BTreeMap<String, String>,
}

/// One version: what is agreed on, and for what is not there, what is proposed.
struct Version {
    stable: Protocol,
    unstable: Protocol,
}

/// The versions' schemas, where they could be installed. Reading one takes longer
/// than judging thousands of messages.
static ONE: LazyLock<Option<Version>> = LazyLock::new(|| Version::read("v1"));
static TWO: LazyLock<Option<Version>> = LazyLock::new(|| Version::read("v2"));

impl Version {
    fn find(number: u64) -> Option<&'static Self> {
        match number {
            0 | 1 => ONE.as_ref(),
            _ => TWO.as_ref(),
        }
    }

    /// The versions are side by side in the package.
    fn read(folder: &str) -> Option<Self> {
        let named = env::var_os(VARIABLE)?;
        let folder = Path::new(&named).parent()?.parent()?.join(folder);
        Some(Self {
            stable: Protocol::read(&folder.join("schema.json")),
            unstable: Protocol::read(&folder.join("schema.unstable.json")),
        })
    }

    /// The document that has a method.
    fn of(&self, method: &str) -> &Protocol {
        match self.stable.params.contains_key(method) {
            true => &self.stable,
            false => &self.unstable,
        }
    }
}

impl Protocol {
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
    version: Option<&'static Version>,
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
            version: Version::find(1),
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
        if side == Side::Client && method == Some("initialize") {
            let asked = message["params"]["protocolVersion"].as_u64();
            self.version = Version::find(asked.unwrap_or(1));
        }
        let Some(version) = self.version else {
            return Ok(());
        };
        let named = method.or(answered.as_deref()).unwrap_or_default();
        let protocol = version.of(named);
        protocol.document.judge("", message)?;
        match (method, &answered) {
            (Some(method), _) => protocol.call(method, message),
            (None, Some(method)) => protocol.answer(method, message),
            (None, None) => Err(format!("neither a call nor an answer: {message}")),
        }
    }
}

#[test]
fn the_official_schema_refuses_what_is_no_message() {
    let Some(version) = Version::find(1) else {
        assert!(
            env::var_os("CI").is_none(),
            "{VARIABLE} is not set, so no message was judged: run `cargo xtask test` where npm is"
        );
        return;
    };
    let mut conversation = Conversation {
        version: Some(version),
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
