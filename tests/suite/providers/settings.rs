//! What can be configured of models: keys, pools, roles, known answers, and all
//! that the document shows.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use scripted_ollama::ScriptedOllama;
use serde_json::{Value, json};

use super::{CONFIG, answers, calls, proposal, script, submit, world};
use crate::{support::root, world::World};

#[tokio::test]
async fn a_key_is_written_nowhere() {
    let key = "sk-0123456789abcdefghij";
    let refused = json!({ "keys": { "openai": "sk-another" } });
    let mut script: Value = serde_json::from_str(&script(Vec::new())).unwrap();
    script["keys"] = refused["keys"].clone();
    let config = CONFIG
        .replace("default: [local, other]", "default: [other, local]")
        .replace("model: gpt-other", "model: gpt-other\n    key_file: KEY");
    let mut world = World::prepared(&script.to_string()).await;
    let key_file = world.path("key");
    fs::write(&key_file, format!("{key}\n")).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let config = config.replace("SERVER", &world.ollama.url());
    world.configure(config.replace("KEY", key_file.to_str().unwrap()));
    assert!(
        world.try_start(&[("AGENTIC_IDE_LOG", "trace")]).await,
        "{}",
        world.log()
    );
    let id = submit(&world, "case:0.").await;
    let events = world.accept(&id).await;
    assert_eq!(
        calls(&events, "planning", "orchestrator"),
        ["other next_provider", "local answered"],
    );
    let (_, metrics) = world.get("/debug/metrics").await;
    let doctor = world.cli(&["doctor"]);
    let said = format!("{events:?} {metrics} {} {doctor:?}", world.log());
    assert!(said.contains("E1411") && !said.contains(key), "a key is told");
    assert!(
        world
            .ollama
            .requests()
            .iter()
            .any(|record| record.path == "/v1/chat/completions")
    );
    world.terminate();
    for (path, bytes) in files(&world.path("data")) {
        let found = bytes.windows(key.len()).any(|part| part == key.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

/// The files of a folder with their bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![(path.clone(), fs::read(&path).unwrap_or_default())],
        })
        .collect()
}

/// The configurations of the document can be used: the answers come from who
/// they say, at a server that is the scripted one.
#[tokio::test]
async fn the_configurations_of_the_document_work() {
    let document = fs::read_to_string(root().join("docs/models.md")).unwrap();
    let blocks = document.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let whole: Vec<&str> = blocks.filter(|block| block.starts_with("providers:")).collect();
    let first = [
        "local answered",
        "local answered",
        "cpp answered",
        "claude answered",
    ];
    assert_eq!(whole.len(), first.len(), "{whole:#?}");
    let models = [
        "qwen2.5-coder:7b",
        "llama-3.3-70b-versatile",
        "local",
        "claude-sonnet-4-5",
        "gemini-2.5-flash",
    ];
    let mut answers: Value = serde_json::from_str(&script(Vec::new())).unwrap();
    let models = models.map(|name| json!({ "name": name }));
    answers["models"] = json!(models);
    for (block, expect) in whole.into_iter().zip(first) {
        let mut world = World::prepared(&answers.to_string()).await;
        let server = world.ollama.url();
        fs::write(world.path("key"), "sk-1").unwrap();
        fs::set_permissions(world.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
        let config = block
            .replace("http://127.0.0.1:11434", &server)
            .replace("http://127.0.0.1:8080/v1", &format!("{server}/v1"))
            .replace("https://api.groq.com/openai/v1", &format!("{server}/v1"))
            .replace("kind: anthropic,", &format!("kind: anthropic, url: {server}/v1,"))
            .replace("kind: gemini,", &format!("kind: gemini, url: {server}/v1beta,"))
            .replace("/etc/keys/gemini", world.path("key").to_str().unwrap());
        world.configure(config);
        let keys = [("GROQ_API_KEY", "gsk-1"), ("ANTHROPIC_API_KEY", "sk-ant-1")];
        assert!(world.try_start(&keys).await, "{block}: {}", world.log());
        let id = submit(&world, "case:0.").await;
        let events = world.to_review(&id).await;
        assert_eq!(calls(&events, "code_generation", "code"), [expect], "{block}");
        assert_eq!(world.ollama.script_errors(), Vec::<String>::new(), "{block}");
    }
}

const PARTS: &str = "
name: parts
version: 1
stages:
  - {id: retrieval, kind: retrieval, cache: true}
  - {id: planning, kind: planning, cache: true}
  - {id: code_generation, kind: code_generation, role: backend_expert, cache: true}
  - {id: test_generation, kind: test_generation, optional: true}
  - {id: checks, kind: checks}
  - {id: review, kind: review, on_modify: planning}
  - {id: apply, kind: apply}
";

#[tokio::test]
async fn a_stage_names_its_role_and_takes_what_is_known() {
    let config = CONFIG.replace("roles:", "roles:\n  backend_expert: [other]");
    let mut world = world(&script(Vec::new()), None, &config).await;
    fs::create_dir_all(world.path("workflows")).unwrap();
    fs::write(world.path("workflows/parts.yaml"), PARTS).unwrap();
    let folder = world.path("workflows");
    world.argue(&["--workflows-dir", folder.to_str().unwrap()]);
    world.restart().await;
    let submit = async |world: &World, id: &str| {
        let mut request = world.request("Greet people.");
        request["workflow_type"] = json!("parts");
        request["correlation_id"] = json!(id);
        let (status, body) = world.post("/api/workflow/submit", &request).await;
        assert_eq!(status, 202, "{body}");
        let id = body["workflow_id"].as_str().unwrap().to_owned();
        let events = world.to_review(&id).await;
        (proposal(world, &id).await, events)
    };
    let told = |events: &[Value]| {
        [
            calls(events, "retrieval", "orchestrator"),
            calls(events, "planning", "orchestrator"),
            calls(events, "code_generation", "backend_expert"),
        ]
        .concat()
    };
    let (first, events) = submit(&world, "first").await;
    assert_eq!(
        told(&events),
        ["local answered", "local answered", "other answered"]
    );
    // Tests are asked for each time.
    let asked = |world: &World| {
        let records = world.ollama.requests();
        let mut questions: Vec<String> = records
            .iter()
            .map(|it| it.last_message("user").to_owned())
            .collect();
        questions.retain(|it| it.contains("# Your task: ") && !it.contains("# Your task: write tests"));
        questions.len()
    };
    let before = asked(&world);
    // Another process knows what this one was told.
    world.restart().await;
    let (second, events) = submit(&world, "second").await;
    assert_eq!(
        told(&events),
        ["local from_cache", "local from_cache", "other from_cache"]
    );
    assert_eq!(first, second);
    assert_eq!((before, asked(&world)), (3, 3));
}

#[tokio::test]
async fn a_change_of_models_is_told_with_its_cost() {
    let config = CONFIG
        .replace("roles:", "roles:\n  tests: [second]")
        .replace("load_ms: 100", "load_ms: 60000")
        .replace(
            "providers:",
            "providers:\n  second: { kind: ollama, url: SERVER, model: 'big:70b', num_ctx: 16384 }",
        );
    let mut script: Value = serde_json::from_str(&script(Vec::new())).unwrap();
    let models = script["models"].as_array_mut().unwrap();
    models.push(json!({ "name": "big:70b", "load_ms": 1100 }));
    let world = world(&script.to_string(), None, &config).await;
    let id = submit(&world, "case:0.").await;
    let events = world.to_review(&id).await;
    let told = |event: &&Value| {
        event["message"]
            .as_str()
            .is_some_and(|it| it.contains("had to be loaded"))
    };
    let notices: Vec<&str> = events
        .iter()
        .filter(told)
        .filter_map(|it| it["message"].as_str())
        .collect();
    let [notice] = notices[..] else {
        panic!("{notices:?}");
    };
    assert!(
        notice.starts_with("big:70b had to be loaded first, which took 11"),
        "{notice}"
    );
}

#[tokio::test]
async fn a_pool_of_hosts_loses_one() {
    let host = async || {
        let host = ScriptedOllama::builder().script(script(Vec::new())).start();
        host.await.unwrap()
    };
    let mut hosts = [host().await, host().await];
    let urls = format!("urls: [\"{}\", \"{}\"]", hosts[0].url(), hosts[1].url());
    let config = CONFIG.replacen("url: SERVER", &urls, 1);
    let world = world(&script(Vec::new()), None, &config).await;
    let id = submit(&world, "case:0.").await;
    world.to_review(&id).await;
    let answered = |host: &ScriptedOllama| {
        let records = host.requests();
        records.iter().filter(|record| record.tokens_sent > 0).count()
    };
    // All questions of a workflow go to the host that has its beginning warm.
    let counts = hosts.each_ref().map(answered);
    let lost = usize::from(counts[0] == 0);
    assert_eq!((counts[lost], counts[1 - lost]), (answers().len(), 0));
    hosts[lost].abort();
    let id = submit(&world, "case:1.").await;
    world.to_review(&id).await;
    // The search did without the question that the lost host was asked.
    assert_eq!(answered(&hosts[1 - lost]), answers().len() - 1);
}
