//! What a collection is, for the wire.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    self as grpc, quantization_config::Quantization, vectors_config::Config as Vectors,
};
use qdrant_edge::{
    Distance, EdgeConfig, EdgeOptimizersConfig, EdgeSparseVectorParams, EdgeVectorParams, HnswIndexConfig,
    Modifier, QuantizationConfig, ShardInfo, VectorStorageDatatype, WalOptions,
};
use serde_json::{Value, json};

use super::{index, point::to_u64};
use crate::embedded::{collection::Collection, error::Result, store::Record, validate::UNNAMED};

/// Milliseconds in a second.
const MILLIS: u64 = 1000;

/// Nanoseconds in a millisecond.
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Bytes in the unit of `wal_capacity_mb`.
const MIB: usize = 1024 * 1024;

/// A moment for the wire.
pub fn timestamp(unix_ms: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(unix_ms / MILLIS).unwrap_or(i64::MAX),
        nanos: i32::try_from(unix_ms % MILLIS * NANOS_PER_MILLI).unwrap_or_default(),
    }
}

/// Everything about a collection. Blocks.
pub fn info(record: &Record, collection: &Collection) -> Result<grpc::CollectionInfo> {
    let ShardInfo {
        segments_count,
        points_count,
        indexed_vectors_count,
        payload_schema,
    } = collection.info()?;
    Ok(grpc::CollectionInfo {
        status: grpc::CollectionStatus::Green.into(),
        optimizer_status: Some(grpc::OptimizerStatus {
            ok: true,
            error: String::new(),
        }),
        segments_count: to_u64(segments_count),
        config: Some(config(collection.config(), record)),
        payload_schema: payload_schema
            .into_iter()
            .map(|(key, info)| (key.to_string(), index::wire(info)))
            .collect(),
        points_count: Some(to_u64(points_count)),
        indexed_vectors_count: Some(to_u64(indexed_vectors_count)),
        created_at: Some(timestamp(record.created_at_ms)),
        ..grpc::CollectionInfo::default()
    })
}

#[expect(
    deprecated,
    reason = "a collection keeps the deprecated fields it was made with"
)]
fn config(config: EdgeConfig, record: &Record) -> grpc::CollectionConfig {
    let hnsw_config = config.hnsw_config();
    let optimizers = config.optimizers();
    let on_disk_payload = config.on_disk_payload();
    let metadata = record
        .metadata
        .iter()
        .map(|(key, value)| (key.clone(), grpc::Value::from(value.clone())))
        .collect();
    grpc::CollectionConfig {
        params: Some(grpc::CollectionParams {
            shard_number: 1,
            on_disk_payload,
            vectors_config: vectors(&config.vectors),
            replication_factor: Some(1),
            write_consistency_factor: Some(1),
            sparse_vectors_config: sparse_vectors(config.sparse_vectors),
            ..grpc::CollectionParams::default()
        }),
        hnsw_config: Some(hnsw(hnsw_config)),
        optimizer_config: Some(optimizer(&optimizers)),
        wal_config: Some(wal(&config.wal_options.unwrap_or_default())),
        quantization_config: config.quantization_config.as_ref().and_then(quantization),
        strict_mode_config: None,
        metadata,
    }
}

fn vectors(vectors: &HashMap<String, EdgeVectorParams>) -> Option<grpc::VectorsConfig> {
    let config = match vectors.get(UNNAMED) {
        Some(unnamed) if vectors.len() == 1 => Vectors::Params(dense(unnamed)),
        Some(_) | None if vectors.is_empty() => return None,
        Some(_) | None => Vectors::ParamsMap(grpc::VectorParamsMap {
            map: vectors
                .iter()
                .map(|(name, params)| (name.clone(), dense(params)))
                .collect(),
        }),
    };
    Some(grpc::VectorsConfig { config: Some(config) })
}

#[expect(
    deprecated,
    reason = "a collection keeps the deprecated fields it was made with"
)]
fn dense(params: &EdgeVectorParams) -> grpc::VectorParams {
    grpc::VectorParams {
        size: to_u64(params.size),
        distance: distance(params.distance),
        hnsw_config: params.hnsw_config.map(hnsw),
        quantization_config: params.quantization_config.as_ref().and_then(quantization),
        on_disk: params.on_disk,
        datatype: params.datatype.map(datatype),
        multivector_config: params
            .multivector_config
            .map(|_| grpc::MultiVectorConfig::default()),
        memory: index::wire_memory(params.memory),
    }
}

/// A metric for the wire.
pub fn distance(value: Distance) -> i32 {
    let value = match value {
        Distance::Cosine => grpc::Distance::Cosine,
        Distance::Euclid => grpc::Distance::Euclid,
        Distance::Dot => grpc::Distance::Dot,
        Distance::Manhattan => grpc::Distance::Manhattan,
    };
    value.into()
}

/// How numbers are stored, for the wire.
pub fn datatype(value: VectorStorageDatatype) -> i32 {
    let value = match value {
        VectorStorageDatatype::Float32 => grpc::Datatype::Float32,
        VectorStorageDatatype::Float16 => grpc::Datatype::Float16,
        VectorStorageDatatype::Uint8 => grpc::Datatype::Uint8,
        VectorStorageDatatype::Turbo4 => grpc::Datatype::Turbo4,
        VectorStorageDatatype::Turbo8 => grpc::Datatype::Turbo8,
        VectorStorageDatatype::Turbo16 => grpc::Datatype::Turbo16,
    };
    value.into()
}

#[expect(
    deprecated,
    reason = "a collection keeps the deprecated fields it was made with"
)]
fn sparse_vectors(vectors: HashMap<String, EdgeSparseVectorParams>) -> Option<grpc::SparseVectorConfig> {
    if vectors.is_empty() {
        return None;
    }
    let map = vectors
        .into_iter()
        .map(|(name, params)| {
            let index = grpc::SparseIndexConfig {
                full_scan_threshold: params.full_scan_threshold.map(to_u64),
                on_disk: params.on_disk,
                datatype: params.datatype.map(datatype),
                memory: index::wire_memory(params.memory),
            };
            let modifier = params.modifier.map(|modifier| match modifier {
                Modifier::None => grpc::Modifier::None.into(),
                Modifier::Idf => grpc::Modifier::Idf.into(),
            });
            let index = Some(index).filter(|index| *index != grpc::SparseIndexConfig::default());
            (name, grpc::SparseVectorParams { index, modifier })
        })
        .collect();
    Some(grpc::SparseVectorConfig { map })
}

#[expect(
    deprecated,
    reason = "a collection keeps the deprecated fields it was made with"
)]
fn hnsw(config: HnswIndexConfig) -> grpc::HnswConfigDiff {
    grpc::HnswConfigDiff {
        m: Some(to_u64(config.m)),
        ef_construct: Some(to_u64(config.ef_construct)),
        full_scan_threshold: Some(to_u64(config.full_scan_threshold)),
        max_indexing_threads: Some(to_u64(config.max_indexing_threads)),
        on_disk: config.on_disk,
        payload_m: config.payload_m.map(to_u64),
        inline_storage: config.inline_storage,
        memory: index::wire_memory(config.memory),
    }
}

fn optimizer(config: &EdgeOptimizersConfig) -> grpc::OptimizersConfigDiff {
    grpc::OptimizersConfigDiff {
        deleted_threshold: config.deleted_threshold,
        vacuum_min_vector_number: config.vacuum_min_vector_number.map(to_u64),
        default_segment_number: config.default_segment_number.map(to_u64),
        max_segment_size: config.max_segment_size.map(to_u64),
        indexing_threshold: config.indexing_threshold.map(to_u64),
        flush_interval_sec: Some(crate::embedded::maintenance::FLUSH_INTERVAL.as_secs()),
        ..grpc::OptimizersConfigDiff::default()
    }
}

fn wal(options: &WalOptions) -> grpc::WalConfigDiff {
    grpc::WalConfigDiff {
        wal_capacity_mb: Some(to_u64(options.segment_capacity / MIB)),
        wal_segments_ahead: Some(to_u64(options.segment_queue_len)),
        wal_retain_closed: Some(to_u64(options.retain_closed.get())),
    }
}

/// Which quantization there is and, for the usual one, its quantile; the rest
/// of the parameters is for REST, which tells them all.
fn quantization(config: &QuantizationConfig) -> Option<grpc::QuantizationConfig> {
    let quantization = match config {
        QuantizationConfig::Scalar(scalar) => Quantization::Scalar(grpc::ScalarQuantization {
            r#type: grpc::QuantizationType::Int8.into(),
            quantile: scalar.scalar.quantile,
            memory: index::wire_memory(scalar.scalar.memory),
            ..grpc::ScalarQuantization::default()
        }),
        QuantizationConfig::Product(product) => Quantization::Product(grpc::ProductQuantization {
            compression: match product.product.compression {
                qdrant_edge::CompressionRatio::X4 => grpc::CompressionRatio::X4,
                qdrant_edge::CompressionRatio::X8 => grpc::CompressionRatio::X8,
                qdrant_edge::CompressionRatio::X16 => grpc::CompressionRatio::X16,
                qdrant_edge::CompressionRatio::X32 => grpc::CompressionRatio::X32,
                qdrant_edge::CompressionRatio::X64 => grpc::CompressionRatio::X64,
            }
            .into(),
            memory: index::wire_memory(product.product.memory),
            ..grpc::ProductQuantization::default()
        }),
        QuantizationConfig::Binary(binary) => Quantization::Binary(grpc::BinaryQuantization {
            memory: index::wire_memory(binary.binary.memory),
            ..grpc::BinaryQuantization::default()
        }),
        QuantizationConfig::Turbo(turbo) => Quantization::Turboquant(grpc::TurboQuantization {
            memory: index::wire_memory(turbo.turbo.memory),
            ..grpc::TurboQuantization::default()
        }),
    };
    Some(grpc::QuantizationConfig {
        quantization: Some(quantization),
    })
}

/// The same in the form of Qdrant's REST API. Blocks.
pub fn rest_info(record: &Record, collection: &Collection) -> Result<Value> {
    let ShardInfo {
        segments_count,
        points_count,
        indexed_vectors_count,
        payload_schema,
    } = collection.info()?;
    let config = collection.config();
    let mut vectors: Value = json!(config.vectors);
    if config.vectors.len() == 1
        && let Some(unnamed) = config.vectors.get(UNNAMED)
    {
        vectors = json!(unnamed);
    }
    let mut params = json!({
        "vectors": vectors,
        "shard_number": 1,
        "replication_factor": 1,
        "write_consistency_factor": 1,
        "on_disk_payload": config.on_disk_payload(),
    });
    if !config.sparse_vectors.is_empty() {
        params["sparse_vectors"] = json!(config.sparse_vectors);
    }
    let schema: serde_json::Map<String, Value> = payload_schema
        .into_iter()
        .map(|(key, info)| (key.to_string(), json!(info)))
        .collect();
    Ok(json!({
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": indexed_vectors_count,
        "points_count": points_count,
        "segments_count": segments_count,
        "config": {
            "params": params,
            "hnsw_config": config.hnsw_config(),
            "optimizer_config": optimizer_form(&config.optimizers()),
            "wal_config": {
                "wal_capacity_mb": config.wal_options.clone().unwrap_or_default().segment_capacity / MIB,
                "wal_segments_ahead": config.wal_options.clone().unwrap_or_default().segment_queue_len,
            },
            "quantization_config": config.quantization_config,
            "metadata": record.metadata,
        },
        "payload_schema": schema,
    }))
}

fn optimizer_form(config: &EdgeOptimizersConfig) -> Value {
    let mut form = json!(config);
    form["flush_interval_sec"] = json!(crate::embedded::maintenance::FLUSH_INTERVAL.as_secs());
    form
}
