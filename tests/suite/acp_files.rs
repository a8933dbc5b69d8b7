//! Editors with files that are not saved: what a model sees of them, what is
//! written through them, and what is committed.

use serde_json::{Value, json};
use shared::crash;

use crate::{
    acp_client::{
        Acp,
        editor::{Editor, Manner},
        on_each_transport, prompt,
        wire::Transport,
    },
    world::{World, until, until_status},
};

/// A plan, and an edit of one line.
const SCRIPT: &str = r#"
models:
  - name: mistral:7b-instruct-v0.3-q4_K_M
rules:
  - name: plan
    match: { endpoint: chat, format: present }
    respond:
      json:
        summary: Greet louder
        steps: ["change main"]
        files: ["app.py"]
        stages: [{stage: test_generation, run: false, reason: "trivial"}]
  - name: code
    match: { endpoint: chat }
    respond:
      text: |
        app.py
        <<<<<<< SEARCH
            print("hello")
        =======
            print("HELLO")
        >>>>>>> REPLACE
"#;

const DISK: &str =
    "import sys\n\n\ndef helper():\n    return sys.argv\n\n\ndef main():\n    print(\"hello\")\n";

/// With a line that is not saved.
fn typed() -> String {
    format!("# not saved\n{DISK}")
}

fn louder(text: &str) -> String {
    text.replace("hello", "HELLO")
}

/// A world with a file that is long enough to be edited in two places, for a
/// client on this transport.
async fn world(transport: Transport) -> World {
    let mut world = World::prepared(SCRIPT).await;
    world.write("app.py", DISK);
    world.git(&["commit", "-qam", "second"]);
    if transport != Transport::Alone {
        world.start().await;
    }
    world
}

/// Asks for a change; its turn, and the question about it.
async fn proposed(editor: &mut Editor, session: &str) -> (u64, Value) {
    let turn = editor
        .acp
        .ask("session/prompt", prompt(session, "Greet louder"))
        .await;
    let question = editor.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    (turn, question)
}

async fn accepted(editor: &mut Editor, (turn, question): (u64, Value)) {
    editor.acp.choose(&question, "accept").await;
    let end = editor.until(turn).await;
    assert_eq!(end["result"]["stopReason"], "end_turn", "{end}");
}

/// The texts of the file in the question.
fn difference(question: &Value) -> [String; 2] {
    let content = question["params"]["toolCall"]["content"].as_array().unwrap();
    let diff = content.iter().find(|content| content["type"] == "diff").unwrap();
    ["oldText", "newText"].map(|side| diff[side].as_str().unwrap().to_owned())
}

fn said(acp: &Acp) -> String {
    let texts = acp
        .updates
        .iter()
        .filter_map(|update| update["content"]["text"].as_str());
    texts.collect()
}

/// One commit of the change alone.
fn check_commit(world: &World) {
    assert_eq!(world.commits(), 3);
    assert_eq!(format!("{}\n", world.git(&["show", "HEAD:app.py"])), louder(DISK));
}

async fn what_is_not_saved_is_seen_kept_and_not_committed(transport: Transport) {
    let world = world(transport).await;
    let mut editor = Editor::over(transport, &world).await;
    let app = world.repo().join("app.py");
    editor.types(app.clone(), &typed());
    let session = editor.acp.session(&world).await;
    let asked = proposed(&mut editor, &session).await;
    assert!(world.told("code").contains("# not saved"));
    assert_eq!(difference(&asked.1), [typed(), louder(&typed())]);
    assert_eq!(editor.writes, []);
    // What is typed while the question is open counts as well.
    editor.types(app.clone(), &format!("# and more\n{}", typed()));
    accepted(&mut editor, asked).await;
    let expect = louder(&format!("# and more\n{}", typed()));
    assert_eq!(editor.writes, [(app.clone(), expect.clone())]);
    assert_eq!(editor.shows(&app), expect);
    assert_eq!(world.read("app.py"), expect);
    check_commit(&world);
    let said = said(&editor.acp);
    for words in [
        "read from the editor, with changes that are not saved: app.py",
        "app.py is written through the editor, which saves your changes there as well",
    ] {
        assert!(said.contains(words), "{said}");
    }
}

async fn what_is_saved_is_left_to_the_disk(transport: Transport) {
    let world = world(transport).await;
    let mut editor = Editor::over(transport, &world).await;
    let session = editor.acp.session(&world).await;
    let asked = proposed(&mut editor, &session).await;
    accepted(&mut editor, asked).await;
    assert!(
        editor.reads.contains(&world.repo().join("app.py")),
        "{:?}",
        editor.reads
    );
    assert_eq!(editor.writes, []);
    assert_eq!(world.read("app.py"), louder(DISK));
    check_commit(&world);
    assert!(!said(&editor.acp).contains("the editor"));
}

on_each_transport!(
    what_is_not_saved_is_seen_kept_and_not_committed,
    what_is_saved_is_left_to_the_disk,
);

async fn an_editor_that_is_of_no_use_leaves_the_disk(manner: Manner) {
    let world = world(Transport::Joined).await;
    let mut editor = Editor::over(Transport::Joined, &world).await;
    editor.manner = manner;
    let app = world.repo().join("app.py");
    editor.types(app.clone(), &typed());
    let session = editor.acp.session(&world).await;
    let asked = proposed(&mut editor, &session).await;
    assert_eq!(difference(&asked.1), [DISK.to_owned(), louder(DISK)]);
    accepted(&mut editor, asked).await;
    assert!(editor.reads.contains(&app), "{:?}", editor.reads);
    assert_eq!(editor.writes, []);
    assert_eq!(world.read("app.py"), louder(DISK));
    check_commit(&world);
    let withdrawn = editor.acp.withdrawn.len();
    assert_eq!(withdrawn > 0, manner == Manner::Silent, "{withdrawn}");
}

#[tokio::test]
async fn an_undo_keeps_what_is_not_saved() {
    let transport = Transport::Socket;
    let world = world(transport).await;
    let mut editor = Editor::over(transport, &world).await;
    let app = world.repo().join("app.py");
    let session = editor.acp.session(&world).await;
    let asked = proposed(&mut editor, &session).await;
    accepted(&mut editor, asked).await;
    editor.types(app.clone(), &louder(&typed()));
    let turn = editor.acp.ask("session/prompt", prompt(&session, "/undo")).await;
    let end = editor.until(turn).await;
    assert_eq!(end["result"]["stopReason"], "end_turn", "{end}");
    assert_eq!(
        [editor.shows(&app).to_owned(), world.read("app.py")],
        [typed(), typed()],
        "{}",
        said(&editor.acp)
    );
    assert_eq!(format!("{}\n", world.git(&["show", "HEAD:app.py"])), DISK);
    assert_eq!(world.commits(), 4);
}

#[tokio::test]
async fn an_editor_that_never_answers_leaves_the_disk() {
    an_editor_that_is_of_no_use_leaves_the_disk(Manner::Silent).await;
}

#[tokio::test]
async fn an_editor_that_fails_leaves_the_disk() {
    an_editor_that_is_of_no_use_leaves_the_disk(Manner::Fails).await;
}

#[tokio::test]
async fn an_editor_that_answers_something_else_leaves_the_disk() {
    an_editor_that_is_of_no_use_leaves_the_disk(Manner::Wrong).await;
}

/// Refusing to save is not refusing to be read.
#[tokio::test]
async fn an_editor_that_does_not_save_leaves_that_to_the_disk() {
    let world = world(Transport::Socket).await;
    let mut editor = Editor::over(Transport::Socket, &world).await;
    let app = world.repo().join("app.py");
    editor.types(app.clone(), &typed());
    let session = editor.acp.session(&world).await;
    let asked = proposed(&mut editor, &session).await;
    let (turn, question) = asked;
    editor.acp.choose(&question, "accept").await;
    // It is read once more, and refuses what comes then.
    let write = loop {
        let message = editor.acp.until(turn).await;
        let answer = match message["method"].as_str() {
            Some("fs/read_text_file") => json!({ "content": typed() }),
            Some("fs/write_text_file") => break message,
            Some(_) | None => panic!("{message}"),
        };
        editor
            .acp
            .send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer }))
            .await;
    };
    let refused = json!({ "code": -32603, "message": "read-only" });
    editor
        .acp
        .send(&json!({ "jsonrpc": "2.0", "id": write["id"], "error": refused }))
        .await;
    assert_eq!(editor.until(turn).await["result"]["stopReason"], "end_turn");
    assert_eq!(world.read("app.py"), louder(&typed()));
    check_commit(&world);
}

#[tokio::test]
async fn an_editor_that_is_gone_leaves_the_disk() {
    let world = world(Transport::Socket).await;
    let mut editor = Editor::over(Transport::Socket, &world).await;
    editor.types(world.repo().join("app.py"), &typed());
    let session = editor.acp.session(&world).await;
    let (_, question) = proposed(&mut editor, &session).await;
    assert_eq!(difference(&question), [typed(), louder(&typed())]);
    drop(editor);
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    assert_eq!(world.decide(id, &json!({ "decision": "accept" })).await, 204);
    until_status(&world, id, "completed").await;
    // What was never saved was never there.
    assert_eq!(world.read("app.py"), louder(DISK));
    check_commit(&world);
}

#[tokio::test]
async fn whoever_asked_is_read_first_and_then_whoever_can() {
    let world = world(Transport::Socket).await;
    let app = world.repo().join("app.py");
    let mut plain = Acp::connect(&world).await;
    let session = plain.session(&world).await;
    let mut one = Editor::over(Transport::Socket, &world).await;
    one.acp.go_to("session/resume", &world, &session).await;
    one.types(app.clone(), &typed());
    let mut two = Editor::over(Transport::Joined, &world).await;
    two.acp.go_to("session/resume", &world, &session).await;
    let others = format!("# of the other one\n{DISK}");
    two.types(app, &others);

    // Who asks is no editor: who came first.
    let turn = plain
        .ask("session/prompt", prompt(&session, "Greet louder"))
        .await;
    let question = one.until(0).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    assert_eq!(difference(&question), [typed(), louder(&typed())]);
    let others_question = two.until(0).await;
    one.acp.choose(&question, "reject").await;
    two.acp.until_withdrawn(&others_question).await;
    plain.next().await;
    let end = plain.until(turn).await;
    assert_eq!(end["result"]["stopReason"], "end_turn", "{end}");

    let (_, question) = proposed(&mut two, &session).await;
    assert_eq!(difference(&question), [others.clone(), louder(&others)]);
}

/// The editor has saved, and nothing else is done yet.
#[tokio::test]
async fn killed_after_the_editor_has_saved_it_ends_in_the_same_commit() {
    let mut world = World::prepared(SCRIPT).await;
    world.write("app.py", DISK);
    world.git(&["commit", "-qam", "second"]);
    assert!(world.try_start(&[(crash::AT, "apply:after_save:1")]).await);
    let mut editor = Editor::over(Transport::Joined, &world).await;
    let app = world.repo().join("app.py");
    editor.types(app.clone(), &typed());
    let session = editor.acp.session(&world).await;
    let (turn, question) = proposed(&mut editor, &session).await;
    editor.acp.choose(&question, "accept").await;
    while editor.writes.is_empty() {
        let message = editor.acp.until(turn).await;
        let path = message["params"]["path"].as_str().unwrap();
        let result = match message["params"]["content"].as_str() {
            Some(text) => {
                std::fs::write(path, text).unwrap();
                editor.writes.push((path.into(), text.to_owned()));
                json!({})
            }
            None => json!({ "content": typed() }),
        };
        editor
            .acp
            .send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
            .await;
    }
    // The program in between passes the answer on.
    until("the backend to die", || world.has_ended().then_some(())).await;
    drop(editor);
    assert_eq!(world.commits(), 2);
    world.start().await;
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    until_status(&world, id, "completed").await;
    assert_eq!(world.read("app.py"), louder(&typed()));
    check_commit(&world);
}
