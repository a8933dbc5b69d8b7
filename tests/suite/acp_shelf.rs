//! What is done with a session of the Agent Client Protocol as a whole: forked,
//! named, put away, asked after. In both versions, on every transport.

use serde_json::{Value, json};

use crate::{
    acp_client::{Acp, on_each_transport, prompt, wire::Transport},
    world::PATIENCE,
};

on_each_transport!(
    a_fork_has_what_is_over_and_goes_its_own_way,
    a_name_that_is_given_stays,
    what_is_put_away_is_not_listed_and_comes_back,
    a_session_is_open_while_somebody_uses_it,
    version_two_has_them_as_well,
);

fn by_id(session: &str) -> Value {
    json!({ "sessionId": session })
}

async fn question(acp: &mut Acp, turn: u64) -> Value {
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    question
}

/// Sessions of a list, with whether they were put away.
async fn listed(acp: &mut Acp, params: Value) -> Vec<(String, bool)> {
    let listed = acp.call("session/list", params).await;
    let sessions = listed["result"]["sessions"].as_array();
    let sessions = sessions.unwrap_or_else(|| panic!("{listed}")).iter();
    let info = |info: &Value| {
        let id = info["sessionId"].as_str().unwrap().to_owned();
        (id, info["archived"].as_bool().unwrap())
    };
    sessions.map(info).collect()
}

async fn a_fork_has_what_is_over_and_goes_its_own_way(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    assert_eq!(
        acp.hello["agentCapabilities"]["sessionCapabilities"]["fork"],
        json!({})
    );
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let asked = question(&mut acp, turn).await;
    acp.choose(&asked, "reject").await;
    acp.until(turn).await;
    acp.call("session/prompt", prompt(&session, "/search hello"))
        .await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let open = question(&mut acp, turn).await;

    let forked = acp.go_to("session/fork", &world, &session).await;
    let fork = forked["result"]["sessionId"]
        .as_str()
        .unwrap_or_else(|| panic!("{forked}"));
    let fork = fork.to_owned();
    assert_ne!(fork, session);
    acp.updates.clear();
    acp.go_to("session/load", &world, &fork).await;
    let heard = |acp: &Acp| -> Vec<String> {
        let updates = acp.updates.iter();
        let heard = updates.filter(|update| update["sessionUpdate"] == "user_message_chunk");
        heard
            .map(|update| update["content"]["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(heard(&acp), ["Add greetings", "/search hello"]);
    assert!(
        acp.story().iter().any(|line| line.contains("Rejected")),
        "{:#?}",
        acp.story()
    );

    // The fork works while the other one waits, and neither knows of the other.
    let of_fork = acp.ask("session/prompt", prompt(&fork, "Add greetings")).await;
    let asked = question(&mut acp, of_fork).await;
    assert_eq!(asked["params"]["sessionId"], fork.as_str(), "{asked}");
    acp.choose(&asked, "accept").await;
    assert_eq!(acp.until(of_fork).await["result"]["stopReason"], "end_turn");
    assert_eq!(world.commits(), 2);
    acp.choose(&open, "reject").await;
    assert_eq!(acp.until(turn).await["result"]["stopReason"], "end_turn");
    // Nobody is told what it said itself, and of the fork that is the last alone.
    for (session, expect) in [(&session, 0), (&fork, 2)] {
        acp.updates.clear();
        acp.go_to("session/load", &world, session).await;
        assert_eq!(heard(&acp).len(), expect, "{:#?}", acp.story());
    }
    // A fork of a fork, and the history outlives the first session.
    let again = acp.go_to("session/fork", &world, &fork).await;
    let again = again["result"]["sessionId"].as_str().unwrap().to_owned();
    acp.call("session/delete", by_id(&session)).await;
    acp.updates.clear();
    acp.go_to("session/load", &world, &again).await;
    assert_eq!(heard(&acp), ["Add greetings", "/search hello", "Add greetings"]);
    assert!(
        acp.story().iter().any(|line| line.contains("Committed")),
        "{:#?}",
        acp.story()
    );
    let unknown = acp.go_to("session/fork", &world, &session).await;
    assert_eq!(unknown["error"]["code"], -32002, "{unknown}");
    let relative = json!({ "sessionId": fork, "cwd": "here", "mcpServers": [] });
    let refused = acp.call("session/fork", relative).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
}

async fn a_name_that_is_given_stays(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let title = |title: &str| json!({ "sessionId": session, "title": title });
    let set = acp.call("session/set_title", title("  Greetings\n")).await;
    assert_eq!(set["result"], json!({ "title": "Greetings" }), "{set}");
    acp.update(|update| update["sessionUpdate"] == "session_info_update" && update["title"] == "Greetings")
        .await;
    acp.call("session/prompt", prompt(&session, "/search hello"))
        .await;
    let listed = acp.call("session/list", json!({})).await;
    assert_eq!(listed["result"]["sessions"][0]["title"], "Greetings", "{listed}");
    let long = acp.call("session/set_title", title(&"x".repeat(500))).await;
    let kept = long["result"]["title"].as_str().unwrap();
    assert_eq!(kept.chars().count(), 80, "{kept}");
    for (params, code) in [
        (title(" \n"), -32602),
        (json!({ "sessionId": "none", "title": "a" }), -32002),
        (by_id(&session), -32602),
    ] {
        let refused = acp.call("session/set_title", params.clone()).await;
        assert_eq!(refused["error"]["code"], code, "{params}: {refused}");
    }
}

async fn what_is_put_away_is_not_listed_and_comes_back(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let (first, second) = (acp.session(&world).await, acp.session(&world).await);
    world.ollama.gate().close();
    let turn = acp.ask("session/prompt", prompt(&first, "Add greetings")).await;
    world.until_asked("plan").await;
    for _ in 0..2 {
        let put = acp.ask("session/archive", by_id(&first)).await;
        // What went on in it is stopped.
        let mut answers = Vec::new();
        while !answers.iter().any(|answer: &Value| answer["id"] == put) {
            answers.push(acp.next().await);
        }
        let answer = answers.pop().unwrap();
        assert_eq!(answer["result"], json!({}), "{answer}");
        if let Some(ended) = answers.pop() {
            assert_eq!(
                (&ended["id"], &ended["result"]["stopReason"]),
                (&json!(turn), &json!("cancelled"))
            );
        }
    }
    world.ollama.gate().open();
    let both = [(second.clone(), false), (first.clone(), true)];
    for (filter, expect) in [
        (json!({}), &both[..1]),
        (json!({ "archived": "exclude" }), &both[..1]),
        (json!({ "archived": "include" }), &both[..]),
        (json!({ "archived": "only", "cwd": world.repo() }), &both[1..]),
    ] {
        assert_eq!(listed(&mut acp, filter.clone()).await, expect, "{filter}");
    }
    let refused = acp.call("session/list", json!({ "archived": "perhaps" })).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    for _ in 0..2 {
        let got = acp.call("session/unarchive", by_id(&first)).await;
        assert_eq!(got["result"], json!({}), "{got}");
    }
    assert_eq!(
        listed(&mut acp, json!({})).await,
        [(second, false), (first.clone(), false)]
    );
    let loaded = acp.go_to("session/load", &world, &first).await;
    assert_eq!(loaded["error"], Value::Null, "{loaded}");
    for method in ["session/archive", "session/unarchive"] {
        let unknown = acp.call(method, by_id("none")).await;
        assert_eq!(unknown["error"]["code"], -32002, "{method}: {unknown}");
    }
}

async fn a_session_is_open_while_somebody_uses_it(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::over(transport, &world).await;
    let session = acp.session(&world).await;
    let status = acp.call("session/status", by_id(&session)).await;
    assert_eq!(status["result"], json!({ "status": "open" }), "{status}");
    acp.call("session/close", by_id(&session)).await;
    let saved =
        async { while acp.call("session/status", by_id(&session)).await["result"]["status"] != "saved" {} };
    tokio::time::timeout(PATIENCE, saved)
        .await
        .expect("nobody uses it");
    let unknown = acp.call("session/status", by_id("none")).await;
    assert_eq!(unknown["error"]["code"], -32002, "{unknown}");
}

async fn version_two_has_them_as_well(transport: Transport) {
    let world = transport.world().await;
    let mut acp = Acp::two(transport, &world, json!({})).await;
    for ability in ["fork", "title", "archive", "status"] {
        assert_eq!(
            acp.hello["capabilities"]["session"][ability],
            json!({}),
            "{}",
            acp.hello
        );
    }
    let session = acp.session(&world).await;
    let set = acp
        .call(
            "session/set_title",
            json!({ "sessionId": session, "title": "Greetings" }),
        )
        .await;
    assert_eq!(set["result"], json!({ "title": "Greetings" }), "{set}");
    let forked = acp.go_to("session/fork", &world, &session).await;
    assert!(forked["result"]["configOptions"].is_array(), "{forked}");
    let status = acp.call("session/status", by_id(&session)).await;
    assert_eq!(
        status["result"],
        json!({ "status": "open", "state": { "state": "idle" } }),
        "{status}"
    );
    let fork = forked["result"]["sessionId"].as_str().unwrap().to_owned();
    let put = acp.call("session/archive", by_id(&session)).await;
    assert_eq!(put["result"], json!({}), "{put}");
    assert_eq!(listed(&mut acp, json!({})).await, [(fork, false)]);
    assert_eq!(
        listed(&mut acp, json!({ "archived": "only" })).await,
        [(session.clone(), true)]
    );
    let got = acp.call("session/unarchive", by_id(&session)).await;
    assert_eq!(got["result"], json!({}), "{got}");
}
