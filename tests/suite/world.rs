//! A world of its own for each test: a repository with history, a scripted
//! model server, and the real backend as a process that can be killed.

mod events;
mod script;

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

pub use events::{assert_same, brief, is_end, last};
pub use script::{SCRIPT, beginning, of};
use scripted_ollama::ScriptedOllama;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for anything: a hang must fail, not time out CI.
pub const PATIENCE: Duration = Duration::from_secs(120);

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

    /// What every later start is configured with.
    pub fn configure(&mut self, config: impl AsRef<[u8]>) {
        let path = self.path("backend.yaml");
        fs::write(&path, config).unwrap();
        self.argue(&["--config", path.to_str().unwrap()]);
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
