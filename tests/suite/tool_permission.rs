//! A model may call a tool that may change something when a person has allowed the
//! call: they are asked once, whatever happens, and it is called once at most.

use proto::v1::{self, workflow_service_client::WorkflowServiceClient};
use scripted_ollama::Record;
use serde_json::{Value, json};
use shared::crash;

use crate::{
    acp_client::{Acp, PERMISSION, options, prompt, wire::Transport},
    tools::{calls, configured},
    world::{World, beginning, last, of, until},
};

const WRITTEN: &str = r#"{ text: "greeting.py\n```python\nGREETING = 'hello'\n```\n" }"#;

/// A model that calls these tools, and writes when it was told what came of it.
fn script(calls: &str) -> String {
    let beginning = beginning();
    format!(
        r#"{beginning}  - name: not offered
    match: {{ endpoint: chat, contains: "Add greetings without it" }}
    respond: {WRITTEN}
  - name: unsure
    match: {{ endpoint: chat, contains: "nobody knows whether it was done", in: all }}
    respond: {WRITTEN}
  - name: refused
    match: {{ endpoint: chat, contains: "[the person d", in: all }}
    respond: {WRITTEN}
  - name: told
    match: {{ endpoint: chat, contains: "is rewritten.", in: all }}
    respond: {WRITTEN}
  - name: asks
    match: {{ endpoint: chat }}
    respond:
      text: "I look at the rules first."
      tool_calls: [{calls}]
"#
    )
}

const READS: &str = "{ name: house__rules, arguments: { topic: greetings } }";
const WRITES: &str = "{ name: house__rewrite, arguments: { topic: greetings } }";

/// A backend whose model reads and then writes; none without the server.
async fn world() -> Option<World> {
    configured(&script(&format!("{READS}, {WRITES}")), "").await
}

fn question() -> Value {
    json!({
        "about": "tool_call",
        "stage_id": "code_generation",
        "call": {
            "server": "house", "tool": "rewrite", "title": "rewrite", "effect": "destroys",
            "arguments": r#"{"topic":"greetings"}"#,
        },
    })
}

async fn submit(world: &World, query: &str, number: u32) -> String {
    let mut request = world.request(query);
    request["correlation_id"] = json!(format!("req_leave_{number}"));
    let (status, body) = world.post("/api/workflow/submit", &request).await;
    assert_eq!(status, 202, "{body}");
    body["workflow_id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_asked(events: &[Value], expect: &Value) {
    assert_eq!(events.last().unwrap()["question"], *expect, "{events:#?}");
}

#[track_caller]
fn is_review(events: &[Value]) {
    is_asked(events, &json!({ "about": "review" }));
}

/// How often each rule answered.
fn count(world: &World, rule: &str) -> usize {
    of(&world.ollama.requests(), rule).len()
}

/// What the model was told last, of each of its calls.
fn told(record: &Record) -> Vec<String> {
    let messages = record.body["messages"].as_array().unwrap();
    let answers = messages.iter().filter(|message| message["role"] == "tool");
    answers
        .map(|answer| answer["content"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn asked_before_a_kill_and_after_it_is_called_once_when_it_is_allowed() {
    let Some(mut world) = world().await else { return };
    let id = world.submit("Add greetings").await;
    let events = world.on(&id, 0).await;
    is_asked(&events, &question());
    assert_eq!(events.last().unwrap()["options"], json!(["accept", "reject"]));
    assert_eq!(calls(&world), "greetings\n", "what only reads is called");

    world.restart().await;
    let asked = world.on(&id, last(&events) - 1).await;
    is_asked(&asked, &question());
    let path = format!("/api/workflow/{id}/decision");
    let (status, body) = world
        .post(&path, &json!({ "decision": "modify", "feedback": "perhaps" }))
        .await;
    assert_eq!((status, &body["code"]), (400, &json!("E1001")), "{body}");
    assert_eq!(
        calls(&world),
        "greetings\n",
        "nothing is called before the answer"
    );

    world.answer(&id, json!({ "decision": "accept" })).await;
    let rest = world.on(&id, last(&asked)).await;
    is_review(&rest);
    assert_eq!(calls(&world), "greetings\nrewrite greetings\n");
    assert_eq!(count(&world, "asks"), 1, "its answer was kept");
    let records = world.ollama.requests();
    assert_eq!(
        told(of(&records, "told")[0]),
        ["Greetings are shouted.", "The rule of greetings is rewritten."]
    );
    // After another kill nothing is called, and nobody is asked.
    world.restart().await;
    world.answer(&id, json!({ "decision": "accept" })).await;
    let rest = world.on(&id, last(&rest)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");
    assert_eq!(calls(&world), "greetings\nrewrite greetings\n");
    assert_eq!(world.commits(), 2);
    assert_eq!(world.ollama.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn killed_in_a_call_it_is_not_called_again_and_the_model_is_told() {
    let Some(mut world) = world().await else { return };
    let id = world.submit("Add greetings").await;
    let events = world.on(&id, 0).await;
    is_asked(&events, &question());
    world.kill();
    assert!(world.try_start(&[(crash::AT, "toolbox:before_call")]).await);
    // The answer may not come: it is in the journal before the process dies.
    let answer = json!({ "decision": "accept" });
    let _died = world
        .try_post(&format!("/api/workflow/{id}/decision"), &answer)
        .await;
    until("the process to die", || world.has_ended().then_some(())).await;
    world.restart().await;
    let rest = world.on(&id, last(&events)).await;
    is_review(&rest);
    assert_eq!(calls(&world), "greetings\n", "it died right before it called");
    assert_eq!((count(&world, "asks"), count(&world, "unsure")), (1, 1));
}

#[tokio::test]
async fn each_call_of_an_answer_is_asked_about() {
    let more = |topic: &str| format!("{{ name: house__rewrite, arguments: {{ topic: {topic} }} }}");
    let all = [WRITES.to_owned(), more("farewells"), more("thanks")].join(", ");
    let Some(mut world) = configured(&script(&all), "").await else {
        return;
    };
    let id = world.submit("Add greetings").await;
    let first = world.on(&id, 0).await;
    is_asked(&first, &question());
    world
        .answer(
            &id,
            json!({ "decision": "reject", "feedback": "greetings are fine" }),
        )
        .await;
    let second = world.on(&id, last(&first)).await;
    let about = |topic: &str| {
        let mut other = question();
        other["call"]["arguments"] = json!(format!(r#"{{"topic":"{topic}"}}"#));
        other
    };
    is_asked(&second, &about("farewells"));
    world.restart().await;
    world.answer(&id, json!({ "decision": "accept" })).await;
    let third = world.on(&id, last(&second)).await;
    is_asked(&third, &about("thanks"));
    world.answer(&id, json!({ "decision": "accept" })).await;
    let rest = world.on(&id, last(&third)).await;
    is_review(&rest);
    assert_eq!(calls(&world), "rewrite farewells\nrewrite thanks\n");
    assert_eq!(count(&world, "asks"), 1);
    let records = world.ollama.requests();
    assert_eq!(
        told(of(&records, "refused")[0]),
        [
            "[the person did not allow this call, and said: greetings are fine]",
            "The rule of farewells is rewritten.",
            "The rule of thanks is rewritten."
        ]
    );
}

#[tokio::test]
async fn always_holds_for_the_tool_in_the_workspace_until_it_is_taken_back() {
    let Some(mut world) = world().await else { return };
    let id = world.submit("Add greetings").await;
    let events = world.on(&id, 0).await;
    is_asked(&events, &question());
    let mut workflows = WorkflowServiceClient::connect(world.url().to_owned())
        .await
        .unwrap();
    let answer = v1::DecideRequest {
        workflow_id: id.clone(),
        decision: v1::Decision::Accept.into(),
        remember: true,
        ..v1::DecideRequest::default()
    };
    workflows.decide(answer).await.unwrap();
    is_review(&world.on(&id, last(&events)).await);

    world.restart().await;
    let other = submit(&world, "Add greetings", 1).await;
    is_review(&world.on(&other, 0).await);
    let both = "greetings\nrewrite greetings\n";
    assert_eq!(calls(&world), both.repeat(2));

    let says = |arguments: &[&str]| String::from_utf8(world.cli(arguments).stdout).unwrap();
    let line = format!("{}: always call `rewrite` of `house`", world.repo().display());
    assert_eq!(says(&["consents", "list"]).trim(), line);
    assert!(says(&["consents", "revoke"]).contains("taken back"));
    let third = submit(&world, "Add greetings", 2).await;
    is_asked(&world.on(&third, 0).await, &question());
    // Stopped while it asks, it is over.
    let (status, _) = world
        .post(&format!("/api/workflow/{third}/cancel"), &json!({}))
        .await;
    assert_eq!(status, 204);
    assert_eq!(calls(&world), both.repeat(2) + "greetings\n");
}

#[tokio::test]
async fn never_is_told_to_the_model_and_hides_the_tool_from_then_on() {
    let Some(mut world) = world().await else { return };
    let id = world.submit("Add greetings").await;
    let events = world.on(&id, 0).await;
    is_asked(&events, &question());
    world
        .answer(&id, json!({ "decision": "reject", "remember": true }))
        .await;
    let rest = world.on(&id, last(&events)).await;
    is_review(&rest);
    assert_eq!((count(&world, "asks"), count(&world, "refused")), (1, 1));
    world.answer(&id, json!({ "decision": "accept" })).await;
    let rest = world.on(&id, last(&rest)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");

    world.restart().await;
    let other = submit(&world, "Add greetings without it", 1).await;
    world.on(&other, 0).await;
    assert_eq!(calls(&world), "greetings\n");
    let records = world.ollama.requests();
    let names = |record: &Record| record.body["tools"].to_string();
    let offered = names(of(&records, "not offered").last().unwrap());
    assert!(
        offered.contains("house__rules") && !offered.contains("house__rewrite"),
        "{offered}"
    );
}

#[tokio::test]
async fn what_is_not_listed_can_be_hidden() {
    let script = script("{ name: house__rewrite, arguments: { topic: greetings } }");
    let Some(world) = configured(&script, "mcp: { unlisted: hide, rounds_max: 1 }\n").await else {
        return;
    };
    let id = submit(&world, "Add greetings without it", 1).await;
    is_review(&world.on(&id, 0).await);
    let records = world.ollama.requests();
    let offered = of(&records, "not offered").last().unwrap().body["tools"].to_string();
    assert!(
        offered.contains("house__rules") && !offered.contains("house__rewrite"),
        "{offered}"
    );
}

#[tokio::test]
async fn the_command_line_says_no_where_nobody_is_there() {
    let Some(world) = world().await else { return };
    let output = world.cli(&["run", "--json", "--yes", "Add greetings"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(calls(&world), "greetings\n");
    assert_eq!(count(&world, "refused"), 1);
    assert_eq!(world.commits(), 2);
}

/// The next question, whatever is said before it.
async fn asked(acp: &mut Acp) -> Value {
    loop {
        let message = acp.next().await;
        if message["method"] == "session/request_permission" {
            return message;
        }
        assert!(message.get("error").is_none(), "{message}");
    }
}

#[tokio::test]
async fn all_clients_of_a_session_are_asked_and_the_first_answer_counts() {
    let Some(world) = world().await else { return };
    let mut first = Acp::connect(&world).await;
    let mut second = Acp::two(Transport::Socket, &world, json!({})).await;
    let session = first.session(&world).await;
    second.go_to("session/resume", &world, &session).await;
    let turn = first
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    let question = asked(&mut first).await;
    let call = &question["params"]["toolCall"];
    assert_eq!(call["title"], "Call house: rewrite? It may destroy something.");
    assert_eq!(call["kind"], "delete");
    assert_eq!(call["rawInput"], json!({ "topic": "greetings" }));
    assert_eq!(options(&question), PERMISSION);
    let question_too = asked(&mut second).await;
    assert_eq!(question_too["params"]["title"], call["title"], "{question_too}");
    // One that comes later is told of the call, and asked.
    let mut third = Acp::connect(&world).await;
    third.go_to("session/load", &world, &session).await;
    let question_last = asked(&mut third).await;
    assert_eq!(question_last["params"], question["params"]);
    let id = call["toolCallId"].as_str().unwrap().to_owned();
    // One that goes, and one that says nothing, answer nothing.
    drop(first);
    assert_eq!(calls(&world), "greetings\n");

    second.choose(&question_too, "accept_always").await;
    third.until_withdrawn(&question_last).await;
    let review = asked(&mut second).await;
    third
        .update(|update| update["toolCallId"] == *id && update["status"] == "completed")
        .await;
    assert_eq!(calls(&world), "greetings\nrewrite greetings\n");
    second.choose(&review, "reject").await;
    // The next workflow of the session is not asked.
    let turn_too = third
        .ask("session/prompt", prompt(&session, "Add greetings, please"))
        .await;
    let review = third.until(turn_too).await;
    assert_eq!(
        review["params"]["options"].as_array().unwrap().len(),
        5,
        "{review}"
    );
    assert!(calls(&world).ends_with("rewrite greetings\n"), "{turn}");
}
