//! Sessions of the Agent Client Protocol that outlive connections, clients and
//! backends, and several clients on one of them.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, prompt},
    world::{World, until_status},
};

/// Up to the question, or the end of the turn.
async fn to_question(acp: &mut Acp, turn: u64) -> Value {
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    question
}

async fn ends(acp: &mut Acp, turn: u64, reason: &str) {
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], reason, "{answer}");
}

/// What somebody sees who was there all the time, and who comes later.
fn seen(acp: &Acp) -> Vec<String> {
    let mut story = acp.story();
    // Names and commands come beside what happens.
    let apart = ["session_info_update", "available_commands_update"];
    story.retain(|line| !apart.iter().any(|kind| line.starts_with(kind)));
    story
}

#[tokio::test]
async fn begun_over_a_socket_killed_on_both_sides_it_is_finished_over_stdio() {
    let mut world = World::new().await;
    let (session, before) = {
        let mut acp = Acp::connect(&world).await;
        let session = acp.session(&world).await;
        let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
        let question = to_question(&mut acp, turn).await;
        acp.choose(&question, "modify").await;
        ends(&mut acp, turn, "end_turn").await;
        let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
        to_question(&mut acp, turn).await;
        // The client goes without a word, and so does the backend.
        (session, seen(&acp))
    };
    world.kill();
    // Nobody else runs here: the program is the backend, and then it is killed.
    let mut acp = Acp::run(&world).await;
    let listed = acp.call("session/list", json!({ "cwd": world.repo() })).await;
    let sessions = listed["result"]["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1, "{listed}");
    assert_eq!(sessions[0]["sessionId"], session.as_str());
    assert_eq!(sessions[0]["title"], "Add greetings");
    assert_eq!(sessions[0]["cwd"], json!(world.repo()));
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
    let question = acp.next().await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    let replayed = seen(&acp);
    acp.kill().await;
    drop(acp);

    let mut acp = Acp::run(&world).await;
    acp.go_to("session/load", &world, &session).await;
    let question = acp.next().await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.choose(&question, "accept").await;
    acp.update(|update| {
        let text = update["content"]["text"].as_str().unwrap_or_default();
        text.contains("Committed")
    })
    .await;
    assert_eq!(world.commits(), 2);
    assert!(world.read("greeting.py").contains("HELLO"));

    // What was said by the person is told to whoever comes later.
    let told = |story: &[String], words: &str| story.iter().any(|line| line == words);
    for words in [
        "user_message_chunk: Add greetings",
        "user_message_chunk: shout it",
    ] {
        assert!(told(&replayed, words) && !told(&before, words), "{replayed:#?}");
    }
    // And of the work, all that the first client had seen.
    let calls = |story: &[String]| -> Vec<String> {
        let calls = story.iter().filter(|line| line.starts_with("tool_call"));
        calls.cloned().collect()
    };
    assert_eq!(calls(&replayed), calls(&before));

    // A further request goes on in the same session.
    acp.updates.clear();
    let turn = acp
        .ask("session/prompt", prompt(&session, "Add greetings again"))
        .await;
    let answer = acp.until(turn).await;
    if answer["method"] == "session/request_permission" {
        acp.choose(&answer, "reject").await;
        ends(&mut acp, turn, "end_turn").await;
    }
    let (listed, _) = (acp.call("session/list", json!({})).await, ());
    assert_eq!(listed["result"]["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn all_clients_of_a_session_see_the_same_and_one_answer_counts() {
    let world = World::new().await;
    let (mut first, mut second) = (Acp::connect(&world).await, Acp::run(&world).await);
    let session = first.session(&world).await;
    let resumed = second.go_to("session/resume", &world, &session).await;
    assert_eq!(resumed["error"], Value::Null, "{resumed}");
    let turn = first
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    let asked = to_question(&mut first, turn).await;
    let asked_too = second.next().await;
    assert_eq!(asked_too["params"], asked["params"]);
    // A third comes while it is asked, and is told all and asked as well.
    let mut third = Acp::connect(&world).await;
    third.go_to("session/load", &world, &session).await;
    let asked_last = third.next().await;
    assert_eq!(asked_last["params"], asked["params"]);
    // Who did not ask wants changes: the others are asked no more, and the turn ends.
    second.choose(&asked_too, "modify").await;
    third.until_withdrawn(&asked_last).await;
    first.until_withdrawn(&asked).await;
    ends(&mut first, turn, "end_turn").await;
    // The third says what, and the second accepts.
    let turn = third.ask("session/prompt", prompt(&session, "shout it")).await;
    let asked_last = to_question(&mut third, turn).await;
    let asked = first.next().await;
    let asked_too = second.next().await;
    second.choose(&asked_too, "accept").await;
    third.until_withdrawn(&asked_last).await;
    first.until_withdrawn(&asked).await;
    ends(&mut third, turn, "end_turn").await;
    assert_eq!(world.commits(), 2);
    let over = |update: &Value| {
        let call = update["toolCallId"].as_str().unwrap_or_default();
        call.contains(":apply:") && update["status"] == "completed"
    };
    first.update(over).await;
    second.update(over).await;
    // The same for all, but each was spared its own words.
    let without = |acp: &Acp, own: &str| -> Vec<String> {
        let mut story = seen(acp);
        story.retain(|line| line != own);
        story
    };
    let whole = seen(&second);
    assert_eq!(
        without(&second, "user_message_chunk: Add greetings"),
        seen(&first)
    );
    assert_eq!(without(&second, "user_message_chunk: shout it"), seen(&third));
    assert!(
        whole.contains(&"user_message_chunk: shout it".to_owned()),
        "{whole:#?}"
    );
}

#[tokio::test]
async fn a_workflow_goes_on_without_its_client_and_a_prompt_joins_it() {
    let world = World::new().await;
    world.ollama.gate().close();
    let session = {
        let mut acp = Acp::connect(&world).await;
        let session = acp.session(&world).await;
        acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
        world.until_asked("plan").await;
        session
    };
    let mut acp = Acp::connect(&world).await;
    acp.go_to("session/resume", &world, &session).await;
    let turn = acp
        .ask("session/prompt", prompt(&session, "with a full stop"))
        .await;
    // Words to a workflow that runs are a remark, and the turn is its.
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    world
        .events(id, 0, "delta", |event| event["type"] == "remarked")
        .await;
    world.ollama.gate().open();
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "accept").await;
    ends(&mut acp, turn, "end_turn").await;
    assert_eq!(world.commits(), 2);
    let (_, page) = world.get("/api/workflows").await;
    assert_eq!(page["workflows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_is_closed_by_the_last_and_deleted_for_all() {
    let world = World::new().await;
    world.ollama.gate().close();
    let (mut first, mut second) = (Acp::connect(&world).await, Acp::connect(&world).await);
    let session = first.session(&world).await;
    second.go_to("session/resume", &world, &session).await;
    let turn = first
        .ask("session/prompt", prompt(&session, "Add greetings"))
        .await;
    world.until_asked("plan").await;
    let (_, page) = world.get("/api/workflows").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap().to_owned();
    let by_id = json!({ "sessionId": session });
    // One of two, who does not run the turn.
    let closed = second.call("session/close", by_id.clone()).await;
    assert_eq!(closed["result"], json!({}), "{closed}");
    until_status(&world, &id, "running").await;
    // Who runs it.
    let closing = first.ask("session/close", by_id.clone()).await;
    let mut answers = vec![first.next().await, first.next().await];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(answers[0]["id"], turn);
    assert_eq!(answers[0]["result"]["stopReason"], "cancelled", "{answers:?}");
    assert_eq!(
        (&answers[1]["id"], &answers[1]["result"]),
        (&json!(closing), &json!({}))
    );
    until_status(&world, &id, "cancelled").await;
    // It is still there, and then it is not, however often it is deleted.
    let listed = first.call("session/list", json!({})).await;
    assert_eq!(listed["result"]["sessions"][0]["sessionId"], session.as_str());
    for _ in 0..2 {
        let deleted = second.call("session/delete", by_id.clone()).await;
        assert_eq!(deleted["result"], json!({}), "{deleted}");
    }
    let listed = first.call("session/list", json!({})).await;
    assert_eq!(listed["result"]["sessions"], json!([]));
    for (method, params) in [
        ("session/prompt", prompt(&session, "x")),
        ("session/close", by_id.clone()),
        (
            "session/load",
            json!({ "sessionId": session, "cwd": world.repo(), "mcpServers": [] }),
        ),
        (
            "session/resume",
            json!({ "sessionId": "no/id", "cwd": world.repo() }),
        ),
    ] {
        let answer = first.call(method, params).await;
        assert_eq!(answer["error"]["code"], -32002, "{method}: {answer}");
        assert_eq!(answer["error"]["data"]["code"], "E1021", "{method}: {answer}");
    }
    // The workflow stays.
    let (status, _) = world.get(&format!("/api/workflow/{id}")).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_and_by_folder() {
    let world = World::new().await;
    let mut acp = Acp::connect(&world).await;
    let mut expect = Vec::new();
    for _ in 0..53 {
        expect.insert(0, acp.session(&world).await);
    }
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let other = acp
        .call("session/new", json!({ "cwd": elsewhere, "mcpServers": [] }))
        .await;
    let mut listed = async |params: Value| {
        let answer = acp.call("session/list", params).await;
        let ids = answer["result"]["sessions"].as_array().unwrap().iter();
        let ids: Vec<String> = ids
            .map(|info| info["sessionId"].as_str().unwrap().to_owned())
            .collect();
        (ids, answer["result"]["nextCursor"].clone())
    };
    let (first, cursor) = listed(json!({ "cwd": world.repo() })).await;
    assert_eq!(first, expect[..50]);
    let (second, end) = listed(json!({ "cwd": world.repo(), "cursor": cursor })).await;
    assert_eq!((second, end), (expect[50..].to_vec(), Value::Null));
    let (there, _) = listed(json!({ "cwd": format!("{}/", elsewhere.display()) })).await;
    assert_eq!(json!(there), json!([other["result"]["sessionId"]]));
    assert_eq!(listed(json!({ "cwd": "/nowhere" })).await.0, Vec::<String>::new());
    for params in [
        json!({ "cwd": "repo" }),
        json!({ "cursor": "none" }),
        json!({ "cursor": "a/b" }),
    ] {
        let answer = acp.call("session/list", params.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    }
    // A session stays about its folder.
    let params = json!({ "sessionId": expect[0], "cwd": elsewhere, "mcpServers": [] });
    let moved = acp.call("session/load", params).await;
    assert_eq!(moved["error"]["code"], -32602, "{moved}");
    // One that vanished can still be read, and not be worked in.
    std::fs::remove_dir(&elsewhere).unwrap();
    let id = &other["result"]["sessionId"];
    let params = json!({ "sessionId": id, "cwd": elsewhere, "mcpServers": [] });
    let loaded = acp.call("session/load", params).await;
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
    let refused = acp
        .call("session/prompt", prompt(id.as_str().unwrap(), "x"))
        .await;
    assert_eq!(refused["error"]["data"]["code"], "E1201", "{refused}");
}
