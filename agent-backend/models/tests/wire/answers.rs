//! Answers that come, and callers that go away.

use futures::StreamExt;
use models::{ChatRequest, Chunk, Context, Finish, Message, Provider, Role, Thinking, Usage};
use scripted_ollama::Outcome;
use serde_json::json;

use super::{MODEL, NUM_CTX, answer, ask, ended, start, start_with};

#[tokio::test]
async fn streams_an_answer() {
    let (server, ollama) = start("rules: [{respond: {text: hello you}}]").await;
    let stream = ollama.chat(ask("one two")).await.unwrap();
    let chunks: Vec<Chunk> = stream.map(Result::unwrap).collect().await;
    let token = |text: &str| Chunk::Token {
        text: text.to_owned(),
    };
    let Some((Chunk::Done(usage), tokens)) = chunks.split_last() else {
        panic!("{chunks:?}")
    };
    assert_eq!(tokens, [token("hell"), token("o"), token(" you")]);
    let expect = Usage {
        prompt_tokens: 5,
        generated_tokens: 3,
        thinking_bytes: 0,
        // Times are the server's.
        duration_ms: usage.duration_ms,
        load_ms: usage.load_ms,
        finish: Finish::Stop,
        context: Context {
            requested: NUM_CTX,
            loaded: None,
            sent_tokens_min: 1,
            used_tokens: Some(5),
        },
    };
    assert_eq!(usage, &expect);
    assert_eq!(server.script_errors(), Vec::<String>::new());
}

#[tokio::test]
async fn sends_what_it_is_asked_to() {
    let (server, ollama) = start("rules: [{respond: {text: '{}'}}]").await;
    let request = ChatRequest {
        system: "be brief".to_owned(),
        messages: vec![
            Message::user("a"),
            Message::new(Role::System, "b"),
            Message::user("c"),
        ],
        format: Some(json!({"type": "object"})),
        tools: Vec::new(),
        temperature: Some(0.2),
        tokens_max: Some(100),
        seed: Some(1 << 40),
        thinking: Thinking::ProviderDefault,
    };
    let (text, usage) = answer(&ollama, request).await;
    assert_eq!(
        (text.as_str(), usage.map(|usage| usage.finish)),
        ("{}", Ok(Finish::Stop))
    );
    let expect = json!({
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "a"},
            {"role": "system", "content": "b"},
            {"role": "user", "content": "c"},
        ],
        "stream": true,
        "format": {"type": "object"},
        "keep_alive": -1,
        "options": {"num_ctx": NUM_CTX, "temperature": 0.2, "num_predict": 100, "seed": 1_u64 << 40},
    });
    assert_eq!(server.requests()[0].body, expect);
}

#[tokio::test]
async fn one_context_in_every_call() {
    let (server, ollama) = start("rules: [{respond: {text: x}}]").await;
    ollama.preload().await.unwrap();
    for _ in 0..2 {
        answer(&ollama, ask("x")).await.1.unwrap();
    }
    let records = server.requests();
    let calls = records.iter().filter(|record| !record.body["options"].is_null());
    let calls: Vec<_> = calls
        .map(|record| (&record.body["options"]["num_ctx"], record.loaded_model))
        .collect();
    // Loaded once: no call made the server load the model anew.
    assert_eq!(
        calls,
        [
            (&json!(NUM_CTX), true),
            (&json!(NUM_CTX), false),
            (&json!(NUM_CTX), false)
        ]
    );
}

#[tokio::test]
async fn says_when_an_answer_is_cut_by_its_limit() {
    let (_server, ollama) = start("rules: [{respond: {text: one two three}}]").await;
    let (text, usage) = answer(
        &ollama,
        ChatRequest {
            tokens_max: Some(2),
            ..ask("x")
        },
    )
    .await;
    assert_eq!(
        (text.as_str(), usage.map(|usage| usage.finish)),
        ("one two", Ok(Finish::Length))
    );
}

#[tokio::test]
async fn characters_torn_by_the_network() {
    let text = "fn füße() -> &str { \"日本語 😀\" }\n";
    let (_server, ollama) = start(&format!(
        "rules: [{{respond: {{json: {}, bytes_per_write: 1}}}}]",
        json!(text)
    ))
    .await;
    let (answered, usage) = answer(&ollama, ask("x")).await;
    assert_eq!((answered, usage.is_ok()), (json!(text).to_string(), true));
}

#[tokio::test]
async fn a_second_last_line_is_ignored() {
    let (_server, ollama) = start("rules: [{respond: {text: x, duplicate_done: true}}]").await;
    let (text, usage) = answer(&ollama, ask("x")).await;
    assert_eq!((text.as_str(), usage.is_ok()), ("x", true));
}

#[tokio::test]
async fn thinking_is_left_out_and_counted() {
    let (_server, ollama) = start_with(
        "models: [{name: thinker, kind: thinking}]\nrules: [{respond: {text: 'yes', thinking: well now}}]",
        |options| models::OllamaOptions {
            model: "thinker".to_owned(),
            ..options
        },
    )
    .await;
    let (text, usage) = answer(&ollama, ask("x")).await;
    assert_eq!(
        (text.as_str(), usage.map(|usage| usage.thinking_bytes)),
        ("yes", Ok(8))
    );
}

#[tokio::test]
async fn goes_on_from_a_beginning() {
    let (_server, ollama) = start("rules: [{respond: {text: 'def add(a, b):'}}]").await;
    let messages = vec![Message::user("write"), Message::assistant("def add(")];
    let (text, _) = answer(
        &ollama,
        ChatRequest {
            messages,
            ..ChatRequest::default()
        },
    )
    .await;
    assert_eq!(text, "a, b):");
}

#[tokio::test]
async fn dropping_the_stream_stops_the_generation() {
    let (server, ollama) = start("rules: [{respond: {text: a b c d}}]").await;
    server.gate().close();
    server.gate().release(2);
    let mut stream = ollama.chat(ask("x")).await.unwrap();
    for expect in ["a", " b"] {
        assert_eq!(
            stream.next().await,
            Some(Ok(Chunk::Token {
                text: expect.to_owned()
            }))
        );
    }
    drop(stream);
    let records = server.wait_for(ended).await;
    assert_eq!(
        (records[0].tokens_sent, &records[0].outcome),
        (2, &Outcome::Disconnected)
    );
}

#[tokio::test]
async fn dropping_the_call_stops_it_while_the_prompt_is_read() {
    let (server, ollama) = start("rules: [{respond: {text: a b}}]").await;
    server.gate().close();
    let call = tokio::spawn(async move { ollama.chat(ask("x")).await.map(drop) });
    server
        .wait_for(|records| records.last().is_some_and(|record| record.rule.is_some()))
        .await;
    call.abort();
    let records = server.wait_for(ended).await;
    assert_eq!(
        (records[0].tokens_sent, &records[0].outcome),
        (0, &Outcome::Disconnected)
    );
}

#[tokio::test]
async fn answers_side_by_side() {
    let (server, ollama) =
        start("rules: [{match: {contains: one}, respond: {text: first}}, {respond: {text: rest}}]").await;
    server.gate().close();
    // Both calls wait at the server before either is answered.
    let (one, two, ()) = tokio::join!(answer(&ollama, ask("one")), answer(&ollama, ask("two")), async {
        server.wait_for(|records| records.len() == 2).await;
        server.gate().open();
    });
    assert_eq!((one.0.as_str(), two.0.as_str()), ("first", "rest"));
}
