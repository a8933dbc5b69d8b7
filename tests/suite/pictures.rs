//! Pictures that come with a request, over the real wire: from a client to the model that
//! sees them, through kills, rounds and forks, and what becomes of those that nobody sees.

mod farther;

use std::{fs, time::Duration};

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use scripted_ollama::{Endpoint, Format, Record};
use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, on_each_transport, prompt, wire::Transport},
    world::{PATIENCE, SCRIPT, World, of},
};

on_each_transport!(
    a_picture_reaches_the_model_and_whoever_comes_later,
    as_much_as_is_promised_is_taken,
    what_is_no_picture_is_refused_with_the_reason,
);

/// A picture of one pixel.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// Bytes that begin as a picture does, and their base64.
const BYTES: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\0";
const BASE64: &str = "iVBORw0KGgoAAAAA";

/// The usual script, with a model that sees.
pub fn seeing() -> String {
    SCRIPT.replace("q4_K_M\n", "q4_K_M\n    vision: true\n")
}

fn image(data: &str) -> Value {
    json!({ "type": "image", "data": data, "mimeType": "image/png" })
}

/// A prompt with pictures.
fn with(session: &str, text: &str, images: &[Value]) -> Value {
    let mut prompt = prompt(session, text);
    let blocks = prompt["prompt"].as_array_mut().unwrap();
    blocks.extend(images.iter().cloned());
    prompt
}

/// The pictures of each question that a rule answered.
pub fn shown(records: &[Record], rule: &str) -> Vec<Vec<String>> {
    let images = |record: &Record| {
        let messages = record.body["messages"].as_array().unwrap().iter();
        let images = messages.filter_map(|message| message["images"].as_array());
        images
            .flatten()
            .map(|image| image.as_str().unwrap().to_owned())
            .collect()
    };
    of(records, rule).into_iter().map(images).collect()
}

fn can(acp: &Acp) -> &Value {
    &acp.hello["agentCapabilities"]["promptCapabilities"]["image"]
}

async fn to_question(acp: &mut Acp, turn: u64) -> Value {
    let question = acp.until(turn).await;
    assert_eq!(
        question["method"],
        "session/request_permission",
        "{question} {:#?}",
        acp.story()
    );
    question
}

async fn ends(acp: &mut Acp, turn: u64) {
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], "end_turn", "{answer}");
}

/// What the person said and showed, as a client was told it.
fn heard(acp: &Acp) -> Vec<Value> {
    let said = acp
        .updates
        .iter()
        .filter(|update| update["sessionUpdate"] == "user_message_chunk");
    said.map(|update| update["content"].clone()).collect()
}

/// Another client that comes to the session when this one is gone.
async fn later(acp: Acp, transport: Transport, world: &World, session: &str) -> Acp {
    acp.leave().await;
    let mut acp = Acp::over(transport, world).await;
    let loaded = acp.go_to("session/load", world, session).await;
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
    acp
}

async fn a_picture_reaches_the_model_and_whoever_comes_later(transport: Transport) {
    let world = transport.world_with(&seeing()).await;
    let mut acp = Acp::over(transport, &world).await;
    assert_eq!(can(&acp), true);
    let session = acp.session(&world).await;
    let asked = with(&session, "Add greetings", &[image(PNG), image(BASE64)]);
    let turn = acp.ask("session/prompt", asked).await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "modify").await;
    ends(&mut acp, turn).await;
    // A round with feedback is about the same request.
    let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "accept").await;
    ends(&mut acp, turn).await;
    assert_eq!(world.commits(), 2);
    // The next request has none.
    let turn = acp.ask("session/prompt", prompt(&session, "Another one")).await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "reject").await;
    ends(&mut acp, turn).await;
    let records = world.ollama.requests();
    let both = vec![PNG.to_owned(), BASE64.to_owned()];
    assert_eq!(
        shown(&records, "plan"),
        [both.clone(), both.clone(), Vec::new()],
        "planned twice for the first request"
    );
    assert_eq!(shown(&records, "code"), [both.clone(), Vec::new()]);
    assert_eq!(shown(&records, "code again"), [both]);

    let acp = later(acp, transport, &world, &session).await;
    let text = |text: &str| json!({ "type": "text", "text": text });
    assert_eq!(
        heard(&acp),
        [
            text("Add greetings"),
            image(PNG),
            image(BASE64),
            text("shout it"),
            text("Another one")
        ]
    );
}

async fn as_much_as_is_promised_is_taken(transport: Transport) {
    let world = transport.world_with(&seeing()).await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let of = |bytes: usize| image(&format!("iVBORw0KGgoA{}", "AAAA".repeat((bytes - 9) / 3)));
    // 3.75 MB is the most for one, 10 MB for all.
    let images = [of(3_750_000), of(3_750_000), of(2_499_999)];
    let turn = acp
        .ask("session/prompt", with(&session, "Add greetings", &images))
        .await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "reject").await;
    ends(&mut acp, turn).await;
    let code = &shown(&world.ollama.requests(), "code")[0];
    let expect: Vec<&str> = images.iter().map(|it| it["data"].as_str().unwrap()).collect();
    assert!(*code == expect, "all of them");
    for (images, why) in [
        (vec![of(3_750_003)], "scale it down"),
        (vec![of(3_750_000); 3], "together"),
    ] {
        let refused = acp
            .call("session/prompt", with(&session, "Add greetings", &images))
            .await;
        let error = &refused["error"];
        assert_eq!(
            (&error["code"], &error["data"]["code"]),
            (&json!(-32602), &json!("E1023"))
        );
        assert!(
            error["data"]["message"].as_str().unwrap().contains(why),
            "{error}"
        );
    }
}

async fn what_is_no_picture_is_refused_with_the_reason(transport: Transport) {
    let world = transport.world_with(&seeing()).await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let picture = |data: &str, kind: &str| json!({ "type": "image", "data": data, "mimeType": kind });
    let mut named = picture("", "image/png");
    named["uri"] = json!("file:///w/a.png");
    for (image, why) in [
        (picture("PHN2Zy8+", "image/svg+xml"), "`image/svg+xml`"),
        (picture(PNG, "image/webp"), "its bytes are those of image/png"),
        (picture("PHN2Zy8+", "image/png"), "none by its bytes"),
        (picture("%%%%", "image/png"), "no base64"),
        (picture("", "image/png"), "has no data"),
        (named, "only named"),
    ] {
        let asked = with(&session, "Add greetings", &[image]);
        let refused = acp.call("session/prompt", asked).await;
        let error = &refused["error"];
        assert_eq!(error["code"], -32602, "{refused}");
        assert_eq!(error["data"]["code"], "E1023", "{refused}");
        let told = error["data"]["message"].as_str().unwrap();
        assert!(told.contains(why), "{told}");
    }
    let many = vec![image(PNG); 9];
    let refused = acp.call("session/prompt", with(&session, "x", &many)).await;
    assert_eq!(refused["error"]["data"]["code"], "E1023", "{refused}");
    // Nothing was begun, and the session goes on.
    let turn = acp
        .ask("session/prompt", with(&session, "Add greetings", &[image(PNG)]))
        .await;
    let question = to_question(&mut acp, turn).await;
    // To work that runs, a picture is no answer, and the question stays.
    let refused = acp
        .ask("session/prompt", with(&session, "like this", &[image(PNG)]))
        .await;
    let refused = acp.until(refused).await;
    assert_eq!(refused["error"]["data"]["code"], "E1023", "{refused}");
    acp.choose(&question, "accept").await;
    ends(&mut acp, turn).await;
    assert_eq!(of(&world.ollama.requests(), "plan").len(), 1);
    let acp = later(acp, transport, &world, &session).await;
    assert_eq!(heard(&acp).len(), 2, "{:#?}", heard(&acp));
}

/// Writes some of the code, and then nothing more.
const STALLS: &str = r#"
  - name: begins
    match: { endpoint: chat, contains: "write the code", nth: 1 }
    respond:
      stall_after_tokens: 12
      tokens_per_second: 400
      text: |
        Two files.

        greeting.py
        ```python
        def greet(name):
            return f"Hello, {name}!"
        ```
"#;

#[tokio::test]
async fn killed_while_the_model_writes_it_is_shown_the_same_again() {
    let script = seeing().replace("\n  - name: code again", &format!("{STALLS}  - name: code again"));
    let mut world = World::with(&script).await;
    let session = {
        let mut acp = Acp::connect(&world).await;
        let session = acp.session(&world).await;
        acp.ask("session/prompt", with(&session, "Add greetings", &[image(PNG)]))
            .await;
        let stalled = |records: &[Record]| of(records, "begins").iter().any(|it| it.tokens_sent == 12);
        tokio::time::timeout(PATIENCE, world.ollama.wait_for(stalled))
            .await
            .expect("the model writes");
        session
    };
    world.kill();
    world.start().await;
    let mut acp = Acp::run(&world).await;
    acp.go_to("session/load", &world, &session).await;
    let question = acp.next().await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    let text = json!({ "type": "text", "text": "Add greetings" });
    assert_eq!(heard(&acp), [text, image(PNG)]);
    let story = acp.story();
    assert!(
        story.iter().any(|line| line.contains("The model goes on after")),
        "the same question, or it would begin anew: {story:#?}"
    );
    acp.choose(&question, "accept").await;
    acp.update(|update| {
        let text = update["content"]["text"].as_str().unwrap_or_default();
        text.contains("Committed")
    })
    .await;
    assert_eq!(world.commits(), 2);
    let records = world.ollama.requests();
    for rule in ["begins", "code"] {
        assert_eq!(shown(&records, rule), [[PNG]], "{rule}");
    }
}

#[tokio::test]
async fn a_fork_shows_them_again() {
    let world = World::with(&seeing()).await;
    let mut request = world.request("Add greetings");
    request["images"] = json!([{ "data": PNG }]);
    let (status, begun) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{begun}");
    let id = begun["workflow_id"].as_str().unwrap();
    let events = world.to_review(id).await;
    let planned = events.iter().find(|event| event["type"] == "plan").unwrap();
    let fork = json!({ "at": planned["seq"] });
    let (status, forked) = world.post(&format!("/api/workflow/{id}/fork"), &fork).await;
    assert_eq!(status, 202, "{forked}");
    // What it shows stays when the first one is gone.
    assert_eq!(world.decide(id, &json!({ "decision": "reject" })).await, 204);
    world.to_end(id).await;
    let fork = forked["workflow_id"].as_str().unwrap();
    world.accept(fork).await;
    assert_eq!(shown(&world.ollama.requests(), "code"), [[PNG], [PNG]]);
}

#[tokio::test]
async fn a_model_that_does_not_see_gets_no_picture() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    assert_eq!(can(&acp), false);
    let session = acp.session(&world).await;
    let refused = acp
        .call("session/prompt", with(&session, "Add greetings", &[image(PNG)]))
        .await;
    let error = &refused["error"];
    assert_eq!(error["code"], -32602, "{refused}");
    assert_eq!(error["data"]["code"], "E1420", "{refused}");
    let told = error["data"]["message"].as_str().unwrap();
    assert!(
        told.contains("mistral") && told.contains("configure a model"),
        "{told}"
    );
    // Nothing was begun.
    let mut other = Acp::connect(&world).await;
    other.go_to("session/load", &world, &session).await;
    assert_eq!(heard(&other), [] as [Value; 0]);
    let mut request = world.request("Add greetings");
    request["images"] = json!([{ "data": PNG }]);
    let (status, refused) = world.post("/api/workflow/submit", &request).await;
    assert_eq!((status, &refused["code"]), (400, &json!("E1420")), "{refused}");
}

/// Two providers of the same server: one by each interface.
const TWO: &str = r"
ollama: { embed_model: null }
providers:
  other:
    kind: openai
    url: SERVER/v1
    model: gpt-other
    context_tokens: 32768
    images: true
roles:
  default: [CHAIN]
routing: { retries: 0, back_off_ms: 5, wait_max_ms: 60000 }
";

/// A world with both, asked in this order, that answers from a script.
async fn two(script: &str, chain: &str) -> World {
    let script = script
        .replace("q4_K_M\n", "q4_K_M\n  - name: gpt-other\n")
        .replace("endpoint: chat, ", "")
        .replace("{ endpoint: chat }", "{}");
    let mut world = World::prepared(&script).await;
    world.configure(TWO.replace("SERVER", &world.ollama.url()).replace("CHAIN", chain));
    world.start().await;
    world
}

/// Submits a request with a picture; its events up to the question.
async fn to_review(world: &World) -> Vec<Value> {
    let mut request = world.request("Add greetings");
    request["images"] = json!([{ "data": PNG, "media_type": "image/png" }]);
    let (status, begun) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{begun}");
    world.to_review(begun["workflow_id"].as_str().unwrap()).await
}

/// Who was asked, and how many pictures they were shown.
fn asked(world: &World) -> Vec<(Format, usize)> {
    let records = world.ollama.requests().into_iter();
    let answered = records.filter(|record| record.rule.is_some());
    answered.map(|record| (record.format, record.images)).collect()
}

fn notices(events: &[Value]) -> Vec<&str> {
    let told = events.iter().filter(|event| event["code"] == "E1420");
    told.map(|event| event["message"].as_str().unwrap()).collect()
}

const MODEL: &str = "mistral:7b-instruct-v0.3-q4_K_M";

#[tokio::test]
async fn of_a_chain_the_one_that_sees_is_asked_first() {
    let world = two(SCRIPT, "ollama, other").await;
    let acp = Acp::connect(&world).await;
    assert_eq!(can(&acp), true);
    let events = to_review(&world).await;
    assert_eq!(asked(&world), [(Format::OpenAi, 1), (Format::OpenAi, 1)]);
    let told = format!(
        "other/gpt-other is asked before ollama/{MODEL}, which does not see the images of the request"
    );
    assert_eq!(notices(&events), [told]);
}

#[tokio::test]
async fn where_the_one_that_sees_fails_the_others_answer_and_it_is_said() {
    let fails = r#"
rules:
  - name: fails
    match: { model: "gpt-other" }
    respond: { error: { status: 500, message: "not now" } }
"#;
    let world = two(&SCRIPT.replace("\nrules:\n", fails), "other, ollama").await;
    let events = to_review(&world).await;
    let told = format!("{MODEL} is not shown image 1 (image/png, 1 KiB): it does not see images");
    assert_eq!(notices(&events), [told]);
    let of_ollama: Vec<usize> = asked(&world)
        .into_iter()
        .filter(|(format, _)| *format == Format::Ollama)
        .map(|(_, images)| images)
        .collect();
    assert_eq!(of_ollama, [0, 0]);
    let told = world.told("code");
    assert!(
        told.contains("An image of the request cannot be shown to you"),
        "{told}"
    );
}

#[tokio::test]
async fn a_session_whose_model_was_changed_says_what_to_do() {
    let world = two(SCRIPT, "ollama, other").await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let choose = |model: &str| json!({ "sessionId": session, "configId": "model", "value": model });
    acp.call("session/set_config_option", choose(&format!("ollama/{MODEL}")))
        .await;
    let asked = with(&session, "Add greetings", &[image(PNG)]);
    let refused = acp.call("session/prompt", asked.clone()).await;
    assert_eq!(refused["error"]["data"]["code"], "E1420", "{refused}");
    let told = refused["error"]["data"]["message"].as_str().unwrap();
    assert!(
        told.contains(
            "choose a model that does, with the option `model` (other/gpt-other, which runs on this machine)"
        ),
        "{told}"
    );
    acp.call("session/set_config_option", choose("other/gpt-other"))
        .await;
    let turn = acp.ask("session/prompt", asked).await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "accept").await;
    ends(&mut acp, turn).await;
    assert_eq!(self::asked(&world), [(Format::OpenAi, 1), (Format::OpenAi, 1)]);
}

#[tokio::test]
async fn version_two_tells_it_as_a_part_of_the_message() {
    let world = World::with(&seeing()).await;
    let mut acp = Acp::two(Transport::Socket, &world, json!({})).await;
    let prompts = &acp.hello["capabilities"]["session"]["prompt"];
    assert_eq!(prompts["image"], json!({}), "{}", acp.hello);
    let begun = acp.call("session/new", json!({ "cwd": world.repo() })).await;
    let session = begun["result"]["sessionId"].as_str().unwrap().to_owned();
    let taken = acp
        .call("session/prompt", with(&session, "Add greetings", &[image(PNG)]))
        .await;
    let id = taken["result"]["messageId"]
        .as_str()
        .unwrap_or_else(|| panic!("{taken}"))
        .to_owned();
    let question = acp.next().await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    let told = |acp: &Acp| -> Vec<Value> {
        let updates = acp
            .updates
            .iter()
            .filter(|update| update["messageId"] == id.as_str());
        updates
            .map(|update| json!([update["sessionUpdate"], update["content"]]))
            .collect()
    };
    let text = json!({ "type": "text", "text": "Add greetings" });
    let expect = [
        json!(["user_message", [text]]),
        json!(["user_message_chunk", image(PNG)]),
    ];
    assert_eq!(told(&acp), expect);
    let mut other = Acp::two(Transport::Joined, &world, json!({})).await;
    let replay = json!({ "sessionId": session, "cwd": world.repo(), "replayFrom": { "type": "start" } });
    let resumed = other.call("session/resume", replay).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
    assert_eq!(told(&other), expect);
    assert_eq!(shown(&world.ollama.requests(), "code"), [[PNG]]);
}

#[tokio::test]
async fn the_command_line_and_grpc_send_files() {
    let world = World::with(&seeing()).await;
    let file = world.path("screen.png");
    fs::write(&file, BYTES).unwrap();
    let file = file.to_str().unwrap();
    let run = world.cli(&["run", "Add greetings", "--yes", "--image", file]);
    assert!(run.status.success(), "{run:?}");
    assert_eq!(shown(&world.ollama.requests(), "code"), [[BASE64]]);
    let drawing = world.path("drawing.svg");
    fs::write(&drawing, "<svg/>").unwrap();
    let refused = world.cli(&[
        "run",
        "Add greetings",
        "--yes",
        "--image",
        drawing.to_str().unwrap(),
    ]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("E1023") && told.contains("drawing.svg"), "{told}");

    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let large = [BYTES, &vec![0; 3_000_000]].concat();
    let request = v1::SubmitRequest {
        workflow_type: "feature_implementation".into(),
        user_query: "shout it".into(),
        workspace: world.repo().display().to_string(),
        images: vec![
            v1::Image {
                data: BYTES.to_vec(),
                media_type: String::new(),
            },
            v1::Image {
                data: large.clone(),
                media_type: "image/png".into(),
            },
            v1::Image {
                data: large,
                media_type: "image/png".into(),
            },
        ],
        ..v1::SubmitRequest::default()
    };
    let begun = workflows.submit(request.clone()).await.unwrap().into_inner();
    world.to_review(&begun.workflow_id).await;
    let code = shown(&world.ollama.requests(), "code again");
    assert_eq!((code.len(), code[0].len(), code[0][0].as_str()), (1, 3, BASE64));
    let wrong = v1::SubmitRequest {
        images: vec![v1::Image {
            data: b"<svg/>".to_vec(),
            media_type: "image/svg+xml".into(),
        }],
        ..request
    };
    let refused = workflows.submit(wrong).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert!(refused.message().contains("E1023"), "{refused}");
}

#[tokio::test]
async fn a_slow_server_does_not_keep_a_client_waiting() {
    let slow = r#"
rules:
  - name: slow
    match: { endpoint: show }
    respond: { delay_ms: 60000 }
"#;
    let world = World::with(&seeing().replace("\nrules:\n", slow)).await;
    let connected = tokio::time::timeout(Duration::from_secs(20), Acp::connect(&world)).await;
    assert_eq!(can(&connected.expect("it does not wait")), false);
    let is_asked = |record: &Record| record.endpoint == Endpoint::Show;
    assert!(world.ollama.requests().iter().any(is_asked));
}
