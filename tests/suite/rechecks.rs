//! What was edited while a proposal waited is checked together with it before
//! it is written.

use serde_json::{Value, json};

use crate::world::{World, last, until};

/// A price, a rate that nobody uses yet, and a test.
const BEFORE: &str =
    "RATE = 2\n\n\ndef total(prices):\n    return sum(prices)\n\n\ndef unused():\n    return None\n";

/// What the model adds: right with that rate.
const AFTER: &str = "RATE = 2\n\n\ndef total(prices):\n    return sum(prices)\n\n\ndef unused():\n    return None\n\n\n\
                     def discount(price):\n    return price // RATE\n";

/// What the person makes of the first line meanwhile.
const RATE_OF_THE_PERSON: (&str, &str) = ("RATE = 2\n", "RATE = 0\n");

const TEST: &str = "import unittest\n\nfrom price import discount\n\n\nclass DiscountTest(unittest.TestCase):\n    \
                    def test_halves(self):\n        self.assertEqual(discount(10), 5)\n";

async fn world() -> World {
    let code = format!("price.py\n```python\n{AFTER}```\n\ntest_price.py\n```python\n{TEST}```\n");
    let script = json!({
        "models": [{ "name": "mistral:7b-instruct-v0.3-q4_K_M" }],
        "rules": [
            {
                "match": { "endpoint": "chat", "format": "present" },
                "respond": { "json": {
                    "summary": "Add a discount", "steps": ["halve it"], "files": ["price.py"],
                    "stages": [{ "stage": "test_generation", "run": false, "reason": "no" }],
                } },
            },
            { "match": { "endpoint": "chat" }, "respond": { "text": code } },
        ],
    });
    let mut world = World::prepared(&script.to_string()).await;
    world.write("price.py", BEFORE);
    world.git(&["add", "."]);
    world.git(&["commit", "-q", "-m", "prices"]);
    world.start().await;
    world
}

fn edit(world: &World, (from, to): (&str, &str)) {
    let text = world.read("price.py");
    assert!(text.contains(from), "{text}");
    world.write("price.py", &text.replacen(from, to, 1));
}

async fn accept(world: &World, id: &str) {
    assert_eq!(world.decide(id, &json!({ "decision": "accept" })).await, 204);
}

/// The outcome of a check among these events.
fn outcome<'a>(events: &'a [Value], name: &str) -> Option<&'a Value> {
    let is_it = |event: &&Value| event["type"] == "check_result" && event["name"] == name;
    events
        .iter()
        .filter(is_it)
        .map(|event| &event["status"])
        .next_back()
}

#[tokio::test]
async fn what_breaks_together_is_shown_and_committed_only_if_it_is_accepted_again() {
    let mut world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.to_review(&id).await;
    assert_eq!(
        outcome(&events, "test-unittest"),
        Some(&json!("passed")),
        "{events:#?}"
    );

    edit(&world, RATE_OF_THE_PERSON);
    let mine = world.read("price.py");
    accept(&world, &id).await;
    let again = world.on(&id, last(&events)).await;
    assert_eq!(again.last().unwrap()["type"], "decision_needed", "{again:#?}");
    assert_eq!(
        outcome(&again, "test-unittest"),
        Some(&json!("failed")),
        "{again:#?}"
    );
    let failed = again.iter().find(|event| event["outcome"] == "failed").unwrap();
    let reason = failed["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("E1214: ") && reason.contains("test-unittest: ") && reason.contains("test_halves"),
        "{reason}"
    );
    // Nothing was written, and the view has the new evidence.
    assert_eq!((world.commits(), world.read("price.py")), (2, mine));
    assert_eq!(world.git(&["status", "--porcelain"]), " M price.py");
    let view = world.get(&format!("/api/workflow/{id}")).await.1;
    assert_eq!(
        outcome(view["evidence"].as_array().unwrap(), "test-unittest"),
        Some(&json!("failed"))
    );

    // Who accepts now knows it, also after a restart; it is not run again.
    world.restart().await;
    accept(&world, &id).await;
    let rest = world.on(&id, last(&again)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");
    assert_eq!(outcome(&rest, "test-unittest"), None);
    assert_eq!(world.commits(), 3);
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(
        message.contains("test-unittest FAILED") && message.contains("(checked again after merging)"),
        "{message}"
    );
    // The person's own line is theirs to commit.
    assert!(world.git(&["show", "HEAD:price.py"]).starts_with("RATE = 2\n"));
    assert!(world.read("price.py").starts_with("RATE = 0\n"));
}

#[tokio::test]
async fn what_holds_together_is_committed_at_once() {
    let world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.to_review(&id).await;
    edit(&world, ("RATE = 2\n", "RATE = 2  # of two\n"));
    accept(&world, &id).await;
    let rest = world.on(&id, last(&events)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");
    assert_eq!(
        outcome(&rest, "test-unittest"),
        Some(&json!("passed")),
        "{rest:#?}"
    );
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(
        message.contains("test-unittest passed") && message.contains("(checked again after merging)"),
        "{message}"
    );
}

#[tokio::test]
async fn what_is_as_it_was_proposed_is_not_checked_twice() {
    let world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.to_review(&id).await;
    world.write("notes.txt", "mine\n");
    accept(&world, &id).await;
    let rest = world.on(&id, last(&events)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");
    assert_eq!(outcome(&rest, "test-unittest"), None, "{rest:#?}");
    let message = world.git(&["log", "-1", "--format=%B"]);
    assert!(!message.contains("checked again"), "{message}");
}

#[tokio::test]
async fn a_part_is_checked_by_itself() {
    let world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.to_review(&id).await;
    // The test without what it tests.
    let part = json!({ "decision": "accept", "hunks": [{ "path": "test_price.py" }] });
    assert_eq!(world.decide(&id, &part).await, 204);
    let again = world.on(&id, last(&events)).await;
    assert_eq!(
        outcome(&again, "test-unittest"),
        Some(&json!("failed")),
        "{again:#?}"
    );
    assert_eq!(again.last().unwrap()["type"], "decision_needed", "{again:#?}");
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    // All of it, unchanged, was checked before; but the evidence is now another.
    accept(&world, &id).await;
    let rest = world.on(&id, last(&again)).await;
    assert_eq!(rest.last().unwrap()["state"], "completed", "{rest:#?}");
    assert_eq!(
        outcome(&rest, "test-unittest"),
        Some(&json!("passed")),
        "{rest:#?}"
    );
}

#[tokio::test]
async fn killed_while_it_checks_again_it_checks_again_and_a_cancel_ends_it() {
    let mut world = world().await;
    let id = world.submit("Add a discount").await;
    let events = world.to_review(&id).await;
    // With this the test waits.
    edit(
        &world,
        (
            "RATE = 2\n",
            "class Slow(int):\n    def __rfloordiv__(self, price):\n        print(\"waiting\", flush=True)\n        \
             import time\n        time.sleep(100_000)\n\n\nRATE = Slow(2)\n",
        ),
    );
    accept(&world, &id).await;
    let waits = |event: &Value| {
        event["stage_id"] == "apply"
            && event["delta"]
                .as_str()
                .is_some_and(|text| text.contains("waiting"))
    };
    let seen = world.events(&id, last(&events), "delta", waits).await;
    world.restart().await;
    let seen = world.events(&id, last(&seen), "delta", waits).await;
    let (status, body) = world
        .post(&format!("/api/workflow/{id}/cancel"), &json!({}))
        .await;
    assert_eq!(status, 204, "{body}");
    let rest = world.on(&id, last(&seen)).await;
    assert_eq!(rest.last().unwrap()["state"], "cancelled", "{rest:#?}");
    assert_eq!(world.commits(), 2);
    assert_eq!(world.git(&["status", "--porcelain"]), " M price.py");
    let copies = world.path("data/trials");
    until("what ran to end", || {
        let mut places = std::fs::read_dir(&copies).unwrap().flatten();
        let is_empty = |place: &std::fs::DirEntry| {
            std::fs::read_dir(place.path().join("copies")).is_ok_and(|mut left| left.next().is_none())
        };
        places.all(|place| is_empty(&place)).then_some(())
    })
    .await;
}
