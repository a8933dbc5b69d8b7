//! Points, vectors and payloads, both ways.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    self as grpc, point_id::PointIdOptions, vector::Vector as Wire, vectors::VectorsOptions,
    with_payload_selector::SelectorOptions as PayloadOptions,
    with_vectors_selector::SelectorOptions as VectorOptions,
};
use qdrant_edge::{
    JsonPath, OrderValue, Payload, PayloadSelector, PointId, PointStructPersisted, PointVectorsPersisted,
    Record, ScoredPoint, SparseVector, VectorInternal, VectorPersisted, VectorStructInternal,
    VectorStructPersisted, WithPayloadInterface, WithVector,
};

use super::filter::path;
use crate::embedded::{
    error::{Error, Result},
    validate::UNNAMED,
};

/// A size of the wire as a size in memory; what does not fit is more than any
/// collection holds.
pub fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A count for the wire.
pub fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The id of a point.
pub fn point_id(id: Option<grpc::PointId>) -> Result<PointId> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Num(number)) => Ok(PointId::NumId(number)),
        Some(PointIdOptions::Uuid(text)) => uuid::Uuid::parse_str(&text)
            .map(PointId::Uuid)
            .map_err(|_| Error::Malformed(format!("Unable to parse UUID: {text}"))),
        None => Err(Error::Malformed("No ID options provided".to_owned())),
    }
}

/// The id of a point for the wire.
pub fn wire_id(id: PointId) -> grpc::PointId {
    let options = match id {
        PointId::NumId(number) => PointIdOptions::Num(number),
        PointId::Uuid(uuid) => PointIdOptions::Uuid(uuid.to_string()),
    };
    grpc::PointId {
        point_id_options: Some(options),
    }
}

/// A payload.
pub fn payload(values: HashMap<String, grpc::Value>) -> Payload {
    Payload(
        values
            .into_iter()
            .map(|(key, value)| (key, value.into_json()))
            .collect(),
    )
}

/// A payload for the wire.
pub fn wire_payload(payload: Option<Payload>) -> HashMap<String, grpc::Value> {
    payload
        .map(|payload| {
            payload
                .0
                .into_iter()
                .map(|(key, value)| (key, value.into()))
                .collect()
        })
        .unwrap_or_default()
}

/// A point that is to be inserted.
pub fn point(value: grpc::PointStruct) -> Result<PointStructPersisted> {
    let grpc::PointStruct {
        id,
        payload: values,
        vectors: named,
    } = value;
    let vector = vectors(named.ok_or_else(|| Error::Malformed("Expected some vectors".to_owned()))?)?;
    Ok(PointStructPersisted {
        id: needed_id(id, "Empty ID is not allowed")?,
        vector,
        payload: Some(payload(values)),
    })
}

/// Vectors for a point that exists.
pub fn point_vectors(value: grpc::PointVectors) -> Result<PointVectorsPersisted> {
    let expected = || Error::Malformed("vectors is expected".to_owned());
    Ok(PointVectorsPersisted {
        id: needed_id(value.id, "id is expected")?,
        vector: vectors(value.vectors.ok_or_else(expected)?)?,
    })
}

fn needed_id(id: Option<grpc::PointId>, words: &str) -> Result<PointId> {
    match id {
        Some(id) => point_id(Some(id)),
        None => Err(Error::Malformed(words.to_owned())),
    }
}

fn vectors(value: grpc::Vectors) -> Result<VectorStructPersisted> {
    match value.vectors_options {
        Some(VectorsOptions::Vector(one)) => Ok(match vector(one)? {
            VectorInternal::Dense(values) => VectorStructPersisted::Single(values),
            VectorInternal::MultiDense(rows) => VectorStructPersisted::MultiDense(rows.into_multi_vectors()),
            VectorInternal::Sparse(_) => {
                return Err(Error::Malformed("Sparse vector must be named".to_owned()));
            }
        }),
        Some(VectorsOptions::Vectors(named)) => {
            let named = named
                .vectors
                .into_iter()
                .map(|(name, value)| Ok((name, persisted(vector(value)?))))
                .collect::<Result<_>>()?;
            Ok(VectorStructPersisted::Named(named))
        }
        None => Err(Error::Malformed("Expected some vectors".to_owned())),
    }
}

fn persisted(vector: VectorInternal) -> VectorPersisted {
    match vector {
        VectorInternal::Dense(values) => VectorPersisted::Dense(values),
        VectorInternal::Sparse(sparse) => VectorPersisted::Sparse(sparse),
        VectorInternal::MultiDense(rows) => VectorPersisted::MultiDense(rows.into_multi_vectors()),
    }
}

/// One vector, in the present or the older form of the message.
#[expect(deprecated, reason = "older clients send the deprecated fields")]
pub fn vector(value: grpc::Vector) -> Result<VectorInternal> {
    let grpc::Vector {
        data,
        indices,
        vectors_count,
        vector,
    } = value;
    match vector {
        Some(Wire::Dense(dense)) => Ok(VectorInternal::Dense(dense.data)),
        Some(Wire::Sparse(value)) => Ok(sparse(value.indices, value.values)),
        Some(Wire::MultiDense(value)) => multi(value.vectors.into_iter().map(|row| row.data).collect()),
        Some(Wire::Document(_) | Wire::Image(_) | Wire::Object(_)) => Err(no_inference()),
        None => match (indices, vectors_count) {
            (Some(indices), _) => Ok(sparse(indices.data, data)),
            (None, Some(rows)) => rows_of(&data, rows),
            (None, None) => Ok(VectorInternal::Dense(data)),
        },
    }
}

/// Text and images are turned into vectors by the client here.
pub fn no_inference() -> Error {
    Error::unsupported("inference (a text, image or object in place of a vector)")
}

/// A sparse vector in the order the engine wants.
pub fn sparse(indices: Vec<u32>, values: Vec<f32>) -> VectorInternal {
    let mut vector = SparseVector { indices, values };
    // Of unequal lengths it cannot be sorted, and is refused when it is checked.
    if vector.indices.len() == vector.values.len() {
        vector.sort_by_indices();
    }
    VectorInternal::Sparse(vector)
}

/// A vector of several rows.
pub fn multi(rows: Vec<Vec<f32>>) -> Result<VectorInternal> {
    Ok(VectorInternal::MultiDense(
        qdrant_edge::TypedMultiDenseVector::try_from_matrix(rows)?,
    ))
}

fn rows_of(data: &[f32], rows: u32) -> Result<VectorInternal> {
    let rows = to_usize(rows.into());
    if rows == 0 || data.is_empty() || !data.len().is_multiple_of(rows) {
        return Err(Error::Malformed(
            "multi-vector data does not divide into its rows".to_owned(),
        ));
    }
    multi(data.chunks(data.len() / rows).map(<[f32]>::to_vec).collect())
}

/// Vectors for the wire.
pub fn wire_vectors(vectors: VectorStructInternal) -> grpc::VectorsOutput {
    use grpc::vectors_output::VectorsOptions;
    let options = match vectors {
        VectorStructInternal::Single(values) => {
            VectorsOptions::Vector(wire_vector(VectorInternal::Dense(values)))
        }
        VectorStructInternal::MultiDense(rows) => {
            VectorsOptions::Vector(wire_vector(VectorInternal::MultiDense(rows)))
        }
        VectorStructInternal::Named(named) => VectorsOptions::Vectors(grpc::NamedVectorsOutput {
            vectors: named
                .into_iter()
                .map(|(name, vector)| (name, wire_vector(vector)))
                .collect(),
        }),
    };
    grpc::VectorsOutput {
        vectors_options: Some(options),
    }
}

fn wire_vector(vector: VectorInternal) -> grpc::VectorOutput {
    use grpc::vector_output::Vector;
    let vector = match vector {
        VectorInternal::Dense(data) => Vector::Dense(grpc::DenseVector { data }),
        VectorInternal::Sparse(SparseVector { indices, values }) => {
            Vector::Sparse(grpc::SparseVector { values, indices })
        }
        VectorInternal::MultiDense(rows) => Vector::MultiDense(grpc::MultiDenseVector {
            vectors: rows
                .into_multi_vectors()
                .into_iter()
                .map(|data| grpc::DenseVector { data })
                .collect(),
        }),
    };
    grpc::VectorOutput {
        vector: Some(vector),
        ..grpc::VectorOutput::default()
    }
}

/// A stored point for the wire.
pub fn wire_record(record: Record) -> grpc::RetrievedPoint {
    let Record {
        id,
        payload,
        vector,
        shard_key: _,
        order_value,
    } = record;
    grpc::RetrievedPoint {
        id: Some(wire_id(id)),
        payload: wire_payload(payload),
        vectors: vector.map(wire_vectors),
        shard_key: None,
        order_value: order_value.map(wire_order),
    }
}

/// A found point for the wire.
pub fn wire_scored(point: ScoredPoint) -> grpc::ScoredPoint {
    let ScoredPoint {
        id,
        version,
        score,
        payload,
        vector,
        shard_key: _,
        order_value,
        location: _,
    } = point;
    grpc::ScoredPoint {
        id: Some(wire_id(id)),
        payload: wire_payload(payload),
        score,
        version,
        vectors: vector.map(wire_vectors),
        shard_key: None,
        order_value: order_value.map(wire_order),
    }
}

fn wire_order(value: OrderValue) -> grpc::OrderValue {
    use grpc::order_value::Variant;
    let variant = match value {
        OrderValue::Int(number) => Variant::Int(number),
        OrderValue::Float(number) => Variant::Float(number),
    };
    grpc::OrderValue {
        variant: Some(variant),
    }
}

/// Which payload to return, if the caller says.
pub fn with_payload(selector: Option<grpc::WithPayloadSelector>) -> Result<Option<WithPayloadInterface>> {
    let Some(selector) = selector else { return Ok(None) };
    let paths = |fields: Vec<String>| {
        fields
            .iter()
            .map(|field| path(field))
            .collect::<Result<Vec<JsonPath>>>()
    };
    Ok(Some(match selector.selector_options {
        Some(PayloadOptions::Enable(enable)) => WithPayloadInterface::Bool(enable),
        Some(PayloadOptions::Include(fields)) => {
            WithPayloadInterface::Selector(PayloadSelector::new_include(paths(fields.fields)?))
        }
        Some(PayloadOptions::Exclude(fields)) => {
            WithPayloadInterface::Selector(PayloadSelector::new_exclude(paths(fields.fields)?))
        }
        None => return Err(Error::Malformed("No PayloadSelector".to_owned())),
    }))
}

/// Which vectors to return; none unless the caller says.
pub fn with_vectors(selector: Option<grpc::WithVectorsSelector>) -> WithVector {
    match selector.and_then(|selector| selector.selector_options) {
        Some(VectorOptions::Enable(enable)) => WithVector::Bool(enable),
        Some(VectorOptions::Include(names)) => WithVector::Selector(names.names),
        None => WithVector::Bool(false),
    }
}

/// A vector's name; without one, the unnamed vector is meant.
pub fn vector_name(name: Option<String>) -> String {
    name.unwrap_or_else(|| UNNAMED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vector: VectorInternal, expect: grpc::vector_output::Vector) {
        assert_eq!(wire_vector(vector).vector, Some(expect));
    }

    #[test]
    fn vectors_for_the_wire() {
        use grpc::vector_output::Vector;
        check(
            VectorInternal::Dense(vec![1.0, 2.0]),
            Vector::Dense(grpc::DenseVector { data: vec![1.0, 2.0] }),
        );
        check(
            sparse(vec![9, 3], vec![0.9, 0.3]),
            Vector::Sparse(grpc::SparseVector {
                values: vec![0.3, 0.9],
                indices: vec![3, 9],
            }),
        );
        check(
            multi(vec![vec![1.0], vec![2.0]]).unwrap(),
            Vector::MultiDense(grpc::MultiDenseVector {
                vectors: vec![
                    grpc::DenseVector { data: vec![1.0] },
                    grpc::DenseVector { data: vec![2.0] },
                ],
            }),
        );
    }

    #[test]
    fn ids_go_both_ways() {
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        for id in [grpc::PointId::from(7), grpc::PointId::from(uuid)] {
            assert_eq!(wire_id(point_id(Some(id.clone())).unwrap()), id);
        }
        assert_eq!(
            point_id(Some("no".into())),
            Err(Error::Malformed("Unable to parse UUID: no".to_owned()))
        );
        assert_eq!(
            point_id(None),
            Err(Error::Malformed("No ID options provided".to_owned()))
        );
    }
}
