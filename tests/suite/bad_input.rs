//! What a person, a client or a model can get wrong: each gets a coded error,
//! nothing is lost, and the process stays up.

use std::{fs, os::unix::fs::symlink, path::Path};

use serde_json::{Value, json};

use crate::world::{World, brief, of};

/// The code of the last event.
async fn outcome(world: &World, id: &str) -> String {
    brief(&world.to_end(id).await).last().unwrap().clone()
}

async fn refused(world: &World, path: &str, body: &str, expect: (u16, &str)) {
    let (status, answer) = world.post_text(path, body).await;
    assert_eq!(
        (status, answer["code"].as_str().unwrap_or_default()),
        expect,
        "{body}: {answer}"
    );
    assert!(
        answer["message"]
            .as_str()
            .is_some_and(|message| message.len() > 10),
        "{answer}"
    );
}

#[tokio::test]
async fn wrong_requests() {
    let world = World::new().await;
    let submit = "/api/workflow/submit";
    let with = |key: &str, value: Value| {
        let mut request = world.request("Add greetings");
        request[key] = value;
        request.to_string()
    };
    refused(&world, submit, "", (400, "E1001")).await;
    refused(&world, submit, "{", (400, "E1001")).await;
    refused(&world, submit, "[]", (400, "E1001")).await;
    refused(&world, submit, &"x".repeat(2 * 1024 * 1024), (400, "E1001")).await;
    refused(&world, "/api/workflows", "", (405, "E1001")).await;
    refused(&world, submit, &with("user_query", json!(7)), (400, "E1001")).await;
    refused(&world, submit, &with("user_query", json!("  ")), (400, "E1006")).await;
    refused(
        &world,
        submit,
        &with("user_query", json!("x".repeat(20_000))),
        (413, "E1005"),
    )
    .await;
    refused(
        &world,
        submit,
        &with("workflow_type", json!("make_coffee")),
        (400, "E1002"),
    )
    .await;
    refused(
        &world,
        submit,
        &with("correlation_id", json!("../etc")),
        (400, "E1001"),
    )
    .await;
    refused(
        &world,
        submit,
        &with("workspace", json!("relative")),
        (400, "E1201"),
    )
    .await;
    refused(
        &world,
        submit,
        &with("workspace", json!("/nowhere/at/all")),
        (400, "E1201"),
    )
    .await;
    refused(
        &world,
        submit,
        &with("workspace", json!(world.repo().join("app.py"))),
        (400, "E1201"),
    )
    .await;
    refused(
        &world,
        "/api/workflow/nope/decision",
        r#"{"decision":"accept"}"#,
        (404, "E1003"),
    )
    .await;
    refused(&world, "/api/workflow/nope/cancel", "", (404, "E1003")).await;
    let id = world.submit("Add greetings").await;
    refused(
        &world,
        &format!("/api/workflow/{id}/decision"),
        r#"{"decision":"maybe"}"#,
        (400, "E1001"),
    )
    .await;
    for (path, status) in [
        ("/api/workflow/nope", 404),
        ("/api/workflow/nope/stream", 404),
        ("/api/workflow/..%2f..%2fetc", 404),
        ("/nothing/here", 404),
        ("/api/workflows?limit=many", 400),
    ] {
        let (got, body) = world.get(path).await;
        assert_eq!(got, status, "{path}: {body}");
        assert!(body["code"].is_string(), "{path}: {body}");
    }
    let (status, body) = world.get(&format!("/api/workflow/{id}/stream?mode=loud")).await;
    assert_eq!((status, &body["code"]), (400, &json!("E1001")));
    let events = world.accept(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "completed", "the process is well");
}

#[tokio::test]
async fn a_web_page_of_somebody_else_is_refused() {
    let world = World::new().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = |origin: &'static str| {
        client
            .get(format!("{}/api/workflows", world.url()))
            .header("Origin", origin)
            .send()
    };
    assert_eq!(get("https://evil.example").await.unwrap().status(), 403);
    assert_eq!(get("http://localhost:5173").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_token_is_asked_for_where_one_is_set() {
    let mut world = World::new().await;
    world.kill();
    world.configure("auth_token: s3cret\n");
    world.start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = || client.get(format!("{}/api/workflows", world.url()));
    assert_eq!(get().send().await.unwrap().status(), 401);
    assert_eq!(get().bearer_auth("wrong").send().await.unwrap().status(), 401);
    assert_eq!(get().bearer_auth("s3cret").send().await.unwrap().status(), 200);
    assert!(!world.log().contains("s3cret"));
}

#[tokio::test]
async fn listening_beyond_this_machine_needs_a_token() {
    let world = World::new().await;
    let mut command = world.backend();
    let output = command
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir", "/nonexistent"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("E1015"));
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_named() {
    let world = World::new().await;
    let config = world.path("wrong.yaml");
    let check = |text: &str, part: &str| {
        fs::write(&config, text).unwrap();
        let output = world
            .backend()
            .arg("--config")
            .arg(&config)
            .arg("version")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("E1014") && said.contains(part), "{said}");
    };
    check("listen: nowhere\n", "listen");
    check("lisen: 127.0.0.1:1\n", "lisen");
    check("ollama: [\n", "wrong.yaml");
    let output = world
        .backend()
        .args(["--config", "/no/such/file", "version"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file"));
}

#[tokio::test]
async fn a_folder_without_a_repository_is_written_without_a_commit() {
    let world = World::new().await;
    let plain = world.path("plain");
    fs::create_dir(&plain).unwrap();
    fs::write(plain.join("app.py"), "def main():\n    pass\n").unwrap();
    let id = submit_in(&world, &plain).await;
    let events = world.accept(&id).await;
    let story = brief(&events);
    assert_eq!(story.last().unwrap(), "completed");
    let told = |event: &Value| {
        event["type"] == "notice"
            && event["message"]
                .as_str()
                .is_some_and(|text| text.contains("repository"))
    };
    assert!(events.iter().any(told), "{story:#?}");
    let applied = events.iter().find(|event| event["type"] == "applied").unwrap();
    assert_eq!(applied["commit"], Value::Null);
    assert!(plain.join("greeting.py").exists());
    assert!(!plain.join(".git").exists());
}

async fn submit_in(world: &World, workspace: &Path) -> String {
    let mut request = world.request("Add greetings");
    request["workspace"] = json!(workspace);
    request["correlation_id"] = json!(format!("in_{}", workspace.file_name().unwrap().display()));
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    body["workflow_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn repositories_in_unusual_states() {
    let world = World::new().await;
    let bare = world.path("bare.git");
    world.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let mut request = world.request("Add greetings");
    request["workspace"] = json!(bare);
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!((status, &body["code"]), (400, &json!("E1203")));

    let unborn = world.path("unborn");
    fs::create_dir(&unborn).unwrap();
    world.git(&[
        "-c",
        "init.defaultBranch=trunk",
        "init",
        "-q",
        unborn.to_str().unwrap(),
    ]);
    fs::write(unborn.join("app.py"), "def main():\n    pass\n").unwrap();
    let id = submit_in(&world, &unborn).await;
    assert_eq!(brief(&world.accept(&id).await).last().unwrap(), "completed");
    let root = unborn.to_str().unwrap();
    assert_eq!(world.git(&["-C", root, "rev-list", "--count", "trunk"]), "1");

    let detached = world.path("detached");
    world.git(&["clone", "-q", ".", detached.to_str().unwrap()]);
    let root = detached.to_str().unwrap().to_owned();
    world.git(&["-C", &root, "checkout", "-q", "--detach"]);
    let id = submit_in(&world, &detached).await;
    assert_eq!(brief(&world.accept(&id).await).last().unwrap(), "completed");
    assert_eq!(world.git(&["-C", &root, "rev-list", "--count", "HEAD"]), "2");
    assert_eq!(
        world.git(&["-C", &root, "rev-list", "--count", "main"]),
        "1",
        "no branch moves"
    );

    let busy = world.path("busy");
    world.git(&["clone", "-q", ".", busy.to_str().unwrap()]);
    let root = busy.to_str().unwrap().to_owned();
    fs::create_dir(busy.join(".git/rebase-merge")).unwrap();
    let id = submit_in(&world, &busy).await;
    world.to_review(&id).await;
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    // Not lost: the question comes again, with the reason.
    let told = |event: &Value| {
        event["type"] == "notice" && event["code"] == "E1204" && event["seq"].as_u64() > Some(20)
    };
    world.events(&id, 0, "delta", told).await;
    fs::remove_dir(busy.join(".git/rebase-merge")).unwrap();
    let (_, view) = world.get(&format!("/api/workflow/{id}")).await;
    assert!(["awaiting_decision", "running"].contains(&view["state"].as_str().unwrap()));
    crate::world::until_status(&world, &id, "awaiting_decision").await;
    assert_eq!(world.decide(&id, &json!({ "decision": "accept" })).await, 204);
    assert_eq!(outcome(&world, &id).await, "completed");
    assert_eq!(world.git(&["-C", &root, "rev-list", "--count", "HEAD"]), "2");
}

#[tokio::test]
async fn files_that_cannot_be_read_do_not_stop_the_search() {
    let world = World::new().await;
    let huge = fs::File::create(world.repo().join("huge.py")).unwrap();
    huge.set_len(2 * 1024 * 1024 * 1024).unwrap();
    fs::write(world.repo().join("latin1.py"), b"# caf\xe9\n").unwrap();
    fs::write(world.repo().join("binary.bin"), [0_u8, 159, 146, 150]).unwrap();
    symlink("/nowhere", world.repo().join("dangling.py")).unwrap();
    world.write(".env", "SECRET=abc\n");
    let id = world.submit("Add greetings").await;
    let events = world.accept(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "completed");
    let found = events
        .iter()
        .find(|event| event["type"] == "retrieval_result")
        .unwrap();
    let paths: Vec<&str> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    for path in ["huge.py", "latin1.py", "binary.bin", "dangling.py", ".env"] {
        assert!(!paths.contains(&path), "{path} in {paths:?}");
    }
    for record in world.ollama.requests() {
        assert!(
            !record.body.to_string().contains("SECRET=abc"),
            "a secret was sent"
        );
    }
}

/// A script whose model plans and then answers `text`.
fn answering(text: &str) -> String {
    let answer = serde_json::to_string(text).unwrap();
    format!(
        r#"
models: [{{name: "mistral:7b-instruct-v0.3-q4_K_M"}}]
rules:
  - match: {{ endpoint: chat, format: present }}
    respond:
      json: {{ summary: s, steps: [a], files: [], stages: [{{stage: test_generation, run: false, reason: r}}] }}
  - match: {{ endpoint: chat }}
    respond: {{ text: {answer} }}
"#
    )
}

async fn check_answer(text: &str, code: &str) {
    let world = World::with(&answering(text)).await;
    symlink("/etc", world.repo().join("link")).unwrap();
    let id = world.submit("Add greetings").await;
    let events = world.to_end(&id).await;
    assert_eq!(
        brief(&events).last().unwrap(),
        &format!("failed {code}"),
        "{text}"
    );
    assert_eq!(
        world.git(&["status", "--porcelain"]),
        "?? link",
        "nothing was written: {text}"
    );
    let asked = of(&world.ollama.requests(), "rule 2").len();
    assert_eq!(asked, 3, "the model is told and tries again: {text}");
    let last = world
        .ollama
        .requests()
        .last()
        .unwrap()
        .last_message("user")
        .to_owned();
    assert!(last.len() > 100, "{last}");
}

#[tokio::test]
async fn model_answers_that_cannot_be_used() {
    check_answer("Sure, you should add a function named greet.", "E1302").await;
    check_answer("app.py\n```python\ndef main():\n", "E1303").await;
    check_answer("../outside.py\n```python\nx = 1\n```\n", "E1305").await;
    check_answer("/etc/passwd\n```\nx\n```\n", "E1305").await;
    check_answer("link/passwd.py\n```python\nx = 1\n```\n", "E1205").await;
    check_answer(".git/config.py\n```python\nx = 1\n```\n", "E1305").await;
    check_answer(
        "app.py\n```python\ndef main():\n    # ... rest of the code unchanged ...\n```\n",
        "E1308",
    )
    .await;
    check_answer(
        "app.py\n```python\ndef main():\n    print(\"hello\")\n```\n",
        "E1309",
    )
    .await;
}

#[tokio::test]
async fn an_empty_answer_and_a_plan_that_is_none() {
    let world = World::with(&answering("")).await;
    let id = world.submit("Add greetings").await;
    assert_eq!(outcome(&world, &id).await, "failed E1301");
}

#[tokio::test]
async fn code_that_does_not_parse_is_tried_again_and_then_shown_with_its_evidence() {
    let world = World::with(&answering("app.py\n```python\ndef main(:\n    x = [1, 2\n```\n")).await;
    let id = world.submit("Add greetings").await;
    let events = world.to_review(&id).await;
    let asked = of(&world.ollama.requests(), "rule 2").len();
    assert!(asked >= 3, "{:#?}", brief(&events));
    let (_, view) = world.get(&format!("/api/workflow/{id}")).await;
    assert!(
        view["evidence"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["status"] == "failed"),
        "{view}"
    );
}

#[tokio::test]
async fn a_model_server_that_is_not_there() {
    let mut world = World::new().await;
    world.kill();
    world.use_ollama("http://127.0.0.1:9");
    // Nobody waits for one; see `providers` for those who do.
    let impatient = [
        ("AGENTIC_IDE_ROUTING__WAIT_MAX_MS", "0"),
        ("AGENTIC_IDE_ROUTING__BACK_OFF_MS", "5"),
    ];
    assert!(world.try_start(&impatient).await, "{}", world.log());
    let id = world.submit("Add greetings").await;
    let events = world.to_end(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "failed E1401");
    let message = events.last().unwrap()["message"].as_str().unwrap();
    assert!(message.contains("ollama serve"), "{message}");
    let doctor = world.cli(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("E1401"));
}
