//! Pictures, and models that see them and run elsewhere: code goes there for no picture. The
//! server elsewhere has a public name, which the backend asks the proxy of its environment
//! for; the proxy answers itself, so that what is sent there is seen.

use scripted_ollama::{Record, ScriptedOllama};
use serde_json::{Value, json};

use super::{MODEL, PNG, can, ends, image, notices, seeing, to_question, with};
use crate::{
    acp_client::{Acp, prompt},
    world::{PATIENCE, SCRIPT, World, brief, of},
};

/// A model on this machine and one elsewhere, which sees; and another one here that does.
const CONFIG: &str = r"
ollama: { embed_model: null, num_ctx: 16384 }
providers:
  far: { kind: openai, url: http://models.example.com/v1, model: gpt-far, context_tokens: 32768, images: true }
  eyes: { kind: openai, url: SERVER/v1, model: gpt-other, context_tokens: 32768, images: true }
roles: ROLES
routing: { retries: 0, back_off_ms: 5, wait_max_ms: 60000 }
";

/// The same rules for servers of both kinds, which have these models, too.
fn both(script: &str) -> String {
    script
        .replace("\nrules:\n", "\n  - name: gpt-other\n  - name: gpt-far\nrules:\n")
        .replace("endpoint: chat, ", "")
        .replace("{ endpoint: chat }", "{}")
}

/// A world whose local models answer from a script, and the server elsewhere.
async fn world_with(script: &str, roles: &str) -> (World, ScriptedOllama) {
    let far = ScriptedOllama::builder()
        .script(both(SCRIPT))
        .start()
        .await
        .unwrap();
    let mut world = World::prepared(&both(script)).await;
    let config = CONFIG
        .replace("SERVER", &world.ollama.url())
        .replace("ROLES", roles);
    world.configure(config);
    start(&mut world, &far).await;
    (world, far)
}

/// How the backend comes to the server elsewhere.
fn variables(far: &ScriptedOllama) -> [(&'static str, String); 4] {
    ["http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"].map(|name| {
        let is_exception = name.eq_ignore_ascii_case("no_proxy");
        (name, if is_exception { String::new() } else { far.url() })
    })
}

async fn start(world: &mut World, far: &ScriptedOllama) {
    let variables = variables(far);
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert!(world.try_start(&variables).await, "{}", world.log());
}

/// What a server was asked, by the rules that answered, and the pictures it was shown.
fn asked(server: &ScriptedOllama) -> Vec<(String, usize)> {
    let records = server.requests().into_iter();
    let answered = records.filter_map(|record| Some((record.rule?, record.images)));
    answered.collect()
}

fn once(rules: [(&str, usize); 2]) -> Vec<(String, usize)> {
    rules.map(|(rule, images)| (rule.to_owned(), images)).to_vec()
}

/// A request with a picture.
fn request(world: &World, id: &str, model: Option<&str>) -> Value {
    let mut request = world.request("Add greetings");
    request["images"] = json!([{ "data": PNG }]);
    request["correlation_id"] = json!(id);
    if let Some(model) = model {
        request["model"] = json!(model);
    }
    request
}

async fn submit(world: &World, request: &Value) -> String {
    let (status, begun) = world.post("/api/workflow/submit", request).await;
    assert_eq!(status, 202, "{begun}");
    begun["workflow_id"].as_str().unwrap().to_owned()
}

/// What a person is told who sends a picture to local models that do not see it.
fn advice() -> String {
    format!(
        "the request has images, which ollama/{MODEL} does not see, and an image alone sends no code farther away \
         than that: choose a model that sees for this request, with the option `model` (far/gpt-far, which runs \
         elsewhere), or say in words what they show"
    )
}

#[tokio::test]
async fn a_picture_sends_no_code_elsewhere() {
    let (world, far) = world_with(SCRIPT, "{ default: [ollama, far] }").await;
    let mut acp = Acp::connect(&world).await;
    assert_eq!(can(&acp), false);
    let session = acp.session(&world).await;
    let prompted = with(&session, "Add greetings", &[image(PNG)]);
    let refused = acp.call("session/prompt", prompted.clone()).await;
    let error = &refused["error"]["data"];
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("E1420"), &json!(advice())),
        "{refused}"
    );
    let (status, refused) = world
        .post("/api/workflow/submit", &request(&world, "seen", None))
        .await;
    assert_eq!((status, &refused["code"]), (400, &json!("E1420")), "{refused}");
    assert_eq!(refused["message"], advice(), "{refused}");
    // Without a picture it goes where it always goes.
    let id = world.submit("Add greetings").await;
    world.to_review(&id).await;
    assert_eq!(asked(&world.ollama), once([("plan", 0), ("code", 0)]));
    assert_eq!(far.requests(), [] as [Record; 0], "nothing was sent there");
    // Whoever is told where it runs may choose it.
    let chosen = request(&world, "chosen", Some("far/gpt-far"));
    world.to_review(&submit(&world, &chosen).await).await;
    let set = json!({ "sessionId": session, "configId": "model", "value": "far/gpt-far" });
    let set = acp.call("session/set_config_option", set).await;
    let mut options = set["result"]["configOptions"].as_array().unwrap().iter();
    let models = options.find(|option| option["id"] == "model").unwrap();
    let about = models["options"].as_array().unwrap().iter();
    let about = about.filter_map(|model| model["description"].as_str());
    assert!(
        about.clone().any(|about| about == "far, elsewhere, 32768 tokens")
            && about
                .clone()
                .any(|about| about.starts_with("ollama, on this machine, ")),
        "{models}"
    );
    let turn = acp.ask("session/prompt", prompted).await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "reject").await;
    ends(&mut acp, turn).await;
    let twice = [("plan", 1), ("code", 1)];
    assert_eq!(asked(&far), [once(twice), once(twice)].concat());
    assert_eq!(asked(&world.ollama).len(), 2);
    // The choice is of the session: what is asked without it stays here.
    let session = acp.session(&world).await;
    let turn = acp.ask("session/prompt", prompt(&session, "Add greetings")).await;
    let question = to_question(&mut acp, turn).await;
    acp.choose(&question, "reject").await;
    ends(&mut acp, turn).await;
    assert_eq!((asked(&far).len(), asked(&world.ollama).len()), (4, 4));
    let mut doctor = world.backend();
    let doctor = doctor.arg("doctor").envs(variables(&far)).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    for told in [
        format!("has {MODEL}, which runs on this machine, with 16384 tokens of context"),
        "has gpt-far, which runs elsewhere, with 32768 tokens of context".to_owned(),
    ] {
        assert!(doctor.contains(&told), "{doctor}");
    }
}

#[tokio::test]
async fn who_plans_without_seeing_is_not_replaced_by_who_sees_elsewhere() {
    let roles = "{ default: [ollama, far], code: [ollama, far, eyes] }";
    let (world, far) = world_with(SCRIPT, roles).await;
    assert_eq!(can(&Acp::connect(&world).await), true);
    let id = submit(&world, &request(&world, "seen", None)).await;
    let events = world.to_review(&id).await;
    assert_eq!(asked(&world.ollama), once([("plan", 0), ("code", 1)]));
    assert_eq!(far.requests(), [] as [Record; 0], "nothing was sent there");
    assert_eq!(
        notices(&events),
        [
            format!("{MODEL} is not shown image 1 (image/png, 1 KiB): it does not see images"),
            format!(
                "eyes/gpt-other is asked before ollama/{MODEL}, which does not see the images of the request"
            ),
        ]
    );
}

#[tokio::test]
async fn where_the_near_one_that_sees_fails_the_next_one_stands_in_and_it_is_said() {
    let fails = r"
rules:
  - name: fails
    match: { model: MODEL }
    respond: { error: { status: 500, message: not now } }
";
    let script = seeing().replace("\nrules:\n", &fails.replace("MODEL", &format!("'{MODEL}'")));
    let (world, far) = world_with(&script, "{ default: [ollama, far] }").await;
    let id = submit(&world, &request(&world, "seen", None)).await;
    let events = world.to_review(&id).await;
    assert_eq!(asked(&far), once([("plan", 1), ("code", 1)]));
    let told = format!(
        "far/gpt-far, which runs elsewhere, is asked in place of ollama/{MODEL} and shown the images of the request"
    );
    assert_eq!(notices(&events), [told]);
}

/// A server that does not say whether its model sees, and stops in the middle of the code.
const SILENT: &str = r#"
rules:
  - name: silent
    match: { endpoint: show }
    respond: { error: { status: 500, message: "not now" } }
  - name: begins
    match: { contains: "write the code" }
    respond:
      stall_after_tokens: 4
      text: "Two files and more than one word of it."
"#;

#[tokio::test]
async fn blind_as_it_turns_out_after_a_kill_it_is_not_replaced_by_who_sees_elsewhere() {
    let script = SCRIPT.replace("\nrules:\n", SILENT);
    let (mut world, far) = world_with(&script, "{ default: [ollama, far] }").await;
    assert_eq!(can(&Acp::connect(&world).await), false);
    // Nobody knows that it is blind.
    let id = submit(&world, &request(&world, "unknown", None)).await;
    let stalled = |records: &[Record]| of(records, "begins").iter().any(|it| it.tokens_sent == 4);
    tokio::time::timeout(PATIENCE, world.ollama.wait_for(stalled))
        .await
        .expect("the model writes");
    world.kill();
    let port = world.ollama.port();
    world.ollama.abort();
    let says = ScriptedOllama::builder().script(both(SCRIPT)).port(port);
    world.ollama = says.start().await.unwrap();
    start(&mut world, &far).await;
    let events = world.to_end(&id).await;
    assert_eq!(brief(&events).last().unwrap(), "failed E1420");
    assert_eq!(events.last().unwrap()["message"], advice());
    assert_eq!(asked(&world.ollama), [] as [(String, usize); 0]);
    assert_eq!(far.requests(), [] as [Record; 0], "nothing was sent there");
    // Another model can go on with it, as it is chosen.
    let planned = events.iter().find(|event| event["type"] == "plan").unwrap();
    let fork = json!({ "at": planned["seq"], "model": "far/gpt-far" });
    let (status, forked) = world.post(&format!("/api/workflow/{id}/fork"), &fork).await;
    assert_eq!(status, 202, "{forked}");
    world.to_review(forked["workflow_id"].as_str().unwrap()).await;
    assert_eq!(asked(&far), once([("plan", 1), ("code", 1)]));
}
