//! Collections, aliases and snapshots.

use qdrant_client::qdrant::{
    self as grpc, quantization_config::Quantization, quantization_config_diff::Quantization as Diff,
    vectors_config::Config, vectors_config_diff::Config as ConfigDiff,
};

use super::{Check, Faults};

/// Most dimensions of a vector.
const DIMENSIONS: (u64, u64) = (1, 65_536);

/// Messages that hold a name and nothing else that could be wrong.
macro_rules! named {
    ($($message:ident),+ $(,)?) => {$(
        impl Check for grpc::$message {
            fn check(&self, faults: &mut Faults) {
                faults.name(&self.collection_name);
            }
        }
    )+};
}

named!(
    CollectionExistsRequest,
    CreateSnapshotRequest,
    DeleteSnapshotRequest,
    GetCollectionInfoRequest,
    ListCollectionAliasesRequest,
    ListSnapshotsRequest,
);

impl Check for grpc::DeleteCollection {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::ChangeAliases {
    fn check(&self, faults: &mut Faults) {
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::CreateCollection {
    fn check(&self, faults: &mut Faults) {
        faults.new_name(&self.collection_name);
        faults.part("hnsw_config", self.hnsw_config.as_ref());
        faults.part("wal_config", self.wal_config.as_ref());
        faults.part("optimizers_config", self.optimizers_config.as_ref());
        faults.part("vectors_config", self.vectors_config.as_ref());
        faults.part("quantization_config", self.quantization_config.as_ref());
        faults.least("shard_number", self.shard_number, 1);
        faults.least("replication_factor", self.replication_factor, 1);
        faults.least("write_consistency_factor", self.write_consistency_factor, 1);
    }
}

impl Check for grpc::UpdateCollection {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("optimizers_config", self.optimizers_config.as_ref());
        faults.timeout(self.timeout);
        faults.part("params", self.params.as_ref());
        faults.part("hnsw_config", self.hnsw_config.as_ref());
        faults.part("vectors_config", self.vectors_config.as_ref());
        faults.part("quantization_config", self.quantization_config.as_ref());
    }
}

impl Check for grpc::CollectionParamsDiff {
    fn check(&self, faults: &mut Faults) {
        faults.least("replication_factor", self.replication_factor, 1);
        faults.least("write_consistency_factor", self.write_consistency_factor, 1);
    }
}

impl Check for grpc::HnswConfigDiff {
    fn check(&self, faults: &mut Faults) {
        faults.least("ef_construct", self.ef_construct, 4);
    }
}

impl Check for grpc::WalConfigDiff {
    fn check(&self, faults: &mut Faults) {
        faults.least("wal_capacity_mb", self.wal_capacity_mb, 1);
        faults.least("wal_retain_closed", self.wal_retain_closed, 1);
    }
}

impl Check for grpc::OptimizersConfigDiff {
    fn check(&self, faults: &mut Faults) {
        faults.range("deleted_threshold", self.deleted_threshold, (0.0, 1.0));
        faults.least("vacuum_min_vector_number", self.vacuum_min_vector_number, 100);
        faults.least("max_segment_size", self.max_segment_size, 1);
    }
}

impl Check for grpc::VectorsConfig {
    fn check(&self, faults: &mut Faults) {
        match &self.config {
            Some(Config::Params(params)) => faults.part("config", Some(params)),
            Some(Config::ParamsMap(params)) => {
                faults.within("config".to_owned(), |faults| {
                    faults.any("map", params.map.values());
                });
            }
            None => {}
        }
    }
}

impl Check for grpc::VectorParams {
    fn check(&self, faults: &mut Faults) {
        faults.range("size", self.size, DIMENSIONS);
        faults.part("hnsw_config", self.hnsw_config.as_ref());
        faults.part("quantization_config", self.quantization_config.as_ref());
    }
}

impl Check for grpc::VectorsConfigDiff {
    fn check(&self, faults: &mut Faults) {
        match &self.config {
            Some(ConfigDiff::Params(params)) => faults.part("config", Some(params)),
            Some(ConfigDiff::ParamsMap(params)) => {
                faults.within("config".to_owned(), |faults| {
                    faults.any("map", params.map.values());
                });
            }
            None => {}
        }
    }
}

impl Check for grpc::VectorParamsDiff {
    fn check(&self, faults: &mut Faults) {
        faults.part("hnsw_config", self.hnsw_config.as_ref());
        faults.part("quantization_config", self.quantization_config.as_ref());
    }
}

impl Check for grpc::QuantizationConfig {
    fn check(&self, faults: &mut Faults) {
        match &self.quantization {
            Some(Quantization::Scalar(scalar)) => faults.part("quantization", Some(scalar)),
            Some(Quantization::Product(_) | Quantization::Binary(_) | Quantization::Turboquant(_)) | None => {
            }
        }
    }
}

impl Check for grpc::QuantizationConfigDiff {
    fn check(&self, faults: &mut Faults) {
        match &self.quantization {
            Some(Diff::Scalar(scalar)) => faults.part("quantization", Some(scalar)),
            Some(Diff::Product(_) | Diff::Binary(_) | Diff::Turboquant(_) | Diff::Disabled(_)) | None => {}
        }
    }
}

impl Check for grpc::ScalarQuantization {
    fn check(&self, faults: &mut Faults) {
        faults.range("quantile", self.quantile, (0.5, 1.0));
    }
}

impl Check for grpc::CreateVectorNameRequest {
    fn check(&self, faults: &mut Faults) {
        use grpc::create_vector_name_request::VectorConfig;
        faults.name(&self.collection_name);
        match &self.vector_config {
            Some(VectorConfig::DenseConfig(dense)) => {
                faults.within("vector_config".to_owned(), |faults| {
                    faults.range("size", dense.size, DIMENSIONS);
                });
            }
            Some(VectorConfig::SparseConfig(_)) | None => {}
        }
    }
}
