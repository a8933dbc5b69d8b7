//! The memory that models run in, as the backend tells it: from a GPU's own
//! program, from the kernel's files, and from the model server.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path};

use proto::v1::{self, server_service_client::ServerServiceClient};
use scripted_ollama::ScriptedOllama;
use serde_json::{Value, json};

use crate::world::{PATIENCE, SCRIPT, World, brief, until};

const MODEL: &str = "mistral:7b-instruct-v0.3-q4_K_M";

/// What the GPU's program prints now. The program prints what is in a file.
fn gpu_says(world: &World, used_mb: u64) {
    let folder = world.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let (program, half) = (folder.join("nvidia-smi"), folder.join("half"));
    let numbers = folder.join("numbers");
    fs::write(&half, format!("NVIDIA GeForce RTX 4060 Ti, 16000, {used_mb}\n")).unwrap();
    fs::rename(&half, &numbers).unwrap();
    if !program.exists() {
        let script = format!("#!/bin/sh\ncat '{}'\n", numbers.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Starts the backend on a machine with this GPU.
async fn start_with_gpu(world: &mut World, used_mb: u64) {
    gpu_says(world, used_mb);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", world.path("bin").display());
    let variables = [
        ("PATH", path.as_str()),
        ("AGENTIC_IDE_MEMORY__GPU", "nvidia-smi"),
        ("AGENTIC_IDE_MEMORY__LOOK_MS", "10"),
    ];
    assert!(world.try_start(&variables).await, "{}", world.log());
}

/// The files of a machine with so much main memory.
fn main_memory(root: &Path, total_mb: u64, available_mb: u64) {
    fs::create_dir_all(root.join("proc")).unwrap();
    let kib = |mb: u64| mb * 1024;
    let text = format!(
        "MemTotal: {} kB\nMemAvailable: {} kB\n",
        kib(total_mb),
        kib(available_mb)
    );
    fs::write(root.join("proc/meminfo"), text).unwrap();
}

/// What `/debug/vram` says once it says what `is_it` waits for.
async fn vram(world: &World, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let asking = async {
        loop {
            let (status, body) = world.get("/debug/vram").await;
            assert_eq!(status, 200, "{body}");
            if is_it(&body) {
                return body;
            }
            last = body;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(body) => body,
        Err(_) => panic!("never so: {last:#}"),
    }
}

fn is_loaded(body: &Value) -> bool {
    body["components"][MODEL].is_number()
}

/// The number of a metric.
async fn metric(world: &World, name: &str) -> Option<String> {
    let (_, text) = world.get("/debug/metrics").await;
    let text = text.as_str().unwrap().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

#[tokio::test]
async fn a_gpu_tells_what_is_left() {
    let mut world = World::prepared(SCRIPT).await;
    main_memory(&world.path("machine"), 32_000, 24_000);
    start_with_gpu(&mut world, 4_534).await;
    let expect = json!({
        "kind": "gpu", "vram_used_mb": 4_534, "vram_available_mb": 11_466, "vram_total_mb": 16_000,
        "percentage": 28.3, "peak_mb": 4_534, "level": "normal",
        "components": { MODEL: 4_500, "other": 34 },
        "elsewhere": {},
        "devices": [
            { "kind": "gpu", "name": "NVIDIA GeForce RTX 4060 Ti", "total_mb": 16_000, "used_mb": 4_534 },
            { "kind": "system", "name": "main memory", "total_mb": 32_000, "used_mb": 8_000 },
        ],
        "problems": [],
    });
    assert_eq!(vram(&world, is_loaded).await, expect);
    let mut server = ServerServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let found = server.vram(v1::VramRequest {}).await.unwrap().into_inner();
    let device = |kind: &str, name: &str, total_mb, used_mb| v1::MemoryDevice {
        kind: kind.to_owned(),
        name: name.to_owned(),
        total_mb,
        used_mb,
    };
    let expect = v1::VramResponse {
        vram_used_mb: 4_534,
        vram_available_mb: 11_466,
        percentage: 28.3,
        peak_mb: 4_534,
        components: [(MODEL.to_owned(), 4_500), ("other".to_owned(), 34)].into(),
        kind: "gpu".to_owned(),
        vram_total_mb: Some(16_000),
        level: "normal".to_owned(),
        elsewhere: [].into(),
        devices: vec![
            device("gpu", "NVIDIA GeForce RTX 4060 Ti", 16_000, 4_534),
            device("system", "main memory", 32_000, 8_000),
        ],
        problems: Vec::new(),
    };
    assert_eq!(found, expect);
    let percent = metric(&world, "agentic_ide_model_memory_percent ").await;
    assert_eq!(percent.as_deref(), Some("28.3"));
}

#[tokio::test]
async fn each_crossing_is_told_once_to_each_workflow_that_works() {
    let mut world = World::prepared(SCRIPT).await;
    start_with_gpu(&mut world, 8_000).await;
    vram(&world, is_loaded).await;
    let gate = world.ollama.gate();
    gate.close();
    let id = world.submit("Add greetings").await;
    let told = |event: &Value| event["code"] == "E1419";
    // One step at a time: each is seen before the next.
    let steps = [
        (11_200, "warning"),
        (10_800, "warning"),
        (11_300, "warning"),
        (14_400, "critical"),
        (14_000, "critical"),
        (8_000, "normal"),
        (12_000, "warning"),
    ];
    for (used, level) in steps {
        gpu_says(&world, used);
        let now = vram(&world, |body| body["vram_used_mb"] == used).await;
        assert_eq!(now["level"], level, "{used}");
    }
    let now = vram(&world, is_loaded).await;
    assert_eq!(now["peak_mb"], 14_400);
    gate.open();
    let events = world.to_review(&id).await;
    let messages: Vec<&str> = events
        .iter()
        .filter(|event| told(event))
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    let expect = [
        (11_200, 6_700, "another model may not fit"),
        (14_400, 9_900, "models may be put out of memory"),
        (12_000, 7_500, "another model may not fit"),
    ];
    let expect = expect.map(|(used, other, what)| {
        let parts = if other > 4_500 {
            format!("other {other}, {MODEL} 4500")
        } else {
            format!("{MODEL} 4500, other {other}")
        };
        format!("the GPU's memory fills up: {used} of 16000 MiB are used ({parts}); {what}")
    });
    assert_eq!(messages, expect, "{}", brief(&events).join("\n"));
    let crossings = |level: &str| format!("agentic_ide_model_memory_crossings_total{{level=\"{level}\"}}");
    let warnings = metric(&world, &crossings("warning")).await;
    let critical = metric(&world, &crossings("critical")).await;
    assert_eq!((warnings.as_deref(), critical.as_deref()), (Some("2"), Some("1")));
    // It waits for a person: nobody is told.
    gpu_says(&world, 15_000);
    vram(&world, |body| body["level"] == "critical").await;
    let events = world.accept(&id).await;
    assert_eq!(events.iter().filter(|event| told(event)).count(), expect.len());
}

#[tokio::test]
async fn without_a_gpu_main_memory_is_told() {
    let script = SCRIPT.replace(
        &format!("- name: {MODEL}"),
        &format!("- {{ name: '{MODEL}', vram_mb: 0, size_mb: 4600 }}"),
    );
    let mut world = World::prepared(&script).await;
    main_memory(&world.path("machine"), 16_000, 9_000);
    world.start().await;
    let expect = json!({
        "kind": "system", "vram_used_mb": 7_000, "vram_available_mb": 9_000, "vram_total_mb": 16_000,
        "percentage": 43.8, "peak_mb": 7_000, "level": "normal",
        "components": { MODEL: 4_600, "other": 2_400 },
        "elsewhere": {},
        "devices": [{ "kind": "system", "name": "main memory", "total_mb": 16_000, "used_mb": 7_000 }],
        "problems": [],
    });
    assert_eq!(vram(&world, is_loaded).await, expect);
}

#[tokio::test]
async fn a_provider_that_fails_leaves_the_answer_of_the_others() {
    let other = ScriptedOllama::builder().script(SCRIPT).start().await.unwrap();
    let mut world = World::prepared(SCRIPT).await;
    let config = json!({
        "providers": {
            "gone": { "kind": "ollama", "url": "http://127.0.0.1:9", "model": MODEL },
            "farm": { "kind": "ollama", "urls": [other.url(), "http://127.0.0.1:9"], "model": MODEL },
        },
        "roles": { "default": ["ollama", "gone", "farm"] },
    });
    world.configure(config.to_string());
    world.start().await;
    let found = vram(&world, is_loaded).await;
    let problems: Vec<_> = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            (
                problem["provider"].as_str().unwrap(),
                problem["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(problems, [("gone", "E1401"), ("farm", "E1401")]);
    // Nothing tells how much there is: nothing is made up.
    let known = ["kind", "vram_used_mb", "vram_available_mb", "percentage"].map(|key| &found[key]);
    assert_eq!(
        known,
        [&json!("unknown"), &json!(4_500), &Value::Null, &Value::Null]
    );
}

#[tokio::test]
async fn thresholds_that_make_no_sense_are_refused() {
    let mut world = World::prepared(SCRIPT).await;
    let variables = [("AGENTIC_IDE_MEMORY__WARN_PERCENT", "95")];
    assert!(!world.try_start(&variables).await);
    let log = world.log();
    assert!(
        log.contains("E1014") && log.contains("memory.warn_percent"),
        "{log}"
    );
}

/// The contexts that calls carried.
fn contexts(world: &World) -> BTreeSet<u64> {
    let requests = world.ollama.requests();
    let carried = requests
        .iter()
        .filter_map(|record| record.body["options"]["num_ctx"].as_u64());
    carried.collect()
}

#[tokio::test]
async fn a_context_is_sized_once_and_outlives_the_backend() {
    let script = SCRIPT.replace(
        &format!("- name: {MODEL}"),
        &format!("- {{ name: '{MODEL}', context_length: 131072 }}"),
    );
    let mut world = World::prepared(&script).await;
    // 70 % of 8 GiB hold the weights and 12 513 tokens of 128 KiB.
    main_memory(&world.path("machine"), 8_192, 8_000);
    world.start().await;
    let id = world.submit("Add greetings").await;
    world.to_review(&id).await;
    assert_eq!(world.decide(&id, &json!({ "decision": "reject" })).await, 204);
    assert_eq!(contexts(&world), BTreeSet::from([12_288]));
    let doctor = world.cli(&["doctor"]);
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let expect = "with 12288 tokens of context, as in earlier sessions with this model";
    assert!(doctor.contains(expect), "{doctor}");
    assert!(world.log().contains("context sized"), "{}", world.log());
    // More memory, the same model: it is loaded, and stays so.
    main_memory(&world.path("machine"), 65_536, 60_000);
    world.restart().await;
    vram(&world, is_loaded).await;
    let mut request = world.request("Add greetings, please");
    request["correlation_id"] = json!("req_2");
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    world.to_review(body["workflow_id"].as_str().unwrap()).await;
    assert_eq!(contexts(&world), BTreeSet::from([12_288]));
    // A person's number is taken as it is.
    world.kill();
    let variables = [("AGENTIC_IDE_OLLAMA__NUM_CTX", "10240")];
    assert!(world.try_start(&variables).await, "{}", world.log());
    until("the preload", || contexts(&world).contains(&10_240).then_some(())).await;
}
