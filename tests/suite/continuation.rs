//! The backend is killed while the model writes, and the model goes on with
//! what it had written.

use std::{cell::Cell, fmt::Write as _};

use scripted_ollama::{Endpoint, Record, count_tokens};
use serde_json::Value;

use crate::world::{PATIENCE, World, beginning, brief, of};

/// Tokens that may be generated again.
const AGAIN_MAX: usize = 64;

/// Where the first answer stops.
const CUT: usize = 900;

/// An answer of somewhat more than a thousand tokens.
fn answer() -> String {
    let mut text = "A file.\n\ngreeting.py\n```python\n".to_owned();
    for n in 0.. {
        if count_tokens(&text) >= 1_000 {
            break;
        }
        writeln!(
            text,
            "def greet_{n}(name):\n    return \"{n}: hello, \" + name\n\n"
        )
        .unwrap();
    }
    text.push_str("```\n");
    text
}

/// A script whose first answer stalls after [`CUT`] tokens. `model` and `second`
/// are what is special about the model, and about its second answer.
fn script(model: &str, second: &str) -> String {
    let text = answer().replace('\n', "\n        ");
    let models = format!("q4_K_M\n{model}\n  - name: another\n");
    let beginning = beginning().replace("q4_K_M\n", &models);
    format!(
        r#"{beginning}  - name: begins
    match: {{ endpoint: chat, nth: 1 }}
    respond:
      stall_after_tokens: {CUT}
      tokens_per_second: 400
      text: |
        {text}
  - name: goes on
    match: {{ endpoint: chat, nth: 1 }}
    respond:
      {second}
      text: |
        {text}
  - name: goes on again
    match: {{ endpoint: chat }}
    respond:
      text: |
        {text}
"#
    )
}

/// Runs until the first answer has stalled, and kills the backend.
async fn killed(script: &str) -> (World, String) {
    let mut world = World::with(script).await;
    let id = world.submit("Add greetings").await;
    let stalled = |records: &[Record]| {
        of(records, "begins")
            .iter()
            .any(|record| record.tokens_sent as usize == CUT)
    };
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(stalled))
        .await
        .expect("the model writes");
    world.kill();
    (world, id)
}

/// The text of the last attempt, put together as a client does.
fn text(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        match event["type"].as_str() {
            Some("stage_started") if event["stage_id"] == "code_generation" => text.clear(),
            Some("agent_streaming_update") if event["stage_id"] == "code_generation" => {
                assert_eq!(event["offset"], text.chars().count());
                text.push_str(event["delta"].as_str().unwrap());
                assert_eq!(event["partial_result"], text.as_str());
            }
            _ => {}
        }
    }
    text
}

#[tokio::test]
async fn after_a_kill_at_token_900_of_1000_at_most_64_are_generated_again() {
    let (mut world, id) = killed(&script("", "")).await;
    world.start().await;
    let events = world.accept(&id).await;
    let story = brief(&events);
    let count = |what: &str| story.iter().filter(|line| *line == what).count();
    assert_eq!(count("attempt_resumed"), 1, "{story:#?}");
    assert_eq!(count("attempt_discarded"), 0, "{story:#?}");
    assert_eq!(count("start code_generation 1"), 1, "{story:#?}");
    assert_eq!(story.last().unwrap(), "completed");
    assert_eq!(text(&events), answer());

    let records = world.ollama.requests();
    let (begun, rest) = (of(&records, "begins"), of(&records, "goes on"));
    assert_eq!((begun.len(), rest.len()), (1, 1));
    let resumed = events.iter().find(|event| event["type"] == "attempt_resumed");
    let at = resumed.unwrap()["resumed_at_token"].as_u64().unwrap() as usize;
    assert!(at + AGAIN_MAX >= CUT && at <= CUT, "resumed at {at}");
    let shown = rest[0].last_message("assistant");
    assert!(answer().starts_with(shown) && !shown.ends_with(char::is_whitespace));
    let generated = (begun[0].tokens_sent + rest[0].tokens_sent) as usize;
    let all = count_tokens(&answer());
    assert!(generated <= all + AGAIN_MAX, "{generated} tokens for {all}");
    // Together no more than one answer may have.
    let limit = |record: &Record| record.body["options"]["num_predict"].as_u64().unwrap() as usize;
    assert_eq!(limit(rest[0]) + at, limit(begun[0]));
    let asked = |record: &Record| {
        let mut messages = record.body["messages"].as_array().unwrap().clone();
        messages.retain(|message| message["role"] != "assistant");
        messages
    };
    assert_eq!(asked(rest[0]), asked(begun[0]), "the same question");
    assert_eq!(world.ollama.script_errors(), Vec::<String>::new());
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn killed_again_it_still_is_one_answer() {
    let script = script("", "stall_after_tokens: 50");
    let (mut world, id) = killed(&script).await;
    world.start().await;
    let at = Cell::new(None);
    // What a client has is on disk: nearly all that the model wrote by then.
    world
        .events(&id, 0, "delta", |event| {
            at.set(at.get().or(event["resumed_at_token"].as_u64()));
            at.get()
                .is_some_and(|at| event["tokens_so_far"].as_u64() >= Some(at + 50))
        })
        .await;
    world.restart().await;
    let events = world.to_review(&id).await;
    assert_eq!(text(&events), answer());
    let resumed: Vec<u64> = events
        .iter()
        .filter_map(|event| event["resumed_at_token"].as_u64())
        .collect();
    assert_eq!(resumed, [at.get().unwrap(), at.get().unwrap() + 50]);
}

/// The attempt is dropped and another one begins, from nothing.
async fn check_anew(mut world: World, id: String, reason: &str) {
    world.start().await;
    let events = world.to_review(&id).await;
    let discarded: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "attempt_discarded")
        .collect();
    assert_eq!(discarded.len(), 1, "{:#?}", brief(&events));
    assert_eq!(discarded[0]["reason"], reason);
    assert!(!brief(&events).iter().any(|line| line == "attempt_resumed"));
    assert_eq!(text(&events), answer());
    let records = world.ollama.requests();
    let last = records
        .iter()
        .rev()
        .find(|record| record.endpoint == Endpoint::Chat);
    assert_eq!(
        last.unwrap().last_message("assistant"),
        "",
        "nothing of the old text"
    );
}

#[tokio::test]
async fn another_model_does_not_go_on() {
    let (mut world, id) = killed(&script("", "")).await;
    world.argue(&["--model", "another"]);
    check_anew(world, id, "another model was configured meanwhile").await;
}

#[tokio::test]
async fn another_question_is_not_gone_on_with() {
    let (world, id) = killed(&script("", "")).await;
    world.write("app.py", "def main():\n    print(\"changed by hand\")\n");
    check_anew(world, id, "what the model is asked has changed meanwhile").await;
}

#[tokio::test]
async fn another_thought_level_is_not_gone_on_with() {
    let (mut world, id) = killed(&script("", "")).await;
    world.configure("ollama: { thinking: low }\n");
    check_anew(world, id, "what the model is asked has changed meanwhile").await;
}

#[tokio::test]
async fn a_model_that_thinks_does_not_go_on() {
    let (world, id) = killed(&script("    kind: thinking", "")).await;
    check_anew(world, id, "the model cannot go on with an answer").await;
}

#[tokio::test]
async fn a_server_that_begins_anew_is_noticed() {
    let (world, id) = killed(&script("", "begins_anew: true")).await;
    check_anew(world, id, "the model did not go on with its answer").await;
}
