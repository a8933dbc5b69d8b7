//! What checks print, in a terminal that the client draws, or that it has.

use std::{collections::HashMap, path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{
    acp_client::{Acp, prompt, wire::Transport},
    world::{PATIENCE, World, programs},
};

/// A test that prints.
pub const TEST: &str = "import unittest\n\n\nclass AppTest(unittest.TestCase):\n    def test_runs(self):\n        print(\"printed by a test\")\n";

/// One that prints and does not end soon.
const SLOW_TEST: &str = "import time\nimport unittest\n\n\nclass AppTest(unittest.TestCase):\n    def test_runs(self):\n        print(\"printed by a test\", flush=True)\n        time.sleep(600)\n";

/// A world in which a proposal is tested by this.
pub async fn tested(transport: Transport, test: &str) -> World {
    let world = transport.world().await;
    world.write("pyproject.toml", "[project]\nname = \"app\"\n");
    world.write("tests/__init__.py", "");
    world.write("tests/test_app.py", test);
    world.git(&["add", "."]);
    world.git(&["commit", "-qm", "tests"]);
    world
}

/// What a client with these capabilities is told up to the question.
async fn told(transport: Transport, capabilities: Value) -> Vec<Value> {
    let world = tested(transport, TEST).await;
    let mut acp = Acp::over_with(transport, &world, capabilities).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.updates
}

/// Text of the updates of this kind.
fn thoughts(updates: &[Value]) -> String {
    let thoughts = updates
        .iter()
        .filter(|update| update["sessionUpdate"] == "agent_thought_chunk");
    let texts = thoughts.filter_map(|update| update["content"]["text"].as_str());
    texts.collect()
}

#[tokio::test]
async fn a_client_that_draws_terminals_is_told_there_what_checks_print() {
    // It may have terminals of its own besides.
    let capabilities = json!({ "terminal": true, "_meta": { "terminal_output": true } });
    let updates = told(Transport::Joined, capabilities).await;
    let call = updates.iter().find(|update| update["title"] == "Check").unwrap();
    let id = &call["toolCallId"];
    assert_eq!(
        call["content"],
        json!([{ "type": "terminal", "terminalId": id }]),
        "{call}"
    );
    assert_eq!(
        call["_meta"],
        json!({ "terminal_info": { "terminal_id": id } }),
        "{call}"
    );

    let printed = updates
        .iter()
        .filter(|update| update["_meta"]["terminal_output"].is_object());
    let mut text = String::new();
    for update in printed {
        assert_eq!(update["toolCallId"], *id, "{update}");
        assert_eq!(update["_meta"]["terminal_output"]["terminal_id"], *id, "{update}");
        text.push_str(update["_meta"]["terminal_output"]["data"].as_str().unwrap());
    }
    assert!(text.contains("printed by a test"), "{text}");
    assert!(!thoughts(&updates).contains("printed by a test"));

    // What is shown later is shown beside it.
    let evidence = updates
        .iter()
        .rfind(|update| update["toolCallId"] == *id && update["content"].is_array());
    assert_eq!(evidence.unwrap()["content"][0]["type"], "terminal");
    let last = updates
        .iter()
        .rfind(|update| update["toolCallId"] == *id)
        .unwrap();
    let ended = json!({ "terminal_exit": { "terminal_id": id, "exit_code": 0, "signal": null } });
    assert_eq!(last["_meta"], ended, "{last}");
}

#[tokio::test]
async fn any_other_client_is_told_as_thoughts() {
    // Whoever is not known to be on this machine runs nothing of it.
    for (transport, capabilities) in [
        (Transport::Joined, json!({})),
        (Transport::Socket, json!({ "terminal": true })),
        (Transport::Http, json!({ "terminal": true })),
    ] {
        let updates = told(transport, capabilities).await;
        assert!(thoughts(&updates).contains("printed by a test"));
        let call = updates.iter().find(|update| update["title"] == "Check").unwrap();
        assert_eq!(
            (&call["content"], &call["_meta"]),
            (&Value::Null, &Value::Null),
            "{call}"
        );
    }
}

/// A program in a terminal.
struct Terminal {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    fn start(create: &Value) -> Self {
        let params = &create["params"];
        let arguments = params["args"].as_array().unwrap();
        let mut child = Command::new(params["command"].as_str().unwrap())
            .args(arguments.iter().map(|argument| argument.as_str().unwrap()))
            .current_dir(params["cwd"].as_str().unwrap())
            // It needs nothing of what the agent was started with.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    /// Reads up to a line with this.
    async fn until(&mut self, text: &str) {
        let reading = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                if line.contains(text) {
                    return;
                }
            }
            panic!("it ended without `{text}`");
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
    }

    /// Waits for its end; the code, and what it had printed since.
    async fn end(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        let ending = async {
            self.output.get_mut().read_to_string(&mut rest).await.unwrap();
            self.child.wait().await.unwrap()
        };
        let status = tokio::time::timeout(PATIENCE, ending).await.unwrap();
        (status.code(), rest)
    }
}

/// A client that has terminals.
struct Host {
    acp: Acp,
    session: String,
    turn: u64,
    terminals: HashMap<String, Terminal>,
    /// What was asked of terminals, in order.
    asked: Vec<String>,
}

impl Host {
    /// One that has asked for something.
    async fn begin(transport: Transport, world: &World) -> Self {
        let mut acp = Acp::over_with(transport, world, json!({ "terminal": true })).await;
        let session = acp.session(world).await;
        let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
        Self {
            acp,
            session,
            turn,
            terminals: HashMap::new(),
            asked: Vec::new(),
        }
    }

    async fn answer(&mut self, request: &Value, result: Value) {
        let answer = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        self.acp.send(&answer).await;
    }

    /// The next message that is about no terminal.
    async fn next(&mut self) -> Value {
        loop {
            let message = self.acp.next().await;
            let method = message["method"].as_str().unwrap_or_default().to_owned();
            let Some(what) = method.strip_prefix("terminal/") else {
                return message;
            };
            assert_eq!(message["params"]["sessionId"], self.session);
            self.asked.push(what.to_owned());
            let id = message["params"]["terminalId"].as_str().unwrap_or_default();
            match what {
                "create" => {
                    let id = format!("t{}", self.terminals.len());
                    self.terminals.insert(id.clone(), Terminal::start(&message));
                    self.answer(&message, json!({ "terminalId": id })).await;
                    return message;
                }
                "wait_for_exit" => {
                    let terminal = self.terminals.get_mut(id).unwrap();
                    let status = tokio::time::timeout(PATIENCE, terminal.child.wait()).await;
                    let code = status.unwrap().unwrap().code();
                    self.answer(&message, json!({ "exitCode": code })).await;
                }
                "kill" => {
                    self.terminals.get_mut(id).unwrap().child.kill().await.unwrap();
                    self.answer(&message, json!({})).await;
                }
                "release" => {
                    self.answer(&message, json!({})).await;
                    return message;
                }
                _ => panic!("{message}"),
            }
        }
    }

    /// Reads up to a request of this method.
    async fn until(&mut self, method: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["method"] == method {
                return message;
            }
            assert!(message.get("error").is_none(), "{message}");
        }
    }
}

async fn a_terminal_shows_what_checks_print(transport: Transport) {
    let world = tested(transport, TEST).await;
    let mut host = Host::begin(transport, &world).await;
    let created = host.until("terminal/create").await;
    let params = &created["params"];
    let program = programs().join("agentic-ide-backend").canonicalize().unwrap();
    assert_eq!(params["command"], program.to_str().unwrap());
    assert_eq!(params["args"][0], "follow-output");
    assert_eq!(params["cwd"], world.repo().to_str().unwrap());
    let file = params["args"][1].as_str().unwrap();
    assert!(Path::new(file).starts_with(world.path("data")), "{file}");

    let mut awaited = vec!["session/request_permission", "terminal/release"];
    while !awaited.is_empty() {
        let message = host.next().await;
        awaited.retain(|method| message["method"] != *method);
        assert!(message.get("error").is_none(), "{message}");
    }
    assert_eq!(host.asked, ["create", "wait_for_exit", "release"]);
    let (code, shown) = host.terminals.get_mut("t0").unwrap().end().await;
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("printed by a test"), "{shown}");

    let updates = &host.acp.updates;
    let call = updates.iter().find(|update| update["title"] == "Check").unwrap();
    let of_call = || {
        updates
            .iter()
            .filter(|update| update["toolCallId"] == call["toolCallId"])
    };
    let terminal = json!({ "type": "terminal", "terminalId": "t0" });
    let begin = of_call().find(|update| update["content"].is_array()).unwrap();
    assert_eq!(begin["content"], json!([terminal]), "{begin}");
    // What is shown later is shown beside it.
    let evidence = of_call().rfind(|update| update["content"].is_array()).unwrap();
    assert_eq!(evidence["content"][0], terminal, "{evidence}");
    assert!(evidence["content"].as_array().unwrap().len() > 1, "{evidence}");
    assert_eq!(of_call().next_back().unwrap()["status"], "completed");
    assert!(!thoughts(updates).contains("printed by a test"));
}

#[tokio::test]
async fn a_client_on_this_machine_runs_what_shows_it() {
    a_terminal_shows_what_checks_print(Transport::Alone).await;
}

#[tokio::test]
async fn a_client_that_has_joined_runs_what_shows_it() {
    a_terminal_shows_what_checks_print(Transport::Joined).await;
}

#[tokio::test]
async fn a_client_that_runs_nothing_is_told_as_thoughts() {
    let world = tested(Transport::Alone, TEST).await;
    let mut acp = Acp::over_with(Transport::Alone, &world, json!({ "terminal": true })).await;
    let session = acp.session(&world).await;
    acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let mut refused = 0;
    loop {
        let message = acp.next().await;
        if message["method"] == "session/request_permission" {
            break;
        }
        assert_eq!(message["method"], "terminal/create", "{message}");
        let error = json!({ "code": -32603, "message": "the person says no" });
        let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error });
        acp.send(&answer).await;
        refused += 1;
    }
    assert_eq!(refused, 1);
    assert!(thoughts(&acp.updates).contains("printed by a test"));
}

#[tokio::test]
async fn what_is_cancelled_is_killed() {
    let world = tested(Transport::Joined, SLOW_TEST).await;
    let mut host = Host::begin(Transport::Joined, &world).await;
    host.until("terminal/create").await;
    host.terminals
        .get_mut("t0")
        .unwrap()
        .until("printed by a test")
        .await;
    let cancel = json!({ "sessionId": host.session });
    host.acp.notify("session/cancel", cancel).await;
    let (mut is_over, mut is_released) = (false, false);
    while !(is_over && is_released) {
        let message = host.next().await;
        is_released |= message["method"] == "terminal/release";
        if message["id"] == host.turn && message.get("method").is_none() {
            assert_eq!(message["result"]["stopReason"], "cancelled", "{message}");
            is_over = true;
        }
    }
    assert_eq!(host.asked, ["create", "kill", "release"]);
}

#[tokio::test]
async fn what_shows_it_ends_when_the_backend_is_killed() {
    let mut world = tested(Transport::Joined, SLOW_TEST).await;
    let mut host = Host::begin(Transport::Joined, &world).await;
    host.until("terminal/create").await;
    let mut terminal = host.terminals.remove("t0").unwrap();
    terminal.until("printed by a test").await;
    world.kill();
    let (code, rest) = terminal.end().await;
    assert_eq!(code, Some(1));
    assert!(rest.ends_with("\n[the backend has stopped]\n"), "{rest}");
}
