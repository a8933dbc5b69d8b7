//! The models: lists, loading, pulling, embedding.

use scripted_ollama::{Kind, ModelSpec, ScriptedOllama};
use serde_json::{Value, json};

use super::{EMBED_MODEL, MODEL, get, json, lines, post, start};

#[tokio::test]
async fn says_who_it_is() {
    let server = start("").await;
    assert_eq!(
        json(get(&server, "/").await).await,
        (200, "Ollama is running".into())
    );
    assert_eq!(
        json(get(&server, "/api/version").await).await,
        (200, json!({"version": "0.13.0"}))
    );
    assert_eq!(
        json(get(&server, "/v1/nothing").await).await,
        (404, "404 page not found".into())
    );
}

fn details(family: &str) -> Value {
    json!({
        "parent_model": "", "format": "gguf", "family": family, "families": [family],
        "parameter_size": "7.2B", "quantization_level": "Q4_K_M",
    })
}

#[tokio::test]
async fn lists_models() {
    let server = start("models: [{name: absent, pulled: false}]").await;
    let size = 4_372_824_384_u64;
    let expect = json!({"models": [
        {"name": MODEL, "model": MODEL, "size": size, "details": details("llama")},
        {"name": "nomic-embed-text:latest", "model": "nomic-embed-text:latest", "size": size,
         "details": details("nomic-bert")},
    ]});
    assert_eq!(json(get(&server, "/api/tags").await).await, (200, expect));
}

#[tokio::test]
async fn shows_a_model() {
    let server = start("").await;
    let (status, shown) = json(post(&server, "/api/show", json!({"model": MODEL})).await).await;
    assert_eq!(
        (status, &shown["model_info"]["llama.context_length"]),
        (200, &json!(32768))
    );
    assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    let missing = json(post(&server, "/api/show", json!({"name": "x"})).await).await;
    assert_eq!(missing, (404, json!({"error": "model 'x' not found"})));
    let unnamed = json(post(&server, "/api/show", json!({})).await).await;
    assert_eq!(unnamed, (400, json!({"error": "model is required"})));
}

/// Names and contexts of what is loaded.
async fn loaded(server: &ScriptedOllama) -> Vec<(String, u64)> {
    let (_, running) = json(get(server, "/api/ps").await).await;
    let models = running["models"].as_array().unwrap();
    let entry = |model: &Value| {
        assert_eq!(model["size_vram"], json!(4500_u64 << 20));
        (
            model["name"].as_str().unwrap().to_owned(),
            model["context_length"].as_u64().unwrap(),
        )
    };
    models.iter().map(entry).collect()
}

#[tokio::test]
async fn loads_keeps_and_unloads() {
    let server = start("").await;
    let mut expect = Vec::new();
    assert_eq!(loaded(&server).await, expect);
    let load = |num_ctx: u32, keep: Value| json!({"model": MODEL, "messages": [], "keep_alive": keep, "options": {"num_ctx": num_ctx}});
    let answer = |reason: &str| json!({"model": MODEL, "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": reason});
    let loads = [
        (8192, json!(-1), 8192, true),
        (8192, json!("5m"), 8192, false),
        (65536, json!(-1), 32768, true),
    ];
    for (num_ctx, keep, found, loads_anew) in loads {
        let body = load(num_ctx, keep);
        assert_eq!(
            json(post(&server, "/api/chat", body).await).await,
            (200, answer("load"))
        );
        expect = vec![(MODEL.to_owned(), found)];
        assert_eq!(loaded(&server).await, expect);
        let mut chats = server
            .requests()
            .into_iter()
            .filter(|record| !record.body.is_null());
        assert_eq!(
            chats.next_back().map(|record| record.loaded_model),
            Some(loads_anew)
        );
    }
    let unload = json!({"model": MODEL, "keep_alive": 0});
    assert_eq!(
        json(post(&server, "/api/chat", unload).await).await,
        (200, answer("unload"))
    );
    assert_eq!(loaded(&server).await, []);
    let (_, generated) = json(post(&server, "/api/generate", json!({"model": MODEL})).await).await;
    assert_eq!(
        generated,
        json!({"model": MODEL, "response": "", "done": true, "done_reason": "load"})
    );
    assert_eq!(loaded(&server).await, [(MODEL.to_owned(), 4096)]);
}

#[tokio::test]
async fn pulls_what_the_script_knows() {
    let server = start("models: [{name: llama3, pulled: false}]").await;
    let chat = json!({"model": "llama3", "messages": []});
    assert_eq!(json(post(&server, "/api/chat", &chat).await).await.0, 404);
    let progress = lines(post(&server, "/api/pull", json!({"model": "llama3"})).await).await;
    assert_eq!(progress.first(), Some(&json!({"status": "pulling manifest"})));
    assert_eq!(progress[3]["completed"], progress[3]["total"]);
    assert_eq!(progress.last(), Some(&json!({"status": "success"})));
    assert_eq!(json(post(&server, "/api/chat", &chat).await).await.0, 200);
    let unknown = lines(post(&server, "/api/pull", json!({"model": "nobody"})).await).await;
    let expect = [
        json!({"status": "pulling manifest"}),
        json!({"error": "pull model manifest: file does not exist"}),
    ];
    assert_eq!(unknown, expect);
    let whole = json(post(&server, "/api/pull", json!({"model": "llama3", "stream": false})).await).await;
    assert_eq!(whole, (200, json!({"status": "success"})));
}

#[tokio::test]
async fn embeds() {
    let server = start("").await;
    let body = json!({"model": EMBED_MODEL, "input": ["add a user", "a user add"]});
    let (status, answer) = json(post(&server, "/api/embed", body).await).await;
    let vectors = answer["embeddings"].as_array().unwrap();
    assert_eq!(
        (status, vectors.len(), &answer["prompt_eval_count"]),
        (200, 2, &json!(8))
    );
    assert_eq!(
        (vectors[0].as_array().unwrap().len(), &vectors[0]),
        (768, &vectors[1])
    );

    async fn check(server: &ScriptedOllama, body: Value, status: u16, error: &str) {
        assert_eq!(
            json(post(server, "/api/embed", body).await).await,
            (status, json!({"error": error}))
        );
    }
    check(
        &server,
        json!({"model": EMBED_MODEL, "input": 7}),
        400,
        "invalid input type",
    )
    .await;
    check(&server, json!({"input": "x"}), 400, "model is required").await;
    check(
        &server,
        json!({"model": MODEL, "input": "x"}),
        501,
        "this model does not support embeddings",
    )
    .await;
    check(
        &server,
        json!({"model": "y", "input": "x"}),
        404,
        "model \"y\" not found, try pulling it first",
    )
    .await;
    let long =
        json!({"model": EMBED_MODEL, "input": "one two", "truncate": false, "options": {"num_ctx": 1}});
    check(&server, long, 400, "the input length exceeds the context length").await;
    let empty = json(post(&server, "/api/embed", json!({"model": EMBED_MODEL})).await).await;
    assert_eq!((empty.0, &empty.1["embeddings"]), (200, &json!([])));
}

#[tokio::test]
async fn vectors_have_the_scripted_length() {
    let spec = ModelSpec {
        dimensions: 8,
        ..ModelSpec::new("small", Kind::Embedding)
    };
    let server = ScriptedOllama::builder().model_spec(spec).start().await.unwrap();
    let (_, answer) = json(post(&server, "/api/embed", json!({"model": "small", "input": "x"})).await).await;
    assert_eq!(answer["embeddings"][0].as_array().map(Vec::len), Some(8));
}
