//! What a server tells, as what a server is asked for.

use qdrant_client::qdrant::{
    CollectionConfig, CollectionParams, CreateCollection, DenseVector, FieldType, MultiDenseVector,
    NamedVectors, PayloadSchemaType, PointStruct, RetrievedPoint, SparseVector, Vector, VectorOutput,
    Vectors, VectorsOutput, vector, vector_output, vectors, vectors_output,
};

use super::Error;

/// A collection like the one that `config` describes.
#[expect(
    deprecated,
    reason = "a server tells the deprecated field, and an older one knows no other"
)]
pub fn create(
    name: &str,
    config: CollectionConfig,
    shards: Option<u32>,
    replicas: Option<u32>,
) -> Result<CreateCollection, Error> {
    let CollectionParams {
        vectors_config,
        sparse_vectors_config,
        on_disk_payload,
        ..
    } = config.params.ok_or(Error::Answer("parameters"))?;
    Ok(CreateCollection {
        collection_name: name.to_owned(),
        vectors_config,
        sparse_vectors_config,
        on_disk_payload: Some(on_disk_payload),
        // Without the indexing threads and thresholds: what suits a laptop
        // does not suit a cluster, and the other way round.
        hnsw_config: config.hnsw_config.map(|mut hnsw| {
            hnsw.max_indexing_threads = None;
            hnsw
        }),
        quantization_config: config.quantization_config,
        shard_number: shards,
        replication_factor: replicas,
        metadata: config.metadata,
        ..CreateCollection::default()
    })
}

/// The index that a schema tells of.
pub fn field_type(kind: PayloadSchemaType) -> FieldType {
    match kind {
        // An older server's word for what it does not know.
        PayloadSchemaType::UnknownType | PayloadSchemaType::Keyword => FieldType::Keyword,
        PayloadSchemaType::Integer => FieldType::Integer,
        PayloadSchemaType::Float => FieldType::Float,
        PayloadSchemaType::Geo => FieldType::Geo,
        PayloadSchemaType::Text => FieldType::Text,
        PayloadSchemaType::Bool => FieldType::Bool,
        PayloadSchemaType::Datetime => FieldType::Datetime,
        PayloadSchemaType::Uuid => FieldType::Uuid,
    }
}

/// A point to insert, from one that was read.
pub fn point(read: RetrievedPoint) -> PointStruct {
    PointStruct {
        id: read.id,
        payload: read.payload,
        // A point without vectors is one with no named vectors.
        vectors: Some(read.vectors.map_or_else(
            || Vectors {
                vectors_options: Some(vectors::VectorsOptions::Vectors(NamedVectors::default())),
            },
            all_vectors,
        )),
    }
}

fn all_vectors(read: VectorsOutput) -> Vectors {
    let options = read.vectors_options.map(|options| match options {
        vectors_output::VectorsOptions::Vector(one) => vectors::VectorsOptions::Vector(one_vector(one)),
        vectors_output::VectorsOptions::Vectors(named) => {
            let vectors = named.vectors.into_iter();
            vectors::VectorsOptions::Vectors(NamedVectors {
                vectors: vectors.map(|(name, read)| (name, one_vector(read))).collect(),
            })
        }
    });
    Vectors {
        vectors_options: options,
    }
}

fn one_vector(read: VectorOutput) -> Vector {
    // Reads the older form of the message, too.
    let vector = match read.into_vector() {
        vector_output::Vector::Dense(DenseVector { data }) => vector::Vector::Dense(DenseVector { data }),
        vector_output::Vector::Sparse(SparseVector { values, indices }) => {
            vector::Vector::Sparse(SparseVector { values, indices })
        }
        vector_output::Vector::MultiDense(MultiDenseVector { vectors }) => {
            vector::Vector::MultiDense(MultiDenseVector { vectors })
        }
    };
    Vector {
        vector: Some(vector),
        ..Vector::default()
    }
}

/// Whether two points hold the same, vectors up to `tolerance`.
pub fn same(a: &RetrievedPoint, b: &RetrievedPoint, tolerance: f32) -> bool {
    a.payload == b.payload
        && match (&a.vectors, &b.vectors) {
            (Some(a), Some(b)) => same_vectors(a.clone(), b.clone(), tolerance),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
}

fn same_vectors(a: VectorsOutput, b: VectorsOutput, tolerance: f32) -> bool {
    use vectors_output::VectorsOptions::{Vector, Vectors};
    let near = |a: VectorOutput, b: VectorOutput| near(&flat(a), &flat(b), tolerance);
    match (a.vectors_options, b.vectors_options) {
        (Some(Vector(a)), Some(Vector(b))) => near(a, b),
        (Some(Vectors(a)), Some(Vectors(mut b))) => {
            a.vectors.len() == b.vectors.len()
                && a.vectors
                    .into_iter()
                    .all(|(name, a)| b.vectors.remove(&name).is_some_and(|b| near(a, b)))
        }
        (None, None) => true,
        (Some(_) | None, Some(_) | None) => false,
    }
}

/// Indices and numbers of a vector, whatever its kind.
fn flat(read: VectorOutput) -> (Vec<u32>, Vec<f32>) {
    match read.into_vector() {
        vector_output::Vector::Dense(dense) => (Vec::new(), dense.data),
        vector_output::Vector::Sparse(sparse) => (sparse.indices, sparse.values),
        vector_output::Vector::MultiDense(rows) => (
            Vec::new(),
            rows.vectors.into_iter().flat_map(|row| row.data).collect(),
        ),
    }
}

fn near(a: &(Vec<u32>, Vec<f32>), b: &(Vec<u32>, Vec<f32>), tolerance: f32) -> bool {
    let largest =
        a.1.iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
    a.0 == b.0
        && a.1.len() == b.1.len()
        && a.1
            .iter()
            .zip(&b.1)
            .all(|(a, b)| (a - b).abs() <= tolerance * largest)
}
