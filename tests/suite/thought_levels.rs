//! How much the models of a workflow think, however it is chosen.

use std::fs;

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use scripted_ollama::Record;
use serde_json::{Value, json};

use crate::{
    acp_choices::option,
    acp_client::{Acp, prompt, wire::Transport},
    acp_options::{CONFIG, configured},
    world::{SCRIPT, World},
};

const SUBMIT: &str = "/api/workflow/submit";

/// What the model thinks; no part of any answer.
const THOUGHTS: &str = "deep thoughts";

/// The usual script with a model that thinks, of which `more` is special.
fn thinking(more: &str) -> String {
    SCRIPT
        .replace("q4_K_M\n", &format!("q4_K_M\n    kind: thinking\n{more}"))
        .replace("respond:\n", &format!("respond:\n      thinking: {THOUGHTS}\n"))
}

/// A prepared world's backend with this configuration.
async fn configured_with(script: &str, config: &str) -> World {
    let mut world = World::prepared(script).await;
    world.configure(config);
    world.start().await;
    world
}

/// What models were asked for an answer, from here on.
fn asked(world: &World, before: usize) -> Vec<Record> {
    let records = world.ollama.requests().split_off(before).into_iter();
    let said = |record: &Record| {
        record.body["messages"]
            .as_array()
            .is_some_and(|said| !said.is_empty())
    };
    records.filter(said).collect()
}

/// A workflow to its review, with these fields of the request: what its models
/// were told of thinking, its events, and its view.
async fn work(world: &World, fields: Value) -> (Vec<Value>, Vec<Value>, Value) {
    let before = world.ollama.requests().len();
    let mut request = world.request("Add greetings");
    request.as_object_mut().unwrap().remove("correlation_id");
    for (key, value) in fields.as_object().unwrap() {
        request[key] = value.clone();
    }
    let (status, body) = world.post(SUBMIT, &request).await;
    assert_eq!(status, 202, "{body}");
    let id = body["workflow_id"].as_str().unwrap();
    let events = world.to_review(id).await;
    assert_eq!(world.decide(id, &json!({ "decision": "reject" })).await, 204);
    let told = asked(world, before).into_iter().map(|record| {
        let fields = [&record.body["think"], &record.body["reasoning_effort"]];
        let said = fields.into_iter().find(|field| !field.is_null());
        said.cloned().unwrap_or_default()
    });
    (
        told.collect(),
        events,
        world.get(&format!("/api/workflow/{id}")).await.1,
    )
}

/// What a workflow was told of thinking.
fn notices(events: &[Value]) -> Vec<&str> {
    let notices = events.iter().filter(|event| event["type"] == "notice");
    let messages = notices.map(|event| event["message"].as_str().unwrap());
    messages.filter(|message| message.contains("think")).collect()
}

#[tokio::test]
async fn a_submit_over_rest_chooses() {
    let world = World::with(&thinking("")).await;
    for (fields, level, expect) in [
        (json!({}), "default", json!(null)),
        (json!({ "thought_level": "default" }), "default", json!(null)),
        (json!({ "thought_level": "off" }), "off", json!(false)),
        (json!({ "thought_level": "high" }), "high", json!(true)),
    ] {
        let (told, events, view) = work(&world, fields).await;
        assert_eq!(told, [expect.clone(), expect], "{level}: the plan and the code");
        assert_eq!(notices(&events), Vec::<&str>::new());
        assert!(!json!(events).to_string().contains(THOUGHTS));
        let choices = json!({ "thought_level": level, "retrieval": "on", "folders": [] });
        assert_eq!(view["choices"], choices);
    }
    let (_, page) = world.get("/api/workflows").await;
    let count = page["workflows"].as_array().unwrap().len();
    for wrong in [json!("much"), json!(7), json!(true)] {
        let mut request = world.request("Add greetings");
        request["thought_level"] = wrong.clone();
        let (status, body) = world.post(SUBMIT, &request).await;
        assert_eq!((status, &body["code"]), (400, &json!("E1001")), "{wrong}: {body}");
    }
    // Another level is another request.
    let mut request = world.request("Add greetings");
    request["correlation_id"] = json!("one");
    for (level, expect) in [("high", 202), ("high", 202), ("low", 409)] {
        request["thought_level"] = json!(level);
        assert_eq!(world.post(SUBMIT, &request).await.0, expect, "{level}");
    }
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(page["workflows"].as_array().unwrap().len(), count + 1);
}

#[tokio::test]
async fn what_is_chosen_wins_over_what_is_configured() {
    let script = thinking("    thinks: levels\n");
    let world = configured_with(&script, "ollama: { embed_model: null, thinking: medium }\n").await;
    for (fields, expect) in [
        (json!({}), "medium"),
        (json!({ "thought_level": "default" }), "medium"),
        (json!({ "thought_level": "high" }), "high"),
    ] {
        let (told, events, _) = work(&world, fields).await;
        assert_eq!(told, [expect, expect]);
        assert_eq!(notices(&events), Vec::<&str>::new());
    }
    let (told, events, _) = work(&world, json!({ "thought_level": "off" })).await;
    assert_eq!(told, ["low", "low"]);
    let always = "mistral:7b-instruct-v0.3-q4_K_M always thinks: it is told to think little";
    assert_eq!(notices(&events), [always], "once for both");
}

#[tokio::test]
async fn off_is_configured() {
    let config = "ollama: { embed_model: null, thinking: off }\n";
    let world = configured_with(&thinking(""), config).await;
    let (told, ..) = work(&world, json!({})).await;
    assert_eq!(told, [json!(false), json!(false)]);
}

#[tokio::test]
async fn a_model_that_cannot_think_is_asked_without_and_that_is_said_once() {
    let world = World::new().await;
    for _ in 0..2 {
        let (told, events, _) = work(&world, json!({ "thought_level": "high" })).await;
        assert_eq!(told, [json!(null), json!(null)]);
        let cannot = "mistral:7b-instruct-v0.3-q4_K_M cannot think: it is asked without";
        assert_eq!(notices(&events), [cannot], "once for each workflow");
    }
    let (told, events, _) = work(&world, json!({ "thought_level": "off" })).await;
    assert_eq!((told, notices(&events)), (vec![json!(null); 2], Vec::new()));
}

#[tokio::test]
async fn a_server_that_refuses_the_wish_is_asked_again_without_it() {
    let script = SCRIPT
        .replace("rules:\n", "  - { name: gpt-other, thinks: nothing }\nrules:\n")
        .replace("endpoint: chat, ", "")
        .replace(
            "match: { endpoint: chat }",
            "match: { contains: \"# Your task\" }",
        );
    let world = configured(&script, CONFIG).await;
    let other = |level: &str| json!({ "model": "other/gpt-other", "thought_level": level });
    let (told, events, view) = work(&world, other("high")).await;
    // Once, and it is remembered.
    assert_eq!(told, [json!("high"), json!(null), json!(null)]);
    let refused = "other does not let gpt-other be told how much to think: it is asked without";
    assert_eq!(notices(&events), [refused]);
    assert_eq!(view["choices"]["model"], "other/gpt-other");
    let (told, events, _) = work(&world, other("low")).await;
    assert_eq!(told, [json!(null), json!(null)]);
    assert_eq!(notices(&events), [refused]);
}

#[tokio::test]
async fn a_submit_over_grpc_chooses() {
    let world = World::with(&thinking("")).await;
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let request = |level: i32| v1::SubmitRequest {
        workflow_type: "feature_implementation".into(),
        user_query: "Add greetings".into(),
        workspace: world.repo().display().to_string(),
        thought_level: level,
        ..v1::SubmitRequest::default()
    };
    for (level, expect) in [
        (v1::ThoughtLevel::Unspecified, json!(null)),
        (v1::ThoughtLevel::Off, json!(false)),
        (v1::ThoughtLevel::Medium, json!(true)),
    ] {
        let before = world.ollama.requests().len();
        let submitted = workflows
            .submit(request(level.into()))
            .await
            .unwrap()
            .into_inner();
        let workflow_id = submitted.workflow_id;
        world.to_review(&workflow_id).await;
        assert!(
            asked(&world, before)
                .iter()
                .all(|record| record.body["think"] == expect)
        );
        let got = workflows
            .get(v1::GetRequest { workflow_id })
            .await
            .unwrap()
            .into_inner();
        let choices = v1::Choices {
            thought_level: level.into(),
            retrieval: v1::Retrieval::On.into(),
            ..v1::Choices::default()
        };
        assert_eq!(got.choices, Some(choices));
    }
    let refused = workflows.submit(request(9)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert!(
        refused
            .message()
            .contains("thought_level: 9 is none of its values"),
        "{refused}"
    );
}

/// A prompt whose proposal is rejected; what the models were told of thinking.
async fn turn(world: &World, acp: &mut Acp, session: &str) -> Vec<Value> {
    let before = world.ollama.requests().len();
    let turn = acp.ask("session/prompt", prompt(session, "Add greetings")).await;
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.choose(&question, "reject").await;
    acp.until(turn).await;
    asked(world, before)
        .into_iter()
        .map(|record| record.body["think"].clone())
        .collect()
}

#[tokio::test]
async fn a_session_chooses_and_keeps_it() {
    let mut world = World::with(&thinking("")).await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    assert_eq!(turn(&world, &mut acp, &session).await, [json!(null), json!(null)]);
    let mut other = Acp::connect(&world).await;
    let resumed = other.go_to("session/resume", &world, &session).await;
    let options = &resumed["result"]["configOptions"];
    let levels = vec!["default", "off", "low", "medium", "high"];
    assert_eq!(option(options, "thought_level"), (levels.clone(), "default"));
    let shown = options
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == "thought_level");
    assert_eq!(shown.unwrap()["category"], "thought_level");

    let set = |value: Value| json!({ "sessionId": session, "configId": "thought_level", "value": value });
    let answer = acp.call("session/set_config_option", set(json!("off"))).await;
    let chosen = |options: &Value| option(options, "thought_level").1.to_owned();
    assert_eq!(chosen(&answer["result"]["configOptions"]), "off");
    other
        .update(|update| {
            update["sessionUpdate"] == "config_option_update" && chosen(&update["configOptions"]) == "off"
        })
        .await;
    assert_eq!(
        turn(&world, &mut acp, &session).await,
        [json!(false), json!(false)]
    );
    for wrong in [json!("much"), json!(true), json!(7)] {
        let answer = acp.call("session/set_config_option", set(wrong)).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }

    // It holds over a restart, and for who comes in the other version.
    world.restart().await;
    let mut acp = Acp::connect(&world).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert_eq!(chosen(&loaded["result"]["configOptions"]), "off");
    assert_eq!(
        turn(&world, &mut acp, &session).await,
        [json!(false), json!(false)]
    );
    let mut two = Acp::two(Transport::Joined, &world, json!({})).await;
    let at = json!({ "sessionId": session, "cwd": world.repo() });
    let resumed = two.call("session/resume", at).await;
    let by_id = |options: &Value| {
        let mut options = options.as_array().unwrap().iter();
        options
            .find(|it| it["configId"] == "thought_level")
            .unwrap()
            .clone()
    };
    let shown = by_id(&resumed["result"]["configOptions"]);
    assert_eq!(
        (&shown["currentValue"], &shown["category"]),
        (&json!("off"), &json!("thought_level"))
    );
    let mut params = set(json!("high"));
    params["type"] = json!("id");
    let answer = two.call("session/set_config_option", params).await;
    assert_eq!(by_id(&answer["result"]["configOptions"])["currentValue"], "high");
    acp.update(|update| {
        update["sessionUpdate"] == "config_option_update" && chosen(&update["configOptions"]) == "high"
    })
    .await;
    drop(two);
    assert_eq!(turn(&world, &mut acp, &session).await, [json!(true), json!(true)]);
}

#[tokio::test]
async fn the_command_line_chooses() {
    let script = SCRIPT
        .replace("rules:\n", "  - name: gpt-other\nrules:\n")
        .replace("endpoint: chat, ", "")
        .replace(
            "match: { endpoint: chat }",
            "match: { contains: \"# Your task\" }",
        );
    let world = configured(&script, CONFIG).await;
    let lib = world.path("lib");
    fs::create_dir_all(&lib).unwrap();
    let run = |more: &[&str]| {
        let mut arguments = vec!["run", "Add greetings", "--yes"];
        arguments.extend(more);
        world.cli(&arguments)
    };
    let folder = lib.to_str().unwrap();
    let chosen = [
        "--model",
        "other/gpt-other",
        "--thought-level",
        "high",
        "--retrieval",
        "off",
        "--folder",
        folder,
    ];
    let output = run(&chosen);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let efforts = asked(&world, 0).into_iter();
    let efforts: Vec<Value> = efforts
        .map(|record| record.body["reasoning_effort"].clone())
        .collect();
    assert_eq!(efforts, ["high", "high"]);
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    let shown = world.cli(&["workflows", "show", id]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let choices = json!({
        "model": "other/gpt-other", "thought_level": "high", "retrieval": "off", "folders": [lib],
    });
    assert_eq!(shown["choices"], choices);
    for (wrong, why) in [
        (
            ["--thought-level", "much"],
            "possible values: default, off, low, medium, high",
        ),
        (["--retrieval", "perhaps"], "possible values: on, off"),
        (["--model", "other/none"], "there is no model `other/none`"),
        (["--folder", "/nowhere/at/all"], "is not a directory"),
    ] {
        let output = run(&wrong);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
