//! The embedding client against the scripted server's `/v1`, over real HTTP.

use std::time::Duration;

use models::{Error, Key, OpenAiEmbeddings, OpenAiOptions};
use scripted_ollama::{Endpoint, ScriptedOllama};
use shared::error::{Class, Code};

use super::{EMBED_MODEL, MODEL, SHORT};

const KEY: &str = "sk-test-0123456789abcdef0123456789abcdef";

async fn start_with(
    script: &str,
    change: impl FnOnce(OpenAiOptions) -> OpenAiOptions,
) -> (ScriptedOllama, OpenAiEmbeddings) {
    let server = ScriptedOllama::builder()
        .model(MODEL)
        .embedding_model(EMBED_MODEL)
        .key(KEY)
        .script(script);
    let server = server.start().await.unwrap();
    let options = OpenAiOptions {
        key: Some(Key::new(&format!("{KEY}\n"))),
        ..OpenAiOptions::new(format!("{}/v1", server.url()), EMBED_MODEL)
    };
    let client = OpenAiEmbeddings::new(change(options)).unwrap();
    (server, client)
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn one_vector_for_each_text_in_order() {
    let (server, client) = start_with("", |options| OpenAiOptions { batch: 2, ..options }).await;
    let found = client
        .embed(&texts(&["one", "two", "", "one", "five"]))
        .await
        .unwrap();
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], found[3]);
    assert_ne!(found[0], found[1]);
    assert!(found.iter().all(|vector| vector.len() == 768));
    let bodies: Vec<_> = server
        .requests()
        .into_iter()
        .map(|record| record.body["input"].clone())
        .collect();
    assert_eq!(
        bodies,
        [
            serde_json::json!(["one", "two"]),
            serde_json::json!([" ", "one"]),
            serde_json::json!(["five"])
        ]
    );
    assert_eq!(client.embed(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn shorter_vectors() {
    let (_server, client) = start_with("", |options| OpenAiOptions {
        dimensions: Some(64),
        ..options
    })
    .await;
    assert_eq!(client.embed(&texts(&["one"])).await.unwrap()[0].len(), 64);
}

#[tokio::test]
async fn refusals_have_codes_and_do_not_tell_the_key() {
    let check =
        async |script: &str, change: &dyn Fn(OpenAiOptions) -> OpenAiOptions, expect: (Code, Class)| {
            let (_server, client) = start_with(script, change).await;
            let error = client.embed(&texts(&["one"])).await.unwrap_err();
            assert_eq!((error.code(), error.class()), expect, "{error}");
            let told = format!("{error} {error:?} {client:?}");
            assert!(!told.contains("0123456789abcdef"), "{told}");
            error
        };
    let same = |options: OpenAiOptions| options;
    let user = |code| (code, Class::User);
    check(
        "",
        &|options| OpenAiOptions { key: None, ..options },
        user(Code::KeyRefused),
    )
    .await;
    let wrong = |options| OpenAiOptions {
        key: Some(Key::new(&format!("{KEY}-wrong"))),
        ..options
    };
    check("", &wrong, user(Code::KeyRefused)).await;
    let unknown = |options| OpenAiOptions {
        model: "other".to_owned(),
        ..options
    };
    let error = check("", &unknown, user(Code::ModelNotPulled)).await;
    assert!(matches!(error, Error::ModelUnknown { .. }), "{error}");
    let path = |options: OpenAiOptions| OpenAiOptions {
        url: format!("{}/v2", options.url),
        ..options
    };
    check("", &path, user(Code::NotAModelServer)).await;
    let many = |options| OpenAiOptions {
        dimensions: Some(1 << 20),
        ..options
    };
    check("", &many, (Code::ModelRefused, Class::Permanent)).await;
    let busy = "rules: [{match: {endpoint: embeddings}, respond: {error: {status: 429, message: slow down, retry_after_secs: 7}}}]";
    let error = check(busy, &same, (Code::ModelOverloaded, Class::Transient)).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let page = "rules: [{match: {endpoint: embeddings}, respond: {raw: {status: 200, content_type: text/html, body: hi}}}]";
    check(page, &same, user(Code::NotAModelServer)).await;
    let few = r#"rules: [{match: {endpoint: embeddings}, respond: {raw: {status: 200, content_type: application/json, body: '{"data": []}'}}}]"#;
    check(few, &same, (Code::ModelStreamBroken, Class::Transient)).await;
    let stalled = "rules: [{match: {endpoint: embeddings}, respond: {delay_ms: 60000}}]";
    let hurried = |options| OpenAiOptions {
        timeout: SHORT,
        ..options
    };
    check(stalled, &hurried, (Code::ModelTimeout, Class::Transient)).await;
}

#[tokio::test]
async fn nobody_listens() {
    let (mut server, client) = start_with("", |options| options).await;
    server.abort();
    let error = client.embed(&texts(&["one"])).await.unwrap_err();
    assert_eq!(
        (error.code(), error.class()),
        (Code::ModelServerUnreachable, Class::Transient),
        "{error}"
    );
}

#[test]
fn options_that_cannot_be_used() {
    let check = |change: &dyn Fn(OpenAiOptions) -> OpenAiOptions, expect: &str| {
        let options = change(OpenAiOptions::new("http://127.0.0.1:1/v1", "m"));
        let error = OpenAiEmbeddings::new(options).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(
        &|options| OpenAiOptions {
            model: " ".to_owned(),
            ..options
        },
        "has no name",
    );
    check(
        &|options| OpenAiOptions { batch: 0, ..options },
        "a batch must be",
    );
    check(
        &|options| OpenAiOptions {
            batch: 2_049,
            ..options
        },
        "a batch must be",
    );
    check(
        &|options| OpenAiOptions {
            url: "h".to_owned(),
            ..options
        },
        "is no URL",
    );
    let key = |options| OpenAiOptions {
        key: Some(Key::new("secret\u{1}secret")),
        ..options
    };
    check(&key, "the key of the embedding server holds characters");
}

#[tokio::test]
async fn what_is_asked_is_an_embedding() {
    let (server, client) = start_with("", |options| options).await;
    client.embed(&texts(&["one"])).await.unwrap();
    assert_eq!(server.requests()[0].endpoint, Endpoint::Embeddings);
}
