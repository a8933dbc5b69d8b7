//! The models of a configuration, against a scripted server and an empty disk.

use std::{fs, sync::Arc};

use retrieval::embed;
use scripted_ollama::{Endpoint, ScriptedOllama};
use serde_json::{Value, json};
use shared::error::Code;

use super::SearchModels;
use crate::{
    config::{Config, Retrieval},
    error::Error,
    wiring,
};

const KEY: &str = "sk-0123456789abcdef0123456789abcdef";

async fn server() -> ScriptedOllama {
    let server = ScriptedOllama::builder()
        .embedding_model("nomic-embed-text")
        .embedding_model("all-minilm")
        .key(KEY);
    server.start().await.unwrap()
}

fn config(url: &str, retrieval: Value) -> Config {
    let mut config = Config {
        retrieval: serde_json::from_value::<Retrieval>(retrieval).unwrap(),
        ..Config::default()
    };
    config.ollama.url = url.to_owned();
    config
}

fn models(config: &Config) -> Result<SearchModels, Error> {
    SearchModels::new(config, Arc::new(wiring::ollama(config)?))
}

#[tokio::test]
async fn a_server_of_the_openai_interface_embeds_with_its_models_prefix() {
    let server = server().await;
    let dir = tempfile::tempdir().unwrap();
    let key_file = dir.path().join("key");
    fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let url = format!("{}/v1", server.url());
    let embedding =
        json!({"provider": "openai", "url": url, "model": "nomic-embed-text", "key_file": key_file});
    let models = models(&config(&server.url(), json!({ "embedding": embedding }))).unwrap();
    assert!(models.embeds());
    let embedder = models.embedder().await.unwrap().unwrap();
    let identity = embedder.identity();
    assert_eq!(
        (identity.model.as_str(), identity.dimension),
        ("openai/nomic-embed-text", 768)
    );
    embed::documents(&*embedder, &["fn main".to_owned()])
        .await
        .unwrap();
    embed::query(&*embedder, "main").await.unwrap();
    let asked: Vec<(Endpoint, Value)> = server
        .requests()
        .into_iter()
        .map(|record| (record.endpoint, record.body["input"].clone()))
        .collect();
    let expect = [
        json!(["dimension"]),
        json!(["search_document: fn main"]),
        json!(["search_query: main"]),
    ];
    assert_eq!(asked, expect.map(|input| (Endpoint::Embeddings, input)));
}

#[tokio::test]
async fn ollamas_model_is_the_one_of_the_embedding_section_if_it_names_one() {
    let server = server().await;
    let check = async |embedding: Value, expect: &str| {
        let models = models(&config(&server.url(), json!({ "embedding": embedding }))).unwrap();
        let embedder = models.embedder().await.unwrap().unwrap();
        assert_eq!(embedder.identity().model, expect);
    };
    check(json!({}), "nomic-embed-text").await;
    check(json!({"model": "all-minilm"}), "all-minilm").await;
}

#[tokio::test]
async fn without_a_model_there_is_none_and_doctor_says_so() {
    let models = models(&config(
        "http://127.0.0.1:1",
        json!({"embedding": {"provider": "none"}}),
    ))
    .unwrap();
    assert!(!models.embeds() && models.reranker().is_none());
    assert!(models.embedder().await.unwrap().is_none());
    assert!(models.reranker().is_none());
    let [embedding, reranking] = models.findings().await.map(Result::unwrap);
    assert_eq!(
        embedding,
        "none is configured: search goes by words and history alone"
    );
    assert_eq!(
        reranking,
        "none is configured: results stay in the order of the search"
    );
}

#[tokio::test]
async fn what_is_wrong_has_its_code() {
    let server = server().await;
    let url = format!("{}/v1", server.url());
    let dir = tempfile::tempdir().unwrap();
    let check = async |embedding: Value, expect: Code| {
        let models = models(&config(&server.url(), json!({ "embedding": embedding }))).unwrap();
        let error = models.embedder().await.map(drop).unwrap_err();
        assert_eq!(error.code, expect, "{error}");
    };
    let openai = |more: Value| {
        let mut embedding = json!({"provider": "openai", "url": url, "model": "nomic-embed-text"});
        embedding
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        embedding
    };
    check(openai(json!({})), Code::KeyRefused).await;
    check(
        openai(json!({"key_env": "AGENTIC_IDE_TEST_NO_SUCH_KEY"})),
        Code::KeyRefused,
    )
    .await;
    check(
        openai(json!({"key_file": dir.path().join("none")})),
        Code::KeyRefused,
    )
    .await;
    check(
        openai(json!({"url": "http://127.0.0.1:1/v1"})),
        Code::ModelServerUnreachable,
    )
    .await;
    check(
        json!({"provider": "local", "dir": dir.path()}),
        Code::LocalModelUnusable,
    )
    .await;
    check(json!({"model": "missing"}), Code::ModelNotPulled).await;

    let wrong = models(&config(&server.url(), json!({"embedding": {"dir": "/m"}})));
    assert_eq!(wrong.map(drop).unwrap_err().code, Code::ConfigInvalid);
}

#[tokio::test]
async fn a_reranker_that_cannot_be_loaded_fails_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let retrieval =
        json!({"embedding": {"provider": "none"}, "rerank": {"dir": dir.path(), "model": "mine"}});
    let models = models(&config("http://127.0.0.1:1", retrieval)).unwrap();
    let reranker = models.reranker().unwrap();
    assert_eq!(reranker.identity(), "mine");
    let failure = reranker.score("q", vec!["t".to_owned()]).await.unwrap_err();
    assert_eq!(failure.code, Code::LocalModelUnusable);
    assert!(models.findings().await[1].is_err());
}
