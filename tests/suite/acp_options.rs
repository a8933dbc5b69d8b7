//! What workflows do with what was chosen in a session of the Agent Client
//! Protocol: the model, whether code is searched for, and further folders.

use std::fs;

use scripted_ollama::Record;
use serde_json::{Value, json};

use crate::{
    acp_choices::option,
    acp_client::{Acp, prompt},
    world::{SCRIPT, World},
};

/// Two providers; the roles ask both.
pub const CONFIG: &str = r"
ollama: { embed_model: null }
providers:
  local: { kind: ollama, url: SERVER, model: mistral:7b-instruct-v0.3-q4_K_M, num_ctx: 16384 }
  other: { kind: openai, url: SERVER/v1, model: gpt-other, context_tokens: 32768 }
roles:
  default: [local]
  code: [other, local]
";

pub const LOCAL: &str = "mistral:7b-instruct-v0.3-q4_K_M";

/// A backend whose roles come to two models.
pub async fn with_two_models() -> World {
    // The rules are for both kinds of servers.
    let script = SCRIPT
        .replace("rules:\n", "  - name: gpt-other\nrules:\n")
        .replace("endpoint: chat, ", "")
        .replace(
            "match: { endpoint: chat }",
            "match: { contains: \"# Your task\" }",
        );
    configured(&script, CONFIG).await
}

/// A backend with this configuration, in which `SERVER` is the model server.
pub async fn configured(script: &str, config: &str) -> World {
    let mut world = World::prepared(script).await;
    configure(&world, config);
    let path = world.path("config.yaml");
    world.argue(&["--config", path.to_str().unwrap()]);
    world.start().await;
    world
}

fn configure(world: &World, config: &str) {
    let config = config.replace("SERVER", &world.ollama.url());
    fs::write(world.path("config.yaml"), config).unwrap();
}

/// A prompt whose proposal is rejected; what the models were asked, and the
/// session was told, for it.
async fn work(world: &World, acp: &mut Acp, session: &str) -> (Vec<Record>, Vec<Value>) {
    let before = world.ollama.requests().len();
    acp.updates.clear();
    let turn = acp.ask("session/prompt", prompt(session, "Add greetings")).await;
    let question = acp.until(turn).await;
    assert_eq!(question["method"], "session/request_permission", "{question}");
    acp.choose(&question, "reject").await;
    let answer = acp.until(turn).await;
    assert_eq!(answer["result"]["stopReason"], "end_turn", "{answer}");
    let records = world.ollama.requests().split_off(before);
    let asked = records
        .into_iter()
        .filter(|record| record.body["messages"].is_array());
    (asked.collect(), acp.updates.clone())
}

/// Who was asked, in order.
pub fn models(records: &[Record]) -> Vec<&str> {
    records.iter().map(Record::model).collect()
}

async fn set(acp: &mut Acp, session: &str, option: &str, value: Value) -> Value {
    let mut params = json!({ "sessionId": session, "configId": option, "value": value });
    if value.is_boolean() {
        params["type"] = json!("boolean");
    }
    acp.call("session/set_config_option", params).await
}

#[tokio::test]
async fn the_chosen_model_is_asked_for_everything_and_no_other_one() {
    let mut world = with_two_models().await;
    let mut acp = Acp::connect(&world).await;
    let session = acp.session(&world).await;
    let (asked, _) = work(&world, &mut acp, &session).await;
    assert_eq!(models(&asked), [LOCAL, "gpt-other"]);

    let mut other = Acp::connect(&world).await;
    let resumed = other.go_to("session/resume", &world, &session).await;
    let (local, gpt) = (format!("local/{LOCAL}"), "other/gpt-other");
    let offered = option(&resumed["result"]["configOptions"], "model");
    assert_eq!(offered, (vec!["configured", gpt, &local], "configured"));
    let answer = set(&mut acp, &session, "model", json!(gpt)).await;
    assert_eq!(option(&answer["result"]["configOptions"], "model").1, gpt);
    other
        .update(|update| {
            update["sessionUpdate"] == "config_option_update"
                && option(&update["configOptions"], "model").1 == gpt
        })
        .await;
    let (asked, updates) = work(&world, &mut acp, &session).await;
    assert_eq!(models(&asked), ["gpt-other", "gpt-other"]);
    let usage = updates
        .iter()
        .find(|update| update["sessionUpdate"] == "usage_update")
        .unwrap();
    assert_eq!(usage["size"], 32768, "of the model that was asked");
    for wrong in [json!("none"), json!(LOCAL), json!(true)] {
        let answer = set(&mut acp, &session, "model", wrong).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }

    // It holds over a restart, and for a workflow that goes on after one.
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    acp.until(turn).await;
    world.restart().await;
    let mut acp = Acp::connect(&world).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert_eq!(option(&loaded["result"]["configOptions"], "model").1, gpt);
    let question = acp.next().await;
    let before = world.ollama.requests().len();
    acp.choose(&question, "modify").await;
    acp.update(|update| {
        update["content"]["text"]
            .as_str()
            .unwrap_or_default()
            .contains("What should be changed")
    })
    .await;
    let turn = acp.ask("session/prompt", prompt(&session, "shout it")).await;
    let question = acp.until(turn).await;
    let again = world.ollama.requests().split_off(before);
    let again: Vec<&str> = again
        .iter()
        .filter(|record| record.body["messages"].is_array())
        .map(Record::model)
        .collect();
    assert!(
        !again.is_empty() && again.iter().all(|model| *model == "gpt-other"),
        "{again:?}"
    );
    acp.choose(&question, "reject").await;
    acp.until(turn).await;

    // Nobody answers in the place of one that is there no more.
    configure(&world, &CONFIG.replace("code: [other, local]", "code: [local]"));
    world.restart().await;
    let mut acp = Acp::connect(&world).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    let (offered, current) = option(&loaded["result"]["configOptions"], "model");
    assert_eq!((offered, current), (vec!["configured", local.as_str(), gpt], gpt));
    let refused = acp
        .call("session/prompt", prompt(&session, "Add greetings"))
        .await;
    let message = refused["error"]["data"]["message"].as_str().unwrap();
    assert!(
        message.contains("there is no model `other/gpt-other`"),
        "{refused}"
    );
    set(&mut acp, &session, "model", json!("configured")).await;
    let (asked, _) = work(&world, &mut acp, &session).await;
    assert_eq!(models(&asked), [LOCAL, LOCAL]);
}

/// Something that nothing but a search finds.
pub const FOUND: &str = "def greetings_of_old():\n    return \"SALUTE_42\"\n";

/// Whether a model was shown this text.
pub fn is_shown(asked: &[Record], text: &str) -> bool {
    asked
        .iter()
        .any(|record| record.body["messages"].to_string().contains(text))
}

#[tokio::test]
async fn nothing_is_searched_where_that_is_turned_off() {
    let mut world = World::new().await;
    world.write("salutation.py", FOUND);
    let boolean = json!({ "session": { "configOptions": { "boolean": {} } } });
    let mut acp = Acp::connect_with(&world, boolean.clone()).await;
    let session = acp.session(&world).await;
    let mut other = Acp::connect(&world).await;
    let resumed = other.go_to("session/resume", &world, &session).await;
    assert_eq!(
        option(&resumed["result"]["configOptions"], "retrieval"),
        (vec!["on", "off"], "on")
    );

    let answer = set(&mut acp, &session, "retrieval", json!(false)).await;
    let switch = |options: &Value| {
        let mut options = options.as_array().unwrap().iter();
        options
            .find(|option| option["id"] == "retrieval")
            .unwrap()
            .clone()
    };
    let shown = switch(&answer["result"]["configOptions"]);
    assert_eq!(
        (&shown["type"], &shown["currentValue"]),
        (&json!("boolean"), &json!(false))
    );
    // Each client is told in its own way.
    other
        .update(|update| {
            update["sessionUpdate"] == "config_option_update"
                && option(&update["configOptions"], "retrieval").1 == "off"
        })
        .await;
    acp.update(|update| {
        update["sessionUpdate"] == "config_option_update"
            && switch(&update["configOptions"])["currentValue"] == false
    })
    .await;
    // Also what comes after a restart.
    world.restart().await;
    let mut acp = Acp::connect_with(&world, boolean).await;
    let loaded = acp.go_to("session/load", &world, &session).await;
    assert_eq!(switch(&loaded["result"]["configOptions"])["currentValue"], false);
    let (asked, updates) = work(&world, &mut acp, &session).await;
    assert!(!is_shown(&asked, "SALUTE_42"), "it was searched");
    assert!(
        is_shown(&asked, "print(\\\\\\\"hello\\\\\\\")") || is_shown(&asked, "hello"),
        "what the plan names is shown"
    );
    let located = |updates: &[Value]| {
        let mut updates = updates.iter();
        updates.any(|update| update["locations"].as_array().is_some_and(|all| !all.is_empty()))
    };
    assert!(!located(&updates));
    assert_eq!(
        world.get("/api/indexes").await.1,
        json!({ "indexes": [] }),
        "nothing was opened"
    );
    let (_, page) = world.get("/api/workflows?limit=1").await;
    let id = page["workflows"][0]["workflow_id"].as_str().unwrap();
    let events = world.to_end(id).await;
    let result = events
        .iter()
        .find(|event| event["type"] == "retrieval_result")
        .unwrap();
    assert_eq!((&result["mode"], &result["items"]), (&json!("off"), &json!([])));

    set(&mut acp, &session, "retrieval", json!("on")).await;
    let (asked, updates) = work(&world, &mut acp, &session).await;
    assert!(is_shown(&asked, "SALUTE_42"));
    assert!(located(&updates));
}

async fn open(acp: &mut Acp, world: &World, session: Option<&str>, folders: &[Value]) -> Value {
    let mut params = json!({ "cwd": world.repo(), "mcpServers": [], "additionalDirectories": folders });
    match session {
        Some(session) => {
            params["sessionId"] = json!(session);
            acp.call("session/resume", params).await
        }
        None => acp.call("session/new", params).await,
    }
}

#[tokio::test]
async fn further_folders_are_searched_and_linked_and_never_written() {
    let mut world = World::new().await;
    let (lib, docs) = (world.path("lib"), world.path("docs"));
    for folder in [&lib, &docs] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(lib.join("salutation.py"), FOUND).unwrap();
    fs::write(
        docs.join("greetings.md"),
        "# Greetings\n\nGreetings say SALUTE_77.\n",
    )
    .unwrap();
    let mut acp = Acp::connect(&world).await;
    let begun = open(&mut acp, &world, None, &[json!(lib), json!(docs), json!(lib)]).await;
    let session = begun["result"]["sessionId"].as_str().unwrap().to_owned();
    let listed = |answer: Value| answer["result"]["sessions"][0]["additionalDirectories"].clone();
    assert_eq!(
        listed(acp.call("session/list", json!({})).await),
        json!([lib, docs])
    );

    let (asked, updates) = work(&world, &mut acp, &session).await;
    assert!(is_shown(&asked, "SALUTE_42") && is_shown(&asked, "SALUTE_77"));
    let file = lib.join("salutation.py");
    let places = updates.iter().filter_map(|update| update["locations"].as_array());
    assert!(
        places.flatten().any(|place| place["path"] == json!(file)),
        "{updates:#?}"
    );

    // A file in one can be named, and `/search` finds it.
    let link = json!({ "type": "resource_link", "name": "salutation.py", "uri": format!("file://{}", file.display()) });
    let text = json!({ "type": "text", "text": "Add greetings as in" });
    let linked = json!({ "sessionId": session, "prompt": [text, link] });
    let turn = acp.ask("session/prompt", linked).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "reject").await;
    acp.until(turn).await;
    let (_, page) = world.get("/api/workflows?limit=1").await;
    assert_eq!(
        page["workflows"][0]["user_query"],
        format!("Add greetings as in\n\n`{}`", file.display())
    );
    acp.updates.clear();
    acp.call("session/prompt", prompt(&session, "/search greetings of old"))
        .await;
    assert!(
        acp.story()
            .iter()
            .any(|line| line.contains(&format!("{}:1-2", file.display()))),
        "{:#?}",
        acp.story()
    );

    // They hold over a restart; whoever comes to the session says which there are.
    world.restart().await;
    let mut acp = Acp::connect(&world).await;
    assert_eq!(
        listed(acp.call("session/list", json!({})).await),
        json!([lib, docs])
    );
    open(&mut acp, &world, Some(&session), &[json!(docs)]).await;
    assert_eq!(listed(acp.call("session/list", json!({})).await), json!([docs]));
    let (asked, _) = work(&world, &mut acp, &session).await;
    assert!(!is_shown(&asked, "SALUTE_42") && is_shown(&asked, "SALUTE_77"));
    acp.go_to("session/resume", &world, &session).await;
    assert_eq!(listed(acp.call("session/list", json!({})).await), Value::Null);

    open(&mut acp, &world, Some(&session), &[json!(lib)]).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = acp.until(turn).await;
    acp.choose(&question, "accept").await;
    acp.until(turn).await;
    assert_eq!(world.commits(), 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), FOUND);
    assert_eq!(fs::read_dir(&lib).unwrap().count(), 1, "nothing is written there");

    let many: Vec<Value> = (0..17).map(|_| json!(lib)).collect();
    for (folders, why) in [
        (vec![json!("lib")], "is not an absolute path: send the whole path"),
        (
            vec![json!(lib.join("none"))],
            "is not a directory: make it, or leave it out",
        ),
        (vec![json!(file)], "is not a directory: make it, or leave it out"),
        (many, "16 are allowed: name fewer"),
    ] {
        for session in [None, Some(session.as_str())] {
            let answer = open(&mut acp, &world, session, &folders).await;
            assert_eq!(answer["error"]["code"], -32602, "{answer}");
            assert!(
                answer["error"]["data"].as_str().unwrap().contains(why),
                "{answer}"
            );
        }
    }
}
