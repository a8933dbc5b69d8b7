//! Points, their vectors and payloads, and indexes.

use std::collections::HashSet;

use qdrant_client::qdrant::{
    self as grpc, payload_index_params::IndexParams, points_selector::PointsSelectorOneOf,
    vector::Vector as Wire, vectors::VectorsOptions,
};

use super::{Check, Faults};

impl Check for grpc::UpsertPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("points", &self.points);
        faults.part("update_filter", self.update_filter.as_ref());
    }
}

impl Check for grpc::PointStruct {
    fn check(&self, faults: &mut Faults) {
        faults.part("vectors", self.vectors.as_ref());
    }
}

impl Check for grpc::Vectors {
    fn check(&self, faults: &mut Faults) {
        match &self.vectors_options {
            Some(VectorsOptions::Vector(vector)) => faults.part("vectors_options", Some(vector)),
            Some(VectorsOptions::Vectors(named)) => {
                faults.within("vectors_options".to_owned(), |faults| {
                    faults.any("vectors", named.vectors.values());
                });
            }
            None => {}
        }
    }
}

impl Check for grpc::Vector {
    #[expect(deprecated, reason = "older clients send the deprecated fields")]
    fn check(&self, faults: &mut Faults) {
        match &self.vector {
            Some(Wire::Sparse(sparse)) => sparse.check(faults),
            Some(Wire::MultiDense(rows)) => rows.check(faults),
            Some(Wire::Dense(_) | Wire::Document(_) | Wire::Image(_) | Wire::Object(_)) => {}
            None => {
                if let Some(indices) = &self.indices {
                    sparse(&indices.data, &self.data, faults);
                }
            }
        }
    }
}

impl Check for grpc::SparseVector {
    fn check(&self, faults: &mut Faults) {
        sparse(&self.indices, &self.values, faults);
    }
}

fn sparse(indices: &[u32], values: &[f32], faults: &mut Faults) {
    if indices.len() != values.len() {
        faults.broken("values", "must be the same length as indices");
    }
    // Nearly all come in order, which is quicker to see.
    let ordered = indices.is_sorted_by(|a, b| a < b);
    if !ordered && indices.iter().collect::<HashSet<_>>().len() < indices.len() {
        faults.broken("indices", "must be unique");
    }
}

impl Check for grpc::MultiDenseVector {
    fn check(&self, faults: &mut Faults) {
        let Some(first) = self.vectors.first() else {
            faults.add("data", "multi vector must not be empty");
            return;
        };
        let size = first.data.len();
        if self.vectors.iter().any(|row| row.data.is_empty()) {
            faults.add("data", "all vectors must be non-empty");
        } else if let Some(other) = self.vectors.iter().find(|row| row.data.len() != size) {
            let words = format!(
                "all vectors must have the same dimension, found vector with dimension {}",
                other.data.len()
            );
            faults.add("data", words);
        }
    }
}

impl Check for grpc::PointsSelector {
    fn check(&self, faults: &mut Faults) {
        match &self.points_selector_one_of {
            Some(PointsSelectorOneOf::Filter(filter)) => faults.part("points_selector_one_of", Some(filter)),
            Some(PointsSelectorOneOf::Points(_)) | None => {}
        }
    }
}

impl Check for grpc::DeletePoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
    }
}

impl Check for grpc::UpdatePointVectors {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("points", &self.points);
        faults.part("update_filter", self.update_filter.as_ref());
    }
}

impl Check for grpc::PointVectors {
    fn check(&self, faults: &mut Faults) {
        faults.part("vectors", self.vectors.as_ref());
    }
}

impl Check for grpc::DeletePointVectors {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("points_selector", self.points_selector.as_ref());
    }
}

impl Check for grpc::SetPayloadPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("points_selector", self.points_selector.as_ref());
    }
}

impl Check for grpc::DeletePayloadPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("points_selector", self.points_selector.as_ref());
    }
}

impl Check for grpc::ClearPayloadPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("points", self.points.as_ref());
    }
}

impl Check for grpc::UpdateBatchPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.not_empty("operations", &[(); 0], self.operations.len());
    }
}

impl Check for grpc::GetPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
    }
}

impl Check for grpc::CreateFieldIndexCollection {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.not_empty("field_name", &self.field_name, self.field_name.len());
        faults.part("field_index_params", self.field_index_params.as_ref());
    }
}

impl Check for grpc::PayloadIndexParams {
    fn check(&self, faults: &mut Faults) {
        match &self.index_params {
            Some(IndexParams::IntegerIndexParams(integer))
                if integer.lookup == Some(false) && integer.range == Some(false) =>
            {
                faults.within("index_params".to_owned(), |faults| {
                    faults.broken(
                        "lookup",
                        "the 'lookup' and 'range' capabilities can't be both disabled",
                    );
                });
            }
            Some(
                IndexParams::IntegerIndexParams(_)
                | IndexParams::KeywordIndexParams(_)
                | IndexParams::FloatIndexParams(_)
                | IndexParams::GeoIndexParams(_)
                | IndexParams::TextIndexParams(_)
                | IndexParams::BoolIndexParams(_)
                | IndexParams::DatetimeIndexParams(_)
                | IndexParams::UuidIndexParams(_),
            )
            | None => {}
        }
    }
}

impl Check for grpc::DeleteFieldIndexCollection {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.not_empty("field_name", &self.field_name, self.field_name.len());
    }
}

impl Check for grpc::DeleteVectorNameRequest {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
    }
}
