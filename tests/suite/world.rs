//! A world of its own for each test: a repository with history, a scripted
//! model server, and the real backend as a process that can be killed.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use futures::StreamExt as _;
use scripted_ollama::ScriptedOllama;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// Longest wait for anything: a hang must fail, not time out CI.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A plan that asks for no tests, and code for two files.
pub const SCRIPT: &str = r#"
models:
  - name: mistral:7b-instruct-v0.3-q4_K_M
rules:
  - name: plan
    match: { endpoint: chat, format: present }
    respond:
      json:
        summary: Add greetings
        steps: ["write greet"]
        files: ["app.py"]
        stages: [{stage: test_generation, run: false, reason: "trivial"}]
  - name: code again
    match: { endpoint: chat, contains: "shout it" }
    respond:
      text: |
        greeting.py
        ```python
        def greet(name):
            return f"HELLO, {name}!"
        ```
  - name: code
    match: { endpoint: chat }
    respond:
      text: |
        Two files.

        greeting.py
        ```python
        def greet(name):
            return f"Hello, {name}!"
        ```

        app.py
        ```python
        from greeting import greet


        def main():
            print(greet("world"))
        ```
"#;

/// Everything one test needs.
pub struct World {
    dir: TempDir,
    pub ollama: ScriptedOllama,
    backend: Option<Child>,
    url: String,
    ollama_url: String,
    qdrant_url: String,
    extra: Vec<String>,
    /// Command that the backend is started through, if any.
    through: Vec<String>,
    /// Who puts questions to the search: rules, so that a script needs no rule
    /// for that, unless the test is about it.
    agentic: (&'static str, u32),
    http: reqwest::Client,
}

/// The directory of the programs under test.
pub fn programs() -> PathBuf {
    if let Some(dir) = std::env::var_os("AGENTIC_IDE_BIN_DIR") {
        return dir.into();
    }
    let exe = std::env::current_exe().unwrap();
    exe.parent().unwrap().parent().unwrap().to_owned()
}

/// A program under test.
pub fn program(name: &str) -> Command {
    let path = programs().join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo xtask test`",
        path.display()
    );
    Command::new(path)
}

impl World {
    /// A world with the usual script.
    pub async fn new() -> Self {
        Self::with(SCRIPT).await
    }

    /// A world whose model answers from `script`.
    pub async fn with(script: &str) -> Self {
        let mut world = Self::prepared(script).await;
        world.start().await;
        world
    }

    /// A world whose backend is not started.
    pub async fn prepared(script: &str) -> Self {
        let ollama = ScriptedOllama::builder()
            .script(script)
            .tokens_per_second(0.0)
            .start()
            .await
            .unwrap();
        let dir = TempDir::new().unwrap();
        let world = Self {
            dir,
            ollama_url: ollama.url(),
            // Nothing listens there: tests of the vector database name their own.
            qdrant_url: "http://127.0.0.1:9".to_owned(),
            ollama,
            backend: None,
            url: String::new(),
            extra: Vec::new(),
            through: Vec::new(),
            agentic: ("rules", 60_000),
            http: client(),
        };
        world.make_repository();
        world
    }

    fn make_repository(&self) {
        fs::create_dir_all(self.repo()).unwrap();
        fs::write(
            self.path("gitconfig"),
            "[user]\n\tname = Pat\n\temail = pat@example.com\n",
        )
        .unwrap();
        self.git(&["-c", "init.defaultBranch=main", "init", "-q"]);
        self.write("app.py", "def main():\n    print(\"hello\")\n");
        self.write("README.md", "# App\n");
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", "first"]);
    }

    /// A path inside the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits until the model was asked what this rule of the script answers.
    pub async fn until_asked(&self, rule: &str) {
        let is_asked = |record: &scripted_ollama::Record| record.rule.as_deref() == Some(rule);
        self.ollama.wait_for(|records| records.iter().any(is_asked)).await;
    }

    /// The workspace.
    pub fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    /// Writes a file of the workspace.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.repo().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file of the workspace.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.repo().join(path)).unwrap()
    }

    /// Keeps the person's settings out of what `command` does.
    pub fn hermetic<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_GLOBAL", self.path("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_STATE_HOME")
            .stdin(Stdio::null())
    }

    /// What git prints in the workspace.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        let output = self
            .hermetic(command.args(arguments).current_dir(self.repo()))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Commits on the current branch.
    pub fn commits(&self) -> usize {
        self.git(&["rev-list", "--count", "HEAD"]).parse().unwrap()
    }

    /// The backend's program with this world's settings.
    pub fn backend(&self) -> Command {
        let program = program("agentic-ide-backend");
        let mut command = match self.through.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program.get_program());
                command
            }
            None => program,
        };
        self.hermetic(&mut command)
            .arg("--data-dir")
            .arg(self.path("data"))
            .args(["--ollama-url", &self.ollama_url])
            .args(["--qdrant-url", &self.qdrant_url])
            .args(&self.extra)
            // What the test's machine has is no part of a test.
            .env("AGENTIC_IDE_MEMORY__GPU", "none")
            .env("AGENTIC_IDE_MEMORY__ROOT", self.path("machine"))
            .env("AGENTIC_IDE_RETRIEVAL__AGENTIC", self.agentic.0)
            .env(
                "AGENTIC_IDE_RETRIEVAL__AGENTIC_WAIT_MS",
                self.agentic.1.to_string(),
            );
        command
    }

    /// Starts the backend and waits until it listens.
    pub async fn start(&mut self) {
        assert!(self.try_start(&[]).await, "the backend ended: {}", self.log());
    }

    /// Starts the backend with these variables; whether it lived until it
    /// listened.
    pub async fn try_start(&mut self, variables: &[(&str, &str)]) -> bool {
        let port_file = self.path("port");
        let _none = fs::remove_file(&port_file);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("backend.log"))
            .unwrap();
        let mut command = self.backend();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--port-file"])
            .arg(&port_file)
            .envs(variables.iter().copied());
        let child = command.stderr(log).stdout(Stdio::null()).spawn().unwrap();
        self.backend = Some(child);
        let child = self.backend.as_mut().unwrap();
        let address = until("the backend to listen", || {
            if child.try_wait().unwrap().is_some() {
                return Some(None);
            }
            fs::read_to_string(&port_file).ok().map(Some)
        });
        match address.await {
            Some(address) => self.url = format!("http://{address}"),
            None => return false,
        }
        true
    }

    /// Whether the backend has died by itself.
    pub fn has_ended(&mut self) -> bool {
        self.backend
            .as_mut()
            .is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.backend.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Leaves the backend that runs to the caller.
    pub fn abandon(&mut self) -> Child {
        self.backend.take().unwrap()
    }

    /// Status of a POST to another backend; none where it ended before it
    /// answered.
    pub async fn post_to(&self, url: &str, path: &str, body: &Value) -> Option<u16> {
        let request = self.http.post(format!("{url}{path}")).body(body.to_string());
        Some(request.send().await.ok()?.status().as_u16())
    }

    /// Kills the backend and starts it again.
    pub async fn restart(&mut self) {
        self.kill();
        self.start().await;
    }

    /// SIGTERM; the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let mut child = self.backend.take().unwrap();
        child.wait().unwrap().code()
    }

    /// The process of the backend.
    pub fn pid(&self) -> u32 {
        self.backend.as_ref().unwrap().id()
    }

    /// Sends a signal to the backend.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// What the backend has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("backend.log")).unwrap()
    }

    /// Base URL of the backend.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Status and body of a GET.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(format!("{}{path}", self.url))).await
    }

    /// The same, of a backend that may die; none if it did.
    pub async fn try_get(&self, path: &str) -> Option<(u16, Value)> {
        try_answer(self.http.get(format!("{}{path}", self.url)))
            .await
            .ok()
    }

    /// Status and body of a POST of raw text.
    pub async fn post_text(&self, path: &str, body: impl Into<String>) -> (u16, Value) {
        answer(self.http.post(format!("{}{path}", self.url)).body(body.into())).await
    }

    /// Status and body of a POST.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, body.to_string()).await
    }

    /// The same, of a backend that may die; none if it did.
    pub async fn try_post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.url));
        try_answer(request.body(body.to_string())).await.ok()
    }

    /// The body of a submit.
    pub fn request(&self, query: &str) -> Value {
        json!({
            "workflow_type": "feature_implementation", "user_query": query,
            "correlation_id": "req_1", "workspace": self.repo(),
        })
    }

    /// Submits; the workflow's id.
    pub async fn submit(&self, query: &str) -> String {
        let (status, body) = self.post("/api/workflow/submit", &self.request(query)).await;
        assert_eq!(status, 202, "{body}");
        body["workflow_id"].as_str().unwrap().to_owned()
    }

    /// Decides; the status.
    pub async fn decide(&self, id: &str, decision: &Value) -> u16 {
        self.post(&format!("/api/workflow/{id}/decision"), decision)
            .await
            .0
    }

    /// Events over a WebSocket after `after`, up to the first that `until`
    /// accepts, or to the end of the stream.
    pub async fn events(
        &self,
        id: &str,
        after: u64,
        mode: &str,
        until: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let events = self.try_events(id, after, mode, until).await;
        events.expect("the stream is whole")
    }

    /// The same, of a backend that may die; none if the stream broke off.
    pub async fn try_events(
        &self,
        id: &str,
        after: u64,
        mode: &str,
        until: impl Fn(&Value) -> bool,
    ) -> Option<Vec<Value>> {
        let url = self.url.replace("http", "ws");
        let url = format!("{url}/api/workflow/{id}/stream?after={after}&mode={mode}");
        let mut events = Vec::new();
        let reading = async {
            let (mut socket, _) = connect_async(url).await.ok()?;
            while let Some(message) = socket.next().await {
                if let Message::Text(text) = message.ok()? {
                    let event: Value = serde_json::from_str(&text).unwrap();
                    let last = until(&event);
                    events.push(event);
                    if last {
                        break;
                    }
                }
            }
            Some(())
        };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        let Ok(whole) = read else {
            panic!("no such event; {}", brief(&events).join("\n"));
        };
        whole.map(|()| events)
    }

    /// Events up to the question.
    pub async fn to_review(&self, id: &str) -> Vec<Value> {
        let events = self
            .events(id, 0, "full", |event| {
                event["type"] == "decision_needed" || is_end(event)
            })
            .await;
        assert_eq!(
            events.last().unwrap()["type"],
            "decision_needed",
            "{}",
            brief(&events).join("\n")
        );
        events
    }

    /// All events, to the end.
    pub async fn to_end(&self, id: &str) -> Vec<Value> {
        self.events(id, 0, "full", is_end).await
    }

    /// Accepts the proposal; all events.
    pub async fn accept(&self, id: &str) -> Vec<Value> {
        self.to_review(id).await;
        assert_eq!(self.decide(id, &json!({ "decision": "accept" })).await, 204);
        self.to_end(id).await
    }

    /// Runs the backend's program to its end.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.backend()
            .arg("--workspace")
            .arg(self.repo())
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Points later starts at another model server.
    pub fn use_ollama(&mut self, url: &str) {
        url.clone_into(&mut self.ollama_url);
    }

    /// Points later starts at a vector database.
    pub fn use_qdrant(&mut self, url: &str) {
        url.clone_into(&mut self.qdrant_url);
    }

    /// Who puts questions to the search in every later start, and the longest
    /// wait for a model's.
    pub fn ask_for_questions(&mut self, agentic: &'static str, wait_ms: u32) {
        self.agentic = (agentic, wait_ms);
    }

    /// Starts the backend through this command from now on; it becomes the
    /// backend's process.
    pub fn start_through(&mut self, command: &[String]) {
        self.through = command.to_vec();
    }

    /// Further arguments of every later start.
    pub fn argue(&mut self, arguments: &[&str]) {
        self.extra
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(child) = &mut self.backend {
            // It may be gone already.
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

fn client() -> reqwest::Client {
    // A refused body leaves a connection that the server closes at once; a new
    // one for each request keeps that out of the next.
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    try_answer(request).await.unwrap()
}

async fn try_answer(request: reqwest::RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

/// Waits until `probe` has something.
pub async fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            match probe() {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Whether nothing follows.
pub fn is_end(event: &Value) -> bool {
    let state = event["state"].as_str().unwrap_or_default();
    event["type"] == "failed"
        || event["type"] == "workflow_state" && matches!(state, "completed" | "rejected" | "cancelled")
}

/// Types of events, stages with them, streaming folded into one word.
pub fn brief(events: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in events {
        let kind = event["type"].as_str().unwrap();
        let line = match kind {
            "agent_streaming_update" => format!("text {}", event["stage_id"].as_str().unwrap()),
            "stage_started" => format!(
                "start {} {}",
                event["stage_id"].as_str().unwrap(),
                event["attempt"]
            ),
            "stage_finished" => {
                format!(
                    "{} {}",
                    event["outcome"].as_str().unwrap(),
                    event["stage_id"].as_str().unwrap()
                )
            }
            "check_result" => format!("check {}", event["name"].as_str().unwrap()),
            "workflow_state" => event["state"].as_str().unwrap().to_owned(),
            "notice" => format!("notice {}", event["code"].as_str().unwrap_or("-")),
            "failed" => format!("failed {}", event["code"].as_str().unwrap()),
            _ => kind.to_owned(),
        };
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Waits until a workflow has this state.
pub async fn until_status(world: &World, id: &str, state: &str) {
    let waiting = async {
        while world.get(&format!("/api/workflow/{id}")).await.1["state"] != state {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "never {state}: {id}"
    );
}

/// Compares events one by one, so that a failure shows the first that differs.
pub fn assert_same(got: &[Value], expect: &[Value], what: &str) {
    for (got, expect) in got.iter().zip(expect) {
        assert_eq!(got, expect, "{what}");
    }
    assert_eq!(brief(got), brief(expect), "{what}");
}
