//! Clients of the Agent Client Protocol that others have written, each over every
//! transport that it has. `docs/clients.md` has the matrix.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    acp_client::{on_each_transport, wire::Transport},
    acp_schema::Conversation,
    acp_terminals::{TEST, tested},
    pictures::{self, PNG, seeing},
    questions::{QUESTION, script},
    support::root,
    world::{PATIENCE, World, until},
};

on_each_transport![the_python_sdk_goes_through_a_session];

/// What `cargo xtask test` has installed; it says which tests are left out where
/// it could not.
fn installed(variable: &str) -> Option<OsString> {
    let found = std::env::var_os(variable);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "{variable} is not set: run `cargo xtask test` where npm is"
    );
    found
}

/// An executable that is the agent, by this name.
fn agent(world: &World, name: &str) -> PathBuf {
    let mut command = world.backend();
    command.arg("acp");
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let variables: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}='{}'", name.to_str()?, value?.to_str()?)))
        .collect();
    let path = world.path(name);
    let script = format!(
        "#!/bin/sh\nexport {}\nexec {} 2>>'{}.log'\n",
        variables.join(" "),
        words.join(" "),
        path.display()
    );
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(world.path("home")).unwrap();
    path
}

fn shown(output: &Output) -> String {
    let (said, complained) = (&output.stdout, &output.stderr);
    format!(
        "{}\n{}",
        String::from_utf8_lossy(said),
        String::from_utf8_lossy(complained)
    )
}

/// The command-line client.
struct Acpx<'a> {
    world: &'a World,
    program: OsString,
    agent: PathBuf,
}

impl<'a> Acpx<'a> {
    fn new(world: &'a World) -> Option<Self> {
        let program = installed("AGENTIC_IDE_ACPX")?;
        let agent = agent(world, "agent.sh");
        Some(Self {
            world,
            program,
            agent,
        })
    }

    fn command(&self, options: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.world.hermetic(&mut command);
        // It leaves a process running between the commands of a session.
        command
            .args(["--ttl", "60"])
            .args(options)
            .arg("--cwd")
            .arg(self.world.repo());
        command.arg("--agent").arg(&self.agent).args(words);
        command
    }

    fn run(&self, options: &[&str], words: &[&str]) -> Output {
        self.command(options, words).output().unwrap()
    }

    /// Runs it to its good end; what it printed.
    fn good(&self, options: &[&str], words: &[&str]) -> String {
        let output = self.run(options, words);
        let log = self.world.path("agent.sh.log");
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(output.status.success(), "{words:?}: {}\n{log}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

async fn acpx_prompts_once(transport: Transport) {
    let world = transport.world().await;
    let Some(acpx) = Acpx::new(&world) else { return };
    let json = ["--format", "json", "--json-strict"];
    let denied = acpx.run(&[&["--deny-all"], &json[..]].concat(), &["exec", "Add greetings"]);
    let said = String::from_utf8_lossy(&denied.stdout).into_owned();
    assert!(
        said.contains("Rejected; nothing was changed"),
        "{}",
        shown(&denied)
    );
    assert!(Conversation::begin().follow(&said) > 10, "{said}");
    assert_eq!(world.commits(), 1);
    let said = acpx.good(
        &[&["--approve-all"], &json[..]].concat(),
        &["exec", "Add greetings"],
    );
    assert!(said.contains("\"stopReason\":\"end_turn\""), "{said}");
    assert!(Conversation::begin().follow(&said) > 10, "{said}");
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn acpx_prompts_once_alone() {
    acpx_prompts_once(Transport::Alone).await;
}

#[tokio::test]
async fn acpx_prompts_once_joined() {
    acpx_prompts_once(Transport::Joined).await;
}

/// It sends pictures to who says that they are seen, and to nobody else.
async fn acpx_sends_a_picture(transport: Transport) {
    let world = transport.world_with(&seeing()).await;
    let Some(acpx) = Acpx::new(&world) else { return };
    let prompt = json!([
        { "type": "text", "text": "Add greetings" },
        { "type": "image", "mimeType": "image/png", "data": PNG },
    ]);
    let options = ["--approve-all", "--format", "json", "--json-strict"];
    // As words it would be text.
    let file = world.path("prompt.json");
    fs::write(&file, prompt.to_string()).unwrap();
    let exec = ["exec", "--file", file.to_str().unwrap()];
    let said = acpx.good(&options, &exec);
    assert!(Conversation::begin().follow(&said) > 10, "{said}");
    assert_eq!(world.commits(), 2);
    assert_eq!(pictures::shown(&world.ollama.requests(), "code"), [[PNG]]);
    let blind = transport.world().await;
    let Some(acpx) = Acpx::new(&blind) else { return };
    let refused = acpx.run(&options, &exec);
    assert!(
        shown(&refused).contains("promptCapabilities.image"),
        "{}",
        shown(&refused)
    );
}

#[tokio::test]
async fn acpx_sends_a_picture_alone() {
    acpx_sends_a_picture(Transport::Alone).await;
}

#[tokio::test]
async fn acpx_sends_a_picture_joined() {
    acpx_sends_a_picture(Transport::Joined).await;
}

/// It has terminals, and runs in one what shows what the checks print.
async fn acpx_runs_terminals(transport: Transport) {
    let world = tested(transport, TEST).await;
    let Some(acpx) = Acpx::new(&world) else { return };
    let json = ["--approve-all", "--format", "json", "--json-strict"];
    let said = acpx.good(&json, &["exec", "Add greetings"]);
    assert!(Conversation::begin().follow(&said) > 10, "{said}");
    let place = |part: &str| said.find(part).unwrap_or_else(|| panic!("no {part}: {said}"));
    let order = [
        place("\"method\":\"terminal/create\""),
        place("\"type\":\"terminal\""),
        place("\"method\":\"terminal/wait_for_exit\""),
        place("{\"exitCode\":0"),
        place("\"method\":\"terminal/release\""),
    ];
    assert!(order.is_sorted(), "{order:?}: {said}");
    assert_eq!(world.commits(), 3);
}

#[tokio::test]
async fn acpx_runs_terminals_alone() {
    acpx_runs_terminals(Transport::Alone).await;
}

#[tokio::test]
async fn acpx_runs_terminals_joined() {
    acpx_runs_terminals(Transport::Joined).await;
}

async fn acpx_has_sessions(transport: Transport) {
    let world = transport.world().await;
    let Some(acpx) = Acpx::new(&world) else { return };
    let all = ["--approve-all"];
    acpx.good(&all, &["sessions", "new"]);
    // Options are the session's: this one says no, whatever the client says.
    acpx.good(&all, &["set", "review", "reject"]);
    let said = acpx.good(&all, &["prompt", "Add greetings"]);
    assert!(said.contains("Rejected; nothing was changed"), "{said}");
    assert_eq!(world.commits(), 1);
    acpx.good(&all, &["set", "review", "ask"]);
    acpx.good(&all, &["set-mode", "plan_first"]);
    acpx.good(&all, &["prompt", "Add greetings"]);
    assert_eq!(world.commits(), 2);
    // The model is stopped, and the session is there for another prompt.
    world.ollama.gate().close();
    let asked = world.ollama.requests().len();
    let mut prompt = acpx.command(&all, &["prompt", "shout it"]);
    let mut prompting = prompt
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asks = world.ollama.wait_for(|records| records.len() > asked);
    tokio::time::timeout(PATIENCE, asks).await.unwrap();
    acpx.good(&all, &["cancel"]);
    until("the prompt to end", || prompting.try_wait().unwrap()).await;
    world.ollama.gate().open();
    acpx.good(&all, &["prompt", "shout it"]);
    assert_eq!(world.commits(), 3);
    let history = acpx.good(&all, &["sessions", "history"]);
    assert!(history.contains("Add greetings"), "{history}");
    if transport == Transport::Joined {
        // It asks through another program, and one that is the backend itself has
        // the data folder alone.
        let listed = acpx.good(&["--approve-all", "--format", "json"], &["sessions", "list"]);
        assert!(listed.contains("Add greetings"), "{listed}");
    }
    acpx.good(&all, &["sessions", "close"]);
}

#[tokio::test]
async fn acpx_has_sessions_alone() {
    acpx_has_sessions(Transport::Alone).await;
}

#[tokio::test]
async fn acpx_has_sessions_joined() {
    acpx_has_sessions(Transport::Joined).await;
}

/// Runs one of the example clients of the protocol's SDK, which says "Hello" and
/// accepts; what it printed.
fn example(world: &World, name: &str, variables: &[(&str, &str)], path: Option<&Path>) -> Option<String> {
    let folder = PathBuf::from(installed("AGENTIC_IDE_ACP_EXAMPLES")?);
    fs::create_dir_all(world.path("home")).unwrap();
    let mut command = Command::new("node");
    world
        .hermetic(&mut command)
        .arg(folder.join(name))
        .current_dir(world.repo());
    if let Some(path) = path {
        let rest = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{rest}", path.display()));
    }
    command.envs(variables.iter().copied());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first of the options that it prints.
    child.stdin.take().unwrap().write_all(b"1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    Some(shown(&output))
}

#[tokio::test]
async fn the_example_client_for_websockets_gets_to_a_commit() {
    let world = World::new().await;
    let url = format!("{}/acp", world.url().replace("http", "ws"));
    let Some(said) = example(&world, "ws-client.js", &[("ACP_WS_URL", &url)], None) else {
        return;
    };
    assert!(
        said.contains("Done: end_turn") && said.contains("loadSession=true"),
        "{said}"
    );
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn the_example_client_for_http_gets_to_a_commit() {
    let world = World::new().await;
    let url = format!("{}/acp", world.url());
    let Some(said) = example(&world, "http-client.js", &[("ACP_HTTP_URL", &url)], None) else {
        return;
    };
    assert!(
        said.contains("Done: end_turn") && said.contains("loadSession=true"),
        "{said}"
    );
    assert_eq!(world.commits(), 2);
}

async fn the_example_client_for_standard_input_gets_to_a_commit(transport: Transport) {
    let world = transport.world().await;
    // It starts its agent through this name.
    let npx = agent(&world, "programs/npx");
    let Some(said) = example(&world, "client.js", &[], npx.parent()) else {
        return;
    };
    assert!(said.contains("Agent completed with: end_turn"), "{said}");
    assert_eq!(world.commits(), 2, "{said}");
}

#[tokio::test]
async fn the_example_client_for_standard_input_gets_to_a_commit_alone() {
    the_example_client_for_standard_input_gets_to_a_commit(Transport::Alone).await;
}

#[tokio::test]
async fn the_example_client_for_standard_input_gets_to_a_commit_joined() {
    the_example_client_for_standard_input_gets_to_a_commit(Transport::Joined).await;
}

/// What the client of `tests/fixtures/acp_client.py` has seen.
fn python(world: &World, transport: Transport) -> Option<Value> {
    let python = installed("AGENTIC_IDE_ACP_PYTHON")?;
    let mut command = Command::new(python);
    world
        .hermetic(&mut command)
        .arg(root().join("tests/fixtures/acp_client.py"))
        .arg(world.repo());
    let url = || format!("{}/acp", world.url());
    match transport {
        Transport::Alone | Transport::Joined => command.arg("stdio").arg(agent(world, "agent.sh")),
        Transport::Socket => command.args(["websocket", &url().replace("http", "ws")]),
        Transport::Http => command.args(["http", &url()]),
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// A model of the protocol that is neither the SDK's of Rust nor that of TypeScript.
async fn the_python_sdk_goes_through_a_session(transport: Transport) {
    let world = transport.world_with(&script()).await;
    let Some(mut seen) = python(&world, transport) else {
        return;
    };
    let said = |turn: &mut Value| turn["said"].take().as_str().unwrap().to_owned();
    let files = ["app.py", "greeting.py"];
    let kinds = [
        "allow_once",
        "allow_always",
        "reject_once",
        "reject_always",
        "reject_once",
    ];
    let turn = |stop: &str, files: &[&str], questions: Value| {
        json!({
            "stop": stop, "said": null, "questions": questions,
            "reviews": [{ "files": files, "choices": kinds }],
        })
    };
    let asked = json!([{ "message": QUESTION, "fields": ["feedback"] }]);
    let mut told = vec![
        (said(&mut seen["refused"]), "Rejected; nothing was changed."),
        (said(&mut seen["accepted"]), "Committed "),
        (said(&mut seen["cancelled"]), "HELLO"),
        (said(&mut seen["again"]), "Committed "),
    ];
    // Over HTTP the SDK does not listen to a session that it loads.
    if transport != Transport::Http {
        let mut loaded = seen.as_object_mut().unwrap().remove("loaded").unwrap();
        told.push((said(&mut loaded), "Rejected; nothing was changed."));
        let kinds = loaded["kinds"].as_array().unwrap();
        for kind in [
            "user_message_chunk",
            "agent_message_chunk",
            "plan",
            "tool_call",
            "tool_call_update",
        ] {
            assert!(kinds.contains(&json!(kind)), "{kind}: {kinds:?}");
        }
    }
    for (said, part) in &told {
        assert!(said.contains(part), "{part}: {told:#?}");
    }
    assert_eq!(
        seen,
        json!({
            "agent": [1, "agentic-ide"],
            "modes": ["feature_implementation", "modules", "plan_first", "tests"],
            "options": ["mode", "model", "thought_level", "retrieval", "review"],
            "set": ["tests", "high"],
            "refused": turn("end_turn", &files, asked.clone()),
            "accepted": turn("end_turn", &files, asked.clone()),
            "written": { "app.py": "from greeting import greet\n\n\ndef main():\n    print(greet(\"world\"))\n" },
            "cancelled": turn("cancelled", &files[1..], asked.clone()),
            "listed": [true],
            "again": turn("end_turn", &files[1..], asked),
        })
    );
    assert_eq!(world.commits(), 3);
}
