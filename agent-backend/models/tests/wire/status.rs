//! The server and its models: health, loading, memory, vectors.

use models::{Context, Error, Health, Identity, Loaded, LoadedModel, OllamaOptions, Provider};
use scripted_ollama::{DIMENSIONS_DEFAULT, embed};
use serde_json::json;

use super::{EMBED_MODEL, MODEL, NUM_CTX, start, start_with};

#[tokio::test]
async fn health() {
    let (_server, ollama) = start("").await;
    let expect = Health {
        version: "0.13.0".to_owned(),
        model: MODEL.to_owned(),
        model_available: true,
        models: vec![MODEL.to_owned(), "nomic-embed-text:latest".to_owned()],
    };
    assert_eq!(ollama.health().await, Ok(expect));
    let identity = Identity {
        provider: "ollama".to_owned(),
        model: MODEL.to_owned(),
        context_tokens: NUM_CTX,
    };
    assert_eq!(*ollama.identity(), identity);
}

#[tokio::test]
async fn preload() {
    let (server, ollama) = start("").await;
    assert_eq!(ollama.in_memory().await, Ok(Vec::new()));
    let loaded = ollama.preload().await.unwrap();
    let expect = Loaded {
        model: MODEL.to_owned(),
        num_ctx: NUM_CTX,
        context_length_max: Some(32768),
        vram_mb: 4500,
        load_ms: loaded.load_ms,
        context: Context {
            requested: NUM_CTX,
            loaded: Some(NUM_CTX),
            sent_tokens_min: 0,
            used_tokens: None,
        },
    };
    assert_eq!((&loaded, loaded.context.check()), (&expect, Ok(())));
    let body = json!({
        "model": MODEL, "messages": [], "stream": false, "keep_alive": -1, "options": {"num_ctx": NUM_CTX},
    });
    assert_eq!(server.requests()[1].body, body);
    let expect = LoadedModel {
        name: MODEL.to_owned(),
        vram_mb: 4500,
        size_mb: 4500,
        context_length: Some(NUM_CTX),
    };
    assert_eq!(ollama.in_memory().await, Ok(vec![expect]));
}

#[tokio::test]
async fn a_preload_that_the_server_fails() {
    // Not enough memory is what happens most.
    let script = "rules: [{match: {endpoint: ps}, respond: {error: {status: 500, message: out of memory}}}]";
    let (_server, ollama) = start(script).await;
    let expect = Error::Failed {
        status: 500,
        message: "out of memory".to_owned(),
    };
    assert_eq!(ollama.preload().await, Err(expect));
}

#[tokio::test]
async fn vectors() {
    let (server, ollama) = start("").await;
    // More than fit into one request.
    let texts: Vec<String> = (0..130)
        .map(|number| format!("search_document: text {number}"))
        .collect();
    let expect: Vec<Vec<f32>> = texts.iter().map(|text| embed(text, DIMENSIONS_DEFAULT)).collect();
    let found = ollama.embed(&texts).await.unwrap();
    assert_eq!(found.len(), expect.len());
    for (found, expect) in found.iter().flatten().zip(expect.iter().flatten()) {
        assert!((found - expect).abs() < 1e-6);
    }
    let calls = server.requests();
    let sizes: Vec<_> = calls
        .iter()
        .map(|record| record.body["input"].as_array().map(Vec::len))
        .collect();
    assert_eq!(sizes, [Some(64), Some(64), Some(2)]);
    let mut body = calls[2].body.clone();
    body["input"] = json!(2);
    let expect = json!({"model": EMBED_MODEL, "input": 2, "truncate": true, "keep_alive": -1});
    assert_eq!(body, expect);
    assert_eq!(ollama.embed(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn vectors_that_cannot_be_had() {
    let (_server, ollama) = start_with("", |options| OllamaOptions {
        embed_model: Some(MODEL.to_owned()),
        ..options
    })
    .await;
    let message = "this model does not support embeddings".to_owned();
    assert_eq!(
        ollama.embed(&["x".to_owned()]).await,
        Err(Error::Refused { status: 501, message })
    );
    let short =
        "rules: [{match: {endpoint: embed}, respond: {raw: {status: 200, content_type: application/json,
                 body: '{\"embeddings\": []}'}}}]";
    let (_server, ollama) = start(short).await;
    let reason = "0 vectors for 1 texts".to_owned();
    assert_eq!(
        ollama.embed(&["x".to_owned()]).await,
        Err(Error::StreamBroken { reason })
    );
}
