//! Answers: streams, refusals, truncation, formats, continuation.

use scripted_ollama::{Match, Outcome, Respond, Script, ScriptedOllama};
use serde_json::{Value, json};

use super::{EMBED_MODEL, MODEL, builder, json, lines, post, start, text};

fn user(content: &str) -> Value {
    json!({"role": "user", "content": content})
}

fn chat(content: &str) -> Value {
    json!({"model": MODEL, "messages": [user(content)]})
}

#[tokio::test]
async fn streams_a_chat() {
    let server = start("rules: [{name: hi, respond: {text: 'hello you'}}]").await;
    let stream = lines(post(&server, "/api/chat", chat("one two")).await).await;
    let line = |text: &str| json!({"model": MODEL, "message": {"role": "assistant", "content": text}, "done": false});
    let last = json!({
        "model": MODEL, "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 5, "eval_count": 3,
    });
    // "hello" is "hell" and "o".
    assert_eq!(stream, [line("hell"), line("o"), line(" you"), last.clone()][..]);
    let records = server.requests();
    let record = &records[0];
    assert_eq!(
        (
            record.rule.as_deref(),
            record.prompt_tokens,
            record.tokens_sent,
            &record.outcome,
            record.last_message("user")
        ),
        (
            Some("hi"),
            5,
            3,
            &Outcome::Done {
                reason: "stop".to_owned()
            },
            "one two"
        )
    );
}

#[tokio::test]
async fn answers_whole() {
    let server = start("rules: [{respond: {text: 'hello you', thinking: 'hmm'}}]").await;
    let mut body = chat("x");
    body["stream"] = false.into();
    let (status, answer) = json(post(&server, "/api/chat", body).await).await;
    let expect = json!({
        "model": MODEL, "message": {"role": "assistant", "content": "hello you", "thinking": "hmm"},
        "done": true, "done_reason": "stop", "prompt_eval_count": 4, "eval_count": 4,
    });
    assert_eq!((status, answer), (200, expect));
}

#[tokio::test]
async fn streams_a_generation() {
    let server = start("rules: [{match: {endpoint: generate, contains: two}, respond: {text: 'one'}}]").await;
    let stream = lines(post(&server, "/api/generate", json!({"model": MODEL, "prompt": "two"})).await).await;
    let last = json!({
        "model": MODEL, "response": "", "done": true, "done_reason": "stop", "context": [1, 2, 3],
        "prompt_eval_count": 4, "eval_count": 1,
    });
    assert_eq!(
        stream,
        [json!({"model": MODEL, "response": "one", "done": false}), last][..]
    );
}

#[tokio::test]
async fn refuses_what_ollama_refuses() {
    async fn check(server: &ScriptedOllama, body: impl ToString, status: u16, error: &str) {
        let found = json(post(server, "/api/chat", body).await).await;
        assert_eq!(found, (status, json!({"error": error})));
        let outcome = server.requests().pop().unwrap().outcome;
        assert_eq!(
            outcome,
            Outcome::Error {
                status,
                message: error.to_owned()
            }
        );
    }
    let server = start("rules: [{respond: {text: x}}]").await;
    let with = |key: &str, value: Value| {
        let mut body = chat("x");
        body[key] = value;
        body
    };
    check(&server, "", 400, "missing request body").await;
    check(
        &server,
        "{",
        400,
        "EOF while parsing an object at line 1 column 1",
    )
    .await;
    check(
        &server,
        json!({"messages": [user("x")]}),
        400,
        "model is required",
    )
    .await;
    check(
        &server,
        with("model", json!("y")),
        404,
        "model \"y\" not found, try pulling it first",
    )
    .await;
    check(
        &server,
        with("keep_alive", json!("-1")),
        400,
        "time: missing unit in duration \"-1\"",
    )
    .await;
    check(
        &server,
        with("options", json!({"num_ctx": "big"})),
        500,
        "option \"num_ctx\" must be of type integer",
    )
    .await;
    check(
        &server,
        with("model", json!(EMBED_MODEL)),
        400,
        "\"nomic-embed-text\" does not support chat",
    )
    .await;
    check(
        &server,
        with("think", json!(true)),
        400,
        "\"mistral:7b-instruct\" does not support thinking",
    )
    .await;
    check(
        &server,
        with("format", json!("yaml")),
        500,
        "invalid format: \"yaml\"; expected \"json\" or a valid JSON Schema object",
    )
    .await;
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn a_request_without_rule_is_an_error_of_the_script() {
    let server = start("rules: [{match: {contains: other}, respond: {text: x}}]").await;
    let error = "scripted-ollama: no rule fits: Chat, model mistral:7b-instruct, without format, 1 messages, \
                 last of the user: \"this\"";
    assert_eq!(
        json(post(&server, "/api/chat", chat("this")).await).await,
        (500, json!({"error": error}))
    );
    assert_eq!(server.script_errors(), [error]);
}

#[tokio::test]
async fn truncates_without_a_word() {
    let server = start("rules: [{match: {in: all, lacks: 'oldest'}, respond: {text: 'cut'}}]").await;
    let messages = [
        json!({"role": "system", "content": "be brief"}),
        user("oldest words"),
        user("newest"),
    ];
    let body = |num_ctx: u32| json!({"model": MODEL, "messages": messages, "options": {"num_ctx": num_ctx}});
    // 3 + 3, 4 + 3 and 2 + 3 tokens: all fit, so the rule does not.
    assert_eq!(json(post(&server, "/api/chat", body(18)).await).await.0, 500);
    let stream = lines(post(&server, "/api/chat", body(17)).await).await;
    assert_eq!(
        (text(&stream), &stream[1]["prompt_eval_count"]),
        ("cut".to_owned(), &json!(11))
    );
    let dropped: Vec<usize> = server
        .requests()
        .iter()
        .map(|record| record.messages_dropped)
        .collect();
    assert_eq!(dropped, [0, 1]);
}

#[tokio::test]
async fn stops_at_num_predict() {
    let server = start("rules: [{respond: {text: 'one two three'}}]").await;
    let mut body = chat("x");
    body["options"] = json!({"num_predict": 2});
    let stream = lines(post(&server, "/api/chat", body).await).await;
    let last = stream.last().unwrap();
    assert_eq!(
        (text(&stream), &last["done_reason"], &last["eval_count"]),
        ("one two".into(), &json!("length"), &json!(2))
    );
}

#[tokio::test]
async fn answers_follow_the_schema() {
    let script = Script::default()
        .rule(Match::contains("good"), Respond::json(json!({"steps": ["a"]})))
        .rule(Match::contains("bad"), Respond::json(json!({"steps": "a"})))
        .rule(
            Match::contains("old"),
            Respond {
                breaks_format: true,
                ..Respond::text("prose")
            },
        )
        .rule(Match::default(), Respond::text("prose"));
    let server = ScriptedOllama::builder()
        .model(MODEL)
        .script(script)
        .start()
        .await
        .unwrap();
    let schema = json!({"type": "object", "required": ["steps"], "properties": {"steps": {"type": "array"}}});
    let ask = async |content: &str| {
        let mut body = chat(content);
        body["format"] = schema.clone();
        body["stream"] = false.into();
        let (status, answer) = json(post(&server, "/api/chat", body).await).await;
        let text = answer["message"]["content"].as_str().or(answer["error"].as_str());
        (status, text.unwrap_or_default().to_owned())
    };
    assert_eq!(ask("good").await, (200, r#"{"steps":["a"]}"#.to_owned()));
    assert_eq!(ask("old").await, (200, "prose".to_owned()));
    let bad = "scripted-ollama: rule 2: the answer does not follow the request's schema: $.steps is no array";
    assert_eq!(ask("bad").await, (500, bad.to_owned()));
    let prose = "scripted-ollama: rule 4: the request asks for JSON: expected value at line 1 column 1";
    assert_eq!(ask("none").await, (500, prose.to_owned()));
    assert_eq!(server.script_errors(), [bad, prose]);
}

#[tokio::test]
async fn calls_tools_and_counts_images() {
    let server = start(
        "rules:
- match: { contains: weather }
  respond: { text: see, tool_calls: [{ name: weather, arguments: { city: Bern } }] }
- respond: { refusal: never }",
    )
    .await;
    let mut body = chat("weather");
    body["tools"] =
        json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let call = json!([{"function": {"name": "weather", "arguments": {"city": "Bern"}}}]);
    let stream = lines(post(&server, "/api/chat", &body).await).await;
    let called = json!({"model": MODEL, "message": {"role": "assistant", "content": "", "tool_calls": call}, "done": false});
    assert_eq!((text(&stream), &stream[1]), ("see".to_owned(), &called));
    assert_eq!(stream[2]["done_reason"], json!("stop"));
    body["stream"] = false.into();
    let (_, whole) = json(post(&server, "/api/chat", &body).await).await;
    assert_eq!(
        whole["message"],
        json!({"role": "assistant", "content": "see", "tool_calls": call})
    );
    let mut answered = body.clone();
    answered["messages"] = json!([
        user("weather"),
        {"role": "assistant", "content": "see", "tool_calls": call},
        {"role": "tool", "tool_name": "weather", "content": "sunny"},
        {"role": "user", "content": "what is this", "images": ["aGk=", "aGk="]},
    ]);
    let (_, refusal) = json(post(&server, "/api/chat", answered).await).await;
    assert_eq!(
        (&refusal["message"]["content"], server.requests()[2].images),
        (&json!("never"), 2)
    );
    let prompt = json!({"model": MODEL, "prompt": "x", "images": ["aGk="], "stream": false});
    post(&server, "/api/generate", prompt).await;
    assert_eq!(server.requests()[3].images, 1);
}

#[tokio::test]
async fn goes_on_from_a_beginning() {
    let server = start("rules: [{respond: {text: 'def add(a, b):'}}]").await;
    let ask = async |begun: &str| {
        let messages = [user("write"), json!({"role": "assistant", "content": begun})];
        post(
            &server,
            "/api/chat",
            json!({"model": MODEL, "messages": messages}),
        )
        .await
    };
    assert_eq!(text(&lines(ask("def add(").await).await), "a, b):");
    let error = "scripted-ollama: rule 1: the answer does not begin with the request's \"fn\"";
    assert_eq!(json(ask("fn").await).await, (500, json!({"error": error})));
}

#[tokio::test]
async fn nth_and_groups() {
    let script = r#"
rules:
  - match: { contains: try, nth: 1 }
    respond: { text: first }
  - match: { regex: 'try (?P<what>\w+)' }
    respond: { text: "again {{what}}", expand: true }
"#;
    let server = builder(script).tokens_per_second(10_000.0).start().await.unwrap();
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(text(
            &lines(post(&server, "/api/chat", chat("try it")).await).await,
        ));
    }
    assert_eq!(answers, ["first", "again it", "again it"]);
}
