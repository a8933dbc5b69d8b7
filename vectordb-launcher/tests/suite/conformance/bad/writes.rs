//! Points, vectors and payloads.

use std::collections::HashMap;

use qdrant_client::{
    Qdrant,
    qdrant::{
        ClearPayloadPoints, DeletePayloadPoints, DeletePointVectors, DeletePoints, Filter, NamedVectors,
        PointId, PointVectors, PointsIdsList, PointsSelector, PointsUpdateOperation, SetPayloadPoints,
        UpdateBatchPoints, UpdatePointVectors, UpsertPoints, Vector, Vectors, VectorsSelector,
        points_selector::PointsSelectorOneOf, vectors::VectorsOptions,
    },
};
use serde_json::json;

use super::{BAD, Record, done, point, present, upsert};

const UUID: &str = "550e8400-e29b-41d4-a716-446655440000";

fn one(name: &str, vector: Vector) -> Option<VectorsOptions> {
    Some(VectorsOptions::Vectors(
        NamedVectors::default().add_vector(name, vector),
    ))
}

fn dense(values: &[f32]) -> Vector {
    Vector::new_dense(values.to_vec())
}

fn sparse(indices: &[u32], values: &[f32]) -> Vector {
    Vector::new_sparse(indices.to_vec(), values.to_vec())
}

fn chosen(ids: &[u64]) -> Option<PointsSelector> {
    Some(PointsSelector {
        points_selector_one_of: Some(PointsSelectorOneOf::Points(PointsIdsList {
            ids: ids.iter().map(|id| PointId::from(*id)).collect(),
        })),
    })
}

/// All of them.
pub async fn all(client: &Qdrant, record: &mut Record) {
    upserts(client, record).await;
    vectors(client, record).await;
    payloads(client, record).await;
    deletions(client, record).await;
}

async fn upserts(client: &Qdrant, record: &mut Record) {
    let unnamed = Some(VectorsOptions::Vector(dense(&[1.0, 2.0])));
    let no_id = qdrant_client::qdrant::PointStruct {
        id: None,
        ..point(1, one("a", dense(&[1.0, 2.0])))
    };
    for (step, points) in [
        ("bad: upsert of nothing", Vec::new()),
        ("bad: upsert without an id", vec![no_id]),
        (
            "bad: upsert of an id that is none",
            vec![point("none", one("a", dense(&[1.0, 2.0])))],
        ),
        ("bad: upsert without vectors", vec![point(1, None)]),
        (
            "bad: upsert with no vector of the names",
            vec![point(2, Some(VectorsOptions::Vectors(NamedVectors::default())))],
        ),
        ("bad: upsert without a vector name", vec![point(3, unnamed)]),
        (
            "bad: upsert of an empty vector",
            vec![point(3, one("a", dense(&[])))],
        ),
        (
            "bad: upsert of too few dimensions",
            vec![point(3, one("a", dense(&[1.0])))],
        ),
        (
            "bad: upsert of too many dimensions",
            vec![point(3, one("a", dense(&[1.0, 2.0, 3.0])))],
        ),
        (
            "bad: upsert of a sparse vector as a dense one",
            vec![point(3, one("a", sparse(&[1], &[1.0])))],
        ),
        (
            "bad: upsert of a dense vector as a sparse one",
            vec![point(3, one("s", dense(&[1.0])))],
        ),
        (
            "bad: upsert of rows as a dense vector",
            vec![point(3, one("a", Vector::new_multi(vec![vec![1.0, 2.0]])))],
        ),
        (
            "bad: upsert of unequal lengths",
            vec![point(3, one("s", sparse(&[1, 2], &[1.0])))],
        ),
        (
            "bad: upsert of an index twice",
            vec![point(3, one("s", sparse(&[1, 1], &[1.0, 2.0])))],
        ),
        (
            "bad: upsert of an empty sparse vector",
            vec![point(4, one("s", sparse(&[], &[])))],
        ),
        (
            "bad: upsert of indices in no order",
            vec![point(5, one("s", sparse(&[9, 1], &[1.0, 2.0])))],
        ),
        (
            "bad: upsert of NaN",
            vec![point(6, one("b", dense(&[f32::NAN, 1.0, 1.0])))],
        ),
        (
            "bad: upsert of infinity",
            vec![point(7, one("b", dense(&[f32::INFINITY, 1.0, 1.0])))],
        ),
        (
            "bad: upsert of NaN to cosine",
            vec![point(8, one("a", dense(&[f32::NAN, 1.0])))],
        ),
        (
            "bad: upsert of a sparse NaN",
            vec![point(9, one("s", sparse(&[1], &[f32::NAN])))],
        ),
        (
            "bad: upsert of zeroes to cosine",
            vec![point(10, one("a", dense(&[0.0, 0.0])))],
        ),
        (
            "bad: upsert of ids of both kinds",
            vec![
                point(UUID, one("a", dense(&[1.0, 2.0]))),
                point(11, one("a", dense(&[1.0, 2.0]))),
            ],
        ),
        (
            "bad: upsert of an id twice",
            vec![
                point(12, one("a", dense(&[1.0, 2.0]))),
                point(12, one("b", dense(&[1.0, 2.0, 3.0]))),
            ],
        ),
        (
            "bad: upsert of a good one and a bad one",
            vec![
                point(13, one("a", dense(&[1.0, 2.0]))),
                point(14, one("a", dense(&[1.0]))),
            ],
        ),
    ] {
        record.note(step, client.upsert_points(upsert(points)).await, done);
    }
    let elsewhere = UpsertPoints {
        collection_name: String::new(),
        ..upsert(Vec::new())
    };
    record.note(
        "bad: upsert to no name",
        client.upsert_points(elsewhere).await,
        done,
    );
    present(client, record, "bad: points after the upserts").await;
}

async fn vectors(client: &Qdrant, record: &mut Record) {
    let of = |id: u64, name: &str, vector: Vector| PointVectors {
        id: Some(id.into()),
        vectors: Some(Vectors {
            vectors_options: one(name, vector),
        }),
    };
    for (step, points) in [
        ("bad: update of no vectors", Vec::new()),
        (
            "bad: update of an unknown vector",
            vec![of(11, "none", dense(&[1.0]))],
        ),
        (
            "bad: update of a wrong dimension",
            vec![of(11, "a", dense(&[1.0]))],
        ),
        ("bad: update of nobody", vec![of(999, "a", dense(&[1.0, 2.0]))]),
        (
            "bad: update to NaN",
            vec![of(11, "b", dense(&[f32::NAN, 1.0, 1.0]))],
        ),
        (
            "bad: update without vectors",
            vec![PointVectors {
                id: Some(11.into()),
                vectors: None,
            }],
        ),
    ] {
        let request = UpdatePointVectors {
            collection_name: BAD.to_owned(),
            wait: Some(true),
            points,
            ..UpdatePointVectors::default()
        };
        record.note(step, client.update_vectors(request).await, done);
    }
    for (step, names, points) in [
        ("bad: delete no vectors", Vec::new(), chosen(&[11])),
        (
            "bad: delete an unknown vector",
            vec!["none".to_owned()],
            chosen(&[11]),
        ),
        (
            "bad: delete vectors of nobody",
            vec!["a".to_owned()],
            chosen(&[999]),
        ),
        ("bad: delete vectors of no points", vec!["a".to_owned()], None),
    ] {
        let request = DeletePointVectors {
            collection_name: BAD.to_owned(),
            wait: Some(true),
            points_selector: points,
            vectors: Some(VectorsSelector { names }),
            ..DeletePointVectors::default()
        };
        record.note(step, client.delete_vectors(request).await, done);
    }
}

async fn payloads(client: &Qdrant, record: &mut Record) {
    let values: HashMap<String, qdrant_client::qdrant::Value> =
        qdrant_client::Payload::try_from(json!({"x": 1})).unwrap().into();
    let set = |points: Option<PointsSelector>, key: Option<&str>| SetPayloadPoints {
        collection_name: BAD.to_owned(),
        wait: Some(true),
        payload: values.clone(),
        points_selector: points,
        key: key.map(str::to_owned),
        ..SetPayloadPoints::default()
    };
    for (step, request) in [
        ("bad: set payload of no points", set(None, None)),
        ("bad: set payload of an empty list", set(chosen(&[]), None)),
        ("bad: set payload of nobody", set(chosen(&[999]), None)),
        (
            "bad: set payload at a path that is none",
            set(chosen(&[11]), Some("a[")),
        ),
        ("bad: set payload at an empty path", set(chosen(&[11]), Some(""))),
    ] {
        record.note(step, client.set_payload(request.clone()).await, done);
        let step = step.replace("set", "overwrite");
        record.note(&step, client.overwrite_payload(request).await, done);
    }
    for (step, keys, points) in [
        ("bad: delete no keys", Vec::new(), chosen(&[11])),
        ("bad: delete keys of no points", vec!["x".to_owned()], None),
        ("bad: delete keys of nobody", vec!["x".to_owned()], chosen(&[999])),
        (
            "bad: delete a key that is none",
            vec!["a[".to_owned()],
            chosen(&[11]),
        ),
    ] {
        let request = DeletePayloadPoints {
            collection_name: BAD.to_owned(),
            wait: Some(true),
            keys,
            points_selector: points,
            ..DeletePayloadPoints::default()
        };
        record.note(step, client.delete_payload(request).await, done);
    }
    for (step, points) in [
        ("bad: clear payload of no points", None),
        ("bad: clear payload of nobody", chosen(&[999])),
    ] {
        let request = ClearPayloadPoints {
            collection_name: BAD.to_owned(),
            wait: Some(true),
            points,
            ..ClearPayloadPoints::default()
        };
        record.note(step, client.clear_payload(request).await, done);
    }
}

async fn deletions(client: &Qdrant, record: &mut Record) {
    let nothing = Some(PointsSelector {
        points_selector_one_of: None,
    });
    for (step, points) in [
        ("bad: delete without points", None),
        ("bad: delete without a choice", nothing),
        ("bad: delete an empty list", chosen(&[])),
        ("bad: delete nobody", chosen(&[999])),
    ] {
        let request = DeletePoints {
            collection_name: BAD.to_owned(),
            wait: Some(true),
            points,
            ..DeletePoints::default()
        };
        record.note(step, client.delete_points(request).await, done);
    }
    for (step, operations) in [
        ("bad: batch of nothing", Vec::new()),
        (
            "bad: batch of no operation",
            vec![PointsUpdateOperation { operation: None }],
        ),
    ] {
        let request = UpdateBatchPoints {
            collection_name: BAD.to_owned(),
            wait: Some(true),
            operations,
            ..UpdateBatchPoints::default()
        };
        record.note(step, client.update_points_batch(request).await, |answer| {
            json!(answer.result.len())
        });
    }
    present(client, record, "bad: points before they go").await;
    let all = DeletePoints {
        collection_name: BAD.to_owned(),
        wait: Some(true),
        points: Some(PointsSelector {
            points_selector_one_of: Some(PointsSelectorOneOf::Filter(Filter::default())),
        }),
        ..DeletePoints::default()
    };
    record.note(
        "bad: delete by an empty filter",
        client.delete_points(all).await,
        done,
    );
    present(client, record, "bad: points after they went").await;
}
