//! Tools for models: our own servers as programs, those that a repository names
//! and a person trusts, and what `doctor` says of all of them.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use mcp::{Options, Server, Source, Toolbox, Transport};
use serde_json::{Value, json};

use crate::world::{PATIENCE, SCRIPT, World, program, until};

/// The program as a server, in the world's settings.
fn server(world: &World, name: &str, arguments: &[&str]) -> Server {
    let mut command = program("agentic-ide-backend");
    let ours = world.path("tool-data").display().to_string();
    world.hermetic(&mut command);
    let env: BTreeMap<String, String> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
        .collect();
    let transport = Transport::Stdio {
        command: command.get_program().to_str().unwrap().to_owned(),
        args: ["--data-dir", &ours]
            .iter()
            .chain(arguments)
            .map(|one| (*one).to_owned())
            .collect(),
        env,
    };
    Server {
        timeout: PATIENCE,
        ..Server::new(name, transport, Source::Configuration)
    }
}

async fn open(world: &World, servers: Vec<Server>) -> Toolbox {
    let options = Options {
        start: PATIENCE,
        ..Options::default()
    };
    Toolbox::open(&world.repo(), servers, &options).await
}

/// What a tool says; of a failure, that it is one.
async fn ask(toolbox: &Toolbox, name: &str, arguments: &Value) -> String {
    let answer = toolbox.call(name, arguments.as_object().unwrap().clone()).await;
    match answer {
        Ok(answer) if answer.is_error => format!("failed: {}", answer.text),
        Ok(answer) => answer.text,
        Err(error) => format!("{}: {error}", error.code()),
    }
}

#[tokio::test]
async fn our_own_servers_are_servers_as_any_other() {
    let world = World::prepared(SCRIPT).await;
    let servers = vec![
        server(&world, "code", &["mcp"]),
        server(&world, "git", &["tool-server", "git"]),
        server(&world, "format", &["tool-server", "format"]),
    ];
    let toolbox = open(&world, servers).await;
    assert_eq!(toolbox.problems(), []);
    let names: Vec<String> = toolbox.offered(&[]).into_iter().map(|tool| tool.name).collect();
    let expect = [
        "code__find_definition",
        "code__find_references",
        "code__index_status",
        "code__related_files",
        "code__search_code",
        "git__blame",
        "git__diff",
        "git__log",
        "git__show",
        "git__status",
        "format__format",
    ];
    assert_eq!(names, expect);
    let found = ask(&toolbox, "code__find_definition", &json!({"symbol": "main"})).await;
    assert!(
        found.contains("app.py") && found.contains("def main()"),
        "{found}"
    );
    let log = ask(&toolbox, "git__log", &json!({"path": "app.py"})).await;
    assert!(log.ends_with("Pat: first\n"), "{log}");
    let out = ask(
        &toolbox,
        "git__blame",
        &json!({"path": "../x", "first_line": 1, "last_line": 1}),
    )
    .await;
    assert!(out.starts_with("failed: error[E1205]: "), "{out}");
}

/// The folders of these programs before those of PATH.
fn path_with(variable: &str) -> Option<String> {
    let Some(folder) = std::env::var_os(variable) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{variable} is not set; `cargo xtask test` does it"
        );
        return None;
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(folder.into()).chain(std::env::split_paths(&path));
    Some(std::env::join_paths(all).unwrap().into_string().unwrap())
}

#[tokio::test]
async fn a_language_server_is_asked_in_the_sandbox() {
    let Some(path) = path_with("AGENTIC_IDE_PYTHON_TOOLS") else {
        return;
    };
    let world = World::prepared(SCRIPT).await;
    world.write(
        "shop.py",
        "def total(prices: list[int]) -> int:\n    return sum(prices)\n",
    );
    world.write("use.py", "from shop import total\n\nprint(total([1]))\n");
    let mut language = server(&world, "language", &["tool-server", "language"]);
    let Transport::Stdio { env, .. } = &mut language.transport else {
        panic!("it is a program");
    };
    env.insert("PATH".to_owned(), path);
    let toolbox = open(&world, vec![language]).await;
    assert_eq!(toolbox.problems(), []);
    let before = world.read("use.py");
    let check = async |tool: &str, arguments: Value, expect: &str| {
        let told = ask(&toolbox, &format!("language__{tool}"), &arguments).await;
        assert!(told.contains(expect), "{tool}: {told}");
    };
    let nothing = "the language server finds nothing wrong";
    check("diagnostics", json!({"path": "use.py"}), nothing).await;
    let wrong = json!({"path": "use.py", "text": "from shop import total\n\ntotal(\"x\")\n"});
    check("diagnostics", wrong, "use.py:3:7: error: ").await;
    let name = json!({"path": "use.py", "line": 3, "name": "total"});
    check("hover", name.clone(), "prices: list[int]").await;
    check("definition", name.clone(), "shop.py:1: def total").await;
    check("references", name, "use.py:3: print(total([1]))").await;
    let gone = json!({"path": "use.py", "line": 3, "name": "gone"});
    check("hover", gone, "failed: error[E1902]: line 3 has no `gone`").await;
    assert_eq!(world.read("use.py"), before);
}

#[tokio::test]
async fn what_a_repository_names_runs_only_when_it_is_trusted() {
    let world = World::prepared(SCRIPT).await;
    let mark = world.path("ran");
    let name = |argument: &str| {
        let script = format!("touch {}; {argument}", mark.display());
        let servers = json!({"mcpServers": {"helper": {"command": "sh", "args": ["-c", script]}}});
        world.write(".mcp.json", &servers.to_string());
    };
    let said = |arguments: &[&str]| {
        let output = world.cli(arguments);
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap()
    };
    name("exit 3");
    let listed = said(&["trust"]);
    assert!(
        listed.starts_with("helper: not trusted\n  sh -c \"touch ") && listed.contains("exit 3"),
        "{listed}"
    );
    let doctor = said(&["doctor"]);
    assert!(
        doctor.contains("! tools: helper: E2006: ") && doctor.contains("trust --accept helper"),
        "{doctor}"
    );
    assert!(
        doctor.contains("✓ tools: git, built in (git): blame, diff, log, show, status"),
        "{doctor}"
    );
    assert!(!mark.exists(), "it ran");
    assert!(said(&["trust", "--accept", "other"]).contains("names no server `other`"));
    assert!(said(&["trust", "--accept", "helper"]).starts_with("helper: trusted\n"));
    let doctor = said(&["doctor"]);
    assert!(
        doctor.contains("! tools: helper: E2001: ") && doctor.contains("exit status: 3"),
        "{doctor}"
    );
    assert!(mark.exists(), "it did not run");
    // Another definition asks again, and so does one that is trusted no more.
    name("exit 4");
    assert!(said(&["trust"]).starts_with("helper: not trusted\n"));
    name("exit 3");
    assert!(said(&["trust"]).starts_with("helper: trusted\n"));
    assert!(said(&["trust", "--revoke", "helper"]).starts_with("helper: not trusted\n"));
}

#[tokio::test]
async fn a_wrong_configuration_of_a_server_is_named_with_its_place() {
    let world = World::prepared(SCRIPT).await;
    let file = world.path("wrong.yaml");
    fs::write(&file, "mcp_servers:\n  a:\n    comand: x\n").unwrap();
    let output = world.cli(&["--config", file.to_str().unwrap(), "trust"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("comand") && complaint.contains("line 3 column 5"),
        "{complaint}"
    );
}

/// Whether a process of this number runs.
fn runs(id: &str) -> bool {
    Path::new("/proc").join(id.trim()).join("cwd").read_link().is_ok()
}

#[tokio::test]
async fn killed_with_no_chance_to_tidy_up_it_leaves_no_server_behind() {
    let has_setpriv = Command::new("setpriv").arg("--version").output().is_ok();
    if !has_setpriv {
        // Where there is no util-linux, a server learns of it by the end of its input.
        return;
    }
    let world = World::prepared(SCRIPT).await;
    let id = world.path("id");
    let script = format!(
        "trap '' TERM HUP; echo $$ > {}; while :; do sleep 1000; done",
        id.display()
    );
    let file = world.path("stubborn.yaml");
    let servers = json!({"mcp_servers": {"stubborn": {"command": "sh", "args": ["-c", script]}}});
    fs::write(&file, servers.to_string()).unwrap();
    let mut doctor = world.backend();
    doctor
        .args(["--config", file.to_str().unwrap(), "--workspace"])
        .arg(world.repo())
        .arg("doctor");
    let mut doctor = doctor.stdout(std::process::Stdio::null()).spawn().unwrap();
    let begun = || fs::read_to_string(&id).is_ok_and(|id| id.ends_with('\n'));
    until("the server", || begun().then_some(())).await;
    let id = fs::read_to_string(&id).unwrap();
    assert!(runs(&id));
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    until("the end of the server", || (!runs(&id)).then_some(())).await;
}
