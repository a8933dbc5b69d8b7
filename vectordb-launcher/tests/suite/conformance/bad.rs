//! Steps with input that is wrong, odd or at the edge, on a collection of their
//! own. Some of it is accepted: then what it did is asked for, too.

mod reads;
mod searches;
mod settings;
mod writes;

use qdrant_client::{
    Qdrant,
    qdrant::{
        CreateCollectionBuilder, Distance, PointStruct, ScrollPointsBuilder, SparseVectorParamsBuilder,
        SparseVectorsConfigBuilder, UpsertPoints, UpsertPointsBuilder, VectorParamsBuilder,
        VectorsConfigBuilder, vectors::VectorsOptions,
    },
};
use serde_json::{Value, json};

use super::{Record, ids};

/// The collection of these steps.
pub const BAD: &str = "conformance-bad";

/// All of them.
pub async fn all(client: &Qdrant, record: &mut Record) {
    let _absent = client.delete_collection(BAD).await;
    Box::pin(settings::create(client, record)).await;
    client.create_collection(new(BAD)).await.unwrap();
    writes::all(client, record).await;
    fill(client).await;
    searches::all(client, record).await;
    reads::all(client, record).await;
    settings::change(client, record).await;
    client.delete_collection(BAD).await.unwrap();
}

/// A collection with a dense vector `a`, another `b` and sparse `s`.
fn new(name: &str) -> CreateCollectionBuilder {
    let mut vectors = VectorsConfigBuilder::default();
    vectors.add_named_vector_params("a", VectorParamsBuilder::new(2, Distance::Cosine));
    vectors.add_named_vector_params("b", VectorParamsBuilder::new(3, Distance::Dot));
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("s", SparseVectorParamsBuilder::default());
    CreateCollectionBuilder::new(name)
        .vectors_config(vectors)
        .sparse_vectors_config(sparse)
}

/// Whatever the steps before left, these points are there afterwards.
async fn fill(client: &Qdrant) {
    let points = (1..=4_u64)
        .map(|id| {
            let part = f32::from(u8::try_from(id).unwrap());
            let vectors = named([("a", vec![1.0, part]), ("b", vec![part, 0.5, 1.0])]);
            let payload = json!({"n": id, "word": "x"});
            PointStruct::new(id, vectors, qdrant_client::Payload::try_from(payload).unwrap())
        })
        .collect::<Vec<_>>();
    client
        .upsert_points(UpsertPointsBuilder::new(BAD, points).wait(true))
        .await
        .unwrap();
}

fn named<const N: usize>(vectors: [(&str, Vec<f32>); N]) -> qdrant_client::qdrant::NamedVectors {
    vectors.into_iter().fold(
        qdrant_client::qdrant::NamedVectors::default(),
        |named, (name, vector)| named.add_vector(name, qdrant_client::qdrant::Vector::new_dense(vector)),
    )
}

fn point(id: impl Into<qdrant_client::qdrant::PointId>, vectors: Option<VectorsOptions>) -> PointStruct {
    PointStruct {
        id: Some(id.into()),
        payload: std::collections::HashMap::new(),
        vectors: vectors.map(|options| qdrant_client::qdrant::Vectors {
            vectors_options: Some(options),
        }),
    }
}

fn upsert(points: Vec<PointStruct>) -> UpsertPoints {
    UpsertPoints {
        collection_name: BAD.to_owned(),
        wait: Some(true),
        points,
        ..UpsertPoints::default()
    }
}

/// Which points there are.
async fn present(client: &Qdrant, record: &mut Record, step: &str) {
    let page = client.scroll(ScrollPointsBuilder::new(BAD).limit(100)).await;
    record.note(step, page, |answer| ids(answer.result));
}

/// For answers of which only matters that they are none.
fn done<T>(_: T) -> Value {
    json!("done")
}
