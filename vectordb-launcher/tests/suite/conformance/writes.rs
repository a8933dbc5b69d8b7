//! Steps that make, change and remove.

use qdrant_client::{
    Payload, Qdrant, QdrantError,
    qdrant::{
        ClearPayloadPointsBuilder, CollectionInfo, Condition, CountPointsBuilder, CreateAliasBuilder,
        CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, DeletePayloadPointsBuilder,
        DeletePointVectorsBuilder, DeletePointsBuilder, Distance, FieldType, Filter, GetPointsBuilder,
        Modifier, MultiVectorComparator, MultiVectorConfigBuilder, NamedVectors, OptimizersConfigDiffBuilder,
        PointId, PointStruct, PointVectors, PointsIdsList, PointsOperationResponse, PointsUpdateOperation,
        RenameAliasBuilder, ScrollPointsBuilder, SetPayloadPointsBuilder, SparseVectorParamsBuilder,
        SparseVectorsConfigBuilder, UpdateBatchPointsBuilder, UpdateCollectionBuilder,
        UpdatePointVectorsBuilder, UpdateStatus, UpsertPointsBuilder, Vector, VectorParamsBuilder,
        VectorsConfigBuilder,
        points_update_operation::{self as op, Operation},
        vectors_config::Config,
    },
};
use serde_json::{Value, json};

use super::{
    Record,
    data::{DIMENSIONS, NAME, POINTS, numbers, point},
    ids, payload,
};

fn described(info: CollectionInfo) -> Value {
    let config = info.config.unwrap();
    let params = config.params.unwrap();
    let mut vectors: Vec<Value> = match params.vectors_config.unwrap().config.unwrap() {
        Config::ParamsMap(map) => map
            .map
            .into_iter()
            .map(|(name, params)| {
                let multi = params.multivector_config.is_some();
                json!([name, params.size, params.distance().as_str_name(), multi])
            })
            .collect(),
        Config::Params(_) => panic!("the vectors have names"),
    };
    vectors.sort_by_key(Value::to_string);
    let sparse: Vec<Value> = params
        .sparse_vectors_config
        .unwrap()
        .map
        .into_iter()
        .map(|(name, params)| json!([name, params.modifier().as_str_name()]))
        .collect();
    let mut indexes: Vec<Value> = info
        .payload_schema
        .into_iter()
        .map(|(field, schema)| json!([field, schema.data_type().as_str_name()]))
        .collect();
    indexes.sort_by_key(Value::to_string);
    json!({
        "points": info.points_count,
        "vectors": vectors,
        "sparse": sparse,
        "indexes": indexes,
        "indexing_threshold": config.optimizer_config.unwrap().indexing_threshold,
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it has the shape of the other forms"
)]
fn completed(answer: PointsOperationResponse) -> Value {
    let status = answer.result.unwrap().status();
    assert_eq!(status, UpdateStatus::Completed);
    json!("completed")
}

async fn count(client: &Qdrant, record: &mut Record, step: &str) {
    let count = client.count(CountPointsBuilder::new(NAME).exact(true)).await;
    record.note(step, count, |answer| json!(answer.result.unwrap().count));
}

/// The collection, its indexes and points.
pub async fn create(client: &Qdrant, record: &mut Record) {
    let mut vectors = VectorsConfigBuilder::default();
    vectors.add_named_vector_params("dense", VectorParamsBuilder::new(DIMENSIONS, Distance::Cosine));
    vectors.add_named_vector_params("far", VectorParamsBuilder::new(3, Distance::Euclid));
    vectors.add_named_vector_params(
        "rows",
        VectorParamsBuilder::new(4, Distance::Dot)
            .multivector_config(MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim)),
    );
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params(
        "terms",
        SparseVectorParamsBuilder::default().modifier(Modifier::Idf),
    );
    let new = || {
        CreateCollectionBuilder::new(NAME)
            .vectors_config(vectors.clone())
            .sparse_vectors_config(sparse.clone())
            .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(30_000))
    };
    record.note("exists", client.collection_exists(NAME).await, |yes| json!(yes));
    record.note("create", client.create_collection(new()).await, |answer| {
        json!(answer.result)
    });
    record.note("create again", client.create_collection(new()).await, |answer| {
        json!(answer.result)
    });
    record.note("exists now", client.collection_exists(NAME).await, |yes| {
        json!(yes)
    });
    let empty = CreateCollectionBuilder::new("conformance-0")
        .vectors_config(VectorParamsBuilder::new(0, Distance::Dot));
    record.note("no dimensions", client.create_collection(empty).await, |answer| {
        json!(answer.result)
    });
    for (field, kind) in [
        ("city", FieldType::Keyword),
        ("number", FieldType::Integer),
        ("price", FieldType::Float),
        ("even", FieldType::Bool),
        ("text", FieldType::Text),
        ("at", FieldType::Datetime),
        ("uuid", FieldType::Uuid),
        ("place", FieldType::Geo),
        ("tags", FieldType::Keyword),
    ] {
        let index = CreateFieldIndexCollectionBuilder::new(NAME, field, kind).wait(true);
        let answer = client.create_field_index(index).await;
        record.note(&format!("index {field}"), answer, completed);
    }
    let points: Vec<PointStruct> = (1..=POINTS).map(point).collect();
    let upsert =
        |points: Vec<PointStruct>| client.upsert_points(UpsertPointsBuilder::new(NAME, points).wait(true));
    record.note("upsert", upsert(points).await, completed);
    let one = |id: u64, name: &str, vector: Vector| {
        PointStruct::new(
            id,
            NamedVectors::default().add_vector(name, vector),
            Payload::new(),
        )
    };
    let short = vec![
        one(50, "dense", Vector::new_dense(numbers(1, DIMENSIONS))),
        one(51, "dense", Vector::new_dense(vec![1.0])),
    ];
    record.note("upsert of a wrong dimension", upsert(short).await, completed);
    let unknown = vec![one(50, "none", Vector::new_dense(vec![1.0]))];
    record.note("upsert of an unknown vector", upsert(unknown).await, completed);
    let twice = vec![one(50, "terms", Vector::from(vec![(1, 1.0), (1, 2.0)]))];
    record.note("upsert of a term twice", upsert(twice).await, completed);
    let elsewhere = UpsertPointsBuilder::new("missing", vec![point(1)]).wait(true);
    record.note(
        "upsert elsewhere",
        client.upsert_points(elsewhere).await,
        completed,
    );
    count(client, record, "a bad batch leaves nothing").await;
    record.note("info", client.collection_info(NAME).await, |answer| {
        described(answer.result.unwrap())
    });
    record.note(
        "info elsewhere",
        client.collection_info("missing").await,
        |answer| described(answer.result.unwrap()),
    );
}

/// Changes of payloads, vectors, points, aliases and the collection, and its end.
pub async fn change(client: &Qdrant, record: &mut Record) {
    payloads(client, record).await;
    vectors(client, record).await;
    points(client, record).await;
    names(client, record).await;
}

fn list(ids: &[u64]) -> PointsIdsList {
    PointsIdsList {
        ids: ids.iter().map(|id| PointId::from(*id)).collect(),
    }
}

fn values(value: Value) -> Payload {
    Payload::try_from(value).unwrap()
}

/// A payload without what every point has.
async fn shown(client: &Qdrant, record: &mut Record, step: &str, point: u64) {
    let get = GetPointsBuilder::new(NAME, vec![point.into()]).with_payload(true);
    record.note(step, client.get_points(get).await, |answer| {
        let mut shown = payload(answer.result.into_iter().next().unwrap().payload);
        for key in ["text", "at", "uuid", "place", "tags", "price", "even"] {
            shown.as_object_mut().unwrap().remove(key);
        }
        shown
    });
}

async fn payloads(client: &Qdrant, record: &mut Record) {
    let set = SetPayloadPointsBuilder::new(NAME, values(json!({"city": "Rome", "new": [1, {"a": 2.5}]})))
        .points_selector(list(&[1, 2]))
        .wait(true);
    record.note("set payload", client.set_payload(set).await, completed);
    shown(client, record, "after set", 1).await;
    let inside = SetPayloadPointsBuilder::new(NAME, values(json!({"deep": true})))
        .key("inner.path")
        .points_selector(list(&[1]))
        .wait(true);
    record.note("set inside", client.set_payload(inside).await, completed);
    shown(client, record, "after set inside", 1).await;
    let overwrite = SetPayloadPointsBuilder::new(NAME, values(json!({"only": "this"})))
        .points_selector(Filter::must([Condition::matches("number", 2)]))
        .wait(true);
    record.note(
        "overwrite payload",
        client.overwrite_payload(overwrite).await,
        completed,
    );
    shown(client, record, "after overwrite", 2).await;
    let delete = DeletePayloadPointsBuilder::new(NAME, vec!["new".to_owned(), "inner.path.deep".to_owned()])
        .points_selector(list(&[1]))
        .wait(true);
    record.note("delete keys", client.delete_payload(delete).await, completed);
    shown(client, record, "after delete", 1).await;
    let clear = ClearPayloadPointsBuilder::new(NAME).points(list(&[2])).wait(true);
    record.note("clear payload", client.clear_payload(clear).await, completed);
    shown(client, record, "after clear", 2).await;
}

async fn vectors(client: &Qdrant, record: &mut Record) {
    let replaced = |id: u64, size: u64| PointVectors {
        id: Some(id.into()),
        vectors: Some(
            NamedVectors::default()
                .add_vector("far", Vector::new_dense(numbers(7, size)))
                .into(),
        ),
    };
    let update = UpdatePointVectorsBuilder::new(NAME, vec![replaced(3, 3)]).wait(true);
    record.note("update vectors", client.update_vectors(update).await, completed);
    let update = UpdatePointVectorsBuilder::new(NAME, vec![replaced(99, 3)]).wait(true);
    record.note(
        "update vectors of nobody",
        client.update_vectors(update).await,
        completed,
    );
    let update = UpdatePointVectorsBuilder::new(NAME, vec![replaced(3, 2)]).wait(true);
    record.note(
        "update to a wrong dimension",
        client.update_vectors(update).await,
        completed,
    );
    let delete = DeletePointVectorsBuilder::new(NAME)
        .points_selector(list(&[4]))
        .vectors(vec!["far".to_owned()])
        .wait(true);
    record.note("delete vectors", client.delete_vectors(delete).await, completed);
    let with = Filter::must_not([Condition::has_vector("far")]);
    let page = client.scroll(ScrollPointsBuilder::new(NAME).filter(with)).await;
    record.note("without that vector", page, |answer| ids(answer.result));
}

async fn points(client: &Qdrant, record: &mut Record) {
    let operation = |operation: Operation| PointsUpdateOperation {
        operation: Some(operation),
    };
    let batch = UpdateBatchPointsBuilder::new(
        NAME,
        vec![
            operation(Operation::Upsert(op::PointStructList {
                points: vec![point(30), point(29)],
                ..Default::default()
            })),
            operation(Operation::SetPayload(op::SetPayload {
                payload: values(json!({"late": 1})).into(),
                points_selector: Some(list(&[30]).ids.into()),
                ..Default::default()
            })),
            operation(Operation::DeletePoints(op::DeletePoints {
                points: Some(list(&[29, 24]).ids.into()),
                ..Default::default()
            })),
        ],
    )
    .wait(true);
    record.note(
        "batch of changes",
        client.update_points_batch(batch).await,
        |answer| json!(answer.result.len()),
    );
    count(client, record, "after the batch").await;
    let conditional = |id: u64, number: i64| {
        let filter = Filter::must([Condition::matches("number", number)]);
        UpsertPointsBuilder::new(
            NAME,
            vec![PointStruct::new(
                id,
                NamedVectors::default().add_vector("far", Vector::new_dense(numbers(9, 3))),
                values(json!({"number": 1000 + number})),
            )],
        )
        .update_filter(filter)
        .wait(true)
    };
    record.note(
        "upsert if it matches",
        client.upsert_points(conditional(5, 5)).await,
        completed,
    );
    record.note(
        "upsert if it does not",
        client.upsert_points(conditional(6, 5)).await,
        completed,
    );
    shown(client, record, "it matched", 5).await;
    shown(client, record, "it did not", 6).await;
    let delete = DeletePointsBuilder::new(NAME)
        .points(Filter::must([Condition::matches("city", "Paris".to_owned())]))
        .wait(true);
    record.note("delete by filter", client.delete_points(delete).await, completed);
    let nobody = DeletePointsBuilder::new(NAME).points(list(&[777])).wait(true);
    record.note("delete nobody", client.delete_points(nobody).await, completed);
    let page = client.scroll(ScrollPointsBuilder::new(NAME).limit(50)).await;
    record.note("who is left", page, |answer| ids(answer.result));
}

async fn names(client: &Qdrant, record: &mut Record) {
    let done = |answer: qdrant_client::qdrant::CollectionOperationResponse| json!(answer.result);
    let alias = |collection: &str| CreateAliasBuilder::new(collection, "conformance-alias");
    record.note("alias", client.create_alias(alias(NAME)).await, done);
    record.note(
        "alias of nothing",
        client.create_alias(alias("missing")).await,
        done,
    );
    let rename = RenameAliasBuilder::new("conformance-alias", "conformance-other");
    record.note("rename", client.rename_alias(rename.clone()).await, done);
    record.note("rename again", client.rename_alias(rename).await, done);
    let through = client.count(CountPointsBuilder::new("conformance-other")).await;
    record.note("count through the alias", through, |answer| {
        json!(answer.result.unwrap().count)
    });
    let aliases = client.list_collection_aliases(NAME).await;
    record.note("aliases", aliases, |answer| {
        answer
            .aliases
            .into_iter()
            .map(|alias| json!(alias.alias_name))
            .collect()
    });
    record.note("no alias", client.delete_alias("conformance-other").await, done);
    let change = UpdateCollectionBuilder::new(NAME)
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(50_000));
    record.note("change settings", client.update_collection(change).await, done);
    record.note("info at the end", client.collection_info(NAME).await, |answer| {
        described(answer.result.unwrap())
    });
    let gone: Result<_, QdrantError> = client
        .delete_field_index(
            qdrant_client::qdrant::DeleteFieldIndexCollectionBuilder::new(NAME, "city").wait(true),
        )
        .await;
    record.note("no index", gone, completed);
    record.note("delete", client.delete_collection(NAME).await, done);
    record.note("delete again", client.delete_collection(NAME).await, done);
    record.note(
        "count of what was deleted",
        client.count(CountPointsBuilder::new(NAME)).await,
        |answer| json!(answer.result.unwrap().count),
    );
}
