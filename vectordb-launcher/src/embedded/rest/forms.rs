//! Answers as REST writes them. Typed and not built as JSON values, because a
//! value would print every `f32` with the digits of an `f64`.

use std::collections::HashMap;

use qdrant_edge::{
    FacetValue, OrderValue, Payload, PointId, Record, ScoredPoint, SearchMatrixResponse, SparseVector,
    VectorInternal, VectorStructInternal,
};
use serde::Serialize;
use serde_json::{Value, json};

/// A stored or found point.
#[derive(Debug, Serialize)]
pub struct Point {
    id: PointId,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<Vector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_value: Option<OrderValue>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Vector {
    Dense(Vec<f32>),
    Sparse(SparseVector),
    Multi(Vec<Vec<f32>>),
    Named(HashMap<String, Vector>),
}

impl From<VectorInternal> for Vector {
    fn from(vector: VectorInternal) -> Self {
        match vector {
            VectorInternal::Dense(values) => Self::Dense(values),
            VectorInternal::Sparse(vector) => Self::Sparse(vector),
            VectorInternal::MultiDense(rows) => Self::Multi(rows.into_multi_vectors()),
        }
    }
}

impl From<VectorStructInternal> for Vector {
    fn from(vector: VectorStructInternal) -> Self {
        match vector {
            VectorStructInternal::Single(values) => Self::Dense(values),
            VectorStructInternal::MultiDense(rows) => Self::Multi(rows.into_multi_vectors()),
            VectorStructInternal::Named(named) => Self::Named(
                named
                    .into_iter()
                    .map(|(name, vector)| (name, vector.into()))
                    .collect(),
            ),
        }
    }
}

impl From<Record> for Point {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            version: None,
            score: None,
            payload: record.payload,
            vector: record.vector.map(Vector::from),
            order_value: record.order_value,
        }
    }
}

impl From<ScoredPoint> for Point {
    fn from(point: ScoredPoint) -> Self {
        Self {
            id: point.id,
            version: Some(point.version),
            score: Some(point.score),
            payload: point.payload,
            vector: point.vector.map(Vector::from),
            order_value: point.order_value,
        }
    }
}

/// Found points.
pub fn points(list: Vec<ScoredPoint>) -> Vec<Point> {
    list.into_iter().map(Point::from).collect()
}

/// The results of one query.
#[derive(Debug, Serialize)]
pub struct Points {
    points: Vec<Point>,
}

impl From<Vec<ScoredPoint>> for Points {
    fn from(list: Vec<ScoredPoint>) -> Self {
        Self { points: points(list) }
    }
}

/// A page of a scroll.
#[derive(Debug, Serialize)]
pub struct Page {
    points: Vec<Point>,
    next_page_offset: Option<PointId>,
}

impl From<(Vec<Record>, Option<PointId>)> for Page {
    fn from((records, next_page_offset): (Vec<Record>, Option<PointId>)) -> Self {
        Self {
            points: records.into_iter().map(Point::from).collect(),
            next_page_offset,
        }
    }
}

/// The groups of one query.
#[derive(Debug, Serialize)]
pub struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    id: Value,
    hits: Vec<Point>,
}

impl From<Vec<(Value, Vec<ScoredPoint>)>> for Groups {
    fn from(groups: Vec<(Value, Vec<ScoredPoint>)>) -> Self {
        let groups = groups.into_iter().map(|(id, hits)| Group {
            id,
            hits: points(hits),
        });
        Self {
            groups: groups.collect(),
        }
    }
}

/// A value of a facet.
pub fn facet_value(value: FacetValue) -> Value {
    match value {
        FacetValue::Keyword(text) => json!(text),
        FacetValue::Int(number) => json!(number),
        FacetValue::Uuid(number) => json!(uuid::Uuid::from_u128(number).to_string()),
        FacetValue::Bool(flag) => json!(flag),
    }
}

/// A distance matrix as pairs of ids.
#[derive(Debug, Serialize)]
pub struct MatrixPairs {
    pairs: Vec<MatrixPair>,
}

#[derive(Debug, Serialize)]
struct MatrixPair {
    a: PointId,
    b: PointId,
    score: f32,
}

impl From<SearchMatrixResponse> for MatrixPairs {
    fn from(response: SearchMatrixResponse) -> Self {
        let rows = response.sample_ids.into_iter().zip(response.nearests);
        let pairs = rows.flat_map(|(a, near)| {
            near.into_iter().map(move |b| MatrixPair {
                a,
                b: b.id,
                score: b.score,
            })
        });
        Self {
            pairs: pairs.collect(),
        }
    }
}

/// A distance matrix as offsets into a list of ids.
#[derive(Debug, Default, Serialize)]
pub struct MatrixOffsets {
    offsets_row: Vec<usize>,
    offsets_col: Vec<usize>,
    scores: Vec<f32>,
    ids: Vec<PointId>,
}

impl From<SearchMatrixResponse> for MatrixOffsets {
    fn from(response: SearchMatrixResponse) -> Self {
        let mut result = Self {
            ids: response.sample_ids,
            ..Self::default()
        };
        for (row, near) in response.nearests.iter().enumerate() {
            for point in near {
                if let Some(column) = result.ids.iter().position(|id| *id == point.id) {
                    result.offsets_row.push(row);
                    result.offsets_col.push(column);
                    result.scores.push(point.score);
                }
            }
        }
        result
    }
}
