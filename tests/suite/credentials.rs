//! A credential that a person puts into their words reaches no file of the
//! backend's and no model.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, prompt as in_words},
    world::{World, last},
};

const KEY: &str = "sk-0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "correct-horse-battery";
const PRIVATE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";

/// A word of the requests that stays.
const MARK: &str = "marzipan";

/// Names of the files below that hold any of `words`.
fn holding(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(holding(&path, words));
        } else if let Ok(bytes) = fs::read(&path) {
            let holds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
            if words.iter().any(|word| holds(word)) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn said(events: &[Value]) -> usize {
    let is_one = |event: &&Value| event["type"] == "notice" && event["code"] == "E1024";
    events.iter().filter(is_one).count()
}

#[tokio::test]
async fn in_a_persons_words_are_neither_kept_nor_shown_to_a_model() {
    let mut world = World::new().await;
    let id = world
        .submit(&format!(
            "Add {MARK} greetings for postgres://me:{PASSWORD}@localhost/app"
        ))
        .await;
    let path = format!("/api/workflow/{id}/remark");
    let remark = format!("The key is {KEY}, {MARK}");
    assert_eq!(world.post(&path, &json!({ "text": remark })).await.0, 204);
    let before = world.to_review(&id).await;
    let feedback = format!("shout it\n-----BEGIN PRIVATE KEY-----\n{PRIVATE}\n-----END PRIVATE KEY-----");
    world
        .answer(&id, json!({ "decision": "modify", "feedback": feedback }))
        .await;
    world.on(&id, last(&before)).await;
    world.answer(&id, json!({ "decision": "accept" })).await;
    let events = world.to_end(&id).await;
    assert_eq!(said(&events), 3);

    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let file = json!({ "uri": "file:///notes.txt", "text": format!("key: {KEY}") });
    let prompt = json!([
        { "type": "text", "text": format!("Add {MARK} with {KEY}") },
        { "type": "resource", "resource": file },
    ]);
    let turn = acp
        .ask(
            "session/prompt",
            json!({ "sessionId": session, "prompt": prompt }),
        )
        .await;
    let question = acp.until(turn).await;
    acp.choose(&question, "accept").await;
    acp.until(turn).await;
    let story = acp.story().join("\n");
    assert!(story.contains("credential was left out"), "{story}");

    let named = json!({ "sessionId": session, "title": format!("All about {KEY}") });
    acp.call("session/set_title", named).await;
    let search = acp
        .call("session/prompt", in_words(&session, &format!("/search {KEY}")))
        .await;
    assert_eq!(search["result"]["stopReason"], "end_turn", "{search}");

    // Everything that was written is found in the files themselves.
    assert_eq!(world.terminate(), Some(0));
    let data = world.path("data");
    assert_ne!(holding(&data, &[MARK]), Vec::<String>::new());
    assert_eq!(holding(&data, &[KEY, PASSWORD, PRIVATE]), Vec::<String>::new());
    let asked = json!(world.ollama.requests()).to_string();
    assert!(asked.contains(MARK) && asked.contains("[redacted]"));
    let log = world.log();
    for secret in [KEY, PASSWORD, PRIVATE] {
        assert!(!asked.contains(secret) && !log.contains(secret), "{secret}");
    }
}
