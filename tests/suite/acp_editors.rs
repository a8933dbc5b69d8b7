//! What editors do that the protocol lets them do and no other test does: message
//! for message as it was seen of them. `docs/clients.md` has the versions.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, PERMISSION, options, prompt, wire::Transport},
    questions::{QUESTION, script},
    world::{World, until_status},
};

const APPLY: &str = "Apply these changes?";

/// A client that says this of itself.
async fn client(world: &World, name: &str, capabilities: Value) -> Acp {
    let mut acp = Acp::silent(Transport::Socket, world).await;
    let info = json!({ "name": name, "version": "1.0.0" });
    let hello = json!({ "protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": info });
    let answer = acp.call("initialize", hello).await;
    assert_eq!(answer["error"], Value::Null, "{answer}");
    acp
}

/// The review of what is asked for.
async fn review(acp: &mut Acp, session: &str, words: &str) -> (u64, Value) {
    let turn = acp.ask("session/prompt", prompt(session, words)).await;
    let asked = acp.until(turn).await;
    assert_eq!(asked["params"]["toolCall"]["title"], APPLY, "{asked}");
    (turn, asked)
}

async fn ends(acp: &mut Acp, turn: u64, reason: &str) {
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], reason, "{answer}");
}

async fn refuse(acp: &mut Acp, asked: &Value) {
    let outcome = json!({ "outcome": { "outcome": "cancelled" } });
    acp.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": outcome }))
        .await;
}

/// As agent-shell does it, which names a reason that the protocol has not.
async fn interrupt(acp: &mut Acp, session: &str) {
    let params = json!({ "sessionId": session, "reason": "User cancelled" });
    acp.notify("session/cancel", params).await;
}

async fn workflows(world: &World) -> Vec<String> {
    let (_, page) = world.get("/api/workflows").await;
    let workflows = page["workflows"].as_array().unwrap().iter();
    workflows
        .map(|workflow| workflow["workflow_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn whoever_stops_at_a_review_gives_it_up_in_whatever_order() {
    // agent-shell does the first, the SDKs the second.
    for refuses_first in [true, false] {
        let world = World::new().await;
        let mut acp = client(&world, "agent-shell", json!({})).await;
        let session = acp.session(&world).await;
        let (turn, asked) = review(&mut acp, &session, "Add greetings").await;
        let id = workflows(&world).await.remove(0);
        if refuses_first {
            refuse(&mut acp, &asked).await;
            interrupt(&mut acp, &session).await;
        } else {
            interrupt(&mut acp, &session).await;
            refuse(&mut acp, &asked).await;
        }
        ends(&mut acp, turn, "cancelled").await;
        until_status(&world, &id, "cancelled").await;
        // The next words are another request, and no feedback.
        let (turn, asked) = review(&mut acp, &session, "Add greetings").await;
        acp.choose(&asked, "accept").await;
        ends(&mut acp, turn, "end_turn").await;
        assert_eq!((workflows(&world).await.len(), world.commits()), (2, 2));
    }
}

#[tokio::test]
async fn whoever_stops_after_an_answer_has_answered() {
    let check = async |option: &str, reason: &[&str], state: &str, begun: usize| {
        let world = World::new().await;
        let mut acp = client(&world, "agent-shell", json!({})).await;
        let session = acp.session(&world).await;
        let (turn, asked) = review(&mut acp, &session, "Add greetings").await;
        let id = workflows(&world).await.remove(0);
        acp.choose(&asked, option).await;
        interrupt(&mut acp, &session).await;
        let answer = acp.until(turn).await;
        let ended = answer["result"]["stopReason"].as_str().unwrap();
        assert!(reason.contains(&ended), "{option}: {answer}");
        until_status(&world, &id, state).await;
        let (turn, asked) = review(&mut acp, &session, "shout it").await;
        acp.choose(&asked, "accept").await;
        ends(&mut acp, turn, "end_turn").await;
        assert_eq!(
            (workflows(&world).await.len(), world.commits()),
            (begun, 2),
            "{option}"
        );
    };
    // The question waits for the words that follow.
    check("modify", &["end_turn", "cancelled"], "awaiting_decision", 1).await;
    check("reject", &["end_turn", "cancelled"], "rejected", 2).await;
}

#[tokio::test]
async fn a_client_that_knows_choices_by_their_kinds_is_given_one_of_each() {
    let world = World::new().await;
    let mut acp = client(&world, "CodeCompanion.nvim", json!({})).await;
    let session = acp.session(&world).await;
    let (turn, asked) = review(&mut acp, &session, "Add greetings").await;
    assert_eq!(options(&asked), PERMISSION);
    // A new file is said to be one: Toad shows no other.
    let new = asked["params"]["toolCall"]["content"].as_array().unwrap().iter();
    let new: Vec<&Value> = new
        .filter(|content| content["oldText"].is_null() && content["type"] == "diff")
        .collect();
    assert_eq!(new.len(), 1, "{asked}");
    assert!(new[0].as_object().unwrap().contains_key("oldText"), "{asked}");
    // Its *Cancel* leaves the question open for words.
    refuse(&mut acp, &asked).await;
    ends(&mut acp, turn, "cancelled").await;
    let (turn, asked) = review(&mut acp, &session, "shout it").await;
    acp.choose(&asked, "accept").await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!((workflows(&world).await.len(), world.commits()), (1, 2));
    // Every other client is shown all of them.
    let mut acp = client(&world, "toad", json!({})).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Greet louder")).await;
    let asked = acp.until(turn).await;
    assert!(options(&asked).contains(&("modify", "reject_once")), "{asked}");
}

#[tokio::test]
async fn what_a_planner_wants_to_know_is_the_question() {
    let world = World::with(&script()).await;
    let mut acp = client(&world, "agent-shell", json!({})).await;
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = acp.until(turn).await;
    let (call, options) = (&asked["params"]["toolCall"], &asked["params"]["options"]);
    assert_eq!(
        (&call["title"], &call["kind"], &call["content"]),
        (
            &json!(QUESTION),
            &json!("think"),
            &json!([{ "type": "content", "content": { "type": "text", "text": format!("E1315: {QUESTION}") } }])
        )
    );
    assert_eq!(
        options,
        &json!([
            { "optionId": "accept", "name": "Plan without an answer", "kind": "allow_once" },
            { "optionId": "reject", "name": "Stop", "kind": "reject_once" },
            { "optionId": "modify", "name": "Answer", "kind": "reject_once" },
        ])
    );
    acp.choose(&asked, "modify").await;
    ends(&mut acp, turn, "end_turn").await;
    assert!(
        acp.story().concat().contains("Your next message is the answer."),
        "{:#?}",
        acp.story()
    );
    let (turn, asked) = review(&mut acp, &session, "one person by name").await;
    acp.choose(&asked, "accept").await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!(world.commits(), 2);
}

#[tokio::test]
async fn what_a_planner_wants_to_know_is_asked_for_by_a_form() {
    let world = World::with(&script()).await;
    let forms = json!({ "elicitation": { "form": {} } });
    for (answer, title) in [
        (
            json!({ "action": "accept", "content": { "feedback": "one person by name" } }),
            APPLY,
        ),
        // Who fills in nothing is asked as the others are.
        (json!({ "action": "decline" }), QUESTION),
    ] {
        let mut acp = client(&world, "zed", forms.clone()).await;
        let session = acp.session(&world).await;
        let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
        let form = acp.until(turn).await;
        assert_eq!(
            (&form["method"], &form["params"]["message"]),
            (&json!("elicitation/create"), &json!(QUESTION))
        );
        acp.send(&json!({ "jsonrpc": "2.0", "id": form["id"], "result": answer }))
            .await;
        let asked = acp.until(turn).await;
        assert_eq!(asked["params"]["toolCall"]["title"], title, "{asked}");
        acp.choose(&asked, "reject").await;
        acp.until(turn).await;
    }
}
