//! The MCP server, driven by real clients: the protocol's official ones for
//! Rust and Python, and bare lines.

#![allow(deprecated, reason = "clients of the protocol's earlier versions offer roots")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServiceExt as _,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig,
        ClientRequest, Implementation, JsonObject, ListRootsResult,
    },
    service::{PeerRequestOptions, RequestContext, RunningService},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    demo_repo,
    support::root,
    world::{World, program},
};

/// The demo's repository, and what must not get out of it.
struct Desk {
    dir: TempDir,
}

const SECRET: &str = "hunter2hunter2";

impl Desk {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let desk = Self { dir };
        demo_repo::make(&desk.repository(), &[]);
        std::fs::write(desk.repository().join(".env"), format!("PASSWORD={SECRET}\n")).unwrap();
        desk
    }

    fn repository(&self) -> PathBuf {
        self.dir.path().join("orderdesk")
    }

    /// The server, whose person has no settings, and no database or model.
    fn command(&self, root: &Path) -> std::process::Command {
        let mut command = program("agentic-ide-backend");
        command.env("HOME", self.dir.path().join("home"));
        for name in [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "AGENTIC_IDE_LOG",
        ] {
            command.env_remove(name);
        }
        command
            .args([
                "--qdrant-url",
                "http://127.0.0.1:9",
                "--ollama-url",
                "http://127.0.0.1:9",
            ])
            .args(["mcp", "--root"])
            .arg(root);
        command
    }

    async fn connect(&self, roots: &[String]) -> Connection {
        connect(self.command(&self.repository()), roots).await
    }
}

/// Starts the server and speaks with it.
async fn connect(command: std::process::Command, roots: &[String]) -> Connection {
    let mut child = Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pipes = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let person = Person {
        roots: roots.to_vec(),
    };
    Connection {
        client: person.serve(pipes).await.unwrap(),
        child,
    }
}

/// A client that offers these roots, or none.
#[derive(Debug, Clone)]
struct Person {
    roots: Vec<String>,
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if !self.roots.is_empty() {
            capabilities.roots = Some(Default::default());
        }
        ClientConfig::new(capabilities, Implementation::new("tests", "1"))
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        let roots = self.roots.iter().map(rmcp::model::Root::new).collect();
        Ok(ListRootsResult::new(roots))
    }
}

struct Connection {
    client: RunningService<RoleClient, Person>,
    child: Child,
}

fn request(tool: &str, arguments: &Value) -> CallToolRequestParams {
    let arguments: JsonObject = serde_json::from_value(arguments.clone()).unwrap();
    CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)
}

impl Connection {
    async fn call(&self, tool: &str, arguments: Value) -> CallToolResult {
        self.client.call_tool(request(tool, &arguments)).await.unwrap()
    }

    /// Text and structured content of an answer that is no error.
    async fn ask(&self, tool: &str, arguments: Value) -> (String, Value) {
        let result = self.call(tool, arguments).await;
        let text = text(&result);
        assert_ne!(result.is_error, Some(true), "{text}");
        (text, result.structured_content.unwrap())
    }

    /// Hangs up, and waits for the server to end by itself.
    async fn end(mut self) {
        self.client.cancel().await.unwrap();
        let status = tokio::time::timeout(crate::world::PATIENCE, self.child.wait()).await;
        assert!(status.unwrap().unwrap().success());
    }
}

fn text(result: &CallToolResult) -> String {
    let text = |block: &rmcp::model::ContentBlock| block.as_text().unwrap().text.clone();
    result.content.iter().map(text).collect()
}

fn strings<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one[key].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn each_tool_answers_on_a_workspace_that_was_never_indexed() {
    let desk = Desk::new();
    let server = desk.connect(&[]).await;
    let info = server.client.peer_info().unwrap();
    assert_eq!(info.server_info.as_ref().unwrap().name, "agentic-ide");
    let tools = server.client.list_all_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    let expect = [
        "search_code",
        "find_definition",
        "find_references",
        "related_files",
        "index_status",
    ];
    assert_eq!(names, expect);
    for tool in &tools {
        let hints = tool.annotations.as_ref().unwrap();
        assert_eq!(
            (hints.read_only_hint, hints.open_world_hint),
            (Some(true), Some(false)),
            "{}",
            tool.name
        );
        assert!(
            tool.output_schema.is_some() && tool.description.is_some(),
            "{}",
            tool.name
        );
        assert_eq!(tool.input_schema["additionalProperties"], false, "{}", tool.name);
    }

    let (_, status) = server.ask("index_status", json!({})).await;
    assert_eq!(
        (&status["state"], &status["indexed_files"]),
        (&json!("absent"), &json!(0))
    );
    assert_eq!(status["skipped"]["secret"], 1);

    let (text, found) = server
        .ask(
            "search_code",
            json!({ "query": "refuse bodies that are too large", "max_tokens": 400 }),
        )
        .await;
    assert!(text.starts_with("=== orderdesk/"), "{text}");
    assert!(
        strings(&found["items"], "path").contains(&"orderdesk/web/middleware.py"),
        "{found}"
    );
    assert!(found["tokens"].as_u64().unwrap() <= 400);
    let (_, found) = server
        .ask(
            "search_code",
            json!({ "query": "orders", "paths": ["tests/**"], "language": "py", "top": 2 }),
        )
        .await;
    let paths = strings(&found["items"], "path");
    assert!(
        !paths.is_empty() && paths.len() <= 2 && paths.iter().all(|path| path.starts_with("tests/")),
        "{paths:?}"
    );
    let (text, found) = server.ask("search_code", json!({ "query": SECRET })).await;
    assert_eq!(
        (text.as_str(), &found["items"]),
        ("(nothing was found)\n", &json!([]))
    );

    let (text, found) = server
        .ask(
            "find_definition",
            json!({ "symbol": "middleware.require_api_key" }),
        )
        .await;
    let first = &found["definitions"][0];
    assert_eq!(
        (&first["path"], &first["kind"]),
        (&json!("orderdesk/auth/middleware.py"), &json!("function"))
    );
    assert!(
        first["code"]
            .as_str()
            .unwrap()
            .starts_with("def require_api_key("),
        "{first}"
    );
    assert!(text.contains("def require_api_key("), "{text}");

    let (_, found) = server
        .ask("find_references", json!({ "symbol": "unauthorized" }))
        .await;
    let mut roles: Vec<(&str, &str)> = strings(&found["references"], "path")
        .into_iter()
        .zip(strings(&found["references"], "role"))
        .collect();
    roles.dedup();
    assert_eq!(
        roles,
        [
            ("orderdesk/errors.py", "definition"),
            ("orderdesk/auth/middleware.py", "import"),
            ("orderdesk/auth/middleware.py", "call"),
        ]
    );
    let (_, found) = server
        .ask(
            "find_references",
            json!({ "symbol": "SQLite", "how": "text", "path": "*.md" }),
        )
        .await;
    assert!(
        strings(&found["references"], "role")
            .iter()
            .all(|role| *role == "text"),
        "{found}"
    );
    assert!(found["total"].as_u64().unwrap() > 0);

    let (text, found) = server
        .ask("related_files", json!({ "path": "orderdesk/auth/api_keys.py" }))
        .await;
    assert!(
        strings(&found["files"], "path").contains(&"orderdesk/auth/middleware.py"),
        "{text}"
    );
    let reasons = &found["files"][0]["reasons"];
    assert!(!reasons[0]["kind"].as_str().unwrap().is_empty(), "{found}");

    let (_, status) = server.ask("index_status", json!({})).await;
    assert_eq!(
        (&status["state"], &status["commits"]),
        (&json!("ready"), &json!(10))
    );
    server.end().await;
}

/// The index of the running backend answers where it keeps the workspace, and
/// one of the server's own before and after.
#[tokio::test]
async fn a_running_backend_that_keeps_the_workspace_is_asked() {
    let mut world = World::new().await;
    let mut command = world.backend();
    command.args(["mcp", "--root"]).arg(world.repo());
    let server = connect(command, &[]).await;
    let check = async |world: &World, expect: &str| {
        let (_, status) = server.ask("index_status", json!({})).await;
        assert_eq!(status["kept_by"], expect);
        let (_, found) = server.ask("search_code", json!({ "query": "greet" })).await;
        assert!(
            strings(&found["items"], "path").contains(&"greeting.py"),
            "{found}"
        );
        let (_, found) = server.ask("find_definition", json!({ "symbol": "greet" })).await;
        assert_eq!(strings(&found["definitions"], "path"), ["greeting.py"]);
        let (_, related) = server
            .ask("related_files", json!({ "path": "greeting.py" }))
            .await;
        assert_eq!(related["path"], "greeting.py");
        let refused = server.call("search_code", json!({ "query": "" })).await;
        assert!(text(&refused).starts_with("error[E1006]"), "{}", text(&refused));
        let searched = world.cli(&["search", "greet", "--json"]);
        let searched: Value = serde_json::from_slice(&searched.stdout).unwrap();
        let own = if expect == "backend" { "backend" } else { "own" };
        assert_eq!(searched["index"], own);
        assert!(
            strings(&searched["items"], "path").contains(&"greeting.py"),
            "{searched}"
        );
    };
    world.write("greeting.py", "def greet():\n    return 1\n");
    check(&world, "this process").await;
    let request = json!({ "workspace": world.repo(), "command": "open" });
    assert_eq!(world.post("/api/index", &request).await.0, 200);
    check(&world, "backend").await;
    world.kill();
    check(&world, "this process").await;
    server.end().await;
}

#[tokio::test]
async fn bad_input_is_answered_with_what_to_do() {
    let desk = Desk::new();
    let server = desk.connect(&[]).await;
    let cases = [
        ("search_code", json!({}), "error[E1001]", "missing field `query`"),
        (
            "search_code",
            json!({ "query": " " }),
            "error[E1006]",
            "`query` is empty",
        ),
        (
            "search_code",
            json!({ "query": "q".repeat(100_000) }),
            "error[E1005]",
            "100000 bytes",
        ),
        (
            "search_code",
            json!({ "query": "a", "top": 0 }),
            "error[E1001]",
            "1 to 200",
        ),
        (
            "search_code",
            json!({ "query": "a", "top": 10_000 }),
            "error[E1001]",
            "1 to 200",
        ),
        (
            "search_code",
            json!({ "query": "a", "max_tokens": 1 }),
            "error[E1001]",
            "100 to 20000",
        ),
        (
            "search_code",
            json!({ "query": "a", "limit": 1 }),
            "error[E1001]",
            "unknown field `limit`",
        ),
        (
            "search_code",
            json!({ "query": "a", "language": "cobol" }),
            "error[E1001]",
            "python",
        ),
        (
            "search_code",
            json!({ "query": "a", "paths": ["../**"] }),
            "error[E1205]",
            "outside of the workspace",
        ),
        (
            "search_code",
            json!({ "query": "a", "root": "/etc" }),
            "error[E1001]",
            "orderdesk",
        ),
        (
            "find_definition",
            json!({ "symbol": "how is it done?" }),
            "error[E1001]",
            "is not a name",
        ),
        (
            "find_definition",
            json!({ "symbol": "a", "path": "/etc/passwd" }),
            "error[E1205]",
            "/etc/passwd",
        ),
        (
            "find_references",
            json!({ "symbol": "" }),
            "error[E1006]",
            "empty",
        ),
        (
            "find_references",
            json!({ "symbol": "a", "how": "magic" }),
            "error[E1001]",
            "magic",
        ),
        (
            "related_files",
            json!({ "path": "../x" }),
            "error[E1205]",
            "outside",
        ),
        (
            "related_files",
            json!({ "path": "absent.py" }),
            "error[E1001]",
            "does not exist",
        ),
        (
            "related_files",
            json!({ "path": ".env" }),
            "error[E1001]",
            "left out",
        ),
    ];
    for (tool, arguments, code, part) in cases {
        let result = server.call(tool, arguments).await;
        let text = text(&result);
        assert_eq!(result.is_error, Some(true), "{text}");
        assert!(
            text.starts_with(code) && text.contains(part) && text.len() < 600,
            "{tool}: {text}"
        );
    }
    let unknown = server
        .client
        .call_tool(request("delete_code", &json!({})))
        .await
        .unwrap_err();
    assert!(
        unknown.to_string().contains("search_code, find_definition"),
        "{unknown}"
    );
    // It goes on after all of that.
    server.ask("index_status", json!({})).await;
    server.end().await;
}

#[tokio::test]
async fn the_clients_roots_are_used_and_can_be_named() {
    let desk = Desk::new();
    let other = desk.dir.path().join("an other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("till.py"), "def open_till():\n    pass\n").unwrap();
    let roots = [
        format!("file://{}", other.display().to_string().replace(' ', "%20")),
        format!("file://{}", desk.repository().display()),
        "file:///does/not/exist".to_owned(),
    ];
    let server = desk.connect(&roots).await;
    let (_, status) = server.ask("index_status", json!({})).await;
    assert_eq!(status["roots"].as_array().unwrap().len(), 2, "{status}");
    let (text, found) = server
        .ask("find_definition", json!({ "symbol": "open_till" }))
        .await;
    assert_eq!(found["definitions"][0]["path"], "till.py");
    assert!(text.contains("name another with `root`"), "{text}");
    let (_, found) = server
        .ask(
            "find_definition",
            json!({ "symbol": "require_api_key", "root": "orderdesk" }),
        )
        .await;
    assert_eq!(found["definitions"][0]["path"], "orderdesk/auth/middleware.py");
    let absolute = desk.repository().join("orderdesk/errors.py");
    let (_, found) = server.ask("related_files", json!({ "path": absolute })).await;
    assert_eq!(found["path"], "orderdesk/errors.py");
    let refused = server
        .call("search_code", json!({ "query": "a", "root": "elsewhere" }))
        .await;
    assert!(text_of_error(&refused).contains("is not one of the workspaces"));
    server.end().await;
}

fn text_of_error(result: &CallToolResult) -> String {
    assert_eq!(result.is_error, Some(true));
    text(result)
}

#[tokio::test]
async fn a_cancelled_call_holds_nobody_up() {
    let desk = Desk::new();
    let server = desk.connect(&[]).await;
    for _ in 0..5 {
        let params = request("search_code", &json!({ "query": "orders" }));
        let call = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let handle = server
            .client
            .send_cancellable_request(call, PeerRequestOptions::default())
            .await
            .unwrap();
        handle.cancel(Some("changed my mind".to_owned())).await.unwrap();
    }
    let (_, found) = server
        .ask("search_code", json!({ "query": "orders of a day" }))
        .await;
    assert!(!found["items"].as_array().unwrap().is_empty());
    server.end().await;
}

/// What the server writes for these lines of input, and how it ends.
fn pipe(desk: &Desk, lines: &[Value]) -> (Vec<Value>, bool) {
    let mut child = desk
        .command(&desk.repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for line in lines {
        // Text is written as it is, anything else as JSON.
        let raw = line.as_str().map_or_else(|| line.to_string(), str::to_owned);
        writeln!(input, "{raw}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (messages.collect(), output.status.success())
}

#[test]
fn nothing_but_the_protocol_is_written_and_the_end_of_input_is_the_end() {
    let desk = Desk::new();
    assert_eq!(pipe(&desk, &[]), (Vec::new(), true));
    let client = json!({ "name": "t", "version": "1" });
    let begin = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client } });
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "search_code", "arguments": { "query": "orders" } } });
    let (messages, succeeded) = pipe(&desk, &[begin, ready, json!("this is no JSON"), call]);
    assert!(succeeded);
    for message in &messages {
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
    }
    let answer = |id: u64| messages.iter().find(|message| message["id"] == id).unwrap();
    assert_eq!(answer(1)["result"]["protocolVersion"], "2025-06-18");
    // The answer to what was asked before the end is still given.
    assert_eq!(answer(2)["result"]["isError"], false, "{messages:?}");
}

#[test]
fn a_root_that_is_none_is_said_at_once() {
    let desk = Desk::new();
    let output = desk.command(Path::new("/does/not/exist")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("E1201"));
    assert_eq!(output.stdout, b"");
}

#[test]
fn the_official_python_client_is_content() {
    let Some(python) = std::env::var_os("AGENTIC_IDE_MCP_PYTHON") else {
        // Said by `cargo xtask test`, which installs the client.
        return;
    };
    let desk = Desk::new();
    for mode in ["legacy", "auto"] {
        let server = desk.command(&desk.repository());
        let mut command = std::process::Command::new(&python);
        command
            .arg(root().join("tests/fixtures/mcp_client.py"))
            .arg(mode)
            .arg(server.get_program())
            .args(server.get_args())
            .env("HOME", desk.dir.path().join("home"))
            .current_dir(desk.dir.path())
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{mode}: {complaint}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (said["server"].as_str(), said["tools"].as_array().unwrap().len()),
            (Some("agentic-ide"), 5)
        );
        let modern = said["version"].as_str().unwrap() >= "2026";
        assert_eq!(modern, mode == "auto", "{said}");
        for tool in said["tools"].as_array().unwrap() {
            assert_eq!(tool["read_only"], true, "{tool}");
        }
        let answers = said["answers"].as_array().unwrap();
        let errors: Vec<bool> = answers
            .iter()
            .map(|answer| answer["error"].as_bool().unwrap())
            .collect();
        assert_eq!(
            errors,
            [false, false, false, false, false, false, true, true, true],
            "{said}"
        );
        assert_eq!(
            answers[2]["data"]["definitions"][0]["path"],
            "orderdesk/auth/middleware.py"
        );
        assert_eq!(answers[5]["data"]["state"], "ready");
        assert!(answers[7]["text"].as_str().unwrap().contains("1 to 200"));
        assert!(
            said["unknown"].as_str().unwrap().contains("no_such_tool"),
            "{said}"
        );
    }
}
