//! The entry in the registry of agents: the registry's rules, and its handshake.

use std::{fs, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::{
    schema::read_json,
    support::root,
    world::{PATIENCE, program},
};

/// The entry's id, and the name of its folder.
const ID: &str = "agentic-ide";

const PLATFORMS: [&str; 6] = [
    "darwin-aarch64",
    "darwin-x86_64",
    "linux-aarch64",
    "linux-x86_64",
    "windows-aarch64",
    "windows-x86_64",
];

const ARCHIVES: [&str; 5] = [".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2"];

fn entry() -> Value {
    read_json(&root().join("registry").join(ID).join("agent.json"))
}

/// What is wrong with an entry.
fn faults(entry: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    must(text("id") == ID, "the id is that of the folder");
    for key in ["name", "description", "license"] {
        must(!text(key).is_empty(), key);
    }
    let version = text("version");
    let numbers = version.split('.').filter(|part| part.parse::<u32>().is_ok());
    must(numbers.count() == 3, "the version is three numbers");
    must(
        version == env!("CARGO_PKG_VERSION"),
        "the version is that of the workspace",
    );
    let kinds = entry["distribution"].as_object();
    must(
        kinds.is_some_and(|kinds| kinds.keys().eq(["binary"])),
        "it is distributed as a program",
    );
    let none = serde_json::Map::new();
    let targets = entry["distribution"]["binary"].as_object().unwrap_or(&none);
    must(!targets.is_empty(), "there is a target");
    for (platform, target) in targets {
        must(
            PLATFORMS.contains(&platform.as_str()),
            "the platform is one of six",
        );
        let known = ["archive", "sha256", "cmd", "args", "env"];
        let keys = target.as_object().unwrap_or(&none);
        must(
            keys.keys().all(|key| known.contains(&key.as_str())),
            "a target says what is known",
        );
        let archive = target["archive"].as_str().unwrap_or_default();
        must(archive.starts_with("https://"), "the archive is fetched safely");
        must(
            archive.contains(&format!("/v{version}/")),
            "the archive has the version",
        );
        must(archive.contains(platform), "the archive is for the platform");
        must(
            ARCHIVES.iter().any(|kind| archive.ends_with(kind)),
            "the archive can be unpacked",
        );
        must(
            target["cmd"] == "./agentic-ide-backend",
            "the program is the backend's",
        );
        must(
            target["args"] == json!(["acp"]),
            "it is started to speak the protocol",
        );
    }
    faults
}

#[test]
fn the_entry_is_as_the_registry_wants_it() {
    assert_eq!(faults(&entry()), Vec::<String>::new());
    // And the rules are rules.
    let check = |pointer: &str, wrong: Value, fault: &str| {
        let mut entry = entry();
        *entry.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(faults(&entry), [fault], "{pointer}");
    };
    check("/id", json!("other"), "the id is that of the folder");
    check("/name", json!(""), "name");
    let target = "/distribution/binary/linux-x86_64";
    let archive = format!("{target}/archive");
    let latest = "https://h.example/latest/a-linux-x86_64.zip";
    check(&archive, json!(latest), "the archive has the version");
    let version = env!("CARGO_PKG_VERSION");
    let package = format!("https://h.example/v{version}/a-linux-x86_64.deb");
    check(&archive, json!(package), "the archive can be unpacked");
    check(
        &format!("{target}/args"),
        json!([]),
        "it is started to speak the protocol",
    );
}

/// Values of an attribute, wherever it is.
fn values<'a>(svg: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    let after = svg.split(&begin).skip(1);
    after.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_icon_is_of_one_colour_and_small() {
    let svg = fs::read_to_string(root().join("registry").join(ID).join("icon.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(
        (values(&svg, "width"), values(&svg, "height")),
        (vec!["16"], vec!["16"])
    );
    assert_eq!(values(&svg, "viewBox"), ["0 0 16 16"]);
    let colours = [values(&svg, "fill"), values(&svg, "stroke")].concat();
    assert!(colours.contains(&"currentColor"), "{colours:?}");
    assert!(
        colours
            .iter()
            .all(|colour| ["currentColor", "none"].contains(colour)),
        "{colours:?}"
    );
    for wrong in ["<!--", "<style", " style=", "#", "rgb("] {
        assert!(!svg.contains(wrong), "{wrong}");
    }
}

/// As the registry does before it takes an entry, and each night.
#[tokio::test]
async fn in_an_empty_home_without_settings_it_says_how_to_sign_in() {
    let home = TempDir::new().unwrap();
    let entry = entry();
    let arguments = entry["distribution"]["binary"]["linux-x86_64"]["args"]
        .as_array()
        .unwrap();
    let mut command = program("agentic-ide-backend");
    command
        .args(arguments.iter().map(|argument| argument.as_str().unwrap()))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("TERM", "dumb")
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": 1,
        "clientInfo": { "name": "registry", "version": "1.0.0" },
        "clientCapabilities": {
            "terminal": true,
            "fs": { "readTextFile": true, "writeTextFile": true },
            "_meta": { "terminal_output": true, "terminal-auth": true },
        },
    } });
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(format!("{initialize}\n").as_bytes())
        .await
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The first line must be the answer: whoever checks reads no other.
    let first = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    let first = first.expect("an answer").unwrap().expect("it has not ended");
    let answer: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(
        (&answer["id"], &answer["error"]),
        (&json!(1), &Value::Null),
        "{answer}"
    );
    let result = &answer["result"];
    assert_eq!(result["protocolVersion"], 1, "{answer}");
    assert_eq!(result["agentInfo"]["version"], entry["version"], "{answer}");
    let methods = result["authMethods"].as_array().unwrap();
    let is_agents = |method: &&Value| {
        let plain = method["_meta"].is_null();
        plain && (method["type"].is_null() || method["type"] == "agent")
    };
    assert!(methods.iter().any(|method| is_agents(&method)), "{answer}");
    // It ends when its client does.
    drop(input);
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
    assert!(ended.expect("it ends").unwrap().success());
}
