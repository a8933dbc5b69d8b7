//! Two models on a server that has room for one.

use serde_json::{Value, json};

use super::{MODEL, answers, calls, submit, world};

/// Milliseconds that the second model takes to load.
const LOAD_MS: u64 = 600;

const CONFIG: &str = r"
ollama: { embed_model: null }
providers:
  coder: { kind: ollama, url: SERVER/, model: coder, num_ctx: 16384 }
roles: { code: [coder] }
";

/// The usual answers; where the request says `slow.`, its plan takes a while.
fn script() -> String {
    let [search, plan, code, tests] = answers();
    let mut slow = plan.answer.clone();
    slow["fault"] = json!({ "stall": { "tokens": 3, "ms": 3_000 } });
    let rule =
        |texts: &[&str], respond: &Value| json!({ "match": { "contains": texts }, "respond": respond });
    let rules = [
        rule(&[plan.task, "slow."], &slow),
        rule(&[search.task], &search.answer),
        rule(&[plan.task], &plan.answer),
        rule(&[code.task], &code.answer),
        rule(&[tests.task], &tests.answer),
    ];
    let models = [
        json!({ "name": MODEL, "vram_mb": 4_000 }),
        json!({ "name": "coder", "vram_mb": 4_000, "load_ms": LOAD_MS }),
    ];
    json!({ "models": models, "vram_mb": 6_000, "rules": rules }).to_string()
}

#[tokio::test]
async fn models_that_put_each_other_out_take_turns_once_that_is_measured() {
    let world = world(&script(), None, CONFIG).await;
    for name in ["first.", "second."] {
        let id = submit(&world, name).await;
        let events = world.to_review(&id).await;
        assert_eq!(
            calls(&events, "code_generation", "code"),
            ["coder answered"],
            "{name}"
        );
    }
    let before = world.ollama.requests().len();
    let slow = submit(&world, "slow.").await;
    world
        .events(&slow, 0, "full", |event| {
            event["type"] == "stage_started" && event["stage_id"] == "planning"
        })
        .await;
    let quick = submit(&world, "quick.").await;
    let (slow, quick) = tokio::join!(world.to_review(&slow), world.to_review(&quick));
    for events in [&slow, &quick] {
        assert_eq!(calls(events, "code_generation", "code"), ["coder answered"]);
    }
    // One plans for three seconds: the other's code waits for that, and says so.
    let waits = quick
        .iter()
        .filter_map(|event| event["message"].as_str())
        .any(|message| message.starts_with("waiting for coder: its server runs mistral"));
    assert!(waits, "{quick:#?}");
    let records = world.ollama.requests();
    assert!(records.iter().any(|record| record.loaded_model));
    let put_out = records[before..].iter().filter(|record| record.put_out);
    assert_eq!(put_out.count(), 0);
}
