//! What clients do wrong, over gRPC and over REST: the code and the words of a
//! real Qdrant, and a store that is as it was.

use nix::sys::signal::Signal;
use qdrant_client::{
    Payload, Qdrant,
    qdrant::{
        Condition, CreateCollectionBuilder, Distance, Filter, GetPointsBuilder, NamedVectors, PointId,
        PointStruct, ScrollPointsBuilder, UpsertPointsBuilder, Vector, VectorParamsBuilder,
        point_id::PointIdOptions,
    },
};
use serde_json::json;
use tempfile::tempdir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::support::{CODE, Launcher, Start, count, fill, ids, make, point, told};

const MISSING: &str = "Not found: Collection `missing` doesn't exist!";
const DIMENSION: &str = "Wrong input: Vector dimension error: expected dim: 4, got 3";
const NO_VECTOR: &str = "Wrong input: Not existing vector name error: other";

/// Largest body of REST, in bytes.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

async fn filled(folder: &std::path::Path) -> (Launcher, Qdrant) {
    let launcher = Launcher::embedded(folder);
    let client = launcher.client();
    make(&client).await;
    fill(&client).await;
    (launcher, client)
}

/// The same mistake in both languages: what gRPC and REST answer.
struct Both<'a> {
    launcher: &'a Launcher,
    client: &'a Qdrant,
}

impl Both<'_> {
    async fn upsert(&self, collection: &str, name: &str, vector: Vec<f32>, expect: (Code, u16, &str)) {
        let (code, status, words) = expect;
        let vectors = NamedVectors::default().add_vector(name, Vector::new_dense(vector.clone()));
        let good = point(77, "a", [1.0; 4], &[(1, 1.0)]);
        let bad = PointStruct::new(78, vectors, Payload::new());
        let request = UpsertPointsBuilder::new(collection, vec![good, bad]).wait(true);
        let answer = told(self.client.upsert_points(request).await);
        assert_eq!(answer, (code, words.to_owned()));
        let body = json!({"points": [
            {"id": 77, "vector": {"dense": [1, 1, 1, 1]}},
            {"id": 78, "vector": {name: vector}},
        ]});
        let path = format!("/collections/{collection}/points?wait=true");
        let answer = self.launcher.refused("PUT", &path, body.to_string()).await;
        assert_eq!(answer, (status, words.to_owned()));
    }

    async fn query(&self, collection: &str, name: &str, vector: Vec<f32>, expect: (Code, u16, &str)) {
        let (code, status, words) = expect;
        let query = qdrant_client::qdrant::QueryPointsBuilder::new(collection)
            .query(vector.clone())
            .using(name);
        let answer = told(self.client.query(query).await);
        assert_eq!(answer, (code, words.to_owned()));
        let body = json!({"query": vector, "using": name});
        let path = format!("/collections/{collection}/points/query");
        let answer = self.launcher.refused("POST", &path, body.to_string()).await;
        assert_eq!(answer, (status, words.to_owned()));
    }
}

#[tokio::test]
async fn wrong_dimension_collection_and_vector_name() {
    let folder = tempdir().unwrap();
    let (launcher, client) = filled(folder.path()).await;
    let both = Both {
        launcher: &launcher,
        client: &client,
    };
    let (bad, missing) = (Code::InvalidArgument, Code::NotFound);
    let named = format!("{DIMENSION} for vector 'dense'");
    both.upsert(CODE, "dense", vec![1.0; 3], (bad, 400, &named)).await;
    both.upsert(CODE, "other", vec![1.0; 4], (bad, 400, NO_VECTOR))
        .await;
    both.upsert("missing", "dense", vec![1.0; 4], (missing, 404, MISSING))
        .await;
    both.query(CODE, "dense", vec![1.0; 3], (bad, 400, DIMENSION))
        .await;
    both.query(CODE, "other", vec![1.0; 4], (bad, 400, NO_VECTOR))
        .await;
    both.query("missing", "dense", vec![1.0; 4], (missing, 404, MISSING))
        .await;
    // The good point beside each bad one is not there either.
    assert_eq!(count(&client).await, 5);
}

/// They are taken, as in Qdrant, and do not get into the way of the others.
#[tokio::test]
async fn numbers_that_are_none() {
    let folder = tempdir().unwrap();
    let (launcher, client) = filled(folder.path()).await;
    for (id, value) in [(6, f32::NAN), (7, f32::INFINITY), (8, f32::NEG_INFINITY)] {
        let strange = point(id, "a", [1.0, value, 0.0, 0.0], &[(1, 1.0)]);
        let request = UpsertPointsBuilder::new(CODE, vec![strange]).wait(true);
        client.upsert_points(request).await.unwrap();
    }
    let near = qdrant_client::qdrant::QueryPointsBuilder::new(CODE)
        .query(vec![0.0, 0.0, 1.0, 0.0])
        .using("dense")
        .limit(10);
    let mut found = ids(client.query(near).await.unwrap().result);
    found.retain(|id| *id < 6);
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], 4);
    // JSON has no such number.
    let body = r#"{"points": [{"id": 7, "vector": {"dense": [1, NaN, 0, 0]}}]}"#;
    let path = format!("/collections/{CODE}/points?wait=true");
    let (status, words) = launcher.refused("PUT", &path, body).await;
    assert_eq!(status, 400);
    assert!(
        words.starts_with("Format error in JSON body: expected value at line 1 column "),
        "{words}"
    );
    assert_eq!(count(&client).await, 8);
}

/// Numbers and UUIDs may stand in one collection, numbers first. Anything else
/// is no id.
#[tokio::test]
async fn ids_of_mixed_kinds() {
    const UUID: &str = "936da01f-9abd-4d9d-80c7-02af85c822a8";
    let folder = tempdir().unwrap();
    let (launcher, client) = filled(folder.path()).await;
    let mut with_uuid = point(0, "a", [1.0; 4], &[(1, 1.0)]);
    with_uuid.id = Some(PointId::from(UUID));
    let mixed = vec![with_uuid, point(6, "a", [1.0; 4], &[(1, 1.0)])];
    let request = UpsertPointsBuilder::new(CODE, mixed).wait(true);
    client.upsert_points(request).await.unwrap();
    let all = client
        .scroll(ScrollPointsBuilder::new(CODE).limit(10))
        .await
        .unwrap();
    let mut options = all
        .result
        .into_iter()
        .map(|point| point.id.unwrap().point_id_options.unwrap());
    assert_eq!(options.next_back(), Some(PointIdOptions::Uuid(UUID.to_owned())));
    assert_eq!(
        options.collect::<Vec<_>>(),
        (1..=6).map(PointIdOptions::Num).collect::<Vec<_>>()
    );

    let none = GetPointsBuilder::new(CODE, vec![1.into(), "no-uuid".into()]);
    assert_eq!(
        told(client.get_points(none).await),
        (Code::InvalidArgument, "Unable to parse UUID: no-uuid".to_owned())
    );
    let path = format!("/collections/{CODE}/points");
    for id in ["-1", "1.5", r#""no-uuid""#, "true"] {
        let (status, words) = launcher
            .refused("POST", &path, format!(r#"{{"ids": [1, {id}]}}"#))
            .await;
        assert_eq!(status, 400);
        assert!(
            words.starts_with("Format error in JSON body: ")
                && words.contains(
                    "is not a valid point ID, valid values are either an unsigned integer or a UUID"
                ),
            "{words}"
        );
    }
    assert_eq!(count(&client).await, 7);
}

#[tokio::test]
async fn a_filter_on_a_field_without_index() {
    let folder = tempdir().unwrap();
    let (launcher, client) = filled(folder.path()).await;
    let filter = Filter::must([Condition::matches("line", 3)]);
    let request = ScrollPointsBuilder::new(CODE).filter(filter);
    assert_eq!(ids(client.scroll(request).await.unwrap().result), [3]);
    let body = json!({"filter": {"must": [{"key": "line", "match": {"value": 3}}]}});
    let path = format!("/collections/{CODE}/points/scroll");
    let (status, text) = launcher.rest("POST", &path, body.to_string()).await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &answer["result"]["points"][0]["id"]), (200, &json!(3)));
    // An order needs one, as in Qdrant.
    let body = json!({"order_by": "line"});
    let (status, words) = launcher.refused("POST", &path, body.to_string()).await;
    assert_eq!(status, 400);
    assert!(
        words.starts_with("Wrong input: No range index for `order_by` key: `line`"),
        "{words}"
    );
}

/// Ten megabytes in one payload come back as they went in, both ways; four such
/// points are too many for REST and not for gRPC.
#[tokio::test]
async fn a_payload_of_ten_megabytes() {
    const TEN: usize = 10_000_000;
    let folder = tempdir().unwrap();
    let (launcher, client) = filled(folder.path()).await;
    let text = "x".repeat(TEN);
    let body = json!({"points": [{"id": 10, "vector": {"dense": [1, 0, 0, 0]}, "payload": {"text": text}}]});
    let path = format!("/collections/{CODE}/points");
    let (status, answer) = launcher
        .rest("PUT", &format!("{path}?wait=true"), body.to_string())
        .await;
    assert_eq!(status, 200, "{answer}");
    let (_, answer) = launcher.rest("GET", &format!("{path}/10"), "").await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["result"]["payload"]["text"] == *text);

    let large = |id| {
        let mut point = point(id, "a", [1.0; 4], &[(1, 1.0)]);
        point.payload.insert("text".to_owned(), text.clone().into());
        point
    };
    let four = UpsertPointsBuilder::new(CODE, (11..15).map(large).collect::<Vec<_>>()).wait(true);
    client.upsert_points(four).await.unwrap();
    let got = client
        .get_points(GetPointsBuilder::new(CODE, vec![14.into()]).with_payload(true))
        .await;
    let payload = &got.unwrap().result[0].payload;
    assert!(payload["text"].as_str() == Some(&text));
    assert_eq!(count(&client).await, 10);
}

/// A million points in one request, the last of them bad: none is stored. REST
/// refuses by the length alone, before the body is sent.
#[tokio::test]
async fn a_batch_of_a_million_points() {
    const POINTS: u64 = 1_000_000;
    let folder = tempdir().unwrap();
    let (launcher, client) = filled(folder.path()).await;
    let plain =
        CreateCollectionBuilder::new("plain").vectors_config(VectorParamsBuilder::new(1, Distance::Dot));
    client.create_collection(plain).await.unwrap();
    let vector = |id| if id == POINTS - 1 { vec![1.0; 3] } else { vec![1.0] };
    let points = (0..POINTS)
        .map(|id| PointStruct::new(id, vector(id), Payload::new()))
        .collect::<Vec<_>>();
    let request = UpsertPointsBuilder::new("plain", points).wait(true);
    assert_eq!(
        told(launcher.patient_client().upsert_points(request).await),
        (
            Code::InvalidArgument,
            "Wrong input: Vector dimension error: expected dim: 1, got 3".to_owned()
        )
    );
    let info = client.collection_info("plain").await.unwrap().result.unwrap();
    assert_eq!(info.points_count, Some(0));

    let length = 60_000_000;
    let head = format!(
        "PUT /collections/plain/points HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", launcher.ports.http))
        .await
        .unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let words =
        format!("JSON payload ({length} bytes) is larger than allowed (limit: {BODY_BYTES_MAX} bytes).");
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains(&words),
        "{answer}"
    );
    assert_eq!(count(&client).await, 5);
}

/// Eight clients make, fill and remove one collection as fast as they can. Each
/// answer is one of those that Qdrant gives, and afterwards it is there once.
#[tokio::test(flavor = "multi_thread")]
async fn creation_and_deletion_at_once() {
    const CLIENTS: u64 = 8;
    const ROUNDS: u64 = 6;
    let folder = tempdir().unwrap();
    let launcher = Launcher::embedded(folder.path());
    let storms = (0..CLIENTS).map(|own| {
        let client = launcher.client();
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                match (own + round) % 3 {
                    0 => match client.create_collection(storm()).await {
                        Ok(answer) => assert!(answer.result),
                        refused @ Err(_) => assert_eq!(
                            told(refused),
                            (
                                Code::AlreadyExists,
                                "Wrong input: Collection `storm` already exists!".to_owned()
                            )
                        ),
                    },
                    1 => {
                        // Whether there was one is luck.
                        client.delete_collection("storm").await.unwrap();
                    }
                    _ => {
                        let point = PointStruct::new(own, vec![1.0; 4], Payload::new());
                        let upsert = UpsertPointsBuilder::new("storm", vec![point]).wait(true);
                        if let refused @ Err(_) = client.upsert_points(upsert).await {
                            let words = "Not found: Collection `storm` doesn't exist!".to_owned();
                            assert_eq!(told(refused), (Code::NotFound, words));
                        }
                    }
                }
            }
        })
    });
    for storm in storms.collect::<Vec<_>>() {
        storm.await.unwrap();
    }
    let client = launcher.client();
    client.delete_collection("storm").await.unwrap();
    client.create_collection(storm()).await.unwrap();
    let point = PointStruct::new(1, vec![1.0; 4], Payload::new());
    let upsert = UpsertPointsBuilder::new("storm", vec![point]).wait(true);
    client.upsert_points(upsert).await.unwrap();
    assert_eq!(launcher.end(Signal::SIGKILL).await, None);
    let launcher = Launcher::embedded(folder.path());
    let info = launcher.client().collection_info("storm").await.unwrap();
    assert_eq!(info.result.unwrap().points_count, Some(1));
    let left = folder.path().join("data/embedded/collections");
    assert_eq!(std::fs::read_dir(left).unwrap().count(), 1);
}

fn storm() -> CreateCollectionBuilder {
    CreateCollectionBuilder::new("storm").vectors_config(VectorParamsBuilder::new(4, Distance::Dot))
}

/// Over REST a refusal is clear text, as from Qdrant, and the probes are open.
#[tokio::test]
async fn a_wrong_key_over_rest_and_control() {
    let folder = tempdir().unwrap();
    let launcher = Start::new(folder.path())
        .arg("--embedded")
        .env("AGENTIC_IDE_VECTORDB_API_KEY", "right")
        .ready();
    let get = async |path: &str, header: Option<(&str, &str)>| {
        let url = format!("http://127.0.0.1:{}{path}", launcher.ports.http);
        let mut request = reqwest::Client::new().get(url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let missing = (
        401,
        "Must provide an API key or an Authorization bearer token".to_owned(),
    );
    let wrong = (401, "Invalid API key or JWT".to_owned());
    assert_eq!(get("/collections", None).await, missing);
    assert_eq!(
        get("/collections", Some(("authorization", "Basic right"))).await,
        missing
    );
    assert_eq!(get("/collections", Some(("api-key", "wrong"))).await, wrong);
    assert_eq!(
        get("/collections", Some(("authorization", "Bearer wrong"))).await,
        wrong
    );
    assert_eq!(get("/metrics", None).await, missing);
    for header in [("api-key", "right"), ("authorization", "Bearer right")] {
        assert_eq!(get("/collections", Some(header)).await.0, 200);
    }
    for open in ["/", "/healthz", "/livez", "/readyz"] {
        assert_eq!(get(open, None).await.0, 200, "{open}");
    }
    let mut control = launcher.control().await;
    let refused = control.status(proto::v1::StatusRequest {}).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unauthenticated, &*missing.1)
    );
    let mut request = tonic::Request::new(proto::v1::StatusRequest {});
    request.metadata_mut().insert("api-key", "right".parse().unwrap());
    control.status(request).await.unwrap();
}
