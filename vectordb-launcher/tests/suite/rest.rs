//! The REST port.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{CODE, Launcher, Start, fill, make};

async fn get(url: String) -> (StatusCode, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn result(url: String) -> Value {
    let (status, text) = get(url).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["result"].clone()
}

#[tokio::test]
async fn people_and_probes_get_answers() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let base = format!("http://127.0.0.1:{}", launcher.ports.http);
    assert_eq!(
        get(format!("{base}/healthz")).await,
        (StatusCode::OK, "healthz check passed".to_owned())
    );
    assert_eq!(
        get(format!("{base}/readyz")).await,
        (StatusCode::OK, "all shards are ready".to_owned())
    );
    assert_eq!(
        result(format!("{base}/collections")).await,
        json!({"collections": [{"name": "code"}]})
    );
    assert_eq!(
        result(format!("{base}/collections/none/exists")).await,
        json!({"exists": false})
    );

    let info = result(format!("{base}/collections/{CODE}")).await;
    assert_eq!(info["status"], "green");
    assert_eq!(info["points_count"], 5);
    assert_eq!(
        info["config"]["params"]["vectors"],
        json!({"dense": {"size": 4, "distance": "Cosine"}})
    );
    assert_eq!(
        info["config"]["params"]["sparse_vectors"],
        json!({"bm25": {"modifier": "idf"}})
    );
    assert_eq!(
        info["payload_schema"]["path"],
        json!({"data_type": "keyword", "points": 5})
    );

    let (status, text) = get(format!("{base}/collections/none")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        error["status"],
        json!({"error": "Not found: Collection `none` doesn't exist!"})
    );
    let (_, metrics) = get(format!("{base}/metrics")).await;
    assert!(
        metrics.contains("collection_points{id=\"code\"} 5\n"),
        "{metrics}"
    );
    let (status, text) = get(format!("{base}/collections/{CODE}/cluster")).await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert!(text.contains("GET /collections/code/cluster"), "{text}");
}

/// The Python client's session covers the calls; this covers what only raw
/// requests can say.
#[tokio::test]
async fn points_over_rest() {
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    let points = format!(
        "http://127.0.0.1:{}/collections/{CODE}/points",
        launcher.ports.http
    );
    assert_eq!(
        result(format!("{points}/3")).await,
        json!({
            "id": 3,
            "payload": {"workspace": "a", "path": "src/3.rs", "line": 3},
            "vector": {
                "dense": [0.0, 1.0, 0.0, 0.0],
                "bm25": {"indices": [10, 20], "values": [2.0, 0.5]}
            }
        })
    );
    let post = async |path: &str, body: &str| {
        let request = reqwest::Client::new().post(format!("{points}{path}"));
        let response = request.body(body.to_owned()).send().await.unwrap();
        let status = response.status();
        (status, response.json::<Value>().await.unwrap())
    };
    let refused = async |path: &str, body: &str, status: StatusCode, words: &str| {
        let (got, answer) = post(path, body).await;
        let error = answer["status"]["error"].as_str().unwrap_or_default();
        assert_eq!(got, status, "{answer}");
        assert!(error.contains(words), "{answer}");
        assert!(
            answer["time"].is_number() && answer["result"].is_null(),
            "{answer}"
        );
    };
    let bad = StatusCode::BAD_REQUEST;
    refused("/query", "{", bad, "Format error in JSON body: EOF").await;
    refused(
        "/query",
        r#"{"query": {"what": 1}}"#,
        bad,
        "Format error in JSON body",
    )
    .await;
    refused(
        "/query",
        r#"{"query": [1], "using": "dense"}"#,
        bad,
        "expected dim: 4, got 1",
    )
    .await;
    refused(
        "/query",
        r#"{"query": 77, "using": "dense"}"#,
        StatusCode::NOT_FOUND,
        "No point with id 77",
    )
    .await;
    refused("/delete", "{}", bad, "untagged enum PointsSelector").await;
    refused(
        "/count",
        r#"{"shard_key": "a"}"#,
        StatusCode::NOT_IMPLEMENTED,
        "a shard key",
    )
    .await;

    // The older search, and scores that are printed as short as they are.
    let old = r#"{"vector": {"name": "dense", "vector": [1, 0, 0, 0]}, "limit": 1}"#;
    let (status, answer) = post("/search", old).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["result"][0]["score"], 1.0);
    assert_eq!(answer["result"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn browser_pages_and_strangers_are_refused() {
    let folder = tempdir().unwrap();
    let launcher = Start::new(folder.path())
        .arg("--embedded")
        .arg("--api-key")
        .arg("key")
        .ready();
    let base = format!("http://127.0.0.1:{}", launcher.ports.http);
    assert_eq!(get(format!("{base}/readyz")).await.0, StatusCode::OK);
    assert_eq!(
        get(format!("{base}/collections")).await.0,
        StatusCode::UNAUTHORIZED
    );
    let client = reqwest::Client::new();
    let with_key = || client.get(format!("{base}/collections")).header("api-key", "key");
    assert_eq!(with_key().send().await.unwrap().status(), StatusCode::OK);
    let page = with_key()
        .header("Origin", "https://example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
}
